//! The topology agent: its image, resources and log.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::resources::Resources;
use crate::text::ImageReference;

/// The topology agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Agent {
    /// The agent's image; by default the one released with this renderer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageReference>,
    /// CPU and memory of the agent.
    pub resources: Resources,
    /// How much the agent logs.
    pub log_level: LogLevel,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// What failed.
    Error,
    /// What may need a person.
    Warn,
    /// What was done.
    #[default]
    Info,
    /// What was seen and decided.
    Debug,
    /// Every exchange.
    Trace,
}

impl LogLevel {
    /// As it is written: `info`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl Default for Agent {
    fn default() -> Self {
        Self { image: None, resources: Resources::of_the_agent(), log_level: LogLevel::default() }
    }
}
