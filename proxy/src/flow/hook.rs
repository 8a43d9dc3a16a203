//! The pure half of running a function: requests and responses as functions see them, and the
//! order *event, call, judgement*. Running the call is the caller's.

use std::sync::Arc;

use bytes::Bytes;
use fourfront_hooks::{
    ExecutionFault, HookFault,
    cff::{self, EdgeLocation, OriginChange},
    event::{self, BodyView, OriginObject, RequestView, ResponseView},
    validate::{self, Input, Outcome, Violation},
};
use fourfront_model::{Compat, EventType, HeaderLines, Origin};
use http::Method;

use super::{Exchange, Route};

/// A request as one side of the cache knows it: the viewer's, or the one about to go to an origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestParts {
    /// The viewer's method; no function can change it (LE-237).
    pub method: Method,
    /// Raw path bytes (LE-236).
    pub path: Bytes,
    /// Raw query bytes without `?`.
    pub query: Bytes,
    /// Header fields in order.
    pub lines: HeaderLines,
}

impl RequestParts {
    /// Splits a request target at its first `?`.
    pub fn split_target(target: &[u8]) -> (Bytes, Bytes) {
        match memchr::memchr(b'?', target) {
            Some(at) => (
                Bytes::copy_from_slice(&target[..at]),
                Bytes::copy_from_slice(&target[at + 1..]),
            ),
            None => (Bytes::copy_from_slice(target), Bytes::new()),
        }
    }

    /// Path and query joined again.
    pub fn target(&self) -> Vec<u8> {
        let mut target = Vec::with_capacity(self.path.len() + 1 + self.query.len());
        target.extend_from_slice(&self.path);
        if !self.query.is_empty() {
            target.push(b'?');
            target.extend_from_slice(&self.query);
        }
        target
    }

    /// Takes over what a request function changed; the rest keeps its original bytes (LE-236).
    #[must_use]
    pub fn with(self, result: &validate::RequestResult) -> Self {
        Self {
            method: self.method,
            path: result
                .uri
                .as_ref()
                .map_or(self.path, |u| Bytes::copy_from_slice(u.as_bytes())),
            query: result
                .querystring
                .as_ref()
                .map_or(self.query, |q| Bytes::copy_from_slice(q.as_bytes())),
            lines: if result.headers_changed {
                result.headers.clone()
            } else {
                self.lines
            },
        }
    }
}

/// The head of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseParts {
    /// Status code.
    pub status: u16,
    /// Reason phrase.
    pub description: String,
    /// Header fields in order.
    pub lines: HeaderLines,
}

/// Everything an event is built from and a result is judged by.
#[derive(Clone, Copy, Debug)]
pub struct HookInput<'a> {
    /// The exchange.
    pub exchange: &'a Exchange,
    /// The trigger.
    pub event_type: EventType,
    /// The request shown.
    pub request: &'a RequestParts,
    /// The request body shown; request triggers that include it only (LE-079, LE-120).
    pub body: Option<BodyView<'a>>,
    /// The origin shown; origin triggers only (LE-080).
    pub origin: Option<&'a OriginObject>,
    /// The response shown; response triggers only (LE-082).
    pub response: Option<&'a ResponseParts>,
}

