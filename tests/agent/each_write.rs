//! Each request of the agent that changes anything goes wrong, in turn: the agent dies before it is sent, the agent dies when it was
//! performed and before it hears of that, or it lives and never hears of it. In the end all is as if nothing had happened.
//!
//! The model does the same with everything that servers are told, in every order; here are real requests to an API server.

use std::collections::BTreeMap;
use std::env;

use pocket_cluster::{ApiFault, Fault};
use serde_json::{Value, json};

use crate::forming::every_server_says_so;
use crate::story::{Story, name, open};
use crate::trouble::{begin_with, requests};

/// How many requests of each activity go wrong in each way, evenly spread; `POINTS` has more of them.
const POINTS: usize = 3;

/// What becomes of a request.
#[derive(Debug, Clone, Copy)]
enum Way {
    DiesBefore,
    DiesAfter,
    NeverHears,
}

const WAYS: [Way; 3] = [Way::DiesBefore, Way::DiesAfter, Way::NeverHears];

impl Way {
    fn deaths(self) -> u64 {
        match self {
            Self::DiesBefore | Self::DiesAfter => 1,
            Self::NeverHears => 0,
        }
    }

    /// The one after so many others.
    fn strike(self, spared: usize) -> ApiFault {
        let (after_the_act, kill) = match self {
            Self::DiesBefore => (false, true),
            Self::DiesAfter => (true, true),
            Self::NeverHears => (true, false),
        };
        ApiFault {
            writes_only: true,
            share: 1.0,
            times: 1,
            spared: spared as u64,
            after_the_act,
            kill,
            ..ApiFault::default()
        }
    }
}

/// Some of so many requests, evenly spread, each in every way.
fn points(requests: usize) -> impl Iterator<Item = (usize, Way)> {
    let wanted = env::var("POINTS").map_or(POINTS, |points| points.parse().unwrap()).min(requests);
    (0..wanted).flat_map(move |point| WAYS.map(|way| (point * requests / wanted, way)))
}

/// What the agent has said of each pod, and of all of them, but for when it was and which slots went where on the way.
fn end(story: &Story) -> (Value, BTreeMap<String, Value>) {
    story.until_at_rest();
    every_server_says_so(story);
    let labels = story.pods().iter().map(|pod| (name(pod), pod["metadata"]["labels"].clone())).collect();
    let mut status = story.status().unwrap();
    for field in ["conditions", "observedGeneration"] {
        status.as_object_mut().unwrap().remove(field);
    }
    for shard in status["shards"].as_array_mut().unwrap() {
        shard.as_object_mut().unwrap().retain(|field, _| field != "slots" && field != "slotCount");
    }
    (status, labels)
}

/// How often the agent has died.
fn deaths(story: &Story) -> u64 {
    story.agent_pods()[0]["status"]["containerStatuses"][0]["restartCount"].as_u64().unwrap()
}

#[test]
fn whichever_request_goes_wrong_a_cluster_forms_alike() {
    let undisturbed = Story::begin(&open());
    let (wanted, kinds) = (end(&undisturbed), undisturbed.told());
    let requests = undisturbed.writes().len();
    drop(undisturbed);
    for (point, way) in points(requests) {
        let story = begin_with(way.strike(point));
        assert_eq!(end(&story), wanted, "{way:?} at {point} of {requests}");
        assert_eq!(deaths(&story), way.deaths(), "{way:?} at {point} of {requests}");
        // Of each kind, how many steps there are depends on who greeted whom first.
        assert!(story.told().is_subset(&kinds), "{way:?} at {point} of {requests}: {:?}", story.events());
    }
}

/// From one spec to the other and back, over and over.
fn alike(pointer: &str, one: &Value, other: &Value) {
    let mut story = Story::begin(&[&open()[..], &[(pointer, one.clone())]].concat());
    let before = end(&story);
    let from = story.writes().len();
    story.change(&[(pointer, other.clone())]);
    let after = end(&story);
    let count = story.writes().len() - from;
    let mut there = true;
    for (point, way) in points(count) {
        there = !there;
        let died = deaths(&story);
        story.inject(&requests(way.strike(point)));
        story.change(&[(pointer, if there { other.clone() } else { one.clone() })]);
        let wanted = if there { &after } else { &before };
        assert_eq!(&end(&story), wanted, "{way:?} at {point} of {count}");
        assert_eq!(deaths(&story) - died, way.deaths(), "{way:?} at {point} of {count}");
        story.inject(&Fault::Mend);
    }
}

#[test]
fn whichever_request_goes_wrong_shards_come_and_go_alike() {
    alike("/spec/shards", &json!(3), &json!(4));
}

#[test]
fn whichever_request_goes_wrong_servers_restart_alike() {
    alike("/spec/config", &json!({"tcp-backlog": 1000}), &json!({"tcp-backlog": 1001}));
}
