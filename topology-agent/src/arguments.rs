//! What the program is told when it starts.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use spec::ClusterName;
use tracing::level_filters::LevelFilter;

use crate::kubernetes::Source;

/// Looks after one Valkey cluster on Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "valkey-topology-agent", version, about, max_term_width = 100)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Look after the cluster until told to stop
    Run {
        #[command(flatten)]
        place: Place,
        /// How much to log
        #[arg(long, default_value_t = LevelFilter::INFO, env = "LOG_LEVEL")]
        log_level: LevelFilter,
        /// How to log
        #[arg(long, value_enum, default_value_t = LogFormat::Text, env = "LOG_FORMAT")]
        log_format: LogFormat,
        /// The port of health and metrics
        #[arg(long, default_value_t = spec::names::AGENT_PORT)]
        port: u16,
        /// Who this agent is, towards others that want the same lease
        #[arg(long, env = "POD_NAME")]
        identity: String,
    },
    /// Print what would be done now, and why; changes nothing
    ///
    /// Exits with 0 if there is nothing to do, 1 if there is something, 2 if it needs help.
    Plan {
        #[command(flatten)]
        place: Place,
    },
    /// Print how the cluster stands, shard by shard
    Status {
        #[command(flatten)]
        place: Place,
        /// As a table for people, or as an object for programs
        #[arg(short, long, value_enum, default_value_t = OutputFormat::Table)]
        output: OutputFormat,
    },
    /// Lay the answers of several nodes to CLUSTER NODES side by side, and say what is wrong and what to do in which order
    Doctor {
        /// A folder with one file for each node
        #[arg(long)]
        from: PathBuf,
    },
    /// Check laws and health point by point; exits with 1 if a point does not hold
    Check {
        #[command(flatten)]
        place: Place,
    },
}

/// Which cluster, and how to get to it.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The name of the cluster
    #[arg(long, env = "VALKEY_CLUSTER")]
    pub(crate) cluster: ClusterName,
    /// Its namespace; that of the pod or of the kubeconfig's context unless told otherwise
    #[arg(long, env = "POD_NAMESPACE")]
    pub(crate) namespace: Option<String>,
    /// In which object it is written what should be
    #[arg(long, value_enum, default_value_t = DesiredState::ConfigMap, env = "VALKEY_DESIRED_STATE")]
    pub(crate) desired_state: DesiredState,
    /// A file of specs to go by instead, as one that is not applied yet
    #[arg(long, value_name = "FILE")]
    pub(crate) spec: Option<PathBuf>,
    /// A folder with auth/password and tls/{ca.crt,tls.crt,tls.key}, where they are not mounted as the rendered Deployment does
    #[arg(long)]
    pub(crate) secrets: Option<PathBuf>,
}

impl Place {
    /// Where it is written what should be.
    pub(crate) fn source(&self) -> Source {
        match (&self.spec, self.desired_state) {
            (Some(path), _) => Source::File(path.clone()),
            (None, DesiredState::ConfigMap) => Source::ConfigMap,
            (None, DesiredState::CustomResource) => Source::CustomResource,
        }
    }
}

/// In which object it is written what should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DesiredState {
    /// A ConfigMap.
    ConfigMap,
    /// A `ValkeyCluster`.
    CustomResource,
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// How to log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For programs: one object on each line.
    Json,
}
