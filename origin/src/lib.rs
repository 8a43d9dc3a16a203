//! Origins: what is sent to them, how they are reached, what is taken from their answers, and
//! directories that stand in for buckets.
//!
//! The life of an origin fetch, in the order the modules are used:
//!
//! 1. [`request::origin_request`] turns the viewer's request into the one an origin-request function
//!    sees (CF section 4.2, LE-091).
//! 2. [`request::finish`] adds what no function may touch and yields the bytes for the wire (LE-014).
//! 3. [`select::target`] says where to connect and how; [`resolve::Resolver`] finds the addresses, and an
//!    [`attempt::Attempt`] goes through them.
//!    Where several servers stand behind the origin's name, a [`pool::Pool`] chooses among them.
//! 4. [`retry::after_fault`] decides what a failed try means; [`OriginFault`] is what the viewer and the
//!    log are told when no try is left, and [`failover::applies`] whether another origin is asked.
//! 5. [`response::check`] and [`response::received`] judge and clean the answer before a function sees
//!    it and before it is stored.
//!
//! An origin may have a shield: another node that is asked in its place ([`shield`]).
//!
//! [`dir`] answers such fetches itself, from files. Everything but [`dir`], [`resolve`] and [`pool`] is pure: no
//! I/O and no clock.
#![forbid(unsafe_code)]

pub mod attempt;
pub mod dir;
pub mod failover;
mod fault;
mod names;
pub mod pool;
pub mod request;
pub mod resolve;
pub mod response;
pub mod retry;
pub mod select;
pub mod shield;
pub mod signing;
#[cfg(test)]
mod testing;

pub use fault::OriginFault;
