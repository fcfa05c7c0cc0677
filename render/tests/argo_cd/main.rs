//! The plugin in Argo CD's hands: what its plugin server, repo-server and controller do is done here, step by step, to the plugin
//! file that is shipped.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on has failed")]
#![allow(unreachable_pub, reason = "modules of a test")]

mod applications;
mod controller;
mod plugin;
mod refusals;
mod server;
mod upload;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use controller::{Target, Tracking};
use plugin::Plugin;
use server::{Environment, Ran, Server, side_by_side};
use upload::Upload;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn shipped() -> Plugin {
    Plugin::read(&root().join("deploy/argocd/plugin.yaml"))
}

/// A repository, and a plugin server that is sent parts of it.
struct Argo {
    folder: TempDir,
    server: Server,
}

impl Argo {
    /// One Application, `clusters/sessions`, with one spec.
    fn new() -> Self {
        Self::with(shipped())
    }

    /// One whose Applications all name the plugin.
    fn without_discovery() -> Self {
        let mut plugin = shipped();
        plugin.spec.discover = None;
        Self::with(plugin)
    }

    fn with(plugin: Plugin) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::new(plugin, &folder.path().join("work"));
        let argo = Self { folder, server };
        argo.write("clusters/sessions/sessions.yaml", &example("production"));
        argo.write("README.md", "clusters");
        argo.write(".git/HEAD", "ref: refs/heads/main");
        // Parameters in Git; Argo CD has read it before.
        argo.write("clusters/sessions/.argocd-source.yaml", "plugin: {parameters: []}");
        argo
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join("repository").join(path)
    }

    fn write(&self, path: &str, text: &str) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), text).unwrap();
    }

    fn upload(&self, app: &str) -> Upload {
        Upload::new(&self.path(""), app)
    }

    fn generate(&self, environment: &Environment) -> Result<Ran, String> {
        self.server.generate(&self.upload("clusters/sessions"), environment)
    }

    fn target(&self, environment: &Environment) -> Result<Target, String> {
        Target::of(&self.generate(environment)?.stdout, "sessions", "shop")
    }
}

fn example(name: &str) -> String {
    fs::read_to_string(root().join(format!("examples/{name}.yaml"))).unwrap()
}

/// What is around the plugin when it generates for an Application whose destination is this namespace.
fn generating(namespace: &str) -> Environment {
    let revision = "0b9be9b65c4d4a5e8e2f6ad0dd0a3f0cf4ab2c1e";
    let mut environment = asking();
    environment.extend([
        ("ARGOCD_APP_NAMESPACE", namespace.to_owned()),
        ("ARGOCD_APP_PROJECT_NAME", "default".to_owned()),
        ("ARGOCD_APP_REVISION", revision.to_owned()),
        ("ARGOCD_APP_REVISION_SHORT", revision[..7].to_owned()),
        ("ARGOCD_APP_REVISION_SHORT_8", revision[..8].to_owned()),
        ("KUBE_VERSION", "1.34.1".to_owned()),
        ("KUBE_API_VERSIONS", "apps/v1,apps/v1/StatefulSet,v1,v1/Service".to_owned()),
    ]);
    environment
}

/// What is around it when it is asked for parameters, or whether a folder is one of its own.
fn asking() -> Environment {
    vec![
        ("ARGOCD_APP_NAME", "sessions".to_owned()),
        ("ARGOCD_APP_SOURCE_REPO_URL", "https://git.example.com/shop/clusters.git".to_owned()),
        ("ARGOCD_APP_SOURCE_PATH", "clusters/sessions".to_owned()),
        ("ARGOCD_APP_SOURCE_TARGET_REVISION", "main".to_owned()),
    ]
}

/// The same for an Application with these parameters.
fn with_parameters(mut environment: Environment, parameters: &str) -> Environment {
    environment.push(("ARGOCD_APP_PARAMETERS", parameters.to_owned()));
    environment
}

#[test]
fn a_folder_of_specs_becomes_a_target_state() {
    let argo = Argo::new();
    let upload = argo.upload("clusters/sessions");
    assert_eq!(argo.server.matches(&upload, &asking()), Ok(true));
    let target = argo.target(&generating("shop")).unwrap();
    assert_eq!(target.objects.len(), 16);
    assert!(target.objects.keys().all(|(_, _, namespace, _)| namespace == "shop"));
}

