//! What a world is put through: the specs that follow each other, and where its pods stand.

use planner::{Desired, Place, Span};
use spec::{Series, Spread};

use crate::kubernetes::Template;
use crate::look::place;

/// A course of events.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// The specs, in the order in which they come into force, each with what its template runs.
    pub specs: Vec<(Desired, Template)>,
    /// Whether a pod that is made anew may land elsewhere.
    pub wanders: bool,
    /// How many hosts there are, each in a zone of its own.
    pub hosts: u8,
    /// What may go wrong.
    pub faults: Vec<Fault>,
    /// The specs that end in trouble for people to see to.
    pub stuck: Vec<u8>,
}

/// What may go wrong with a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Its server dies and comes back with its data and address.
    Crash,
    /// It is evicted, and comes back with its data at a new address.
    Move,
    /// It comes back on an empty volume at a new address.
    LoseVolume,
    /// Its server answers nobody for a while.
    Freeze,
    /// No other server reaches it for a while, and it reaches none.
    Cut,
    /// It answers again, and is reached again.
    Mend,
    /// Somebody lets it take over by hand.
    FailOver,
    /// Somebody resets it by hand, a replica.
    Reset,
    /// Somebody moves slots of it to another primary by hand.
    MoveSlots,
}

impl Scenario {
    /// Whether a spec ends in trouble.
    #[must_use]
    pub fn gets_stuck(&self, spec: u8) -> bool {
        self.stuck.contains(&spec)
    }

    /// What the template of a spec runs.
    #[must_use]
    pub fn template(&self, spec: u8) -> Template {
        self.specs.get(usize::from(spec)).map_or(BROKEN, |(_, template)| *template)
    }

    /// Where a pod stands: an even spread, which shifts with each new pod of the name if pods wander.
    #[must_use]
    pub fn place(&self, ordinal: u8, generation: u8) -> Place {
        let shift = if self.wanders { generation } else { 0 };
        let host = (ordinal + shift) % self.hosts.max(1);
        place(host, host)
    }
}

/// So many shards with so many replicas, and everything else as people mostly have it.
#[must_use]
pub fn desired(shards: u16, replicas: u8) -> Desired {
    Desired {
        shards,
        replicas,
        series: Series::V9_1,
        host_spread: Spread::Required,
        zone_spread: Spread::Preferred,
        rebalance: true,
        migrations: 4,
        paused: false,
        canary: true,
        sync_timeout: Span::seconds(300),
        downgrade: false,
        persistent: true,
        volume: None,
        max_memory_percent: 70,
        settings: std::collections::BTreeMap::new(),
    }
}

/// A template whose server is of the series 9.1.
pub const NEW: Template = Template { format: Some(80), revision: 0 };
/// A template whose server is of the series 8.1.
pub const OLD: Template = Template { format: Some(11), revision: 0 };
/// A template whose server never comes up.
pub const BROKEN: Template = Template { format: None, revision: 0 };
/// The same server as [`NEW`], told otherwise.
pub const OTHER: Template = Template { format: Some(80), revision: 1 };
