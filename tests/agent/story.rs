//! A cluster in its place, and what is asked about it.

use std::collections::BTreeSet;
use std::env;
use std::thread;

use pocket_cluster::{Asked, Fault, Pocket, Said};
use render::{DesiredState, Renderer};
use serde_json::{Value, json};
use spec::Cluster;
use spec::names::AGENT_PORT;
use support::{clusters, manifest, small_with, with};

use crate::budget::Room;
use crate::observed::Observer;
use crate::place::{Place, is_elsewhere};
use crate::wait::wait;

pub(crate) const PASSWORD: &str = r#"a "quoted" \ password"#;

/// A cluster, the spec that it was rendered from, and the place where it runs.
pub(crate) struct Story {
    pub(crate) place: Place,
    pub(crate) cluster: Cluster,
    form: DesiredState,
    pub(crate) spec: Value,
    /// Of the custom resource, where there is one.
    observer: Option<Observer>,
    /// After the place: room is given back when the servers are gone.
    room: Room,
}

/// Neither TLS nor a password.
pub(crate) fn open() -> [(&'static str, Value); 2] {
    [without_tls(), without_password()]
}

pub(crate) fn without_tls() -> (&'static str, Value) {
    ("/spec/tls", json!({"disabled": true}))
}

pub(crate) fn without_password() -> (&'static str, Value) {
    ("/spec/auth", json!({"disabled": true}))
}

impl Story {
    /// The small cluster with these changes, rendered and applied.
    pub(crate) fn begin(changes: &[(&str, Value)]) -> Self {
        Self::of(small_with(changes))
    }

    /// The same, with what should be in a custom resource that is watched during the whole story; in a ConfigMap on a cluster of
    /// somebody else, where no definition is installed.
    pub(crate) fn begin_observed(changes: &[(&str, Value)]) -> Self {
        let form = if is_elsewhere() { DesiredState::ConfigMap } else { DesiredState::CustomResource };
        let story = Self::prepare_in(small_with(changes), form);
        story.apply();
        story
    }

    /// The cluster of this spec, rendered and applied.
    pub(crate) fn of(spec: Value) -> Self {
        let story = Self::prepare(spec);
        story.apply();
        story
    }

    /// A place with everything that the cluster of this spec needs, but without it.
    pub(crate) fn prepare(spec: Value) -> Self {
        Self::prepare_in(spec, DesiredState::ConfigMap)
    }

    /// The same, with what should be in this form.
    pub(crate) fn prepare_in(spec: Value, form: DesiredState) -> Self {
        Self::prepare_at(spec, form, Place::of)
    }

    /// The small cluster with these changes, rendered and applied where each pod has a clock of its own.
    pub(crate) fn begin_with_clocks(changes: &[(&str, Value)]) -> Self {
        let story = Self::prepare_at(small_with(changes), DesiredState::ConfigMap, |_| Place::with_clocks());
        story.apply();
        story
    }

    fn prepare_at(mut spec: Value, form: DesiredState, place: impl FnOnce(&mut Value) -> Place) -> Self {
        let wanted = clusters(&spec.to_string()).remove(0);
        let room = Room::take(usize::from(wanted.shards) * (1 + usize::from(wanted.replicas_per_shard)));
        let place = place(&mut spec);
        let cluster = clusters(&spec.to_string()).remove(0);
        let mut story = Self { place, cluster, form, spec, observer: None, room };
        if form == DesiredState::CustomResource {
            story.pocket().apply(&render::custom_resource_definition().unwrap()).unwrap();
            story.observer = Some(Observer::of(story.pocket(), &story.cluster.name));
        }
        story.set_password(PASSWORD);
        story
    }

    /// From now on nothing happens to it, and there is room for others.
    pub(crate) fn rest(&mut self) {
        self.room.rest();
    }

    /// The states in which the custom resource was so far.
    pub(crate) fn observed(&self) -> Vec<Value> {
        self.observer.as_ref().unwrap().objects()
    }

    /// Renders and applies the cluster.
    pub(crate) fn apply(&self) {
        self.place.apply(&self.rendered()).unwrap();
    }

    /// The cluster, rendered.
    pub(crate) fn rendered(&self) -> String {
        Renderer::with(self.form).render(&self.cluster).unwrap().to_yaml()
    }

    /// Renders the cluster, and applies what is not of this kind.
    pub(crate) fn apply_all_but(&self, kind: &str) {
        let documents: Vec<Value> = serde_saphyr::from_multiple(&manifest(&self.cluster).to_yaml()).unwrap();
        let others = documents.iter().filter(|document| document["kind"] != kind);
        others.for_each(|document| self.place.apply(&document.to_string()).unwrap());
    }

    /// Changes the spec, renders and applies it.
    pub(crate) fn change(&mut self, changes: &[(&str, Value)]) {
        self.write(changes);
        self.apply();
    }

    /// Changes the spec, and applies nothing.
    pub(crate) fn write(&mut self, changes: &[(&str, Value)]) {
        with(&mut self.spec, changes);
        self.cluster = clusters(&self.spec.to_string()).remove(0);
    }

    /// Writes the Secret with the password, if the spec names one.
    pub(crate) fn set_password(&self, password: &str) {
        if let Some(name) = self.spec.pointer("/spec/auth/passwordSecret/name") {
            let metadata = json!({"name": name, "namespace": self.namespace()});
            let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"password": password}});
            self.place.apply(&secret.to_string()).unwrap();
        }
    }

    /// An object of the namespace, as `pods/small-0` in the core group or `apis/apps/v1` and `statefulsets/small` elsewhere.
    pub(crate) fn get(&self, group: &str, named: &str) -> Result<Value, String> {
        self.place.get(&format!("/{group}/namespaces/{}/{named}", self.namespace()))
    }

    pub(crate) fn namespace(&self) -> &str {
        self.place.namespace()
    }

    /// What nothing but a pocket can do: a story that asks for it is left out elsewhere.
    pub(crate) fn pocket(&self) -> &Pocket {
        self.place.pocket()
    }

    pub(crate) fn name(&self, what: &str) -> String {
        format!("{}-{what}", self.cluster.name)
    }

    /// The pods with this component, the lowest name first.
    fn pods_of(&self, component: &str) -> Vec<Value> {
        let selector = format!(
            "{}%3D{},{}%3D{component}",
            spec::names::CLUSTER_LABEL,
            self.cluster.name,
            spec::names::COMPONENT_LABEL
        );
        let list = self.get("api/v1", &format!("pods?labelSelector={selector}")).unwrap_or_default();
        list["items"].as_array().cloned().unwrap_or_default()
    }

    /// The pods of the servers.
    pub(crate) fn pods(&self) -> Vec<Value> {
        self.pods_of(spec::names::SERVER)
    }

    /// The names of the servers' pods.
    pub(crate) fn pod_names(&self) -> Vec<String> {
        self.pods().iter().map(name).collect()
    }

    /// Which pods there are, and how often each has restarted.
    pub(crate) fn lives(&self) -> Vec<[Value; 2]> {
        let life = |pod: Value| {
            [pod["metadata"]["uid"].clone(), pod["status"]["containerStatuses"][0]["restartCount"].clone()]
        };
        self.pods().into_iter().map(life).collect()
    }

    /// What a Secret holds.
    pub(crate) fn secret(&self, name: &str) -> Value {
        self.get("api/v1", &format!("secrets/{name}")).unwrap()["data"].clone()
    }

    pub(crate) fn agent_pods(&self) -> Vec<Value> {
        self.pods_of(spec::names::AGENT)
    }

    /// The pod of the agent, once there is one.
    pub(crate) fn agent_pod(&self) -> String {
        wait("a pod of the agent", || self.agent_pods().first().map(name).ok_or_else(String::new))
    }

    /// What a command in a pod says; an error where the pod does not run.
    pub(crate) fn exec(&self, pod: &str, command: &[&str]) -> Result<Said, String> {
        self.place.exec(pod, command)
    }

    /// What the agent's own command says, in the agent's pod.
    pub(crate) fn agent(&self, command: &str) -> Result<Said, String> {
        let cluster = self.cluster.name.to_string();
        self.exec(&self.agent_pod(), &["valkey-topology-agent", command, "--cluster", &cluster])
    }

    /// What the agent serves at a path: the line with the code, and the body.
    pub(crate) fn served(&self, path: &str) -> (String, String) {
        let pods = self.agent_pods();
        let address = pods[0]["status"]["podIP"].as_str().unwrap();
        let request =
            format!("exec 3<>/dev/tcp/{address}/{AGENT_PORT}; printf 'GET {path} HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3");
        let said = self.exec(&self.pod_names()[0], &["bash", "-c", &request]).unwrap();
        let (head, body) = said.stdout.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap().to_owned(), body.to_owned())
    }

    /// The samples that the agent serves: each with its name and labels, and its value.
    pub(crate) fn metrics(&self) -> Vec<(String, f64)> {
        let (_, text) = self.served("/metrics");
        let samples = text.lines().filter(|line| line.starts_with("valkey_"));
        let sample = |line: &str| line.rsplit_once(' ').map(|(name, value)| (name.to_owned(), value.parse().unwrap()));
        samples.filter_map(sample).collect()
    }

    /// The sum of the samples of this name whose labels hold all of this.
    pub(crate) fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let is_one = |sample: &str| {
            sample.starts_with(&format!("{name}{{")) && labels.iter().all(|label| sample.contains(label))
        };
        self.metrics().into_iter().filter(|(sample, _)| is_one(sample)).map(|(_, value)| value).sum()
    }

    /// What a server answers, over its socket.
    pub(crate) fn ask(&self, pod: &str, command: &str) -> String {
        let script = ". /etc/valkey/ask.sh; echo \"$1\" | ask";
        let said = self.exec(pod, &["sh", "-c", script, "sh", command]);
        said.map_or_else(|error| error, |said| said.stdout)
    }

    /// What a client that knows about clusters gets to hear, one line for each command.
    pub(crate) fn client(&self, pod: &str, commands: &str) -> Vec<String> {
        let host = format!("{pod}.{}.{}.svc.cluster.local", self.name("nodes"), self.namespace());
        let tls = "--tls --cacert /etc/valkey-tls/ca.crt --cert /etc/valkey-tls/tls.crt --key /etc/valkey-tls/tls.key";
        let script = format!(
            "if [ -d /etc/valkey-tls ]; then tls='{tls}'; fi\n\
             if [ -d /etc/valkey-auth ]; then export REDISCLI_AUTH=\"$(cat /etc/valkey-auth/password)\"; fi\n\
             printf '%s\\n' \"$1\" | valkey-cli -c -h {host} ${{tls:-}} 2>&1"
        );
        let said = self.exec(pod, &["sh", "-c", &script, "sh", commands]).unwrap();
        said.stdout
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with("-> Redirected"))
            .map(str::to_owned)
            .collect()
    }

    /// Writes so many keys, over all slots.
    pub(crate) fn write_keys(&self, pod: &str, count: usize) {
        let commands: Vec<String> = (0..count).map(|key| format!("SET key:{key} value:{key}")).collect();
        assert_eq!(self.client(pod, &commands.join("\n")), vec!["OK"; count]);
    }

    /// Reads them again: each has its value.
    pub(crate) fn has_keys(&self, pod: &str, count: usize) {
        let commands: Vec<String> = (0..count).map(|key| format!("GET key:{key}")).collect();
        let values: Vec<String> = (0..count).map(|key| format!("value:{key}")).collect();
        assert_eq!(self.client(pod, &commands.join("\n")), values);
    }

    /// Waits until a look of the agent, now and not some time ago, finds everything as it should be, and the agent has told so.
    pub(crate) fn until_at_rest(&self) {
        self.until_checked();
        wait("a status that says so", || {
            let (status, generation) = (self.status()?, self.generation()?);
            let is_ready = condition(&status, "Ready").is_some_and(|ready| ready["status"] == "True");
            let is_current = status["observedGeneration"] == generation;
            if is_ready && is_current { Ok(()) } else { Err(format!("{generation}: {status}")) }
        });
        wait("an agent that is ready", || {
            let pods = self.agent_pods();
            if pods.iter().any(is_ready) { Ok(()) } else { Err(json!(pods).to_string()) }
        });
    }

    /// Waits until a look of the agent finds everything as it should be.
    pub(crate) fn until_checked(&self) {
        wait("the cluster as it should be", || match self.agent("check") {
            Ok(Said { code: 0, .. }) => Ok(()),
            Ok(Said { stdout, stderr, .. }) => Err(format!("{stdout}{stderr}")),
            Err(error) => Err(error),
        });
    }

    /// The kinds of steps that the agent has done.
    pub(crate) fn told(&self) -> BTreeSet<String> {
        self.events().into_iter().map(|(reason, _)| reason).collect()
    }

    /// Whether the agent has done a step of this kind.
    pub(crate) fn has_told(&self, kind: &str) -> bool {
        self.told().contains(kind)
    }

    /// Waits until it has.
    pub(crate) fn until_told(&self, kind: &str) {
        wait(&format!("a step of the kind {kind}"), || {
            if self.has_told(kind) { Ok(()) } else { Err(format!("{:?}", self.events())) }
        });
    }

    /// What kubectl says.
    pub(crate) fn kubectl(&self, line: &str) -> String {
        self.place.kubectl(line)
    }

    /// The status that the agent has written.
    pub(crate) fn status(&self) -> Result<Value, String> {
        if self.form == DesiredState::CustomResource {
            return Ok(self.object()?["status"].clone());
        }
        let map = self.get("api/v1", &format!("configmaps/{}", self.name("status")))?;
        let text = map["data"]["status.yaml"].as_str().ok_or("no status.yaml")?;
        serde_saphyr::from_str(text).map_err(|error| error.to_string())
    }

    /// The custom resource.
    pub(crate) fn object(&self) -> Result<Value, String> {
        self.get("apis/valkey-gitops.dev/v1alpha1", &format!("valkeyclusters/{}", self.cluster.name))
    }

    /// The generation of what the status is about.
    fn generation(&self) -> Result<Value, String> {
        let object = match self.form {
            DesiredState::CustomResource => self.object()?,
            DesiredState::ConfigMap => self.get("apis/apps/v1", &format!("statefulsets/{}", self.cluster.name))?,
        };
        Ok(object["metadata"]["generation"].clone())
    }

    /// Status, reason and message of a condition.
    pub(crate) fn condition(&self, kind: &str) -> Result<[String; 3], String> {
        let status = self.status()?;
        let found = condition(&status, kind).ok_or("no such condition")?;
        Ok(["status", "reason", "message"].map(|field| found[field].as_str().unwrap_or_default().to_owned()))
    }

    /// Waits until a condition has this status, and says why it has.
    pub(crate) fn until_condition(&self, kind: &str, wanted: &str) -> String {
        wait(&format!("{kind} {wanted}"), || {
            let [status, _, message] = self.condition(kind)?;
            if status == wanted { Ok(message) } else { Err(format!("{status}: {message}")) }
        })
    }

    /// Waits until the message of a condition says this.
    pub(crate) fn until_said(&self, kind: &str, wanted: &str) {
        wait(&format!("{kind} to say {wanted:?}"), || {
            let [status, _, message] = self.condition(kind)?;
            if message.contains(wanted) { Ok(()) } else { Err(format!("{status}: {message}")) }
        });
    }

    /// The events about the cluster that the agent has written: reason and note.
    pub(crate) fn events(&self) -> Vec<(String, String)> {
        let list = self.get("api/v1", "events").unwrap();
        let all = list["items"].as_array().cloned().unwrap_or_default();
        let own = all.iter().filter(|event| event["reportingComponent"] == "valkey-topology-agent");
        own.map(|event| ["reason", "message"].map(|field| event[field].as_str().unwrap_or_default().to_owned()).into())
            .collect()
    }

    pub(crate) fn inject(&self, fault: &Fault) {
        self.place.inject(fault).unwrap();
    }

    /// SIGKILL to the container of a pod.
    pub(crate) fn kill(&self, pod: &str) {
        self.inject(&Fault::Kill { pod: pod.to_owned(), container: None });
    }

    /// What the agent has asked of the API server so far that changes anything, but for its lease.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.asked(|asked| {
            !["get", "list", "watch", "tell"].contains(&asked.verb.as_str()) && !asked.resource.starts_with("leases")
        })
    }

    /// What the agent has told servers so far that changes anything, where its commands are listened to.
    pub(crate) fn commands(&self) -> Vec<String> {
        self.asked(|asked| asked.verb == "tell")
    }

    fn asked(&self, wanted: impl Fn(&Asked) -> bool) -> Vec<String> {
        let agent = format!("system:serviceaccount:default:{}", self.name("agent"));
        let all = self.pocket().requests().unwrap();
        let own = all.iter().filter(|asked| asked.by == agent && wanted(asked));
        own.map(|asked| format!("{} {} {} {}", asked.verb, asked.resource, asked.name, asked.code)).collect()
    }
}

fn condition<'a>(status: &'a Value, kind: &str) -> Option<&'a Value> {
    status["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind)
}

/// A story in which a custom resource was called ready too early has gone wrong.
///
/// A story that went wrong tells what the agent has seen. Every story does, so many lines of it, where `AGENT_LOG` is a number.
impl Drop for Story {
    #[allow(clippy::print_stderr, reason = "shown where a test fails")]
    fn drop(&mut self) {
        let wanted = env::var("AGENT_LOG");
        if thread::panicking() || wanted.is_ok() {
            let lines = wanted.unwrap_or_else(|_| "60".to_owned());
            eprintln!("{}", self.kubectl(&format!("logs deploy/{} --tail={lines}", self.name("agent"))));
            eprintln!("{}", self.kubectl("get pods -o wide"));
        }
        if !thread::panicking() {
            self.observer.take().into_iter().for_each(Observer::judge);
        }
    }
}

/// The name of an object.
pub(crate) fn name(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

/// Whether a pod is ready.
pub(crate) fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}
