//! Stories play on a cluster that kubectl alone reaches as they do in a pocket of their own.

use std::env;
use std::process::Command;

use pocket_cluster::Pocket;
use serde_json::Value;
use support::root;

use crate::budget::Room;
use crate::namespace::leave_out;
use crate::place::{is_elsewhere, options};
use crate::wait::wait;

/// What `tests/tools/stories-on-a-cluster` says of these stories on this cluster, which it knows as little of as of any other.
fn told_on(cluster: &Pocket, stories: &[&str]) -> String {
    let output = Command::new(root().join("tests/tools/stories-on-a-cluster"))
        .args(stories.iter().map(|story| format!("--only={story}")))
        .arg(env::current_exe().unwrap())
        .env("KUBECONFIG", cluster.kubeconfig())
        .env("HOME", cluster.folder())
        .env("AGENT_IMAGE", "valkey-gitops/valkey-topology-agent:1")
        .env("WITNESS_IMAGE", "valkey-gitops/witness:1")
        .env_remove("CLUSTER_ISSUER")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// One forms, one loses a server, one asks for certificates, and one for what kubectl cannot cause.
#[test]
fn stories_are_told_on_a_cluster_that_kubectl_alone_reaches_or_left_out() {
    if is_elsewhere() {
        leave_out("it brings the cluster");
    }
    let _room = Room::take(6);
    let cluster = Pocket::start(&options()).unwrap();
    let said = told_on(
        &cluster,
        &[
            "forming::the_development_example_forms",
            "forming::the_minimal_example_forms",
            "struck::a_primary_is_killed_and_nothing_is_lost_that_a_replica_had",
            "struck::a_primary_stands_still_for_a_moment_and_stays",
        ],
    );
    assert!(said.ends_with("2 passed, 2 left out, 0 failed\n"), "{said}");
    assert!(said.contains("the_minimal_example_forms: left out: it needs certificates"), "{said}");
    assert!(said.contains("stays: left out: kubectl cannot cause Freeze"), "{said}");
    wait("the end of their namespaces", || {
        let all = cluster.get("/api/v1/namespaces").map_err(|error| error.to_string())?;
        let is_left = |space: &Value| space["metadata"]["name"].as_str().is_some_and(|name| name.starts_with("story-"));
        let left = all["items"].as_array().is_none_or(|spaces| spaces.iter().any(is_left));
        if left { Err(all.to_string()) } else { Ok(()) }
    });
}
