//! Shards come and go, servers restart, and a witness sees that nothing is lost.

use std::time::Duration;

use serde_json::json;

use crate::forming::every_server_says_so;
use crate::story::{Story, open};
use crate::watched::{keep, nothing_is_lost, timed, watched};

/// Keys that are there before.
const LOAD: &str = "--load=20000";
/// What a client may wait for at most where everything is planned. On a machine of its own it is a twentieth of this.
const PLANNED: Duration = Duration::from_secs(1);

fn scales(series: &str, steps: &[u16], sentence: &str) {
    let mut story = Story::begin(&[&open()[..], &[("/spec/version", json!(series))]].concat());
    story.until_at_rest();
    let mut took = Duration::ZERO;
    let report = watched(&mut story, &[LOAD], |story| {
        took = timed(|| {
            for shards in steps {
                story.change(&[("/spec/shards", json!(shards))]);
                story.until_at_rest();
            }
        });
    });
    keep(sentence, took, &report);
    every_server_says_so(&story);
    nothing_is_lost(&report, PLANNED);
}

#[test]
fn from_3_shards_to_4_and_6_and_back_where_slots_move_as_a_whole() {
    scales("9.1", &[4, 6, 3], "From 3 shards to 4, to 6 and back to 3, on 9.1");
}

#[test]
fn from_3_shards_to_4_and_back_where_slots_move_key_by_key() {
    scales("8.1", &[4, 3], "From 3 shards to 4 and back, on 8.1");
}
