//! What no schema can say, in CEL: between fields, and between what was and what shall be.
//!
//! <https://kubernetes.io/docs/reference/using-api/cel/>
//!
//! The same checks as those of the reader, which stand with the fields. A rule that names `oldSelf` holds changes against what
//! `valkey-render diff` calls dangerous; whoever wants such a change all the same deletes the object, which stops nothing, and
//! applies it anew.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cluster::{RESERVED_LABELS, RESERVED_PREFIXES};
use crate::config::settable;
use crate::directives;
use crate::text::Series;

/// A condition in CEL.
pub(super) struct Rule {
    /// The fields that it is about, as paths from the top: `spec.tls`, `spec.access.clients[]`.
    pub(super) at: &'static [&'static str],
    pub(super) holds: Cow<'static, str>,
    pub(super) otherwise: Cow<'static, str>,
}

macro_rules! rules {
    ($($($at:literal)+: $otherwise:literal $holds:literal)+) => {
        &[$(Rule { at: &[$($at),+], holds: Cow::Borrowed($holds), otherwise: Cow::Borrowed($otherwise) }),+]
    };
}

/// All of them, but for those that are made from lists.
pub(super) const RULES: &[Rule] = rules! {
    "": "the name is what an object of another cluster is called: let it end otherwise"
        "!self.metadata.name.matches('(-nodes|-primaries|-config|-desired|-status|-agent|-tls|-shard-[0-9]+)$')"

    "spec": "no replicas leave every key on one pod only: keep one, or write acknowledgeNoReplicas: true"
        "self.replicasPerShard > 0 || (has(self.acknowledgeNoReplicas) && self.acknowledgeNoReplicas)"
    "spec": "image.tag is another version than version: make the two agree"
        "!has(self.image.tag) || !self.image.tag.matches('^v*(8[.]0|8[.]1|9[.]0|9[.]1)([.](0|[1-9][0-9]{0,4}))?(-.*)?$') || self.image.tag.matches('^v*' + self.version + '([.-].*)?$')"

    "spec.tls": "write exactly one of issuerRef, secretName and disabled: true"
        "(has(self.issuerRef) ? 1 : 0) + (has(self.secretName) ? 1 : 0) + (has(self.disabled) && self.disabled ? 1 : 0) == 1"
    "spec.tls": "duration and renewBefore have no effect without issuerRef"
        "has(self.issuerRef) || !(has(self.duration) || has(self.renewBefore))"
    "spec.tls": "clientAuth has no effect while TLS is disabled"
        "!(has(self.clientAuth) && has(self.disabled) && self.disabled)"
    "spec.tls": "cert-manager issues for an hour or longer"
        "!has(self.duration) || duration(self.duration) >= duration('1h')"
    "spec.tls": "cert-manager wants to renew five minutes before the end or more"
        "!has(self.renewBefore) || duration(self.renewBefore) >= duration('5m')"
    "spec.tls": "renewBefore has to be shorter than duration"
        "!has(self.renewBefore) || duration(self.renewBefore) < duration(has(self.duration) ? self.duration : '2160h')"

    "spec.auth": "write exactly one of passwordSecret and disabled: true"
        "has(self.passwordSecret) != (has(self.disabled) && self.disabled)"

    "spec.storage": "ephemeral says that there are no volumes: keep one of the two"
        "!has(self.ephemeral) || !(has(self.size) || has(self.className) || has(self.expandTo) || has(self.onDelete) || has(self.onScaleIn))"
    "spec.storage": "expandTo is less than the size, and volumes cannot shrink"
        "!has(self.expandTo) || quantity(self.expandTo).compareTo(quantity(has(self.size) ? self.size : '10Gi')) >= 0"
    "spec.storage": "size is less than Valkey needs to start: was a unit forgotten?"
        "!has(self.size) || quantity(self.size).compareTo(quantity('64Mi')) >= 0"
    "spec.storage": "expandTo is less than Valkey needs to start: was a unit forgotten?"
        "!has(self.expandTo) || quantity(self.expandTo).compareTo(quantity('64Mi')) >= 0"
    "spec.storage.ephemeral": "sizeLimit is less than Valkey needs to start: was a unit forgotten?"
        "!has(self.sizeLimit) || quantity(self.sizeLimit).compareTo(quantity('64Mi')) >= 0"

    "spec.resources" "spec.agent.resources": "a name is none of a resource"
        "(!has(self.requests) || self.requests.all(name, name in ['cpu', 'memory', 'ephemeral-storage'] || name.matches('^hugepages-.+$|^[a-z0-9][-.a-z0-9]*/.+$'))) && (!has(self.limits) || self.limits.all(name, name in ['cpu', 'memory', 'ephemeral-storage'] || name.matches('^hugepages-.+$|^[a-z0-9][-.a-z0-9]*/.+$')))"
    "spec.resources" "spec.agent.resources": "less memory than a server needs to start: was a unit forgotten?"
        "(!has(self.requests) || !('memory' in self.requests) || quantity(self.requests['memory']).compareTo(quantity('16Mi')) >= 0) && (!has(self.limits) || !('memory' in self.limits) || quantity(self.limits['memory']).compareTo(quantity('16Mi')) >= 0)"
    "spec.resources" "spec.agent.resources": "a request is more than its limit, or, of a resource that cannot be shared, not the same"
        "!has(self.requests) || self.requests.all(name, has(self.limits) && name in self.limits ? quantity(self.requests[name]).compareTo(quantity(self.limits[name])) <= 0 && (name in ['cpu', 'memory', 'ephemeral-storage'] || quantity(self.requests[name]).compareTo(quantity(self.limits[name])) == 0) : name in ['cpu', 'memory', 'ephemeral-storage'])"

    "spec.placement": "a key is none of a label"
        "!has(self.nodeSelector) || self.nodeSelector.all(key, key.matches('^([a-z0-9][-.a-z0-9]*/)?[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?$'))"
    "spec.placement.tolerations[]": "name the key, or write operator: Exists to put up with every taint"
        "has(self.key) || (has(self.operator) && self.operator == 'Exists')"
    "spec.placement.tolerations[]": "value has no effect with operator: Exists"
        "!(has(self.operator) && self.operator == 'Exists' && has(self.value) && self.value != '')"
    "spec.placement.tolerations[]": "tolerationSeconds is only for effect: NoExecute"
        "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')"

    "spec.access.clients[]": "selects nobody: write podSelector, namespaceSelector or both"
        "has(self.podSelector) || has(self.namespaceSelector)"
    "spec.access.clients[].podSelector" "spec.access.clients[].namespaceSelector": "a key is none of a label"
        "!has(self.matchLabels) || self.matchLabels.all(key, key.matches('^([a-z0-9][-.a-z0-9]*/)?[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?$'))"
    "spec.access.clients[].podSelector.matchExpressions[]" "spec.access.clients[].namespaceSelector.matchExpressions[]": "In and NotIn have values, Exists and DoesNotExist have none"
        "(self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)"

    "spec.upgrade": "syncTimeout has to be between 10s and 24h"
        "duration(self.syncTimeout) >= duration('10s') && duration(self.syncTimeout) <= duration('24h')"

    "spec": "downgrade: an older Valkey cannot read the files of a newer one; set upgrade.allowDowngrade to start each pod on an empty volume"
        "self.upgrade.allowDowngrade || ((!oldSelf.version.startsWith('8.1') || self.version >= '8.1') && (!oldSelf.version.startsWith('9.0') || self.version >= '9.0') && (!oldSelf.version.startsWith('9.1') || self.version >= '9.1'))"
    "spec": "tls-switched: members with and without TLS do not understand each other; set up a new cluster beside this one"
        "(has(self.tls.disabled) && self.tls.disabled) == (has(oldSelf.tls.disabled) && oldSelf.tls.disabled)"
    "spec": "certificate-authority: members whose certificates come from different authorities do not trust each other; let all trust both first"
        "(has(self.tls.disabled) && self.tls.disabled) || (has(oldSelf.tls.disabled) && oldSelf.tls.disabled) || (has(self.tls.issuerRef) ? has(oldSelf.tls.issuerRef) && self.tls.issuerRef == oldSelf.tls.issuerRef : has(oldSelf.tls.secretName) && self.tls.secretName == oldSelf.tls.secretName)"
    "spec": "auth-switched: restarted pods would refuse those that still use the old password; to rotate it, change the value in the same Secret"
        "has(self.auth.passwordSecret) ? has(oldSelf.auth.passwordSecret) && self.auth.passwordSecret == oldSelf.auth.passwordSecret : !has(oldSelf.auth.passwordSecret)"
    "spec": "persistence-disabled: a shard whose pods restart together would lose its keys"
        "self.persistence.appendOnly || (has(self.persistence.snapshots) && self.persistence.snapshots.size() > 0) || !(oldSelf.persistence.appendOnly || (has(oldSelf.persistence.snapshots) && oldSelf.persistence.snapshots.size() > 0))"
    "spec": "snapshots-unread: a server that logs its writes reads no snapshot, and there is no replica to sync from; add a replica first"
        "self.replicasPerShard > 0 || !self.persistence.appendOnly || oldSelf.persistence.appendOnly || !has(oldSelf.persistence.snapshots) || oldSelf.persistence.snapshots.size() == 0"
    "spec": "volumes-deleted: volumes would go with what used them"
        "(!has(self.storage.onDelete) || self.storage.onDelete != 'Delete' || (has(oldSelf.storage.onDelete) && oldSelf.storage.onDelete == 'Delete')) && (!has(self.storage.onScaleIn) || self.storage.onScaleIn != 'Delete' || (has(oldSelf.storage.onScaleIn) && oldSelf.storage.onScaleIn == 'Delete'))"
    "spec": "volumes-shrink: Kubernetes never shrinks a volume; leave storage.expandTo as it is"
        "!has(self.storage.expandTo) || !has(oldSelf.storage.expandTo) || quantity(self.storage.expandTo).compareTo(quantity(oldSelf.storage.expandTo)) >= 0"
    "spec": "host-names-changed: clients and certificates know members by their host names; set up a new cluster beside this one"
        "self.clusterDomain == oldSelf.clusterDomain"
    "spec": "immutable-field: volumes cannot become others; to grow them, leave storage.size and set storage.expandTo"
        "has(self.storage.ephemeral) == has(oldSelf.storage.ephemeral) && quantity(has(self.storage.size) ? self.storage.size : '10Gi').compareTo(quantity(has(oldSelf.storage.size) ? oldSelf.storage.size : '10Gi')) == 0 && (has(self.storage.className) ? has(oldSelf.storage.className) && self.storage.className == oldSelf.storage.className : !has(oldSelf.storage.className))"
};

