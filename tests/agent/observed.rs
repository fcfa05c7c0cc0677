//! Whoever waits for a custom resource by the rules of kstatus is never told too early: it is watched during a whole story, beside the
//! `StatefulSet` and the pods, and in the end what was told is held against what was.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use pocket_cluster::Pocket;
use serde_json::Value;
use spec::{ClusterName, names};
use support::kstatus;

/// What was so this long ago may be told: between a look and what is told of it, a server may fall.
const MOMENT: Duration = Duration::from_secs(3);
/// After so long, an agent has seen that a server fell, and another has taken over from one that is gone.
const NOTICED: Duration = Duration::from_mins(1);

/// A state in which an object was, or the last one before it went.
#[derive(Clone)]
struct Seen {
    at: Instant,
    is_gone: bool,
    object: Value,
}

impl Seen {
    /// The API server counts all changes of all objects in one row.
    fn version(&self) -> u64 {
        self.object["metadata"]["resourceVersion"].as_str().unwrap_or_default().parse().unwrap_or_default()
    }
}

/// Watches the custom resource of a cluster, its `StatefulSet` and its pods.
pub(crate) struct Observer {
    watches: Vec<(Child, JoinHandle<()>)>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Observer {
    pub(crate) fn of(pocket: &Pocket, cluster: &ClusterName) -> Self {
        let seen = Arc::default();
        let servers = names::server_selector(cluster);
        let watch = |words: &[&str]| watch(pocket, words, &seen);
        let watches = vec![watch(&["vkc"]), watch(&["statefulsets"]), watch(&["pods", "--selector", &servers])];
        // They need a moment until they watch.
        sleep(Duration::from_secs(1));
        Self { watches, seen }
    }

    /// The states of the custom resource so far.
    pub(crate) fn objects(&self) -> Vec<Value> {
        sleep(Duration::from_secs(1));
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|seen| is_cluster(seen)).map(|seen| seen.object.clone()).collect()
    }

    /// Ends, and sees that nothing was told that was not so.
    pub(crate) fn judge(mut self) {
        sleep(Duration::from_secs(1));
        for (mut kubectl, thread) in self.watches.drain(..) {
            kubectl.kill().unwrap();
            kubectl.wait().unwrap();
            thread.join().unwrap();
        }
        let mut seen = std::mem::take(&mut *self.seen.lock().unwrap());
        seen.sort_by_key(Seen::version);
        assert!(seen.iter().any(is_cluster), "nothing was seen");
        judge(&seen);
    }
}

fn is_cluster(seen: &Seen) -> bool {
    seen.object["kind"] == "ValkeyCluster"
}

fn watch(pocket: &Pocket, words: &[&str], seen: &Arc<Mutex<Vec<Seen>>>) -> (Child, JoinHandle<()>) {
    let mut kubectl = Command::new("kubectl")
        .arg("get")
        .args(words)
        .args(["--watch", "--output-watch-events", "--output=json"])
        .env("KUBECONFIG", pocket.kubeconfig())
        .env("HOME", pocket.folder())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let events = serde_json::Deserializer::from_reader(BufReader::new(kubectl.stdout.take().unwrap()));
    let seen = Arc::clone(seen);
    let thread = spawn(move || {
        for event in events.into_iter::<Value>().map_while(Result::ok) {
            let (is_gone, object) = (event["type"] == "DELETED", event["object"].clone());
            seen.lock().unwrap().push(Seen { at: Instant::now(), is_gone, object });
        }
    });
    (kubectl, thread)
}

/// What there is at one moment.
#[derive(Default)]
struct World {
    cluster: Option<Value>,
    set: Option<Value>,
    pods: BTreeMap<String, Value>,
}

impl World {
    fn take(&mut self, seen: &Seen) {
        let object = (!seen.is_gone).then(|| seen.object.clone());
        let name = seen.object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        match (seen.object["kind"].as_str(), object) {
            (Some("ValkeyCluster"), object) => self.cluster = object,
            (Some("StatefulSet"), object) => self.set = object,
            (_, Some(pod)) => drop(self.pods.insert(name, pod)),
            (_, None) => drop(self.pods.remove(&name)),
        }
    }

    fn is_told(&self) -> bool {
        self.cluster.as_ref().is_some_and(|cluster| kstatus(cluster) == "Current")
    }

    /// Whether there are as many pods as there should be, and each runs the latest template and is ready.
    fn is_so(&self) -> bool {
        let (Some(cluster), Some(set)) = (&self.cluster, &self.set) else { return false };
        let number = |field: &str| cluster["spec"][field].as_u64().unwrap_or_default();
        let wanted = number("shards") * (1 + number("replicasPerShard"));
        let is_settled = set["status"]["observedGeneration"] == set["metadata"]["generation"];
        let is_current = |pod: &Value| {
            pod["metadata"]["labels"]["controller-revision-hash"] == set["status"]["updateRevision"]
                && pod["metadata"].get("deletionTimestamp").is_none()
                && crate::story::is_ready(pod)
        };
        is_settled && self.pods.len() as u64 == wanted && self.pods.values().all(is_current)
    }
}

fn judge(seen: &[Seen]) {
    let mut world = World::default();
    let (mut was_told, mut wrong_since) = (false, seen.first().map(|first| first.at));
    for one in seen {
        world.take(one);
        let is_told = world.is_told();
        if world.is_so() {
            wrong_since = None;
        } else {
            let since = one.at.duration_since(*wrong_since.get_or_insert(one.at));
            let allowed = if was_told { NOTICED } else { MOMENT };
            let pods: Vec<&Value> = world.pods.values().map(|pod| &pod["status"]["conditions"]).collect();
            assert!(!is_told || since <= allowed, "wrong for {since:?}: {:?} {:?} {pods:?}", world.cluster, world.set);
        }
        if is_told && is_cluster(one) {
            all_is_told(&one.object);
        }
        was_told = is_told;
    }
}

/// Where it is told to be as desired, all that belongs to that is told as well.
fn all_is_told(object: &Value) {
    for kind in ["Ready", "SlotsCovered", "ReplicasInSync", "TopologyBalanced", "UpToDate"] {
        let conditions = object["status"]["conditions"].as_array().unwrap();
        let condition = conditions.iter().find(|condition| condition["type"] == kind).unwrap();
        assert_eq!(condition["status"], "True", "{object}");
    }
    assert_eq!(object["status"]["shardCount"], object["spec"]["shards"], "{object}");
}
