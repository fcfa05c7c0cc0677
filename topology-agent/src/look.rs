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
/// How long one that could not be connected to in time is not tried again.
const HANGING: Duration = Duration::from_secs(2);
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
    /// When it last answered, or was first asked if it never has.
    answered: Time,
    counted: Option<Counted>,
    /// When it was last waited for in vain until a connection would come about.
    in_vain: Option<Instant>,
}

impl State {
    fn since(answered: Time) -> Self {
        Self { answered, ..Self::default() }
    }
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
        // Many may want to talk to one that hangs: they wait for it together, not one after the other.
        if state.in_vain.is_some_and(|since| since.elapsed() < HANGING) {
            return Err(AskError::TimedOut);
        }
        let begun = Instant::now();
        let connected = self.connect().await;
        state.in_vain = (connected.is_err() && begun.elapsed() > HANGING / 2).then(Instant::now);
        let connection = Arc::new(connected?);
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
        self.keep_contacts(cluster, access, &pods, now).await;
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

    /// A contact for every pod whose process runs; those of other pods, or with other ways in, are dropped. When a process last answered
    /// is known whatever the way in.
    async fn keep_contacts(&mut self, cluster: &Cluster, access: &Access, pods: &[PodFacts], now: Time) {
        let mut kept = BTreeMap::new();
        for facts in pods.iter().filter(|facts| facts.runs) {
            let Some(address) = facts.pod.address else { continue };
            let name = names::host_name(cluster, facts.ordinal.0);
            let tls = access.tls.as_ref().map(|tls| (name, Arc::clone(tls)));
            let (password, former_password) = (access.password.clone(), access.former_password.clone());
            let endpoint = Endpoint { address, port: names::CLIENT_PORT, tls, password, former_password };
            let known = self.contacts.remove(&facts.ordinal).filter(|known| known.uid == facts.pod.uid);
            let answered = match &known {
                Some(known) => known.state.lock().await.answered,
                None => now,
            };
            let same = known.filter(|known| known.endpoint.is_same(&endpoint));
            let fresh = || {
                let (pod, uid, route) =
                    (names::pod(&cluster.name, facts.ordinal.0), Arc::clone(&facts.pod.uid), self.route.clone());
                let state = Mutex::new(State::since(answered));
                Arc::new(Contact { pod, uid, route, endpoint, state })
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What answered, and was found with another way in a while later, by an agent of which one Secret has changed.
    #[tokio::test]
    async fn a_server_is_known_to_be_silent_only_since_it_was_asked() {
        let text = "apiVersion: valkey-gitops.dev/v1alpha1\nkind: ValkeyCluster\nmetadata: {name: a, namespace: b}\n\
                    spec: {version: \"9.1\", tls: {disabled: true}, auth: {disabled: true}}";
        let cluster = spec::read(text, None).unwrap().remove(0).cluster;
        let pod = planner::Pod {
            uid: "pod".into(),
            template: planner::Template::Current,
            place: planner::Place::default(),
            address: Some([127, 0, 0, 1].into()),
            unready: None,
            answered: Time::default(),
            terminating: false,
            labels: planner::Labels::default(),
            volume: None,
            memory_limit: None,
            sight: Sight::Down,
        };
        let pods = [PodFacts { ordinal: Ordinal(0), pod, runs: true }];
        let mut servers = Servers::by(Route::Straight);
        let access = |password: &str| Access { password: Some(password.to_owned()), former_password: None, tls: None };
        let mut since = Vec::new();
        for (password, now) in [("one", 1_000), ("one", 2_000), ("two", 3_000)] {
            servers.keep_contacts(&cluster, &access(password), &pods, Time(now)).await;
            since.push(servers.contact(Ordinal(0)).unwrap().state.lock().await.answered);
        }
        assert_eq!(since, [Time(1_000); 3]);
        let mut other = pods.clone();
        other[0].pod.uid = "another".into();
        servers.keep_contacts(&cluster, &access("two"), &other, Time(4_000)).await;
        assert_eq!(servers.contact(Ordinal(0)).unwrap().state.lock().await.answered, Time(4_000));
    }
}
