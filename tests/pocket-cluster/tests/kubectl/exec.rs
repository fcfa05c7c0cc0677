//! Commands in pods, by `kubectl exec`.

use std::process::Command;

use crate::support::{Story, begin, pod, wait};

fn with_a_pod() -> Story {
    let story = begin();
    story.apply(&pod("one", "sleep 1000", "env: [{name: WORD, value: hush}]"));
    story.ready("one");
    story
}

fn exec(story: &Story, script: &str) -> Result<String, String> {
    story.attempt(&["exec", "one", "--", "sh", "-c", script], "")
}

#[test]
fn a_command_runs_where_the_container_does() {
    let story = with_a_pod();
    let address = story.field("pod/one", ".status.podIP");
    assert_eq!(exec(&story, "echo $WORD; hostname"), Ok("hush\none".to_owned()));
    assert!(exec(&story, "ip -4 addr").unwrap().contains(&address));
    assert_eq!(exec(&story, "seq 100000 | tail -n1; echo 'two  words'"), Ok("100000\ntwo  words".to_owned()));
}

#[test]
fn a_command_that_fails_is_told_by_its_exit_code_and_by_its_complaint() {
    let story = with_a_pod();
    let said = exec(&story, "echo alas >&2; exit 3").unwrap_err();
    assert_eq!(said, "alas\ncommand terminated with exit code 3");
    assert_eq!(exec(&story, "kill -9 $$").unwrap_err(), "command terminated with exit code 137");
    assert_eq!(exec(&story, "echo fine >&2"), Ok(String::new()));
}

#[test]
fn a_command_reads_its_input_to_the_end() {
    let story = with_a_pod();
    let input = "a line\n".repeat(50_000);
    let said = story.kubectl_with(&["exec", "-i", "one", "--", "wc", "-l"], &input);
    assert_eq!(said, "50000");
    let said = story.kubectl_with(&["exec", "-i", "one", "--", "cat"], &input);
    assert_eq!(said, input.trim());
    assert_eq!(story.kubectl_with(&["exec", "-i", "one", "--", "true"], &input), "");
}

#[test]
fn a_container_is_named_or_is_the_first() {
    let story = begin();
    let second = "  - {name: second, image: busybox, command: [sleep, '1000'], env: [{name: WHO, value: second}]}\n";
    story.apply(&(pod("one", "sleep 1000", "env: [{name: WHO, value: main}]") + second));
    story.ready("one");
    assert_eq!(exec(&story, "echo $WHO"), Ok("main".to_owned()));
    assert_eq!(story.kubectl_with(&["exec", "one", "-c", "second", "--", "sh", "-c", "echo $WHO"], ""), "second");
    assert!(story.refused("exec one -c third -- true").contains("third is not valid for pod one"));
}

#[test]
fn in_a_pod_that_is_not_there_or_does_not_run_there_is_no_command() {
    let story = begin();
    assert_eq!(story.refused("exec nobody -- true"), "Error from server (NotFound): pods \"nobody\" not found");
    story.apply(&pod("one", "sleep 1000", "").replace("image: busybox", "image: nothing/like:it"));
    let said = story.refused("exec one -- true");
    assert!(said.contains("the container main does not run"), "{said}");
}

#[test]
fn a_command_ends_with_the_client_that_waits_for_it() {
    let story = with_a_pod();
    let mut client = Command::new("kubectl")
        .args(["exec", "one", "--", "sleep", "4321"])
        .env("KUBECONFIG", story.pocket.kubeconfig())
        .env("HOME", story.pocket.folder())
        .spawn()
        .unwrap();
    let running = || exec(&story, "pgrep -fx 'sleep 4321'");
    wait("the command", || running().map(drop));
    client.kill().unwrap();
    client.wait().unwrap();
    wait("the end of the command", || running().map_or_else(|_| Ok(()), Err));
}
