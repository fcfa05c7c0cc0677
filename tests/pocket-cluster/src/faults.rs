//! What can go wrong, on demand.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::api::{Answer, Subject, answer_json};
use crate::cluster::Cluster;
use crate::json::{items, set_condition, text};
use crate::node::Order;
use crate::refusal::{Reason, Refusal};
use crate::store::Key;

/// A fault, as it is asked for: `{"freeze": {"pods": ["valkey-0"]}}`. Names of pods are those of the namespace `default`, or
/// `namespace/name`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Fault {
    /// SIGKILL to a container of a pod, or to all. They are started again.
    Kill {
        /// The pod.
        pod: String,
        /// The container; all of them where it is absent.
        #[serde(default)]
        container: Option<String>,
    },
    /// SIGSTOP to all processes of pods.
    Freeze {
        /// The pods.
        pods: Vec<String>,
    },
    /// SIGCONT to all processes of pods.
    Thaw {
        /// The pods.
        pods: Vec<String>,
    },
    /// Whatever the pods send to the others is lost, and the other way round, until [`Fault::Heal`]. It stays so when they restart.
    Partition {
        /// One side.
        pods: Vec<String>,
        /// The other side; the API server where it is empty.
        #[serde(default)]
        from: Vec<String>,
    },
    /// Ends all partitions.
    Heal,
    /// Slows or fails requests to the API server, until [`Fault::Mend`]. Several add up.
    Api(ApiFault),
    /// Ends everything that [`Fault::Api`] has begun.
    Mend,
    /// Cuts all connections to the API server, and every new one, for a time. The holder of the kubeconfig is not spared.
    Outage {
        /// How long.
        millis: u64,
    },
    /// Forgets all past changes: every watch that is resumed later gets 410.
    Compact,
    /// The pods get new processes and new addresses, as after a restart of their hosts.
    Move {
        /// The pods; all of them where it is empty.
        #[serde(default)]
        pods: Vec<String>,
    },
    /// Everything in the volume of a claim is gone, and the pods that use it start on the empty one.
    LoseVolume {
        /// The claim.
        claim: String,
    },
    /// The host loses its power: what runs there stops without notice, and the objects stay.
    HostDown {
        /// The host.
        host: String,
    },
    /// The host is back, and starts what is bound to it.
    HostUp {
        /// The host.
        host: String,
    },
    /// A new key and a new certificate for a Certificate.
    Renew {
        /// The Certificate.
        certificate: String,
    },
}

/// What happens to requests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ApiFault {
    /// Whose requests: those of one service account, or of all where it is absent. The holder of the kubeconfig is always spared.
    pub service_account: Option<String>,
    /// How much later they are answered.
    pub latency_millis: u64,
    /// Which share of them fails, from 0 to 1, evenly spread.
    pub share: f64,
    /// How they fail: the code of the answer.
    pub code: u16,
    /// They fail after they have been performed: nobody hears of the success.
    pub after_the_act: bool,
}

/// One side of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Api,
    /// Keys of pods.
    Pods(BTreeSet<Key>),
}

/// A rule, and how many requests it has seen.
struct Rule {
    fault: ApiFault,
    seen: f64,
}

impl Rule {
    fn is_about(&self, subject: &Subject) -> bool {
        match subject {
            Subject::Admin => false,
            Subject::ServiceAccount { namespace, name } => {
                self.fault.service_account.as_ref().is_none_or(|account| {
                    key("serviceaccounts", account) == Key::new("serviceaccounts", namespace, name)
                })
            }
        }
    }

    /// Whether it is this request's turn to fail.
    fn fails(&mut self) -> bool {
        let before = (self.seen * self.fault.share).floor();
        self.seen += 1.0;
        (self.seen * self.fault.share).floor() > before
    }
}

pub(crate) struct Faults {
    rules: Mutex<Vec<Rule>>,
    down: Mutex<BTreeSet<String>>,
    partitions: watch::Sender<Vec<(Side, Side)>>,
    /// Until when the API server is out.
    outage: watch::Sender<Option<Instant>>,
}

