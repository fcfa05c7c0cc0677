//! What to do next, and what is waited for or stuck meanwhile.

use std::fmt;

use crate::id::{NodeId, Ordinal};
use crate::slots::SlotSet;
use crate::step::Step;
use crate::time::{Span, Time};

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Plan {
    /// Nothing: the cluster is as it should be.
    Done,
    /// These steps; what else is open meanwhile.
    Do(Round, Vec<Matter>),
    /// Nothing before then, or before something changes.
    Wait(Vec<Matter>, Time),
    /// Nothing that is safe to do without help.
    Stuck(Vec<Matter>),
}

/// Steps that may be performed side by side, in any order: none needs what another brings about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Round(pub Vec<Step>);

/// Something that keeps the cluster from being as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Matter {
    /// It will change by itself, or be looked at again by then.
    Waiting {
        /// What it is about.
        scope: Scope,
        /// What is waited for.
        why: Waiting,
        /// When to look again at the latest.
        until: Time,
    },
    /// Someone has to do something.
    Stuck {
        /// What it is about.
        scope: Scope,
        /// What is wrong.
        why: Trouble,
    },
}

/// What a matter is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The cluster as a whole.
    Cluster,
    /// One shard.
    Shard(u16),
    /// One pod.
    Pod(Ordinal),
}

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Waiting {
    /// Pods that do not run yet.
    PodsMissing {
        /// How many answer.
        seen: u32,
        /// How many there should be.
        wanted: u32,
    },
    /// A server that gave no answer.
    Silent,
    /// A server that reads its data.
    Loading,
    /// A server that does not let us in; a password may be about to change.
    Locked,
    /// Nodes that were introduced and do not all know each other yet.
    Joining,
    /// Views of who owns which slot that differ.
    Disagreement,
    /// A vote on who takes over a failed primary.
    Election,
    /// Primaries of which too few are up for a vote, and which may come back.
    Quorum {
        /// How many are up.
        alive: u32,
        /// How many vote.
        voters: u32,
    },
    /// A replica that has not all of its primary's data.
    Sync,
    /// Slots on their way.
    Migration {
        /// How many.
        slots: u16,
    },
    /// Slots that do not belong where they are. Those that are on their way count until they have arrived.
    ToMove {
        /// How many.
        slots: u16,
    },
    /// Time to pass after a migration that failed.
    MigrationRetry {
        /// How long after the last one.
        after: Span,
    },
    /// A pod that Kubernetes takes down.
    Terminating,
    /// A pod that was restarted and is not up yet.
    Restarting,
    /// What should be and the `StatefulSet` to be of one rendering: one of them was not applied yet.
    Rendering,
    /// The links between a replica that is to take over and all primaries.
    Links,
    /// Slots and shards to be at rest before members change places.
    Rest,
    /// A server that takes the cluster to be down, or did until a moment ago, and refuses clients.
    Refusing,
    /// A server whose host name or address another one does not know, which therefore cannot send clients to it.
    Misplaced,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trouble {
    /// Nodes that are not ours.
    ForeignNodes(Vec<NodeId>),
    /// Slots whose keys were lost with all members of their shard.
    KeysLost {
        /// The slots.
        slots: SlotSet,
    },
    /// Slots without an owner of which two nodes hold keys.
    KeysDisputed {
        /// The slots.
        slots: SlotSet,
    },
    /// Keys of slots that another node owns, which nobody finds where they are.
    StrayKeys {
        /// The slots.
        slots: SlotSet,
    },
    /// Primaries that are up are too few for a vote, and those that are down are not proven gone.
    QuorumLost {
        /// How many are up.
        alive: u32,
        /// How many vote.
        voters: u32,
    },
    /// A node from an earlier life of its volume that claims slots or holds keys.
    StaleMember,
    /// No primary has room for the slots that have to move.
    NoRoom {
        /// How much has to move at the least.
        bytes: u64,
    },
    /// A migration that failed over and over.
    MigrationFailing {
        /// How often.
        times: u32,
    },
    /// A slot that stands open on more nodes than can be settled.
    TangledSlot {
        /// The slot.
        slot: u16,
    },
    /// A pod on the new template did not come up in time.
    UpgradeHalted {
        /// The pod.
        unhealthy: Ordinal,
    },
    /// A pod on the new template did not sync in time.
    SyncTimedOut,
    /// An older series cannot read the files of the newer one.
    DowngradeRefused,
    /// Fields with an expiry of their own, which the older series cannot represent.
    DowngradeImpossible,
    /// An older series cannot read the files of the newer one, and there is no other copy to start from.
    DowngradeAlone,
    /// Restarts are paused and pods run an old template. Nobody has to do anything until they want it.
    Paused {
        /// How many.
        pods: u32,
    },
    /// A drained primary that still holds keys.
    KeysLeft,
    /// A server that cannot write to its disk.
    DiskFails,
    /// A server that does not let us in for long.
    LockedOut,
    /// A server that has given no answer for long.
    Unreachable,
    /// A pod that is being taken down and does not go.
    Lingering,
}

impl fmt::Display for Scope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster => out.write_str("cluster"),
            Self::Shard(shard) => write!(out, "shard {shard}"),
            Self::Pod(pod) => pod.fmt(out),
        }
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PodsMissing { seen, wanted } => write!(out, "{seen} of {wanted} pods answer"),
            Self::Silent => out.write_str("its server gives no answer"),
            Self::Loading => out.write_str("its server is reading its data"),
            Self::Locked => out.write_str("its server does not take the password"),
            Self::Joining => out.write_str("nodes are getting to know each other"),
            Self::Disagreement => out.write_str("servers do not yet agree on who owns which slot"),
            Self::Election => out.write_str("a replica is being elected"),
            Self::Quorum { alive, voters } => write!(out, "{alive} of {voters} primaries are up, too few for a vote"),
            Self::Sync => out.write_str("its server is not in sync"),
            Self::Migration { slots } => write!(out, "{slots} slots are on their way"),
            Self::ToMove { slots } => write!(out, "{slots} slots have yet to move"),
            Self::MigrationRetry { after } => write!(out, "a migration failed, and is tried again after {after}"),
            Self::Terminating => out.write_str("it is being taken down"),
            Self::Restarting => out.write_str("it was restarted, and is not up yet"),
            Self::Rendering => {
                out.write_str("the StatefulSet was rendered from another spec; apply all that is rendered")
            }
            Self::Links => out.write_str("not every primary is connected to the replica that is to take over"),
            Self::Rest => out.write_str("other work goes first"),
            Self::Misplaced => out.write_str("not every server knows its name and address, and where to send clients"),
            Self::Refusing => out.write_str("its server refuses clients, for it takes the cluster to be down"),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ForeignNodes(ids) => {
                let names: Vec<String> = ids.iter().map(NodeId::short).collect();
                write!(out, "nodes that are not ours: {}", names.join(", "))
            }
            Self::KeysLost { slots } => {
                write!(out, "all members were lost with the keys of {} slots ({slots})", slots.len())
            }
            Self::KeysDisputed { slots } => {
                write!(out, "more than one node holds keys of {} slots without an owner ({slots})", slots.len())
            }
            Self::StrayKeys { slots } => {
                write!(
                    out,
                    "it holds keys of {} slots that another node owns ({slots}), where nobody finds them",
                    slots.len()
                )
            }
            Self::QuorumLost { alive, voters } => {
                write!(out, "{alive} of {voters} primaries are up, too few for a vote")
            }
            Self::StaleMember => out.write_str("it comes from an earlier life of its volume, with keys of its own"),
            // Roughly: how much it is changes with every write, and what is wrong does not.
            Self::NoRoom { bytes } => {
                write!(
                    out,
                    "no primary has room for what has to move, up to {} MiB",
                    bytes.div_ceil(1 << 20).next_power_of_two()
                )
            }
            Self::MigrationFailing { times } => write!(out, "a migration failed {times} times in a row"),
            Self::TangledSlot { slot } => write!(out, "slot {slot} stands open on more nodes than two"),
            Self::UpgradeHalted { unhealthy } => {
                write!(out, "the upgrade is halted: {unhealthy} did not come up on the new template")
            }
            Self::SyncTimedOut => out.write_str("it did not sync in time"),
            Self::DowngradeRefused => out.write_str("the older series cannot read the files of the newer one"),
            Self::DowngradeAlone => {
                out.write_str("the older series cannot read the files of the newer one, and there is no other copy")
            }
            Self::DowngradeImpossible => {
                out.write_str("it holds fields with an expiry, which the older series does not know")
            }
            Self::Paused { pods: 1 } => out.write_str("upgrades are paused, and 1 pod runs an old template"),
            Self::Paused { pods } => write!(out, "upgrades are paused, and {pods} pods run an old template"),
            Self::KeysLeft => out.write_str("it owns no slots and still holds keys"),
            Self::DiskFails => out.write_str("its server cannot write to its disk, and takes no writes"),
            Self::LockedOut => out.write_str("its server does not take the password"),
            Self::Unreachable => out.write_str("its server gives no answer"),
            Self::Lingering => out.write_str("it is being taken down, and does not go"),
        }
    }
}

