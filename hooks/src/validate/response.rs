//! Response results: generated at request triggers (LE-155), changed in every part at origin-response
//! (LE-175, LE-176), headers alone at viewer-response (LE-190).

use fourfront_model::EventType;

use super::{
    Input, ResponseResult,
    body::{self, ResponseBody},
    header_map::{HeaderMap, control},
    parse::{RawResult, Scalar},
    violation::{Check, Violation, Warnings},
};
use crate::{
    event::BodyLimits,
    headers::{HeaderLine, wire_size},
};

pub(super) fn check(
    input: &Input<'_>,
    raw: RawResult<'_>,
    warnings: &mut Warnings,
) -> Result<ResponseResult, Violation> {
    let event = input.event_type;
    // A generated response is made from nothing.
    let shown = input.response.filter(|_| !event.is_request());

    let status = check_status(raw.status.as_ref(), shown.map(|r| r.status))?;
    let status_description = check_description(raw.status_description.as_ref())?;
    if let (EventType::ViewerResponse, Some(shown)) = (event, &shown)
        && shown.status != status
    {
        return Err(Violation::new(
            Check::StatusReadOnly,
            "LE-190",
            "status",
            format!("read-only at {event}: it must stay {}", shown.status),
        )
        .with_value(status.to_string()));
    }

    let lines: &[HeaderLine] = shown.map_or(&[], |r| r.headers);
    let headers = HeaderMap::new(event, lines, raw.headers);
    headers.check_shape()?;
    headers.check_chars(input.strict_header_keys)?;
    headers.check_denied()?;
    headers.check_read_only()?;

    if event == EventType::ViewerResponse {
        if raw.body.is_some() {
            warnings.push("LE-191", || {
                "`body` is ignored at viewer-response".to_owned()
            });
        }
        let (headers, headers_changed) = headers.finish(warnings)?;
        return Ok(ResponseResult {
            status,
            status_description: None,
            headers,
            headers_changed,
            body: None,
        });
    }

    let mut body = body::response_body(raw.body, raw.body_encoding)?;
    if let Some(shown) = &shown
        && body.is_some()
        && status == shown.status
    {
        match status {
            206 => {
                return Err(Violation::new(
                    Check::BodyType,
                    "LE-183",
                    "body",
                    "the body of a 206 can be replaced only together with its status",
                ));
            }
            304 => {
                warnings.push("LE-182", || {
                    "`body` is ignored: a 304 refreshes headers only".to_owned()
                });
                body = None;
            }
            _ => {}
        }
    }
    let (headers, headers_changed) = headers.finish(warnings)?;
    if let Some(body) = &body {
        check_size(event, body, &headers, input.body_limits)?;
    } else if shown.is_none() {
        let empty = ResponseBody {
            bytes: Vec::new(),
            given_len: 0,
        };
        check_size(event, &empty, &headers, input.body_limits)?;
    }
    if status == 204 && body.is_some() {
        return Err(Violation::new(
            Check::NoContent,
            "LE-161",
            "body",
            "status 204 has no body: leave `body` out, even an empty one",
        ));
    }
    Ok(ResponseResult {
        status,
        status_description,
        headers,
        headers_changed: headers_changed || shown.is_none(),
        body: body.map(|b| b.bytes),
    })
}

/// An integer from 200 to 599, as three digits or as a number (LE-156). A status that was left alone passes
/// whatever it is: origins may send others.
fn check_status(given: Option<&Scalar<'_>>, shown: Option<u16>) -> Result<u16, Violation> {
    let number = match given {
        Some(Scalar::Text(t)) if t.len() == 3 && t.bytes().all(|b| b.is_ascii_digit()) => {
            t.parse::<u16>().ok()
        }
        Some(Scalar::Integer(i)) => u16::try_from(*i).ok(),
        // `200.0`: JavaScript does not tell the two apart.
        Some(Scalar::Float(f)) => (200u16..=599).find(|n| f64::from(*n) == *f),
        _ => None,
    };
    number
        .filter(|n| (200..=599).contains(n) || Some(*n) == shown)
        .ok_or_else(|| {
            Violation::new(
                Check::Status,
                "LE-156",
                "status",
                "must be an integer from 200 to 599, as a string or a number",
            )
            .with_value(given.map_or_else(|| "nothing".to_owned(), Scalar::shown))
        })
}

/// Any string that fits in a status line (LE-157).
fn check_description(given: Option<&Scalar<'_>>) -> Result<Option<String>, Violation> {
    let refuse =
        |message: &str| Violation::new(Check::Status, "LE-157", "statusDescription", message);
    match given {
        None => Ok(None),
        Some(Scalar::Text(text)) => match control(text) {
            None => Ok(Some(text.clone().into_owned())),
            Some(b) => Err(refuse("may not contain line ends or control characters").with_char(b)),
        },
        Some(other) => Err(refuse("must be a string").with_value(other.shown())),
    }
}

/// Headers and body together, the body as it was returned (LE-162, LE-178, LE-A20).
fn check_size(
    event: EventType,
    body: &ResponseBody,
    headers: &[HeaderLine],
    limits: BodyLimits,
) -> Result<(), Violation> {
    let limit = limits.at(event);
    let size = body.given_len + wire_size(headers);
    if size <= limit {
        return Ok(());
    }
    let rule = if event.is_request() {
        "LE-162"
    } else {
        "LE-178"
    };
    Err(Violation::new(
        Check::ResponseSize,
        rule,
        "body",
        format!("headers and body together may have {limit} bytes at {event}"),
    )
    .with_value(size.to_string()))
}
