//! What servers keep is damaged, or full, or not kept at all.

use std::time::Duration;

use pocket_cluster::Fault;
use serde_json::json;

use crate::namespace::leave_out;
use crate::story::{Story, open};
use crate::struck::{ELECTION, WITH_REPLICA, primary, replica, struck_in, survives, until_led_by_another};
use crate::wait::{hold, wait};
use crate::watched::nothing_is_lost;

/// A write with a replica waits for as long as the shard has one member only.
const ALONE: Duration = Duration::from_secs(30);

/// Leaves no room on a volume, which has less than this. Where volumes have no size, there is nothing to tell.
fn fill(story: &Story, pod: &str) {
    let said = story.exec(pod, &["sh", "-c", "head -c 128M /dev/zero >/data/filler"]).unwrap();
    if said.code == 0 {
        on_disk(story, pod, "rm /data/filler");
        leave_out("its volumes have no size");
    }
}

fn on_disk(story: &Story, pod: &str, script: &str) {
    story.exec(pod, &["sh", "-c", script]).unwrap();
}

/// Another leads the shard; nobody guesses who the server was.
#[test]
fn a_server_whose_record_of_the_cluster_is_damaged_stays_down_until_people_give_it_an_empty_volume() {
    survives("The nodes.conf of a primary is damaged, and it is killed", WITH_REPLICA, ALONE, |story| {
        let pod = primary(story, 1);
        on_disk(story, &pod, "echo nonsense >/data/nodes.conf");
        story.kill(&pod);
        until_led_by_another(story, 1, &pod);
        story.until_said("Ready", &format!("pod {}", &pod["small-".len()..]));
        hold(Duration::from_secs(3), || assert!(!story.has_told("Forget") && !story.has_told("DeletePod")));
        story.kubectl(&format!("delete pvc data-{pod} --wait=false"));
        story.kubectl(&format!("delete pod {pod}"));
    });
}

/// A primary whose disk is full refuses writes: a replica leads its shard until the volume is grown.
#[test]
fn a_volume_that_is_full_is_grown_in_git() {
    let changes = [&open()[..], &[("/spec/storage/size", json!("64Mi"))]].concat();
    let report = struck_in(&changes, "The volume of a primary is full, and is grown", &[], |story| {
        let pod = primary(story, 1);
        fill(story, &pod);
        until_led_by_another(story, 1, &pod);
        story.change(&[("/spec/storage/expandTo", json!("128Mi"))]);
        wait("writes to disk that succeed", || {
            let said = story.ask(&pod, "INFO persistence");
            if said.contains("aof_last_write_status:ok") { Ok(()) } else { Err(said) }
        });
        let claim = story.get("api/v1", &format!("persistentvolumeclaims/data-{pod}")).unwrap();
        assert_eq!(claim["spec"]["resources"]["requests"]["storage"], "128Mi");
    });
    nothing_is_lost(&report, ELECTION);
}

/// What it has to record of the cluster, it cannot.
#[test]
fn a_server_with_a_full_volume_hears_of_a_new_primary_elsewhere() {
    let changes = [&open()[..], &[("/spec/storage/size", json!("64Mi"))]].concat();
    let sentence = "The volume of a primary is full, another shard changes its primary, and the volume is grown";
    let report = struck_in(&changes, sentence, WITH_REPLICA, |story| {
        let (pod, other) = (primary(story, 1), replica(story, 0));
        fill(story, &pod);
        assert_eq!(story.ask(&other, "CLUSTER FAILOVER"), "OK\n");
        until_led_by_another(story, 1, &pod);
        story.change(&[("/spec/storage/expandTo", json!("128Mi"))]);
    });
    nothing_is_lost(&report, ALONE);
}

/// It can neither keep its log nor what it has to record of the cluster: a replica leads its shard, and it may be back when the disk is.
#[test]
fn a_primary_whose_disk_fails_hands_over_and_comes_back_when_the_disk_does() {
    survives("The disk of a primary fails (EIO), and is repaired", WITH_REPLICA, ALONE, |story| {
        let pod = primary(story, 1);
        story.inject(&Fault::SpoilDisk { pods: vec![pod.clone()] });
        until_led_by_another(story, 1, &pod);
        story.until_condition("Ready", "False");
        story.inject(&Fault::Repair { pods: vec![pod] });
    });
}

#[test]
fn a_primary_that_keeps_nothing_on_disk_is_killed_and_nothing_is_lost_that_a_replica_had() {
    let nothing = [("/spec/storage", json!({"ephemeral": {}})), ("/spec/persistence", json!({"appendOnly": false}))];
    let changes = [&open()[..], &nothing].concat();
    let sentence = "A primary that keeps nothing on disk is killed";
    let report = struck_in(&changes, sentence, WITH_REPLICA, |story| {
        let pod = primary(story, 1);
        story.kill(&pod);
        until_led_by_another(story, 1, &pod);
    });
    nothing_is_lost(&report, ALONE);
}