impl HookInput<'_> {
    fn request_view(&self) -> RequestView<'_> {
        RequestView {
            client_ip: self.exchange.viewer.ip(),
            method: self.request.method.as_str(),
            uri: &self.request.path,
            querystring: &self.request.query,
            headers: &self.request.lines,
            body: self.body,
            origin: self.origin,
        }
    }

    fn response_view(&self) -> Option<ResponseView<'_>> {
        self.response.map(|r| ResponseView {
            status: r.status,
            status_description: &r.description,
            headers: &r.lines,
        })
    }

    /// Whether the function is a CloudFront Function, which has events and results of its own (LE section 8).
    fn is_of_cloudfront(&self) -> bool {
        let hook = self.exchange.route.hook(self.event_type);
        hook.is_some_and(|h| h.function.cloudfront().is_some())
    }

    /// The event as JSON (LE-060, LE-400).
    pub fn event(&self) -> Vec<u8> {
        let config = self.exchange.event_config(self.event_type);
        if self.is_of_cloudfront() {
            let edge = EdgeLocation {
                name: self.exchange.route.snapshot().pop(),
                server_ip: self.exchange.server,
                region: "",
            };
            return cff::build(
                &config,
                &self.request_view(),
                self.response_view().as_ref(),
                self.exchange.bare_query,
                &edge,
            );
        }
        event::build(&config, &self.request_view(), self.response_view().as_ref())
    }

    /// Judges a result in the order of LE-285..300, or as CloudFront Functions' are.
    ///
    /// # Errors
    /// The first rule the result breaks.
    pub fn judge(&self, result: &[u8]) -> Result<Verdict, Violation> {
        if self.is_of_cloudfront() {
            return self.judge_cloudfront(result);
        }
        self.judge_lambda(result).map(Verdict::from)
    }

    fn judge_cloudfront(&self, result: &[u8]) -> Result<Verdict, Violation> {
        let route = &self.exchange.route;
        let distribution = route.distribution();
        // CF-421
        let scheme = self.exchange.scheme();
        let origins = distribution.origins.iter();
        let origins: Vec<_> = origins.map(|o| o.for_viewer(scheme).clone()).collect();
        let input = cff::Input {
            event_type: self.event_type,
            compat: distribution.compat,
            request: self.request_view(),
            response: self.response_view(),
            assigned: self.exchange.assigned_origin(),
            origins: &origins,
            max_request_bytes: max_request_bytes(route),
            body_limits: route.body_limits(),
        };
        let judged = cff::judge(&input, result)?;
        Ok(Verdict {
            outcome: Outcome {
                result: judged.result,
                warnings: judged.warnings,
            },
            origin: judged.origin.map(Box::new),
            log_data: judged.log_data,
        })
    }

    fn judge_lambda(&self, result: &[u8]) -> Result<Outcome, Violation> {
        let route = &self.exchange.route;
        let distribution = route.distribution();
        // Only relaxed origin-request results look at the other origins (LE-A42).
        let known: Vec<OriginObject> = match (distribution.compat, self.event_type) {
            (Compat::Relaxed, EventType::OriginRequest) => distribution
                .origins
                .iter()
                .map(|o| OriginObject::from(o.as_ref()))
                .collect(),
            _ => Vec::new(),
        };
        let input = Input {
            compat: distribution.compat,
            strict_header_keys: distribution.strict_header_keys,
            response: self.response_view(),
            configured_origin: self.origin,
            known_origins: &known,
            max_request_bytes: max_request_bytes(route),
            body_limits: route.body_limits(),
            ..Input::new(self.event_type, self.request_view())
        };
        validate::validate(&input, result)
    }
}

fn max_request_bytes(route: &Route) -> usize {
    usize::try_from(route.snapshot().settings().limits.max_header_bytes).unwrap_or(usize::MAX)
}

/// An accepted result of a function of either kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What to do.
    pub outcome: Outcome,
    /// The origin that a CloudFront Function chose (LE-475).
    pub origin: Option<Box<OriginChange>>,
    /// What a CloudFront Function noted for the access record (LE-483).
    pub log_data: Option<String>,
}

impl From<Outcome> for Verdict {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            origin: None,
            log_data: None,
        }
    }
}

/// AWS's name for a result beyond the transport's limit.
const RESULT_TOO_LARGE: &str = "Function.ResponseSizeTooLarge";

/// What a call comes to: its result judged, or the fault that a viewer is told.
///
/// # Errors
/// [`HookFault`] of whichever class.
pub fn verdict<T>(
    returned: Result<Vec<u8>, HookFault>,
    judge: impl FnOnce(&[u8]) -> Result<T, Violation>,
) -> Result<T, HookFault> {
    match returned {
        Ok(result) => judge(&result).map_err(HookFault::from),
        // The engine holds back what is longer than a result may be; the class is validation's (LE-136).
        Err(HookFault::Execution(ExecutionFault::Thrown { error_type, .. }))
            if error_type == RESULT_TOO_LARGE =>
        {
            Err(validate::result_too_large().into())
        }
        Err(fault) => Err(fault),
    }
}

/// The origin a function's object names, or the configured one when it names none (LE-116).
pub fn chosen_origin(configured: &Arc<Origin>, object: Option<&OriginObject>) -> Arc<Origin> {
    object.map_or_else(|| configured.clone(), |o| Arc::new(o.to_origin(configured)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_split_at_the_first_question_mark_and_join_again() {
        for target in ["/a", "/a?b=c", "/a?b?c", "/"] {
            let (path, query) = RequestParts::split_target(target.as_bytes());
            let parts = RequestParts {
                method: Method::GET,
                path,
                query,
                lines: vec![],
            };
            assert_eq!(parts.target(), target.as_bytes());
        }
    }

    #[test]
    fn a_result_held_back_for_its_length_is_a_matter_of_validation() {
        // LE-136, LE-270
        let thrown = |error_type: &str| {
            let fault = ExecutionFault::Thrown {
                error_type: error_type.to_owned(),
                message: String::new(),
                stack: String::new(),
            };
            let judged = verdict(Err(fault.into()), |_| -> Result<Outcome, _> {
                unreachable!("nothing came back")
            });
            let fault = judged.unwrap_err();
            (fault.class().status(), fault.rule())
        };
        assert_eq!(thrown(RESULT_TOO_LARGE), (502, "LE-136"));
        assert_eq!(thrown("Error"), (503, "LE-271"));
    }
}
