//! The time of day jumps, as it does where a host gets it from the network.

use std::thread::sleep;
use std::time::Duration;

use pocket_cluster::Fault;
use serde_json::json;

use crate::story::{Story, open};
use crate::struck::{ELECTION, WITH_REPLICA, primary, struck_there};
use crate::watched::nothing_is_lost;

const HOUR: i64 = 3600;
/// Long enough for whoever goes by the clock to look at it.
const MEANWHILE: Duration = Duration::from_secs(3);

fn jump(story: &Story, pods: &[String], seconds: i64) {
    story.inject(&Fault::Clock { pods: pods.to_vec(), seconds });
    sleep(MEANWHILE);
}

/// By its clock, a server has not heard of the others for an hour, or will do so in an hour.
#[test]
fn the_clock_of_a_primary_jumps_an_hour_ahead_and_two_hours_back() {
    let sentence = "The clock of a primary jumps an hour ahead, and two hours back";
    let report = struck_there(Story::begin_with_clocks(&open()), sentence, WITH_REPLICA, |story| {
        let pods = [primary(story, 1)];
        let date =
            |story: &Story| story.exec(&pods[0], &["date", "+%s"]).unwrap().stdout.trim().parse::<i64>().unwrap();
        let before = date(story);
        jump(story, &pods, HOUR);
        assert!((HOUR..HOUR + 60).contains(&(date(story) - before)), "the clock is another one");
        jump(story, &pods, -HOUR);
        jump(story, &pods, 0);
    });
    nothing_is_lost(&report, ELECTION);
}

#[test]
fn all_clocks_jump_while_shards_come_and_go() {
    let sentence = "All clocks jump by an hour, ahead and back, while 3 shards become 4, and 3";
    let report = struck_there(Story::begin_with_clocks(&open()), sentence, WITH_REPLICA, |story| {
        let agent = story.agent_pod();
        for (shards, seconds) in [(4, HOUR), (3, -HOUR)] {
            story.change(&[("/spec/shards", json!(shards))]);
            jump(story, std::slice::from_ref(&agent), seconds);
            jump(story, &story.pod_names(), seconds);
            story.until_at_rest();
        }
    });
    nothing_is_lost(&report, ELECTION);
}
