//! Puts what is rendered among the objects that are there.

use std::collections::{BTreeMap, BTreeSet};

use spec::Cluster;

use super::list::Item;
use crate::document::Identity;

/// The objects with those of the clusters: each where it stood before, if it did, or else at the end. What was rendered for one of
/// the clusters earlier and is no longer goes.
pub(super) fn merge(items: Vec<Item>, rendered: Vec<Item>, clusters: &[Cluster]) -> Vec<Item> {
    let places: BTreeMap<Identity, usize> =
        rendered.iter().enumerate().map(|(place, item)| (item.identity(), place)).collect();
    let mut rendered: Vec<Option<Item>> = rendered.into_iter().map(Some).collect();
    let mut merged = Vec::new();
    for item in items.into_iter().filter(stays) {
        if clusters.iter().any(|cluster| is_of(&item, cluster)) {
            let place = places.get(&item.identity()).and_then(|place| rendered.get_mut(*place));
            merged.extend(place.and_then(Option::take).map(|fresh| fresh.standing_where(&item)));
        } else {
            merged.push(item);
        }
    }
    merged.into_iter().chain(rendered.into_iter().flatten()).collect()
}

/// Objects of others that go by the name of one that is rendered. Specs, and what else is for tools alone, are never applied.
pub(super) fn in_the_way<'i>(
    items: &'i [Item],
    rendered: &[Item],
    clusters: &[Cluster],
) -> impl Iterator<Item = &'i Item> {
    let names: BTreeSet<Identity> = rendered.iter().map(Item::identity).collect();
    let is_applied = |item: &&Item| !item.is_spec() && !item.is_local();
    let is_replaced = |item: &Item| clusters.iter().any(|cluster| is_of(item, cluster));
    items.iter().filter(is_applied).filter(move |item| names.contains(&item.identity()) && !is_replaced(item))
}

/// A spec goes: its objects stand for it. One that is for tools alone stays in the package whose file it stands in; without one, it
/// is what kustomize made its objects of, and would be taken for a wish to make them again, without the patches of an overlay.
fn stays(item: &Item) -> bool {
    !item.is_spec() || item.is_local() && item.file().is_some()
}

/// Whether it was rendered for the cluster.
fn is_of(item: &Item, cluster: &Cluster) -> bool {
    item.cluster() == cluster.name.as_ref() && item.identity().namespace == cluster.namespace.as_ref()
}
