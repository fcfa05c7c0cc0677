//! People do what the agent would not.

use std::time::Duration;

use pocket_cluster::Fault;
use serde_json::{Value, json};

use crate::broken::RETURN;
use crate::forming::every_server_says_so;
use crate::story::{Story, open};
use crate::struck::{WITH_REPLICA, others, primary, replica, survives, until_led_by_another};
use crate::wait::{hold, wait};

/// What nobody waits for who has something to write.
pub(crate) const UNNOTICED: Duration = Duration::from_secs(1);

fn id(story: &Story, pod: &str) -> String {
    story.ask(pod, "CLUSTER MYID").trim().to_owned()
}

fn does(story: &Story, pod: &str, command: &str) {
    assert_eq!(story.ask(pod, command), "OK\n", "{command}");
}

/// The agent may hand back what is then crowded in one zone.
#[test]
fn a_human_lets_another_take_over() {
    survives("A human's CLUSTER FAILOVER", &[], UNNOTICED, |story| {
        let other = replica(story, 1);
        does(story, &other, "CLUSTER FAILOVER");
        wait("a vote", || {
            let said = story.ask(&other, "INFO replication");
            if said.contains("role:master") || story.has_told("Failover") { Ok(()) } else { Err(said) }
        });
    });
}

#[test]
fn a_human_resets_a_replica() {
    survives("A human's CLUSTER RESET HARD of a replica", &[], UNNOTICED, |story| {
        does(story, &replica(story, 1), "CLUSTER RESET HARD");
    });
}

#[test]
#[ignore = "servers do not take back for a minute whom they were told to forget: make test-large"]
fn a_human_has_a_replica_forgotten() {
    survives("A human's CLUSTER FORGET of a replica, on every server", &[], UNNOTICED, |story| {
        let pod = replica(story, 1);
        let forget = format!("CLUSTER FORGET {}", id(story, &pod));
        others(story, &pod).iter().for_each(|other| drop(story.ask(other, &forget)));
    });
}

#[test]
fn a_human_has_a_replica_follow_another_primary() {
    survives("A human's CLUSTER REPLICATE of another primary", &[], UNNOTICED, |story| {
        let other = id(story, &primary(story, 0));
        does(story, &replica(story, 1), &format!("CLUSTER REPLICATE {other}"));
    });
}

#[test]
fn a_human_moves_slots_to_another_shard() {
    survives("A human's CLUSTER MIGRATESLOTS", &[], UNNOTICED, |story| {
        let (from, to) = (primary(story, 0), id(story, &primary(story, 1)));
        does(story, &from, &format!("CLUSTER MIGRATESLOTS SLOTSRANGE 0 499 NODE {to}"));
        wait("slots at the other shard", || match story.status()?["shards"][1]["slots"].as_str() {
            Some(slots) if slots.starts_with("0-") => Ok(()),
            slots => Err(format!("{slots:?}")),
        });
    });
}

#[test]
fn a_human_begins_to_move_a_slot_key_by_key_and_goes_home() {
    survives("A human's CLUSTER SETSLOT on both sides, and no more", &[], UNNOTICED, |story| {
        let (from, to) = (primary(story, 0), primary(story, 1));
        does(story, &to, &format!("CLUSTER SETSLOT 7 IMPORTING {}", id(story, &from)));
        does(story, &from, &format!("CLUSTER SETSLOT 7 MIGRATING {}", id(story, &to)));
    });
}

/// The server itself hands over before it stops.
#[test]
fn a_human_deletes_the_pod_of_a_primary() {
    survives("A human's kubectl delete pod of a primary", &[], UNNOTICED, |story| {
        let pod = primary(story, 1);
        story.kubectl(&format!("delete pod {pod} --wait=false"));
        until_led_by_another(story, 1, &pod);
    });
}

