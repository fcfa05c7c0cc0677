//! A witness: writes and reads through a client that knows about clusters, and tells what became of every write.
//!
//! ```text
//! writers --append numbers--> cluster --read back--> readers, and in the end the judge
//!    └── Ledger: what was tried, what was acknowledged ──────────┘
//! ```
//!
//! Each key is a list to which one writer appends 1, 2, 3 and so on. So an acknowledged write that is lost is missed however many
//! came after it, and a key that was overwritten by an older copy of itself shows.

mod client;
mod count;
mod judge;
mod ledger;
mod options;
mod patience;
mod report;
mod slots;
mod watch;

pub use options::Options;
pub use report::{Gap, Report, ShardGap};
pub use watch::{Error, watch};
