//! Create, update, patch, delete.
//!
//! <https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-operations>

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::{Value, json};

use super::answer::{Answer, json as answer_json, ok};
use super::patch::{self, Managed};
use super::read::represented;
use super::request::Request;
use super::selector::Selection;
use super::{defaults, events, laws, structural};
use crate::cluster::Cluster;
use crate::json::{is_leaving, items, name, namespace, number, remove, set, text, uid};
use crate::kinds::{Kind, Subresource};
use crate::random;
use crate::refusal::{Reason, Refusal};
use crate::store::{Key, Store};

/// The object that a request carries.
pub(super) fn body(request: &Request) -> Result<Value, Refusal> {
    let text = std::str::from_utf8(&request.body).map_err(|error| Refusal::bad_request(error.to_string()))?;
    match request.content_type.as_str() {
        "application/yaml" | "application/apply-patch+yaml" => {
            serde_saphyr::from_str(text).map_err(|error| Refusal::bad_request(error.to_string()))
        }
        kind if kind.is_empty() || kind.ends_with("json") => {
            serde_json::from_str(text).map_err(|error| Refusal::bad_request(error.to_string()))
        }
        kind => {
            let message = format!("the body of the request was in an unknown format - {kind}");
            Err(Refusal::new(Reason::UnsupportedMediaType, message))
        }
    }
}

/// The object of a body, where the path says that it is.
fn placed(request: &Request) -> Result<Value, Refusal> {
    let mut object = body(request)?;
    let kind = &request.target.kind;
    for (path, served) in [("/apiVersion", kind.api_version()), ("/kind", kind.name.clone())] {
        let said = text(&object, path);
        if !said.is_empty() && said != served {
            let message = format!("the {} in the data ({said}) does not match the expected one ({served})", &path[1..]);
            return Err(Refusal::bad_request(message));
        }
        set(&mut object, path, served);
    }
    for (path, named) in [("/metadata/namespace", &request.target.namespace), ("/metadata/name", &request.target.name)]
    {
        let Some(named) = named else { continue };
        let said = text(&object, path);
        if !said.is_empty() && said != named {
            let message = format!("the {path} of the object ({said}) does not match the one of the URL ({named})");
            return Err(Refusal::bad_request(message));
        }
        set(&mut object, path, named.clone());
    }
    Ok(object)
}

pub(super) fn create(cluster: &Cluster, request: &Request) -> Result<Answer, Refusal> {
    let mut object = placed(request)?;
    remove(&mut object, "/metadata/managedFields");
    Managed::of(request, "Update").wrote(&json!({}), &mut object);
    let created = admit_and_create(cluster, request, object)?;
    Ok(answer_json(StatusCode::CREATED, &represented(request, &created)))
}

fn admit_and_create(cluster: &Cluster, request: &Request, object: Value) -> Result<Arc<Value>, Refusal> {
    if request.is_dry_run() {
        return admitted(&cluster.store, &request.target.kind, object).map(Arc::new);
    }
    create_object(&cluster.store, &request.target.kind, object)
}

/// Writes a new object after everything that admission does to it.
pub(crate) fn create_object(store: &Store, kind: &Kind, object: Value) -> Result<Arc<Value>, Refusal> {
    let object = admitted(store, kind, object)?;
    store.create(&kind.resource(), object)
}

fn admitted(store: &Store, kind: &Kind, mut object: Value) -> Result<Value, Refusal> {
    if name(&object).is_empty() {
        let generated = format!("{}{}", text(&object, "/metadata/generateName"), random::suffix());
        set(&mut object, "/metadata/name", generated);
    }
    if kind.subresources.contains(&Subresource::Status) {
        remove(&mut object, "/status");
    }
    if kind.name == "Event" {
        object = events::stored(object);
    }
    defaults::fill(&kind.name, &mut object);
    structural::fill(structural::version(store, kind).as_ref(), &mut object);
    laws::check_new(store, kind, &object)?;
    Ok(object)
}

