//! The API, as kubectl and clients of service accounts see it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::support::{Story, begin, pod, stateful_set, wait};
use pocket_cluster::Fault;
use serde_json::{Value, json};

const CONFIG: &str =
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one, labels: {app: x}}\ndata: {a: '1', b: '2'}\n";

#[test]
fn what_is_applied_twice_is_unchanged_and_what_is_left_out_goes() {
    let story = begin();
    assert_eq!(story.apply(CONFIG), "configmap/one created");
    assert_eq!(story.apply(CONFIG), "configmap/one unchanged");
    assert_eq!(story.apply(&CONFIG.replace(", b: '2'", "")), "configmap/one configured");
    assert_eq!(story.object("cm/one")["data"], json!({"a": "1"}));
}

#[test]
fn a_list_with_keys_is_merged_item_by_item() {
    let story = begin();
    story.apply(&stateful_set("set", 0, ""));
    let patch = r#"{"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "busybox:2"}]}}}}"#;
    story.kubectl_with(&["patch", "sts", "set", "-p", patch], "");
    let container = &story.object("sts/set")["spec"]["template"]["spec"]["containers"][0];
    assert_eq!((&container["image"], &container["command"][0]), (&json!("busybox:2"), &json!("sh")));
    let patch = r#"[{"op": "test", "path": "/metadata/name", "value": "other"}]"#;
    assert!(
        story.refused_with(&["patch", "sts", "set", "--type=json", "-p", patch], "").contains("cannot be performed")
    );
}

#[test]
fn two_managers_own_what_they_apply_and_conflict_over_the_rest() {
    let story = begin();
    let apply = |manager: &str, data: &str, force: &str| {
        let manifest = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: two}}\ndata: {data}\n");
        let manager = format!("--field-manager={manager}");
        let arguments = ["apply", "--server-side", &manager, "-f", "-", force];
        story.attempt(&arguments[..if force.is_empty() { 5 } else { 6 }], &manifest)
    };
    apply("git", "{a: '1', b: '1'}", "").unwrap();
    apply("agent", "{c: '1'}", "").unwrap();
    let refused = apply("agent", "{c: '1', a: '2'}", "").unwrap_err();
    assert!(refused.contains("Apply failed with 1 conflict: conflict with \"git\": .data.a"), "{refused}");
    apply("agent", "{c: '1', a: '2'}", "--force-conflicts").unwrap();
    // What a manager no longer applies goes, unless another owns it.
    apply("git", "{}", "").unwrap();
    assert_eq!(story.object("cm/two")["data"], json!({"a": "2", "c": "1"}));
}

#[test]
fn replicas_that_the_manifest_leaves_out_stay_what_somebody_else_has_set() {
    let story = begin();
    let manifest = stateful_set("set", 0, "").replace("  replicas: 0\n", "");
    for how in [&["apply", "-f", "-"][..], &["apply", "--server-side", "--force-conflicts", "-f", "-"]] {
        story.kubectl_with(how, &manifest);
        story.kubectl("scale sts/set --replicas=3");
        story.kubectl_with(how, &manifest);
        assert_eq!(story.field("sts/set", ".spec.replicas"), "3", "{how:?}");
    }
}

#[test]
fn an_update_of_what_has_changed_since_is_a_conflict() {
    let story = begin();
    story.apply(CONFIG);
    let mut old = story.object("cm/one");
    story.kubectl("label cm one changed=yes");
    old["data"]["a"] = json!("9");
    let refused = story.refused_with(&["replace", "-f", "-"], &old.to_string());
    assert!(
        refused.contains("the object has been modified; please apply your changes to the latest version"),
        "{refused}"
    );
}

#[test]
fn only_a_change_of_what_is_desired_is_a_new_generation() {
    let story = begin();
    story.apply(&stateful_set("set", 0, ""));
    story.kubectl("label sts set a=b");
    assert_eq!(story.field("sts/set", ".metadata.generation"), "1");
    story.kubectl("scale sts set --replicas=1");
    assert_eq!(story.field("sts/set", ".metadata.generation"), "2");
    story.until("sts/set", ".status.observedGeneration", "2");
}

#[test]
fn a_deletion_with_another_uid_is_refused() {
    let story = begin();
    story.apply(CONFIG);
    let body = json!({"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": "another"}}).to_string();
    let refused =
        story.refused_with(&["delete", "--raw", "/api/v1/namespaces/default/configmaps/one", "-f", "-"], &body);
    assert!(refused.contains("Precondition failed: UID in precondition: another"), "{refused}");
    story.kubectl("delete cm one");
    assert!(story.refused("get cm one").contains("configmaps \"one\" not found"));
}

