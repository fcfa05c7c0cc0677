//! Pods that restart, and what keeps them from it.

use planner::{Desired, Link, OpenSlot, Opening, Ordinal, Sight, SlotSet, Step, Template, Time, Trouble, View, plan};
use spec::Series;
use world::look::{NOW, look};
use world::scenario::desired;

use crate::support::{at_rest, id, server};
use crate::{changing, decide, follow, migrations, moment, told, trouble, uneven};

#[test]
fn a_primary_hands_over_only_to_a_replica_that_serves_clients() {
    let handed_over = |refuses| {
        let mut view = at_rest();
        view.pods.get_mut(&Ordinal(0)).unwrap().template = Template::Old;
        server(&mut view, 1).refuses = refuses;
        decide(&view).steps().iter().any(|step| matches!(step, Step::Failover { .. }))
    };
    assert!(handed_over(false) && !handed_over(true));
}

#[test]
fn primaries_that_have_to_restart_hand_over_one_after_the_other() {
    let mut view = at_rest();
    for pod in [2, 4] {
        view.pods.get_mut(&Ordinal(pod)).unwrap().template = Template::Old;
    }
    let plan = decide(&view);
    assert_eq!(plan.steps().iter().filter(|step| step.is_vote()).count(), 1, "{plan:?}");
    assert!(plan.matters().iter().any(|matter| matter.to_string() == "shard 2: waiting, other work goes first"));
}

#[test]
fn no_pod_restarts_while_writes_are_held_back() {
    let mut view = at_rest();
    // The primary of the first shard is its last; in the second, the replica comes first.
    for pod in [0, 2, 3] {
        view.pods.get_mut(&Ordinal(pod)).unwrap().template = Template::Old;
    }
    let plan = decide(&view);
    assert!(plan.steps().iter().all(Step::is_vote) && plan.steps().len() == 1, "{plan:?}");
    assert!(plan.matters().iter().any(|matter| matter.to_string() == "shard 1: waiting, other work goes first"));
    view.pods.get_mut(&Ordinal(0)).unwrap().template = Template::Current;
    assert_eq!(told(&decide(&view)), ["restart pod 3"]);
}

#[test]
fn a_pod_that_is_being_taken_down_is_not_restarted_again() {
    let restarts = |terminating| {
        let mut view = at_rest();
        let pod = view.pods.get_mut(&Ordinal(1)).unwrap();
        (pod.template, pod.terminating) = (Template::Old, terminating);
        decide(&view).steps().iter().filter(|step| matches!(step, Step::DeletePod { .. })).count()
    };
    assert_eq!((restarts(false), restarts(true)), (1, 0));
}

/// Four shards that are to be three, and no server has room for what another one has.
fn cannot_shrink() -> View {
    let (world, scenario) = changing(desired(4, 1), desired(3, 1));
    let mut view = look(&world, &scenario, false);
    assert_eq!(migrations(&decide(&view)).len(), 1);
    for pod in [0, 2, 4, 6] {
        let server = server(&mut view, pod);
        (server.keys, server.memory, server.max_memory) = (100, 1 << 20, Some(1 << 20));
    }
    assert!(matches!(trouble(&decide(&view)), Some(Trouble::NoRoom { .. })));
    view
}

#[test]
fn pods_restart_with_more_memory_though_a_shard_cannot_be_dissolved_without() {
    let mut view = cannot_shrink();
    view.pods.values_mut().for_each(|pod| pod.template = Template::Old);
    assert_eq!(told(&decide(&view)), ["restart pod 1"]);
}

/// Its place is in another shard by then, to whose primary it does not answer yet.
#[test]
fn a_member_of_a_shard_that_cannot_be_dissolved_restarts_after_that_and_holds_up_no_other() {
    let mut view = cannot_shrink();
    follow(&mut view, 5, 6);
    follow(&mut view, 7, 4);
    let restarts = |view: &View| {
        let plan = plan(&Desired { canary: false, ..desired(3, 1) }, view, NOW);
        told(&plan).into_iter().filter(|step| step.starts_with("restart")).collect::<Vec<_>>()
    };
    view.pods.get_mut(&Ordinal(5)).unwrap().template = Template::Old;
    assert_eq!(restarts(&view), [""; 0]);
    for pod in [1, 3] {
        view.pods.get_mut(&Ordinal(pod)).unwrap().template = Template::Old;
    }
    assert_eq!(restarts(&view), ["restart pod 1", "restart pod 3"]);
}

#[test]
fn a_pod_that_crashes_while_an_upgrade_is_halted_comes_back_as_it_was() {
    let view = |halted: bool, since: Time| {
        let mut view = at_rest();
        view.pods.values_mut().for_each(|pod| pod.template = Template::Old);
        let first = view.pods.get_mut(&Ordinal(1)).unwrap();
        first.template = Template::Current;
        first.sight = if halted { Sight::Down } else { first.sight.clone() };
        let crashed = view.pods.get_mut(&Ordinal(3)).unwrap();
        (crashed.sight, crashed.unready) = (Sight::Down, Some(since));
        view
    };
    assert_eq!(told(&decide(&view(true, NOW))), [""; 0]);
    assert_eq!(told(&decide(&view(false, NOW))), ["restart pod 3"]);
    assert_eq!(told(&decide(&view(true, Time(1)))), ["restart pod 3"]);
}

