//! The contract's rules as tables: each case edits what a function was shown and says what
//! happens to it.

mod body;
mod headers;
mod official;
mod origin;
mod properties;
mod request;
mod response;
mod robust;

use std::time::Duration;

use fourfront_model::{CustomOrigin, Origin, OriginKind, OriginProtocol, S3AuthMethod, S3Origin};
use serde_json::{Value, json};

use super::*;
use crate::{
    event::{BodyView, EventConfig, ResponseView, build},
    headers::HeaderLine,
};

/// Everything a call is made from, owned.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) event: EventType,
    pub(super) compat: Compat,
    pub(super) method: String,
    pub(super) uri: Vec<u8>,
    pub(super) query: Vec<u8>,
    pub(super) headers: HeaderLines,
    pub(super) body: Option<Vec<u8>>,
    pub(super) origin: Option<OriginObject>,
    pub(super) known: Vec<OriginObject>,
    pub(super) status: u16,
    pub(super) description: String,
    pub(super) response_headers: HeaderLines,
    pub(super) strict_keys: bool,
}

impl Call {
    /// A plain GET at `event`, with one header of every sort.
    pub(super) fn at(event: EventType) -> Self {
        let headers = match event {
            EventType::ViewerRequest | EventType::ViewerResponse => lines(&[
                ("Host", "shop.example.test"),
                ("Connection", "keep-alive"),
                ("Accept-Encoding", "gzip"),
                ("If-None-Match", "\"v1\""),
                ("Content-Length", "0"),
                ("Via", "1.1 proxy.test"),
                ("CDN-Loop", "other"),
                ("X-Probe", "one"),
                ("Cookie", "a=1"),
                ("X-Probe", "two"),
                ("Cookie", "b=2"),
            ]),
            EventType::OriginRequest | EventType::OriginResponse => lines(&[
                ("Host", "app.internal.test"),
                ("Via", "2.0 ff1.edge.test (Fourfront)"),
                ("X-Forwarded-For", "198.51.100.24"),
                ("Accept-Encoding", "br,gzip"),
                ("If-None-Match", "\"v1\""),
                ("X-Forwarded-Proto", "https"),
                ("CloudFront-Viewer-Country", "PT"),
            ]),
        };
        let response_headers = lines(&[
            ("Content-Type", "text/html"),
            ("Content-Encoding", "gzip"),
            ("Content-Length", "4211"),
            ("Transfer-Encoding", "chunked"),
            ("Connection", "close"),
            ("Via", "1.1 proxy.test"),
            ("Warning", "199 - old"),
            ("Set-Cookie", "a=1; Path=/"),
            ("Set-Cookie", "b=2; Path=/"),
            ("Date", "Tue, 03 Mar 2026 09:00:00 GMT"),
        ]);
        Self {
            event,
            compat: Compat::Strict,
            method: "GET".into(),
            uri: b"/a/b.html".to_vec(),
            query: b"x=1".to_vec(),
            headers,
            body: None,
            origin: (!event.is_viewer()).then(custom),
            known: vec![],
            status: 200,
            description: "OK".into(),
            response_headers,
            strict_keys: false,
        }
    }

    pub(super) fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }

    fn request(&self) -> RequestView<'_> {
        RequestView {
            client_ip: "198.51.100.24".parse().unwrap(),
            method: &self.method,
            uri: &self.uri,
            querystring: &self.query,
            headers: &self.headers,
            body: self.body.as_ref().map(|data| BodyView {
                data,
                truncated: false,
            }),
            origin: self.origin.as_ref(),
        }
    }

    fn response(&self) -> Option<ResponseView<'_>> {
        (!self.event.is_request()).then_some(ResponseView {
            status: self.status,
            status_description: &self.description,
            headers: &self.response_headers,
        })
    }

    /// What the function is given.
    pub(super) fn shown(&self) -> Value {
        let config = EventConfig {
            distribution_domain_name: "d.test",
            distribution_id: "FF1",
            event_type: self.event,
            request_id: "r",
        };
        let json = build(&config, &self.request(), self.response().as_ref());
        serde_json::from_slice(&json).unwrap()
    }

    /// What a function returns that changes nothing.
    pub(super) fn identity(&self) -> Value {
        let part = if self.event.is_request() {
            "request"
        } else {
            "response"
        };
        self.shown()["Records"][0]["cf"][part].take()
    }

    pub(super) fn run_raw(&self, json: &[u8]) -> Result<Outcome, Violation> {
        let input = Input {
            compat: self.compat,
            response: self.response(),
            configured_origin: self.origin.as_ref(),
            known_origins: &self.known,
            strict_header_keys: self.strict_keys,
            ..Input::new(self.event, self.request())
        };
        validate(&input, json)
    }

    pub(super) fn run(&self, result: &Value) -> Result<Outcome, Violation> {
        self.run_raw(&serde_json::to_vec(result).unwrap())
    }

    /// Runs the identity after `edit`.
    pub(super) fn edited(&self, edit: impl FnOnce(&mut Value)) -> Result<Outcome, Violation> {
        let mut result = self.identity();
        edit(&mut result);
        self.run(&result)
    }

    pub(super) fn request_result(&self, edit: impl FnOnce(&mut Value)) -> RequestResult {
        match self.edited(edit).unwrap().result {
            HookResult::Request(r) => r,
            HookResult::Response(r) => panic!("not a request: {r:?}"),
        }
    }

    pub(super) fn response_result(&self, edit: impl FnOnce(&mut Value)) -> ResponseResult {
        match self.edited(edit).unwrap().result {
            HookResult::Response(r) => r,
            HookResult::Request(r) => panic!("not a response: {r:?}"),
        }
    }

    /// What a request trigger makes of a generated response.
    pub(super) fn generated(&self, result: &Value) -> Result<ResponseResult, Violation> {
        self.run(result).map(|o| match o.result {
            HookResult::Response(r) => r,
            HookResult::Request(r) => panic!("not a response: {r:?}"),
        })
    }
}

