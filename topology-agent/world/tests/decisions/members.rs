//! Who follows whom, takes over from whom, and leaves.

use planner::{Desired, Link, Ordinal, Role, Row, Sight, Step, Template, Time, Trouble, View, plan};
use world::look::{NOW, identity, look};
use world::scenario::desired;

use crate::support::{at_rest, id, server};
use crate::{changing, decide, follow, moment, told, trouble};

#[test]
fn nobody_hands_over_to_a_pod_that_is_being_taken_down() {
    let hands_over = |terminating: bool| {
        let mut view = at_rest();
        server(&mut view, 0).disk_fails = true;
        view.pods.get_mut(&Ordinal(1)).unwrap().terminating = terminating;
        decide(&view).steps().iter().any(Step::is_vote)
    };
    assert!(hands_over(false) && !hands_over(true));
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
fn a_replica_leaves_only_when_those_that_stay_are_in_sync() {
    let leaves = |view: &View| told(&decide(view)).contains(&"reset pod 8".to_owned());
    let mut view = moment(desired(3, 2), &desired(3, 1), "reset pod 8");
    let head = server(&mut view, 8).follows();
    let stays = (0..6).find(|pod| server(&mut view, *pod).follows() == head).unwrap();
    server(&mut view, stays).link = Link::Never;
    assert!(!leaves(&view));
}

#[test]
fn no_copy_of_a_primary_leaves_that_owns_nothing_any_more_and_holds_keys_yet() {
    let mut view = moment(desired(4, 1), &desired(3, 1), "reset pod 7");
    server(&mut view, 6).keys = 5;
    let plan = decide(&view);
    assert_eq!((told(&plan), trouble(&plan)), (Vec::new(), Some(&Trouble::KeysLeft)));
}

/// Somebody deleted it, say, and Kubernetes has not made it again yet.
#[test]
fn pods_leave_though_one_is_not_listed_and_only_if_nobody_knows_its_node() {
    let leave = "set the number of pods to 6".to_owned();
    let mut view = moment(desired(4, 1), &desired(3, 1), &leave);
    view.pods.remove(&Ordinal(7));
    assert!(told(&decide(&view)).contains(&leave));
    let led = Row { id: identity(90), pod: Some(Ordinal(7)), ..view.opinions[0].rows[1].clone() };
    view.opinions
        .iter_mut()
        .filter(|opinion| opinion.rows.len() > 1)
        .for_each(|opinion| opinion.rows.push(led.clone()));
    assert!(!told(&decide(&view)).contains(&leave));
}

/// It stands beside its primary, so that its place is in a new shard.
#[test]
fn no_shard_gives_its_only_copy_away_to_lead_another() {
    let (from, to) = (desired(3, 2), desired(4, 1));
    let mut view = moment(from, &to, "reset pod 2");
    follow(&mut view, 1, 4);
    let beside = view.pods[&Ordinal(0)].place.clone();
    view.pods.get_mut(&Ordinal(2)).unwrap().place = beside;
    assert_eq!(told(&plan(&to, &view, NOW)), ["reset pod 5"]);
}

#[test]
fn a_primary_that_owns_nothing_and_holds_keys_follows_nobody() {
    let follows = |keys: u64| {
        let mut view = at_rest();
        let (head, lone) = (id(&view, 0), id(&view, 1));
        (server(&mut view, 1).role, server(&mut view, 1).keys) = (Role::Primary, keys);
        server(&mut view, 0).followers.clear();
        let rows = view.opinions.iter_mut().flat_map(|opinion| &mut opinion.rows);
        rows.filter(|row| row.id == lone).for_each(|row| row.role = Some(Role::Primary));
        let plan = decide(&view);
        let follows = told(&plan).contains(&format!("make pod 1 a replica of {}", head.short()));
        (follows, trouble(&plan).cloned())
    };
    assert_eq!(follows(0), (true, None));
    assert_eq!(follows(7), (false, Some(Trouble::KeysLeft)));
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

/// Two of three primaries are gone for good, those of pods 0 to 2 and 3 to 5, and so is the vote.
fn without_quorum() -> View {
    let (world, scenario) = changing(desired(3, 2), desired(3, 2));
    let mut view = look(&world, &scenario, false);
    for pod in 0..9 {
        let server = server(&mut view, pod);
        (server.keys, server.link, server.offset) = (1, Link::Down(NOW), pod.into());
        if server.role == Role::Primary && pod < 6 {
            let pod = view.pods.get_mut(&Ordinal(pod)).unwrap();
            (pod.sight, pod.address, pod.unready) = (Sight::Down, None, Some(Time(1)));
        }
    }
    view
}

#[test]
fn without_a_vote_the_replica_with_most_takes_over_once_all_have_answered() {
    let mut view = without_quorum();
    let steps = |view: &View| told(&plan(&Desired { persistent: false, ..desired(3, 2) }, view, NOW));
    let takes_over =
        |pod: u32, steps: Vec<String>| steps.len() == 1 && steps[0].starts_with(&format!("let pod {pod} take over"));
    assert!(takes_over(2, steps(&view)), "{:?}", steps(&view));
    view.pods.get_mut(&Ordinal(1)).unwrap().sight = Sight::Silent;
    assert!(takes_over(5, steps(&view)), "{:?}", steps(&view));
    view.pods.get_mut(&Ordinal(3)).unwrap().sight = Sight::Silent;
    assert_eq!(steps(&view), [""; 0]);
}
