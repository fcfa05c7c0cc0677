//! `valkey-render`: a `ValkeyCluster` spec in, plain Kubernetes YAML out.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
