//! What a container finds in its environment.
//!
//! <https://kubernetes.io/docs/tasks/inject-data-application/>

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::network::API_ADDRESS;
use super::process::default_environment;
use super::shape::{ContainerSpec, PodSpec, Variable};
use crate::json::{entries, entry, flag, namespace, text};
use crate::quantity;
use crate::store::{Key, Store};

/// What a container refers to and what is not there. It may come.
#[derive(Debug, thiserror::Error)]
pub(super) enum Missing {
    #[error("{0} not found")]
    Object(Key),
    #[error("couldn't find key {key} in {object}")]
    Key { key: String, object: Key },
    #[error("the field {0:?} is not supported")]
    Field(String),
}

/// What a resource without a limit shows: what the host has.
const HOST: [(&str, &str); 2] = [("memory", "256Gi"), ("cpu", "64")];

pub(super) struct Environment<'a> {
    pub(super) store: &'a Store,
    pub(super) pod: &'a Value,
    pub(super) spec: &'a PodSpec,
}

impl Environment<'_> {
    pub(super) fn of(&self, container: &ContainerSpec) -> Result<BTreeMap<String, String>, Missing> {
        let mut environment = default_environment();
        environment.insert("HOSTNAME".into(), self.spec.hostname.clone());
        environment.insert("KUBERNETES_SERVICE_HOST".into(), API_ADDRESS.to_string());
        environment.insert("KUBERNETES_SERVICE_PORT".into(), "443".into());
        environment.insert("KUBERNETES_SERVICE_PORT_HTTPS".into(), "443".into());
        for source in &container.env_from {
            environment.extend(self.all_of(source)?);
        }
        for variable in &container.env {
            let value = self.value(container, variable, &environment)?;
            environment.extend(value.map(|value| (variable.name.clone(), value)));
        }
        Ok(environment)
    }

    fn all_of(&self, source: &Value) -> Result<BTreeMap<String, String>, Missing> {
        let prefix = text(source, "/prefix");
        let resource = if source.get("secretRef").is_some() { "secrets" } else { "configmaps" };
        let reference = source.get("secretRef").or_else(|| source.get("configMapRef")).unwrap_or(&Value::Null);
        let key = Key::new(resource, namespace(self.pod), text(reference, "/name"));
        match self.store.get(&key) {
            Some(object) => Ok(entries(&object, "/data")
                .map(|(name, value)| (format!("{prefix}{name}"), decoded(resource, value)))
                .collect()),
            None if flag(reference, "/optional") == Some(true) => Ok(BTreeMap::new()),
            None => Err(Missing::Object(key)),
        }
    }

    fn value(
        &self,
        container: &ContainerSpec,
        variable: &Variable,
        before: &BTreeMap<String, String>,
    ) -> Result<Option<String>, Missing> {
        let from = &variable.value_from;
        if let Some(reference) = from.get("secretKeyRef") {
            return self.key_of("secrets", reference);
        }
        if let Some(reference) = from.get("configMapKeyRef") {
            return self.key_of("configmaps", reference);
        }
        if let Some(field) = from.pointer("/fieldRef/fieldPath").and_then(Value::as_str) {
            return field_of(self.pod, field).map(Some);
        }
        if let Some(reference) = from.get("resourceFieldRef") {
            return Ok(Some(self.resource(container, reference)));
        }
        Ok(Some(expand(&variable.value, before)))
    }

    fn key_of(&self, resource: &str, reference: &Value) -> Result<Option<String>, Missing> {
        let object = Key::new(resource, namespace(self.pod), text(reference, "/name"));
        let is_optional = flag(reference, "/optional") == Some(true);
        let found = self.store.get(&object);
        let key = text(reference, "/key");
        let value = found.as_ref().and_then(|found| found.pointer("/data")?.get(key)?.as_str());
        match value {
            Some(value) => Ok(Some(decoded(resource, value))),
            None if is_optional => Ok(None),
            None if found.is_none() => Err(Missing::Object(object)),
            None => Err(Missing::Key { key: key.to_owned(), object }),
        }
    }

    /// <https://kubernetes.io/docs/concepts/workloads/pods/downward-api/#downwardapi-resourceFieldRef>
    fn resource(&self, container: &ContainerSpec, reference: &Value) -> String {
        let named = self.spec.containers.iter().find(|other| other.name == text(reference, "/containerName"));
        let resource = text(reference, "/resource");
        let host = HOST.iter().find(|(kind, _)| resource.ends_with(kind)).map_or("0", |(_, amount)| amount);
        let amount = Some(named.unwrap_or(container).resource(resource)).filter(|amount| !amount.is_empty());
        let number = |text: &str| quantity::number(text).filter(|number| *number > 0.0);
        let amount = number(amount.unwrap_or(host)).unwrap_or(0.0);
        format!("{:.0}", (amount / number(text(reference, "/divisor")).unwrap_or(1.0)).ceil())
    }
}

/// A field of a pod, as the downward API names it: `metadata.name`, `metadata.labels['shard']`, `status.podIP`.
pub(super) fn field_of(pod: &Value, field: &str) -> Result<String, Missing> {
    if let Some((map, key)) = field.strip_suffix("']").and_then(|field| field.split_once("['")) {
        return Ok(entry(pod, &format!("/{}", map.replace('.', "/")), key).to_owned());
    }
    match pod.pointer(&format!("/{}", field.replace('.', "/"))) {
        Some(Value::String(text)) => Ok(text.clone()),
        _ => Err(Missing::Field(field.to_owned())),
    }
}

/// The text of a value; those of secrets are encoded.
fn decoded(resource: &str, value: &str) -> String {
    if resource != "secrets" {
        return value.to_owned();
    }
    String::from_utf8_lossy(&STANDARD.decode(value).unwrap_or_default()).into_owned()
}

/// Puts variables in for `$(NAME)`; `$$` stands for one `$`, and what is not known stays.
/// <https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/>
pub(super) fn expand(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let reference = after.strip_prefix('(').and_then(|inner| inner.split_once(')'));
        rest = match (after.strip_prefix('$'), reference) {
            (Some(after), _) => {
                expanded.push('$');
                after
            }
            (None, Some((name, after))) if variables.contains_key(name) => {
                expanded.push_str(variables.get(name).map_or("", String::as_str));
                after
            }
            (None, _) => {
                expanded.push('$');
                after
            }
        };
    }
    expanded + rest
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::expand;

    #[test]
    fn variables_stand_for_their_values_and_the_unknown_for_itself() {
        let variables = BTreeMap::from([("A".to_owned(), "1".to_owned())]);
        assert_eq!(expand("$(A) $$(A) $(B) $A$", &variables), "1 $(A) $(B) $A$");
    }
}