#[test]
fn what_others_wait_for_comes_first() {
    let waves = Argo::new().target(&generating("shop")).unwrap().waves();
    let expected: BTreeMap<i64, Vec<&str>> = BTreeMap::from([
        (-3, vec!["NetworkPolicy", "ServiceAccount", "Role", "RoleBinding"]),
        (-2, vec!["Certificate"]),
        (-1, vec!["PodDisruptionBudget", "ConfigMap", "Service"]),
        (0, vec!["ConfigMap", "Deployment", "StatefulSet"]),
        (1, vec!["PodMonitor", "PrometheusRule"]),
    ]);
    assert_eq!(
        waves,
        expected.into_iter().map(|(wave, kinds)| (wave, kinds.into_iter().map(str::to_owned).collect())).collect()
    );
}

/// A mark in a label takes the place of what stood there, and nothing else changes: neither what is selected nor who selects it.
#[test]
fn where_labels_tell_whose_an_object_is_only_that_label_differs() {
    let stdout = Argo::new().generate(&generating("shop")).unwrap().stdout;
    let application = "a".repeat(70);
    let tracked = |tracking| Target::tracked(&stdout, &application, "shop", tracking).unwrap().objects;
    let (by_annotation, by_label) = (tracked(Tracking::Annotation), tracked(Tracking::Label));
    for (key, mut marked) in by_label {
        let label = &mut marked["metadata"]["labels"]["app.kubernetes.io/instance"];
        assert_eq!(*label, application[..63]);
        *label = "sessions".into();
        let mut other = by_annotation[&key].clone();
        let notes = other["metadata"]["annotations"].as_object_mut().unwrap();
        assert!(notes.remove("argocd.argoproj.io/tracking-id").is_some());
        if notes.is_empty() {
            other["metadata"].as_object_mut().unwrap().remove("annotations");
        }
        assert_eq!(marked, other);
    }
}

#[test]
fn with_and_without_waves_it_is_what_render_prints() {
    for (argument, option) in [(None, Some("--argocd-waves")), (Some("--no-argocd-waves"), None)] {
        let mut plugin = shipped();
        plugin.spec.generate.args.extend(argument.map(str::to_owned));
        let argo = Argo::with(plugin);
        assert_eq!(argo.generate(&generating("shop")).unwrap().stdout, rendered(&argo, option));
    }
}

/// What `render` prints of the Application's spec.
fn rendered<'o>(argo: &Argo, options: impl IntoIterator<Item = &'o str>) -> String {
    let mut render = std::process::Command::new(env!("CARGO_BIN_EXE_valkey-render"));
    render.arg("render").arg(argo.path("clusters/sessions/sessions.yaml")).args(options);
    String::from_utf8(render.output().unwrap().stdout).unwrap()
}

#[test]
fn the_desired_state_is_a_custom_resource_where_plugin_or_application_say_so() {
    let custom = r#"[{"name":"desired-state","string":"custom-resource"}]"#;
    let argo = Argo::new();
    let wanted = rendered(&argo, ["--argocd-waves", "--desired-state=custom-resource"]);
    assert_eq!(argo.generate(&with_parameters(generating("shop"), custom)).unwrap().stdout, wanted);

    let mut plugin = shipped();
    let by_default = "--desired-state=custom-resource".to_owned();
    plugin.spec.generate.args.push(by_default.clone());
    plugin.spec.parameters.as_mut().unwrap().dynamic.args.push(by_default);
    let argo = Argo::with(plugin);
    assert_eq!(argo.generate(&generating("shop")).unwrap().stdout, wanted);
    let upload = argo.upload("clusters/sessions");
    let announced = argo.server.parameters(&upload, &asking()).unwrap();
    let shown = announced.iter().find(|parameter| parameter["name"] == "desired-state").unwrap();
    assert_eq!(shown["string"], "custom-resource");
    let otherwise = custom.replace("custom-resource", "config-map");
    let there = argo.generate(&with_parameters(generating("shop"), &otherwise)).unwrap().stdout;
    assert_eq!(there, rendered(&argo, ["--argocd-waves"]));
}