/// Both members of a shard are gone until the agent has them made again, on their volumes.
#[test]
fn a_human_scales_a_shard_away() {
    survives("A human's kubectl scale from six servers to four", WITH_REPLICA, RETURN, |story| {
        let before = story.lives();
        story.kubectl("scale sts/small --replicas=4");
        wait("pods that go", || if story.lives() == before { Err(String::new()) } else { Ok(()) });
    });
}

/// Made anew, it has one replica until the agent has said how many there are to be: what is rendered does not.
#[test]
fn a_human_deletes_the_stateful_set_and_it_is_applied_again() {
    survives("A human's kubectl delete of the StatefulSet without its pods", WITH_REPLICA, RETURN, |story| {
        story.kubectl("delete sts/small --cascade=orphan");
        assert_eq!(story.pod_names().len(), 6);
        story.apply();
    });
}

/// Keys of one slot, the slot, and the shard that has it.
fn keys_of_one_slot(story: &Story) -> (Vec<String>, u16, usize) {
    let keys: Vec<String> = (0..20).map(|key| format!("{{moved}}:{key}")).collect();
    let writes: Vec<String> = keys.iter().map(|key| format!("SET {key} {key}")).collect();
    assert_eq!(story.client("small-0", &writes.join("\n")), ["OK"; 20]);
    let slot = story.ask("small-0", "CLUSTER KEYSLOT {moved}").trim().parse().unwrap();
    let status = story.status().unwrap();
    let has = |shard: &Value| {
        let (first, last) = shard["slots"].as_str()?.split_once('-')?;
        Some((first.parse::<u16>().ok()?..=last.parse().ok()?).contains(&slot))
    };
    let shard = status["shards"].as_array().unwrap().iter().position(|shard| has(shard) == Some(true));
    (keys, slot, shard.unwrap())
}

/// A slot that a human has begun to move by hand.
struct Moving {
    keys: Vec<String>,
    slot: u16,
    /// The pods that it goes from and to.
    from: String,
    to: String,
    agent: Vec<String>,
}

impl Moving {
    /// With so many of its keys on the other side already. The agent does not look on.
    fn begin(story: &Story, moved: usize) -> Self {
        let (keys, slot, shard) = keys_of_one_slot(story);
        let agent = vec![story.agent_pod()];
        let (from, to) = (primary(story, shard), primary(story, (shard + 1) % 3));
        let address = story.get("api/v1", &format!("pods/{to}")).unwrap()["status"]["podIP"].clone();
        story.inject(&Fault::Freeze { pods: agent.clone() });
        does(story, &to, &format!("CLUSTER SETSLOT {slot} IMPORTING {}", id(story, &from)));
        does(story, &from, &format!("CLUSTER SETSLOT {slot} MIGRATING {}", id(story, &to)));
        let moved = keys[..moved].join(" ");
        does(story, &from, &format!("MIGRATE {} 6379 \"\" 0 1000 KEYS {moved}", address.as_str().unwrap()));
        Self { keys, slot, from, to, agent }
    }

    /// Every key is found once the agent has looked.
    fn end(self, story: &Story) {
        story.inject(&Fault::Thaw { pods: self.agent });
        story.until_checked();
        let reads: Vec<String> = self.keys.iter().map(|key| format!("GET {key}")).collect();
        assert_eq!(story.client("small-0", &reads.join("\n")), self.keys);
    }
}

/// Half of the keys are on either side when the human goes home.
#[test]
fn a_human_moves_half_of_the_keys_of_a_slot_and_goes_home() {
    survives("A human's MIGRATE of half of the keys of a slot, and no more", &[], UNNOTICED, |story| {
        Moving::begin(story, 10).end(story);
    });
}

/// The other side takes the slot for that of its former owner still, which says that it has none.
#[test]
fn a_human_moves_the_keys_of_a_slot_and_only_has_its_owner_give_it_up() {
    let story = Story::begin(&open());
    story.until_at_rest();
    let moving = Moving::begin(&story, 20);
    does(&story, &moving.to, &format!("CLUSTER SETSLOT {} STABLE", moving.slot));
    does(&story, &moving.from, &format!("CLUSTER DELSLOTS {}", moving.slot));
    moving.end(&story);
    every_server_says_so(&story);
}