/// What becomes of a request.
pub(crate) enum Passage {
    Open,
    Refused(Refusal),
    /// It is performed, and then the connection is cut.
    Unheard,
    Cut,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Faults {
    pub(crate) fn new() -> Self {
        Self {
            rules: Mutex::default(),
            down: Mutex::default(),
            partitions: watch::Sender::new(Vec::new()),
            outage: watch::Sender::new(None),
        }
    }

    pub(crate) fn is_down(&self, host: &str) -> bool {
        lock(&self.down).contains(host)
    }

    pub(crate) fn partitions(&self) -> watch::Receiver<Vec<(Side, Side)>> {
        self.partitions.subscribe()
    }

    /// Tells when an outage begins.
    pub(crate) fn outages(&self) -> watch::Receiver<Option<Instant>> {
        self.outage.subscribe()
    }

    pub(crate) fn is_out(&self) -> bool {
        self.outage.borrow().is_some_and(|end| Instant::now() < end)
    }

    /// Lets a request through, later or not at all.
    pub(crate) async fn befall(&self, subject: &Subject) -> Passage {
        if self.is_out() {
            return Passage::Cut;
        }
        let (latency, passage) = self.judge(subject);
        sleep(Duration::from_millis(latency)).await;
        passage
    }

    fn judge(&self, subject: &Subject) -> (u64, Passage) {
        let mut rules = lock(&self.rules);
        let mut latency = 0;
        let mut passage = Passage::Open;
        for rule in rules.iter_mut().filter(|rule| rule.is_about(subject)) {
            latency += rule.fault.latency_millis;
            if rule.fails() {
                passage = if rule.fault.after_the_act {
                    Passage::Unheard
                } else {
                    Passage::Refused(Refusal::new(reason(rule.fault.code), "a fault was asked for"))
                };
            }
        }
        (latency, passage)
    }
}

fn reason(code: u16) -> Reason {
    match code {
        401 => Reason::Unauthorized,
        403 => Reason::Forbidden,
        409 => Reason::Conflict,
        410 => Reason::Expired,
        429 => Reason::TooManyRequests,
        503 => Reason::ServiceUnavailable,
        _ => Reason::InternalError,
    }
}

/// The key of `name` or `namespace/name`.
fn key(resource: &str, named: &str) -> Key {
    let (namespace, name) = named.split_once('/').unwrap_or(("default", named));
    Key::new(resource, namespace, name)
}

/// Answers what is asked under `/pocket/v1/`.
pub(crate) async fn answer(cluster: &Arc<Cluster>, subject: &Subject, path: &str, body: &[u8]) -> Answer {
    if *subject != Subject::Admin {
        return Refusal::new(Reason::Forbidden, "only the holder of the kubeconfig asks for faults").into();
    }
    let answered = match path {
        "faults" => read(body).and_then(|fault| inject(cluster, &fault)).map(|()| json!({})),
        "exec" => match read(body) {
            Ok(exec) => run(cluster, &exec).await,
            Err(refusal) => Err(refusal),
        },
        _ => Err(Refusal::new(Reason::NotFound, "there are /pocket/v1/faults and /pocket/v1/exec")),
    };
    answered.map_or_else(Answer::from, |answer| answer_json(StatusCode::OK, &answer))
}

fn read<T: for<'a> Deserialize<'a>>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::bad_request(error.to_string()))
}

/// A command in a pod.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Exec {
    pub(crate) pod: String,
    pub(crate) container: Option<String>,
    pub(crate) command: Vec<String>,
    #[serde(default)]
    pub(crate) input: String,
    pub(crate) patience_millis: u64,
}

async fn run(cluster: &Cluster, exec: &Exec) -> Result<Value, Refusal> {
    let pod = cluster.store.find(&key("pods", &exec.pod))?;
    let handle = cluster.workers.handle(&pod, exec.container.as_deref());
    let handle = handle.ok_or_else(|| Refusal::new(Reason::Conflict, format!("no container of {} runs", exec.pod)))?;
    let patience = Duration::from_millis(exec.patience_millis);
    let said = handle.exec(&exec.command, exec.input.as_bytes(), patience).await;
    let said = said.map_err(|error| Refusal::new(Reason::InternalError, error.to_string()))?;
    Ok(json!(said))
}

