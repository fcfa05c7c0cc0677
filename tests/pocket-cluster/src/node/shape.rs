//! The part of a pod that this node reads.
//!
//! <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/>

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::json::entry;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PodSpec {
    pub(super) containers: Vec<ContainerSpec>,
    pub(super) init_containers: Vec<ContainerSpec>,
    pub(super) volumes: Vec<Volume>,
    pub(super) node_name: String,
    pub(super) hostname: String,
    pub(super) restart_policy: String,
    pub(super) service_account_name: String,
    pub(super) automount_service_account_token: Option<bool>,
    pub(super) security_context: SecurityContext,
}

impl PodSpec {
    pub(super) fn of(pod: &Value) -> Result<Self, serde_json::Error> {
        Self::deserialize(pod.get("spec").unwrap_or(&Value::Null))
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct SecurityContext {
    pub(super) run_as_user: Option<u32>,
    pub(super) run_as_group: Option<u32>,
    pub(super) read_only_root_filesystem: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ContainerSpec {
    pub(super) name: String,
    pub(super) image: String,
    pub(super) command: Vec<String>,
    pub(super) args: Vec<String>,
    pub(super) working_dir: String,
    pub(super) env: Vec<Variable>,
    pub(super) env_from: Vec<Value>,
    pub(super) ports: Vec<Port>,
    pub(super) resources: Value,
    pub(super) volume_mounts: Vec<Mount>,
    pub(super) lifecycle: Lifecycle,
    pub(super) startup_probe: Option<Probe>,
    pub(super) liveness_probe: Option<Probe>,
    pub(super) readiness_probe: Option<Probe>,
    pub(super) security_context: SecurityContext,
}

impl ContainerSpec {
    pub(super) fn resource(&self, name: &str) -> &str {
        name.split_once('.').map_or("", |(bound, resource)| entry(&self.resources, &format!("/{bound}"), resource))
    }

    /// A port by its name or its number.
    pub(super) fn port(&self, wanted: &Value) -> Option<u16> {
        match wanted {
            Value::Number(number) => number.as_u64().and_then(|number| u16::try_from(number).ok()),
            wanted => self.ports.iter().find(|port| *wanted == *port.name).map(|port| port.container_port),
        }
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) value_from: Value,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Port {
    pub(super) name: String,
    pub(super) container_port: u16,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Mount {
    pub(super) name: String,
    #[serde(rename = "mountPath")]
    pub(super) path: String,
    pub(super) sub_path: String,
    pub(super) read_only: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Lifecycle {
    pub(super) pre_stop: Option<Check>,
}

/// One of the ways to ask a container something.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Check {
    pub(super) exec: Option<Exec>,
    pub(super) http_get: Option<HttpGet>,
    pub(super) tcp_socket: Option<TcpSocket>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Exec {
    pub(super) command: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct HttpGet {
    pub(super) path: String,
    pub(super) port: Value,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct TcpSocket {
    pub(super) port: Value,
}

/// <https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/#configure-probes>
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Probe {
    #[serde(flatten)]
    pub(super) check: Check,
    initial_delay_seconds: u64,
    period_seconds: u64,
    timeout_seconds: u64,
    pub(super) success_threshold: u32,
    pub(super) failure_threshold: u32,
}

impl Default for Probe {
    fn default() -> Self {
        Self {
            check: Check::default(),
            initial_delay_seconds: 0,
            period_seconds: 10,
            timeout_seconds: 1,
            success_threshold: 1,
            failure_threshold: 3,
        }
    }
}

impl Probe {
    pub(super) fn delay(&self) -> Duration {
        Duration::from_secs(self.initial_delay_seconds)
    }

    pub(super) fn period(&self) -> Duration {
        Duration::from_secs(self.period_seconds.max(1))
    }

    pub(super) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds.max(1))
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Volume {
    pub(super) name: String,
    pub(super) config_map: Option<Source>,
    pub(super) secret: Option<Source>,
    pub(super) projected: Option<Projected>,
    pub(super) persistent_volume_claim: Option<Claim>,
    pub(super) empty_dir: Option<Value>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Claim {
    pub(super) claim_name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Projected {
    pub(super) sources: Vec<Projection>,
    pub(super) default_mode: Option<u32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Projection {
    pub(super) config_map: Option<Source>,
    pub(super) secret: Option<Source>,
    pub(super) service_account_token: Option<Token>,
    #[serde(rename = "downwardAPI")]
    pub(super) downward_api: Option<Downward>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Token {
    pub(super) path: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Downward {
    pub(super) items: Vec<Item>,
}

/// A ConfigMap or a Secret as files. A volume names a Secret otherwise than everything else does.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Source {
    #[serde(alias = "secretName")]
    pub(super) name: String,
    pub(super) items: Vec<Item>,
    pub(super) default_mode: Option<u32>,
    pub(super) optional: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Item {
    pub(super) key: String,
    pub(super) path: String,
    pub(super) mode: Option<u32>,
    pub(super) field_ref: Value,
}
