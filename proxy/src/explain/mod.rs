//! What the node would do with a request, and why (CP-606): `POST explain` of the admin API. Nothing is sent to an origin, no
//! function runs, and the cache is looked at without being used.

mod document;

use std::{
    net::{IpAddr, SocketAddr},
    time::SystemTime,
};

use fourfront_model::Share;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header};
use serde_json::{Map, Value};

use crate::{
    flow::{Exchange, ViewerFacts, ViewerFault, admit, is_reserved, staging},
    node::{Node, Snapshot},
    pingora::{Question, explain, usable_host},
    purge::{Problem, PurgeAnswer, only, text},
};

/// Answers `POST explain` with this body, at the time `now`: 200 and the explanation, or a problem document (CP-621).
pub async fn answer(node: &Node, body: &[u8], now: SystemTime) -> PurgeAnswer {
    match told(node, body, now).await {
        Ok(body) => PurgeAnswer {
            status: StatusCode::OK,
            body,
            location: None,
        },
        Err(problem) => problem.answer(),
    }
}

async fn told(node: &Node, body: &[u8], now: SystemTime) -> Result<Value, Problem> {
    let mut asked = Asked::read(body)?;
    let snapshot = node.snapshot();
    asked.find_host(&snapshot)?;
    let facts = ViewerFacts {
        method: &asked.method,
        target: asked.target.as_bytes(),
        host: usable_host(&asked.host),
        version: Version::HTTP_11,
        headers: &asked.headers,
        raw_head: &[],
        head_bytes: 0,
        peer: SocketAddr::new(asked.viewer, 0),
        is_https: asked.is_https,
        tls: None,
        has_body: false,
        https_port: node.https_port(),
        limits: &snapshot.settings().limits,
        now,
        // What most requests come to: nothing is drawn for one that is only asked about.
        draw: || Share::WHOLE - 1,
    };
    match admit(&snapshot, &facts) {
        Ok(state) => {
            let dropped = asked.drop_reserved();
            asked.hide_session(&state.exchange);
            let question = Question {
                method: &asked.method,
                target: asked.target.as_bytes(),
                headers: &asked.headers,
            };
            let exchange = state.exchange.clone();
            let explained = explain(node, state, question, now).await;
            Ok(document::of(
                node, &asked, &exchange, &explained, &dropped, now,
            ))
        }
        Err(refusal) => {
            let (fault, exchange) = *refusal;
            Ok(document::of_refused(
                node,
                &asked,
                exchange.as_ref(),
                &fault,
                now,
            ))
        }
    }
}

/// The request that is asked about.
#[derive(Debug)]
struct Asked {
    method: Method,
    /// Whether the URL begins with `https`.
    is_https: bool,
    /// As the request would have it; empty until it is known.
    host: String,
    /// Path and query.
    target: String,
    /// With `Host`.
    headers: HeaderMap,
    /// Who asks: what is known of a viewer's address may be in the key (CF-174).
    viewer: IpAddr,
}

impl Asked {
    /// Reads `{"url": "http://host/path", "method": "GET", "headers": {"Name": "value" or ["values"]}, "viewer": "192.0.2.1"}`. A
    /// URL that is only a path is for the one distribution there is; a viewer that is not told is on this machine.
    fn read(body: &[u8]) -> Result<Self, Problem> {
        let fields: Map<String, Value> = serde_json::from_slice(body).map_err(|e| {
            let detail = format!("not a JSON object: {e}");
            Problem::new(StatusCode::BAD_REQUEST, "MalformedInput", detail)
        })?;
        let mut method = Method::GET;
        let mut url = None;
        let mut headers = HeaderMap::new();
        let mut viewer = IpAddr::from([127, 0, 0, 1]);
        for (name, value) in &fields {
            match name.as_str() {
                "url" => url = Some(text(name, value)?),
                "method" => {
                    let word = text(name, value)?;
                    method = Method::from_bytes(word.as_bytes())
                        .map_err(|_| Problem::invalid(name, format!("`{word}` is no method")))?;
                }
                "viewer" => {
                    let word = text(name, value)?;
                    viewer = word
                        .parse()
                        .map_err(|_| Problem::invalid(name, format!("`{word}` is no address")))?;
                }
                "headers" => {
                    let all = value
                        .as_object()
                        .ok_or_else(|| Problem::invalid(name, "an object of names and values"))?;
                    for (name, value) in all {
                        add_field(&mut headers, name, value)?;
                    }
                }
                _ => {
                    let detail = "an explanation has `url`, `method`, `headers` and `viewer`";
                    return Err(Problem::invalid(name, detail));
                }
            }
        }
        let url = url.ok_or_else(|| Problem::invalid("url", "say which URL"))?;
        let (host, target) = split_url(url)?;
        let mut asked = Self {
            method,
            is_https: url
                .get(..6)
                .is_some_and(|start| start.eq_ignore_ascii_case("https:")),
            host: host.to_owned(),
            target,
            headers,
            viewer,
        };
        asked.take_host()?;
        Ok(asked)
    }

