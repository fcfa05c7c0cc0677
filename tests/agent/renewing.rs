//! Passwords and certificates change while servers run.

use pocket_cluster::Fault;
use serde_json::json;

use crate::forming::every_server_says_so;
use crate::story::{PASSWORD, Story};
use crate::wait::wait;

const KEYS: usize = 200;

/// What a client with this password gets to hear from a server.
fn try_password(story: &Story, pod: &str, password: &str) -> String {
    let script = "REDISCLI_AUTH=$1 valkey-cli --tls --cacert /etc/valkey-tls/ca.crt -h $HOSTNAME.small-nodes.$2.svc.cluster.local \
                  PING 2>&1 | grep -oE 'PONG|NOAUTH'";
    story
        .exec(pod, &["sh", "-c", script, "sh", password, story.namespace()])
        .map_or_else(|error| error, |said| said.stdout)
}

pub(crate) fn every_server_takes(story: &Story, password: &str) {
    for pod in story.pod_names() {
        wait("the password to be taken", || match try_password(story, &pod, password) {
            said if said == "PONG\n" => Ok(()),
            said => Err(format!("{pod}: {said}")),
        });
    }
}

fn changes_its_password(series: &str) {
    let story = Story::begin_observed(&[("/spec/version", json!(series))]);
    story.until_at_rest();
    story.write_keys("small-0", KEYS);
    let before = story.lives();
    story.set_password("another one");
    every_server_takes(&story, "another one");
    every_server_takes(&story, PASSWORD);
    story.until_at_rest();
    assert_eq!(story.lives(), before);
    story.has_keys("small-0", KEYS);
    // Links that are made anew are made with the new one, and a server that starts anew knows no other.
    story.pod_names().iter().for_each(|pod| drop(story.ask(pod, "CLIENT KILL TYPE replica")));
    story.kill("small-1");
    every_server_takes(&story, "another one");
    wait("the old password to end", || match try_password(&story, "small-1", PASSWORD) {
        said if said == "NOAUTH\n" => Ok(()),
        said => Err(said),
    });
    story.until_at_rest();
    every_server_says_so(&story);
    story.has_keys("small-0", KEYS);
}

#[test]
fn a_changed_password_is_taken_by_all_while_they_run() {
    changes_its_password("9.1");
}

#[test]
fn a_changed_password_is_taken_by_all_of_an_older_series_while_they_run() {
    changes_its_password("8.1");
}

/// The serial number of the certificate that a server shows, and of the one that is mounted.
fn serials(story: &Story, pod: &str) -> Result<(), String> {
    let script = "openssl s_client -connect $POD_IP:6379 </dev/null 2>/dev/null | openssl x509 -noout -serial; \
                  openssl x509 -in /etc/valkey-tls/tls.crt -noout -serial";
    let said = story.exec(pod, &["sh", "-c", script])?.stdout;
    match said.lines().collect::<Vec<_>>()[..] {
        [shown, mounted] if shown == mounted => Ok(()),
        _ => Err(said),
    }
}

/// Has another certificate issued, and waits until every server shows it.
pub(crate) fn renew_certificate(story: &Story) {
    let old = story.secret("small-tls");
    story.inject(&Fault::Renew { certificate: "small".to_owned() });
    wait("another certificate", || if story.secret("small-tls") == old { Err(String::new()) } else { Ok(()) });
    for pod in story.pod_names() {
        wait("the certificate to be shown", || serials(story, &pod));
    }
}

fn renews_its_certificate(series: &str) {
    let story = Story::begin_observed(&[("/spec/version", json!(series))]);
    story.until_at_rest();
    let before = story.lives();
    renew_certificate(&story);
    story.until_at_rest();
    assert_eq!(story.lives(), before);
    every_server_says_so(&story);
}

#[test]
fn a_renewed_certificate_is_shown_by_all_while_they_run() {
    renews_its_certificate("9.1");
}

#[test]
fn a_renewed_certificate_is_shown_by_all_of_an_older_series_while_they_run() {
    renews_its_certificate("8.1");
}
