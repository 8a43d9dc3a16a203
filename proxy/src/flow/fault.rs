//! Why a request ends in an answer the node makes itself, and what that answer is. This is
//! the only place where an error becomes an HTTP response (CF section 9).
//!
//! What is so malformed that Pingora's parser cannot read it has its page too, but leaves no access record
//! (`crate::pingora::direct`).

use bytes::Bytes;
use fourfront_hooks::{FaultClass, HookFault};
use fourfront_model::{EventType, Identity};
use fourfront_origin::{OriginFault, shield};
use fourfront_signed::Refusal;
use http::HeaderValue;

use super::Served;

/// A request the node refuses before any function runs (CF-760..770). Its answer is made before the look-up, so it is never
/// stored (CF-300).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ViewerFault {
    /// Both `Content-Length` and `Transfer-Encoding` (CF-374).
    #[error("the request has both Content-Length and Transfer-Encoding")]
    AmbiguousLength,
    /// A transfer coding besides `chunked` (CF-371, RFC 9112 section 6.1).
    #[error("the request body comes in a transfer coding that is not supported")]
    TransferCoding,
    /// A line ended by LF alone (CF-374).
    #[error("a line of the request head ends without CR")]
    BareLineFeed,
    /// What came is no request (CF-760).
    #[error("it cannot be read")]
    Unreadable,
    /// `#` in the request target (CF-176).
    #[error("the request target contains a fragment")]
    Fragment,
    /// No usable `Host` (CF-760).
    #[error("the Host header is missing or not valid")]
    Host,
    /// The request target is not a path (CF-760).
    #[error("the request target is not a path")]
    Target,
    /// More header fields than allowed (CF-364).
    #[error("the request has {count} header fields, {limit} are allowed")]
    HeaderCount {
        /// How many there are.
        count: usize,
        /// How many may be.
        limit: usize,
    },
    /// A request head larger than allowed (CF-360).
    #[error("the request head is larger than {limit} bytes")]
    HeaderSize {
        /// Bytes allowed.
        limit: u64,
    },
    /// A URL longer than allowed (CF-361).
    #[error("the URL is longer than {limit} bytes")]
    UrlLength {
        /// Bytes allowed.
        limit: u64,
    },
    /// A body larger than allowed (CF-362).
    #[error("the request body is larger than {limit} bytes")]
    BodySize {
        /// Bytes allowed.
        limit: u64,
    },
    /// No distribution answers for the host (CF-035).
    #[error("no distribution answers for this host")]
    UnknownHost,
    /// The distribution is disabled (CF-030).
    #[error("the distribution is disabled")]
    Disabled,
    /// The behaviour does not allow the method (CF-527).
    #[error("this distribution is not configured to allow the request's method here")]
    Method,
    /// TRACE or CONNECT (CF-528).
    #[error("the method is not supported")]
    MethodNotSupported,
    /// A GET or HEAD with a body (CF-368, CF-369).
    #[error("a GET or HEAD request may not have a body")]
    BodyOnGet,
    /// An expectation other than `100-continue` (CF-372).
    #[error("the request's Expect header cannot be met")]
    Expectation,
    /// `If-Match` or `If-Unmodified-Since` does not hold for the stored response (CF-285, CF-764).
    #[error("the request's precondition does not hold")]
    Precondition,
    /// `only-if-cached`, and nothing stored that answers (CF-829).
    #[error("nothing is stored that may answer, and the request allows no fetch")]
    NotStored,
    /// The connection is for another host's distribution (CF-036, RFC 9110 section 15.5.20).
    #[error("this connection is not for the request's host")]
    Misdirected,
    /// Plain HTTP where only HTTPS may be (CF-520..522).
    #[error("only HTTPS is allowed here")]
    HttpsOnly,
    /// Plain HTTP where HTTPS is to be used (CF-520, CF-521): not a refusal, but an answer like one.
    #[error("the same is found by HTTPS")]
    ToHttps {
        /// 301 or 307.
        status: u16,
        /// Where.
        location: HeaderValue,
    },
    /// The request went through this network before (CF-356).
    #[error("the request has passed through too many distributions")]
    Loop,
    /// The distribution may not be used from the viewer's country (CF-600).
    #[error("the distribution is configured to block access from your country")]
    Country,
    /// No signature lets the request pass (CF-560, CF-576).
    #[error(transparent)]
    Signature(#[from] Refusal),
    /// It says that it comes from an edge of this shield, and does not (CF-415).
    #[error("the request comes from no node that this one shields origins for")]
    Shield(#[from] shield::Refusal),
}

impl ViewerFault {
    /// The viewer's status.
    pub const fn status(&self) -> u16 {
        match self {
            Self::AmbiguousLength
            | Self::BareLineFeed
            | Self::Unreadable
            | Self::Fragment
            | Self::Host
            | Self::Target
            | Self::HeaderCount { .. } => 400,
            Self::UnknownHost
            | Self::Disabled
            | Self::Method
            | Self::BodyOnGet
            | Self::Loop
            | Self::HttpsOnly
            | Self::Country
            | Self::Signature(_)
            | Self::Shield(_) => 403,
            Self::ToHttps { status, .. } => *status,
            Self::Misdirected => 421,
            Self::MethodNotSupported => 405,
            Self::Precondition => 412,
            Self::BodySize { .. } => 413,
            Self::UrlLength { .. } => 414,
            Self::Expectation => 417,
            Self::HeaderSize { .. } => 494,
            Self::TransferCoding => 501,
            Self::NotStored => 504,
        }
    }

    /// The log detail of CF-705.
    pub const fn detail(&self) -> &'static str {
        match self {
            Self::Method | Self::MethodNotSupported => "InvalidRequestMethod",
            Self::HeaderCount { .. }
            | Self::HeaderSize { .. }
            | Self::AmbiguousLength
            | Self::TransferCoding
            | Self::Host => "InvalidRequestHeader",
            Self::Precondition | Self::NotStored | Self::Signature(_) => "Error",
            Self::Misdirected => "InvalidRequestCertificate",
            Self::ToHttps { .. } => "Redirect",
            Self::BodySize { .. } => "LimitExceeded",
            Self::Country => "ClientGeoBlocked",
            _ => "InvalidRequest",
        }
    }

    /// Whether a custom error page stands in for the refusal (CF-595): for what guards the content, and not for requests that
    /// are malformed or that the behaviour does not take.
    pub const fn takes_error_page(&self) -> bool {
        match self {
            Self::AmbiguousLength
            | Self::TransferCoding
            | Self::BareLineFeed
            | Self::Unreadable
            | Self::Fragment
            | Self::Host
            | Self::Target
            | Self::HeaderCount { .. }
            | Self::HeaderSize { .. }
            | Self::UrlLength { .. }
            | Self::BodySize { .. }
            | Self::UnknownHost
            | Self::Disabled
            | Self::Method
            | Self::MethodNotSupported
            | Self::BodyOnGet
            | Self::Expectation
            | Self::Precondition
            | Self::NotStored
            | Self::Misdirected
            | Self::HttpsOnly
            | Self::ToHttps { .. }
            | Self::Loop
            | Self::Shield(_) => false,
            Self::Country | Self::Signature(_) => true,
        }
    }

    /// Whether the connection is closed after the answer: its framing can't be trusted, or the rest of the
    /// request is not worth reading (CF-783; 413 and 501 by decision: what would have to be read is too much or not
    /// understood).
    pub const fn closes(&self) -> bool {
        matches!(self.status(), 400 | 413 | 414 | 494 | 501)
    }
}

