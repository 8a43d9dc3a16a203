//! The life of a request as data. A state is a struct that holds what is true in it; stepping
//! consumes it and returns the next, so a skipped step does not compile where the step is
//! taken, and is a typed error ([`WrongState`]) where Pingora's callbacks choose the moment.
//!
//! Nothing in here does I/O, reads a clock or names Pingora. The filters in
//! [`crate::pingora`] take the state out of the request's context, step it, run what the
//! step asks for (a function, a look-up, a fetch), and put the next state back.
//!
//! ```text
//!              refused (ViewerFault)            generated / failed
//!  Received ─────────┬──────────► answer ◄───────────────┐
//!      │ admit       │                                   │
//!      ▼             │                                   │
//!  ViewerRequest ────┴── viewer-request function ────────┤
//!      │ pass                                            │
//!      ▼                                                 │
//!  Lookup ───────────── hit ──────────────┐              │
//!      │ miss, stale or bypass            │              │
//!      ▼                                  │              │
//!  OriginRequest ─── origin-request function ── generated, stored if it may be
//!      │ send                             │              │
//!      ▼                                  │              ▼
//!  Fetch ── head of the response ── origin-response function ── failed
//!      │                                  │
//!      ▼                                  ▼
//!  Store ──────────────────────────► ViewerResponse ── viewer-response function (status < 400)
//!                                         │
//!                                         ▼
//!                                      Deliver
//! ```
//!
//! | State | Pingora filter that enters it | Steps of CF-010 |
//! |---|---|---|
//! | [`ViewerRequest`] | `request_filter` | CF-010.1 to CF-010.10 |
//! | [`Lookup`] | `request_filter`, used by `cache_key_callback`, `cache_hit_filter` | CF-010.11, CF-010.12 |
//! | [`OriginRequest`] | `proxy_upstream_filter` | CF-010.13 |
//! | [`Fetch`] | `proxy_upstream_filter`, used by `upstream_peer`, `upstream_request_filter` | CF-010.14 |
//! | [`Store`] | `upstream_response_filter`, used by `response_cache_filter` | CF-010.15 |
//! | [`Deliver`] | `response_filter` | CF-010.17, CF-010.18 |
//!
//! A step that answers goes to the last two (CF-001). The viewer-response function runs for hits as for misses, below status
//! 400 (CF-004).
//!
//! The request's body runs beside the states, see [`RequestBody`]: the viewer may still be sending it when the origin
//! answers.
//!
//! CF-010.1, CF-010.2 and CF-010.6 are [`admit`]'s, CF-010.17 is `crate::pingora::deliver`'s.
//!
//! A page that stands in for an error (CF-010.16) is a life of its own, which begins at *Lookup*; its answer goes to the viewer of
//! the one that failed (`crate::pingora::error_page`).
//!
//! An origin shield makes two tiers of this ([`shielded`]): the edge's ends at *Fetch*, and the shield's begins at *Lookup*.
//!
//! Step 3 (continuous deployment) is in [`staging`].

mod admit;
pub mod compression;
pub mod device;
mod exchange;
mod fault;
pub mod generated;
pub(crate) mod grpc;
pub mod hook;
mod origin_side;
mod protocol;
mod request_body;
mod served;
pub mod server_timing;
pub mod shielded;
pub mod staging;
mod viewer_side;

pub use admit::{Admission, ViewerFacts, admit};
pub(crate) use admit::{is_reserved, unjudged, viewer};
pub(crate) use exchange::body_limits;
pub use exchange::{Exchange, RequestId, Route};
pub use fault::{ErrorAnswer, Fault, NodeFault, ViewerFault, reason};
pub use origin_side::{BodyPlan, Fetch, Member, OriginChoice, OriginRequest, Place, Store};
pub use request_body::RequestBody;
pub use served::{ResultType, Served};
pub use viewer_side::{Deliver, Generated, Lookup, Replacement, ViewerRequest};