#[test]
fn a_patch_with_another_uid_is_refused_and_so_is_one_of_what_has_changed() {
    let story = begin();
    story.apply(CONFIG);
    let refused =
        |metadata: &str| story.refused(&format!("patch cm one --type=merge -p {{\"metadata\":{{{metadata}}}}}"));
    assert!(refused("\"uid\":\"another\"").contains("field is immutable"));
    assert!(refused("\"resourceVersion\":\"1\"").contains("the object has been modified"));
}

#[test]
fn lists_are_selected_by_labels_and_by_fields() {
    let story = begin();
    story.apply(&format!("{CONFIG}---\n{}", CONFIG.replace("name: one", "name: two").replace("app: x", "app: z")));
    let named = |line: &str| story.kubectl(&format!("get cm -o name {line}"));
    assert_eq!(named("-l app=x"), "configmap/one");
    assert_eq!(named("-l app!=x,app"), "configmap/two");
    assert_eq!(named("-l app"), "configmap/one\nconfigmap/two");
    assert_eq!(named("--field-selector metadata.name=two"), "configmap/two");
    assert_eq!(story.kubectl("get cm -l app --chunk-size=1 -o name"), "configmap/one\nconfigmap/two");
}

#[test]
fn names_and_namespaces_have_to_be_valid() {
    let story = begin();
    let upper = story.refused_with(&["apply", "-f", "-"], &CONFIG.replace("name: one", "name: Upper"));
    assert!(upper.contains("metadata.name") && upper.contains("RFC 1123"), "{upper}");
    let nowhere = story.refused_with(&["apply", "-n", "nowhere", "-f", "-"], CONFIG);
    assert!(nowhere.contains("namespaces \"nowhere\" not found"), "{nowhere}");
    story.apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: somewhere}\n");
    story.kubectl_with(&["apply", "-n", "somewhere", "-f", "-"], CONFIG);
    story.kubectl("delete namespace somewhere --wait=false");
    story.until_gone("namespace/somewhere");
    story.apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: somewhere}\n");
    assert!(story.refused("get configmap one -n somewhere").contains("not found"));
}

#[test]
fn kubectl_shows_tables_and_descriptions() {
    let story = begin();
    story.apply(&stateful_set("set", 1, ""));
    story.ready("set-0");
    let table = story.kubectl("get pods");
    let cells: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(cells[..4], ["set-0", "1/1", "Running", "0"], "{table}");
    assert!(story.kubectl("get sts").contains("1/1"));
    assert!(story.kubectl("get nodes").contains("Ready"));
    assert!(story.kubectl("describe pod set-0").contains("Controlled By:  StatefulSet/set"));
    assert!(story.kubectl("get pod set-0 -o wide").contains("host-"));
}

#[test]
fn a_definition_makes_its_kind_served_with_status_and_scale() {
    let story = begin();
    story.apply(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.example.dev}\nspec:\n  \
         group: example.dev\n  scope: Namespaced\n  names: {kind: Thing, plural: things, shortNames: [th]}\n  versions:\n  - name: v1\n    \
         served: true\n    storage: true\n    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}\n    \
         subresources: {status: {}, scale: {specReplicasPath: .spec.size, statusReplicasPath: .status.size}}\n",
    );
    story.apply("apiVersion: example.dev/v1\nkind: Thing\nmetadata: {name: a}\nspec: {size: 1}\nstatus: {size: 7}\n");
    assert_eq!(story.field("th/a", ".status.size"), "");
    story.kubectl_with(
        &["patch", "thing", "a", "--subresource=status", "--type=merge", "-p", r#"{"status":{"size":2}}"#],
        "",
    );
    story.kubectl("scale thing/a --replicas=5");
    let thing = story.object("thing/a");
    assert_eq!((&thing["spec"]["size"], &thing["status"]["size"]), (&json!(5), &json!(2)));
}

