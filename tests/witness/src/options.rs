//! What a witness is told.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Writes and reads while something happens to a cluster, and tells what was lost, wrong, late or refused.
///
/// Ends after --seconds, or when it is told to by SIGTERM or SIGINT; then every key is read back, and the report is printed as JSON.
#[derive(Debug, Clone, Parser)]
#[command(name = "witness", version)]
pub struct Options {
    /// Servers to begin with: HOST:PORT.
    #[arg(long = "server", value_name = "HOST:PORT", required = true)]
    pub servers: Vec<String>,
    /// The folder with ca.crt, tls.crt and tls.key; without it, there is no TLS.
    #[arg(long, value_name = "FOLDER")]
    pub tls: Option<PathBuf>,
    /// The file with the password, which may change.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// How many write. Each keeps to the slots that one shard had in the beginning, so that a shard that stands still stops no other's
    /// writers.
    #[arg(long, default_value_t = 8)]
    pub writers: usize,
    /// How many read.
    #[arg(long, default_value_t = 4)]
    pub readers: usize,
    /// How many keys each writer has.
    #[arg(long, default_value_t = 64)]
    pub keys: usize,
    /// What their names begin with: two witnesses of one cluster need different ones.
    #[arg(long, default_value = "witness")]
    pub prefix: String,
    /// How many writes a second each writer tries.
    #[arg(long, default_value_t = 200)]
    pub rate: u32,
    /// Keys that are written before all else and read back in the end.
    #[arg(long, default_value_t = 0)]
    pub load: usize,
    /// A write counts as acknowledged when so many replicas have it, too.
    #[arg(long, value_name = "REPLICAS")]
    pub wait: Option<u8>,
    /// For how long; until told to end where there is none.
    #[arg(long)]
    pub seconds: Option<u64>,
    /// How long any one answer may take.
    #[arg(long, default_value_t = 1_000)]
    pub patience_millis: u64,
}

impl Options {
    /// How long any one answer may take.
    #[must_use]
    pub const fn patience(&self) -> Duration {
        Duration::from_millis(self.patience_millis)
    }

    /// What lies between two writes of a writer.
    #[must_use]
    pub fn pause(&self) -> Duration {
        Duration::from_secs(1) / self.rate.max(1)
    }
}