    /// A `Host` field says more than the URL, as with any client.
    fn take_host(&mut self) -> Result<(), Problem> {
        let mut lines = self.headers.get_all(header::HOST).iter();
        match (lines.next(), lines.next()) {
            (None, _) => Ok(()),
            (Some(host), None) => {
                self.host = host.to_str().unwrap_or_default().to_owned();
                Ok(())
            }
            (Some(_), Some(_)) => Err(Problem::invalid("headers.host", "at most one value")),
        }
    }

    /// Where only a path is given, the host is that of the only distribution.
    fn find_host(&mut self, snapshot: &Snapshot) -> Result<(), Problem> {
        if self.host.is_empty() {
            // Nobody reaches one that is tried out by a host (CF-451).
            let all = snapshot.site().distributions().iter();
            let reached: Vec<_> = all.filter(|d| !d.is_staging()).cloned().collect();
            let distribution = only(&reached).map_err(|_| {
                Problem::invalid("url", "give the host: there are several distributions")
            })?;
            self.host.clone_from(&distribution.domain_name);
        }
        let value = HeaderValue::from_str(&self.host)
            .map_err(|_| Problem::invalid("url", "the host cannot be a `Host` field"))?;
        self.headers.insert(header::HOST, value);
        Ok(())
    }

    /// Takes away the cookie that keeps a viewer's requests together (CF-195).
    fn hide_session(&mut self, exchange: &Exchange) {
        let staged = exchange.staged.as_ref();
        if !staged.is_some_and(|staged| staged.hides_cookie(&self.headers)) {
            return;
        }
        let kept = staging::without_session(&self.headers).unwrap_or_default();
        self.headers.remove(header::COOKIE);
        for value in kept {
            self.headers.append(header::COOKIE, value);
        }
    }

    /// Takes away what viewers may not send (CF-358), and says what.
    fn drop_reserved(&mut self) -> Vec<String> {
        let names = self.headers.keys();
        let reserved: Vec<HeaderName> = names
            .filter(|name| is_reserved(name.as_str()))
            .cloned()
            .collect();
        for name in &reserved {
            self.headers.remove(name);
        }
        reserved.iter().map(ToString::to_string).collect()
    }
}

fn add_field(headers: &mut HeaderMap, name: &str, value: &Value) -> Result<(), Problem> {
    let field = format!("headers.{}", name.to_ascii_lowercase());
    let key = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| Problem::invalid(&field, format!("`{name}` is no name of a field")))?;
    let values = match value {
        Value::Array(values) => values.as_slice(),
        one => std::slice::from_ref(one),
    };
    for value in values {
        let value = text(&field, value)?;
        let value = HeaderValue::from_str(value)
            .map_err(|_| Problem::invalid(&field, format!("{value:?} is no value of a field")))?;
        let added = headers.try_append(key.clone(), value);
        added.map_err(|_| Problem::invalid("headers", "too many fields"))?;
    }
    Ok(())
}

/// Host, and path and query, of a URL; the host is empty for one that begins with its path.
fn split_url(url: &str) -> Result<(&str, String), Problem> {
    let invalid = |detail: String| Err(Problem::invalid("url", detail));
    if let Some(bad) = url.chars().find(|c| !c.is_ascii_graphic()) {
        return invalid(format!("{bad:?} has to be percent-encoded"));
    }
    if url.contains('#') {
        return invalid("a fragment is not part of a request".to_owned());
    }
    let rest = ["http://", "https://"].iter().find_map(|scheme| {
        let (start, rest) = url.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    });
    let (host, target) = match rest {
        None if url.starts_with('/') => ("", url),
        None => return invalid("begins with http://, https:// or /".to_owned()),
        Some(rest) => rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len())),
    };
    if host.contains('@') {
        return invalid("a user name is not part of a request".to_owned());
    }
    if rest.is_some()
        && host
            .parse::<Uri>()
            .ok()
            .and_then(|u| u.host().map(str::len))
            .unwrap_or(0)
            == 0
    {
        return invalid("has no host".to_owned());
    }
    // RFC 9110 section 4.2.3: an empty path is `/`.
    Ok(match target.starts_with('/') {
        true => (host, target.to_owned()),
        false => (host, format!("/{target}")),
    })
}

