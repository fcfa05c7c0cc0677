//! Talks to one server: connects, asks, understands.

mod answer;
mod connection;
mod info;
mod jobs;
mod reply;
mod settings;
mod strays;
mod table;

pub use answer::{Answer, Gauges, ask_all};
pub use connection::{Connection, Endpoint};
pub use info::Info;
pub use jobs::Exports;
pub use reply::{AskError, Reply};
pub use settings::canonical;
pub use strays::{count_keys, count_strays};
pub use table::{OddTable, Table};
