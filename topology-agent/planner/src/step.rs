//! What can be done: one remote action, or two that belong together.
//!
//! A step may be lost, applied with its answer lost, or repeated after the agent was replaced. So each says what has to hold
//! before it, what it brings about, and why doing it again does no harm. None is taken as done before a later look shows it.
//!
//! Between the look and the step, the world goes on. What is said under "At once before" is asked of the servers, or of Kubernetes,
//! right before the step by whoever performs it; if it no longer holds, the step is left out, and the next look decides.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::id::{NodeId, Ordinal};
use crate::slots::SlotSet;
use crate::view::{Labels, RoleLabel};

/// A server that a step talks to. Whoever performs the step connects to the pod and makes sure that it still is this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// The pod.
    pub pod: Ordinal,
    /// The node that ran in it when it was seen.
    pub id: NodeId,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Sets the size of the `StatefulSet`.
    ///
    /// Before: to shrink it, every pod that goes is blank. After: Kubernetes makes or removes the pods with the highest ordinals.
    /// Again: the same number changes nothing.
    Scale {
        /// How many pods.
        pods: u32,
    },
    /// Labels a pod for Services and budgets.
    ///
    /// Before: nothing. After: the labels stand. Again: the same labels change nothing.
    Label {
        /// The pod.
        pod: Ordinal,
        /// Its labels.
        labels: Labels,
    },
    /// Gives a node that knows no other its own configuration epoch.
    ///
    /// Before: it knows no other node and its epoch is zero. After: no two primaries start with one epoch, so that none of them loses
    /// its slots to another. Again: refused by the server, which keeps what it has.
    SetConfigEpoch {
        /// The node.
        node: Target,
        /// The epoch.
        epoch: u64,
    },
    /// Introduces one node to another, or tells it where a node that it knows is now.
    ///
    /// Before: both were asked who they are at those addresses, and neither knows a node that is not ours. After: they and all that
    /// they know know each other. Again: nodes that know each other only renew their addresses.
    Meet {
        /// The node that greets.
        node: Target,
        /// The node that is greeted.
        peer: Target,
        /// Where it is.
        address: IpAddr,
    },
    /// Gives slots that nobody owns to a primary.
    ///
    /// Before: all nodes were seen, and no view has an owner for them. After: it owns them. Again: refused by the server, which has them.
    AddSlots {
        /// The primary.
        node: Target,
        /// The slots.
        slots: SlotSet,
    },
    /// Gives a primary the slots of one that is lost with its data, or that were left without an owner, under a new epoch.
    ///
    /// Before: the former owner is proven gone with its data, or never was one; no other node holds their keys. After: it owns them in
    /// every view. Again: it already does.
    ClaimSlots {
        /// The primary.
        node: Target,
        /// The slots.
        slots: SlotSet,
    },
    /// Makes a node a replica of a primary.
    ///
    /// Before: it owns no slots and holds no data that nobody else has, and it knows the primary. After: it syncs. Again: it already
    /// follows it.
    Replicate {
        /// The node.
        node: Target,
        /// The primary.
        primary: NodeId,
    },
    /// Lets a replica take over from its primary.
    ///
    /// Before: see [`FailoverMode`]. After: it owns the slots of the shard under a new epoch. Again: refused, for it is a primary.
    Failover {
        /// The replica.
        replica: Target,
        /// The primary that it follows.
        primary: NodeId,
        /// How.
        mode: FailoverMode,
    },
    /// Strikes a node from the table of another.
    ///
    /// Before: it owns nothing in any view, nobody follows it, and its pod came back as another node or was taken away for good. After:
    /// nobody greets it for a minute. Again: forgetting what is not known is harmless.
    Forget {
        /// The node that forgets.
        node: Target,
        /// The node that is forgotten.
        gone: NodeId,
    },
    /// Makes a node blank: no data, no peers, a new identity.
    ///
    /// Before: it owns nothing in any view, and its shard has its data elsewhere, in sync. After: it is like a pod on a new volume. Again:
    /// the node of that identity no longer exists, so nothing is done.
    Reset {
        /// The node.
        node: Target,
    },
    /// Moves slots and their keys from one primary to another.
    ///
    /// Before: the source owns them in every view, neither end has another migration or failover, and the target has room. After: the
    /// target owns them. Again: a slot that has moved is left out; one that is half moved is carried on with.
    Migrate {
        /// The primary that gives.
        source: Target,
        /// The primary that takes.
        target: Target,
        /// The slots.
        slots: SlotSet,
        /// In what way.
        how: Migration,
    },
    /// Closes slots that stand open on a node without a key on the other side.
    ///
    /// Before: the other side holds no key of them. After: they are as if never opened. Again: closing a closed slot is harmless.
    CloseSlots {
        /// The node.
        node: Target,
        /// The slots.
        slots: SlotSet,
    },
    /// Sets directives on a running server.
    ///
    /// Before: nothing. After: they hold until the server restarts, when it reads the same from its files. Again: the same values.
    Configure {
        /// The server.
        node: Target,
        /// Directives and values.
        settings: BTreeMap<String, String>,
    },
    /// Deletes a pod, which comes back from the current template.
    ///
    /// Before: it is not the primary of a shard that has replicas, its shard keeps its data elsewhere in sync, and no other member of
    /// the shard is down. At once before: see [`Guard`]. After: it starts anew. Again: the uid no longer exists, so nothing is deleted.
    DeletePod {
        /// The pod.
        pod: Ordinal,
        /// Which of the pods that had this name.
        uid: Arc<str>,
        /// What has to hold at once before.
        guard: Guard,
        /// What becomes of its volume.
        volume: Volume,
    },
    /// Grows the volume claim of a pod.
    ///
    /// Before: it asks for less. After: the storage class grows the volume. Again: the same size changes nothing.
    Grow {
        /// The pod.
        pod: Ordinal,
        /// The size in bytes.
        bytes: u64,
    },
}

