//! One look: what Kubernetes says, and what every server answers, side by side.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use planner::{Desired, Opinion, Ordinal, Role, Row, Sight, SlotSet, Time, View, has_lost_slots};
use spec::{Cluster, names};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::access::Access;
use crate::kubernetes::{PodFacts, ordinal};
use crate::route::Route;
use crate::valkey::{Answer, AskError, Connection, Endpoint, Gauges, ask_all, count_strays};

/// How long all questions to one server may take.
const LONGEST: Duration = Duration::from_secs(3);
/// How long, if it gave no answer the last time: one that has come back answers at once, and the others wait no longer for it.
const IMPATIENT: Duration = Duration::from_millis(500);
/// One that has come back and is busy needs longer: every so many looks it gets it.
const PATIENT_EVERY: u32 = 4;
/// How long a server that was behind with its certificate is left before it is connected to anew, to see what it shows by then.
const RENEWAL: Duration = Duration::from_secs(30);
/// How long a count of stray keys is relied upon.
const RECOUNTED: Duration = Duration::from_mins(5);

/// What was seen, and what nobody decides by.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// What the planner decides by.
    pub view: View,
    /// What people watch of each server that answered.
    pub gauges: BTreeMap<Ordinal, Gauges>,
    /// Why the others did not.
    pub failures: BTreeMap<Ordinal, AskError>,
}

/// The servers of one cluster, with a connection to each.
#[derive(Debug)]
pub struct Servers {
    route: Route,
    contacts: BTreeMap<Ordinal, Arc<Contact>>,
}

/// A server's pod, and the connection to it.
#[derive(Debug)]
pub struct Contact {
    pod: String,
    uid: Arc<str>,
    route: Route,
    endpoint: Endpoint,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    connection: Option<(Arc<Connection>, Instant)>,
    /// How many looks in a row it gave no answer to.
    silent: u32,
    /// When it last answered.
    answered: Time,
    counted: Option<Counted>,
}

/// Stray keys are counted anew when what they depend on has changed, as long as there are any, and after a while: people may move keys
/// faster than anybody looks.
#[derive(Debug, Clone)]
struct Counted {
    at: Instant,
    owned: SlotSet,
    open: Vec<planner::OpenSlot>,
    strays: SlotSet,
}

impl Counted {
    fn holds(&self, owned: &SlotSet, open: &[planner::OpenSlot]) -> bool {
        self.at.elapsed() < RECOUNTED && self.strays.is_empty() && (&self.owned, &*self.open) == (owned, open)
    }
}

impl Contact {
    /// The connection; a new one where there is none, or the last one broke.
    ///
    /// # Errors
    /// The server cannot be reached, or does not let us in.
    pub async fn connection(&self) -> Result<Arc<Connection>, AskError> {
        let mut state = self.state.lock().await;
        if let Some((connection, since)) = &state.connection
            && !self.may_show_another_certificate(*since)
        {
            return Ok(Arc::clone(connection));
        }
        let connection = Arc::new(self.connect().await?);
        state.connection = Some((Arc::clone(&connection), Instant::now()));
        state.counted = None;
        Ok(connection)
    }

    fn may_show_another_certificate(&self, connected: Instant) -> bool {
        let is_behind = self.endpoint.tls.as_ref().is_some_and(|(name, trust)| trust.is_ahead_of(name));
        is_behind && connected.elapsed() > RENEWAL
    }

    /// One more connection.
    ///
    /// # Errors
    /// The server cannot be reached, or does not let us in.
    pub async fn connect(&self) -> Result<Connection, AskError> {
        Connection::open(&self.route.entrance(&self.pod, &self.endpoint).await?).await
    }

    /// Where the server is, and how it lets us in.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Drops the connection if what came of a command says that it cannot be relied upon any more.
    ///
    /// # Errors
    /// What came of the command.
    pub async fn noted<T>(&self, result: Result<T, AskError>) -> Result<T, AskError> {
        if result.as_ref().is_err_and(|error| !error.spares_connection()) {
            self.state.lock().await.connection = None;
        }
        result
    }