impl Trouble {
    /// Whether people have asked for it.
    const fn is_wanted(&self) -> bool {
        matches!(self, Self::Paused { .. })
    }

    /// Whether it is why keys, and the pods that hold them, cannot leave.
    pub(crate) const fn holds_back(&self) -> bool {
        matches!(self, Self::NoRoom { .. } | Self::MigrationFailing { .. } | Self::KeysLeft | Self::SyncTimedOut)
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::ForeignNodes(_) => {
                "find out which cluster they belong to and how they met; then CLUSTER FORGET them on every node, or reset them"
            }
            Self::KeysLost { .. } => {
                "bring a volume back; or accept the loss, on one of the shard's new pods: CLUSTER BUMPEPOCH, then ADDSLOTSRANGE; where that says busy, DELSLOTSRANGE before it"
            }
            Self::KeysDisputed { .. } => {
                "compare the keys on both nodes, delete those of one, and the slots go to the other"
            }
            Self::StrayKeys { .. } => "compare them with those of the owner; then MIGRATE them there, or delete them",
            Self::QuorumLost { .. } => {
                "bring the primaries' pods back; where a node is dead for good, delete its Node object so that their pods move"
            }
            Self::StaleMember => "if its keys are not needed, delete its volume claim and its pod: it then joins empty",
            Self::NoRoom { .. } => "raise the memory limit, or add a shard",
            Self::MigrationFailing { .. } => {
                "look at the message of the failed job: CLUSTER GETSLOTMIGRATIONS on the source"
            }
            Self::TangledSlot { .. } => {
                "settle it by hand: CLUSTER SETSLOT … STABLE on nodes that hold none of its keys"
            }
            Self::UpgradeHalted { .. } => "look at the pod's events and log; then revert the change in Git, or mend it",
            Self::SyncTimedOut => {
                "look at the server's log; then revert the change in Git, or raise upgrade.syncTimeout"
            }
            Self::DowngradeRefused => {
                "go back to the newer version, or set upgrade.allowDowngrade: pods then start on empty volumes and sync"
            }
            Self::DowngradeAlone => "set replicasPerShard to 1: replicas are what pods on empty volumes sync from",
            Self::DowngradeImpossible => "remove the expiry of fields (HPERSIST), or stay on the newer series",
            Self::Paused { .. } => {
                "when they may restart, set upgrade.paused to false, or take the annotation valkey-gitops.dev/paused away"
            }
            Self::KeysLeft => "look which slots they belong to, and move or delete them; it is not removed before",
            Self::DiskFails => "raise storage.expandTo where the volume is full; else look at the volume and its host",
            Self::LockedOut => "make the Secret and the servers' password agree; servers read it when they start",
            Self::Lingering => {
                "look at its host: where that is gone for good, delete the Node object, and Kubernetes lets the pod go"
            }
            Self::Unreachable => "look at the pod's events and log, and at the network between it and the agent",
        }
    }
}