/// All pods have run the newer series for long, and one of them dies, while the spec asks for the older one and nobody allows that.
#[test]
fn a_pod_that_crashes_while_a_downgrade_is_refused_comes_back_as_it_was() {
    let restarts = |series: Series| {
        let mut view = at_rest();
        view.pods.values_mut().for_each(|pod| pod.template = Template::Old);
        (0..6).filter(|pod| *pod != 3).for_each(|pod| server(&mut view, pod).version.series = Series::V9_1);
        let crashed = view.pods.get_mut(&Ordinal(3)).unwrap();
        (crashed.sight, crashed.unready) = (Sight::Down, Some(Time(1)));
        told(&plan(&Desired { series, ..desired(3, 1) }, &view, NOW))
    };
    assert_eq!(restarts(Series::V8_1), [""; 0]);
    assert_eq!(restarts(Series::V9_1), ["restart pod 3"]);
}

#[test]
fn a_pod_that_starts_over_and_over_has_halted_an_upgrade_however_lately_it_started() {
    let mut view = at_rest();
    view.pods.values_mut().for_each(|pod| pod.template = Template::Old);
    let first = view.pods.get_mut(&Ordinal(1)).unwrap();
    (first.template, first.sight, first.unready) = (Template::Current, Sight::Down, Some(Time(1)));
    assert_eq!(trouble(&decide(&view)), Some(&Trouble::UpgradeHalted { unhealthy: Ordinal(1) }));
}

#[test]
fn what_has_no_room_waits_for_a_restart_with_more() {
    let mut view = uneven();
    server(&mut view, 2).memory = 10_823 * 1000;
    server(&mut view, 0).max_memory = Some(50_000);
    server(&mut view, 0).memory = 50_000;
    view.pods.values_mut().for_each(|pod| pod.template = Template::Old);
    let plan = decide(&view);
    assert!(told(&plan).iter().any(|step| step.starts_with("restart pod")), "{plan:?}");
    assert!(matches!(trouble(&plan), Some(Trouble::NoRoom { .. })), "{plan:?}");
}

#[test]
fn a_shard_that_nobody_fills_hinders_no_upgrade() {
    let mut view = at_rest();
    let (empty, full) = (id(&view, 0), id(&view, 2));
    for row in &mut view.opinions[0].rows {
        if row.id == full {
            row.slots = SlotSet::range(0..=10_922);
        } else if row.id == empty {
            row.slots = SlotSet::EMPTY;
        }
    }
    view.pods.values_mut().for_each(|pod| pod.template = Template::Old);
    let by_hand = Desired { rebalance: false, canary: false, ..desired(3, 1) };
    let plan = plan(&by_hand, &view, NOW);
    assert!(told(&plan).contains(&"restart pod 1".to_owned()), "{plan:?}");
}

/// What does not get in sync on an old template may do so on the current one.
#[test]
fn no_member_restarts_while_a_slot_of_its_shard_stands_open() {
    let mut view = at_rest();
    server(&mut view, 1).link = Link::Syncing;
    let pod = view.pods.get_mut(&Ordinal(1)).unwrap();
    (pod.template, pod.unready) = (Template::Old, Some(Time(1)));
    assert_eq!(told(&decide(&view)), ["restart pod 1"]);
    let (here, there) = (id(&view, 0), id(&view, 2));
    server(&mut view, 0).open = vec![OpenSlot { slot: 7, to: Opening::Migrating(there) }];
    for pod in [2, 4] {
        server(&mut view, pod).open = vec![OpenSlot { slot: 7, to: Opening::Importing(here) }];
    }
    assert_eq!(told(&decide(&view)), [""; 0]);
}

/// The one that was applied first is the newer one, and whether its template may be started on is not known.
#[test]
fn no_pod_restarts_before_the_stateful_set_and_the_spec_are_of_one_rendering() {
    let mut view = at_rest();
    view.pods.values_mut().for_each(|pod| pod.template = Template::Old);
    assert!(told(&decide(&view)).iter().any(|step| step.starts_with("restart")));
    view.rendered = false;
    assert_eq!(told(&decide(&view)), [""; 0]);
    assert!(decide(&view).matters().iter().any(|matter| matter.to_string().contains("another spec")));
}

/// After a downgrade, files of the newer series keep it from starting.
#[test]
fn a_volume_is_given_up_only_while_all_who_own_slots_answer() {
    let mut view = at_rest();
    let pod = view.pods.get_mut(&Ordinal(1)).unwrap();
    (pod.sight, pod.unready) = (Sight::Down, Some(Time(1)));
    let restarts = |view: &View| {
        let plan = plan(&Desired { downgrade: true, ..desired(3, 1) }, view, NOW);
        told(&plan).into_iter().filter(|step| step.starts_with("restart")).collect::<Vec<_>>()
    };
    assert_eq!(restarts(&view), ["restart pod 1 on an empty volume"]);
    view.pods.get_mut(&Ordinal(4)).unwrap().sight = Sight::Silent;
    assert_eq!(restarts(&view), [""; 0]);
}

/// Two replicas are to be one, and one that is to stay does not get in sync: what mends that may be the current template.
#[test]
fn pods_restart_though_one_cannot_leave_before_another_is_in_sync() {
    let mut view = moment(desired(3, 2), &desired(3, 1), "reset pod 8");
    let head = server(&mut view, 8).follows();
    let stays = (0..6).find(|pod| server(&mut view, *pod).follows() == head).unwrap();
    server(&mut view, stays).link = Link::Syncing;
    view.pods.values_mut().for_each(|pod| pod.template = Template::Old);
    view.pods.get_mut(&Ordinal(stays)).unwrap().unready = Some(Time(1));
    let plan = plan(&Desired { canary: false, ..desired(3, 1) }, &view, NOW);
    assert!(told(&plan).contains(&"restart pod 1".to_owned()), "{plan:?}");
}
