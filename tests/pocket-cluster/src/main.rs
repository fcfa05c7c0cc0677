//! The program `pocket-cluster`.

use std::process::ExitCode;

fn main() -> ExitCode {
    pocket_cluster::command::run()
}