#[test]
fn fields_of_a_kind_with_a_schema_are_explained() {
    let story = begin();
    let size = "{type: integer, description: How large it is.}";
    story.apply(&format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: things.example.dev}}\nspec:\n  \
         group: example.dev\n  scope: Namespaced\n  names: {{kind: Thing, plural: things, shortNames: [th]}}\n  versions:\n  - name: v1\n    \
         served: true\n    storage: true\n    schema: {{openAPIV3Schema: {{type: object, properties: {{spec: {{type: object, properties: \
         {{size: {size}}}}}}}}}}}\n",
    ));
    // From here on, kubectl knows the short name.
    story.kubectl("get things");
    let said = story.kubectl("explain th.spec.size");
    let words: Vec<&str> = said.split_whitespace().collect();
    let wanted = "GROUP: example.dev KIND: Thing VERSION: v1 FIELD: size <integer> DESCRIPTION: How large it is.";
    assert_eq!(words.join(" "), wanted);
    assert!(story.refused("explain th.spec.colour").contains("field \"colour\" does not exist"));
}

/// A watch through a plain connection of kubectl's.
struct Watch(Child, BufReader<std::process::ChildStdout>);

impl Watch {
    fn begin(story: &Story, path: &str) -> Self {
        let mut child = Command::new("kubectl")
            .args(["get", "--request-timeout=30s", "--raw", path])
            .env("KUBECONFIG", story.pocket.kubeconfig())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self(child, lines)
    }

