//! Eviction: a deletion that asks the disruption budgets first.
//!
//! <https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/>

use hyper::StatusCode;
use serde_json::{Value, json};

use super::answer::{Answer, json as answer_json};
use super::request::Request;
use super::selector::LabelSelector;
use super::write::{body, delete_object};
use crate::cluster::Cluster;
use crate::control::budget;
use crate::json::{is_true, name, namespace, text};
use crate::refusal::{Reason, Refusal};
use crate::store::Store;

pub(super) fn evict(cluster: &Cluster, request: &Request) -> Result<Answer, Refusal> {
    let eviction = body(request)?;
    let key = request.target.key();
    // Two evictions at once must not both count on the same budget.
    let _one_at_a_time = cluster.evictions.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let pod = cluster.store.find(&key)?;
    ask_budgets(&cluster.store, &pod)?;
    let options = eviction.get("deleteOptions").cloned().unwrap_or_else(|| json!({}));
    if !request.is_dry_run() {
        delete_object(&cluster.store, &key, &options)?;
    }
    Ok(answer_json(
        StatusCode::CREATED,
        &json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}),
    ))
}

fn ask_budgets(store: &Store, pod: &Value) -> Result<(), Refusal> {
    let is_over = matches!(text(pod, "/status/phase"), "Succeeded" | "Failed" | "Pending");
    if is_over || crate::json::is_leaving(pod) {
        return Ok(());
    }
    let budgets = store.in_namespace("poddisruptionbudgets.policy", namespace(pod));
    let covers =
        |budget: &Value| LabelSelector::of(budget.pointer("/spec/selector").unwrap_or(&Value::Null)).matches(pod);
    let covering: Vec<_> = budgets.iter().filter(|budget| covers(budget)).collect();
    match covering.as_slice() {
        [] => Ok(()),
        [budget] => ask(store, budget, pod),
        _ => Err(Refusal::new(
            Reason::InternalError,
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
        )),
    }
}

fn ask(store: &Store, budget: &Value, pod: &Value) -> Result<(), Refusal> {
    let health = budget::health(store, budget);
    // <https://kubernetes.io/docs/tasks/run-application/configure-pdb/#unhealthy-pod-eviction-policy>
    let is_unhealthy = !is_true(pod, "Ready");
    let always = text(budget, "/spec/unhealthyPodEvictionPolicy") == "AlwaysAllow";
    let enough = health.current >= health.desired && health.desired > 0;
    if health.allowed() > 0 || (is_unhealthy && (always || enough)) {
        return Ok(());
    }
    let message = "Cannot evict pod as it would violate the pod's disruption budget.";
    let mut refusal = Refusal::new(Reason::TooManyRequests, message);
    let cause = format!(
        "The disruption budget {} needs {} healthy pods and has {} currently",
        name(budget),
        health.desired,
        health.current
    );
    refusal.details = json!({"causes": [{"reason": "DisruptionBudget", "message": cause}]});
    Err(refusal)
}
