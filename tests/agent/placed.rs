//! Pods land where the scheduler finds room, and members of a shard change places.

use crate::broken::host;
use crate::forming::every_shard_is_spread_and_labelled;
use crate::story::{Story, name};
use crate::struck::{primary, replica, survives};
use crate::watched::PLANNED;

fn hosts(story: &Story) -> Vec<String> {
    let list = story.place.get("/api/v1/nodes").unwrap();
    list["items"].as_array().unwrap().iter().map(name).collect()
}

/// No other host takes pods for a moment.
#[test]
fn a_replica_that_lands_beside_its_primary_goes_over_to_another_shard() {
    survives("A replica lands on the host of its primary", &[], PLANNED, |story| {
        let (pod, beside) = (replica(story, 1), host(story, &primary(story, 1)));
        let others: Vec<String> = hosts(story).into_iter().filter(|host| *host != beside).collect();
        others.iter().for_each(|host| drop(story.kubectl(&format!("cordon {host}"))));
        story.kubectl(&format!("delete pod {pod}"));
        story.until_checked();
        assert_eq!(host(story, &pod), beside);
        others.iter().for_each(|host| drop(story.kubectl(&format!("uncordon {host}"))));
        every_shard_is_spread_and_labelled(story);
    });
}
