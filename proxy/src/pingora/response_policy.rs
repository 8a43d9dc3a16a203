//! The behaviour's response headers policy on an answer: after the cache, whose copies stay as the origin sent them, and before
//! the viewer-response function, which sees what the policy has added (CF-554, LE-194).
//!
//! It applies to whatever a behaviour answers: hits, misses, answers of functions, refusals and failures. What it does is
//! decided in the model; here it is done to the two forms that heads have.

use fourfront_model::{Asked, Changes, HeaderLine, HeaderLines, SamplingRate};
use http::{HeaderName, HeaderValue, Method};
use pingora::{
    Result,
    http::{RequestHeader, ResponseHeader},
};

use super::context::Record;
use crate::flow::{
    Exchange, Served,
    hook::RequestParts,
    server_timing::{Timing, Upstream},
};

/// `Server-Timing`.
pub(super) const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// What of a request the policy looks at.
pub(super) fn asked(request: &RequestHeader) -> Asked<'_> {
    Asked::of(&request.method, |name| request.headers.get(name))
}

/// The same of a request as functions see it.
pub(super) fn asked_by<'a>(method: &Method, lines: &'a [HeaderLine]) -> Asked<'a> {
    Asked::of(method, |name| value_of(lines, name))
}

/// The same of either.
pub(super) fn asked_parts(request: &RequestParts) -> Asked<'_> {
    asked_by(&request.method, &request.lines)
}

fn value_of<'a>(lines: &'a [HeaderLine], name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut lines = lines.iter();
    lines
        .find(|line| line.name == *name)
        .map(|line| &line.value)
}

/// What the policy of an exchange's behaviour does to its answer; `None` without a policy.
pub(super) fn changes<'a>(
    exchange: &'a Exchange,
    asked: Asked<'a>,
    has: impl Fn(&HeaderName) -> bool,
) -> Option<Changes<'a>> {
    let policy = exchange.route.behavior().response_headers_policy.as_deref();
    policy.map(|policy| policy.changes(asked, has))
}

/// The value of `Server-Timing`, where the policy has this answer carry it (CF-610).
pub(super) fn timing<'v>(
    changes: &Changes<'_>,
    exchange: &Exchange,
    record: &Record,
    served: Served,
    origins: impl FnOnce() -> Vec<&'v HeaderValue>,
) -> Option<HeaderValue> {
    if !changes.adds_timing(|| exchange.request_id.draw(SamplingRate::DRAWS)) {
        return None;
    }
    let connect = record.connect.unwrap_or_default();
    let timing = Timing {
        served,
        tier: record.tier,
        upstream: record.origin.map(|took| Upstream {
            dns: record.dns.unwrap_or_default(),
            connect,
            first_byte: took.saturating_sub(connect),
        }),
        by_shield: record.by_shield,
        first_byte: record.started.elapsed(),
        pop: exchange.route.snapshot().pop(),
        request_id: exchange.request_id.as_str(),
    };
    Some(timing.value(origins()))
}

/// Applies the policy to Pingora's form of a head.
pub(super) fn apply(
    head: &mut ResponseHeader,
    asked: Asked<'_>,
    exchange: &Exchange,
    record: &Record,
    served: Served,
) -> Result<()> {
    let Some(changes) = changes(exchange, asked, |name| head.headers.contains_key(name)) else {
        return Ok(());
    };
    let origins = || head.headers.get_all(SERVER_TIMING).iter().collect();
    let timing = timing(&changes, exchange, record, served, origins);
    let goes = |name: &&HeaderName| {
        changes.drops(name.as_str().as_bytes()) || (timing.is_some() && **name == SERVER_TIMING)
    };
    let gone: Vec<HeaderName> = head.headers.keys().filter(goes).cloned().collect();
    for name in &gone {
        head.remove_header(name);
    }
    let mut added = Ok(false);
    changes.each(|_, key, value| {
        if added.is_ok() {
            added = head.append_header(bytes::Bytes::copy_from_slice(key), value.clone());
        }
    });
    added?;
    if let Some(value) = timing {
        head.insert_header("Server-Timing", value)?;
    }
    Ok(())
}

/// Applies the policy to lines.
pub(super) fn apply_to_lines(
    lines: &mut HeaderLines,
    asked: Asked<'_>,
    exchange: &Exchange,
    record: &Record,
    served: Served,
) {
    let has = |name: &HeaderName| value_of(lines, name).is_some();
    let Some(changes) = changes(exchange, asked, has) else {
        return;
    };
    let origins = || {
        let lines = lines.iter().filter(|line| line.name == SERVER_TIMING);
        lines.map(|line| &line.value).collect()
    };
    let timing = timing(&changes, exchange, record, served, origins);
    lines.retain(|line| {
        !changes.drops(line.name.as_str().as_bytes())
            && (timing.is_none() || line.name != SERVER_TIMING)
    });
    changes.each(|name, key, value| {
        lines.push(HeaderLine {
            name: name.clone(),
            key: bytes::Bytes::copy_from_slice(key),
            value: value.clone(),
        });
    });
    if let Some(value) = timing {
        lines.push(HeaderLine {
            name: SERVER_TIMING,
            key: bytes::Bytes::from_static(b"Server-Timing"),
            value,
        });
    }
}
