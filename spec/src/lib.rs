//! The `ValkeyCluster` spec, shared by the renderer, which reads it from files, and the agent, which runs what it says.
//!
//! ```text
//! text --tree--> nodes with places --shape--> ValkeyCluster (as written) --check--> Cluster (cannot be wrong)
//! ```
//!
//! [`read()`] goes the whole way and finds every problem of a text at once. [`names`] spells what both programs have to agree on.

mod access;
mod agent;
mod auth;
mod checks;
mod cluster;
mod config;
mod definition;
mod digest;
pub mod directives;
mod image;
pub mod names;
mod node;
mod operation;
mod overrides;
mod persistence;
mod placement;
mod plain;
mod problem;
mod read;
mod resources;
mod schema;
mod shape;
pub mod status;
mod storage;
mod suggest;
mod text;
mod tls;
mod tree;
mod wire;

pub use access::{Access, LabelOperator, LabelRequirement, LabelSelector, Peer};
pub use agent::{Agent, LogLevel};
pub use auth::{Auth, AuthSpec, PasswordSecret};
pub use cluster::{Cluster, Refusal};
pub use config::{Config, ConfigValue, settable};
pub use definition::{GROUP, PLURAL, VERSION, custom_resource_definition};
pub use digest::digest;
pub use image::{ImageSpec, PullPolicy};
pub use operation::{DisruptionBudget, Monitoring, Rebalance, Upgrade};
pub use overrides::{Override, OverrideValue};
pub use persistence::{Fsync, Persistence};
pub use placement::{Placement, Spread, TaintEffect, Toleration, TolerationOperator};
pub use problem::{Complaint, Path, Problem, Segment};
pub use read::{Read, documents, read, read_with};
pub use resources::Resources;
pub use schema::{SCHEMA_ID, json_schema};
pub use storage::{Ephemeral, Retention, Storage, StorageSpec};
pub use suggest::closest;
pub use text::{
    ApiGroup, ClusterName, Digest, DomainName, Duration, ImageReference, LONGEST_CLUSTER_NAME, LabelValue, Namespace,
    ObjectKind, ObjectName, Quantity, Repository, SecretKey, Series, SnapshotRule, Tag, Version,
};
pub use tls::{ClientAuth, IssuerRef, Tls, TlsSpec};
pub use wire::{ApiVersion, Kind, Metadata, Spec, ValkeyCluster};
