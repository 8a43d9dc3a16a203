//! Validation: what a function may answer (LE sections 3 to 5).
//!
//! [`validate`] takes the result's JSON and what the event was built from, and says what the node
//! is to do, or which rule the result breaks. It is pure. Checks run in the order of LE section 5.5
//! and the first failure wins; a [`Violation`] names rule, field and value. Results come from strangers'
//! code, so nothing here panics, recurses with the input or grows past the transport limit.

mod body;
pub(crate) mod header_map;
pub(crate) mod origin;
mod parse;
pub(crate) mod request;
mod response;
mod violation;

use fourfront_model::{Compat, EventType};

pub use origin::refused_address;
pub use parse::MAX_HEADER_LINES;
pub use violation::{Check, Violation, Warning};

use crate::{
    event::{BodyLimits, OriginObject, RequestView, ResponseView},
    headers::HeaderLines,
};
use parse::{Kind, Mistake, RawResult};
pub(crate) use violation::Warnings;

/// The longest result that is read: 6 MB, the largest synchronous answer on Lambda (LE-136).
pub const MAX_RESULT_BYTES: usize = 6 * 1024 * 1024;

/// The largest request, line and headers, that a function may make (LE-225).
pub const DEFAULT_MAX_REQUEST_BYTES: usize = 32_768;

/// What a call's event was built from, so that "unchanged" can be judged.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The trigger.
    pub event_type: EventType,
    /// Whether conveniences beyond AWS are on (LE-A42).
    pub compat: Compat,
    /// The request the function was shown.
    pub request: RequestView<'a>,
    /// The response it was shown; response triggers only.
    pub response: Option<ResponseView<'a>>,
    /// The origin configured for the request (LE-114). `None` takes the one that was shown.
    pub configured_origin: Option<&'a OriginObject>,
    /// All origins of the distribution. With [`Compat::Relaxed`], a function may name one of them by IP
    /// address or on a port that AWS refuses (LE-A42).
    pub known_origins: &'a [OriginObject],
    /// Refuse a `key` that is not the header's name, instead of a warning (LE-200).
    pub strict_header_keys: bool,
    /// See [`DEFAULT_MAX_REQUEST_BYTES`].
    pub max_request_bytes: usize,
    /// What bodies may have (LE-162, LE-178, LE-243).
    pub body_limits: BodyLimits,
}

impl<'a> Input<'a> {
    /// The input of a strict call with the contract's defaults.
    pub fn new(event_type: EventType, request: RequestView<'a>) -> Self {
        Self {
            event_type,
            compat: Compat::Strict,
            request,
            response: None,
            configured_origin: None,
            known_origins: &[],
            strict_header_keys: false,
            max_request_bytes: DEFAULT_MAX_REQUEST_BYTES,
            body_limits: BodyLimits::default(),
        }
    }
}

/// An accepted result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What to do.
    pub result: HookResult,
    /// What was odd, for the function's log.
    pub warnings: Vec<Warning>,
}

/// What the function answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookResult {
    /// Go on with this request; viewer-request and origin-request.
    Request(RequestResult),
    /// At request triggers a generated response, at response triggers the changed one.
    Response(ResponseResult),
}

/// A request as a function left it (LE-145, LE-146).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestResult {
    /// The new path; `None` keeps the original bytes (LE-236).
    pub uri: Option<String>,
    /// The new query (LE-234); `None` keeps the original bytes, an empty one removes it.
    pub querystring: Option<String>,
    /// The complete list. Lines left alone keep bytes, casing and place; hidden ones are kept (LE-207). At
    /// origin-request it is what the origin gets, whatever the policies say (LE-149).
    pub headers: HeaderLines,
    /// Whether `headers` differs from the input.
    pub headers_changed: bool,
    /// The origin to go to, when the function changed it (LE-116). `Host` does not follow it (LE-150).
    pub origin: Option<OriginObject>,
    /// The decoded body to send in place of the request's own (LE-240). `Content-Length` in `headers` is still the
    /// old one (LE-184).
    pub body: Option<Vec<u8>>,
}

