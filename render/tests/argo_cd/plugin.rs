//! The plugin's file, read as Argo CD's plugin server reads it, but for fields that Argo CD does not know: here they are refused.

use std::path::Path;

use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Plugin {
    #[serde(rename = "apiVersion")]
    _api_version: String,
    kind: String,
    pub(crate) metadata: Metadata,
    pub(crate) spec: Spec,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Metadata {
    pub(crate) name: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// It would become a part of the name that Applications write.
    version: Option<String>,
    pub(crate) init: Option<Command>,
    pub(crate) generate: Command,
    pub(crate) discover: Option<Discover>,
    pub(crate) parameters: Option<Parameters>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Command {
    #[serde(default)]
    pub(crate) command: Vec<String>,
    #[serde(default)]
    pub(crate) args: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Discover {
    pub(crate) find: Command,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    pub(crate) dynamic: Command,
}

impl Plugin {
    pub(crate) fn read(path: &Path) -> Self {
        let plugin: Self = serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!(plugin.kind, "ConfigManagementPlugin");
        assert!(!plugin.metadata.name.is_empty() && !plugin.spec.generate.command.is_empty());
        assert_eq!(plugin.spec.version, None);
        plugin
    }

    /// The same plugin with another way to generate.
    pub(crate) fn generating_by(mut self, script: &str) -> Self {
        self.spec.generate = Command { command: ["sh", "-c", script].map(str::to_owned).to_vec(), args: Vec::new() };
        self
    }
}

impl Command {
    /// What is run, without a shell.
    pub(crate) fn words(&self) -> Vec<&str> {
        self.command.iter().chain(&self.args).map(String::as_str).collect()
    }
}