pub(super) fn update(cluster: &Cluster, request: &Request) -> Result<Answer, Refusal> {
    let object = placed(request)?;
    let written = rewrite(cluster, request, |_| Ok(object))?;
    Ok(ok(&represented(request, &written)))
}

pub(super) fn patch(cluster: &Cluster, request: &Request) -> Result<Answer, Refusal> {
    let patch = body(request)?;
    let key = request.target.key();
    if request.content_type == patch::APPLY && cluster.store.get(&key).is_none() && request.target.subresource.is_none()
    {
        let mut object = placed(request)?;
        Managed::of(request, "Apply").applies(&json!({}), &mut object, false)?;
        let created = admit_and_create(cluster, request, object)?;
        return Ok(answer_json(StatusCode::CREATED, &represented(request, &created)));
    }
    let written = rewrite(cluster, request, |before| patch::patched(request, before, patch))?;
    Ok(ok(&represented(request, &written)))
}

/// Writes what comes of an object, as far as the request may.
fn rewrite(
    cluster: &Cluster,
    request: &Request,
    compute: impl FnOnce(&Value) -> Result<Value, Refusal>,
) -> Result<Arc<Value>, Refusal> {
    let kind = &request.target.kind;
    let version = structural::version(&cluster.store, kind);
    let change = |before: &Value| {
        let mut after = compute(before)?;
        check_uid(request, before, &after)?;
        let expected = text(&after, "/metadata/resourceVersion");
        if !expected.is_empty() && expected != text(before, "/metadata/resourceVersion") {
            let why = "the object has been modified; please apply your changes to the latest version and try again";
            return Err(conflict(request, why));
        }
        keep_what_is_not_asked_for(request, before, &mut after);
        defaults::fill(&kind.name, &mut after);
        structural::fill(version.as_ref(), &mut after);
        laws::check_change(kind, before, &after)?;
        if request.content_type != patch::APPLY {
            Managed::of(request, "Update").wrote(before, &mut after);
        }
        Ok(after)
    };
    if request.is_dry_run() {
        return change(&*cluster.store.find(&request.target.key())?).map(Arc::new);
    }
    cluster.store.change(&request.target.key(), change)
}

/// A request to the status that names another object of the same name is none the less about this one: there, what it says of the metadata
/// is dropped before anybody looks at it.
fn check_uid(request: &Request, before: &Value, after: &Value) -> Result<(), Refusal> {
    if request.target.subresource == Some(Subresource::Status) || uid(after).is_empty() || uid(after) == uid(before) {
        return Ok(());
    }
    if request.content_type.contains("patch") {
        return Err(Refusal::invalid("metadata.uid: field is immutable"));
    }
    check_preconditions(&request.target.key(), before, &json!({"preconditions": {"uid": uid(after)}}))
}

/// A request to the object leaves its status alone, one to its status leaves everything else.
fn keep_what_is_not_asked_for(request: &Request, before: &Value, after: &mut Value) {
    let has_status = request.target.kind.subresources.contains(&Subresource::Status);
    if request.target.subresource == Some(Subresource::Status) {
        let mut kept = before.clone();
        let managed = remove(after, "/metadata/managedFields").unwrap_or_default();
        set(&mut kept, "/metadata/managedFields", managed);
        set(&mut kept, "/status", after.get("status").cloned().unwrap_or_default());
        *after = kept;
    } else if has_status {
        match before.get("status") {
            Some(status) => set(after, "/status", status.clone()),
            None => drop(remove(after, "/status")),
        }
    }
    for field in ["deletionTimestamp", "deletionGracePeriodSeconds"] {
        let path = format!("/metadata/{field}");
        match before.pointer(&path) {
            Some(value) => set(after, &path, value.clone()),
            None => drop(remove(after, &path)),
        }
    }
}

fn conflict(request: &Request, why: &str) -> Refusal {
    let key = request.target.key();
    Refusal::conflict(&key.resource, &key.name, why)
}

