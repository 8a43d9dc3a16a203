//! Request results: viewer-request and origin-request (LE sections 3.2, 5.1, 5.2).

use fourfront_model::EventType;

use super::{
    Input, RequestResult, body,
    header_map::HeaderMap,
    hint, origin,
    parse::{Mistake, RawResult, Scalar},
    violation::{Check, Violation, Warnings},
};
use crate::{
    event::shown_ip,
    headers::{HeaderLine, text_of, wire_size},
};

/// A path and query together stay below this many characters (LE-231).
const URL_CHARACTERS: usize = 8192;

pub(super) fn check(
    input: &Input<'_>,
    raw: RawResult<'_>,
    warnings: &mut Warnings,
) -> Result<RequestResult, Violation> {
    let event = input.event_type;
    let request = &input.request;

    let uri = required(&raw)?;
    check_unchanged(Check::Method, "method", raw.method.as_ref(), request.method)?;
    if let Some(ip) = &raw.client_ip {
        let shown = shown_ip(request.client_ip).to_string();
        check_unchanged(Check::ClientIp, "clientIp", Some(ip), &shown)?;
    }

    let old_uri = text_of(request.uri);
    let new_uri = (uri != old_uri).then_some(uri);
    let new_uri = new_uri.map(|u| check_uri(u, warnings)).transpose()?;
    let old_query = text_of(request.querystring);
    let query = match &raw.querystring {
        None => "",
        Some(Scalar::Text(q)) => q,
        Some(other) => {
            return Err(query_violation("must be a string").with_value(other.shown()));
        }
    };
    let new_query = (query != old_query).then_some(query);
    if let Some(q) = new_query {
        check_query(q)?;
    }
    check_length(new_uri.as_deref().unwrap_or(&old_uri), query)?;
    let new_query = new_query.map(str::to_owned);

    let headers = HeaderMap::new(event, request.headers, raw.headers);
    headers.check_shape()?;
    headers.check_chars(input.strict_header_keys)?;
    headers.check_denied()?;
    headers.check_read_only()?;
    if event == EventType::OriginRequest {
        headers.check_host()?;
    } else {
        headers.check_country()?;
    }
    let origin = origin::check(input, raw.origin, &headers)?;
    let body = body::request_body(event, request.method, raw.body, input.body_limits)?;

    let (headers, headers_changed) = headers.finish(warnings)?;
    if headers_changed || new_uri.is_some() || new_query.is_some() {
        let old = size(
            request.method,
            request.uri,
            request.querystring,
            request.headers,
        );
        let new = size(
            request.method,
            new_uri.as_ref().map_or(request.uri, |u| u.as_bytes()),
            new_query
                .as_ref()
                .map_or(request.querystring, |q| q.as_bytes()),
            &headers,
        );
        // A request that was too large before is not the function's doing.
        if new > input.max_request_bytes && new > old {
            return Err(size_violation(format!(
                "the request line and headers may have {} bytes",
                input.max_request_bytes
            ))
            .with_value(new.to_string()));
        }
    }
    Ok(RequestResult {
        uri: new_uri,
        querystring: new_query,
        headers,
        headers_changed,
        origin,
        body,
    })
}

/// `uri` and `headers` cannot be defaulted safely (LE-138). Gives the uri.
fn required<'r>(raw: &'r RawResult<'_>) -> Result<&'r str, Violation> {
    let refuse = |field: &str, what: String| {
        let rule = if raw.mistake == Some(Mistake::Event) {
            "LE-139"
        } else {
            "LE-138"
        };
        Err(Violation::new(
            Check::Kind,
            rule,
            field,
            format!(
                "{what}: a result without `status` is a request and needs `uri` (a string) and `headers` (an object){}",
                hint(raw.mistake)
            ),
        ))
    };
    let uri = match &raw.uri {
        Some(Scalar::Text(uri)) => uri,
        None => return refuse("uri", "missing".to_owned()),
        Some(other) => return refuse("uri", format!("is {}", other.shown())),
    };
    match &raw.headers {
        Some(Ok(_)) => Ok(uri),
        None => refuse("headers", "missing".to_owned()),
        Some(Err(kind)) => refuse("headers", format!("is {kind}")),
    }
}

/// `method` and `clientIp` are read-only (LE-237).
fn check_unchanged(
    check: Check,
    field: &str,
    given: Option<&Scalar<'_>>,
    shown: &str,
) -> Result<(), Violation> {
    match given {
        None => Ok(()),
        Some(Scalar::Text(text)) if text == shown => Ok(()),
        Some(other) => Err(Violation::new(
            check,
            "LE-237",
            field,
            format!("read-only: it must stay `{shown}`"),
        )
        .with_value(other.shown())),
    }
}

/// Spaces, control characters and `#` can stand in neither part of a URL (LE-232, LE-233).
fn illegal(text: &str) -> Option<u8> {
    text.bytes().find(|&b| b <= b' ' || b == 0x7f || b == b'#')
}

/// A changed path (LE-230, LE-233).
pub(crate) fn check_uri(uri: &str, warnings: &mut Warnings) -> Result<String, Violation> {
    if !uri.starts_with('/') {
        return Err(
            Violation::new(Check::Uri, "LE-230", "uri", "must start with `/`").with_value(uri),
        );
    }
    if let Some(b) = illegal(uri) {
        return Err(Violation::new(
            Check::Uri,
            "LE-233",
            "uri",
            "may not contain spaces, control characters or `#`",
        )
        .with_char(b));
    }
    if uri.contains('?') {
        warnings.push("LE-233", || {
            "`?` in `uri` was sent as `%3F`; the query belongs in `querystring`".to_owned()
        });
        return Ok(uri.replace('?', "%3F"));
    }
    Ok(uri.to_owned())
}

/// A changed query (LE-232).
pub(crate) fn check_query(query: &str) -> Result<(), Violation> {
    illegal(query).map_or(Ok(()), |b| {
        Err(query_violation("may not contain spaces, control characters or `#`").with_char(b))
    })
}

fn query_violation(message: &str) -> Violation {
    Violation::new(Check::QueryString, "LE-232", "querystring", message)
}

pub(crate) fn check_length(uri: &str, query: &str) -> Result<(), Violation> {
    // Bytes bound characters from above, and counting them is not free.
    if uri.len() + query.len() < URL_CHARACTERS {
        return Ok(());
    }
    let length = uri.chars().count() + query.chars().count();
    if length < URL_CHARACTERS {
        return Ok(());
    }
    Err(Violation::new(
        Check::UrlLength,
        "LE-231",
        "uri",
        format!(
            "`uri` and `querystring` must be shorter than {URL_CHARACTERS} characters together"
        ),
    )
    .with_value(length.to_string()))
}

/// Bytes of the request line and the headers as HTTP/1.1 writes them.
pub(crate) fn size(method: &str, uri: &[u8], query: &[u8], headers: &[HeaderLine]) -> usize {
    let mark = usize::from(!query.is_empty());
    method.len() + 1 + uri.len() + mark + query.len() + " HTTP/1.1\r\n".len() + wire_size(headers)
}

pub(crate) fn size_violation(message: String) -> Violation {
    Violation::new(Check::RequestSize, "LE-225", "", message)
}
