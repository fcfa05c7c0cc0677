//! Stories during which a witness writes and reads.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::root;
use witness::Report;

use crate::place::is_elsewhere;
use crate::story::Story;
use crate::wait::wait;

const POD: &str = "witness";

/// Where each story leaves what its witness told: for the table in docs/evidence.md, unless it was told on another cluster.
fn evidence() -> PathBuf {
    root().join(if is_elsewhere() { "target/evidence-elsewhere" } else { "target/evidence" })
}

/// Has a witness write and read while something happens, in a pod of its own.
pub(crate) fn watched(story: &mut Story, arguments: &[&str], happens: impl FnOnce(&mut Story)) -> Report {
    send(story, arguments);
    happens(story);
    recall(story)
}

fn send(story: &Story, arguments: &[&str]) {
    story.place.apply(&pod(story, arguments).to_string()).unwrap();
    wait("a witness at work", || {
        let said = said(story);
        if said.starts_with("begun") { Ok(()) } else { Err(said) }
    });
}

/// Tells it to end, and listens until it has read everything back.
fn recall(story: &Story) -> Report {
    story.exec(POD, &["sh", "-c", "kill -TERM 1"]).unwrap();
    wait("what the witness tells", || {
        let said = said(story);
        serde_json::from_str(said.lines().last().unwrap_or_default()).map_err(|error| format!("{error}: {said}"))
    })
}

fn said(story: &Story) -> String {
    story.kubectl(&format!("logs {POD}"))
}

fn pod(story: &Story, arguments: &[&str]) -> Value {
    let secrets = [
        ("/spec/tls/issuerRef", "--tls", "/tls", story.name("tls")),
        ("/spec/auth/passwordSecret", "--password-file", "/auth/password", story.name("auth")),
    ];
    let used: Vec<_> = secrets.into_iter().filter(|(pointer, ..)| story.spec.pointer(pointer).is_some()).collect();
    let server = format!("small-0.{}.{}.svc.cluster.local:6379", story.name("nodes"), story.namespace());
    let mut command = vec!["witness".to_owned(), "--server".to_owned(), server];
    command.extend(used.iter().flat_map(|(_, option, path, _)| [(*option).to_owned(), (*path).to_owned()]));
    command.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    let mounts = used.iter().map(|(_, option, path, _)| {
        let folder = path.trim_end_matches("/password");
        json!({"name": option.trim_start_matches("--"), "mountPath": folder, "readOnly": true})
    });
    let volumes = used.iter().map(
        |(_, option, _, secret)| json!({"name": option.trim_start_matches("--"), "secret": {"secretName": secret}}),
    );
    let container = json!({
        "name": POD,
        "image": story.place.witness_image(),
        "command": command,
        "volumeMounts": mounts.collect::<Vec<_>>(),
    });
    let spec = json!({"restartPolicy": "Never", "containers": [container], "volumes": volumes.collect::<Vec<_>>()});
    let metadata = json!({"name": POD, "namespace": story.namespace()});
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
}

/// How long something takes.
pub(crate) fn timed(act: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    act();
    begun.elapsed()
}

/// Keeps what a witness told under the sentence of the story, with how long what happened took.
#[allow(clippy::print_stdout, reason = "shown where the test fails, and where it is asked for")]
pub(crate) fn keep(sentence: &str, took: Duration, report: &Report) {
    println!("{sentence}: {took:.1?} {}", report.to_json());
    fs::create_dir_all(evidence()).unwrap();
    let record = json!({"story": sentence, "millis": took.as_millis(), "report": report});
    fs::write(evidence().join(format!("{sentence}.json")), record.to_string()).unwrap();
}

/// What a client may wait for at most where everything is planned. On a machine that has nothing else to do it is a twentieth of this.
pub(crate) const PLANNED: Duration = Duration::from_secs(2);
/// To a client that waits for longer than that, a machine that stood still shows as a gap and not as an error.
pub(crate) const PATIENT: &str = "--patience-millis=3000";

/// No client noticed what was planned.
pub(crate) fn nobody_noticed(report: &Report) {
    nothing_is_lost(report, PLANNED);
    assert!(report.errors.is_empty(), "{report:?}");
}

/// Nothing that was acknowledged is lost, nothing that was read was stale or wrong, and no shard stood still for longer than this.
pub(crate) fn nothing_is_lost(report: &Report, longest: Duration) {
    assert!(report.is_true(), "{report:?}");
    assert!(u128::from(report.longest_gap()) <= longest.as_millis(), "{report:?}");
    assert!(report.acknowledged > 0 && report.reads > 0, "{report:?}");
}
