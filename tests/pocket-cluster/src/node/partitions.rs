//! Keeps partitions in force: what a pod sends to those it is cut off from is lost, whatever address either has by now.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::network::{API_ADDRESS, Sandbox};
use crate::cluster::Cluster;
use crate::faults::Side;
use crate::store::Key;

const LOOK_AGAIN: Duration = Duration::from_secs(1);

type Cuts = BTreeMap<Sandbox, BTreeSet<Ipv4Addr>>;

pub(crate) async fn run(cluster: Arc<Cluster>) {
    let mut latest = cluster.store.subscribe();
    let mut partitions = cluster.faults.partitions();
    let mut made = Cuts::new();
    loop {
        latest.mark_unchanged();
        partitions.mark_unchanged();
        let wanted = wanted(&cluster, &partitions.borrow());
        made = bring_about(&cluster, made, wanted).await;
        let changed = async {
            tokio::select! {
                _ = latest.changed() => {}
                _ = partitions.changed() => {}
            }
        };
        let _ = timeout(LOOK_AGAIN, changed).await;
    }
}

/// What every pod has to be cut off from.
fn wanted(cluster: &Cluster, partitions: &[(Side, Side)]) -> Cuts {
    let boards = cluster.workers.boards();
    let sandboxes: Vec<(Key, Sandbox)> =
        boards.iter().filter_map(|board| Some((board.key.clone(), board.sandbox()?))).collect();
    let addresses = |side: &Side| -> Vec<Ipv4Addr> {
        match side {
            Side::Api => vec![API_ADDRESS],
            Side::Pods(keys) => {
                let inside = sandboxes.iter().filter(|(key, _)| keys.contains(key));
                inside.map(|(_, sandbox)| sandbox.address()).collect()
            }
        }
    };
    let mut cuts: Cuts = sandboxes.iter().map(|(_, sandbox)| (sandbox.clone(), BTreeSet::new())).collect();
    for (one, other) in partitions.iter().flat_map(|(one, other)| [(one, other), (other, one)]) {
        let Side::Pods(keys) = one else { continue };
        for (key, sandbox) in &sandboxes {
            if keys.contains(key) {
                cuts.entry(sandbox.clone()).or_default().extend(addresses(other));
            }
        }
    }
    cuts
}

/// Changes what differs; what failed is tried again at the next look.
async fn bring_about(cluster: &Cluster, made: Cuts, wanted: Cuts) -> Cuts {
    let mut now = Cuts::new();
    for (sandbox, wanted) in wanted {
        let made = made.get(&sandbox).cloned().unwrap_or_default();
        let mut own = made.clone();
        for address in wanted.difference(&made) {
            if cluster.network.cut(&sandbox, *address).await.is_ok() {
                own.insert(*address);
            }
        }
        for address in made.difference(&wanted) {
            if cluster.network.mend(&sandbox, *address).await.is_ok() {
                own.remove(address);
            }
        }
        now.insert(sandbox, own);
    }
    now
}
