//! The origin shield tier (CF-415): what an edge and the node that shields an origin tell each other, and for how long an edge
//! leaves a shield alone that cannot be reached. Pure: no I/O, no clock.
//!
//! An edge that misses sends the request in the form that the origin would get it in to the shield, with one field more
//! ([`FIELD`]): a [`Message`] that says where the request belongs and who its viewer is, under a seal that both nodes have the
//! secret of ([`seal`], [`open`]). Whatever the seal vouches for is taken at its word, so nothing else is: a field that is not
//! sealed, or not for this very request, gives no rights.
//!
//! The shield's answers carry the field, too: an [`Answer`] that says how each came about. One without it comes from somebody
//! who is no shield.
//!
//! The name begins with `X-Edge-`, which functions may not set or see (LE-187), viewers may not send (CF-358), and origins are
//! not heard about (CF-615).

mod answer;
mod message;
mod rest;

pub use answer::{Answer, Lifted};
pub use message::{Fetched, Message, Refusal, Secret, open, seal};
pub use rest::Rests;

use http::HeaderName;

/// The field, of requests to a shield and of its answers.
pub const FIELD: HeaderName = HeaderName::from_static("x-edge-shield");
