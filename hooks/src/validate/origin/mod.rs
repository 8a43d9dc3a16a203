//! The origin object of an origin-request result (LE section 2.3, LE-A42).
//!
//! What a function left as it was shown is never judged: the configuration accepted it, and this node's
//! configuration accepts more than AWS's (IP addresses, other ports). What it changed is judged field by
//! field, so that a function cannot turn the node toward places its operator did not mean.

mod judge;
mod read;

use std::{fmt, net::SocketAddr};

use fourfront_model::{Compat, EventType};

use super::{
    Input,
    header_map::{HeaderMap, lower},
    parse::{Kind, RawOrigin},
    violation::{Check, Violation},
};
use crate::event::OriginObject;
use judge::Judge;
use read::Reader;

/// Custom headers a function may set (LE-226).
const MOST_CUSTOM_HEADERS: usize = 10;

/// The origin to go to when the function changed it; `None` stays with the one that was shown.
pub(super) fn check(
    input: &Input<'_>,
    raw: Option<Result<RawOrigin<'_>, Kind>>,
    headers: &HeaderMap<'_, '_>,
) -> Result<Option<OriginObject>, Violation> {
    let Some(raw) = raw else {
        return Ok(None);
    };
    if input.event_type == EventType::ViewerRequest {
        return Err(violation(
            "LE-117",
            "origin",
            "a viewer-request function cannot choose an origin; an origin-request function can",
        ));
    }
    let raw =
        raw.map_err(|kind| violation("LE-100", "origin", format!("must be an object, is {kind}")))?;
    // A kind set to null is a kind that is not there.
    let there = |k: Option<Result<_, Kind>>| k.filter(|k| !matches!(k, Err(Kind::Null)));
    let shown = input.request.origin;
    let reader = Reader {
        relaxed: input.compat == Compat::Relaxed,
        shown,
    };
    let object = match (there(raw.custom), there(raw.s3)) {
        (Some(custom), None) => reader.custom(custom)?,
        (None, Some(s3)) => reader.s3(s3)?,
        (Some(_), Some(_)) => {
            return Err(violation(
                "LE-100",
                "origin",
                "has both `custom` and `s3`; exactly one is allowed",
            ));
        }
        (None, None) => {
            return Err(violation(
                "LE-100",
                "origin",
                "has neither `custom` nor `s3`; exactly one is needed",
            ));
        }
    };

    let changed = !shown.is_some_and(|s| same_object(s, &object));
    if changed {
        Judge {
            input,
            object: &object,
            like: shown.filter(|s| s.same_kind(&object)),
        }
        .check()?;
    }
    check_conflicts(&object, shown, headers)?;
    Ok(changed.then_some(object))
}

/// Judges an origin that a CloudFront Function changed (LE-475) by the rules of origin objects.
pub(crate) fn judge(
    input: &Input<'_>,
    object: &OriginObject,
    assigned: &OriginObject,
) -> Result<(), Violation> {
    let like = Some(assigned).filter(|a| a.same_kind(object));
    Judge {
        input,
        object,
        like,
    }
    .check()
}

/// The violation of an origin whose name leads where functions may not send requests (LE-346). Only whoever
/// resolves the name finds out.
pub fn refused_address(
    origin: &OriginObject,
    address: SocketAddr,
    why: impl fmt::Display,
) -> Violation {
    let message = format!("leads to {why}");
    field(origin.kind_name(), "domainName", "LE-346", message)
        .with_value(format!("{} at {address}", origin.domain_name))
}

const PORTS: &str = "must be 80, 443 or from 1024 to 65535";

/// A custom header may not be in `request.headers` too (LE-102). A clash that was there before the function
/// ran is not its doing.
fn check_conflicts(
    object: &OriginObject,
    shown: Option<&OriginObject>,
    headers: &HeaderMap<'_, '_>,
) -> Result<(), Violation> {
    for (key, _) in &object.custom_headers {
        let name = lower(key);
        let was_there = || {
            headers.was_shown(&name)
                && shown.is_some_and(|s| {
                    s.custom_headers
                        .iter()
                        .any(|(k, _)| k.eq_ignore_ascii_case(key))
                })
        };
        if headers.has(&name) && !was_there() {
            return Err(violation(
                "LE-102",
                format!("origin.{}.customHeaders.{name}", object.kind_name()),
                "also in `request.headers`",
            ));
        }
    }
    Ok(())
}

/// Equal but for the order of header names, which JavaScript objects do not keep for numbers.
fn same_object(a: &OriginObject, b: &OriginObject) -> bool {
    let sorted = |o: &OriginObject| {
        let mut headers = o.custom_headers.clone();
        headers.sort_by(|x, y| lower(&x.0).cmp(&lower(&y.0)));
        headers
    };
    a.domain_name == b.domain_name
        && a.path == b.path
        && a.read_timeout == b.read_timeout
        && a.response_completion_timeout == b.response_completion_timeout
        && a.kind == b.kind
        && (a.custom_headers == b.custom_headers || sorted(a) == sorted(b))
}

fn field(at: &str, name: &str, rule: &'static str, message: impl Into<String>) -> Violation {
    violation(rule, format!("origin.{at}.{name}"), message)
}

fn violation(rule: &'static str, field: impl AsRef<str>, message: impl Into<String>) -> Violation {
    Violation::new(Check::Origin, rule, field, message)
}
