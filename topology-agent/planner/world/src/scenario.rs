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
}

impl Scenario {
    /// What the template of a spec runs.
    #[must_use]
    pub fn template(&self, spec: u8) -> Template {
        self.specs.get(usize::from(spec)).map_or(Template { format: None }, |(_, template)| *template)
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
        settings: std::collections::BTreeMap::new(),
    }
}

/// A template whose server is of the series 9.1.
pub const NEW: Template = Template { format: Some(80) };
/// A template whose server is of the series 8.1.
pub const OLD: Template = Template { format: Some(11) };
/// A template whose server never comes up.
pub const BROKEN: Template = Template { format: None };
