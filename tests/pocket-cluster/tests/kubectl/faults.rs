//! What goes wrong on demand, and what is left afterwards.

use std::process::Command;
use std::time::{Duration, Instant};

use pocket_cluster::{ApiFault, Fault};

use crate::support::{Story, begin, pod, stateful_set, wait};

const SERVER: &str = "cd /tmp && echo hi >ok && exec python3 -m http.server 8000";

/// Two pods that serve, and what one gets from the other.
fn two_servers() -> Story {
    let story = begin();
    for name in ["one", "two"] {
        let probe = "readinessProbe: {tcpSocket: {port: 8000}, periodSeconds: 1}";
        story.apply(&pod(name, SERVER, probe));
    }
    story.ready("one");
    story.ready("two");
    story
}

fn reaches(story: &Story, from: &str, to: &str) -> bool {
    let address = story.field(&format!("pod/{to}"), ".status.podIP");
    story.sh(from, &format!("curl -s -m 1 http://{address}:8000/ok")) == "hi"
}

fn until_reached(story: &Story, from: &str, to: &str, wanted: bool) {
    wait(&format!("{from} reaches {to}: {wanted}"), || {
        if reaches(story, from, to) == wanted { Ok(()) } else { Err((!wanted).to_string()) }
    });
}

#[test]
fn a_killed_container_is_started_again_in_the_same_pod() {
    let story = begin();
    story.apply(&stateful_set("set", 1, ""));
    story.ready("set-0");
    let uid = story.field("pod/set-0", ".metadata.uid");
    story.pocket.inject(&Fault::Kill { pod: "set-0".into(), container: None }).unwrap();
    story.until("pod/set-0", ".status.containerStatuses[0].restartCount", "1");
    assert_eq!(story.field("pod/set-0", ".status.containerStatuses[0].lastState.terminated.exitCode"), "137");
    assert_eq!(story.field("pod/set-0", ".metadata.uid"), uid);
}

#[test]
fn a_frozen_pod_answers_nothing_until_it_is_thawed() {
    let story = two_servers();
    assert!(reaches(&story, "one", "two"));
    story.pocket.inject(&Fault::Freeze { pods: vec!["two".into()] }).unwrap();
    until_reached(&story, "one", "two", false);
    story.pocket.inject(&Fault::Thaw { pods: vec!["two".into()] }).unwrap();
    until_reached(&story, "one", "two", true);
    assert_eq!(story.field("pod/two", ".status.containerStatuses[0].restartCount"), "0");
}

#[test]
fn a_partition_cuts_both_ways_follows_new_addresses_and_heals() {
    let story = two_servers();
    story.pocket.inject(&Fault::Partition { pods: vec!["one".into()], from: vec!["two".into()] }).unwrap();
    until_reached(&story, "one", "two", false);
    until_reached(&story, "two", "one", false);
    assert!(reaches(&story, "one", "one"));
    let before = story.field("pod/two", ".status.podIP");
    story.pocket.inject(&Fault::Move { pods: vec!["two".into()] }).unwrap();
    wait("a new address", || {
        let now = story.field("pod/two", ".status.podIP");
        if now != before && !now.is_empty() { Ok(()) } else { Err(now) }
    });
    story.ready("two");
    assert!(!reaches(&story, "one", "two"));
    story.pocket.inject(&Fault::Heal).unwrap();
    until_reached(&story, "one", "two", true);
    until_reached(&story, "two", "one", true);
}

const ALL_RIGHTS: &str = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: all}\nrules: [{apiGroups: ['*'], resources: ['*'], verbs: ['*']}]\n\
         ---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: all}\nroleRef: {apiGroup: \
         rbac.authorization.k8s.io, kind: Role, name: all}\nsubjects: [{kind: ServiceAccount, name: default}]\n";

const ASK: &str = "A=/var/run/secrets/kubernetes.io/serviceaccount; curl -s -m 2 -o /dev/null -w '%{http_code}' --cacert $A/ca.crt \
                   -H \"Authorization: Bearer $(cat $A/token)\" https://$KUBERNETES_SERVICE_HOST/api";

fn asks(story: &Story, pod: &str, wanted: &str) {
    wait(&format!("{wanted} from the API server"), || {
        let found = story.sh(pod, ASK);
        if found == wanted { Ok(()) } else { Err(found) }
    });
}

