//! What is decided where a model has nothing to say: strangers, open slots, room, retries, directives, zones.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on has failed")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use planner::{
    Desired, Job, JobState, Link, Matter, Migration, OpenSlot, Opening, Ordinal, Place, Plan, Role, Row, Sight,
    SlotSet, Span, Step, Template, Time, Trouble, View, plan,
};
use spec::{Series, Version};
use support::{at_rest, id, server, target};
use world::calm::{calm, course};
use world::look::{NOW, identity, look};
use world::scenario::{NEW, Scenario, desired};
use world::world::World;

fn decide(view: &View) -> Plan {
    plan(&desired(3, 1), view, NOW)
}

fn told(plan: &Plan) -> Vec<String> {
    plan.steps().iter().map(ToString::to_string).collect()
}

fn trouble(plan: &Plan) -> Option<&Trouble> {
    plan.matters().iter().find_map(|matter| match matter {
        Matter::Stuck { why, .. } => Some(why),
        Matter::Waiting { .. } => None,
    })
}

/// Slots of the first shard pass to the second, so that there is something to even out.
fn uneven() -> View {
    let mut view = at_rest();
    let (first, second) = (id(&view, 0), id(&view, 2));
    for row in view.opinions.iter_mut().flat_map(|opinion| &mut opinion.rows) {
        if row.id == first {
            row.slots = SlotSet::range(0..=99);
        } else if row.id == second {
            row.slots = SlotSet::range(100..=10_922);
        }
    }
    (0..6).for_each(|pod| server(&mut view, pod).keys = 100);
    view
}

fn migrations(plan: &Plan) -> Vec<(u16, Migration)> {
    let moves = plan.steps().iter().filter_map(|step| match step {
        Step::Migrate { slots, how, .. } => Some((slots.len(), *how)),
        _ => None,
    });
    moves.collect()
}

#[test]
fn at_rest_there_is_nothing_to_do() {
    assert_eq!(decide(&at_rest()), Plan::Done);
}

#[test]
fn a_cluster_of_which_a_server_refuses_clients_is_not_yet_at_rest() {
    let mut view = at_rest();
    server(&mut view, 2).refuses = true;
    let plan = decide(&view);
    assert!(matches!(plan, Plan::Wait(..)), "{plan:?}");
    let why = "pod 2: waiting, its server refuses clients, for it takes the cluster to be down";
    assert_eq!(plan.matters().iter().map(ToString::to_string).collect::<Vec<_>>(), [why]);
}

#[test]
fn slots_move_only_to_a_primary_that_serves_clients() {
    let mut view = uneven();
    assert!(!migrations(&decide(&view)).is_empty());
    (0..6).for_each(|pod| server(&mut view, pod).refuses = true);
    let plan = decide(&view);
    assert_eq!(migrations(&plan), []);
    let waits = plan.matters().iter().map(ToString::to_string);
    assert!(waits.into_iter().any(|wait| wait.starts_with("pod 0: waiting, its server refuses clients")), "{plan:?}");
}

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
fn a_pod_that_is_being_taken_down_is_not_restarted_again() {
    let restarts = |terminating| {
        let mut view = at_rest();
        let pod = view.pods.get_mut(&Ordinal(1)).unwrap();
        (pod.template, pod.terminating) = (Template::Old, terminating);
        decide(&view).steps().iter().filter(|step| matches!(step, Step::DeletePod { .. })).count()
    };
    assert_eq!((restarts(false), restarts(true)), (1, 0));
}

#[test]
fn a_cluster_of_which_a_server_does_not_know_where_to_send_clients_is_not_yet_at_rest() {
    let mut view = at_rest();
    astray(&mut view, 0, 2).pod = None;
    let why = "pod 2: waiting, not every server knows its name and address, and where to send clients";
    assert_eq!(told_of(&decide(&view)), [why]);
    // Pod 0 has its former address: it hears of the new one from itself.
    let mut view = at_rest();
    astray(&mut view, 0, 2).address = Some([10, 0, 9, 9].into());
    assert_eq!(told_of(&decide(&view)), [why]);
}

#[test]
fn two_that_restarted_side_by_side_are_told_where_the_other_is() {
    let mut view = at_rest();
    astray(&mut view, 1, 3).address = Some([10, 0, 9, 9].into());
    astray(&mut view, 3, 1).address = Some([10, 0, 9, 9].into());
    let address = view.pods[&Ordinal(3)].address.unwrap();
    assert_eq!(told(&decide(&view)), [format!("introduce pod 1 to pod 3 at {address}")]);
}

