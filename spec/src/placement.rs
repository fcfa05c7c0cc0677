//! On which nodes the pods may stand.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::checks::Checks;
use crate::problem::{Complaint, Path};
use crate::text::{self, LabelValue};

/// On which nodes the pods may stand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Placement {
    /// Whether pods are spread evenly over zones.
    pub zone_spread: Spread,
    /// Whether pods are spread evenly over hosts.
    pub host_spread: Spread,
    /// Labels that a node has to have.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    /// Taints of nodes that the pods put up with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
    /// The priority class of the pods; empty for the default.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub priority_class_name: String,
}

/// Whether pods are spread evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Spread {
    /// A pod that would make it uneven stays pending.
    Required,
    /// As evenly as there is room.
    Preferred,
    /// Not asked for.
    Off,
}

/// A taint of a node that the pods put up with.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Toleration {
    /// The key of the taint; none for every taint, with `operator: Exists`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// `Equal` (the default) compares the value, `Exists` takes any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<TolerationOperator>,
    /// The value of the taint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<LabelValue>,
    /// The effect of the taint; none for every effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<TaintEffect>,
    /// How long a pod may stay under a `NoExecute` taint; none for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub toleration_seconds: Option<u32>,
}

/// How the value of a taint is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TolerationOperator {
    /// It has to be the same.
    Equal,
    /// Any value will do.
    Exists,
}

/// What a taint does to pods that do not put up with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TaintEffect {
    /// They are not scheduled there.
    NoSchedule,
    /// They are scheduled elsewhere if that is possible.
    PreferNoSchedule,
    /// They are evicted.
    NoExecute,
}

impl Default for Placement {
    fn default() -> Self {
        Self {
            zone_spread: Spread::Preferred,
            host_spread: Spread::Required,
            node_selector: BTreeMap::new(),
            tolerations: Vec::new(),
            priority_class_name: String::new(),
        }
    }
}

impl Placement {
    pub(crate) fn check(&self, checks: &mut Checks) {
        let at = Path::of("spec.placement.nodeSelector");
        for (key, value) in &self.node_selector {
            checks.label(&at, key, value);
        }
        for (index, toleration) in self.tolerations.iter().enumerate() {
            toleration.check(&Path::of("spec.placement.tolerations").index(index), checks);
        }
        if !self.priority_class_name.is_empty()
            && let Err(complaint) = self.priority_class_name.parse::<text::ObjectName>()
        {
            checks.refuse_at(Path::of("spec.placement.priorityClassName"), complaint);
        }
    }
}

impl Toleration {
    fn check(&self, at: &Path, checks: &mut Checks) {
        let exists = self.operator == Some(TolerationOperator::Exists);
        match &self.key {
            Some(key) => {
                if let Err(complaint) = text::label_key(key) {
                    checks.refuse_at(at.key("key"), complaint);
                }
            }
            None if !exists => {
                let hint = "name the key, or write operator: Exists to put up with every taint";
                checks.refuse_at(at.clone(), Complaint::new("has no key", hint));
            }
            None => {}
        }
        if exists && self.value.as_ref().is_some_and(|value| !value.as_ref().is_empty()) {
            let complaint =
                Complaint::new("has no effect with `operator: Exists`", "remove the value, or write operator: Equal");
            checks.refuse_at(at.key("value"), complaint);
        }
        if self.toleration_seconds.is_some() && self.effect != Some(TaintEffect::NoExecute) {
            let complaint = Complaint::new("is only for `effect: NoExecute`", "remove the line, or change the effect");
            checks.refuse_at(at.key("tolerationSeconds"), complaint);
        }
    }
}