#[test]
fn a_pod_can_be_cut_off_from_the_api_server_alone() {
    let story = two_servers();
    asks(&story, "one", "200");
    story.pocket.inject(&Fault::Partition { pods: vec!["one".into()], from: Vec::new() }).unwrap();
    asks(&story, "one", "000");
    asks(&story, "two", "200");
    assert!(reaches(&story, "one", "two"));
    story.pocket.inject(&Fault::Heal).unwrap();
    asks(&story, "one", "200");
}

#[test]
fn the_api_server_fails_and_slows_down_for_whom_it_is_told_to() {
    let story = begin();
    story.apply(&pod("one", "sleep 1000", ""));
    story.ready("one");
    let half = ApiFault { service_account: Some("default".into()), share: 0.5, code: 503, ..ApiFault::default() };
    story.pocket.inject(&Fault::Api(half)).unwrap();
    let codes: Vec<String> = (0..4).map(|_| story.sh("one", ASK)).collect();
    assert_eq!(codes, ["200", "503", "200", "503"]);
    let other = ApiFault { service_account: Some("other".into()), share: 1.0, code: 500, ..ApiFault::default() };
    story.pocket.inject(&Fault::Mend).unwrap();
    story.pocket.inject(&Fault::Api(other)).unwrap();
    assert_eq!(story.sh("one", ASK), "200");
    story.pocket.inject(&Fault::Api(ApiFault { latency_millis: 700, ..ApiFault::default() })).unwrap();
    let began = Instant::now();
    assert_eq!(story.sh("one", ASK), "200");
    assert!(began.elapsed() >= Duration::from_millis(700));
    story.kubectl("get nodes");
}

/// What has changed already is told then, too, and a watch that should have ended since goes on until it is.
#[test]
fn a_watch_lags_for_whom_it_is_told_to() {
    let story = begin();
    story.apply(ALL_RIGHTS);
    story.apply(&pod("one", "sleep 1000", ""));
    story.ready("one");
    story.pocket.inject(&Fault::Api(ApiFault { lag_millis: 3000, ..ApiFault::default() })).unwrap();
    let version = story.field("pod/one", ".metadata.resourceVersion");
    story.apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: late}");
    let url = "https://$KUBERNETES_SERVICE_HOST/api";
    let maps =
        format!("\"{url}/v1/namespaces/default/configmaps?watch=true&timeoutSeconds=1&resourceVersion={version}\"");
    let watch = ASK.replace("-m 2 -o /dev/null -w '%{http_code}'", "-m 9").replace(url, &maps);
    let began = Instant::now();
    assert!(story.sh("one", &watch).contains(r#""name":"late""#));
    assert!(began.elapsed() >= Duration::from_secs(3));
}

#[test]
fn a_write_can_succeed_without_anybody_hearing_of_it() {
    let story = begin();
    story.apply(ALL_RIGHTS);
    story.apply(&pod("one", "sleep 1000", ""));
    story.ready("one");
    story.pocket.inject(&Fault::Api(ApiFault { share: 1.0, after_the_act: true, ..ApiFault::default() })).unwrap();
    let body = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"unheard"}}"#;
    let write = format!(
        "{} -X POST -H 'Content-Type: application/json' -d '{body}'",
        ASK.replace("/api\"", "").replace("/api", "/api/v1/namespaces/default/configmaps")
    );
    assert_eq!(story.sh("one", &write), "000");
    assert_eq!(story.names("configmap/unheard"), ["unheard"]);
}

#[test]
fn in_an_outage_nobody_is_answered_and_afterwards_everything_is_as_before() {
    let story = begin();
    story.apply(&stateful_set("set", 1, ""));
    story.ready("set-0");
    story.pocket.inject(&Fault::Outage { millis: 1_500 }).unwrap();
    assert_eq!(story.sh("set-0", ASK), "000");
    wait("an answer", || story.attempt(&["get", "pods"], "").map(drop));
    assert_eq!(story.field("pod/set-0", ".status.containerStatuses[0].restartCount"), "0");
}