/// By which name a distribution answers for a host (CF-031..035).
fn matched_by(host: &str, exchange: &Exchange) -> String {
    let key = fourfront_model::HostName::lookup_key(host);
    let distribution = exchange.route.distribution();
    if key == distribution.domain_name.as_str() {
        return format!("domain name {key}");
    }
    let aliases = &distribution.aliases;
    let exact = aliases.iter().find(|a| a.as_str() == key);
    // Of several wildcards the longest counts (CF-033).
    let wildcard = || {
        let matching = aliases.iter().filter(|a| {
            a.is_wildcard()
                && a.as_str()
                    .strip_prefix('*')
                    .is_some_and(|s| key.ends_with(s))
        });
        matching.max_by_key(|a| a.as_str().len())
    };
    match exact.or_else(wildcard) {
        Some(alias) => format!("alias {}", alias.as_str()),
        None => "default: no name of a distribution is this host's".to_owned(),
    }
}

/// The status of a refusal and what it says.
fn refusal(fault: &ViewerFault) -> (u16, String) {
    (fault.status(), fault.to_string())
}

/// For documents.
fn pairs(headers: &HeaderMap) -> Value {
    let mut all: Map<String, Value> = Map::new();
    for name in headers.keys() {
        let lines: Vec<_> = headers
            .get_all(name)
            .iter()
            .map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned())
            .collect();
        all.insert(name.to_string(), lines.join(", ").into());
    }
    Value::Object(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Asked, (u16, String, String)> {
        Asked::read(body.as_bytes()).map_err(|problem| {
            let answer = problem.answer();
            let member = |name: &str| answer.body[name].as_str().unwrap_or("-").to_owned();
            (answer.status.as_u16(), member("code"), member("field"))
        })
    }

    #[test]
    fn a_request_is_read() {
        // CP-606
        for (url, host, target) in [
            ("http://a.test", "a.test", "/"),
            ("HTTPS://a.test:8443/x?y=1", "a.test:8443", "/x?y=1"),
            ("http://a.test?y", "a.test", "/?y"),
            ("http://[::1]:80/", "[::1]:80", "/"),
            ("/x?y=http://b.test/", "", "/x?y=http://b.test/"),
        ] {
            let asked = read(&serde_json::json!({ "url": url }).to_string()).unwrap();
            assert_eq!((asked.host.as_str(), asked.target.as_str()), (host, target));
            assert_eq!(asked.method, Method::GET);
        }
        let body = r#"{"url":"http://a.test/","method":"HEAD","headers":{"Host":"b.test","X-A":["1","2"],"X-Amz-Cf-Id":"x"}}"#;
        let mut asked = read(body).unwrap();
        assert_eq!(
            (asked.host.as_str(), asked.method.as_str()),
            ("b.test", "HEAD")
        );
        assert_eq!(asked.headers.get_all("x-a").iter().count(), 2);
        // CF-358
        assert_eq!(asked.drop_reserved(), ["x-amz-cf-id"]);
        assert!(!asked.headers.contains_key("x-amz-cf-id"));
    }

    #[test]
    fn what_is_wrong_with_a_request_is_named() {
        // CP-606, CP-621
        let invalid = |field: &str| (400, "InvalidArgument".to_owned(), field.to_owned());
        let malformed = (400, "MalformedInput".to_owned(), "-".to_owned());
        for (body, want) in [
            ("", malformed.clone()),
            ("[]", malformed),
            ("{}", invalid("url")),
            (r#"{"url":1}"#, invalid("url")),
            (r#"{"url":"a.test/"}"#, invalid("url")),
            (r#"{"url":"ftp://a.test/"}"#, invalid("url")),
            (r#"{"url":"http:///x"}"#, invalid("url")),
            (r#"{"url":"http://a@b.test/"}"#, invalid("url")),
            (r#"{"url":"http://"}"#, invalid("url")),
            (r#"{"url":"/a b"}"#, invalid("url")),
            (r##"{"url":"/a#b"}"##, invalid("url")),
            (r#"{"url":"/","method":"GE T"}"#, invalid("method")),
            (r#"{"url":"/","headers":["a"]}"#, invalid("headers")),
            (
                r#"{"url":"/","headers":{"a b":"1"}}"#,
                invalid("headers.a b"),
            ),
            (r#"{"url":"/","headers":{"A":1}}"#, invalid("headers.a")),
            (
                r#"{"url":"/","headers":{"A":"x\ny"}}"#,
                invalid("headers.a"),
            ),
            (
                r#"{"url":"/","headers":{"Host":["a","b"]}}"#,
                invalid("headers.host"),
            ),
            (r#"{"url":"/","fetch":true}"#, invalid("fetch")),
            (r#"{"url":"/","viewer":"here"}"#, invalid("viewer")),
        ] {
            assert_eq!(read(body).unwrap_err(), want, "{body}");
        }
    }
}
