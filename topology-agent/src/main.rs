//! `valkey-topology-agent`: forms a Valkey cluster, moves its slots, fails over before restarts, heals it.

use std::process::ExitCode;

fn main() -> ExitCode {
    agent::cli::start()
}
