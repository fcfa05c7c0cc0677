//! wip
mod desired;
mod id;
pub mod matching;
mod plan;
mod situation;
mod slots;
mod step;
mod time;
mod view;
pub use desired::Desired;
pub use id::{History, NodeId, NotAnId, Ordinal};
pub use plan::*;
pub use slots::*;
pub use step::*;
pub use time::*;
pub use view::*;