    /// What it answers, and when it last did.
    async fn ask(&self, wanted: &Wanted<'_>) -> (Result<Answer, AskError>, Time) {
        let silent = self.state.lock().await.silent;
        let limit = if silent.is_multiple_of(PATIENT_EVERY) { self.route.patience(LONGEST) } else { IMPATIENT };
        let answer = timeout(limit, self.ask_without_limit(wanted)).await.unwrap_or(Err(AskError::TimedOut));
        let answer = self.noted(answer).await;
        let is_silent = answer.as_ref().is_err_and(AskError::is_silence);
        let mut state = self.state.lock().await;
        state.silent = if is_silent { silent.saturating_add(1) } else { 0 };
        if answer.is_ok() {
            state.answered = wanted.now;
        }
        (answer, state.answered)
    }

    async fn ask_without_limit(&self, wanted: &Wanted<'_>) -> Result<Answer, AskError> {
        let connection = self.connection().await?;
        let pod_of = |host: &str| pod_of(wanted, host);
        let mut answer = ask_all(&connection, &wanted.desired.settings, pod_of, wanted.now).await?;
        if answer.server.role == Role::Primary {
            answer.server.strays = self.strays(&connection, &answer, wanted.trusting).await?;
        }
        answer.gauges.certificate = answer.gauges.certificate.or_else(|| self.certificate(wanted.now));
        Ok(answer)
    }

    /// Seconds until the certificate ends that it showed when it was connected to. Series before 9.1 do not say so themselves.
    fn certificate(&self, now: Time) -> Option<i64> {
        let (name, trust) = self.endpoint.tls.as_ref()?;
        trust.ends(name)?.checked_sub(i64::try_from(now.0 / 1000).ok()?)
    }

    async fn strays(&self, connection: &Connection, answer: &Answer, trusting: bool) -> Result<SlotSet, AskError> {
        let server = &answer.server;
        let owned = answer.rows.iter().find(|row| row.id == server.id).map_or(SlotSet::EMPTY, |row| row.slots.clone());
        let last = self.state.lock().await.counted.clone();
        if last.is_some_and(|last| trusting && last.holds(&owned, &server.open)) {
            return Ok(SlotSet::EMPTY);
        }
        let strays = count_strays(connection, &owned, server.keys).await?;
        let (at, open) = (Instant::now(), server.open.clone());
        self.state.lock().await.counted = Some(Counted { at, owned, open, strays: strays.clone() });
        Ok(strays)
    }
}

struct Wanted<'a> {
    desired: &'a Desired,
    cluster: &'a str,
    domain: &'a str,
    now: Time,
    /// Whether keys that were counted before need not be counted again.
    trusting: bool,
}

impl Servers {
    /// Servers that are reached in this way.
    #[must_use]
    pub const fn by(route: Route) -> Self {
        Self { route, contacts: BTreeMap::new() }
    }

    /// The contact of a pod.
    #[must_use]
    pub fn contact(&self, pod: Ordinal) -> Option<Arc<Contact>> {
        self.contacts.get(&pod).cloned()
    }

    /// Looks at all pods at once. No server is waited for longer than three seconds; and once more, where slots have no owner: they go
    /// to whoever has their keys now.
    pub async fn look(
        &mut self,
        cluster: &Cluster,
        desired: &Desired,
        access: &Access,
        scale: u32,
        pods: Vec<PodFacts>,
        now: Time,
    ) -> Look {
        self.keep_contacts(cluster, access, &pods);
        let (cluster, domain) = (cluster.name.as_str(), names::nodes_domain(cluster));
        let mut wanted = Wanted { desired, cluster, domain: &domain, now, trusting: true };
        let look = self.look_once(&wanted, scale, pods.clone()).await;
        if !has_lost_slots(desired, &look.view, now) {
            return look;
        }
        wanted.trusting = false;
        self.look_once(&wanted, scale, pods).await
    }

