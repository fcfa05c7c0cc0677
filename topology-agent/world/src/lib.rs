//! A small world of pods and Valkey nodes in which the planner is tried.
//!
//! ```text
//! World ──look──► View ──plan──► Round ──perform──► World
//!   ▲                                                 │
//!   └── hear, elect, sync, finish, boot, control … ◄──┘   and faults between any two of these
//! ```
//!
//! It knows what the planner's reference to Valkey says and no more: epochs, votes that need links, gossip that reaches one node at a
//! time, replicas that fall behind, migrations that fail, pods that come back with or without their volume. It has no time: what
//! takes time may happen before or after anything else.

pub mod calm;
pub mod fault;
pub mod goal;
pub mod kubernetes;
pub mod large;
pub mod look;
pub mod model;
pub mod perform;
pub mod scenario;
pub mod story;
pub mod valkey;
pub mod walk;
pub mod world;
pub mod worlds;
