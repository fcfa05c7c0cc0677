//! Who belongs to the cluster, and where the others are.

use planner::{Link, Ordinal, Plan, Role, Row, Sight, SlotSet, Trouble, View, plan};
use world::look::{NOW, identity};
use world::scenario::desired;

use crate::support::{at_rest, id, server};
use crate::{astray, decide, told, trouble, uneven};

#[test]
fn two_that_restarted_side_by_side_are_told_where_the_other_is() {
    let mut view = at_rest();
    astray(&mut view, 1, 3).address = Some([10, 0, 9, 9].into());
    astray(&mut view, 3, 1).address = Some([10, 0, 9, 9].into());
    let address = view.pods[&Ordinal(3)].address.unwrap();
    assert_eq!(told(&decide(&view)), [format!("introduce pod 1 to pod 3 at {address}")]);
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
    assert_eq!(trouble(&plan), Some(&Trouble::StaleMember), "{plan:?}");
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
