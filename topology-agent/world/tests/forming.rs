//! A cluster forms in as many rounds, however many nodes it has.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;

use planner::{NodeId, Ordinal, Plan, Role, Row, Server, Sight, Step, View, plan};
use world::calm::calm;
use world::large::view;
use world::look::NOW;
use world::scenario::{NEW, Scenario, desired};
use world::world::World;

fn server(view: &mut View, pod: u32) -> &mut Server {
    match &mut view.pods.get_mut(&Ordinal(pod)).unwrap().sight {
        Sight::Seen(server) => server,
        other => panic!("pod {pod} is {other:?}"),
    }
}

fn own_row<'a>(view: &'a mut View, server: &Server) -> &'a mut Row {
    view.opinions[server.opinion].rows.iter_mut().find(|row| row.id == server.id).unwrap()
}

/// Whoever is met knows from then on what those who meet it know, and they know it.
fn meet(view: &mut View, node: u32, peer: u32) {
    let (host, guest) = (server(view, node).opinion, server(view, peer).opinion);
    if host != guest {
        let rows = std::mem::take(&mut view.opinions[guest].rows);
        view.opinions[host].rows.extend(rows);
        view.opinions[host].rows.sort_by_key(|row| row.id);
        server(view, peer).opinion = host;
    }
}

fn follow(view: &mut View, replica: u32, primary: NodeId) {
    let (pod, history) = view
        .servers()
        .find(|(.., server)| server.id == primary)
        .map(|(pod, _, server)| (pod.0, server.history))
        .unwrap();
    let follower = server(view, replica);
    (follower.role, follower.history) = (Role::Replica(primary), history);
    let follower = follower.clone();
    own_row(view, &follower).role = Some(follower.role);
    server(view, pod).followers.insert(follower.id);
}

/// What comes of a step by the time of the next look, if all goes well.
fn perform(view: &mut View, step: Step) {
    match step {
        Step::SetConfigEpoch { node, epoch } => {
            server(view, node.pod.0).epoch = epoch;
            let server = server(view, node.pod.0).clone();
            own_row(view, &server).epoch = epoch;
        }
        Step::Meet { node, peer, .. } => meet(view, node.pod.0, peer.pod.0),
        Step::AddSlots { node, slots } => {
            let server = server(view, node.pod.0).clone();
            own_row(view, &server).slots = slots;
        }
        Step::Replicate { node, primary } => follow(view, node.pod.0, primary),
        Step::Label { pod, labels } => view.pods.get_mut(&pod).unwrap().labels = labels,
        other => panic!("{other} is no part of forming"),
    }
}

/// The kinds of steps of each round, until there is nothing left to do.
fn rounds(shards: u16) -> Vec<Vec<&'static str>> {
    let mut view = view(u32::from(shards), false);
    let mut rounds = Vec::new();
    while rounds.len() < 20 {
        match plan(&desired(shards, 1), &view, NOW) {
            Plan::Do(round, _) => {
                let kinds: BTreeSet<&str> = round.0.iter().map(Step::kind).collect();
                rounds.push(kinds.into_iter().collect());
                round.0.into_iter().for_each(|step| perform(&mut view, step));
            }
            Plan::Done => return rounds,
            other => panic!("{other:?}"),
        }
    }
    panic!("20 rounds are not enough: {rounds:?}");
}

/// The same in a world, where nodes hear from each other one by one; there, the first round asks for the pods.
fn rounds_in_a_world(shards: u16) -> u32 {
    let specs = vec![(desired(shards, 1), NEW)];
    let scenario = Scenario { name: "forming", specs, wanders: false, hosts: 3, faults: vec![], stuck: vec![] };
    let outcome = calm(&mut World::blank(usize::from(shards) * 2), &scenario, 20);
    assert_eq!(outcome.plan, Plan::Done);
    outcome.rounds - 1
}

#[test]
fn six_nodes_sixty_and_six_hundred_form_in_as_many_rounds() {
    // A replica that followed before all know who owns what could not take over.
    let course =
        [vec!["SetConfigEpoch"], vec!["AddSlots", "Label"], vec!["Label", "Meet"], vec!["Replicate"], vec!["Label"]];
    for shards in [3, 30, 300] {
        assert_eq!(rounds(shards), course, "{shards} shards");
    }
    assert_eq!([3, 30].map(rounds_in_a_world), [5; 2]);
}

#[test]
fn no_slots_are_handed_out_while_a_node_is_not_known_to_all() {
    let mut view = view(3, false);
    (0..6).for_each(|pod| server(&mut view, pod).epoch = u64::from(pod) + 1);
    (1..5).for_each(|pod| meet(&mut view, 0, pod));
    let plan = plan(&desired(3, 1), &view, NOW);
    assert_eq!(plan.steps().iter().map(Step::kind).collect::<Vec<_>>(), ["Meet"]);
}
