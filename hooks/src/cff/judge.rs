//! What a CloudFront Function may answer (LE section 8.2). Pure; the first check that fails decides.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use fourfront_model::EventType;
use http::{HeaderName, HeaderValue, header};

use super::{
    Input, Judged,
    event::{header_fields, is_shown, query_fields, request_cookies, response_cookies, segments},
    fields::{Change, Fate, Field, Fields, Value},
    origin,
    tree::Node,
};
use crate::{
    headers::{HeaderLine, HeaderLines, canonical_key, is_disallowed, read_only_rule, text_of},
    validate::{
        Check, HookResult, MAX_HEADER_LINES, RequestResult, ResponseResult, Violation, Warnings,
        header_map::control, request,
    },
};

/// Bytes of custom log data, URL-encoded (LE-483).
const MAX_LOG_DATA: usize = 800;

/// Judges what the engine handed out of a run: the result, and what was noted beside it.
pub(super) fn judge(input: &Input<'_>, output: &[u8]) -> Result<Judged, Violation> {
    let output: Node = serde_json::from_slice(output)
        .map_err(|e| Violation::new(Check::Json, "LE-417", "", format!("not JSON: {e}")))?;
    let event = input.event_type;
    let result = output.get("result").unwrap_or(&Node::Null);
    let mut warnings = Warnings::default();
    // LE-417
    let judged = if result.get("statusCode").is_some() {
        HookResult::Response(response(input, result)?)
    } else if event.is_request() && result.get("uri").is_some() {
        HookResult::Request(request(input, result, &mut warnings)?)
    } else {
        return Err(wrong_kind(event, result));
    };
    let origin = match (&judged, output.get("origin")) {
        (HookResult::Request(_), Some(note)) => Some(origin::check(input, note)?),
        _ => None,
    };
    Ok(Judged {
        result: judged,
        origin,
        log_data: output.get("data").and_then(Node::text).map(log_data),
        warnings: warnings.into_vec(),
    })
}

/// LE-415, LE-416, LE-417.
fn wrong_kind(event: EventType, result: &Node) -> Violation {
    let hint = if result.get("status").is_some() {
        "; a response has `statusCode`, not `status`"
    } else if result.get("request").is_some() {
        "; this looks like the event itself: return `event.request` or `event.response`"
    } else {
        ""
    };
    let message = if event.is_request() {
        format!(
            "must be a request, which has a `uri`, or a response, which has a `statusCode`{hint}"
        )
    } else {
        format!("must be a response, which has a `statusCode`{hint}")
    };
    let check = match result {
        Node::Map(_) => Check::Kind,
        _ => Check::Type,
    };
    Violation::new(check, "LE-417", "", message).with_value(result.shown())
}

fn request(
    input: &Input<'_>,
    result: &Node,
    warnings: &mut Warnings,
) -> Result<RequestResult, Violation> {
    let shown = &input.request;
    // LE-403
    if let Some(method) = result.get("method")
        && method.text() != Some(shown.method)
    {
        let message = format!("read-only: it must stay `{}`", shown.method);
        return Err(
            Violation::new(Check::Method, "LE-403", "method", message).with_value(method.shown())
        );
    }
    // LE-427
    let uri = result
        .get("uri")
        .and_then(Node::text)
        .ok_or_else(|| Violation::new(Check::Uri, "LE-427", "uri", "must be a string"))?;
    let old_uri = text_of(shown.uri);
    let new_uri = (uri != old_uri)
        .then(|| request::check_uri(uri, warnings))
        .transpose()?;
    let querystring = query(shown.querystring, result.get("querystring"))?;
    if let Some(query) = &querystring {
        request::check_query(query)?;
    }
    let old_query = text_of(shown.querystring);
    request::check_length(
        new_uri.as_deref().unwrap_or(&old_uri),
        querystring.as_deref().unwrap_or(&old_query),
    )?;

    let (headers, headers_changed) = lines(input, result, &header::COOKIE, shown.headers)?;
    if headers_changed || new_uri.is_some() || querystring.is_some() {
        let size = |uri: &[u8], query: &[u8], headers: &[HeaderLine]| {
            request::size(shown.method, uri, query, headers)
        };
        let old = size(shown.uri, shown.querystring, shown.headers);
        let new = size(
            new_uri.as_ref().map_or(shown.uri, |u| u.as_bytes()),
            querystring
                .as_ref()
                .map_or(shown.querystring, |q| q.as_bytes()),
            &headers,
        );
        if new > input.max_request_bytes && new > old {
            let most = input.max_request_bytes;
            return Err(request::size_violation(format!(
                "the request line and headers may have {most} bytes"
            ))
            .with_value(new.to_string()));
        }
    }
    Ok(RequestResult {
        uri: new_uri,
        querystring,
        headers,
        headers_changed,
        origin: None,
        body: None,
    })
}

