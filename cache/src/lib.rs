//! The cache of a Fourfront node: what may be stored and for how long ([`policy`]), which requests are
//! the same ([`key`]), where objects live ([`memory`] and [`disk`], large ones in [`segments`]), how many variants of one are
//! kept ([`variants`]), and what may not answer any more ([`purge`]).
//!
//! They do not know each other beyond the types they pass: `policy` never sees storage, `memory` and `disk`
//! store any head record and ask no questions. Nothing here reads a clock or opens a connection, and
//! neither V8 nor Pingora is compiled for it; the proxy puts them together. Why a request was no hit is
//! told in one vocabulary, [`Reason`], and what became of it in one value, [`Outcome`], from which logs,
//! metrics and `Cache-Status` are all written.
#![forbid(unsafe_code)]

pub mod disk;
pub mod key;
pub mod memory;
mod outcome;
pub mod policy;
pub mod purge;
mod reason;
pub mod segments;
pub mod variants;

pub use outcome::{CacheName, CacheNameError, Kept, Outcome, StaleCause};
pub use reason::{Reason, Refusal};
