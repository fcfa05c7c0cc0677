//! What is at rest, and what is set there without anyone noticing.

use std::collections::BTreeMap;
use std::sync::Arc;

use planner::{Desired, Ordinal, Place, Plan, Sight, Step, Template, Time, Trouble, View, plan};
use spec::Spread;
use world::look::NOW;
use world::scenario::desired;

use crate::support::{at_rest, server, target};
use crate::{astray, decide, told, told_of, trouble};

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
fn what_is_stuck_needs_help_whatever_is_waited_for_meanwhile() {
    let mut view = at_rest();
    view.pods.get_mut(&Ordinal(1)).unwrap().sight = Sight::Loading;
    assert!(!decide(&view).needs_help());
    let pod = view.pods.get_mut(&Ordinal(3)).unwrap();
    (pod.sight, pod.unready) = (Sight::Locked, Some(Time(0)));
    let plan = decide(&view);
    assert!(matches!(plan, Plan::Wait(..)) && plan.needs_help(), "{plan:?}");
}

/// As one does whose host is gone for good: somebody has to say that it is.
#[test]
fn a_pod_that_is_taken_down_and_does_not_go_needs_help_after_a_while() {
    let mut view = at_rest();
    let pod = view.pods.get_mut(&Ordinal(1)).unwrap();
    (pod.sight, pod.terminating, pod.unready) = (Sight::Silent, true, Some(NOW));
    assert!(!decide(&view).needs_help());
    view.pods.get_mut(&Ordinal(1)).unwrap().unready = Some(Time(0));
    assert_eq!(trouble(&decide(&view)), Some(&Trouble::Lingering));
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
fn primaries_in_one_zone_are_spread_by_failovers_at_rest() {
    let mut view = at_rest();
    let zone = |number: u8| Place { host: None, zone: Some(Arc::from(format!("zone-{number}"))) };
    for (pod, number) in [(0, 0), (1, 1), (2, 0), (3, 2), (4, 0), (5, 1)] {
        view.pods.get_mut(&Ordinal(pod)).unwrap().place = zone(number);
    }
    let plan = decide(&view);
    assert_eq!(plan.steps().len(), 1);
    assert!(matches!(plan.steps()[0], Step::Failover { replica, .. } if replica == target(&view, 1)), "{plan:?}");
    let anywhere = Desired { zone_spread: Spread::Off, ..desired(3, 1) };
    assert_eq!(told(&planner::plan(&anywhere, &view, NOW)), [""; 0], "where zones do not matter");
    // While an upgrade rests, a primary stays where it is: it would have to hand over once more.
    view.pods.get_mut(&Ordinal(5)).unwrap().template = Template::Old;
    assert_eq!(told(&planner::plan(&Desired { paused: true, ..desired(3, 1) }, &view, NOW)), [""; 0]);
}

#[test]
fn a_directive_is_tried_on_one_replica_before_the_others_get_it() {
    let mut view = at_rest();
    let settings = |clients: &str, hz: &str| {
        let both = [("maxclients", clients), ("hz", hz)].map(|(name, value)| (name.to_owned(), value.to_owned()));
        Arc::new(BTreeMap::from(both))
    };
    (0..6).for_each(|pod| server(&mut view, pod).settings = settings("100", "10"));
    let desired = Desired { settings: (*settings("200", "1000")).clone(), ..desired(3, 1) };
    let told = |view: &View| told(&plan(&desired, view, NOW));
    assert_eq!(told(&view), ["set hz, maxclients on pod 1"]);
    // The one is borne. The other one is not, and is no reason to keep the one from the others.
    server(&mut view, 1).settings = settings("200", "500");
    let others = [0, 2, 3, 4, 5].map(|pod| format!("set maxclients on pod {pod}"));
    assert_eq!(told(&view), [vec![others[0].clone(), "set hz on pod 1".to_owned()], others[1..].to_vec()].concat());
}

#[test]
fn volumes_grow_to_what_the_spec_says_and_never_shrink() {
    let mut view = at_rest();
    view.pods.get_mut(&Ordinal(0)).unwrap().volume = Some(1 << 30);
    view.pods.get_mut(&Ordinal(1)).unwrap().volume = Some(4 << 30);
    let desired = Desired { volume: Some(2 << 30), ..desired(3, 1) };
    assert_eq!(told(&plan(&desired, &view, NOW)), ["grow the volume of pod 0 to 2048 MiB"]);
}
