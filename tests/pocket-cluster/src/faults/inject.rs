//! Makes faults happen, and runs commands in pods.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::server::Rule;
use super::{Fault, Side, key, lock};
use crate::api::{Answer, Subject, answer_json};
use crate::cluster::Cluster;
use crate::json::{items, set_condition, text, uid};
use crate::node::Order;
use crate::refusal::{Reason, Refusal};
use crate::store::Key;

/// Answers what is asked under `/pocket/v1/`.
pub(crate) async fn answer(cluster: &Arc<Cluster>, subject: &Subject, path: &str, body: &[u8]) -> Answer {
    if *subject != Subject::Admin {
        return Refusal::new(Reason::Forbidden, "only the holder of the kubeconfig asks for faults").into();
    }
    let answered = match path {
        "requests" => Ok(json!({"requests": cluster.audit.all()})),
        "faults" => read(body).and_then(|fault| inject(cluster, &fault)).map(|()| json!({})),
        "exec" => match read(body) {
            Ok(exec) => run(cluster, &exec).await,
            Err(refusal) => Err(refusal),
        },
        _ => Err(Refusal::new(Reason::NotFound, "there are /pocket/v1/exec, /faults and /requests")),
    };
    answered.map_or_else(Answer::from, |answer| answer_json(StatusCode::OK, &answer))
}

fn read<T: for<'a> Deserialize<'a>>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::bad_request(error.to_string()))
}

/// A command in a pod.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Exec {
    pub(crate) pod: String,
    pub(crate) container: Option<String>,
    pub(crate) command: Vec<String>,
    #[serde(default)]
    pub(crate) input: String,
    pub(crate) patience_millis: u64,
}

async fn run(cluster: &Cluster, exec: &Exec) -> Result<Value, Refusal> {
    let pod = cluster.store.find(&key("pods", &exec.pod))?;
    let handle = cluster.workers.handle(&pod, exec.container.as_deref());
    let handle = handle.ok_or_else(|| Refusal::new(Reason::Conflict, format!("no container of {} runs", exec.pod)))?;
    let patience = Duration::from_millis(exec.patience_millis);
    let said = handle.exec(&exec.command, exec.input.as_bytes(), patience).await;
    let said = said.map_err(|error| Refusal::new(Reason::InternalError, error.to_string()))?;
    Ok(json!(said))
}

fn inject(cluster: &Cluster, fault: &Fault) -> Result<(), Refusal> {
    match fault {
        Fault::Kill { pod, container } => order(cluster, pod, &Order::Kill { container: container.clone() }),
        Fault::Freeze { pods } => pods.iter().try_for_each(|pod| order(cluster, pod, &Order::Freeze)),
        Fault::Thaw { pods } => pods.iter().try_for_each(|pod| order(cluster, pod, &Order::Thaw)),
        Fault::Partition { pods, from } => {
            let side = |pods: &[String]| Side::Pods(pods.iter().map(|pod| key("pods", pod)).collect());
            let other = if from.is_empty() { Side::Api } else { side(from) };
            cluster.faults.partitions.send_modify(|partitions| partitions.push((side(pods), other)));
            Ok(())
        }
        Fault::Heal => {
            cluster.faults.partitions.send_modify(Vec::clear);
            Ok(())
        }
        Fault::Api(fault) => {
            lock(&cluster.faults.rules).push(Rule::of(fault));
            Ok(())
        }
        Fault::Commands(fault) => {
            let account = fault.service_account.iter().map(|account| key("serviceaccounts", account));
            lock(&cluster.faults.heard).extend(account);
            lock(&cluster.faults.commands).push(Rule::of(fault));
            Ok(())
        }
        Fault::Mend => {
            lock(&cluster.faults.rules).clear();
            lock(&cluster.faults.commands).clear();
            Ok(())
        }
        Fault::Outage { millis } => {
            cluster.faults.outage.send_replace(Some(Instant::now() + Duration::from_millis(*millis)));
            Ok(())
        }
        Fault::Compact => {
            cluster.store.compact();
            Ok(())
        }
        Fault::Move { pods } => move_pods(cluster, pods),
        Fault::LoseVolume { claim } => lose_volume(cluster, &key("persistentvolumeclaims", claim)),
        Fault::SpoilDisk { pods } => pods.iter().try_for_each(|pod| order(cluster, pod, &Order::Disk { fails: true })),
        Fault::Repair { pods } => pods.iter().try_for_each(|pod| order(cluster, pod, &Order::Disk { fails: false })),
        Fault::Clock { pods, seconds } => pods.iter().try_for_each(|pod| set_clock(cluster, pod, *seconds)),
        Fault::HostDown { host } => power(cluster, host, false),
        Fault::HostUp { host } => power(cluster, host, true),
        Fault::Renew { certificate } => renew(cluster, &key("certificates.cert-manager.io", certificate)),
    }
}

