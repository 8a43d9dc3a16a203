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

use std::time::Duration;

mod dns;
mod edge;
mod geo;
mod h2_origin;
mod origin;
mod raw_origin;
mod secure_viewer;
mod signer;
mod tls;
mod viewer;

pub use dns::NameServer;
pub use edge::{Edge, LogLine, Running};
pub use geo::{Place, asn_database, city_database, country_database, other_database};
pub use h2_origin::{H2Call, H2Origin};
pub use origin::{Origin, Reply, Seen};
pub use raw_origin::{RawOrigin, Turn};
pub use secure_viewer::SecureViewer;
pub use signer::Signer;
pub use tls::{Authority, Certificate, Hello, OriginTls, PemPair};
pub use viewer::{Answer, Opened, Request, raw_exchange};

/// How long anything is waited for: enough for a busy machine, short enough to notice a hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// A setting of a behaviour: it takes every method.
pub const ALL_METHODS: &str = "allowed_methods: [GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]";

/// An async handler with `config`, `request` and `response` at hand.
pub fn handler(body: &str) -> String {
    format!(
        "exports.handler = async (event) => {{\n  const {{ config, request, response }} = event.Records[0].cf;\n  {body}\n}};\n"
    )
}

/// A handler for every trigger that logs the trigger's name and changes nothing.
pub fn logging() -> String {
    handler("console.log(config.eventType); return response || request;")
}
