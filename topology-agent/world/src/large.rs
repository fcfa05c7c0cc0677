//! Views of clusters that are too large for a world: more nodes than it has numbers for, and nothing that goes on by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use planner::{
    Health, Labels, Link, NodeId, Opinion, Ordinal, Place, Pod, Role, RoleLabel, Row, SLOTS, Server, Sight, SlotSet,
    Template, View,
};
use spec::{Series, Version};

use crate::look::NOW;

/// Ids come in no order of pods, as real ones do not.
fn id(number: u32) -> NodeId {
    NodeId::numbered(number.wrapping_mul(2_654_435_761))
}

fn address(pod: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + pod))
}

/// The slots of a shard among so many.
fn share(shard: u32, shards: u32) -> SlotSet {
    let cut = |at: u32| u16::try_from(u32::from(SLOTS) * at / shards).unwrap_or(SLOTS);
    SlotSet::range(cut(shard)..=cut(shard + 1) - 1)
}

/// A cluster of so many shards of two pods: with even and replicas with odd ordinals, at rest; or pods that know nobody.
#[must_use]
pub fn view(shards: u32, formed: bool) -> View {
    let role = |pod: u32| if pod.is_multiple_of(2) || !formed { Role::Primary } else { Role::Replica(id(pod - 1)) };
    let row = |pod: u32| Row {
        id: id(pod),
        pod: Some(Ordinal(pod)),
        address: Some(address(pod)),
        role: Some(role(pod)),
        health: Health::Fine,
        linked: true,
        epoch: u64::from(pod) + 1,
        slots: if formed && pod.is_multiple_of(2) { share(pod / 2, shards) } else { SlotSet::EMPTY },
    };
    let opinions = if formed {
        let mut rows: Vec<Row> = (0..shards * 2).map(row).collect();
        rows.sort_unstable_by_key(|row| row.id);
        vec![Opinion { rows }]
    } else {
        (0..shards * 2).map(|pod| Opinion { rows: vec![row(pod)] }).collect()
    };
    let settings = Arc::new(BTreeMap::new());
    let pods =
        (0..shards * 2).map(|pod| (Ordinal(pod), member(pod, role(pod), formed, Arc::clone(&settings)))).collect();
    View { scale: shards * 2, rendered: true, pods, opinions }
}

fn member(pod: u32, role: Role, formed: bool, settings: Arc<BTreeMap<String, String>>) -> Pod {
    let leads = formed && pod.is_multiple_of(2);
    let server = Server {
        id: id(pod),
        version: Version { series: Series::V9_1, patch: Some(2) },
        opinion: if formed { 0 } else { usize::try_from(pod).unwrap_or_default() },
        role,
        epoch: if formed { 5000 } else { 0 },
        history: id(pod / 2),
        offset: 1,
        link: Link::Up,
        followers: if leads { BTreeSet::from([id(pod + 1)]) } else { BTreeSet::new() },
        paused: false,
        disk_fails: false,
        keys: u64::from(formed),
        strays: SlotSet::EMPTY,
        open: Vec::new(),
        jobs: Vec::new(),
        memory: 1 << 30,
        max_memory: None,
        io_threads: 1,
        refuses: false,
        field_expiry: false,
        settings,
    };
    let label = if leads { RoleLabel::Primary } else { RoleLabel::Replica };
    Pod {
        uid: Arc::from("uid"),
        template: Template::Current,
        place: Place {
            host: Some(Arc::from(format!("host-{}", pod % 96))),
            zone: Some(Arc::from(format!("zone-{}", pod % 3))),
        },
        address: Some(address(pod)),
        unready: None,
        answered: NOW,
        terminating: false,
        labels: if formed {
            Labels { role: Some(label), shard: u16::try_from(pod / 2).ok() }
        } else {
            Labels::default()
        },
        volume: None,
        memory_limit: None,
        sight: Sight::Seen(Box::new(server)),
    }
}