/// The query as the function left it; `None` when it is as it was. A text is taken as it is (LE-420).
fn query(raw: &[u8], node: Option<&Node>) -> Result<Option<String>, Violation> {
    let old = text_of(raw);
    if let Some(Node::Text(text)) = node {
        return Ok((*text != old).then(|| text.clone()));
    }
    let shown = query_fields(raw);
    let change = Change::read(node, &shown, "querystring")?;
    if change.is_none() {
        return Ok(None);
    }
    let mut out = String::with_capacity(raw.len() + 32);
    let mut put = |text: &str| {
        if !out.is_empty() {
            out.push('&');
        }
        out.push_str(text);
    };
    let pair = |name: &str, value: &Value| format!("{name}={}", value.value);
    walk(&change, &shown, segments(&old), |part| match part {
        Part::Kept(segment) => put(segment),
        Part::New(name, values) => values.iter().for_each(|v| put(&pair(name, v))),
    });
    Ok(Some(out))
}

/// A piece of what is written after a change.
enum Part<'p, T> {
    /// An occurrence that was left alone.
    Kept(T),
    /// A name with new values.
    New(&'p str, &'p [Value]),
}

/// Goes through the occurrences in their order; new values stand where the name stood first, new names at the end.
fn walk<'p, T>(
    change: &'p Change,
    shown: &'p Fields,
    occurrences: impl Iterator<Item = T>,
    mut each: impl FnMut(Part<'p, T>),
) {
    let mut written = vec![false; change.fates.len()];
    for (occurrence, &of) in occurrences.zip(&shown.of) {
        match &change.fates[of] {
            Fate::Keep => each(Part::Kept(occurrence)),
            Fate::Replace(values) if !std::mem::replace(&mut written[of], true) => {
                each(Part::New(&shown.list[of].name, values));
            }
            Fate::Replace(_) | Fate::Remove => {}
        }
    }
    for Field { name, values } in &change.added {
        each(Part::New(name, values));
    }
}

/// The header lines after a change of `headers` and `cookies`, and whether they differ.
fn lines(
    input: &Input<'_>,
    result: &Node,
    cookie: &HeaderName,
    lines: &[HeaderLine],
) -> Result<(HeaderLines, bool), Violation> {
    let generated = lines.is_empty();
    let shown = header_fields(lines, cookie);
    let mut change = Change::read(result.get("headers"), &shown, "headers")?;
    check_headers(input, &shown, &mut change, cookie, generated)?;
    let (cookies, to_lines): (Fields, CookieLines) = if *cookie == header::COOKIE {
        (request_cookies(lines), |name, values| {
            values
                .iter()
                .map(|v| format!("{name}={}", v.value))
                .collect()
        })
    } else {
        (response_cookies(lines), set_cookies)
    };
    let cookie_change = Change::read(result.get("cookies"), &cookies, "cookies")?;
    if change.is_none() && cookie_change.is_none() {
        return Ok((lines.to_vec(), false));
    }

    let mut out = HeaderLines::with_capacity(lines.len() + change.added.len());
    let hidden = |line: &&HeaderLine| !is_shown(line, cookie) && line.name != *cookie;
    out.extend(lines.iter().filter(hidden).cloned());
    let kept = lines.iter().filter(|l| is_shown(l, cookie));
    let mut failed = None;
    walk(&change, &shown, kept, |part| match part {
        Part::Kept(line) => out.push(line.clone()),
        Part::New(name, values) => {
            for value in values {
                match line(name, &value.value, &format!("headers.{name}")) {
                    Ok(line) => out.push(line),
                    Err(e) => failed = Some(e),
                }
            }
        }
    });
    if cookie_change.is_none() {
        out.extend(lines.iter().filter(|l| l.name == *cookie).cloned());
    } else {
        let mut texts: Vec<String> = Vec::new();
        let old = cookies
            .of
            .iter()
            .scan(vec![0; cookies.list.len()], |next, &of| {
                let field = &cookies.list[of];
                next[of] += 1;
                field
                    .values
                    .get(next[of] - 1)
                    .map(|value| (&field.name, value))
            });
        walk(&cookie_change, &cookies, old, |part| match part {
            Part::Kept((name, value)) => texts.extend(to_lines(name, std::slice::from_ref(value))),
            Part::New(name, values) => texts.extend(to_lines(name, values)),
        });
        if *cookie == header::COOKIE && !texts.is_empty() {
            texts = vec![texts.join("; ")];
        }
        for text in texts {
            out.push(line(cookie.as_str(), &text, "cookies")?);
        }
    }
    if let Some(failed) = failed {
        return Err(failed);
    }
    if out.len() > MAX_HEADER_LINES {
        let message = format!("there may be {MAX_HEADER_LINES} header lines");
        return Err(Violation::new(
            Check::RequestSize,
            "LE-426",
            "headers",
            message,
        ));
    }
    Ok((out, true))
}