/// What went wrong with a request, by whose fault it is.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The viewer's.
    #[error("{0}")]
    Viewer(#[from] ViewerFault),
    /// A function's author's.
    #[error("{event} function: {fault}")]
    Hook {
        /// Where it ran.
        event: EventType,
        /// What happened.
        fault: HookFault,
    },
    /// Likewise, where it ran at the origin's shield, whose log says more (CF-415).
    #[error("{event} function at the origin's shield: {}", .class.token())]
    HookAtShield {
        /// Where it ran.
        event: EventType,
        /// What the viewer is told.
        class: FaultClass,
    },
    /// The origin's.
    #[error("{0}")]
    Origin(#[from] OriginFault),
    /// The origin's, where the stored response may not be used without asking it (CF-276, CF-827).
    #[error("the stored response must be validated before use: {0}")]
    Unvalidated(OriginFault),
    /// The node's own.
    #[error("{0}")]
    Node(#[from] NodeFault),
}

/// The node's own fault: a defect or a resource that ran out (CF-771).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeFault {
    /// A step of the flow met a state it cannot follow.
    #[error("{0}")]
    WrongState(#[from] super::WrongState),
    /// A header the node builds is not valid.
    #[error("header `{0}` cannot be built")]
    Header(&'static str),
    /// As many requests are being served as may be (CF-773).
    #[error("{limit} requests are being served, which is as many as may be")]
    Overload {
        /// How many may be.
        limit: usize,
    },
    /// Something below the flow failed.
    #[error("{0}")]
    Internal(String),
}

impl Fault {
    /// The viewer's status (CF-760..774, LE-270..272). None of them is 404: that is for origins and functions to say
    /// (CF-762).
    pub const fn status(&self) -> u16 {
        match self {
            Self::Viewer(v) => v.status(),
            Self::Hook { fault, .. } => fault.class().status(),
            Self::HookAtShield { class, .. } => class.status(),
            Self::Origin(o) => o.status(),
            Self::Unvalidated(_) => 504,
            Self::Node(NodeFault::Overload { .. }) => 503,
            Self::Node(_) => 500,
        }
    }

    /// How the answer is counted and labelled.
    pub const fn served(&self) -> Served {
        match self {
            Self::Viewer(ViewerFault::ToHttps { .. }) => Served::Redirect,
            Self::Viewer(v) => Served::NodeError(v.detail()),
            Self::Hook { fault, .. } => Served::Fault(fault.class()),
            Self::HookAtShield { class, .. } => Served::Fault(*class),
            Self::Origin(o) | Self::Unvalidated(o) => Served::NodeError(o.detail()),
            Self::Node(NodeFault::Overload { .. }) => Served::Overload,
            Self::Node(_) => Served::NodeError("InternalError"),
        }
    }

    /// Whether the connection is closed after the answer.
    pub const fn closes(&self) -> bool {
        match self {
            Self::Viewer(v) => v.closes(),
            _ => false,
        }
    }

    /// Whether a custom error page stands in for the answer (CF-595, LE-280): where the origin has failed, or what a function on
    /// its side has made of it.
    pub const fn takes_error_page(&self) -> bool {
        match self {
            Self::Viewer(fault) => fault.takes_error_page(),
            Self::Hook { event, fault } => hook_takes_error_page(*event, fault.class()),
            Self::HookAtShield { event, class } => hook_takes_error_page(*event, *class),
            Self::Origin(_) | Self::Unvalidated(_) => true,
            Self::Node(_) => false,
        }
    }

    /// One sentence for the error page. It never carries a function's message or stack (LE-278), nor what
    /// the network said about an origin.
    fn sentence(&self) -> String {
        match self {
            Self::Viewer(v) => format!("The request was refused: {v}."),
            Self::Hook { event, fault } => hook_sentence(*event, fault.class()),
            Self::HookAtShield { event, class } => hook_sentence(*event, *class),
            Self::Origin(o) | Self::Unvalidated(o) => o.summary().to_owned(),
            Self::Node(NodeFault::Overload { .. }) => {
                "The node has too much to do at the moment.".to_owned()
            }
            Self::Node(_) => "The node failed to handle the request.".to_owned(),
        }
    }

    /// The failure kind shown on the page.
    const fn kind(&self) -> &'static str {
        match self {
            Self::Hook { fault, .. } => fault.class().token(),
            Self::HookAtShield { class, .. } => class.token(),
            Self::Viewer(v) => v.detail(),
            Self::Origin(o) | Self::Unvalidated(o) => o.detail(),
            Self::Node(NodeFault::Overload { .. }) => "CapacityExceeded",
            Self::Node(_) => "InternalError",
        }
    }
}

/// LE-280
const fn hook_takes_error_page(event: EventType, class: FaultClass) -> bool {
    matches!(event, EventType::OriginRequest | EventType::OriginResponse)
        && matches!(class, FaultClass::Validation | FaultClass::Execution)
}

fn hook_sentence(event: EventType, class: FaultClass) -> String {
    match class {
        FaultClass::Validation | FaultClass::FunctionValidation => {
            format!("The {event} function returned a result that is not valid.")
        }
        FaultClass::Execution | FaultClass::FunctionExecution => {
            format!("The {event} function failed to run.")
        }
        FaultClass::Limit | FaultClass::FunctionThrottled => {
            format!("The {event} function was throttled.")
        }
    }
}

/// A finished error answer: a small HTML page that names status, kind and request id (CF-780, LE-278); where a signature is
/// refused, CloudFront's XML (CF-576).
#[derive(Clone, Debug)]
pub struct ErrorAnswer {
    /// The viewer's status.
    pub status: u16,
    /// How it is counted.
    pub served: Served,
    /// The page's type.
    pub content_type: &'static str,
    /// The page.
    pub body: Bytes,
    /// Hook failures are never stored anywhere (LE-279).
    pub no_store: bool,
    /// Methods for `Allow`, on 405.
    pub allow: Option<&'static str>,
    /// `Location`, on a redirect.
    pub location: Option<HeaderValue>,
    /// Whether the connection ends with this answer (CF-783).
    pub close: bool,
}

impl ErrorAnswer {
    /// The answer to a fault.
    pub fn new(fault: &Fault, request_id: &str, identity: &Identity) -> Self {
        if let Fault::Viewer(ViewerFault::ToHttps { status, location }) = fault {
            return Self::redirect(*status, location, identity);
        }
        let status = fault.status();
        let (content_type, body) = match fault {
            Fault::Viewer(ViewerFault::Signature(refusal)) => ("text/xml", refusal.page()),
            _ => (
                "text/html; charset=utf-8",
                Self::page(fault, request_id, identity),
            ),
        };
        Self {
            status,
            served: fault.served(),
            content_type,
            body: Bytes::from(body),
            // LE-279, LE-444
            no_store: matches!(fault, Fault::Hook { .. } | Fault::HookAtShield { .. }),
            allow: (status == 405).then_some("GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE"),
            location: None,
            close: fault.closes(),
        }
    }

    fn page(fault: &Fault, request_id: &str, identity: &Identity) -> String {
        let status = fault.status();
        let title = format!("{status} {}", reason(status));
        let product = identity.product();
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>ERROR: The request could not be \
             satisfied</title></head>\n<body>\n<h1>{title}</h1>\n<h2>The request could not be satisfied.</h2>\n<p>{}</p>\n\
             <hr>\n<pre>Generated by {product}\nError: {}\nRequest ID: {request_id}</pre>\n</body>\n</html>\n",
            fault.sentence(),
            fault.kind(),
        )
    }

    /// The answer to plain HTTP where HTTPS is to be used (CF-523).
    fn redirect(status: u16, location: &HeaderValue, identity: &Identity) -> Self {
        let title = format!("{status} {}", reason(status));
        let product = identity.product();
        let body = format!(
            "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
             <hr><center>{product}</center>\r\n</body>\r\n</html>\r\n"
        );
        Self {
            status,
            content_type: "text/html",
            served: Served::Redirect,
            body: Bytes::from(body),
            no_store: false,
            allow: None,
            location: Some(location.clone()),
            close: false,
        }
    }
}

/// The standard phrase of a status, with nginx's for 494 which CloudFront uses too.
pub fn reason(status: u16) -> &'static str {
    match status {
        494 => "Request Header Too Large",
        s => http::StatusCode::from_u16(s)
            .ok()
            .and_then(|s| s.canonical_reason())
            .unwrap_or(""),
    }
}

