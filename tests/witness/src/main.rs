//! The program `witness`.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use witness::{Options, watch};

/// Said when everything is in place and the first write is due.
const BEGUN: &str = "begun";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = Options::parse();
    // Whoever does not listen any more misses nothing but words.
    let say = |line: &str| drop(writeln!(io::stdout(), "{line}"));
    match watch(&options, || say(BEGUN)).await {
        Ok(report) => {
            say(&report.to_json());
            ExitCode::SUCCESS
        }
        Err(error) => {
            drop(writeln!(io::stderr(), "witness: {error}"));
            ExitCode::FAILURE
        }
    }
}
