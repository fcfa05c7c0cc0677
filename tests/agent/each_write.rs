//! Each request of the agent that changes anything, of Kubernetes or of a server, goes wrong, in turn: the agent dies before it is sent,
//! the agent dies when it was performed and before it hears of that, or it lives and never hears of it. In the end all is as if nothing
//! had happened.
//!
//! The model does the same with everything that servers are told, in every order; here are real requests and real commands.

use std::collections::BTreeMap;
use std::env;

use pocket_cluster::{ApiFault, Fault};
use serde_json::{Value, json};

use crate::forming::every_server_says_so;
use crate::story::{Story, name, open};
use crate::trouble::begin_with;

/// How many requests of each activity to each party go wrong in each way, evenly spread: more than a hundred in all, where
/// `POINTS` does not say otherwise.
const POINTS: usize = 6;

/// Who is asked.
#[derive(Debug, Clone, Copy)]
enum Party {
    Kubernetes,
    Valkey,
}

impl Party {
    fn fault(self, mut fault: ApiFault) -> Fault {
        fault.service_account = Some("small-agent".to_owned());
        match self {
            Self::Kubernetes => Fault::Api(fault),
            Self::Valkey => Fault::Commands(fault),
        }
    }

    /// A story in which everything that the agent asks is known.
    fn begin(self, changes: &[(&str, Value)]) -> Story {
        begin_with(changes, &self.fault(ApiFault::default()))
    }

    /// What the agent has asked so far that changes anything.
    fn writes(self, story: &Story) -> usize {
        match self {
            Self::Kubernetes => story.writes().len(),
            Self::Valkey => story.commands().len(),
        }
    }
}

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

/// What the agent has said of all pods, and of each of them.
type End = (Value, BTreeMap<String, Value>);

/// How it stands in the end, but for when that was and which slots went where on the way.
fn end(story: &Story) -> End {
    story.until_at_rest();
    every_server_says_so(story);
    // Those of the cluster; others say where a pod stands.
    let own = |pod: &Value| {
        let mut labels = pod["metadata"]["labels"].clone();
        labels.as_object_mut().unwrap().retain(|name, _| name.starts_with("valkey-gitops.dev/"));
        labels
    };
    let labels = story.pods().iter().map(|pod| (name(pod), own(pod))).collect();
    let mut status = story.status().unwrap();
    for field in ["conditions", "observedGeneration"] {
        status.as_object_mut().unwrap().remove(field);
    }
    for shard in status["shards"].as_array_mut().unwrap() {
        shard.as_object_mut().unwrap().retain(|field, _| field != "slots" && field != "slotCount");
    }
    (status, labels)
}

/// How many pods were deleted, and how often the number that there should be was set to another one. A request that is sent once more,
/// since its answer was lost, must not be performed once more.
fn deeds(story: &Story) -> [i64; 2] {
    let is_deed = |write: &&String| write.starts_with("delete pods ") && write.ends_with(" 200");
    let deleted = story.writes().iter().filter(is_deed).count();
    let set = story.get("apis/apps/v1", "statefulsets/small").unwrap();
    [i64::try_from(deleted).unwrap(), set["metadata"]["generation"].as_i64().unwrap()]
}

/// What the change of a spec comes to, and by which deeds.
fn changed(story: &mut Story, pointer: &str, value: &Value) -> (End, [i64; 2]) {
    let before = deeds(story);
    story.change(&[(pointer, value.clone())]);
    let (end, after) = (end(story), deeds(story));
    (end, [after[0] - before[0], after[1] - before[1]])
}

/// How often the agent has died.
fn deaths(story: &Story) -> u64 {
    story.agent_pods()[0]["status"]["containerStatuses"][0]["restartCount"].as_u64().unwrap()
}

fn forms_alike(party: Party) {
    let undisturbed = party.begin(&open());
    let (wanted, kinds) = (end(&undisturbed), undisturbed.told());
    let count = party.writes(&undisturbed);
    drop(undisturbed);
    for (point, way) in points(count) {
        let story = begin_with(&open(), &party.fault(way.strike(point)));
        assert_eq!(end(&story), wanted, "{way:?} at {point} of {count}");
        assert_eq!(deaths(&story), way.deaths(), "{way:?} at {point} of {count}");
        // Of each kind, how many steps there are depends on who greeted whom first.
        assert!(story.told().is_subset(&kinds), "{way:?} at {point} of {count}: {:?}", story.events());
    }
}

/// From one spec to the other and back, over and over. Where pods stand is the scheduler's to say, and who is with whom would follow from
/// that.
fn alike(party: Party, pointer: &str, one: &Value, other: &Value) {
    let anywhere = ("/spec/placement", json!({"hostSpread": "Off", "zoneSpread": "Off"}));
    let mut story = party.begin(&[&open()[..], &[anywhere, (pointer, one.clone())]].concat());
    story.until_at_rest();
    let from = party.writes(&story);
    let there = changed(&mut story, pointer, other);
    let count = party.writes(&story) - from;
    let back = changed(&mut story, pointer, one);
    for ((point, way), goes) in points(count).zip([true, false].into_iter().cycle()) {
        let died = deaths(&story);
        story.inject(&party.fault(way.strike(point)));
        let (value, wanted) = if goes { (other, &there) } else { (one, &back) };
        assert_eq!(&changed(&mut story, pointer, value), wanted, "{way:?} at {point} of {count}");
        assert_eq!(deaths(&story) - died, way.deaths(), "{way:?} at {point} of {count}");
        story.inject(&Fault::Mend);
    }
}

fn shards_come_and_go_alike(party: Party) {
    alike(party, "/spec/shards", &json!(3), &json!(4));
}

fn servers_restart_alike(party: Party) {
    alike(party, "/spec/config", &json!({"tcp-backlog": 1000}), &json!({"tcp-backlog": 1001}));
}

#[test]
fn whichever_request_goes_wrong_a_cluster_forms_alike() {
    forms_alike(Party::Kubernetes);
}

#[test]
fn whichever_request_goes_wrong_shards_come_and_go_alike() {
    shards_come_and_go_alike(Party::Kubernetes);
}

#[test]
fn whichever_request_goes_wrong_servers_restart_alike() {
    servers_restart_alike(Party::Kubernetes);
}

#[test]
fn whichever_command_goes_wrong_a_cluster_forms_alike() {
    forms_alike(Party::Valkey);
}

#[test]
fn whichever_command_goes_wrong_shards_come_and_go_alike() {
    shards_come_and_go_alike(Party::Valkey);
}

#[test]
fn whichever_command_goes_wrong_servers_restart_alike() {
    servers_restart_alike(Party::Valkey);
}
