//! What can go wrong, on demand.

mod inject;
mod server;

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::api::Subject;
use crate::store::Key;

pub(crate) use inject::{Exec, answer, strike};
use server::Rule;
pub(crate) use server::{Loss, Passage};

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
    /// The same for the commands that pods of a service account send to Valkey servers without TLS. Only pods that begin after this was
    /// asked for the first time are listened to: with no share, nothing happens until it is asked for again. A command never hears of a
    /// code: the connection is cut.
    Commands(ApiFault),
    /// Ends everything that [`Fault::Api`] and [`Fault::Commands`] have begun.
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
    /// What the pods flush to their disks fails with EIO, until [`Fault::Repair`]. It stays so when they restart.
    SpoilDisk {
        /// The pods.
        pods: Vec<String>,
    },
    /// Ends [`Fault::SpoilDisk`].
    Repair {
        /// The pods.
        pods: Vec<String>,
    },
    /// From now on the clocks of the pods go by so much more or, below zero, less than the machine's. Only in a pocket with clocks.
    Clock {
        /// The pods.
        pods: Vec<String>,
        /// How many seconds they are ahead.
        seconds: i64,
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
    /// How much later watches tell what has changed, and with it what has changed meanwhile: as behind a cache that lags.
    pub lag_millis: u64,
    /// Which share of them fails, from 0 to 1, evenly spread.
    pub share: f64,
    /// How they fail: the code of the answer. The connection is cut where it is 0.
    pub code: u16,
    /// Only requests that write count, and fail; those about leases are none, for they come with time.
    pub writes_only: bool,
    /// How many are spared first.
    pub spared: u64,
    /// How many fail at most; all of them where it is 0.
    pub times: u64,
    /// They are performed, and then the connection is cut: nobody hears of the success. Without a code, the connection is cut before.
    pub after_the_act: bool,
    /// The pods of the service account are killed at that moment.
    pub kill: bool,
}

/// One side of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Api,
    /// Keys of pods.
    Pods(BTreeSet<Key>),
}

/// The faults that are at work.
pub(crate) struct Faults {
    rules: Mutex<Vec<Rule>>,
    /// Of commands.
    commands: Mutex<Vec<Rule>>,
    /// Whose commands are listened to: service accounts, once named in a fault.
    heard: Mutex<BTreeSet<Key>>,
    down: Mutex<BTreeSet<String>>,
    partitions: watch::Sender<Vec<(Side, Side)>>,
    /// Until when the API server is out.
    outage: watch::Sender<Option<Instant>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Faults {
    pub(crate) fn new() -> Self {
        Self {
            rules: Mutex::default(),
            commands: Mutex::default(),
            heard: Mutex::default(),
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

    fn is_out(&self) -> bool {
        self.outage.borrow().is_some_and(|end| Instant::now() < end)
    }

    /// Lets a request through, later or not at all.
    pub(crate) async fn befall(&self, subject: &Subject, is_write: bool) -> Passage {
        if self.is_out() {
            return Passage::Lost(Loss::default());
        }
        let judged = server::judge(&mut lock(&self.rules), subject, is_write);
        late(judged).await
    }

    /// How much later a watch tells.
    pub(crate) fn lag(&self, subject: &Subject) -> Duration {
        Duration::from_millis(server::lag(&lock(&self.rules), subject))
    }

    /// The same for a command to a server.
    pub(crate) async fn befall_command(&self, subject: &Subject, is_write: bool) -> Passage {
        let judged = server::judge(&mut lock(&self.commands), subject, is_write);
        late(judged).await
    }

    /// Whether commands of a service account are listened to.
    pub(crate) fn is_heard(&self, namespace: &str, account: &str) -> bool {
        lock(&self.heard).contains(&Key::new("serviceaccounts", namespace, account))
    }
}

async fn late((millis, passage): (u64, Passage)) -> Passage {
    sleep(Duration::from_millis(millis)).await;
    passage
}

/// The key of `name` or `namespace/name`.
fn key(resource: &str, named: &str) -> Key {
    let (namespace, name) = named.split_once('/').unwrap_or(("default", named));
    Key::new(resource, namespace, name)
}
