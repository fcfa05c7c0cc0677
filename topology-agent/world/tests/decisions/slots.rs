//! Slots, the keys in them, and where they go.

use planner::{Job, JobState, Migration, OpenSlot, Opening, Role, SlotSet, Span, Time, Trouble};
use spec::{Series, Version};
use world::look::NOW;

use crate::support::{at_rest, id, server};
use crate::{astray, decide, migrations, told, trouble, uneven};

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
fn a_fifth_of_what_a_target_may_hold_stays_free() {
    let mut view = uneven();
    server(&mut view, 2).memory = 10_823 * 1000;
    server(&mut view, 0).memory = 159_500;
    server(&mut view, 0).max_memory = Some(200_000);
    assert_eq!(migrations(&decide(&view)), []);
}

#[test]
fn an_open_slot_is_left_alone_while_servers_do_not_agree_who_owns_what() {
    let mut view = at_rest();
    server(&mut view, 0).open = vec![OpenSlot { slot: 7, to: Opening::Migrating(id(&view, 2)) }];
    assert_eq!(told(&decide(&view)), ["close slot 7 on pod 0"]);
    astray(&mut view, 5, 0).slots = SlotSet::range(0..=99);
    assert_eq!(told(&decide(&view)), [""; 0]);
}
