//! What was seen of a cluster, and what follows from it.

use std::fmt;
use std::sync::Arc;

use planner::{Desired, Plan, Time, Waiting};
use spec::Cluster;

use crate::kubernetes::Revision;
use crate::look::Look;

/// What should be, as it was last read.
#[derive(Debug)]
pub struct Wanted {
    /// The spec.
    pub cluster: Cluster,
    /// What the planner takes from it.
    pub desired: Desired,
}

/// What was seen, and what follows from it.
#[derive(Debug, Clone)]
pub struct Sighting {
    /// What should be.
    pub wanted: Arc<Wanted>,
    /// The custom resource, as it was looked at; none where there is none.
    pub revision: Option<Revision>,
    /// The generation of the custom resource, or of the `StatefulSet` where there is none.
    pub generation: i64,
    /// Whether the controller of the `StatefulSet` has seen its latest template: before, nobody can tell which pods are outdated.
    pub settled: bool,
    /// Whether Kubernetes takes every pod for ready, and sends clients to it: it asks each only every few seconds.
    pub are_ready: bool,
    /// What was seen.
    pub look: Look,
    /// What to do.
    pub plan: Plan,
    /// Which of it was refused the last time, and why.
    pub hindrance: Option<String>,
    /// When.
    pub now: Time,
}

/// What a cluster lacks of which nothing is left to do by the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// What should be and the `StatefulSet` are not of one rendering.
    Rendering,
    /// The controller of the `StatefulSet` has not seen its latest template.
    Template,
    /// Kubernetes does not take every pod for ready.
    Readiness,
}

impl Sighting {
    /// Whether there is nothing to do, by the latest template, and clients find every server.
    #[must_use]
    pub fn is_as_desired(&self) -> bool {
        self.plan == Plan::Done && self.lack().is_none()
    }

    /// What keeps the cluster from being as it should be once there is nothing left to do.
    #[must_use]
    pub fn lack(&self) -> Option<Lack> {
        if !self.look.view.rendered {
            Some(Lack::Rendering)
        } else if !self.settled {
            Some(Lack::Template)
        } else {
            (!self.are_ready).then_some(Lack::Readiness)
        }
    }
}

impl Lack {
    /// In one word, for a condition.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Rendering => "NotRendered",
            Self::Template => "TemplateUnseen",
            Self::Readiness => "PodsNotReady",
        }
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rendering => Waiting::Rendering.fmt(out),
            Self::Template => out.write_str("the latest template was not seen by its controller yet"),
            Self::Readiness => out.write_str("Kubernetes is about to take the pods for ready"),
        }
    }
}
