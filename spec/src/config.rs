//! The user's directives: which may be set, and to what.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::checks::Checks;
use crate::directives::{self, Directive};
use crate::problem::{Complaint, Path};
use crate::suggest;
use crate::text::Series;

/// The value of a directive: text, or a whole number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ConfigValue {
    /// A number that was written without quotes.
    Integer(i64),
    /// Anything else.
    Text(String),
}

impl fmt::Display for ConfigValue {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => write!(out, "{number}"),
            Self::Text(text) => out.write_str(text),
        }
    }
}

impl JsonSchema for ConfigValue {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ConfigValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "integer"], "description": "Text, or a whole number."})
    }
}

/// The directives that the user sets, and to what.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    /// Each with its value, by name.
    pub directives: Vec<(Directive, String)>,
}

impl Config {
    pub(crate) fn check(written: &BTreeMap<String, ConfigValue>, series: Series, checks: &mut Checks) -> Self {
        let mut config = Self::default();
        let at = Path::of("spec.config");
        for (name, value) in written {
            let value = value.to_string();
            match settable(name, series) {
                Err(complaint) => checks.refuse_at(at.name(name), complaint),
                Ok(directive) => match directive.check(&value) {
                    Err(complaint) => checks.refuse_at(at.key(name), complaint),
                    Ok(()) => config.directives.push((directive, value)),
                },
            }
        }
        config
    }

    /// The lines of those that Valkey cannot change without a restart.
    pub fn restarting_lines(&self) -> impl Iterator<Item = String> {
        let restarting = self.directives.iter().filter(|(directive, _)| !directive.live);
        restarting.map(|(directive, value)| directive.line(value))
    }
}

/// The directive of this name, if a spec may set it.
///
/// # Errors
/// Who owns it instead, or that the series does not know it.
pub fn settable(name: &str, series: Series) -> Result<Directive, Complaint> {
    if let Some(reason) = owner(name) {
        return Err(Complaint::new("is not for a spec to set", reason));
    }
    let directive = directives::find(series, name).ok_or_else(|| unknown(name, series))?;
    match directive.alias_of {
        Some(alias) => Err(Complaint::new("is an old name", format!("write `{alias}`"))),
        None => Ok(directive),
    }
}

/// What is left as it is where nobody chooses: people turn the one on for as long as they copy data in; the other, a server lowers by
/// itself where its host lets it open fewer files, and would refuse to have it raised.
const LEFT_ALONE: [&str; 2] = ["import-mode", "maxclients"];

/// The directives that a spec may set on running servers, with the values of a server that is not told otherwise.
pub(crate) fn live_defaults(series: Series) -> impl Iterator<Item = (Directive, String)> {
    let may_be_set =
        |directive: &Directive| directive.live && directive.alias_of.is_none() && owner(directive.name).is_none();
    let known = directives::all(series).filter(may_be_set).filter(|directive| !LEFT_ALONE.contains(&directive.name));
    known.map(|directive| (directive.clone(), directive.default.to_owned()))
}

fn unknown(name: &str, series: Series) -> Complaint {
    let elsewhere = directives::series_with(name);
    if !elsewhere.is_empty() {
        let list = elsewhere.into_iter().map(Series::as_str).collect::<Vec<_>>().join(", ");
        let message = format!("is not a directive of Valkey {series}, whose server would not start with it");
        return Complaint::new(message, format!("it is one of {list}: remove it, or choose that version"));
    }
    let known = directives::all(series).map(|directive| directive.name).filter(|name| owner(name).is_none());
    let hint = suggest::closest(name, known).map_or_else(
        || "see the configuration page of the Valkey documentation for the directives there are".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    Complaint::new(format!("is not a directive of Valkey {series}"), hint)
}

/// Why a directive is not for the user to set, where it is not: what sets it instead.
fn owner(name: &str) -> Option<&'static str> {
    let prefixes = [
        ("cluster-", "the renderer and the agent own how members find and replace each other"),
        ("tls-", "spec.tls says how connections are encrypted"),
        ("rdma-", "the renderer owns where the server listens"),
        ("unixsocket", "the renderer owns where the server listens; probes use that socket"),
        ("replica-announce", "the renderer announces each pod's own address"),
        ("slave-announce", "the renderer announces each pod's own address"),
        ("shutdown-", "the renderer owns how a server stops, so that its primary hands over first"),
        ("syslog-", "the log of a container goes to its output"),
    ];
    let by_prefix = prefixes.iter().find(|(prefix, _)| name.starts_with(prefix)).map(|(_, reason)| *reason);
    by_prefix.or_else(|| owner_by_name(name))
}