#[test]
fn the_same_comes_out_whatever_argo_cd_says_that_is_no_part_of_the_spec() {
    let argo = Argo::new();
    let expected = argo.generate(&generating("shop")).unwrap().stdout;
    let empty = r#"[{"name":"specs","array":[]},{"name":"config","map":{}}]"#;
    let others: [Environment; 7] = [
        vec![("ARGOCD_APP_REVISION", "ffffffffffffffffffffffffffffffffffffffff".to_owned())],
        vec![("KUBE_VERSION", String::new()), ("KUBE_API_VERSIONS", String::new())],
        vec![("ARGOCD_APP_NAMESPACE", String::new())],
        vec![("ARGOCD_APP_PARAMETERS", String::new())],
        vec![("ARGOCD_APP_PARAMETERS", "null".to_owned()), ("ARGOCD_ENV_SHARDS", "5".to_owned())],
        vec![("ARGOCD_APP_PARAMETERS", "[]".to_owned()), ("PARAM_SHARDS", "5".to_owned())],
        vec![("ARGOCD_APP_PARAMETERS", empty.to_owned())],
    ];
    for other in others {
        let environment = generating("shop").into_iter().chain(other.clone()).collect();
        assert_eq!(argo.generate(&environment).unwrap().stdout, expected, "{other:?}");
    }
    assert_eq!(argo.generate(&Environment::new()).unwrap().stdout, expected);
    let outputs = side_by_side(8, || argo.generate(&generating("shop")).unwrap().stdout);
    assert!(outputs.len() == 8 && outputs.iter().all(|output| *output == expected));
}

#[test]
fn less_of_the_repository_is_enough() {
    let argo = Argo::new();
    let whole = argo.generate(&generating("shop")).unwrap().stdout;
    for below in ["clusters", "clusters/sessions"] {
        let part = argo.upload("clusters/sessions").of_common_root(below);
        assert_eq!(argo.server.generate(&part, &generating("shop")).unwrap().stdout, whole, "{below}");
    }
    let without_git = Upload { without_git: true, ..argo.upload("clusters/sessions") };
    assert_eq!(argo.server.generate(&without_git, &generating("shop")).unwrap().stdout, whole);
}

#[test]
fn a_link_inside_of_the_repository_is_a_file_like_any_other() {
    let argo = Argo::new();
    fs::create_dir_all(argo.path("clusters/linked")).unwrap();
    symlink("../sessions/sessions.yaml", argo.path("clusters/linked/sessions.yaml")).unwrap();
    let linked = argo.upload("clusters/linked");
    assert_eq!(argo.server.matches(&linked, &asking()), Ok(true));
    let whole = argo.generate(&generating("shop")).unwrap().stdout;
    assert_eq!(argo.server.generate(&linked, &generating("shop")).unwrap().stdout, whole);
}

#[test]
fn a_spec_without_a_namespace_goes_where_the_application_goes() {
    let argo = Argo::new();
    argo.write("clusters/sessions/sessions.yaml", &example("production").replace("  namespace: shop\n", ""));
    let target = Target::of(&argo.generate(&generating("checkout")).unwrap().stdout, "sessions", "checkout").unwrap();
    assert!(target.objects.keys().all(|(_, _, namespace, _)| namespace == "checkout"));
    let text = argo.generate(&generating("checkout")).unwrap().stdout;
    assert!(text.contains("sessions-nodes.checkout.svc"), "names that are derived from it follow");
}

#[test]
fn what_is_worth_a_look_goes_to_the_log_and_nowhere_else() {
    let argo = Argo::new();
    let risky = example("minimal") + "  resources: {}\n";
    argo.write("clusters/sessions/sessions.yaml", &risky);
    let ran = argo.generate(&generating("")).unwrap();
    assert!(ran.stderr.starts_with("warning: spec.resources.limits"), "{}", ran.stderr);
    assert!(Target::of(&ran.stdout, "sessions", "default").is_ok() && !ran.stdout.contains("warning"));
}

#[test]
fn parameters_take_the_place_of_what_the_spec_says() {
    let argo = Argo::new();
    let parameters = r#"[{"name":"shards","string":"5"},{"name":"replicas","string":"1"},{"name":"paused","string":"true"},
                         {"name":"version","string":"9.0.1"},{"name":"config","map":{"hz":"20"}}]"#;
    let given = argo.generate(&with_parameters(generating("shop"), parameters)).unwrap().stdout;
    for line in [
        "shards: 5",
        "replicasPerShard: 1",
        "paused: true",
        "version: \"9.0.1\"",
        "hz: \"20\"",
        "maxmemory-policy: allkeys-lru",
    ] {
        assert!(given.lines().any(|found| found.trim() == line), "{line}");
    }
    assert!(given.contains("image: valkey/valkey:9.0.1"));
}

