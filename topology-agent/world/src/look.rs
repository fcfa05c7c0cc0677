//! What the agent sees of the world.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use planner::{
    Health as Seen, Job, JobState, Link, NodeId, Opinion, Ordinal, Place, Pod as SeenPod, Role, Row as SeenRow, Server,
    Sight, SlotSet, Template, Time, View,
};
use spec::{Series, Version};

use crate::scenario::Scenario;
use crate::world::{Health, Id, Link as WorldLink, Node, Phase, Pod, Row, World};

/// The moment at which every look is taken.
pub const NOW: Time = Time(10_000_000);

/// The identity of a number.
#[must_use]
pub const fn identity(id: Id) -> NodeId {
    NodeId::numbered(id as u32)
}

fn address(pod: u8, generation: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, generation, pod))
}

/// Looks at everything. With `late`, all that is waited for has taken longer than anyone is patient.
#[must_use]
pub fn look(world: &World, scenario: &Scenario, late: bool) -> View {
    let since = if late { Time(1) } else { NOW };
    let mut opinions: Vec<Opinion> = Vec::new();
    let mut view = View { scale: u32::from(world.scale), rendered: true, ..View::default() };
    for (ordinal, pod) in (0..).zip(&world.pods).filter(|(_, pod)| pod.phase != Phase::Absent) {
        let server = pod.node.as_ref().filter(|_| matches!(pod.phase, Phase::Up | Phase::Cut)).map(|node| {
            let opinion = opinion(node);
            let index = opinions.iter().position(|known| *known == opinion).unwrap_or_else(|| {
                opinions.push(opinion);
                opinions.len() - 1
            });
            server(world, scenario, pod, node, index, since)
        });
        view.pods.insert(Ordinal(u32::from(ordinal)), seen(world, scenario, ordinal, pod, server, since));
    }
    view.opinions = opinions;
    view
}

fn seen(world: &World, scenario: &Scenario, ordinal: u8, pod: &Pod, server: Option<Server>, since: Time) -> SeenPod {
    let sight = match (pod.phase, server) {
        (Phase::Up | Phase::Cut, Some(server)) => Sight::Seen(Box::new(server)),
        (Phase::Frozen, _) => Sight::Silent,
        _ => Sight::Down,
    };
    let same = scenario.template(pod.template) == scenario.template(world.spec);
    SeenPod {
        uid: Arc::from(pod.generation.to_string()),
        template: if same { Template::Current } else { Template::Old },
        place: scenario.place(ordinal, pod.generation),
        address: (pod.phase != Phase::Starting).then(|| address(ordinal, pod.generation)),
        unready: (!is_ready(pod)).then_some(since),
        answered: Time::default(),
        terminating: false,
        labels: pod.labels,
        volume: None,
        memory_limit: None,
        sight,
    }
}

/// Whether it serves its shard, which is what the readiness probe asks.
fn is_ready(pod: &Pod) -> bool {
    let serves = |node: &Node| if node.primary().is_some() { node.synced() } else { !node.slots().is_empty() };
    matches!(pod.phase, Phase::Up | Phase::Cut) && pod.node.as_ref().is_some_and(serves)
}

fn opinion(node: &Node) -> Opinion {
    let mut rows: Vec<SeenRow> = node.table.iter().map(row).collect();
    rows.sort_unstable_by_key(|row| row.id);
    Opinion { rows }
}

fn row(row: &Row) -> SeenRow {
    SeenRow {
        id: identity(row.id),
        pod: Some(Ordinal(u32::from(row.pod))),
        address: Some(address(row.pod, row.address)),
        role: Some(row.primary.map_or(Role::Primary, |primary| Role::Replica(identity(primary)))),
        health: match row.health {
            Health::Fine => Seen::Fine,
            Health::Suspected => Seen::Suspected,
            Health::Failed => Seen::Failed,
        },
        linked: row.linked,
        epoch: u64::from(row.epoch),
        slots: (*row.slots).clone(),
    }
}

fn server(world: &World, scenario: &Scenario, pod: &Pod, node: &Node, opinion: usize, since: Time) -> Server {
    let leads = node.primary().is_none();
    let follows = |other: &Node| other.synced() && other.primary() == Some(node.id);
    let followers: BTreeSet<NodeId> = if leads {
        world.running().filter(|(_, _, other)| follows(other)).map(|(_, _, other)| identity(other.id)).collect()
    } else {
        BTreeSet::new()
    };
    let keys = if world.used { u64::from(node.fresh.len()) } else { 0 };
    Server {
        id: identity(node.id),
        version: version(scenario.template(pod.template).format),
        opinion,
        role: node.primary().map_or(Role::Primary, |primary| Role::Replica(identity(primary))),
        epoch: u64::from(node.epoch),
        history: identity(0),
        offset: u64::from(node.fresh.len()),
        link: match node.link {
            WorldLink::Up => Link::Up,
            WorldLink::Lost => Link::Down(since),
            WorldLink::Never => Link::Never,
        },
        followers,
        paused: false,
        disk_fails: false,
        keys,
        strays: if leads && world.used { node.fresh.without(&node.slots()) } else { SlotSet::EMPTY },
        open: Vec::new(),
        jobs: node.job.iter().map(|job| seen_job(job, since)).collect(),
        memory: 0,
        max_memory: None,
        io_threads: 1,
        refuses: false,
        field_expiry: false,
        settings: Arc::new(BTreeMap::new()),
    }
}

fn seen_job(job: &crate::world::Job, since: Time) -> Job {
    let state = if job.running { JobState::Running } else { JobState::Failed };
    Job { target: identity(job.target), slots: (*job.slots).clone(), state, updated: since }
}

fn version(format: Option<u8>) -> Version {
    let series = match format {
        Some(format) if format >= Series::V9_0.data_format() => Series::V9_1,
        Some(_) | None => Series::V8_1,
    };
    Version { series, patch: Some(2) }
}

/// Where a pod stands that is not told otherwise.
#[must_use]
pub fn place(host: u8, zone: u8) -> Place {
    Place { host: Some(Arc::from(format!("host-{host}"))), zone: Some(Arc::from(format!("zone-{zone}"))) }
}