#[test]
fn a_host_without_power_runs_nothing_and_its_pods_come_back_with_it() {
    let story = begin();
    story.apply(&stateful_set("set", 2, ""));
    story.until("sts/set", ".status.readyReplicas", "2");
    let (host, uid) = (story.field("pod/set-0", ".spec.nodeName"), story.field("pod/set-0", ".metadata.uid"));
    story.pocket.inject(&Fault::HostDown { host: host.clone() }).unwrap();
    story.until(&format!("node/{host}"), ".status.conditions[?(@.type=='Ready')].status", "Unknown");
    story.until("pod/set-0", ".status.conditions[?(@.type=='Ready')].status", "False");
    assert!(story.pocket.exec("set-0", &["true"]).is_err());
    story.ready("set-1");
    // Nobody ends the pod in order; it stays until its host is back.
    story.kubectl("delete pod set-0 --wait=false");
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(story.field("pod/set-0", ".metadata.uid"), uid);
    story.pocket.inject(&Fault::HostUp { host }).unwrap();
    wait("another pod", || if story.field("pod/set-0", ".metadata.uid") == uid { Err(uid.clone()) } else { Ok(()) });
    story.ready("set-0");
}

#[test]
fn nothing_is_left_of_a_cluster_that_is_killed() {
    let marker = format!("{}.25", 100_000 + std::process::id());
    let story = begin();
    story.apply(&pod("one", &format!("exec sleep {marker}"), ""));
    story.ready("one");
    let left = || {
        let said = Command::new("pgrep").args(["-f", &format!("^sleep {marker}")]).output().unwrap();
        String::from_utf8(said.stdout).unwrap().lines().count()
    };
    assert_eq!(left(), 1);
    drop(story);
    wait("the end of every process", || if left() == 0 { Ok(()) } else { Err(left().to_string()) });
}

#[test]
fn a_fault_needs_the_kubeconfig_and_something_to_befall() {
    let story = begin();
    let unknown = story.pocket.inject(&Fault::Freeze { pods: vec!["nobody".into()] }).unwrap_err();
    assert!(unknown.to_string().contains("pods \"nobody\" not found"), "{unknown}");
    story.apply(&pod("one", "sleep 1000", ""));
    story.ready("one");
    let fault = format!("{} -X POST -d '\"heal\"'", ASK.replace("/api", "/pocket/v1/faults"));
    assert_eq!(story.sh("one", &fault), "403");
}

#[test]
fn a_pod_is_killed_at_the_write_that_was_chosen_before_or_after_it_is_done() {
    let story = begin();
    story.apply(ALL_RIGHTS);
    let script = "A=/var/run/secrets/kubernetes.io/serviceaccount; i=0; while [ $i -lt 4 ]; do i=$((i + 1)); curl -s --cacert $A/ca.crt -H \
                  \"Authorization: Bearer $(cat $A/token)\" -H 'Content-Type: application/json' -d \"{\\\"metadata\\\": {\\\"name\\\": \\\"w$i\\\"}}\" \
                  https://$KUBERNETES_SERVICE_HOST/api/v1/namespaces/default/configmaps; done; sleep 1000";
    let fault = |after_the_act| ApiFault {
        share: 1.0,
        writes_only: true,
        spared: 2,
        times: 1,
        kill: true,
        after_the_act,
        ..ApiFault::default()
    };
    for (after_the_act, written) in [(false, "w1 w2"), (true, "w1 w2 w3")] {
        story.pocket.inject(&Fault::Api(fault(after_the_act))).unwrap();
        story.apply(&pod("one", script, "").replace("spec:\n", "spec:\n  restartPolicy: Never\n"));
        story.until("pod/one", ".status.containerStatuses[0].state.terminated.exitCode", "137");
        let names = story.names("cm").into_iter().filter(|name| name.starts_with('w')).collect::<Vec<_>>();
        assert_eq!(names.join(" "), written);
        story.pocket.inject(&Fault::Mend).unwrap();
        story.kubectl(&format!("delete pod/one cm/{}", written.replace(' ', " cm/")));
    }
    let requests = story.pocket.requests().unwrap();
    let written =
        requests.iter().filter(|asked| asked.by.ends_with(":default") && asked.verb == "create" && asked.code == 201);
    assert_eq!(written.count(), 5);
}