pub(super) fn delete(cluster: &Cluster, request: &Request) -> Result<Answer, Refusal> {
    let options = if request.body.is_empty() { json!({}) } else { body(request)? };
    let options = with_query(options, request);
    if request.is_dry_run() {
        return Ok(ok(&represented(request, &*cluster.store.find(&request.target.key())?)));
    }
    let deleted = delete_object(&cluster.store, &request.target.key(), &options)?;
    Ok(ok(&represented(request, &deleted)))
}

fn with_query(mut options: Value, request: &Request) -> Value {
    if let Ok(seconds) = request.query.get("gracePeriodSeconds").parse::<i64>() {
        set(&mut options, "/gracePeriodSeconds", seconds);
    }
    if !request.query.get("propagationPolicy").is_empty() {
        set(&mut options, "/propagationPolicy", request.query.get("propagationPolicy"));
    }
    options
}

pub(super) fn delete_collection(cluster: &Cluster, request: &Request) -> Result<Answer, Refusal> {
    let selection = Selection::of(&request.query)?;
    let kind = &request.target.kind;
    let (objects, _) = cluster.store.list(&kind.resource(), request.target.namespace.as_deref());
    let options = with_query(if request.body.is_empty() { json!({}) } else { body(request)? }, request);
    for object in objects.iter().filter(|object| selection.matches(object)) {
        delete_object(&cluster.store, &Key::of(&kind.resource(), object), &options)?;
    }
    Ok(ok(&json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})))
}

/// Marks an object for deletion; it goes at once unless a finalizer or a kubelet holds it. With `Orphan`, what it owns stays.
/// <https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination>
pub(crate) fn delete_object(store: &Store, key: &Key, options: &Value) -> Result<Arc<Value>, Refusal> {
    if text(options, "/propagationPolicy") == "Orphan" {
        orphan(store, uid(&*store.find(key)?));
    }
    store.change(key, |before| {
        check_preconditions(key, before, options)?;
        let grace = grace(&key.resource, before, options);
        let mut after = before.clone();
        let earlier = number(before, "/metadata/deletionGracePeriodSeconds");
        if !is_leaving(before) {
            set(&mut after, "/metadata/deletionTimestamp", crate::json::now());
        }
        // A second deletion can only shorten what the first allowed.
        set(&mut after, "/metadata/deletionGracePeriodSeconds", earlier.map_or(grace, |earlier| earlier.min(grace)));
        Ok(after)
    })
}

fn check_preconditions(key: &Key, before: &Value, options: &Value) -> Result<(), Refusal> {
    for (field, named) in [("uid", "UID"), ("resourceVersion", "ResourceVersion")] {
        let wanted = text(options, &format!("/preconditions/{field}"));
        let found = text(before, &format!("/metadata/{field}"));
        if !wanted.is_empty() && wanted != found {
            let why =
                format!("Precondition failed: {named} in precondition: {wanted}, {named} in object meta: {found}");
            return Err(Refusal::conflict(&key.resource, &key.name, &why));
        }
    }
    Ok(())
}

/// Only a pod that a kubelet runs has something to finish.
fn grace(resource: &str, object: &Value, options: &Value) -> i64 {
    let is_running = resource == "pods" && !text(object, "/spec/nodeName").is_empty();
    let is_over = matches!(text(object, "/status/phase"), "Succeeded" | "Failed");
    if !is_running || is_over {
        return 0;
    }
    let own = number(object, "/spec/terminationGracePeriodSeconds").unwrap_or(30);
    number(options, "/gracePeriodSeconds").unwrap_or(own)
}

fn orphan(store: &Store, owner: &str) {
    for resource in ["pods", "controllerrevisions.apps", "persistentvolumeclaims"] {
        for object in store.all(resource) {
            let owners = items(&object, "/metadata/ownerReferences");
            let others: Vec<Value> = owners.iter().filter(|found| text(found, "/uid") != owner).cloned().collect();
            if others.len() != owners.len() {
                let key = Key::new(resource, namespace(&object), name(&object));
                store.edit(&key, |object| set(object, "/metadata/ownerReferences", others));
            }
        }
    }
}
