//! Many models: found, handed to worker processes, reported.
//!
//! A crash, a hang or a machine without memory costs one model: workers are processes, which
//! [`pool`] starts, feeds, watches and replaces. A worker ([`worker`]) takes one [`Job`](job::Job)
//! after the other; what it did before, for the same contents, it takes from the [`cache`], else it
//! does what [`attempt`] says.

pub mod attempt;
pub mod cache;
pub mod discover;
pub mod folder;
pub mod job;
pub mod listing;
pub mod plan;
pub mod pool;
pub mod select;
mod waiting;
pub mod worker;
