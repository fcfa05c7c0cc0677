//! How many pods a namespace may have.
//!
//! <https://kubernetes.io/docs/concepts/policy/resource-quotas/>

use serde_json::Value;

use crate::json::{name, namespace, text};
use crate::refusal::{Reason, Refusal};
use crate::store::Store;

/// Text, or a number that stands for it.
fn bound(quota: &Value) -> String {
    let hard = quota.pointer("/spec/hard/pods");
    hard.map(|hard| hard.as_str().map_or_else(|| hard.to_string(), str::to_owned)).unwrap_or_default()
}

/// Whether every quota of its namespace has room for one more pod.
pub(super) fn check_pod(store: &Store, pod: &Value) -> Result<(), Refusal> {
    let pods = store.in_namespace("pods", namespace(pod));
    let used = pods.iter().filter(|pod| !["Succeeded", "Failed"].contains(&text(pod, "/status/phase"))).count();
    for quota in store.in_namespace("resourcequotas", namespace(pod)) {
        if let Ok(hard) = bound(&quota).parse::<usize>()
            && used >= hard
        {
            let message = format!(
                "pods {:?} is forbidden: exceeded quota: {}, requested: pods=1, used: pods={used}, limited: pods={hard}",
                name(pod),
                name(&quota)
            );
            return Err(Refusal::new(Reason::Forbidden, message).about("", "pods", name(pod)));
        }
    }
    Ok(())
}