/// A response as a function made or left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseResult {
    /// 200 to 599, or what the origin sent when that was left alone.
    pub status: u16,
    /// The reason phrase given; `None` means the standard one (LE-157). Never given at viewer-response.
    pub status_description: Option<String>,
    /// The complete list, as in [`RequestResult::headers`].
    pub headers: HeaderLines,
    /// Whether `headers` differs from the input. Always true for a generated response.
    pub headers_changed: bool,
    /// The decoded body of a generated response, or the one that replaces the origin's (LE-177); framing and
    /// length are the node's (LE-179). Never
    /// given at viewer-response (LE-191).
    pub body: Option<Vec<u8>>,
}

/// The violation of a result longer than [`MAX_RESULT_BYTES`] (LE-136): such a one need not leave the engine to
/// be judged.
pub fn result_too_large() -> Violation {
    json_violation(format!(
        "longer than the {MAX_RESULT_BYTES} bytes a result may have"
    ))
}

/// Judges the result of a call.
pub fn validate(input: &Input<'_>, result_json: &[u8]) -> Result<Outcome, Violation> {
    if result_json.len() > MAX_RESULT_BYTES {
        return Err(result_too_large());
    }
    let text = std::str::from_utf8(result_json)
        .map_err(|e| json_violation(format!("not UTF-8 at byte {}", e.valid_up_to())))?;
    match parse::parse(text) {
        Ok(raw) => judge(input, raw),
        // Off the usual path: a second reading is made only where it can help.
        Err(error) => match parse::replace_lone_surrogates(text) {
            Some(repaired) => judge(input, parse::parse(&repaired).map_err(|e| not_json(&e))?),
            None => Err(not_json(&error)),
        },
    }
}

fn not_json(error: &serde_json::Error) -> Violation {
    json_violation(if error.is_eof() {
        "the JSON ends too early".to_owned()
    } else {
        format!(
            "not JSON at line {}, column {}",
            error.line(),
            error.column()
        )
    })
}

fn json_violation(message: String) -> Violation {
    Violation::new(Check::Json, "LE-136", "", message)
}

fn judge(input: &Input<'_>, raw: Result<RawResult<'_>, Kind>) -> Result<Outcome, Violation> {
    let event = input.event_type;
    let raw = raw.map_err(|kind| {
        Violation::new(
            Check::Type,
            "LE-135",
            "",
            format!("the result must be an object, is {kind}"),
        )
    })?;
    let mut warnings = Warnings::default();
    // Request triggers take both kinds (LE-130, LE-131) and `status` decides (LE-134); response triggers take
    // responses only (LE-132, LE-133) and read nothing of a request back (LE-064).
    let result = if raw.status.is_some() {
        HookResult::Response(response::check(input, raw, &mut warnings)?)
    } else if event.is_request() {
        HookResult::Request(request::check(input, raw, &mut warnings)?)
    } else {
        let rule = match (raw.mistake, event) {
            (Some(Mistake::Event), _) => "LE-139",
            (_, EventType::OriginResponse) => "LE-132",
            _ => "LE-133",
        };
        return Err(Violation::new(
            Check::Kind,
            rule,
            "status",
            format!(
                "{event} takes a response object, which has a `status`{}",
                hint(raw.mistake)
            ),
        ));
    };
    Ok(Outcome {
        result,
        warnings: warnings.into_vec(),
    })
}

/// A word about the likely mistake, to end a message with.
fn hint(mistake: Option<Mistake>) -> &'static str {
    match mistake {
        None => "",
        Some(Mistake::Event) => {
            "; this looks like the event itself: return `event.Records[0].cf.request` or `.response`"
        }
        Some(Mistake::StatusCode) => "; a response has `status`, not `statusCode`",
    }
}

#[cfg(test)]
mod tests;
