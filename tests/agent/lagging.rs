//! The agent hears of everything late, and nobody but it.

use pocket_cluster::ApiFault;
use serde_json::json;

use crate::story::Story;
use crate::struck::survives;
use crate::trouble::requests;
use crate::watched::PLANNED;

/// What the agent has not heard of yet is never acted upon as if it were so.
fn survives_a_lag(sentence: &str, happens: impl FnOnce(&mut Story)) {
    survives(sentence, &[], PLANNED, |story| {
        story.inject(&requests(ApiFault { lag_millis: 4_000, ..ApiFault::default() }));
        happens(story);
    });
}

#[test]
fn servers_restart_though_every_watch_lags() {
    survives_a_lag("Restart of all six, by an agent that hears of everything 4 s late", |story| {
        story.change(&[("/spec/config", json!({"tcp-backlog": 1000}))]);
        story.until_checked();
    });
}

#[test]
fn shards_come_and_go_though_every_watch_lags() {
    survives_a_lag("From 3 shards to 4, and back, by an agent that hears of everything 4 s late", |story| {
        for shards in [4, 3] {
            story.change(&[("/spec/shards", json!(shards))]);
            story.until_checked();
        }
    });
}