impl Rule {
    pub(super) fn as_json(&self) -> Value {
        json!({"rule": self.holds, "message": self.otherwise})
    }
}

/// Where in a schema the field of a path stands.
pub(super) fn pointer(path: &str) -> String {
    let fields = path.split('.').filter(|field| !field.is_empty());
    fields.map(|field| format!("/properties/{}", field.replace("[]", "/items"))).collect()
}

/// Which labels a spec may give its pods. Those of the object no rule sees, and other tools write there as well.
pub(super) fn pod_labels() -> Rule {
    let is_key = "key.matches('^([a-z0-9][-.a-z0-9]*/)?[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?$')";
    let others = RESERVED_PREFIXES.map(|prefix| format!("!key.startsWith('{prefix}')")).join(" && ");
    let holds = format!(
        "!has(self.podLabels) || self.podLabels.all(key, {is_key} && !(key in {}) && {others})",
        words(&RESERVED_LABELS)
    );
    let otherwise = "a key of podLabels is none of a label, or not for a spec to set";
    Rule { at: &["spec"], holds: Cow::Owned(holds), otherwise: Cow::Borrowed(otherwise) }
}

/// Which directives a spec may set, by the series of its version.
pub(super) fn directives() -> Rule {
    let mut names: BTreeMap<&str, Vec<Series>> = BTreeMap::new();
    for series in Series::ALL {
        let known = directives::all(series).map(|directive| directive.name);
        for name in known.filter(|name| settable(name, series).is_ok()) {
            names.entry(name).or_default().push(series);
        }
    }
    let mut groups: BTreeMap<Vec<Series>, Vec<&str>> = BTreeMap::new();
    for (name, series) in names {
        groups.entry(series).or_default().push(name);
    }
    let groups = groups.into_iter().rev().map(|(series, names)| alternative(&series, &names));
    let holds = format!("!has(self.config) || self.config.all(name, {})", groups.collect::<Vec<_>>().join(" || "));
    let otherwise = "a directive of config is not known to this version, or is not for a spec to set";
    Rule { at: &["spec"], holds: Cow::Owned(holds), otherwise: Cow::Borrowed(otherwise) }
}

fn alternative(series: &[Series], names: &[&str]) -> String {
    let names = format!("name in {}", words(names));
    since(series).map_or_else(|| names.clone(), |is_series| format!("(({is_series}) && {names})"))
}

/// Whether the version is of one of these series; none where it always is.
pub(super) fn since(series: &[Series]) -> Option<String> {
    let any = series.iter().map(|series| format!("self.version.startsWith('{series}')")).collect::<Vec<_>>();
    (series.len() < Series::ALL.len()).then(|| any.join(" || "))
}

/// A list of texts, in which there is nothing to be escaped.
pub(super) fn words(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    format!("[{}]", quoted.join(", "))
}