#[cfg(test)]
mod tests {
    use fourfront_hooks::{ExecutionFault, LimitFault};

    use super::*;

    #[test]
    fn every_viewer_fault_has_its_status() {
        // CF-035, CF-176, CF-356, CF-360, CF-361, CF-362, CF-364, CF-368, CF-371, CF-374, CF-527, CF-528, CF-760, CF-761, CF-763,
        // CF-766, CF-770, CF-783
        let rows = [
            (ViewerFault::AmbiguousLength, 400, true),
            (ViewerFault::TransferCoding, 501, true),
            (ViewerFault::Fragment, 400, true),
            (ViewerFault::Unreadable, 400, true),
            (
                ViewerFault::HeaderCount {
                    count: 201,
                    limit: 200,
                },
                400,
                true,
            ),
            (ViewerFault::UnknownHost, 403, false),
            (ViewerFault::Method, 403, false),
            (ViewerFault::BodyOnGet, 403, false),
            (ViewerFault::MethodNotSupported, 405, false),
            (ViewerFault::BodySize { limit: 1 }, 413, true),
            (ViewerFault::UrlLength { limit: 8192 }, 414, true),
            (ViewerFault::HeaderSize { limit: 32_768 }, 494, true),
            (ViewerFault::Loop, 403, false),
            (ViewerFault::NotStored, 504, false),
            (Refusal::MissingKey.into(), 403, false),
            (ViewerFault::Country, 403, false),
        ];
        for (fault, status, closes) in rows {
            assert_eq!(
                (fault.status(), fault.closes()),
                (status, closes),
                "{fault}"
            );
        }
    }

