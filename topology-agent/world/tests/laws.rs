//! Every law refuses the step that would break it, in the view of a cluster at rest.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on has failed")]

mod support;

use planner::laws::{Law, check, check_round};
use planner::{
    Desired, FailoverMode, Guard, Health, Job, JobState, Link, NodeId, Ordinal, Role, Sight, SlotSet, Step, Template,
    View, Volume,
};
use support::{at_rest, id, server, target};
use world::look::{NOW, identity};
use world::scenario::desired;

/// What everyone says of the node of a pod.
fn say(view: &mut View, id: NodeId, change: impl Fn(&mut planner::Row)) {
    view.opinions.iter_mut().flat_map(|opinion| &mut opinion.rows).filter(|row| row.id == id).for_each(change);
}

fn delete(view: &View, pod: u32) -> Step {
    let uid = view.pods[&Ordinal(pod)].uid.clone();
    Step::DeletePod { pod: Ordinal(pod), uid, guard: Guard::Alone, volume: Volume::Kept }
}

fn hand_over(view: &View) -> Step {
    Step::Failover { replica: target(view, 1), primary: id(view, 0), mode: FailoverMode::Planned }
}

fn law(view: &View, step: &Step) -> Option<Law> {
    check(&desired(3, 1), view, step).err().map(|broken| broken.law)
}

#[test]
fn what_a_cluster_at_rest_allows_is_allowed() {
    let view = at_rest();
    let few = SlotSet::range(0..=9);
    let move_some = Step::Migrate {
        source: target(&view, 0),
        target: target(&view, 2),
        slots: few,
        how: planner::Migration::Atomic,
    };
    for step in [hand_over(&view), delete(&view, 1), move_some, Step::Scale { pods: 9 }] {
        assert_eq!(law(&view, &step), None, "{step}");
    }
}

#[test]
fn slots_with_an_owner_are_not_given_to_another() {
    let view = at_rest();
    let slots = SlotSet::range(0..=9);
    assert_eq!(law(&view, &Step::AddSlots { node: target(&view, 2), slots: slots.clone() }), Some(Law::OneOwner));
    assert_eq!(law(&view, &Step::ClaimSlots { node: target(&view, 2), slots: slots.clone() }), Some(Law::OneOwner));
    let not_its_own =
        Step::Migrate { source: target(&view, 2), target: target(&view, 0), slots, how: planner::Migration::Atomic };
    assert_eq!(law(&view, &not_its_own), Some(Law::OneOwner));
    assert_eq!(law(&view, &Step::Replicate { node: target(&view, 2), primary: id(&view, 0) }), Some(Law::OneOwner));
}

#[test]
fn nobody_who_has_data_is_forgotten_or_reset() {
    let mut view = at_rest();
    assert_eq!(law(&view, &Step::Forget { node: target(&view, 2), gone: id(&view, 0) }), Some(Law::KeepData));
    server(&mut view, 0).keys = 1;
    assert_eq!(law(&view, &Step::Reset { node: target(&view, 0) }), Some(Law::KeepData));
    let replica = target(&view, 1);
    view.pods.get_mut(&Ordinal(0)).unwrap().sight = Sight::Silent;
    assert_eq!(law(&view, &Step::Reset { node: replica }), Some(Law::KeepData));
}

#[test]
fn a_pod_that_gives_no_answer_is_not_deleted_nor_a_second_member_of_a_shard() {
    let mut view = at_rest();
    assert!(check_round(&desired(3, 1), &view, &[delete(&view, 1), delete(&view, 3)]).is_ok());
    let both = [delete(&view, 1), hand_over(&view)];
    assert_eq!(check_round(&desired(3, 1), &view, &both).unwrap_err().law, Law::OneDown);
    view.pods.get_mut(&Ordinal(1)).unwrap().sight = Sight::Silent;
    assert_eq!(law(&view, &delete(&view, 1)), Some(Law::OneDown));
}

#[test]
fn replicas_of_two_shards_do_not_ask_for_the_same_votes() {
    let view = at_rest();
    let other = Step::Failover { replica: target(&view, 3), primary: id(&view, 2), mode: FailoverMode::Planned };
    assert_eq!(law(&view, &other), None);
    let both = [hand_over(&view), other];
    assert_eq!(check_round(&desired(3, 1), &view, &both).unwrap_err().law, Law::OneFailover);
}

#[test]
fn a_primary_with_replicas_is_not_deleted() {
    let view = at_rest();
    assert_eq!(law(&view, &delete(&view, 0)), Some(Law::HandOverFirst));
}

#[test]
fn a_replica_that_is_not_in_sync_or_not_connected_to_all_does_not_take_over() {
    let mut late = at_rest();
    server(&mut late, 1).link = Link::Never;
    assert_eq!(law(&late, &hand_over(&late)), Some(Law::PromoteSynced));
    let mut unlinked = at_rest();
    let replica = id(&unlinked, 1);
    say(&mut unlinked, replica, |row| row.linked = false);
    assert_eq!(law(&unlinked, &hand_over(&unlinked)), Some(Law::PromoteSynced));
    let mut unasked = at_rest();
    unasked.pods.get_mut(&Ordinal(4)).unwrap().sight = Sight::Silent;
    assert_eq!(law(&unasked, &hand_over(&unasked)), Some(Law::PromoteSynced));
    let mut other = at_rest();
    server(&mut other, 1).history = identity(99);
    assert_eq!(law(&other, &hand_over(&other)), Some(Law::PromoteSynced));
}

