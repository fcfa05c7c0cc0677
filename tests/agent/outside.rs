//! Somebody looks at a cluster from where its pods' network does not reach.

use std::fs;
use std::process::{Command, Output};

use pocket_cluster::Fault;
use serde_json::{Value, json};

use crate::place::agent;
use crate::story::{Story, open};
use crate::wait::wait;

fn outside(story: &Story, arguments: &[&str]) -> Output {
    let mut program = Command::new(agent());
    program.args(arguments).env_clear().env("KUBECONFIG", story.pocket().kubeconfig());
    program.output().unwrap()
}

fn printed(said: &Output) -> String {
    String::from_utf8_lossy(&said.stdout).into_owned()
}

/// With TLS and a password, which are read where the cluster has them.
#[test]
fn with_a_kubeconfig_the_commands_work_from_anywhere() {
    let story = Story::begin(&[]);
    story.until_at_rest();
    for (command, wanted) in [
        ("status", "in default: the cluster is as it should be\n"),
        ("plan", "nothing to do: the cluster is as it should be\n"),
        ("check", "ok    every server answers\n"),
    ] {
        let said = outside(&story, &[command, "--cluster", "small"]);
        assert!(said.status.success(), "{said:?}");
        assert!(printed(&said).contains(wanted), "{said:?}");
    }
    let status = outside(&story, &["status", "--cluster", "small", "--output", "json"]);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!((&status["servedSlots"], &status["shardCount"]), (&json!(16_384), &json!(3)));
}

/// What it would come to is known before anybody applies it.
#[test]
fn a_spec_that_is_not_applied_yet_is_planned_for() {
    let mut story = Story::begin(&open());
    story.until_at_rest();
    story.write(&[("/spec/shards", json!(5))]);
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), story.spec.to_string()).unwrap();
    let planned = |path: &str| outside(&story, &["plan", "--cluster", "small", "--spec", path]);
    let said = planned(file.path().to_str().unwrap());
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    assert!(printed(&said).starts_with("would set the number of pods to 10\n"), "{said:?}");
    let said = planned("/nowhere");
    assert_eq!(said.status.code(), Some(3));
    assert!(
        String::from_utf8_lossy(&said.stderr).contains("there is no file /nowhere that says what should be"),
        "{said:?}"
    );
}

/// The agent itself is held up.
#[test]
fn a_plan_says_by_its_exit_code_whether_there_is_something_to_do_and_whether_it_needs_help() {
    let mut story = Story::begin(&open());
    story.until_at_rest();
    story.inject(&Fault::Freeze { pods: vec![story.agent_pod()] });
    let plan = |story: &Story| {
        let said = outside(story, &["plan", "--cluster", "small"]);
        (said.status.code(), printed(&said))
    };
    story.change(&[("/spec/shards", json!(4))]);
    let (code, said) = plan(&story);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.starts_with("would set the number of pods to 8\n"), "{said}");
    story.change(&[
        ("/spec/shards", json!(3)),
        ("/spec/config", json!({"tcp-backlog": 1000})),
        ("/spec/upgrade", json!({"paused": true})),
    ]);
    // The template is new as soon as its controller says so. Who pauses needs no help.
    wait("a plan that is held back", || match plan(&story) {
        (Some(1), said) if said.contains("held, upgrades are paused, and 6 pods run an old template") => Ok(()),
        (code, said) => Err(format!("{code:?}: {said}")),
    });
    story.change(&[("/spec/version", json!("8.1")), ("/spec/upgrade", json!({}))]);
    wait("a plan that needs help", || match plan(&story) {
        (Some(2), said) if said.contains("stuck, ") && said.contains("upgrade.allowDowngrade") => Ok(()),
        (code, said) => Err(format!("{code:?}: {said}")),
    });
}

/// All that is left of a cluster may be what its nodes once said.
#[test]
fn dumps_of_all_nodes_are_laid_side_by_side() {
    let story = Story::begin(&open());
    story.until_at_rest();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    assert_eq!(outside(&story, &["doctor", "--from", path]).status.code(), Some(3));
    for pod in story.pod_names() {
        fs::write(folder.path().join(format!("{pod}.txt")), story.ask(&pod, "CLUSTER NODES")).unwrap();
    }
    let said = outside(&story, &["doctor", "--from", path]);
    assert_eq!((said.status.code(), &printed(&said)[..]), (Some(0), "nothing is wrong by these dumps\n"));
    let primary = story.status().unwrap()["shards"][0]["primary"].as_str().unwrap().to_owned();
    story.ask(&primary, "CLUSTER DELSLOTS 0");
    fs::write(folder.path().join(format!("{primary}.txt")), story.ask(&primary, "CLUSTER NODES")).unwrap();
    let said = outside(&story, &["doctor", "--from", path]);
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    assert!(printed(&said).starts_with("1. "), "{said:?}");
}
