//! The edge's side of an origin shield (CF-415): which requests go to it, what it says of its answers, and what becomes of a
//! request when it cannot be had.
//!
//! A shield takes the place of an origin in a fetch, and nothing else changes: tries, timeouts, parts and what is stored are
//! what they are for origins. When it is no use, the fetch is marked, and the error that ends it makes Pingora ask for
//! another peer, as with origin groups ([`super::failover`]). There the request becomes one to the origin itself,
//! for which the functions of the origin's side run here (LE-006 says where they run while the shield does).
//!
//! Past it go requests that it could not serve as this node would: handshakes for WebSockets, gRPC (CF-410), and those whose
//! origin a CloudFront Function chose, which no other node knows (LE-475).

use std::time::Duration;

use fourfront_model::{CacheMode, HeaderLine, RequestCc};
use fourfront_origin::{
    OriginFault,
    failover::Failed,
    shield::{self, Answer, Message, Refusal},
};
use http::{HeaderMap, Method, StatusCode, header};
use pingora::{Error, Result, http::ResponseHeader, proxy::Session};

use super::{
    Edge, REFETCH, context::Ctx, deliver::ctx_internal, record::viewer_has_bytes, request_body,
};
use crate::flow::{
    Exchange, Fault, Fetch, Flow, OriginRequest,
    shielded::{ByShield, class_of, tell},
};

/// What a shield has said to a request.
pub(super) enum Said {
    /// Its answer is one to the request; whether it was out of its cache, and for how long it was there.
    Answer(Option<Duration>),
    /// The origin has failed, or a function on its side.
    Fault(Fault),
    /// Nothing that is of use.
    Lost(Lost),
}

/// Why a shield is of no use to a request.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Lost {
    /// It gave no answer.
    #[error("{0}")]
    Silent(OriginFault),
    /// What answers there is no shield.
    #[error("no shield answers there")]
    Other,
    /// It cannot read this one request, which says nothing of others.
    #[error("it does not take the request: {0}")]
    Unreadable(StatusCode),
    /// It does not hear this node.
    #[error("it refuses the request: {0}")]
    Refused(String),
    /// Its configuration does not have what the request is for.
    #[error("it has no such distribution, behaviour or origin")]
    Unknown,
    /// It has as much to do as it takes on (CF-773).
    #[error("it takes on no more at the moment")]
    Busy,
    /// It failed itself.
    #[error("it failed")]
    Failed,
}

impl Lost {
    /// The word in metrics.
    const fn word(&self) -> &'static str {
        match self {
            Self::Silent(_) => "unreachable",
            Self::Other => "no-shield",
            Self::Unreadable(_) => "unreadable",
            Self::Refused(_) => "refused",
            Self::Unknown => "unknown",
            Self::Busy => "busy",
            Self::Failed => "failed",
        }
    }

    /// Whether the origin cannot have got the request from there.
    const fn was_not_passed_on(&self) -> bool {
        match self {
            Self::Silent(fault) => matches!(
                fault,
                OriginFault::Dns { .. }
                    | OriginFault::Connect { .. }
                    | OriginFault::ConnectTimeout
                    | OriginFault::NoWay(_)
                    | OriginFault::Tls { .. }
                    | OriginFault::CertificateName { .. }
            ),
            Self::Other | Self::Unreadable(_) | Self::Refused(_) | Self::Unknown | Self::Busy => {
                true
            }
            Self::Failed => false,
        }
    }

    /// Whether the shield is left alone for a while. What a viewer can bring about says nothing of it: requests that are too much,
    /// bodies that stop coming, origins that take their time.
    fn says_it_is_down(&self, method: &Method) -> bool {
        match self {
            // Nor do heads of origins that grow too long by what a shield adds.
            Self::Silent(
                OriginFault::ReadTimeout
                | OriginFault::CompletionTimeout
                | OriginFault::InvalidResponse { .. }
                | OriginFault::HeadersTooBig { .. },
            ) => false,
            Self::Silent(_) => {
                self.was_not_passed_on() || matches!(*method, Method::GET | Method::HEAD)
            }
            Self::Other | Self::Refused(_) => true,
            Self::Unreadable(_) | Self::Unknown | Self::Busy | Self::Failed => false,
        }
    }
}

/// Longest viewer's target that is told of to a shield, in bytes.
const LONGEST_TARGET: usize = 32 * 1024;

/// RFC 9110 section 9.2.2.
fn is_idempotent(method: &Method) -> bool {
    method.is_safe() || matches!(*method, Method::PUT | Method::DELETE)
}