#[test]
fn a_node_that_knows_strangers_is_not_met() {
    let mut view = at_rest();
    let stranger = planner::Row { id: identity(99), pod: None, address: None, ..view.opinions[0].rows[0].clone() };
    view.opinions[0].rows.push(stranger);
    let address = view.pods[&Ordinal(2)].address.unwrap();
    let meet = Step::Meet { node: target(&view, 0), peer: target(&view, 2), address };
    assert_eq!(law(&view, &meet), Some(Law::MeetOwn));
}

#[test]
fn nobody_is_met_at_an_address_that_is_anothers_or_in_an_earlier_cluster() {
    let mut view = at_rest();
    let meet = |view: &View, address| Step::Meet { node: target(view, 0), peer: target(view, 2), address };
    let address = view.pods[&Ordinal(2)].address.unwrap();
    assert_eq!(law(&view, &meet(&view, address)), None);
    assert_eq!(law(&view, &meet(&view, [10, 9, 9, 9].into())), Some(Law::MeetOwn));
    let mut rows = view.opinions[0].rows.clone();
    rows.iter_mut().zip(80..).for_each(|(row, id)| row.id = identity(id));
    server(&mut view, 2).id = rows[2].id;
    server(&mut view, 2).opinion = 1;
    view.opinions.push(planner::Opinion { rows });
    assert_eq!(law(&view, &meet(&view, address)), Some(Law::MeetOwn));
}

#[test]
fn no_shard_loses_a_copy_that_it_should_keep() {
    let mut view = at_rest();
    let replica = target(&view, 1);
    assert_eq!(law(&view, &Step::Reset { node: replica }), Some(Law::LeaveBlank));
    let head = id(&view, 0);
    let other = id(&view, 3);
    server(&mut view, 3).role = Role::Replica(head);
    server(&mut view, 0).followers.insert(other);
    assert_eq!(law(&view, &Step::Reset { node: replica }), None);
}

#[test]
fn slots_of_which_another_holds_keys_are_not_given_away() {
    let mut view = at_rest();
    let first = id(&view, 0);
    say(&mut view, first, |row| row.slots = SlotSet::range(10..=5461));
    let give = Step::AddSlots { node: target(&view, 0), slots: SlotSet::range(0..=9) };
    assert_eq!(law(&view, &give), None);
    server(&mut view, 2).strays = SlotSet::range(3..=3);
    assert_eq!(law(&view, &give), Some(Law::KeepData));
}

#[test]
fn a_pod_that_does_not_run_is_not_taken_back_to_where_its_data_cannot_be_read() {
    let mut view = at_rest();
    let pod = view.pods.get_mut(&Ordinal(1)).unwrap();
    (pod.template, pod.sight) = (Template::Old, Sight::Down);
    assert_eq!(law(&view, &delete(&view, 1)), None);
    let older = Desired { series: spec::Series::V8_1, ..desired(3, 1) };
    assert_eq!(check(&older, &view, &delete(&view, 1)).unwrap_err().law, Law::HaltedStaysHalted);
}

#[test]
fn nothing_restarts_onto_a_template_of_another_spec() {
    let mut view = at_rest();
    assert_eq!(law(&view, &delete(&view, 1)), None);
    view.rendered = false;
    assert_eq!(law(&view, &delete(&view, 1)), Some(Law::HaltedStaysHalted));
}

#[test]
fn a_pod_whose_node_is_known_is_not_scaled_in() {
    let view = at_rest();
    assert_eq!(law(&view, &Step::Scale { pods: 5 }), Some(Law::LeaveBlank));
}

#[test]
fn a_pod_that_is_not_listed_is_not_scaled_in_while_its_node_is_known() {
    let mut view = at_rest();
    view.pods.remove(&Ordinal(5));
    assert_eq!(law(&view, &Step::Scale { pods: 5 }), Some(Law::LeaveBlank));
}

#[test]
fn no_failover_is_asked_for_beside_another_or_beside_a_migration() {
    let mut pausing = at_rest();
    server(&mut pausing, 0).paused = true;
    assert_eq!(law(&pausing, &hand_over(&pausing)), Some(Law::OneFailover));
    let mut moving = at_rest();
    let to = id(&moving, 2);
    server(&mut moving, 0).jobs =
        vec![Job { target: to, slots: SlotSet::range(0..=9), state: JobState::Running, updated: NOW }];
    assert_eq!(law(&moving, &hand_over(&moving)), Some(Law::OneFailover));
}

#[test]
fn a_takeover_needs_proof_that_the_primary_is_gone() {
    let mut view = at_rest();
    let (replica, primary) = (target(&view, 1), id(&view, 0));
    view.pods.get_mut(&Ordinal(0)).unwrap().sight = Sight::Silent;
    server(&mut view, 1).link = Link::Down(NOW);
    say(&mut view, primary, |row| row.health = Health::Failed);
    let takeover = |mode| Step::Failover { replica, primary, mode };
    assert_eq!(law(&view, &takeover(FailoverMode::Takeover)), Some(Law::ProvenGone));
    assert_eq!(law(&view, &takeover(FailoverMode::Forced)), Some(Law::PromoteSynced));
}

#[test]
fn no_pod_follows_one_that_is_not_well_nor_goes_where_its_data_cannot_be_read() {
    let mut view = at_rest();
    view.pods.values_mut().for_each(|pod| pod.template = Template::Old);
    let back = planner::Desired { series: spec::Series::V8_1, ..desired(3, 1) };
    assert_eq!(check(&back, &view, &delete(&view, 1)).unwrap_err().law, Law::HaltedStaysHalted);
    let ill = view.pods.get_mut(&Ordinal(5)).unwrap();
    ill.template = Template::Current;
    ill.sight = Sight::Silent;
    assert_eq!(law(&view, &delete(&view, 1)), Some(Law::HaltedStaysHalted));
}