/// A server of a cluster of its own, in a pod that is none of ours, after it was told this.
fn stranger(story: &Story, commands: &[&str]) -> String {
    let command = "valkey-server --cluster-enabled yes --protected-mode no --dir /tmp --unixsocket /tmp/socket";
    let container = json!({"name": "server", "image": "valkey/valkey:9.1", "command": ["sh", "-c", command]});
    let metadata = json!({"name": "stranger", "namespace": story.namespace()});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}});
    story.place.apply(&pod.to_string()).unwrap();
    wait("a stranger", || {
        let said = story.exec("stranger", &["valkey-cli", "-s", "/tmp/socket", "PING"])?;
        if said.stdout.contains("PONG") { Ok(()) } else { Err(said.stderr) }
    });
    for command in commands {
        let words = [&["valkey-cli", "-s", "/tmp/socket"], &command.split(' ').collect::<Vec<_>>()[..]].concat();
        wait(command, || match story.exec("stranger", &words)?.stdout.as_str() {
            "OK\n" => Ok(()),
            said => Err(said.to_owned()),
        });
    }
    let pod = story.get("api/v1", "pods/stranger").unwrap();
    pod["status"]["podIP"].as_str().unwrap().to_owned()
}

/// Nothing is done while it is there, and what the condition asks for then helps.
fn is_met_and_left_alone(story: &mut Story, commands: &[&str]) {
    let address = stranger(story, commands);
    does(story, "small-0", &format!("CLUSTER MEET {address} 6379"));
    story.until_said("Ready", "nodes that are not ours");
    story.change(&[("/spec/shards", json!(4))]);
    hold(Duration::from_secs(3), || assert_eq!(story.pod_names().len(), 6, "what could spread is left alone"));
    story.until_said("Ready", "nodes that are not ours");
    assert!(story.ask("small-0", "CLUSTER INFO").contains("cluster_slots_ok:16384"));
    let said = story.exec("stranger", &["valkey-cli", "-s", "/tmp/socket", "CLUSTER", "MYID"]).unwrap();
    story.kubectl("delete pod stranger --grace-period=0 --force");
    let stranger = said.stdout.trim();
    // Again, for some hear of it only when others were told to forget it.
    wait("servers that have forgotten the stranger", || {
        let know = |pod: &&String| story.ask(pod, "CLUSTER NODES").contains(stranger);
        let pods = others(story, "");
        let knowing: Vec<&String> = pods.iter().filter(know).collect();
        knowing.iter().for_each(|pod| drop(story.ask(pod, &format!("CLUSTER FORGET {stranger}"))));
        if knowing.is_empty() { Ok(()) } else { Err(format!("{knowing:?}")) }
    });
}

#[test]
fn a_human_introduces_a_stranger() {
    survives("A human's CLUSTER MEET of a server of another cluster", &[], UNNOTICED, |story| {
        is_met_and_left_alone(story, &[]);
    });
}

/// Whose claim to a slot is the younger, keeps it: theirs is the older, and their slots are ours afterwards.
#[test]
fn a_human_introduces_a_stranger_with_slots_and_keys_of_its_own() {
    survives("A human's CLUSTER MEET of a server that owns all slots of another cluster", &[], UNNOTICED, |story| {
        is_met_and_left_alone(story, &["CLUSTER ADDSLOTSRANGE 0 16383", "SET theirs 1"]);
    });
}

/// A change of the spec comes while one server takes over from another.
#[test]
fn a_spec_changes_while_a_primary_is_replaced() {
    survives("One more shard, while a killed primary is replaced", &["--wait=1"], Duration::from_secs(15), |story| {
        let pod = primary(story, 1);
        story.inject(&Fault::Freeze { pods: vec![pod.clone()] });
        story.change(&[("/spec/shards", json!(4))]);
        until_led_by_another(story, 1, &pod);
        story.inject(&Fault::Thaw { pods: vec![pod] });
    });
}
