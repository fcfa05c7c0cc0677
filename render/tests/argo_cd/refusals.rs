//! What must not become a target state: a plugin that fails is seen, and what runs stays as it is.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use crate::controller::Target;
use crate::{Argo, asking, example, generating, shipped, with_parameters};

/// Why generating fails, as an Application shows it.
fn failure(argo: &Argo, parameters: &str) -> String {
    let failure = argo.generate(&with_parameters(generating("shop"), parameters)).unwrap_err();
    let (command, cause) = failure.split_once(" failed ").unwrap();
    assert_eq!(command, "`valkey-render cmp generate`");
    let said = cause.split_once(": ").unwrap().1.to_owned();
    assert!(said.starts_with("error: ") && said.len() < 8 * 1024, "{said}");
    said
}

#[test]
fn other_folders_are_not_the_plugins() {
    let argo = Argo::new();
    argo.write("chart/Chart.yaml", "name: a");
    argo.write("chart/spec.yaml", &example("minimal"));
    argo.write("overlay/kustomization.yaml", "generators: [spec.yaml]");
    argo.write("overlay/spec.yaml", &example("minimal"));
    argo.write("plain/config.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    argo.write("text/notes.txt", "kind: ValkeyCluster");
    argo.write("broken/values.yaml", "{{ .Values.a }}\nkind: ConfigMap\n");
    let rendered = argo.generate(&generating("shop")).unwrap().stdout;
    assert!(rendered.contains("kind: ValkeyCluster"), "the desired state stands in it");
    argo.write("rendered/all.yaml", &rendered);
    argo.write("linked/config.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    symlink("missing.yaml", argo.path("linked/x.yaml")).unwrap();
    for folder in ["chart", "overlay", "plain", "text", "broken", "rendered", "linked"] {
        assert_eq!(argo.server.matches(&argo.upload(folder), &asking()), Ok(false), "{folder}");
    }
}

#[test]
fn a_folder_that_was_rendered_into_is_not_one_of_specs() {
    let argo = Argo::new();
    argo.write("rendered/.valkey-render-index", "cluster.yaml\n");
    argo.write("rendered/cluster.yaml", &example("minimal"));
    assert_eq!(argo.server.matches(&argo.upload("rendered"), &asking()), Ok(false));
    // Everything that is rendered has the one label; the other is anybody's, and a mistake in a spec.
    for (label, is_spec) in [("valkey-gitops.dev/cluster: small", false), ("app.kubernetes.io/managed-by: x", true)] {
        let marked = example("minimal").replace("metadata:", &format!("metadata:\n  labels: {{{label}}}"));
        argo.write("marked/cluster.yaml", &marked);
        assert_eq!(argo.server.matches(&argo.upload("marked"), &asking()), Ok(is_spec), "{label}");
    }
}

#[test]
fn a_spec_with_a_mistake_is_the_plugins_all_the_same() {
    let argo = Argo::new();
    for text in ["apiVersion: valkey-gitops.dev/v1alpha1\nspec: [\n", "kind: \"ValkeyCluster\"\nspec:\n\t- a\n"] {
        argo.write("clusters/sessions/sessions.yaml", text);
        assert_eq!(argo.server.matches(&argo.upload("clusters/sessions"), &asking()), Ok(true));
        assert!(failure(&argo, "[]").contains("not valid YAML"));
    }
}

#[test]
fn nothing_is_never_what_is_wanted() {
    let argo = Argo::without_discovery();
    fs::remove_file(argo.path("clusters/sessions/sessions.yaml")).unwrap();
    argo.write("clusters/sessions/README.md", "nothing here");
    assert!(failure(&argo, "[]").contains("there is no YAML or JSON file in it"));
    argo.write("clusters/sessions/sessions.yaml", "# later\n");
    assert!(failure(&argo, "[]").contains("there is no ValkeyCluster in it"));
}

#[test]
fn one_bad_spec_of_many_is_not_left_out() {
    let argo = Argo::new();
    let bad = example("production").replace("name: sessions", "name: carts").replace("shards: 3", "shards: 2");
    argo.write("clusters/sessions/carts.yaml", &bad);
    assert!(failure(&argo, "[]").starts_with("error: spec.shards: 2 is not between 3 and 500"));
    argo.write("clusters/sessions/carts.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n");
    assert!(failure(&argo, "[]").contains("ValkeyCluster"));
    fs::remove_file(argo.path("clusters/sessions/carts.yaml")).unwrap();
    symlink("moved.yaml", argo.path("clusters/sessions/carts.yaml")).unwrap();
    assert!(failure(&argo, "[]").contains("carts.yaml"));
}

#[test]
fn parameters_that_are_wrong_are_named() {
    let argo = Argo::new();
    let cases = [
        ("[{\"name\":", "error: is no list of parameters"),
        (r#"[{"name":"shard","string":"4"}]"#, "error: parameter `shard`: there is no such parameter"),
        (r#"[{"name":"shards","string":"four"}]"#, "error: parameter `shards`: `four` is not a whole number"),
        (r#"[{"name":"shards","string":"2"}]"#, "error: parameter `shards`: 2 is not between 3 and 500"),
        (r#"[{"name":"version","string":"7.2"}]"#, "error: parameter `version`: `7.2`"),
        (r#"[{"name":"desired-state","string":"crd"}]"#, "error: parameter `desired-state`: `crd` is not one of"),
        (r#"[{"name":"config","map":{"hzz":"1"}}]"#, "error: parameter `config`, directive `hzz`:"),
        (r#"[{"name":"specs","array":["../../README.md"]}]"#, "error: parameter `specs`:"),
        (r#"[{"name":"specs","array":["none.yaml"]}]"#, "error: cannot read none.yaml"),
    ];
    for (parameters, expected) in cases {
        assert!(failure(&argo, parameters).starts_with(expected), "{parameters}: {}", failure(&argo, parameters));
    }
    assert!(failure(&argo, r#"[{"name":"shard","string":"4"}]"#).contains("did you mean `shards`?"));
    argo.write("clusters/sessions/carts.yaml", &example("production").replace("name: sessions", "name: carts"));
    assert!(failure(&argo, r#"[{"name":"shards","string":"4"}]"#).contains("speaks of one cluster, and there are 2"));
}

#[test]
fn two_namespaces_are_one_too_many() {
    let argo = Argo::new();
    let failure = argo.generate(&generating("checkout")).unwrap_err();
    assert!(failure.contains("`shop` is not `checkout`") && failure.contains("destination is `checkout`"), "{failure}");
    let mut plugin = shipped();
    plugin.spec.generate.args.push("--namespace=shop".to_owned());
    let failure = Argo::with(plugin).generate(&generating("checkout")).unwrap_err();
    assert!(failure.contains("`checkout` is not `shop`, which --namespace asks for"), "{failure}");
    assert!(argo.generate(&generating("Not A Name")).is_err());
}

#[test]
fn links_out_of_the_repository_are_not_followed() {
    let argo = Argo::new();
    symlink("/etc/hostname", argo.path("clusters/sessions/host.yaml")).unwrap();
    assert!(argo.generate(&generating("shop")).unwrap_err().starts_with("illegal filepath in symlink"));
    fs::remove_file(argo.path("clusters/sessions/host.yaml")).unwrap();
    // Inside of the repository, but not of the part that is sent.
    symlink("../shared.yaml", argo.path("clusters/sessions/shared.yaml")).unwrap();
    argo.write("clusters/shared.yaml", &example("minimal"));
    assert!(argo.generate(&generating("")).is_ok());
    let part = argo.upload("clusters/sessions").of_common_root("clusters/sessions");
    assert!(argo.server.generate(&part, &generating("")).is_err());
}

#[test]
fn many_mistakes_are_told_in_few_words() {
    let argo = Argo::new();
    let fields: String = (0..500).map(|number| format!("  field{number}: x\n")).collect();
    argo.write("clusters/sessions/sessions.yaml", &(example("production") + &fields));
    let said = failure(&argo, "[]");
    assert!(said.starts_with("error: spec.field0:") && said.contains("… and 4"), "{said}");
}

/// That these tests would see it: what a plugin must not do is done here by one that is not ours.
#[test]
fn whatever_else_is_on_standard_output_is_seen() {
    let cases = [
        ("echo rendering; valkey-render cmp generate", "failed to unmarshal"),
        ("echo 'level: info'; valkey-render cmp generate", "Object 'Kind' is missing"),
        ("valkey-render cmp generate; valkey-render cmp generate", "RepeatedResourceWarning"),
        ("valkey-render cmp generate | sed 's/^apiVersion: v1$//'", "has no apiVersion"),
        ("valkey-render cmp generate | sed 's/sync-wave: .*/sync-wave: -3/'", "annotations argocd"),
        ("valkey-render cmp generate | sed 's/^---$/--- # next/'", "more than a separator"),
        ("echo 'kind: List'; echo 'items: []'; valkey-render cmp generate", "is a list"),
        ("valkey-render cmp generate | sed 's/clusterIP: None/clusterIP: null/'", "has a null"),
        ("valkey-render cmp generate | sed 's/^spec:$/status: {}\\nspec:/'", "has a status"),
        (
            "valkey-render cmp generate | sed '/^  selector:$/,/^  [a-z]/s|valkey-gitops.dev/cluster|app.kubernetes.io/instance|'",
            "selector has app.kubernetes.io/instance",
        ),
    ];
    for (script, expected) in cases {
        let seen = Argo::with(shipped().generating_by(script)).target(&generating("shop"));
        assert!(seen.as_ref().is_err_and(|seen| seen.contains(expected)), "{script}: {seen:?}");
    }
    let nothing = Argo::with(shipped().generating_by("true")).target(&generating("shop"));
    assert!(nothing.is_ok_and(|target: Target| target.objects.is_empty()), "which Argo CD takes for what is wanted");
}

#[test]
fn whoever_is_out_of_time_is_ended() {
    let mut argo = Argo::with(shipped().generating_by("echo 'kind: Part'; exec sleep 60"));
    argo.server.deadline = Duration::from_millis(200);
    let failure = argo.generate(&generating("shop")).unwrap_err();
    assert!(failure.contains("signal: 15 (SIGTERM)"), "{failure}");
    argo.server.plugin = shipped().generating_by("trap '' TERM; while :; do sleep 1; done");
    let failure = argo.generate(&generating("shop")).unwrap_err();
    assert!(failure.contains("signal: 9 (SIGKILL)"), "{failure}");
}

/// It has no work to finish and nothing to put in order: it ends when it is told to, in the middle of whatever it does.
#[test]
fn sigterm_ends_it_at_once() {
    let mut argo = Argo::new();
    // It waits for a writer that never comes.
    let held = "mkfifo held.fifo; exec valkey-render render held.fifo";
    argo.server.plugin = shipped().generating_by(held);
    argo.server.deadline = Duration::from_millis(300);
    let ended = argo.generate(&generating("shop")).unwrap_err();
    assert!(ended.contains("SIGTERM"), "{ended}");
    argo.server.plugin = shipped();
    argo.server.deadline = Duration::from_mins(1);
    assert!(argo.generate(&generating("shop")).unwrap().took < Duration::from_secs(10));
}