impl Edge {
    /// The shield that a request to an origin is to go to; `None` where the origin itself is asked.
    pub(super) fn shield_for(&self, state: &OriginRequest, is_handshake: bool) -> Option<ByShield> {
        let region = state.origin.shield.as_ref()?;
        let route = &state.exchange.route;
        let is_grpc = |line: &HeaderLine| {
            line.name == header::CONTENT_TYPE
                && line.value.as_bytes().starts_with(b"application/grpc")
        };
        // A shield never asks another one.
        let target = state.exchange.viewer_target.as_ref();
        let goes_past = state.past_shield
            || is_handshake
            || target.is_some_and(|target| target.len() > LONGEST_TARGET)
            || state.change.is_some()
            || route.is_at_shield()
            || state.request.lines.iter().any(is_grpc);
        if goes_past {
            return None;
        }
        let shield = route.snapshot().settings().shield.of(region)?;
        let now = self.node().clock().now();
        if !self.node().origins().rests().may_go(region.as_str(), now) {
            let metrics = self.node().metrics();
            metrics.shield_fetch(region.as_str(), "resting");
            return None;
        }
        Some(ByShield::new(shield, &state.origin))
    }

    /// The field that tells a shield what a request is; `None` for one that goes to an origin. `viewer` is what the viewer
    /// sent, where it has a say in what the cache does (CF-829).
    pub(super) fn sealed(
        &self,
        fetch: &Fetch,
        (method, target): (&Method, &[u8]),
        viewer: Option<&HeaderMap>,
    ) -> Result<Option<HeaderLine>> {
        let Some(by) = &fetch.shield else {
            return Ok(None);
        };
        let exchange = &fetch.exchange;
        let settings = &exchange.route.snapshot().settings().shield;
        let no_secret = || ctx_internal(&"a shield without a secret");
        let secret = settings.secrets.first().ok_or_else(no_secret)?;
        let told = tell(
            exchange,
            &fetch.origin,
            viewer.and_then(|v| says(exchange, v)),
        );
        let message = Message::Fetch(Box::new(told));
        let now = self.node().clock().now();
        let sealed = shield::seal(secret, &by.region, message, (method, target), now);
        Ok(Some(HeaderLine {
            name: shield::FIELD,
            key: bytes::Bytes::from_static(b"X-Edge-Shield"),
            value: sealed.map_err(|e| ctx_internal(&e))?,
        }))
    }

    /// What a shield says of its answer; `None` when none was asked.
    pub(super) fn said(&self, fetch: &Fetch, head: &ResponseHeader) -> Option<Said> {
        let by = fetch.shield.as_ref()?;
        let answer = head.headers.get(shield::FIELD).and_then(Answer::parse);
        let (word, said) = match answer {
            Some(Answer::Hit(kept)) => ("hit", Said::Answer(Some(kept))),
            Some(Answer::Miss) => ("miss", Said::Answer(None)),
            Some(Answer::OriginFault(lifted)) => {
                let fault = OriginFault::from(lifted);
                ("origin-fault", Said::Fault(fault.into()))
            }
            Some(Answer::FunctionFault(event, token)) => match class_of(&token) {
                Some(class) => {
                    let fault = Fault::HookAtShield { event, class };
                    ("function-fault", Said::Fault(fault))
                }
                None => return Some(Said::Lost(Lost::Failed)),
            },
            Some(Answer::Refused(why)) if why == Refusal::Unknown.word() => {
                return Some(Said::Lost(Lost::Unknown));
            }
            Some(Answer::Busy) => return Some(Said::Lost(Lost::Busy)),
            Some(Answer::Refused(why)) => return Some(Said::Lost(Lost::Refused(why))),
            Some(Answer::Failed) => return Some(Said::Lost(Lost::Failed)),
            None => {
                return Some(Said::Lost(match head.status.as_u16() {
                    // Before anything of a node's looks at a request (CF-760).
                    400 | 413 | 414 | 431 | 494 => Lost::Unreadable(head.status),
                    // It takes no more connections (CF-773).
                    503 => Lost::Busy,
                    _ => Lost::Other,
                }));
            }
        };
        self.node().metrics().shield_fetch(&by.region, word);
        if self.node().origins().rests().answered(&by.region) {
            tracing::info!(region = by.region, "the origin shield answers again");
        }
        Some(said)
    }

    /// Looks at what a shield says of its answer, if one was asked. False when that is nothing to go on with, and what is stored
    /// answers.
    ///
    /// # Errors
    /// When that is no answer to the request: what ends the try, or the fetch.
    pub(super) fn heed_shield(
        &self,
        session: &mut Session,
        ctx: &mut Ctx,
        head: &ResponseHeader,
    ) -> Result<bool> {
        let Ok(fetch) = ctx.flow.fetch_mut() else {
            return Ok(true);
        };
        let Some(said) = self.said(fetch, head) else {
            return Ok(true);
        };
        fetch.hit_at_shield = matches!(said, Said::Answer(Some(_)));
        ctx.record.by_shield = matches!(said, Said::Answer(_));
        match said {
            Said::Answer(kept) => {
                ctx.shielded = kept.unwrap_or_default();
                Ok(true)
            }
            Said::Fault(Fault::Origin(fault)) => {
                // One that it has remembered.
                let age = head
                    .headers
                    .get(header::AGE)
                    .and_then(|age| age.to_str().ok());
                let age = age.and_then(|age| age.parse().ok()).unwrap_or_default();
                ctx.shielded = Duration::from_secs(age);
                if self.fails_over(session, ctx, Failed::Fault(&fault)) {
                    return Err(Error::new(REFETCH).into_up());
                }
                Err(self.fetch_over(session, ctx, fault))
            }
            Said::Fault(fault) => Err(ctx.fail(fault)),
            Said::Lost(lost) => {
                if self.leaves_shield(session, ctx, &lost) {
                    return Err(Error::new(REFETCH).into_up());
                }
                let cause = format!("the origin shield is of no use: {lost}");
                let fault = OriginFault::InvalidResponse { cause };
                if head.status == StatusCode::NOT_MODIFIED {
                    let answered = self.answer_invalid(session, ctx, head, fault);
                    return answered.map(|()| false);
                }
                Err(self.fetch_over(session, ctx, fault))
            }
        }
    }

