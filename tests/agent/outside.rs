//! Somebody looks at a cluster from where its pods' network does not reach.

use std::process::{Command, Output};

use crate::place::agent;
use crate::story::Story;

fn outside(story: &Story, command: &str) -> Output {
    let mut program = Command::new(agent());
    program.args([command, "--cluster", "small"]).env_clear().env("KUBECONFIG", story.pocket().kubeconfig());
    program.output().unwrap()
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
        let said = outside(&story, command);
        assert!(said.status.success(), "{said:?}");
        assert!(String::from_utf8_lossy(&said.stdout).contains(wanted), "{said:?}");
    }
}