#[test]
fn a_parameter_picks_files_of_the_folder() {
    let argo = Argo::new();
    argo.write("clusters/sessions/carts.yaml", &example("production").replace("name: sessions", "name: carts"));
    let one = with_parameters(
        generating("shop"),
        r#"[{"name":"specs","array":["carts.yaml"]},{"name":"shards","string":"4"}]"#,
    );
    assert_eq!(argo.target(&one).unwrap().objects.len(), 16);
    assert_eq!(argo.target(&generating("shop")).unwrap().objects.len(), 32);
}

#[test]
fn an_application_that_names_the_plugin_gets_it_whatever_stands_beside_the_spec() {
    let argo = Argo::new();
    let whole = argo.generate(&generating("shop")).unwrap().stdout;
    let of = |folder: &str, parameters: &str| {
        argo.server.generate(&argo.upload(folder), &with_parameters(generating("shop"), parameters))
    };
    argo.write("clusters/sessions/kustomization.yaml", "resources: [sessions.yaml]");
    assert_eq!(of("clusters/sessions", "null").unwrap().stdout, whole);
    argo.write("regions/eu/sessions.yaml", &example("production"));
    assert_eq!(of("regions", r#"[{"name":"specs","array":["eu"]}]"#).unwrap().stdout, whole);
    let misspelled = r#"[{"name":"specs","array":["eu"]},{"name":"shard","string":"4"}]"#;
    assert!(of("regions", misspelled).unwrap_err().contains("there is no such parameter"));
    // It may be meant for another plugin, whose Application has settings and no name.
    argo.write("others/values.yaml", "image: nginx");
    assert!(of("others", r#"[{"name":"image","string":"nginx"}]"#).unwrap_err().contains("for its own"));
}

#[test]
fn the_form_shows_what_the_spec_says() {
    let argo = Argo::new();
    let upload = argo.upload("clusters/sessions");
    let announced = argo.server.parameters(&upload, &asking()).unwrap();
    let value = |name: &str| {
        let found = announced.iter().find(|parameter| parameter["name"] == name).unwrap();
        let kind = found["collectionType"].as_str().unwrap();
        assert!(["string", "array", "map"].contains(&kind) && found.get(kind).is_some(), "{found}");
        assert_eq!(["string", "array", "map"].iter().filter(|kind| found.get(**kind).is_some()).count(), 1);
        found[kind].clone()
    };
    assert_eq!(value("shards"), "3");
    assert_eq!((value("replicas"), value("paused"), value("rebalance")), ("2".into(), "false".into(), "true".into()));
    assert_eq!(value("specs"), serde_json::json!(["."]));
    assert_eq!(value("config")["maxmemory-policy"], "allkeys-lru");

    // Setting each to what is shown changes nothing.
    let set: Vec<_> = announced
        .iter()
        .map(|parameter| {
            let kind = parameter["collectionType"].as_str().unwrap();
            serde_json::json!({"name": parameter["name"], kind: parameter[kind]})
        })
        .collect();
    let environment = with_parameters(generating("shop"), &serde_json::to_string(&set).unwrap());
    assert_eq!(argo.generate(&environment).unwrap().stdout, argo.generate(&generating("shop")).unwrap().stdout);
}

#[test]
fn the_form_opens_for_mending() {
    let argo = Argo::new();
    let upload = argo.upload("clusters/sessions");
    let wrong = with_parameters(asking(), r#"[{"name":"shards","string":"many"}]"#);
    assert_eq!(argo.server.parameters(&upload, &wrong).unwrap().len(), 8);
    argo.write("clusters/sessions/sessions.yaml", "kind: ValkeyCluster\nspec: [\n");
    let announced = argo.server.parameters(&upload, &asking()).unwrap();
    let mut of_the_spec = announced.iter().filter(|parameter| parameter["name"] != "desired-state");
    assert!(of_the_spec.all(|parameter| parameter.get("string").is_none()), "{announced:?}");
}