    /// Whether the origin itself is asked now that its shield is of no use. If so, the fetch is marked, and to be ended by an
    /// error that is tried again.
    pub(super) fn leaves_shield(&self, session: &mut Session, ctx: &mut Ctx, lost: &Lost) -> bool {
        let viewer_has_bytes = viewer_has_bytes(session);
        let repeats = request_body::can_be_repeated(session, &ctx.body);
        let Flow::Fetch(fetch) = &mut ctx.flow else {
            return false;
        };
        if fetch.shield.is_none() {
            return false;
        }
        self.lost(fetch, lost);
        let may = !viewer_has_bytes
            && repeats
            && (lost.was_not_passed_on() || is_idempotent(&fetch.request.method));
        fetch.leaves_shield = may;
        may
    }

    /// Counts that a shield was of no use, and leaves it alone for a while.
    pub(super) fn lost(&self, fetch: &Fetch, lost: &Lost) {
        let Some(by) = &fetch.shield else {
            return;
        };
        self.node().metrics().shield_fetch(&by.region, lost.word());
        let now = self.node().clock().now();
        let node = self.node();
        if !lost.says_it_is_down(&fetch.request.method) {
            tracing::debug!(
                request_id = fetch.exchange.request_id.as_str(),
                region = by.region,
                "the origin shield is of no use to a request: {lost}"
            );
            return;
        }
        if node.origins().rests().failed(&by.region, now) {
            tracing::error!(
                request_id = fetch.exchange.request_id.as_str(),
                region = by.region,
                "the origin shield is of no use, and origins are asked without it: {lost}"
            );
        }
    }

    /// Has a marked fetch go to the origin itself.
    ///
    /// # Errors
    /// That of its origin-request function, or [`super::ANSWER_READY`] when that has answered.
    pub(super) async fn turn_from_shield(
        &self,
        session: &mut Session,
        ctx: &mut Ctx,
    ) -> Result<()> {
        let fetch = ctx.flow.take_fetch().map_err(|e| ctx_internal(&e))?;
        ctx.lease = None;
        ctx.body.again();
        self.ask_late(session, ctx, OriginRequest::past_shield(fetch))
            .await
    }
}

/// What a viewer's `Cache-Control` says, where it has a say.
fn says(exchange: &Exchange, viewer: &HeaderMap) -> Option<Vec<u8>> {
    let distribution = exchange.route.distribution();
    if distribution.cache_mode != CacheMode::Rfc9111 || distribution.request_cc != RequestCc::Honour
    {
        return None;
    }
    let lines = viewer.get_all(header::CACHE_CONTROL).iter();
    let lines: Vec<_> = lines.map(http::HeaderValue::as_bytes).collect();
    (!lines.is_empty()).then(|| lines.join(&b", "[..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_viewer_can_bring_about_says_nothing_of_a_shield() {
        // CF-415
        let connect = || OriginFault::Connect {
            cause: "refused".to_owned(),
        };
        let refused = || Lost::Refused("seal".to_owned());
        let rows = [
            // Why, and whether the shield is left alone after a GET, after a POST, and a POST goes on without it.
            (Lost::Silent(connect()), true, true, true),
            (Lost::Silent(OriginFault::ConnectTimeout), true, true, true),
            (Lost::Silent(OriginFault::Closed), true, false, false),
            (Lost::Silent(OriginFault::ReadTimeout), false, false, false),
            (Lost::Other, true, true, true),
            (refused(), true, true, true),
            (
                Lost::Unreadable(StatusCode::BAD_REQUEST),
                false,
                false,
                true,
            ),
            (Lost::Unknown, false, false, true),
            (Lost::Busy, false, false, true),
            (Lost::Failed, false, false, false),
        ];
        for (lost, get, post, goes_on) in rows {
            assert_eq!(lost.says_it_is_down(&Method::GET), get, "{lost}");
            assert_eq!(lost.says_it_is_down(&Method::POST), post, "{lost}");
            assert_eq!(lost.was_not_passed_on(), goes_on, "{lost}");
        }
        for (method, repeats) in [
            (Method::PUT, true),
            (Method::POST, false),
            (Method::PATCH, false),
        ] {
            assert_eq!(is_idempotent(&method), repeats, "{method}");
        }
    }
}