    async fn look_once(&self, wanted: &Wanted<'_>, scale: u32, pods: Vec<PodFacts>) -> Look {
        let asked = pods.iter().map(|facts| async {
            match self.contacts.get(&facts.ordinal) {
                Some(contact) => Some(contact.ask(wanted).await),
                None => None,
            }
        });
        let answers = join_all(asked).await;
        let mut gathered = Gathered { look: Look::default(), opinions: HashMap::new() };
        gathered.look.view.scale = scale;
        for (facts, answer) in pods.into_iter().zip(answers) {
            gathered.add(facts, answer);
        }
        gathered.look
    }

    /// A contact for every pod whose process runs; those of other pods, or with other ways in, are dropped.
    fn keep_contacts(&mut self, cluster: &Cluster, access: &Access, pods: &[PodFacts]) {
        let mut kept = BTreeMap::new();
        for facts in pods.iter().filter(|facts| facts.runs) {
            let Some(address) = facts.pod.address else { continue };
            let name = names::host_name(cluster, facts.ordinal.0);
            let tls = access.tls.as_ref().map(|tls| (name, Arc::clone(tls)));
            let (password, former_password) = (access.password.clone(), access.former_password.clone());
            let endpoint = Endpoint { address, port: names::CLIENT_PORT, tls, password, former_password };
            let known = self.contacts.remove(&facts.ordinal);
            let same = known.filter(|known| known.uid == facts.pod.uid && known.endpoint.is_same(&endpoint));
            let fresh = || {
                let (pod, uid, route) =
                    (names::pod(&cluster.name, facts.ordinal.0), Arc::clone(&facts.pod.uid), self.route.clone());
                Arc::new(Contact { pod, uid, route, endpoint, state: Mutex::default() })
            };
            kept.insert(facts.ordinal, same.unwrap_or_else(fresh));
        }
        self.contacts = kept;
    }
}

/// The pod that has this host name, now or in the past.
fn pod_of(wanted: &Wanted<'_>, host: &str) -> Option<Ordinal> {
    let (pod, domain) = host.split_once('.')?;
    ordinal(wanted.cluster, pod).filter(|_| domain == wanted.domain)
}

/// Opinions that servers share are kept once.
struct Gathered {
    look: Look,
    opinions: HashMap<Vec<Row>, usize>,
}

impl Gathered {
    fn add(&mut self, facts: PodFacts, asked: Option<(Result<Answer, AskError>, Time)>) {
        let mut pod = facts.pod;
        let (answer, answered) = asked.map_or((None, Time::default()), |(answer, answered)| (Some(answer), answered));
        pod.answered = answered;
        pod.sight = match answer {
            None => Sight::Down,
            Some(Ok(answer)) => {
                self.look.gauges.insert(facts.ordinal, answer.gauges);
                Sight::Seen(Box::new(planner::Server { opinion: self.opinion(answer.rows), ..answer.server }))
            }
            Some(Err(error)) => {
                let sight = sight(&error);
                self.look.failures.insert(facts.ordinal, error);
                sight
            }
        };
        self.look.view.pods.insert(facts.ordinal, pod);
    }

    fn opinion(&mut self, rows: Vec<Row>) -> usize {
        let opinions = &mut self.look.view.opinions;
        *self.opinions.entry(rows).or_insert_with_key(|rows| {
            opinions.push(Opinion { rows: rows.clone() });
            opinions.len() - 1
        })
    }
}

fn sight(error: &AskError) -> Sight {
    match error {
        AskError::Loading => Sight::Loading,
        AskError::Locked(_) => Sight::Locked,
        AskError::Unreachable(_)
        | AskError::TimedOut
        | AskError::Untrusted(_)
        | AskError::Hindered(_)
        | AskError::Refused(_)
        | AskError::Odd { .. } => Sight::Silent,
    }
}