    fn next(&mut self) -> Option<(String, Value)> {
        let mut line = String::new();
        self.1.read_line(&mut line).unwrap();
        let event: Value = serde_json::from_str(&line).ok()?;
        Some((event["type"].as_str().unwrap().to_owned(), event["object"].clone()))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const MAPS: &str = "/api/v1/namespaces/default/configmaps?watch=true&labelSelector=app";

#[test]
fn a_watch_resumes_where_it_was_and_sees_objects_enter_and_leave_its_selection() {
    let story = begin();
    story.apply(CONFIG);
    let version = story.field("cm/one", ".metadata.resourceVersion");
    story.kubectl("label cm one seen=yes");
    story.kubectl("label cm one app-");
    story.kubectl("label cm one app=again");
    let mut watch = Watch::begin(&story, &format!("{MAPS}&resourceVersion={version}"));
    let events: Vec<String> = (0..3).map(|_| watch.next().unwrap().0).collect();
    assert_eq!(events, ["MODIFIED", "DELETED", "ADDED"]);
    story.kubectl("delete cm one");
    assert_eq!(watch.next().unwrap().0, "DELETED");
}

#[test]
fn a_watch_that_resumes_too_late_is_told_so_and_one_that_runs_goes_on() {
    let story = begin();
    story.apply(CONFIG);
    let version = story.field("cm/one", ".metadata.resourceVersion");
    story.pocket.inject(&Fault::Compact).unwrap();
    let mut watch = Watch::begin(&story, &format!("{MAPS}&resourceVersion={version}"));
    let (event, object) = watch.next().unwrap();
    assert_eq!((event.as_str(), &object["code"], &object["reason"]), ("ERROR", &json!(410), &json!("Expired")));
    let mut watch = Watch::begin(&story, MAPS);
    assert_eq!(watch.next().unwrap().0, "ADDED");
    story.pocket.inject(&Fault::Compact).unwrap();
    assert_eq!(watch.next().unwrap().0, "ERROR");
}

#[test]
fn a_watch_ends_when_it_was_asked_to_and_sends_bookmarks_until_then() {
    let story = begin();
    let mut watch =
        Watch::begin(&story, &format!("{MAPS}&timeoutSeconds=1&allowWatchBookmarks=true&sendInitialEvents=true"));
    let (event, object) = watch.next().unwrap();
    assert_eq!(event, "BOOKMARK");
    assert_eq!(object["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    while let Some((event, _)) = watch.next() {
        assert_eq!(event, "BOOKMARK");
    }
}

const RIGHTS: &str = "apiVersion: v1
kind: ServiceAccount
metadata: {name: worker}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: worker}
rules:
- {apiGroups: [''], resources: [configmaps], resourceNames: [mine], verbs: [get, list, watch, patch]}
- {apiGroups: [''], resources: [configmaps], verbs: [create]}
- {apiGroups: [apps], resources: [statefulsets/scale], resourceNames: [set], verbs: [get, patch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: worker}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: worker}
subjects: [{kind: ServiceAccount, name: worker}]
";

/// What the API server answers to a request that a pod makes with its own token: the code, and the message.
fn ask(story: &Story, method: &str, path: &str, body: &str) -> (String, String) {
    let script = format!(
        "curl -s -w '\\n%{{http_code}}' --cacert $A/ca.crt -H \"Authorization: Bearer $(cat $A/token)\" -H 'Content-Type: {}' -X {method} \
         -d '{body}' \"https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT{path}\"",
        if method == "PATCH" { "application/merge-patch+json" } else { "application/json" },
    );
    let said = story.sh("worker", &format!("A=/var/run/secrets/kubernetes.io/serviceaccount\n{script}"));
    let (answer, code) = said.rsplit_once('\n').unwrap();
    let answer: Value = serde_json::from_str(answer).unwrap();
    (code.to_owned(), answer["message"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_pod_may_do_what_the_role_of_its_service_account_allows_and_nothing_else() {
    let story = begin();
    story.apply(RIGHTS);
    story.apply(&stateful_set("set", 0, ""));
    story.apply(&pod("worker", "sleep 1000", "").replace("spec:\n", "spec:\n  serviceAccountName: worker\n"));
    story.ready("worker");
    let maps = "/api/v1/namespaces/default/configmaps";
    let mine = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine"}}).to_string();
    assert_eq!(ask(&story, "POST", maps, &mine).0, "201");
    assert_eq!(ask(&story, "GET", &format!("{maps}/mine"), "").0, "200");
    assert_eq!(ask(&story, "PATCH", &format!("{maps}/mine"), "{}").0, "200");
    let (code, message) = ask(&story, "DELETE", &format!("{maps}/mine"), "");
    assert_eq!(code, "403");
    let expected = "configmaps \"mine\" is forbidden: User \"system:serviceaccount:default:worker\" cannot delete resource \
                    \"configmaps\" in API group \"\" in the namespace \"default\"";
    assert_eq!(message, expected);
    // A list counts as naming an object only where it selects its name.
    assert_eq!(ask(&story, "GET", maps, "").0, "403");
    assert_eq!(ask(&story, "GET", &format!("{maps}?fieldSelector=metadata.name%3Dmine"), "").0, "200");
    let set = "/apis/apps/v1/namespaces/default/statefulsets/set";
    assert_eq!(ask(&story, "GET", set, "").0, "403");
    assert_eq!(ask(&story, "PATCH", &format!("{set}/scale"), r#"{"spec":{"replicas":2}}"#).0, "200");
    assert_eq!(ask(&story, "GET", "/api/v1/namespaces/kube-system/configmaps/mine", "").0, "403");
    assert_eq!(ask(&story, "GET", "/apis", "").0, "200");
    assert_eq!(story.field("sts/set", ".spec.replicas"), "2");
    story.kubectl("delete rolebinding worker");
    assert_eq!(ask(&story, "GET", &format!("{maps}/mine"), "").0, "403");
}

#[test]
fn an_unknown_token_is_nobody() {
    let story = begin();
    let refused = story.refused("get pods --token=wrong");
    assert!(refused.contains("You must be logged in") || refused.contains("Unauthorized"), "{refused}");
}

#[test]
fn events_of_both_groups_are_the_same_events() {
    let story = begin();
    let event = json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "e", "namespace": "default"},
        "regarding": {"kind": "Pod", "name": "p", "namespace": "default"}, "note": "hello", "reason": "Said", "type": "Normal",
        "action": "say", "reportingController": "test", "reportingInstance": "one", "eventTime": "2026-01-01T00:00:00.000000Z",
    });
    story.kubectl_with(&["create", "-f", "-"], &event.to_string());
    assert_eq!(story.field("events.v1.events.k8s.io/e", ".note"), "hello");
    assert_eq!(story.field("events.v1./e", ".message"), "hello");
}

#[test]
fn a_certificate_is_answered_by_a_secret_and_renewed_when_asked() {
    let story = begin();
    story.apply(
        "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: web}\nspec: {secretName: web-tls, dnsNames: [web.local], \
         issuerRef: {name: any}}\n",
    );
    story.until("certificate/web", ".status.conditions[?(@.type=='Ready')].status", "True");
    let key = || story.field("secret/web-tls", ".data.tls\\.crt");
    let first = key();
    assert!(!first.is_empty());
    story.pocket.inject(&Fault::Renew { certificate: "web".into() }).unwrap();
    wait("another certificate", || if key() == first { Err(String::new()) } else { Ok(()) });
    let second = key();
    story.kubectl("delete secret web-tls");
    wait("a third", || if key().is_empty() || key() == second { Err(key()) } else { Ok(()) });
}