/// Where a request is in its life.
#[derive(Debug, Default)]
pub enum Flow {
    /// A request head has arrived; nothing is known of it.
    #[default]
    Received,
    /// It belongs to a behaviour and may pass (CF-010.1 to .9).
    ViewerRequest(Box<ViewerRequest>),
    /// The viewer-request function has let it through; its key can be computed.
    Lookup(Box<Lookup>),
    /// It has to go to an origin.
    OriginRequest(Box<OriginRequest>),
    /// The request to the origin is decided.
    Fetch(Box<Fetch>),
    /// The origin's answer is decided and may be stored.
    Store(Box<Store>),
    /// The answer to the viewer is decided.
    Deliver(Box<Deliver>),
}

/// A filter ran in a state that it cannot follow: a defect of the node, never of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("flow: expected {expected}, found {found}")]
pub struct WrongState {
    /// What the filter needs.
    pub expected: &'static str,
    /// What was there.
    pub found: &'static str,
}

impl Flow {
    /// The state's name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Received => "Received",
            Self::ViewerRequest(_) => "ViewerRequest",
            Self::Lookup(_) => "Lookup",
            Self::OriginRequest(_) => "OriginRequest",
            Self::Fetch(_) => "Fetch",
            Self::Store(_) => "Store",
            Self::Deliver(_) => "Deliver",
        }
    }

    /// What every state after [`Flow::Received`] carries.
    pub fn exchange(&self) -> Option<&Exchange> {
        Some(match self {
            Self::Received => return None,
            Self::ViewerRequest(s) => &s.exchange,
            Self::Lookup(s) => &s.exchange,
            Self::OriginRequest(s) => &s.exchange,
            Self::Fetch(s) => &s.exchange,
            Self::Store(s) => &s.exchange,
            Self::Deliver(s) => &s.exchange,
        })
    }

    const fn wrong(&self, expected: &'static str) -> WrongState {
        WrongState {
            expected,
            found: self.name(),
        }
    }
}

macro_rules! access {
    ($($variant:ident, $get:ident, $get_mut:ident, $take:ident;)*) => {
        impl Flow {
            $(
                #[doc = concat!("The state, if it is [`", stringify!($variant), "`].")]
                ///
                /// # Errors
                /// [`WrongState`] otherwise.
                pub fn $get(&self) -> Result<&$variant, WrongState> {
                    match self {
                        Self::$variant(s) => Ok(s),
                        other => Err(other.wrong(stringify!($variant))),
                    }
                }

                #[doc = concat!("The state, mutably, if it is [`", stringify!($variant), "`].")]
                ///
                /// # Errors
                /// [`WrongState`] otherwise.
                pub fn $get_mut(&mut self) -> Result<&mut $variant, WrongState> {
                    match self {
                        Self::$variant(s) => Ok(s),
                        other => Err(other.wrong(stringify!($variant))),
                    }
                }

                #[doc = concat!("Takes the state out, if it is [`", stringify!($variant), "`]; otherwise it stays.")]
                ///
                /// # Errors
                /// [`WrongState`] otherwise.
                pub fn $take(&mut self) -> Result<$variant, WrongState> {
                    match std::mem::take(self) {
                        Self::$variant(s) => Ok(*s),
                        other => {
                            let wrong = other.wrong(stringify!($variant));
                            *self = other;
                            Err(wrong)
                        }
                    }
                }
            )*
        }
    };
}

access! {
    ViewerRequest, viewer_request, viewer_request_mut, take_viewer_request;
    Lookup, lookup, lookup_mut, take_lookup;
    OriginRequest, origin_request, origin_request_mut, take_origin_request;
    Fetch, fetch, fetch_mut, take_fetch;
    Store, store, store_mut, take_store;
    Deliver, deliver, deliver_mut, take_deliver;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taking_the_wrong_state_is_an_error_and_loses_nothing() {
        let mut flow = Flow::Received;
        assert_eq!(
            flow.take_fetch().err(),
            Some(WrongState {
                expected: "Fetch",
                found: "Received"
            })
        );
        assert_eq!(flow.name(), "Received");
    }
}
