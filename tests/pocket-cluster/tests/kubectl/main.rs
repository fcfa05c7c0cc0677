//! Stories of a small cluster, told through the real kubectl: each starts a cluster of its own.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod api;
mod containers;
mod exec;
mod faults;
mod rendered;
mod support;
mod workloads;