impl Plan {
    /// What is open, besides the steps.
    #[must_use]
    pub fn matters(&self) -> &[Matter] {
        match self {
            Self::Done => &[],
            Self::Do(_, matters) | Self::Wait(matters, _) | Self::Stuck(matters) => matters,
        }
    }

    /// Whether someone has to do something before anything else is done here. What is waited for meanwhile does not change that, and
    /// who has paused restarts needs no help.
    #[must_use]
    pub fn needs_help(&self) -> bool {
        self.steps().is_empty() && self.matters().iter().any(Matter::needs_help)
    }

    /// What to do now.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        match self {
            Self::Do(round, _) => &round.0,
            Self::Done | Self::Wait(..) | Self::Stuck(_) => &[],
        }
    }
}

impl Matter {
    /// Whether something is wrong with it until somebody helps.
    #[must_use]
    pub const fn needs_help(&self) -> bool {
        matches!(self, Self::Stuck { why, .. } if !why.is_wanted())
    }

    /// Whether it is why pods cannot leave before somebody has helped.
    pub(crate) const fn holds_back(&self) -> bool {
        matches!(self, Self::Stuck { why, .. } if why.holds_back())
    }

    /// When to look again at the latest; none if only someone else can change it.
    #[must_use]
    pub const fn until(&self) -> Option<Time> {
        match self {
            Self::Waiting { until, .. } => Some(*until),
            Self::Stuck { .. } => None,
        }
    }
}

impl fmt::Display for Matter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting { scope, why, .. } => write!(out, "{scope}: waiting, {why}"),
            Self::Stuck { scope, why } => {
                let how = if self.needs_help() { "stuck" } else { "held" };
                write!(out, "{scope}: {how}, {why}; {}", why.hint())
            }
        }
    }
}