fn inject(cluster: &Cluster, fault: &Fault) -> Result<(), Refusal> {
    match fault {
        Fault::Kill { pod, container } => order(cluster, pod, &Order::Kill { container: container.clone() }),
        Fault::Freeze { pods } => pods.iter().try_for_each(|pod| order(cluster, pod, &Order::Freeze)),
        Fault::Thaw { pods } => pods.iter().try_for_each(|pod| order(cluster, pod, &Order::Thaw)),
        Fault::Partition { pods, from } => {
            let side = |pods: &[String]| Side::Pods(pods.iter().map(|pod| key("pods", pod)).collect());
            let other = if from.is_empty() { Side::Api } else { side(from) };
            cluster.faults.partitions.send_modify(|partitions| partitions.push((side(pods), other)));
            Ok(())
        }
        Fault::Heal => {
            cluster.faults.partitions.send_modify(Vec::clear);
            Ok(())
        }
        Fault::Api(fault) => {
            lock(&cluster.faults.rules).push(Rule { fault: fault.clone(), seen: 0.0 });
            Ok(())
        }
        Fault::Mend => {
            lock(&cluster.faults.rules).clear();
            Ok(())
        }
        Fault::Outage { millis } => {
            cluster.faults.outage.send_replace(Some(Instant::now() + Duration::from_millis(*millis)));
            Ok(())
        }
        Fault::Compact => {
            cluster.store.compact();
            Ok(())
        }
        Fault::Move { pods } => move_pods(cluster, pods),
        Fault::LoseVolume { claim } => lose_volume(cluster, &key("persistentvolumeclaims", claim)),
        Fault::HostDown { host } => power(cluster, host, false),
        Fault::HostUp { host } => power(cluster, host, true),
        Fault::Renew { certificate } => renew(cluster, &key("certificates.cert-manager.io", certificate)),
    }
}

fn order(cluster: &Cluster, pod: &str, order: &Order) -> Result<(), Refusal> {
    let object = cluster.store.find(&key("pods", pod))?;
    if cluster.workers.order(&object, order.clone()) {
        return Ok(());
    }
    Err(Refusal::new(Reason::Conflict, format!("{pod} does not run")))
}

fn move_pods(cluster: &Cluster, pods: &[String]) -> Result<(), Refusal> {
    if !pods.is_empty() {
        return pods.iter().try_for_each(|pod| order(cluster, pod, &Order::Rebuild { lost: None }));
    }
    for pod in cluster.store.all("pods") {
        // Those that do not run yet get an address soon enough.
        cluster.workers.order(&pod, Order::Rebuild { lost: None });
    }
    Ok(())
}

fn lose_volume(cluster: &Cluster, claim: &Key) -> Result<(), Refusal> {
    cluster.store.find(claim)?;
    for pod in cluster.store.in_namespace("pods", &claim.namespace) {
        let uses = |volume: &Value| text(volume, "/persistentVolumeClaim/claimName") == claim.name;
        if items(&pod, "/spec/volumes").iter().any(uses) {
            cluster.workers.order(&pod, Order::Rebuild { lost: Some(claim.clone()) });
        }
    }
    Ok(())
}

fn power(cluster: &Cluster, host: &str, is_on: bool) -> Result<(), Refusal> {
    cluster.store.find(&Key::new("nodes", "", host))?;
    if is_on {
        lock(&cluster.faults.down).remove(host);
    } else {
        lock(&cluster.faults.down).insert(host.to_owned());
    }
    cluster.workers.order_all_on(host, if is_on { &Order::HostUp } else { &Order::HostDown });
    cluster.store.touch();
    Ok(())
}

/// As `cmctl renew` does it. <https://cert-manager.io/docs/reference/cmctl/#renew>
fn renew(cluster: &Cluster, certificate: &Key) -> Result<(), Refusal> {
    cluster.store.find(certificate)?;
    cluster.store.edit(certificate, |certificate| {
        let reason = "ManuallyTriggered";
        set_condition(certificate, json!({"type": "Issuing", "status": "True", "reason": reason, "message": ""}));
    });
    Ok(())
}