fn owner_by_name(name: &str) -> Option<&'static str> {
    Some(match name {
        "port" | "bind" | "bind-source-addr" | "protected-mode" => {
            "the renderer owns where the server listens; access.clients says who may connect"
        }
        "requirepass" | "aclfile" | "user" | "primaryauth" | "primaryuser" | "masterauth" | "masteruser" => {
            "spec.auth says where the password is; it never stands in a spec"
        }
        "dir" | "dbfilename" | "appendfilename" | "appenddirname" => "the renderer owns where data lies",
        "appendonly" | "appendfsync" | "save" => "write it as spec.persistence",
        "maxmemory" => "it follows from spec.resources.limits.memory and spec.maxMemoryPercent",
        "replicaof" | "slaveof" => "the agent owns which member follows which",
        "daemonize" | "supervised" | "pidfile" | "logfile" => "the renderer owns how the server runs in its container",
        "include" | "loadmodule" | "rename-command" => {
            "what is not in a spec is done by a kustomize patch on the output"
        }
        "enable-protected-configs" | "enable-debug-command" | "enable-module-command" => {
            "it would let clients change what the spec says; use a kustomize patch if that is wanted"
        }
        "availability-zone" => {
            "Valkey 8.1 cannot start on a nodes.conf that has one, so that no upgrade could be taken back"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str, value: &str) -> String {
        let complaint = settable(name, Series::V8_1).and_then(|directive| directive.check(value)).unwrap_err();
        format!("{}; {}", complaint.message, complaint.hint.unwrap_or_default())
    }

    #[test]
    fn what_nobody_chooses_has_its_default_where_a_spec_may_set_it_live() {
        let default =
            |name: &str| live_defaults(Series::V9_1).find(|(known, _)| known.name == name).map(|(_, value)| value);
        assert_eq!(default("maxmemory-policy").as_deref(), Some("noeviction"));
        // Read at the start alone; not the spec's to set; an old name; left alone.
        for name in ["tcp-backlog", "appendfsync", "slave-priority", "maxclients", "import-mode"] {
            assert_eq!(default(name), None, "{name}");
        }
    }

    #[test]
    fn a_directive_is_refused_with_its_reason() {
        assert!(refusal("maxmemory-polcy", "x").contains("did you mean `maxmemory-policy`?"));
        assert!(refusal("mptcp", "yes").contains("it is one of 9.0, 9.1"));
        assert!(refusal("slave-priority", "1").contains("write `replica-priority`"));
        assert!(refusal("maxmemory-policy", "lru").contains("write one of volatile-lru"));
        assert!(refusal("hz", "0x10").contains("whole number"));
        for owned in
            ["port", "cluster-enabled", "requirepass", "aclfile", "dir", "tls-port", "save", "include", "maxmemory"]
        {
            assert!(refusal(owned, "1").contains("not for a spec to set"), "{owned}");
        }
    }

    #[test]
    fn what_a_server_changes_live_is_no_line_that_restarts_it() {
        let mut checks = Checks::default();
        let written = [("databases", "4"), ("hz", "20")]
            .map(|(name, value)| (name.to_owned(), ConfigValue::Text(value.to_owned())));
        let config = Config::check(&BTreeMap::from(written), Series::V9_1, &mut checks);
        assert!(checks.found.is_empty());
        let live = config.directives.iter().filter(|(directive, _)| directive.live);
        assert_eq!(live.map(|(directive, _)| directive.name).collect::<Vec<_>>(), ["hz"]);
        assert_eq!(config.restarting_lines().collect::<Vec<_>>(), ["databases 4"]);
    }
}
