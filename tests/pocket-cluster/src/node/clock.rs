//! A clock for each pod, which faults can set.
//!
//! <https://man7.org/linux/man-pages/man8/ld.so.8.html>

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What programs ask for the time of day instead of their C library.
const SOURCE: &str = include_str!("clock.c");
/// Where a container finds its clock: how far ahead it is, a sign and seconds.
pub(super) const FOLDER: &str = "/etc/clock";
/// In a folder that every container has.
const LIBRARY: &str = "clock.so";

/// What makes programs that are linked dynamically go by the clock.
pub(super) fn environment() -> (String, String) {
    ("LD_PRELOAD".to_owned(), format!("{FOLDER}/{LIBRARY}"))
}

/// Where the library stands in a folder.
pub(super) fn library(folder: &Path) -> PathBuf {
    folder.join(LIBRARY)
}

/// Builds the library.
pub(super) fn build(library: &Path) -> io::Result<()> {
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O2", &format!("-DCLOCK_FILE=\"{FOLDER}/offset\""), "-x", "c", "-", "-o"]);
    let mut compiler = compiler.arg(library).stdin(Stdio::piped()).spawn()?;
    compiler.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(SOURCE.as_bytes()))?;
    if compiler.wait()?.success() { Ok(()) } else { Err(io::Error::other("`cc` does not build a clock")) }
}
