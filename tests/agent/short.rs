//! There is not enough of something.

use serde_json::{Value, json};

use crate::story::{Story, open};
use crate::struck::{ELECTION, struck_in};
use crate::watched::nothing_is_lost;

fn memory(limit: &str) -> Value {
    json!({"requests": {"memory": limit}, "limits": {"memory": limit}})
}

/// Writes so many keys of a hundred thousand bytes.
fn fill(story: &Story, keys: usize) {
    let commands: Vec<String> = (0..keys).map(|key| format!("SETRANGE fill:{key} 99999 x")).collect();
    assert_eq!(story.client("small-0", &commands.join("\n")), vec!["100000"; keys]);
}

#[test]
fn a_shard_is_not_dissolved_into_others_that_have_no_room_until_they_have() {
    let changes = [&open()[..], &[("/spec/shards", json!(4)), ("/spec/resources", memory("40Mi"))]].concat();
    let sentence = "4 shards become 3 that are too small, and larger";
    let report = struck_in(&changes, sentence, &[], |story| {
        fill(story, 800);
        story.change(&[("/spec/shards", json!(3))]);
        story.until_said("Ready", "no primary has room");
        story.until_said("Ready", "raise the memory limit, or add a shard");
        story.change(&[("/spec/resources", memory("80Mi"))]);
    });
    nothing_is_lost(&report, ELECTION);
}