/// In what way a replica takes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailoverMode {
    /// Hand in hand with the primary, which holds writes until the replica has all of them. Nothing is lost.
    ///
    /// Before: it is in sync, and every primary sees it connected.
    Planned,
    /// Without the primary, by the votes of the others. What was not yet replicated is lost.
    ///
    /// Before: the primary has failed in the view of a majority, which was seen. At once before: Kubernetes says that it does not run.
    Forced,
    /// Without the primary and without votes.
    ///
    /// Before: no majority is left, and the primary's pod is proven gone, so that it cannot take writes elsewhere. At once before:
    /// Kubernetes still says so.
    Takeover,
}

/// In what way slots move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Migration {
    /// In one go, by the servers themselves; both are 9.0 or newer.
    Atomic,
    /// Key by key, in the order that leaves no slot without an owner.
    Classic,
}

/// What has to hold at once before a pod is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Guard {
    /// It still does not run: Kubernetes is asked to refuse if anything about it changed.
    Down,
    /// Its server still follows this node, which by its own word leads.
    Follows(NodeId),
    /// No replica follows its server.
    Alone,
}

/// What becomes of a volume when its pod is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Volume {
    /// The next pod has it.
    Kept,
    /// It is deleted, and the next pod starts on an empty one.
    Fresh,
}

impl Step {
    /// The name of the kind of step, for metrics and events.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Scale { .. } => "Scale",
            Self::Label { .. } => "Label",
            Self::SetConfigEpoch { .. } => "SetConfigEpoch",
            Self::Meet { .. } => "Meet",
            Self::AddSlots { .. } => "AddSlots",
            Self::ClaimSlots { .. } => "ClaimSlots",
            Self::Replicate { .. } => "Replicate",
            Self::Failover { .. } => "Failover",
            Self::Forget { .. } => "Forget",
            Self::Reset { .. } => "Reset",
            Self::Migrate { .. } => "Migrate",
            Self::CloseSlots { .. } => "CloseSlots",
            Self::Configure { .. } => "Configure",
            Self::DeletePod { .. } => "DeletePod",
            Self::Grow { .. } => "Grow",
        }
    }

    /// Whether a replica asks all primaries for their votes.
    #[must_use]
    pub const fn is_vote(&self) -> bool {
        matches!(self, Self::Failover { mode: FailoverMode::Planned | FailoverMode::Forced, .. })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pod.fmt(out)
    }
}

/// The one wording for logs, events, stories and dry runs.
impl fmt::Display for Step {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scale { pods } => write!(out, "set the number of pods to {pods}"),
            Self::Label { pod, labels } => write!(out, "label {pod} as {labels}"),
            Self::SetConfigEpoch { node, epoch } => write!(out, "give {node} the configuration epoch {epoch}"),
            Self::Meet { node, peer, address } => write!(out, "introduce {node} to {peer} at {address}"),
            Self::AddSlots { node, slots } => write!(out, "give {node} {}", Count(slots)),
            Self::ClaimSlots { node, slots } => write!(out, "let {node} claim {}", Count(slots)),
            Self::Replicate { node, primary } => write!(out, "make {node} a replica of {}", primary.short()),
            Self::Failover { replica, primary, mode } => {
                write!(out, "let {replica} take over from {}{mode}", primary.short())
            }
            Self::Forget { node, gone } => write!(out, "let {node} forget {}", gone.short()),
            Self::Reset { node } => write!(out, "reset {node}"),
            Self::Migrate { source, target, slots, how } => {
                write!(out, "move {} from {source} to {target}{how}", Count(slots))
            }
            Self::CloseSlots { node, slots } => write!(out, "close {} on {node}", Count(slots)),
            Self::Configure { node, settings } => {
                let names: Vec<&str> = settings.keys().map(String::as_str).collect();
                write!(out, "set {} on {node}", names.join(", "))
            }
            Self::DeletePod { pod, volume, .. } => write!(out, "restart {pod}{volume}"),
            Self::Grow { pod, bytes } => write!(out, "grow the volume of {pod} to {} MiB", bytes >> 20),
        }
    }
}

/// Slots, with how many they are.
struct Count<'a>(&'a SlotSet);

impl fmt::Display for Count<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => write!(out, "slot {}", self.0),
            count if self.0.ranges().len() <= 4 => write!(out, "{count} slots ({})", self.0),
            count => write!(out, "{count} slots in {} ranges", self.0.ranges().len()),
        }
    }
}

impl fmt::Display for FailoverMode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Planned => "",
            Self::Forced => ", which has failed",
            Self::Takeover => ", which is gone, without a vote",
        })
    }
}

impl fmt::Display for Migration {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Atomic => "",
            Self::Classic => ", key by key",
        })
    }
}

impl fmt::Display for Volume {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Kept => "",
            Self::Fresh => " on an empty volume",
        })
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = match self.role {
            Some(RoleLabel::Primary) => "primary",
            Some(RoleLabel::Replica) => "replica",
            None => "member",
        };
        match self.shard {
            Some(shard) => write!(out, "{role} of shard {shard}"),
            None => write!(out, "{role} of no shard"),
        }
    }
}
