//! An event from a file, read back into what it would have been built from: a result is judged by what the
//! function was shown.

use std::{net::IpAddr, time::Duration};

use bytes::Bytes;
use fourfront_hooks::{
    event::{OriginObject, RequestView, ResponseView},
    validate::Input,
};
use fourfront_model::{
    CustomOrigin, EventType, HeaderLine, HeaderLines, Origin, OriginKind, OriginProtocol,
    S3AuthMethod, S3Origin,
};
use http::{HeaderName, HeaderValue};
use serde_json::Value;

use super::Rules;

/// An event read back into what it would have been built from.
pub(super) struct Shown {
    pub(super) event_type: EventType,
    pub(super) request_id: String,
    pub(super) distribution: Option<String>,
    client_ip: IpAddr,
    method: String,
    uri: String,
    querystring: String,
    headers: HeaderLines,
    origin: Option<OriginObject>,
    response: Option<(u16, String, HeaderLines)>,
}

impl Shown {
    pub(super) fn parse(event: &Value) -> Result<Self, String> {
        let cf = event
            .pointer("/Records/0/cf")
            .ok_or("no `Records[0].cf`: not a CloudFront event (LE-060)")?;
        let text = |pointer: &str| cf.pointer(pointer).and_then(Value::as_str);
        let needed = |pointer: &str| {
            text(pointer).ok_or_else(|| format!("`cf{pointer}` is missing or not a string"))
        };
        let event_type: EventType = needed("/config/eventType")?
            .parse()
            .map_err(|e: fourfront_model::UnknownEventType| e.to_string())?;
        let response = match cf.pointer("/response") {
            Some(response) => {
                let status = needed("/response/status")?;
                let status = status
                    .parse()
                    .map_err(|_| format!("`cf/response/status` is not a status: {status}"))?;
                let description = text("/response/statusDescription")
                    .unwrap_or_default()
                    .to_owned();
                Some((status, description, headers(response.get("headers"))?))
            }
            None => None,
        };
        let client_ip = needed("/request/clientIp")?;
        Ok(Self {
            event_type,
            request_id: text("/config/requestId").unwrap_or("test").to_owned(),
            distribution: text("/config/distributionId").map(str::to_owned),
            client_ip: client_ip
                .parse()
                .map_err(|_| format!("`cf/request/clientIp` is not an address: {client_ip}"))?,
            method: needed("/request/method")?.to_owned(),
            uri: needed("/request/uri")?.to_owned(),
            querystring: text("/request/querystring").unwrap_or_default().to_owned(),
            headers: headers(cf.pointer("/request/headers"))?,
            origin: cf.pointer("/request/origin").map(origin).transpose()?,
            response,
        })
    }

    pub(super) fn input<'a>(&'a self, rules: &'a Rules) -> Input<'a> {
        let request = RequestView {
            client_ip: self.client_ip,
            method: &self.method,
            uri: self.uri.as_bytes(),
            querystring: self.querystring.as_bytes(),
            headers: &self.headers,
            body: None,
            origin: self.origin.as_ref(),
        };
        Input {
            compat: rules.compat,
            strict_header_keys: rules.strict_header_keys,
            known_origins: &rules.known_origins,
            max_request_bytes: rules.max_request_bytes,
            body_limits: rules.body_limits,
            response: self
                .response
                .as_ref()
                .map(|(status, description, headers)| ResponseView {
                    status: *status,
                    status_description: description,
                    headers,
                }),
            configured_origin: self.origin.as_ref(),
            ..Input::new(self.event_type, request)
        }
    }
}

/// The origin of an event, with defaults for what it leaves out (LE-100..113).
fn origin(object: &Value) -> Result<OriginObject, String> {
    let (kind, fields) = match (object.get("custom"), object.get("s3")) {
        (Some(custom), None) => ("custom", custom),
        (None, Some(s3)) => ("s3", s3),
        _ => {
            return Err(
                "`cf/request/origin` must have exactly one of `custom` and `s3` (LE-100)"
                    .to_owned(),
            );
        }
    };
    let text = |name: &str| {
        fields
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let seconds = |name: &str| {
        fields
            .get(name)
            .and_then(Value::as_u64)
            .map(Duration::from_secs)
    };
    let kind = if kind == "custom" {
        let protocol = if text("protocol") == "http" {
            OriginProtocol::Http
        } else {
            OriginProtocol::Https
        };
        let port = fields
            .get("port")
            .and_then(Value::as_u64)
            .and_then(|p| u16::try_from(p).ok());
        let mut custom =
            CustomOrigin::new(protocol, port.unwrap_or_else(|| protocol.default_port()));
        if let Some(keepalive) = seconds("keepaliveTimeout") {
            custom.keepalive_timeout = keepalive;
        }
        OriginKind::Custom(custom)
    } else {
        let auth_method = match text("authMethod").as_str() {
            "origin-access-identity" => S3AuthMethod::OriginAccessIdentity,
            _ => S3AuthMethod::None,
        };
        OriginKind::S3(S3Origin {
            auth_method,
            region: text("region"),
        })
    };
    let mut origin = Origin::new("event", text("domainName"), kind);
    origin.origin_path = text("path");
    if let Some(timeout) = seconds("readTimeout") {
        origin.read_timeout = timeout;
    }
    for line in headers(fields.get("customHeaders"))? {
        let value = String::from_utf8_lossy(line.value.as_bytes()).into_owned();
        origin
            .custom_headers
            .push((String::from_utf8_lossy(&line.key).into_owned(), value));
    }
    Ok(OriginObject::from(&origin))
}

/// Header lines from an event's header map (LE-196).
fn headers(map: Option<&Value>) -> Result<HeaderLines, String> {
    let mut lines = HeaderLines::new();
    let Some(Value::Object(map)) = map else {
        return Ok(lines);
    };
    for (name, values) in map {
        let bad = || format!("header `{name}` is not an array of {{key, value}} (LE-196)");
        for entry in values.as_array().ok_or_else(bad)? {
            let value = entry.get("value").and_then(Value::as_str).ok_or_else(bad)?;
            let key = entry.get("key").and_then(Value::as_str).unwrap_or(name);
            lines.push(HeaderLine {
                name: HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?,
                key: Bytes::copy_from_slice(key.as_bytes()),
                value: HeaderValue::from_str(value).map_err(|_| bad())?,
            });
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_read_back() {
        // LE-060, LE-196
        let event = json!({"Records": [{"cf": {
            "config": {"eventType": "viewer-response", "requestId": "r"},
            "request": {"clientIp": "::1", "method": "GET", "uri": "/a", "querystring": "x=1",
                "headers": {"host": [{"key": "Host", "value": "a.test"}]}},
            "response": {"status": "200", "statusDescription": "OK", "headers": {}}
        }}]});
        let shown = Shown::parse(&event).unwrap();
        assert_eq!(shown.event_type, EventType::ViewerResponse);
        assert_eq!(shown.headers.len(), 1);
        assert_eq!(shown.response.map(|r| r.0), Some(200));
        assert!(Shown::parse(&json!({"Records": []})).is_err_and(|e| e.contains("LE-060")));
    }
}