    #[test]
    fn a_signature_that_is_refused_has_a_page_of_its_own() {
        // CF-576, CF-705
        let refused = Fault::Viewer(Refusal::UnknownKey.into());
        let answer = ErrorAnswer::new(&refused, "id-1", &Identity::default());
        assert_eq!((answer.status, answer.content_type), (403, "text/xml"));
        assert_eq!(
            answer.body,
            r#"<?xml version="1.0" encoding="UTF-8"?><Error><Code>InvalidKey</Code><Message>Unknown Key</Message></Error>"#
        );
        assert_eq!(answer.served, Served::NodeError("Error"));
        assert!(!answer.no_store && !answer.close);
    }

    #[test]
    fn the_nodes_own_failure_is_a_500_that_tells_nothing() {
        // CF-771, CF-762
        let node = Fault::from(NodeFault::Internal("no room in /var/lib".into()));
        assert_eq!(
            (node.status(), node.served(), node.closes()),
            (500, Served::NodeError("InternalError"), false)
        );
        let answer = ErrorAnswer::new(&node, "id-1", &Identity::default());
        let page = String::from_utf8(answer.body.to_vec()).unwrap();
        assert!(page.contains("500 Internal Server Error") && page.contains("InternalError"));
        assert!(page.contains("Request ID: id-1") && !page.contains("/var/lib"));
    }

