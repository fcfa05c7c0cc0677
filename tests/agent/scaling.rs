//! Shards come and go.

use serde_json::json;

use crate::forming::every_server_says_so;
use crate::story::{Story, open};

const KEYS: usize = 200;

fn grows_and_shrinks(series: &str) {
    let mut story = Story::begin_observed(&[&open()[..], &[("/spec/version", json!(series))]].concat());
    story.until_at_rest();
    story.write_keys("small-0", KEYS);
    for shards in [4, 3] {
        story.change(&[("/spec/shards", json!(shards))]);
        story.until_at_rest();
        every_server_says_so(&story);
        story.has_keys("small-0", KEYS);
    }
}

#[test]
fn a_shard_comes_and_goes_without_a_key_lost_where_slots_move_as_a_whole() {
    grows_and_shrinks("9.1");
}

#[test]
fn a_shard_comes_and_goes_without_a_key_lost_where_slots_move_key_by_key() {
    grows_and_shrinks("8.1");
}
