//! In which order Argo CD applies what is rendered: what others wait for first, and nothing that waits for what comes later.

use std::borrow::Cow;

use crate::document::{Draft, Kind};
use crate::templates;
use crate::tree::Tree;

const WAVE: &str = "argocd.argoproj.io/sync-wave";
const OPTIONS: &str = "argocd.argoproj.io/sync-options";

/// The wave of an object. Servers and agent share one: a server is ready only once the agent has made it a member.
fn wave(draft: &Draft) -> i64 {
    match draft.kind {
        Kind::ServiceAccount | Kind::Role | Kind::RoleBinding | Kind::NetworkPolicy => -3,
        // Pods mount its Secret; by itself it would come after them, as custom resources do.
        Kind::Certificate => -2,
        // The agent would act on it while the servers' template is still the one before.
        Kind::ConfigMap if draft.template == templates::DESIRED_STATE => 0,
        Kind::ConfigMap | Kind::Service | Kind::PodDisruptionBudget => -1,
        // What waits for the one waits for the others.
        Kind::StatefulSet | Kind::Deployment | Kind::ValkeyCluster => 0,
        Kind::PodMonitor | Kind::PrometheusRule => 1,
    }
}

/// Says the wave on an object; the servers' own is what Argo CD takes for granted.
pub(crate) fn annotate(draft: &Draft, object: &mut Tree<'_>) {
    match wave(draft) {
        0 => {}
        wave => object.annotate(WAVE, Cow::Owned(wave.to_string())),
    }
    // Without the Prometheus operator, a cluster goes without alerts; it does not stay away.
    if matches!(draft.kind, Kind::PodMonitor | Kind::PrometheusRule) {
        object.annotate(OPTIONS, Cow::Borrowed("SkipDryRunOnMissingResource=true"));
    }
}