fn order(cluster: &Cluster, pod: &str, order: &Order) -> Result<(), Refusal> {
    let object = cluster.store.find(&key("pods", pod))?;
    if cluster.workers.order(&object, order.clone()) {
        return Ok(());
    }
    Err(Refusal::new(Reason::Conflict, format!("{pod} does not run")))
}

fn set_clock(cluster: &Cluster, pod: &str, seconds: i64) -> Result<(), Refusal> {
    let object = cluster.store.find(&key("pods", pod))?;
    if !cluster.has_clocks {
        return Err(Refusal::new(Reason::Conflict, "this pocket was started without clocks"));
    }
    let set = cluster.places.set_clock(uid(&object), seconds);
    set.map_err(|error| Refusal::new(Reason::InternalError, error.to_string()))
}

fn move_pods(cluster: &Cluster, pods: &[String]) -> Result<(), Refusal> {
    if !pods.is_empty() {
        return pods.iter().try_for_each(|pod| order(cluster, pod, &Order::Rebuild { lost: None }));
    }
    for pod in cluster.store.all("pods") {
        // Those that do not run yet get an address soon enough.
        cluster.workers.order(&pod, Order::Rebuild { lost: None });
    }
    Ok(())
}

fn lose_volume(cluster: &Cluster, claim: &Key) -> Result<(), Refusal> {
    cluster.store.find(claim)?;
    for pod in cluster.store.in_namespace("pods", &claim.namespace) {
        let uses = |volume: &Value| text(volume, "/persistentVolumeClaim/claimName") == claim.name;
        if items(&pod, "/spec/volumes").iter().any(uses) {
            cluster.workers.order(&pod, Order::Rebuild { lost: Some(claim.clone()) });
        }
    }
    Ok(())
}

fn power(cluster: &Cluster, host: &str, is_on: bool) -> Result<(), Refusal> {
    cluster.store.find(&Key::new("nodes", "", host))?;
    if is_on {
        lock(&cluster.faults.down).remove(host);
    } else {
        lock(&cluster.faults.down).insert(host.to_owned());
    }
    cluster.workers.order_all_on(host, if is_on { &Order::HostUp } else { &Order::HostDown });
    cluster.store.touch();
    Ok(())
}

/// Kills the pods of a service account: none of their processes does anything after this.
pub(crate) fn strike(cluster: &Cluster, subject: &Subject) {
    let Subject::ServiceAccount { namespace, name } = subject else { return };
    for pod in cluster.store.in_namespace("pods", namespace) {
        if text(&pod, "/spec/serviceAccountName") == name {
            cluster.workers.kill(&pod);
        }
    }
}

/// As `cmctl renew` does it. <https://cert-manager.io/docs/reference/cmctl/#renew>
fn renew(cluster: &Cluster, certificate: &Key) -> Result<(), Refusal> {
    cluster.store.find(certificate)?;
    cluster.store.edit(certificate, |certificate| {
        let reason = "ManuallyTriggered";
        set_condition(certificate, json!({"type": "Issuing", "status": "True", "reason": reason, "message": ""}));
    });
    Ok(())
}