/// How the values of a cookie are written.
type CookieLines = fn(&str, &[Value]) -> Vec<String>;

/// LE-409.
fn set_cookies(name: &str, values: &[Value]) -> Vec<String> {
    let one = |v: &Value| match &v.attributes {
        Some(attributes) if !attributes.is_empty() => format!("{name}={}; {attributes}", v.value),
        _ => format!("{name}={}", v.value),
    };
    values.iter().map(one).collect()
}

/// A line whose name is capitalised on the wire (LE-419).
fn line(name: &str, value: &str, field: &str) -> Result<HeaderLine, Violation> {
    if let Some(b) = control(value) {
        let message = "the value holds a control character";
        return Err(Violation::new(Check::HeaderChar, "LE-426", field, message).with_char(b));
    }
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
        Violation::new(
            Check::HeaderName,
            "LE-419",
            "headers",
            "a header name must be a token of letters, digits and -_.!#$%&'*+^`|~",
        )
        .with_value(name)
    })?;
    let value = HeaderValue::from_bytes(value.as_bytes())
        .map_err(|_| Violation::new(Check::HeaderChar, "LE-426", field, "is not a header value"))?;
    Ok(HeaderLine {
        key: Bytes::from(canonical_key(name.as_str())),
        name,
        value,
    })
}

/// Names a function may not set or change (LE-419, LE-426).
fn check_headers(
    input: &Input<'_>,
    shown: &Fields,
    change: &mut Change,
    cookie: &HeaderName,
    generated: bool,
) -> Result<(), Violation> {
    let event = input.event_type;
    for Field { name, .. } in &change.added {
        let refuse = |check, rule, message: &str| {
            Err(Violation::new(
                check,
                rule,
                format!("headers.{name}"),
                message,
            ))
        };
        if name.bytes().any(|b| b.is_ascii_uppercase()) {
            return refuse(
                Check::HeaderName,
                "LE-419",
                "header names must be lower case",
            );
        }
        if name == cookie.as_str() {
            let message = "is not among the headers: use `cookies`";
            return refuse(Check::HeaderDenied, "LE-406", message);
        }
        if is_disallowed(name) {
            let message = "functions may not set this header";
            return refuse(Check::HeaderDenied, "LE-208", message);
        }
        if let Some(rule) = read_only(event, name) {
            let message = format!("read-only at {event}: it may not be added");
            return refuse(Check::HeaderReadOnly, rule, &message);
        }
    }
    if generated {
        return Ok(());
    }
    for (field, fate) in shown.list.iter().zip(&mut change.fates) {
        if *fate == Fate::Keep {
            continue;
        }
        if let Some(rule) = read_only(event, &field.name) {
            let message = format!("read-only at {event}: it may not be changed or removed");
            let at = format!("headers.{}", field.name);
            return Err(Violation::new(Check::HeaderReadOnly, rule, at, message));
        }
        if is_framing(&field.name) && !event.is_request() {
            // Not read-only for this kind of function, but the node's own (LE-423).
            *fate = Fate::Keep;
        }
    }
    if !event.is_request() {
        change.added.retain(|f| !is_framing(&f.name));
    }
    Ok(())
}

