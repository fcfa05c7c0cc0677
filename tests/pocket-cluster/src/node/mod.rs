//! The node: runs what is bound to any of the hosts, as real processes.
//!
//! <https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/>

mod board;
mod clock;
mod container;
mod environment;
mod images;
mod network;
mod partitions;
mod places;
mod pod;
mod probe;
mod process;
mod shape;
mod tap;
mod volumes;
mod workers;

pub(crate) use images::Images;
pub(crate) use network::{API_ADDRESS, Error as NetworkError, Network};
pub(crate) use partitions::run as keep_partitions;
pub(crate) use places::Places;
pub(crate) use process::{Said, exit_code};
pub(crate) use workers::{Order, Workers, run};
