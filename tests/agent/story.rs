//! A cluster in its place, and what is asked about it.

use std::env;
use std::thread;

use pocket_cluster::{Fault, Pocket};
use render::{DesiredState, Renderer};
use serde_json::{Value, json};
use spec::Cluster;
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
    pub(crate) form: DesiredState,
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

    /// What kubectl says.
    pub(crate) fn kubectl(&self, line: &str) -> String {
        self.place.kubectl(line)
    }

    /// The custom resource.
    pub(crate) fn object(&self) -> Result<Value, String> {
        self.get("apis/valkey-gitops.dev/v1alpha1", &format!("valkeyclusters/{}", self.cluster.name))
    }

    pub(crate) fn inject(&self, fault: &Fault) {
        self.place.inject(fault).unwrap();
    }

    /// SIGKILL to the container of a pod.
    pub(crate) fn kill(&self, pod: &str) {
        self.inject(&Fault::Kill { pod: pod.to_owned(), container: None });
    }
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
