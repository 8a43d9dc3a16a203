//! Bodies: replacements of a request's body (LE section 5.2) and bodies of responses (LE-158 to LE-162).

use std::borrow::Cow;

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use fourfront_model::EventType;

use super::{
    parse::{RawBody, Scalar},
    violation::{Check, Violation},
};
use crate::event::BodyLimits;

/// Standard alphabet, padding optional, whitespace refused (LE-159). Left-over bits are ignored, as
/// JavaScript's decoders do.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The body to send instead of the request's own; `None` leaves that alone (LE-239, LE-240). Whether the function
/// was shown a body does not matter (LE-241).
pub(super) fn request_body(
    event: EventType,
    method: &str,
    body: Option<RawBody<'_>>,
    limits: BodyLimits,
) -> Result<Option<Vec<u8>>, Violation> {
    let (action, encoding, data) = match body {
        None => return Ok(None),
        Some(RawBody::Object {
            action,
            encoding,
            data,
        }) => (action, encoding, data),
        Some(RawBody::Text(_)) => {
            return Err(type_violation("body", "must be an object, is a string"));
        }
        Some(RawBody::Other(kind)) => {
            return Err(type_violation(
                "body",
                format!("must be an object, is {kind}"),
            ));
        }
    };
    match action.as_ref().map(|a| (a.text(), a)) {
        // Edits to `data` and `encoding` are ignored, so they are not judged (LE-239).
        None | Some((Some("read-only"), _)) => return Ok(None),
        Some((Some("replace"), _)) => {}
        Some((_, other)) => {
            return Err(
                type_violation("body.action", "must be `read-only` or `replace`")
                    .with_value(other.shown()),
            );
        }
    }
    if matches!(method, "GET" | "HEAD") {
        return Err(Violation::new(
            Check::BodyType,
            "LE-247",
            "body.action",
            format!("a {method} request cannot be given a body"),
        ));
    }
    let data = match data {
        Some(Scalar::Text(data)) => data,
        None => return Err(type_violation("body.data", "missing; `replace` needs it")),
        Some(other) => {
            return Err(type_violation("body.data", "must be a string").with_value(other.shown()));
        }
    };
    let base64 = is_base64(encoding, "body.encoding", "LE-244", true)?;
    let bytes = decode(data, base64, "body.data", "LE-244")?;
    let limit = limits.at(event);
    if bytes.len() > limit {
        // Measured decoded (LE-243).
        return Err(Violation::new(
            Check::BodySize,
            "LE-242",
            "body.data",
            format!("a body given at {event} may have {limit} bytes"),
        )
        .with_value(bytes.len().to_string()));
    }
    Ok(Some(bytes))
}

/// A response body: its decoded bytes and its length as returned, which the size rules measure (LE-A20).
pub(super) struct ResponseBody {
    pub(super) bytes: Vec<u8>,
    pub(super) given_len: usize,
}

/// The body of a response, if the result has one.
pub(super) fn response_body(
    body: Option<RawBody<'_>>,
    encoding: Option<Scalar<'_>>,
) -> Result<Option<ResponseBody>, Violation> {
    let refuse = |kind: &str| {
        Err(Violation::new(
            Check::BodyType,
            "LE-160",
            "body",
            format!("must be a string, is {kind}"),
        ))
    };
    let text = match body {
        None => None,
        Some(RawBody::Text(text)) => Some(text),
        Some(RawBody::Object { .. }) => return refuse("an object"),
        Some(RawBody::Other(kind)) => return refuse(&kind.to_string()),
    };
    let base64 = is_base64(encoding, "bodyEncoding", "LE-158", false)?;
    text.map(|text| {
        let given_len = text.len();
        Ok(ResponseBody {
            bytes: decode(text, base64, "body", "LE-159")?,
            given_len,
        })
    })
    .transpose()
}

/// Which of the two encodings is asked for; requests default to base64 (LE-240), responses to text (LE-158).
fn is_base64(
    encoding: Option<Scalar<'_>>,
    field: &str,
    rule: &'static str,
    default: bool,
) -> Result<bool, Violation> {
    let Some(encoding) = encoding else {
        return Ok(default);
    };
    match encoding.text() {
        Some("base64") => Ok(true),
        Some("text") => Ok(false),
        _ => Err(Violation::new(
            Check::BodyEncoding,
            rule,
            field,
            "must be `text` or `base64`",
        )
        .with_value(encoding.shown())),
    }
}

fn decode(
    text: Cow<'_, str>,
    base64: bool,
    field: &str,
    rule: &'static str,
) -> Result<Vec<u8>, Violation> {
    if !base64 {
        return Ok(text.into_owned().into_bytes());
    }
    BASE64.decode(text.as_bytes()).map_err(|error| {
        let violation = Violation::new(
            Check::BodyBase64,
            rule,
            field,
            "not standard base64 (padding is optional, whitespace is not allowed)",
        );
        match error {
            base64::DecodeError::InvalidByte(_, byte) => violation.with_char(byte),
            _ => violation,
        }
    })
}

fn type_violation(field: &str, message: impl Into<String>) -> Violation {
    Violation::new(Check::BodyType, "LE-244", field, message)
}