/// The row that the server of a pod, with an opinion of its own from now on, has of another's.
fn astray(view: &mut View, pod: u32, other: u32) -> &mut Row {
    let (own, other) = (view.opinions.len(), id(view, other));
    let former = server(view, pod).opinion;
    view.opinions.push(view.opinions[former].clone());
    server(view, pod).opinion = own;
    view.opinions[own].rows.iter_mut().find(|row| row.id == other).unwrap()
}

fn told_of(plan: &Plan) -> Vec<String> {
    assert!(matches!(plan, Plan::Wait(..)), "{plan:?}");
    plan.matters().iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_stuck_needs_help_whatever_is_waited_for_meanwhile() {
    let mut view = at_rest();
    view.pods.get_mut(&Ordinal(1)).unwrap().sight = Sight::Loading;
    assert!(!decide(&view).needs_help());
    let pod = view.pods.get_mut(&Ordinal(3)).unwrap();
    (pod.sight, pod.unready) = (Sight::Locked, Some(Time(0)));
    let plan = decide(&view);
    assert!(matches!(plan, Plan::Wait(..)) && plan.needs_help(), "{plan:?}");
}

#[test]
fn a_node_greets_the_primary_that_it_is_to_follow_where_it_has_not_heard_of_it() {
    let mut view = at_rest();
    let [owner, head, member] = [0, 2, 3].map(|pod| id(&view, pod));
    for row in &mut view.opinions[0].rows {
        if row.id == head {
            row.slots = SlotSet::EMPTY;
        } else if row.id == owner {
            row.slots = SlotSet::range(0..=10_922);
        } else if row.id == member {
            row.role = Some(Role::Primary);
        }
    }
    server(&mut view, 2).keys = 0;
    let follower = server(&mut view, 3);
    (follower.role, follower.link, follower.keys) = (Role::Primary, Link::Never, 0);
    let greets = |view: &View| told(&decide(view)).contains(&"introduce pod 3 to pod 2 at 10.0.1.2".to_owned());
    let follows = format!("make pod 3 a replica of {}", head.short());
    assert!(told(&decide(&view)).contains(&follows) && !greets(&view), "{:?}", decide(&view));
    let mut opinion = view.opinions[0].clone();
    opinion.rows.retain(|row| row.id != head);
    view.opinions.push(opinion);
    server(&mut view, 3).opinion = 1;
    assert!(!told(&decide(&view)).contains(&follows) && greets(&view), "{:?}", decide(&view));
}

#[test]
fn a_stranger_freezes_everything_and_is_named() {
    let mut view = uneven();
    let stranger =
        Row { id: identity(99), pod: None, address: None, slots: SlotSet::EMPTY, ..view.opinions[0].rows[0].clone() };
    view.opinions[0].rows.push(stranger);
    let plan = decide(&view);
    assert!(matches!(&plan, Plan::Stuck(_)), "{plan:?}");
    assert_eq!(trouble(&plan), Some(&Trouble::ForeignNodes(vec![identity(99)])));
}

#[test]
fn slots_move_at_once_between_sound_servers_and_key_by_key_between_others() {
    let version = |patch, series| Version { series, patch: Some(patch) };
    let cases = [
        (version(2, Series::V9_1), 8, Migration::Atomic),
        (version(1, Series::V9_1), 8, Migration::Classic),
        (version(1, Series::V9_1), 1, Migration::Atomic),
        (version(0, Series::V9_0), 1, Migration::Atomic),
        (version(9, Series::V8_1), 1, Migration::Classic),
    ];
    for (version, threads, how) in cases {
        let mut view = uneven();
        server(&mut view, 0).version = version;
        server(&mut view, 0).io_threads = threads;
        assert_eq!(migrations(&decide(&view)).first().map(|(_, how)| *how), Some(how), "{version} {threads}");
    }
}

#[test]
fn no_more_moves_than_the_target_has_room_for() {
    let mut view = uneven();
    server(&mut view, 2).memory = 10_823 * 1000;
    server(&mut view, 0).memory = 50_000;
    server(&mut view, 0).max_memory = Some(200_000);
    let some = migrations(&decide(&view));
    assert_eq!(some, [(110, Migration::Atomic)]);
    server(&mut view, 0).max_memory = Some(50_000);
    let plan = decide(&view);
    assert!(migrations(&plan).is_empty() && matches!(trouble(&plan), Some(Trouble::NoRoom { .. })), "{plan:?}");
}

/// A cluster at rest that is to have three shards of two pods from now on.
fn shrinking(from: Desired) -> (World, Scenario) {
    let mut world = World::blank(usize::try_from(from.pods()).unwrap());
    let specs = vec![(from, NEW), (desired(3, 1), NEW)];
    let scenario = Scenario { name: "shrinking", specs, wanders: false, hosts: 3, faults: vec![], stuck: vec![] };
    let _ = calm(&mut world, &scenario, 40);
    world.spec = 1;
    (world, scenario)
}

#[test]
fn pods_restart_with_more_memory_though_a_shard_cannot_be_dissolved_without() {
    let (world, scenario) = shrinking(desired(4, 1));
    let mut view = look(&world, &scenario, false);
    assert_eq!(migrations(&decide(&view)).len(), 1);
    for pod in [0, 2, 4, 6] {
        let server = server(&mut view, pod);
        (server.keys, server.memory, server.max_memory) = (100, 1 << 20, Some(1 << 20));
    }
    assert!(matches!(trouble(&decide(&view)), Some(Trouble::NoRoom { .. })));
    view.pods.values_mut().for_each(|pod| pod.template = Template::Old);
    assert_eq!(told(&decide(&view)), ["restart pod 1"]);
}

#[test]
fn a_migration_that_failed_is_tried_again_later_and_later_and_somebody_is_told() {
    let mut view = uneven();
    let to = id(&view, 0);
    let failed = |ago: Span| Job {
        target: to,
        slots: SlotSet::range(100..=199),
        state: JobState::Failed,
        updated: Time(NOW.0 - ago.0),
    };
    server(&mut view, 2).jobs = vec![failed(Span::seconds(1))];
    assert!(migrations(&decide(&view)).is_empty());
    server(&mut view, 2).jobs = vec![failed(Span::seconds(10))];
    assert_eq!(migrations(&decide(&view)).len(), 1);
    server(&mut view, 2).jobs = vec![failed(Span::seconds(10)); 6];
    let plan = decide(&view);
    assert!(migrations(&plan).is_empty());
    assert_eq!(trouble(&plan), Some(&Trouble::MigrationFailing { times: 6 }));
}

#[test]
fn a_slot_that_is_half_moved_is_carried_on_with_and_an_empty_one_is_closed() {
    let mut half = at_rest();
    let (source, destination) = (id(&half, 0), id(&half, 2));
    server(&mut half, 0).open = vec![OpenSlot { slot: 7, to: Opening::Migrating(destination) }];
    server(&mut half, 2).strays = SlotSet::range(7..=7);
    assert_eq!(told(&decide(&half)), ["move slot 7 from pod 0 to pod 2, key by key"]);
    let mut empty = at_rest();
    server(&mut empty, 0).open = vec![OpenSlot { slot: 7, to: Opening::Migrating(destination) }];
    assert_eq!(told(&decide(&empty)), ["close slot 7 on pod 0"]);
    let mut imported = at_rest();
    server(&mut imported, 2).open = vec![OpenSlot { slot: 7, to: Opening::Importing(source) }];
    assert_eq!(told(&decide(&imported)), ["close slot 7 on pod 2"]);
    let mut tangled = half;
    server(&mut tangled, 4).open = vec![OpenSlot { slot: 7, to: Opening::Importing(source) }];
    assert_eq!(trouble(&decide(&tangled)), Some(&Trouble::TangledSlot { slot: 7 }));
}

#[test]
fn directives_are_set_where_they_differ_and_memory_by_the_limit_of_each_pod() {
    let mut view = at_rest();
    let settings = |value: &str| BTreeMap::from([("maxmemory-policy".to_owned(), value.to_owned())]);
    (0..6).for_each(|pod| server(&mut view, pod).settings = Arc::new(settings("noeviction")));
    server(&mut view, 3).settings = Arc::new(settings("allkeys-lru"));
    view.pods.get_mut(&Ordinal(4)).unwrap().memory_limit = Some(1000);
    server(&mut view, 4).max_memory = Some(700);
    view.pods.get_mut(&Ordinal(5)).unwrap().memory_limit = Some(2000);
    server(&mut view, 5).max_memory = Some(700);
    let desired = Desired { settings: settings("noeviction"), ..desired(3, 1) };
    let plan = plan(&desired, &view, NOW);
    assert_eq!(told(&plan), ["set maxmemory-policy on pod 3", "set maxmemory on pod 5"]);
}

#[test]
fn slots_without_an_owner_go_back_to_the_node_that_holds_their_keys() {
    let mut view = at_rest();
    let first = id(&view, 0);
    for row in view.opinions.iter_mut().flat_map(|opinion| &mut opinion.rows).filter(|row| row.id == first) {
        row.slots = SlotSet::range(10..=5461);
    }
    (0..6).for_each(|pod| server(&mut view, pod).keys = 1);
    server(&mut view, 0).strays = SlotSet::range(0..=9);
    assert_eq!(told(&decide(&view)), ["give pod 0 10 slots (0-9)"]);
    server(&mut view, 2).strays = SlotSet::range(0..=3);
    let plan = decide(&view);
    assert_eq!(trouble(&plan), Some(&Trouble::KeysDisputed { slots: SlotSet::range(0..=3) }));
    assert_eq!(told(&plan), ["give pod 0 6 slots (4-9)"]);
}

#[test]
fn keys_say_more_of_where_slots_were_than_others_do() {
    let mut view = at_rest();
    (0..6).for_each(|pod| server(&mut view, pod).keys = 1);
    // The others still take pod 2 for their owner, which does not, and pod 4 holds keys of some.
    astray(&mut view, 2, 2).slots = SlotSet::range(5472..=10_922);
    assert_eq!(told(&decide(&view)), ["give pod 2 10 slots (5462-5471)"]);
    server(&mut view, 4).strays = SlotSet::range(5462..=5465);
    assert_eq!(told(&decide(&view)), ["give pod 2 6 slots (5466-5471)", "give pod 4 4 slots (5462-5465)"]);
}

#[test]
fn keys_where_nobody_finds_them_are_told_of_and_stay_where_they_are() {
    let mut view = at_rest();
    server(&mut view, 0).strays = SlotSet::range(16_000..=16_001);
    let plan = decide(&view);
    assert_eq!(trouble(&plan), Some(&Trouble::StrayKeys { slots: SlotSet::range(16_000..=16_001) }));
    // As a server takes it that comes back with keys of a slot that it gave away.
    let owner = id(&view, 4);
    server(&mut view, 0).strays = SlotSet::range(16_000..=16_000);
    server(&mut view, 0).open = vec![OpenSlot { slot: 16_000, to: Opening::Importing(owner) }];
    let plan = decide(&view);
    assert_eq!(trouble(&plan), Some(&Trouble::StrayKeys { slots: SlotSet::range(16_000..=16_000) }));
    assert_eq!(told(&plan), [""; 0]);
}

#[test]
fn a_slot_that_cannot_be_settled_hinders_no_other_shard() {
    let mut view = at_rest();
    let [source, target] = [0, 2].map(|pod| id(&view, pod));
    server(&mut view, 0).open = vec![OpenSlot { slot: 7, to: Opening::Migrating(target) }];
    for pod in [2, 4] {
        server(&mut view, pod).open = vec![OpenSlot { slot: 7, to: Opening::Importing(source) }];
    }
    (0..6).for_each(|pod| server(&mut view, pod).keys = 1);
    let lost = id(&view, 5);
    view.opinions[0].rows.iter_mut().find(|row| row.id == lost).unwrap().role = Some(Role::Primary);
    (server(&mut view, 5).role, server(&mut view, 5).keys) = (Role::Primary, 0);
    let plan = decide(&view);
    assert!(matches!(trouble(&plan), Some(Trouble::TangledSlot { slot: 7 })), "{plan:?}");
    assert!(told(&plan).iter().any(|step| step.starts_with("make pod 5 a replica of")), "{plan:?}");
}

#[test]
fn primaries_in_one_zone_are_spread_by_failovers_at_rest() {
    let mut view = at_rest();
    let zone = |number: u8| Place { host: None, zone: Some(Arc::from(format!("zone-{number}"))) };
    for (pod, number) in [(0, 0), (1, 1), (2, 0), (3, 2), (4, 0), (5, 1)] {
        view.pods.get_mut(&Ordinal(pod)).unwrap().place = zone(number);
    }
    let plan = decide(&view);
    assert_eq!(plan.steps().len(), 1);
    assert!(matches!(plan.steps()[0], Step::Failover { replica, .. } if replica == target(&view, 1)), "{plan:?}");
    // While an upgrade rests, a primary stays where it is: it would have to hand over once more.
    view.pods.get_mut(&Ordinal(5)).unwrap().template = Template::Old;
    assert_eq!(told(&planner::plan(&Desired { paused: true, ..desired(3, 1) }, &view, NOW)), [""; 0]);
}

#[test]
fn a_directive_is_tried_on_one_replica_before_the_others_get_it() {
    let mut view = at_rest();
    let settings = |value: &str| Arc::new(BTreeMap::from([("maxclients".to_owned(), value.to_owned())]));
    (0..6).for_each(|pod| server(&mut view, pod).settings = settings("100"));
    let desired = Desired { settings: (*settings("200")).clone(), ..desired(3, 1) };
    let told = |view: &View| told(&plan(&desired, view, NOW));
    assert_eq!(told(&view), ["set maxclients on pod 1"]);
    server(&mut view, 1).settings = settings("200");
    assert_eq!(told(&view), [0, 2, 3, 4, 5].map(|pod| format!("set maxclients on pod {pod}")));
}

#[test]
fn nobody_hands_over_to_a_pod_that_is_being_taken_down() {
    let hands_over = |terminating: bool| {
        let mut view = at_rest();
        view.pods.get_mut(&Ordinal(0)).unwrap().template = Template::Old;
        view.pods.get_mut(&Ordinal(1)).unwrap().terminating = terminating;
        decide(&view).steps().iter().any(Step::is_vote)
    };
    assert!(hands_over(false) && !hands_over(true));
}

#[test]
fn volumes_grow_to_what_the_spec_says_and_never_shrink() {
    let mut view = at_rest();
    view.pods.get_mut(&Ordinal(0)).unwrap().volume = Some(1 << 30);
    view.pods.get_mut(&Ordinal(1)).unwrap().volume = Some(4 << 30);
    let desired = Desired { volume: Some(2 << 30), ..desired(3, 1) };
    assert_eq!(told(&plan(&desired, &view, NOW)), ["grow the volume of pod 0 to 2048 MiB"]);
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
fn a_replica_that_never_gets_in_sync_is_told_of_and_one_that_is_about_to_is_not() {
    let told = |unready: Time| {
        let mut view = at_rest();
        server(&mut view, 1).link = Link::Syncing;
        view.pods.get_mut(&Ordinal(1)).unwrap().unready = Some(unready);
        trouble(&decide(&view)).cloned()
    };
    assert_eq!(told(NOW), None);
    assert_eq!(told(Time(1)), Some(Trouble::SyncTimedOut));
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
fn a_fifth_of_what_a_target_may_hold_stays_free() {
    let mut view = uneven();
    server(&mut view, 2).memory = 10_823 * 1000;
    server(&mut view, 0).memory = 159_500;
    server(&mut view, 0).max_memory = Some(200_000);
    assert_eq!(migrations(&decide(&view)), []);
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

#[test]
fn no_replica_takes_over_that_has_much_yet_to_receive() {
    let hands_over = |behind: u64| {
        let mut view = at_rest();
        for pod in [0, 2, 4] {
            view.pods.get_mut(&Ordinal(pod)).unwrap().template = Template::Old;
            server(&mut view, pod).offset = behind;
        }
        (1..6).step_by(2).for_each(|pod| server(&mut view, pod).offset = 0);
        decide(&view).steps().iter().any(Step::is_vote)
    };
    assert!(hands_over(1 << 20) && !hands_over(1 << 30));
}

#[test]
fn a_primary_that_cannot_write_to_its_disk_hands_over_to_a_replica_that_can() {
    let hands_over = |failing: &[u32]| {
        let mut view = at_rest();
        failing.iter().for_each(|pod| server(&mut view, *pod).disk_fails = true);
        let plan = decide(&view);
        assert_eq!(trouble(&plan), Some(&Trouble::DiskFails));
        told(&plan)
    };
    assert_eq!(hands_over(&[2]), ["let pod 3 take over from 00000003"]);
    assert_eq!(hands_over(&[2, 3]), [""; 0]);
    assert_eq!(hands_over(&[3]), [""; 0]);
}

#[test]
fn members_change_places_one_at_a_time() {
    let swapped = |syncing: bool| {
        let mut view = at_rest();
        let heads = [0, 2].map(|pod| id(&view, pod));
        for (pod, head) in [(1, heads[1]), (3, heads[0])] {
            let moved = id(&view, pod);
            server(&mut view, pod).role = Role::Replica(head);
            view.opinions[0].rows.iter_mut().find(|row| row.id == moved).unwrap().role = Some(Role::Replica(head));
        }
        for (pod, follower) in [(0, 3), (2, 1)] {
            let follower = id(&view, follower);
            server(&mut view, pod).followers = [follower].into();
        }
        for pod in [0, 1] {
            view.pods.get_mut(&Ordinal(pod)).unwrap().place.host = Some(format!("apart-{pod}").into());
        }
        for pod in [0, 3] {
            view.pods.get_mut(&Ordinal(pod)).unwrap().place.host = Some("shared".into());
        }
        if syncing {
            server(&mut view, 5).link = Link::Syncing;
        }
        told(&decide(&view)).iter().filter(|step| step.contains("a replica of")).count()
    };
    assert_eq!((swapped(false), swapped(true)), (1, 0));
}

#[test]
fn what_comes_from_an_earlier_cluster_of_the_same_name_is_told_of_and_left_alone() {
    let mut view = at_rest();
    (0..6).for_each(|pod| server(&mut view, pod).keys = 100);
    let former = |pod: u8, slots: SlotSet| Row {
        id: identity(80 + pod),
        pod: Some(Ordinal(pod.into())),
        epoch: 99,
        slots,
        ..view.opinions[0].rows[0].clone()
    };
    let rows = vec![former(0, SlotSet::range(0..=8191)), former(6, SlotSet::range(8192..=16_383))];
    let mut pod = view.pods[&Ordinal(0)].clone();
    let Sight::Seen(stale) = &mut pod.sight else { panic!("not seen") };
    (stale.id, stale.opinion, stale.keys, stale.epoch) = (identity(86), view.opinions.len(), 5, 99);
    stale.followers.clear();
    pod.address = Some([10, 0, 1, 66].into());
    view.opinions.push(planner::Opinion { rows });
    view.pods.insert(Ordinal(6), pod);
    view.scale = 8;
    let plan = plan(&desired(4, 1), &view, NOW);
    assert_eq!(trouble(&plan), Some(&Trouble::StaleMember { keys: 5 }), "{plan:?}");
    assert_eq!(told(&plan), [""; 0]);
}

#[test]
fn a_node_that_is_gone_is_forgotten_by_all_once_nobody_is_lost() {
    let mut view = at_rest();
    let gone = Row { id: identity(90), ..view.opinions[0].row(id(&view, 1)).unwrap().clone() };
    view.opinions[0].rows.push(gone);
    let forget = |pod: u32| format!("let pod {pod} forget {}", identity(90).short());
    assert_eq!(told(&decide(&view)), (0..6).map(forget).collect::<Vec<_>>());
    view.pods.values_mut().for_each(|pod| pod.address = Some([10, 0, 9, 9].into()));
    assert_eq!(told(&decide(&view)), [2, 4].map(|pod| format!("introduce pod 0 to pod {pod} at 10.0.9.9")));
}

#[test]
fn a_replica_leaves_only_when_those_that_stay_are_in_sync() {
    let (world, scenario) = shrinking(desired(3, 2));
    let leaves = |view: &View| told(&decide(view)).contains(&"reset pod 8".to_owned());
    let moments = course(&world, &scenario, 40);
    let mut view = moments.iter().map(|world| look(world, &scenario, false)).find(leaves).unwrap();
    let head = server(&mut view, 8).follows();
    let stays = (0..6).find(|pod| server(&mut view, *pod).follows() == head).unwrap();
    server(&mut view, stays).link = Link::Never;
    assert!(!leaves(&view));
}

#[test]
fn a_replica_that_was_not_connected_does_not_take_over_from_what_may_still_have_more() {
    let lost = |link: Link| {
        let mut view = at_rest();
        (0..6).for_each(|pod| server(&mut view, pod).keys = 1);
        for (primary, replica) in [(0, 1), (2, 3)] {
            let pod = view.pods.get_mut(&Ordinal(primary)).unwrap();
            (pod.sight, pod.address, pod.unready) = (Sight::Down, None, Some(Time(1)));
            server(&mut view, replica).link = link;
        }
        told(&plan(&Desired { persistent: false, ..desired(3, 1) }, &view, NOW))
    };
    assert_eq!(lost(Link::Down(NOW)).len(), 1);
    assert_eq!(lost(Link::Never), [""; 0]);
}