pub(super) fn vreq() -> Call {
    Call::at(EventType::ViewerRequest)
}

pub(super) fn oreq() -> Call {
    Call::at(EventType::OriginRequest)
}

pub(super) fn ores() -> Call {
    Call::at(EventType::OriginResponse)
}

pub(super) fn vres() -> Call {
    Call::at(EventType::ViewerResponse)
}

pub(super) fn lines(of: &[(&str, &str)]) -> HeaderLines {
    of.iter().map(|(k, v)| raw_line(k, v.as_bytes())).collect()
}

pub(super) fn raw_line(key: &str, value: &[u8]) -> HeaderLine {
    HeaderLine {
        name: key.parse().unwrap(),
        key: bytes::Bytes::copy_from_slice(key.as_bytes()),
        value: http::HeaderValue::from_bytes(value).unwrap(),
    }
}

/// Lines as `(key, value)`, to compare with.
pub(super) fn pairs(of: &[HeaderLine]) -> Vec<(&str, &str)> {
    of.iter()
        .map(|l| {
            (
                std::str::from_utf8(&l.key).unwrap(),
                std::str::from_utf8(l.value.as_bytes()).unwrap(),
            )
        })
        .collect()
}

pub(super) fn custom() -> OriginObject {
    OriginObject::from(&Origin {
        custom_headers: vec![("X-Env".into(), "staging".into())],
        read_timeout: Duration::from_secs(25),
        ..Origin::new(
            "app",
            "app.internal.test",
            OriginKind::Custom(CustomOrigin::new(OriginProtocol::Https, 8443)),
        )
    })
}

pub(super) fn s3(auth_method: S3AuthMethod) -> OriginObject {
    OriginObject::from(&Origin::new(
        "media",
        "media-eu.store.test",
        OriginKind::S3(S3Origin {
            auth_method,
            region: "eu-west-1".into(),
        }),
    ))
}

/// A complete custom origin as official samples write one.
pub(super) fn custom_json() -> Value {
    json!({"custom": {"customHeaders": {}, "domainName": "www.example.test", "keepaliveTimeout": 5, "path": "",
        "port": 443, "protocol": "https", "readTimeout": 5, "sslProtocols": ["TLSv1", "TLSv1.1"]}})
}

/// A complete bucket as official samples write one.
pub(super) fn s3_json() -> Value {
    json!({"s3": {"authMethod": "none", "customHeaders": {}, "domainName": "bucket.store.test", "path": "",
        "region": ""}})
}

/// A case that must be refused: its name, the edit, and rule, code and field of the violation.
pub(super) type Refused = (
    &'static str,
    fn(&mut Value),
    &'static str,
    &'static str,
    &'static str,
);

pub(super) fn refuse_all(call: &Call, cases: &[Refused]) {
    for (name, edit, rule, code, field) in cases {
        match call.edited(edit) {
            Ok(outcome) => panic!("{name}: accepted as {outcome:?}"),
            Err(v) => assert_eq!(
                (v.rule(), v.code(), v.field()),
                (*rule, *code, *field),
                "{name}: {v}"
            ),
        }
    }
}

/// An edit and its name: a case that must pass, or a step.
pub(super) type Accepted = (&'static str, fn(&mut Value));

pub(super) fn accept_all(call: &Call, cases: &[Accepted]) {
    for (name, edit) in cases {
        if let Err(v) = call.edited(edit) {
            panic!("{name}: {v}");
        }
    }
}

#[track_caller]
pub(super) fn assert_refused(
    result: Result<impl std::fmt::Debug, Violation>,
    rule: &str,
    code: &str,
) {
    let v = result.unwrap_err();
    assert_eq!((v.rule(), v.code()), (rule, code), "{v}");
}

pub(super) fn remove(value: &mut Value, name: &str) {
    value.as_object_mut().unwrap().remove(name);
}
