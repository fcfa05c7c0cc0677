//! What Prometheus reads. The names are those that the rendered alerts use.

use std::sync::Arc;

use planner::{JobState, Matter, Plan, Role, Server, Survey, Trouble, View, Waiting};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use spec::{ClusterName, names};

use crate::perform::Outcome;
use crate::sighting::Sighting;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Whole {}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Pod {
    pod: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Shard {
    shard: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    step: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Timed {
    step: &'static str,
}

/// Of the cluster as a whole; nothing while it is not seen.
type OfCluster = Family<Whole, Gauge>;
type OfPod = Family<Pod, Gauge>;
type OfShard = Family<Shard, Gauge>;
type Durations = Family<Timed, Histogram, fn() -> Histogram>;

/// What Prometheus reads.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    leader: Gauge,
    plan: Family<State, Gauge>,
    upgrade_halted: OfCluster,
    steps: Family<Kind, Counter>,
    seconds: Durations,
    pauses: Histogram,
    look: Histogram,
    covered: OfCluster,
    foreign: OfCluster,
    moving: OfCluster,
    to_move: OfCluster,
    voters: OfCluster,
    pods: OfCluster,
    pods_seen: OfCluster,
    pods_outdated: OfCluster,
    shard_slots: OfShard,
    wanted: OfShard,
    in_sync: OfShard,
    node: NodeMetrics,
}

#[derive(Clone, Default)]
struct NodeMetrics {
    up: OfPod,
    primary: OfPod,
    memory_used: OfPod,
    memory_max: OfPod,
    keys: OfPod,
    operations: OfPod,
    clients: OfPod,
    evicted: OfPod,
    lag: OfPod,
    linked: OfPod,
    migration: OfPod,
    certificate: OfPod,
}

impl Metrics {
    /// The metrics of one cluster.
    #[must_use]
    pub fn new(namespace: &str, cluster: &ClusterName) -> Self {
        let labels =
            [("namespace".into(), namespace.to_owned().into()), ("cluster".into(), cluster.to_string().into())];
        let mut registry = Registry::with_prefix_and_labels("valkey", labels.into_iter());
        let mut metrics = Self {
            registry: Arc::default(),
            leader: gauge(&mut registry, "agent_leader", "Whether this agent is the one at work"),
            plan: family(&mut registry, "agent_plan", "What the last look came to: done, do, wait, stuck or blind"),
            upgrade_halted: family(&mut registry, "agent_upgrade_halted", "Whether a rolling restart has halted"),
            steps: Family::default(),
            seconds: Family::new_with_constructor(buckets),
            pauses: buckets(),
            look: buckets(),
            covered: family(&mut registry, "cluster_slots_covered", "Slots whose owner serves them"),
            foreign: family(
                &mut registry,
                "cluster_foreign_nodes",
                "Nodes of other clusters that are known to this one",
            ),
            moving: family(&mut registry, "cluster_slots_moving", "Slots on their way to another shard"),
            to_move: family(
                &mut registry,
                "cluster_slots_to_move",
                "Slots that are not yet in the shard where they should be",
            ),
            voters: family(&mut registry, "cluster_voters_up", "Primaries with slots that answered"),
            pods: family(&mut registry, "cluster_pods", "Pods that Kubernetes lists"),
            pods_seen: family(&mut registry, "cluster_pods_seen", "Pods whose server answered"),
            pods_outdated: family(&mut registry, "cluster_pods_outdated", "Pods that run an old template"),
            shard_slots: family(&mut registry, "shard_slots", "Slots that a shard owns"),
            wanted: family(&mut registry, "shard_replicas_wanted", "Replicas that a shard should have"),
            in_sync: family(&mut registry, "shard_replicas_in_sync", "Replicas that have all that their primary has"),
            node: NodeMetrics::new(&mut registry),
        };
        registry.register("agent_steps", "Steps by what came of them", metrics.steps.clone());
        registry.register("agent_step_seconds", "How long steps took", metrics.seconds.clone());
        let pauses = "How long writes were held back at the most while a replica took over";
        registry.register("agent_failover_pause_seconds", pauses, metrics.pauses.clone());
        registry.register("agent_look_seconds", "How long it took to look at everything", metrics.look.clone());
        metrics.registry = Arc::new(registry);
        metrics
    }

    /// In the format of Prometheus.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Only a full text could fail, and a String never is.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }

    /// Notes whether this agent is the one at work.
    pub fn note_leader(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// Notes what was seen.
    pub fn note(&self, sighting: &Sighting, survey: &Survey, took: std::time::Duration) {
        self.look.observe(took.as_secs_f64());
        self.note_plan(&sighting.plan);
        self.note_cluster(&sighting.look.view, survey);
        self.note_shards(survey, sighting.wanted.desired.replicas);
        self.node.note(sighting);
    }

    /// Notes what came of steps.
    pub fn note_outcomes(&self, outcomes: &[Outcome]) {
        for Outcome { step, took, pause, result } in outcomes {
            let outcome = if result.is_ok() { "done" } else { "failed" };
            self.steps.get_or_create(&Kind { step: step.kind(), outcome }).inc();
            self.seconds.get_or_create(&Timed { step: step.kind() }).observe(took.as_secs_f64());
            pause.iter().for_each(|pause| self.pauses.observe(pause.as_secs_f64()));
        }
    }

    /// Notes that nothing could be seen: what was seen before is not what is.
    pub fn note_blind(&self) {
        self.note_state("blind");
        self.of_cluster().into_iter().for_each(Family::clear);
        self.of_shards().into_iter().for_each(Family::clear);
        self.node.all().into_iter().for_each(Family::clear);
    }

    fn of_cluster(&self) -> [&OfCluster; 9] {
        let Self { upgrade_halted, covered, foreign, moving, to_move, voters, pods, pods_seen, pods_outdated, .. } =
            self;
        [upgrade_halted, covered, foreign, moving, to_move, voters, pods, pods_seen, pods_outdated]
    }

    const fn of_shards(&self) -> [&OfShard; 3] {
        [&self.shard_slots, &self.wanted, &self.in_sync]
    }

    fn note_state(&self, current: &str) {
        for state in ["done", "do", "wait", "stuck", "blind"] {
            self.plan.get_or_create(&State { state }).set(i64::from(state == current));
        }
    }

    fn note_plan(&self, plan: &Plan) {
        let current = match plan {
            // Whatever else is waited for meanwhile.
            plan if plan.needs_help() => "stuck",
            Plan::Done => "done",
            Plan::Do(..) => "do",
            Plan::Wait(..) | Plan::Stuck(_) => "wait",
        };
        self.note_state(current);
        let troubles = || plan.matters().iter().filter_map(trouble);
        let foreign =
            troubles().map(|trouble| if let Trouble::ForeignNodes(nodes) = trouble { nodes.len() } else { 0 });
        self.foreign.get_or_create(&Whole {}).set(i64::try_from(foreign.sum::<usize>()).unwrap_or(i64::MAX));
        let halted = troubles().any(|trouble| matches!(trouble, Trouble::UpgradeHalted { .. } | Trouble::SyncTimedOut));
        self.upgrade_halted.get_or_create(&Whole {}).set(i64::from(halted));
        self.to_move.get_or_create(&Whole {}).set(plan.matters().iter().map(to_move).sum());
    }

    fn note_cluster(&self, view: &View, survey: &Survey) {
        self.covered.get_or_create(&Whole {}).set(survey.served.len().into());
        self.voters.get_or_create(&Whole {}).set(survey.voters_alive.into());
        self.pods.get_or_create(&Whole {}).set(count(view.pods.len()));
        self.pods_seen.get_or_create(&Whole {}).set(count(view.servers().count()));
        let outdated = view.pods.values().filter(|pod| pod.template == planner::Template::Old);
        self.pods_outdated.get_or_create(&Whole {}).set(count(outdated.count()));
        self.moving.get_or_create(&Whole {}).set(view.servers().map(|(_, _, server)| moving(server)).sum());
    }

    fn note_shards(&self, survey: &Survey, replicas: u8) {
        self.of_shards().into_iter().for_each(Family::clear);
        for (number, shard) in survey.shards.iter().filter_map(|shard| shard.number.map(|number| (number, shard))) {
            let label = Shard { shard: number.to_string() };
            self.shard_slots.get_or_create(&label).set(shard.slots.len().into());
            self.wanted.get_or_create(&label).set(replicas.into());
            let in_sync = shard.replicas.iter().filter(|replica| replica.in_sync).count();
            self.in_sync.get_or_create(&label).set(count(in_sync));
        }
    }
}

impl NodeMetrics {
    fn new(registry: &mut Registry) -> Self {
        Self {
            up: family(registry, "node_up", "Whether a pod's server answered"),
            primary: family(registry, "node_primary", "Whether a server takes writes"),
            memory_used: family(registry, "node_memory_used_bytes", "Memory that a server uses"),
            memory_max: family(registry, "node_memory_max_bytes", "Memory at which a server evicts or refuses"),
            keys: family(registry, "node_keys", "Keys that a server holds"),
            operations: family(
                registry,
                "node_operations_per_second",
                "Commands that a server carries out in a second",
            ),
            clients: family(registry, "node_clients", "Clients that are connected to a server"),
            evicted: family(registry, "node_evicted_keys", "Keys that a server evicted since it started"),
            lag: family(registry, "node_replication_lag_seconds", "Seconds since a replica heard of its primary"),
            linked: family(registry, "node_replication_link_up", "Whether a replica receives what its primary writes"),
            migration: family(
                registry,
                "node_migration_remaining_bytes",
                "Bytes that a server has yet to send for slots on their way",
            ),
            certificate: family(
                registry,
                "node_certificate_expires_seconds",
                "Seconds until the certificate ends that a server shows",
            ),
        }
    }

    fn note(&self, sighting: &Sighting) {
        self.all().into_iter().for_each(Family::clear);
        for (ordinal, pod) in &sighting.look.view.pods {
            let label = Pod { pod: names::pod(&sighting.wanted.cluster.name, ordinal.0) };
            self.up.get_or_create(&label).set(i64::from(pod.server().is_some()));
            let Some((server, gauges)) = pod.server().zip(sighting.look.gauges.get(ordinal)) else { continue };
            let set = |family: &OfPod, value: i64| {
                family.get_or_create(&label).set(value);
            };
            set(&self.primary, i64::from(server.role == Role::Primary));
            set(&self.memory_used, whole(server.memory));
            set(&self.memory_max, whole(server.max_memory.unwrap_or_default()));
            set(&self.keys, whole(server.keys));
            set(&self.operations, whole(gauges.operations));
            set(&self.clients, whole(gauges.clients));
            set(&self.evicted, whole(gauges.evicted));
            gauges.lag.into_iter().for_each(|lag| set(&self.lag, whole(lag)));
            gauges.migration.into_iter().for_each(|bytes| set(&self.migration, whole(bytes)));
            gauges.certificate.into_iter().for_each(|seconds| set(&self.certificate, seconds));
            if server.role != Role::Primary {
                set(&self.linked, i64::from(server.link == planner::Link::Up));
            }
        }
    }

    fn all(&self) -> [&OfPod; 12] {
        let Self { up, primary, memory_used, memory_max, keys, operations, clients, evicted, lag, linked, .. } = self;
        let Self { migration, certificate, .. } = self;
        [up, primary, memory_used, memory_max, keys, operations, clients, evicted, lag, linked, migration, certificate]
    }
}

fn gauge(registry: &mut Registry, name: &str, help: &str) -> Gauge {
    let gauge = Gauge::default();
    registry.register(name, help, gauge.clone());
    gauge
}

fn family<L>(registry: &mut Registry, name: &str, help: &str) -> Family<L, Gauge>
where
    L: EncodeLabelSet + std::fmt::Debug + Clone + std::hash::Hash + Eq + Send + Sync + 'static,
{
    let family = Family::<L, Gauge>::default();
    registry.register(name, help, family.clone());
    family
}

/// From a millisecond to half a minute.
fn buckets() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 16))
}

const fn trouble(matter: &Matter) -> Option<&Trouble> {
    match matter {
        Matter::Stuck { why, .. } => Some(why),
        Matter::Waiting { .. } => None,
    }
}

const fn to_move(matter: &Matter) -> i64 {
    match matter {
        Matter::Waiting { why: Waiting::ToMove { slots }, .. } => *slots as i64,
        Matter::Waiting { .. } | Matter::Stuck { .. } => 0,
    }
}

/// The slots that a server gives away right now.
fn moving(server: &Server) -> i64 {
    let running = server.jobs.iter().filter(|job| job.state == JobState::Running);
    let migrating = server.open.iter().filter(|open| matches!(open.to, planner::Opening::Migrating(_)));
    running.map(|job| i64::from(job.slots.len())).sum::<i64>() + count(migrating.count())
}

fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