fn is_framing(name: &str) -> bool {
    matches!(name, "content-length" | "transfer-encoding")
}

/// Table 4.3: at viewer-response `Via` and `Warning` alone (LE-216, LE-220, LE-426).
fn read_only(event: EventType, name: &str) -> Option<&'static str> {
    if event.is_request() {
        return read_only_rule(event, name);
    }
    match name {
        "via" => Some("LE-216"),
        "warning" => Some("LE-220"),
        _ => None,
    }
}

fn response(input: &Input<'_>, result: &Node) -> Result<ResponseResult, Violation> {
    let event = input.event_type;
    // A generated response is made from nothing.
    let shown = input.response.filter(|_| !event.is_request());
    // LE-421
    let given = result.get("statusCode").unwrap_or(&Node::Null);
    let status = given
        .integer()
        .and_then(|s| u16::try_from(s).ok())
        .filter(|s| (200..=599).contains(s) || shown.is_some_and(|r| r.status == *s))
        .ok_or_else(|| {
            Violation::new(
                Check::Status,
                "LE-421",
                "statusCode",
                "must be an integer from 200 to 599",
            )
            .with_value(given.shown())
        })?;
    let description = description(result.get("statusDescription"))?;
    // A phrase that was left alone belongs to the status that was shown.
    let description = description
        .filter(|d| shown.is_none_or(|r| r.status == status || r.status_description != *d));
    let old: &[HeaderLine] = shown.map_or(&[], |r| r.headers);
    let (headers, headers_changed) = lines(input, result, &header::SET_COOKIE, old)?;
    let body = body(result.get("body"))?;
    if let Some(body) = &body
        && body.len() > input.body_limits.at(event)
    {
        let message = format!("may have {} bytes", input.body_limits.at(event));
        return Err(
            Violation::new(Check::ResponseSize, "LE-428", "body", message)
                .with_value(body.len().to_string()),
        );
    }
    Ok(ResponseResult {
        status,
        status_description: description,
        headers,
        headers_changed: headers_changed || shown.is_none(),
        body,
    })
}

fn description(given: Option<&Node>) -> Result<Option<String>, Violation> {
    let refuse =
        |message: &str| Violation::new(Check::Status, "LE-408", "statusDescription", message);
    match given {
        None => Ok(None),
        Some(Node::Text(text)) => match control(text) {
            None => Ok(Some(text.clone())),
            Some(b) => Err(refuse("may not contain control characters").with_char(b)),
        },
        Some(other) => Err(refuse("must be a string").with_value(other.shown())),
    }
}

/// LE-422: an empty body removes the one there is, an absent one keeps it.
fn body(given: Option<&Node>) -> Result<Option<Vec<u8>>, Violation> {
    let refuse =
        |check, field: &str, message: &str| Violation::new(check, "LE-422", field, message);
    let (data, encoding) = match given {
        None => return Ok(None),
        Some(Node::Text(text)) => return Ok(Some(text.clone().into_bytes())),
        Some(object @ Node::Map(_)) => (object.get("data"), object.get("encoding")),
        Some(other) => {
            let message = "must be a string or `{encoding, data}`";
            return Err(refuse(Check::BodyType, "body", message).with_value(other.shown()));
        }
    };
    let data = match data {
        None => "",
        Some(Node::Text(text)) => text,
        Some(other) => {
            return Err(
                refuse(Check::BodyType, "body.data", "must be a string").with_value(other.shown())
            );
        }
    };
    match encoding {
        None => Ok(Some(data.as_bytes().to_vec())),
        Some(Node::Text(encoding)) if encoding == "text" => Ok(Some(data.as_bytes().to_vec())),
        Some(Node::Text(encoding)) if encoding == "base64" => STANDARD
            .decode(data)
            .map(Some)
            .map_err(|_| refuse(Check::BodyBase64, "body.data", "is not base64")),
        Some(other) => Err(refuse(
            Check::BodyEncoding,
            "body.encoding",
            "must be `text` or `base64`",
        )
        .with_value(other.shown())),
    }
}

/// LE-483: URL-encoded, cut at 800 bytes and never within an escape.
fn log_data(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        let piece = if plain {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        };
        if out.len() + piece.len() > MAX_LOG_DATA {
            break;
        }
        out.push_str(&piece);
    }
    out
}
