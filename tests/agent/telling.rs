//! What the agent tells of itself, and what it has done.

use std::collections::BTreeSet;

use pocket_cluster::{Asked, Said};
use render::DesiredState;
use serde_json::{Value, json};

use crate::story::{Story, is_ready};
use crate::wait::wait;

impl Story {
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

    /// The status that the agent has written.
    pub(crate) fn status(&self) -> Result<Value, String> {
        if self.form == DesiredState::CustomResource {
            return Ok(self.object()?["status"].clone());
        }
        let map = self.get("api/v1", &format!("configmaps/{}", self.name("status")))?;
        let text = map["data"]["status.yaml"].as_str().ok_or("no status.yaml")?;
        serde_saphyr::from_str(text).map_err(|error| error.to_string())
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
