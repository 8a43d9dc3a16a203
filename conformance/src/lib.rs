//! The outside view: a whole node in this process on a free port, origins that do as they are
//! told and remember what they got, and a clock that moves only when it is told to.
//!
//! ```no_run
//! # async fn f() {
//! use fourfront_conformance::{Edge, Origin, Reply};
//!
//! let origin = Origin::start(|_| Reply::ok("hello").header("Cache-Control", "max-age=60")).await;
//! let edge = Edge::new().function("tag", "exports.handler = async (e) => e.Records[0].cf.response")
//!     .behavior("on: { viewer-response: tag }")
//!     .start(&origin).await;
//! assert_eq!(edge.get("/a").await.x_cache(), "Miss");
//! assert_eq!(edge.get("/a").await.x_cache(), "Hit");
//! assert_eq!(origin.count(), 1);
//! # }
//! ```
//!
//! One scenario per file under `tests/scenarios`, each naming the rules it proves.
#![forbid(unsafe_code)]

mod edge;
mod origin;
mod viewer;

pub use edge::{Edge, LogLine, Running};
pub use origin::{Origin, Reply, Seen};
pub use viewer::{Answer, Request, raw_exchange};
