//! The templates, in the order in which their objects are applied, and the engine that fills them.

use std::sync::OnceLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{Environment, UndefinedBehavior};
use serde::{Serialize, Serializer, ser};

use crate::document::Kind;
use crate::error::Error;

macro_rules! file {
    ($name:literal) => {
        ($name, include_str!(concat!("../../templates/", $name)))
    };
}

/// The templates of Kubernetes objects, with the kind that each makes.
pub(crate) const OBJECTS: [(Kind, (&str, &str)); 17] = [
    (Kind::ServiceAccount, file!("service-account.yaml")),
    (Kind::Role, file!("role.yaml")),
    (Kind::RoleBinding, file!("role-binding.yaml")),
    (Kind::NetworkPolicy, file!("network-policy.yaml")),
    (Kind::NetworkPolicy, file!("network-policy-agent.yaml")),
    (Kind::Certificate, file!("certificate.yaml")),
    (Kind::ConfigMap, file!("config-map.yaml")),
    (Kind::ConfigMap, file!("config-map-desired.yaml")),
    (Kind::ValkeyCluster, file!("valkey-cluster.yaml")),
    (Kind::Service, file!("service-nodes.yaml")),
    (Kind::Service, file!("service.yaml")),
    (Kind::Service, file!("service-primaries.yaml")),
    (Kind::PodDisruptionBudget, file!("pod-disruption-budget.yaml")),
    (Kind::StatefulSet, file!("stateful-set.yaml")),
    (Kind::Deployment, file!("agent-deployment.yaml")),
    (Kind::PodMonitor, file!("pod-monitor.yaml")),
    (Kind::PrometheusRule, file!("prometheus-rule.yaml")),
];

/// The one of them for what should be, where no custom resource holds it.
pub(crate) const DESIRED_STATE: &str = "config-map-desired.yaml";

/// The templates of the texts that the servers' ConfigMap carries.
pub(crate) const FILES: [(&str, &str); 10] = [
    file!("valkey.conf"),
    file!("live.conf"),
    file!("start.sh"),
    file!("stop.sh"),
    file!("ask.sh"),
    file!("password.sh"),
    file!("renew.sh"),
    file!("startup.sh"),
    file!("liveness.sh"),
    file!("readiness.sh"),
];

/// What the template of this name makes of the context.
pub(crate) fn render(name: &str, context: Value) -> Result<String, Error> {
    Ok(environment()?.get_template(name)?.render(context)?)
}

/// Writes a value as JSON once, however often it is placed; for fields of what templates see.
pub(crate) fn placed<T: Serialize, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    let json = serde_json::to_string(value).map_err(ser::Error::custom)?;
    Value::from_safe_string(json).serialize(serializer)
}

/// Strict: what is not there is an error. Templates ending in `.yaml` write every value as JSON, which is one YAML scalar, list
/// or map whatever is in it; the others write text as it stands. A template is compiled when it is first wanted.
fn environment() -> Result<&'static Environment<'static>, Error> {
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    if let Some(ready) = ENVIRONMENT.get() {
        return Ok(ready);
    }
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_debug(true);
    environment
        .set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()?);
    environment.set_loader(|wanted| {
        let mut all = OBJECTS.iter().map(|(_, file)| file).chain(&FILES);
        Ok(all.find(|(name, _)| *name == wanted).map(|(_, source)| (*source).to_owned()))
    });
    Ok(ENVIRONMENT.get_or_init(|| environment))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_tables_name_every_template_there_is() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../templates");
        let names = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        let files: BTreeSet<String> = std::fs::read_dir(folder).unwrap().map(names).collect();
        let tables: BTreeSet<String> =
            OBJECTS.iter().map(|(_, file)| file).chain(&FILES).map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(files, tables);
    }

    /// What stands between braces may only be a name, a loop or a condition; no filter, no operator, no assignment.
    #[test]
    fn a_template_places_values_and_computes_nothing() {
        let is_word = |word: &str| word.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c == '.');
        for (name, source) in OBJECTS.iter().map(|(_, file)| file).chain(&FILES) {
            let values = source.split("{{").skip(1).filter_map(|rest| rest.split("}}").next());
            let blocks = source.split("{%").skip(1).filter_map(|rest| rest.split("%}").next());
            for value in values {
                assert!(is_word(value.trim()), "{name}: {value}");
            }
            for block in blocks {
                let words: Vec<&str> = block.split_whitespace().collect();
                assert!(words.iter().copied().all(is_word), "{name}: {block}");
                assert!(["for", "endfor", "if", "else", "endif"].contains(&words[0]), "{name}: {block}");
            }
        }
    }
}