    #[test]
    fn what_must_be_validated_fails_with_504_whatever_the_cause() {
        // CF-276, CF-827
        let unvalidated = Fault::Unvalidated(OriginFault::Closed);
        assert_eq!(
            (unvalidated.status(), unvalidated.served()),
            (504, Served::NodeError("OriginReadError"))
        );
        assert_eq!(Fault::from(OriginFault::Closed).status(), 502);
    }

    #[test]
    fn pages_stand_in_for_failures_on_the_origins_side() {
        // CF-595, LE-280
        let hook = |event, fault| Fault::Hook { event, fault };
        let thrown = || {
            HookFault::from(ExecutionFault::Load {
                error_type: String::new(),
                message: String::new(),
                stack: String::new(),
            })
        };
        let limit = HookFault::from(LimitFault::Concurrency { limit: 1 });
        let rows = [
            (Fault::Origin(OriginFault::Closed), true),
            (Fault::Unvalidated(OriginFault::ReadTimeout), true),
            (hook(EventType::OriginRequest, thrown()), true),
            (hook(EventType::OriginResponse, thrown()), true),
            (hook(EventType::ViewerRequest, thrown()), false),
            (hook(EventType::ViewerResponse, thrown()), false),
            (hook(EventType::OriginRequest, limit), false),
            (Fault::Viewer(ViewerFault::Method), false),
            (Fault::Viewer(ViewerFault::NotStored), false),
            (Fault::Viewer(ViewerFault::AmbiguousLength), false),
            (Fault::Node(NodeFault::Header("x")), false),
        ];
        for (fault, stands_in) in rows {
            assert_eq!(fault.takes_error_page(), stands_in, "{fault}");
        }
    }

    #[test]
    fn a_page_names_the_class_of_a_failure_and_never_the_cause() {
        // LE-271, LE-272, LE-278, LE-279, CF-780
        let thrown = Fault::Hook {
            event: EventType::ViewerRequest,
            fault: ExecutionFault::Thrown {
                error_type: "TypeError".into(),
                message: "secret".into(),
                stack: "at /var/task/index.js:1".into(),
            }
            .into(),
        };
        let answer = ErrorAnswer::new(&thrown, "id-1", &Identity::default());
        let page = String::from_utf8(answer.body.to_vec()).unwrap();
        assert_eq!((answer.status, answer.no_store), (503, true));
        assert!(page.contains("LambdaExecutionError") && page.contains("Request ID: id-1"));
        assert!(!page.contains("secret") && !page.contains("/var/task"));

        let unresolved = Fault::Origin(OriginFault::Dns {
            name: "db.inside.test".into(),
            cause: "no such name at 10.0.0.2".into(),
        });
        let answer = ErrorAnswer::new(&unresolved, "id-1", &Identity::default());
        let page = String::from_utf8(answer.body.to_vec()).unwrap();
        assert!(page.contains("OriginDnsError") && page.contains("name could not be resolved"));
        assert!(!page.contains("inside") && !page.contains("10.0.0.2"));

        let throttled = Fault::Hook {
            event: EventType::OriginRequest,
            fault: LimitFault::Concurrency { limit: 1 }.into(),
        };
        assert_eq!(throttled.served(), Served::Fault(FaultClass::Limit));
    }
}
