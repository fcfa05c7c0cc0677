//! Where the agent finds what should be, and what stands there.

use spec::Cluster;

use crate::error::Error;
use crate::tree::Tree;
use crate::yaml;

/// Where the agent finds what should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DesiredState {
    /// In a ConfigMap, so that nothing has to be installed for the whole Kubernetes cluster.
    #[default]
    ConfigMap,
    /// In a `ValkeyCluster`, in whose status it reports.
    CustomResource,
}

impl DesiredState {
    /// All places.
    pub const ALL: [Self; 2] = [Self::ConfigMap, Self::CustomResource];

    /// How it is written, wherever one may choose.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConfigMap => "config-map",
            Self::CustomResource => "custom-resource",
        }
    }

    /// The one that is written so.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.as_str() == text)
    }
}

/// The desired state of a cluster as the agent reads it: the spec again, with every default filled in.
///
/// # Errors
/// Only by a mistake of this program.
pub fn desired_state(cluster: &Cluster) -> Result<String, Error> {
    let json = serde_json::to_string(&spec::ValkeyCluster::from(cluster.clone()))?;
    yaml::write(&Tree::read_json(&json)?)
}

/// The `CustomResourceDefinition` of a `ValkeyCluster`, as YAML.
///
/// # Errors
/// Only by a mistake of this program.
pub fn custom_resource_definition() -> Result<String, Error> {
    let json = spec::custom_resource_definition().to_string();
    yaml::write(&Tree::read_json(&json)?)
}
