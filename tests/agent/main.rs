//! The agent looks after real servers, in a pocket Kubernetes that runs what is rendered.
//!
//! Everything is as it would be anywhere else: the rendered manifest, the agent's own program under the rendered Role, real Valkey
//! 8.1 and 9.1 in processes with addresses of their own. What a story wants to know it asks the API server, the servers, or the
//! agent's own commands. `make programs` builds what runs here, `make servers` fetches the servers.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on has failed")]

mod applied;
mod asking;
mod at_rest;
mod broken;
mod budget;
mod by_hand;
mod clocks;
mod controllers;
mod custom_resource;
mod disks;
mod documents;
mod each_write;
mod elsewhere;
mod flux;
mod forming;
mod halted;
mod killed;
mod lagging;
mod meddling;
mod namespace;
mod observed;
mod obstacles;
mod outside;
mod place;
mod placed;
mod random;
mod renewing;
mod restarting;
mod scaling;
mod secured;
mod short;
mod soak;
mod story;
mod struck;
mod telling;
mod told;
mod trouble;
mod under_load;
mod wait;
mod watched;
mod waves;
