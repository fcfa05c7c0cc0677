//! Passwords and certificates change, and servers restart, while a witness writes and reads over TLS.

use serde_json::json;

use crate::renewing::{every_server_takes, renew_certificate};
use crate::story::Story;
use crate::struck::struck_in;
use crate::watched::{PATIENT, nobody_noticed};

fn nobody_notices(sentence: &str, happens: impl FnOnce(&mut Story)) {
    nobody_noticed(&struck_in(&[], sentence, &[PATIENT], happens));
}

#[test]
fn every_server_restarts_behind_tls_and_a_password() {
    nobody_notices("A directive that needs a restart of all six servers, with TLS and a password", |story| {
        story.change(&[("/spec/config", json!({"tcp-backlog": 1000}))]);
        story.until_checked();
    });
}

/// After the restarts no server knows the old one any more.
#[test]
fn a_password_changes_and_every_server_restarts_after_it() {
    nobody_notices("A password that changes, and a restart of all six servers after that", |story| {
        story.set_password("another one");
        every_server_takes(story, "another one");
        story.change(&[("/spec/config", json!({"tcp-backlog": 1000}))]);
        story.until_checked();
    });
}

#[test]
fn a_certificate_is_renewed_under_the_eyes_of_a_witness() {
    nobody_notices("A certificate that is renewed", |story| {
        let lives = story.lives();
        renew_certificate(story);
        assert_eq!(story.lives(), lives);
    });
}
