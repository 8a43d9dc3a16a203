//! What a hooked request pays outside the engine: building events and judging results.
//!
//! `cargo bench -p fourfront-hooks --no-default-features --bench pure`
#![expect(
    clippy::unwrap_used,
    reason = "a bench that cannot set up its input has nothing to measure"
)]

use std::{hint::black_box, net::IpAddr};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fourfront_hooks::{
    event::{self, BodyView, EventConfig, OriginObject, RequestView, ResponseView},
    headers::{HeaderLine, HeaderLines},
    validate::{Input, validate},
};
use fourfront_model::{CustomOrigin, EventType, Origin, OriginKind, OriginProtocol};

/// A browser's request, as an HTTP/1.1 viewer sends it.
const REQUEST: [(&str, &str); 14] = [
    ("Host", "shop.example.test"),
    ("Connection", "keep-alive"),
    (
        "User-Agent",
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    ),
    (
        "Accept",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    ),
    ("Accept-Language", "en-GB,en;q=0.5"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Referer", "https://shop.example.test/catalogue?page=2"),
    ("Cookie", "sid=7f9c2a41d0e84c4f; theme=dark; X-Experiment=B"),
    ("Upgrade-Insecure-Requests", "1"),
    ("Sec-Fetch-Dest", "document"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Site", "same-origin"),
    ("If-None-Match", "\"5f3c-62a1b\""),
    ("Priority", "u=0, i"),
];

const RESPONSE: [(&str, &str); 12] = [
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Length", "10342"),
    ("Connection", "keep-alive"),
    ("Date", "Tue, 03 Mar 2026 09:00:00 GMT"),
    ("Last-Modified", "Mon, 02 Mar 2026 09:00:00 GMT"),
    ("ETag", "\"5f3c-62a1b\""),
    ("Cache-Control", "public, max-age=3600"),
    ("Vary", "Accept-Encoding"),
    ("Age", "318"),
    ("Server", "nginx"),
    ("Set-Cookie", "a=1; Path=/"),
    ("Set-Cookie", "b=2; Path=/"),
];

fn lines(of: &[(&str, &str)]) -> HeaderLines {
    of.iter()
        .map(|(key, value)| HeaderLine {
            name: key.parse().unwrap(),
            key: bytes::Bytes::copy_from_slice(key.as_bytes()),
            value: value.parse().unwrap(),
        })
        .collect()
}

struct Site {
    request: HeaderLines,
    response: HeaderLines,
    origin: OriginObject,
}

impl Site {
    fn new() -> Self {
        let origin = Origin::new(
            "app",
            "app.internal.test",
            OriginKind::Custom(CustomOrigin::new(OriginProtocol::Https, 8443)),
        );
        Self {
            request: lines(&REQUEST),
            response: lines(&RESPONSE),
            origin: OriginObject::from(&origin),
        }
    }

    fn request(&self) -> RequestView<'_> {
        RequestView {
            client_ip: IpAddr::from([198, 51, 100, 24]),
            method: "GET",
            uri: b"/catalogue/index.html",
            querystring: b"page=2&sort=price",
            headers: &self.request,
            body: None,
            origin: Some(&self.origin),
        }
    }

    fn response(&self) -> ResponseView<'_> {
        ResponseView {
            status: 200,
            status_description: "OK",
            headers: &self.response,
        }
    }

    fn input(&self, event_type: EventType) -> Input<'_> {
        Input {
            response: (!event_type.is_request()).then(|| self.response()),
            configured_origin: Some(&self.origin),
            ..Input::new(event_type, self.request())
        }
    }

    fn event(&self, event_type: EventType) -> Vec<u8> {
        event::build(&config(event_type), &self.request(), Some(&self.response()))
    }

    /// What a function returns that changes nothing, as `JSON.stringify` writes it: names in the order
    /// they were shown.
    fn identity(&self, event_type: EventType) -> String {
        let event = String::from_utf8(self.event(event_type)).unwrap();
        let part = if event_type.is_request() {
            "\"request\":"
        } else {
            "\"response\":"
        };
        let from = event.find(part).unwrap() + part.len();
        event[from..].strip_suffix("}}]}").unwrap().to_owned()
    }

    /// The same with texts replaced.
    fn edited(&self, event_type: EventType, edits: &[(&str, &str)]) -> Vec<u8> {
        let mut json = self.identity(event_type);
        for (from, to) in edits {
            assert!(json.contains(from), "{from} is not in {json}");
            json = json.replacen(from, to, 1);
        }
        json.into_bytes()
    }
}

const fn config(event_type: EventType) -> EventConfig<'static> {
    EventConfig {
        distribution_domain_name: "shop.edge.test",
        distribution_id: "FFSHOP0001",
        event_type,
        request_id: "c2hvcC1yZXEtMDAwMQ==",
    }
}

fn build(c: &mut Criterion) {
    let site = Site::new();
    let mut group = c.benchmark_group("event");
    for event_type in EventType::ALL {
        group.throughput(Throughput::Bytes(site.event(event_type).len() as u64));
        group.bench_function(event_type.as_str(), |b| {
            b.iter(|| black_box(site.event(black_box(event_type))));
        });
    }
    let body = vec![0x5a; event::body_limit(EventType::ViewerRequest)];
    let request = RequestView {
        body: Some(BodyView {
            data: &body,
            truncated: true,
        }),
        ..site.request()
    };
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("viewer-request with a 40 KB body", |b| {
        b.iter(|| event::build(&config(EventType::ViewerRequest), black_box(&request), None));
    });
    group.finish();
}

fn judge(c: &mut Criterion) {
    let site = Site::new();
    let mut group = c.benchmark_group("validate");
    const SECURITY: &str = r#""strict-transport-security":[{"key":"Strict-Transport-Security","value":"max-age=63072000; preload"}],"content-security-policy":[{"key":"Content-Security-Policy","value":"default-src 'none'; img-src 'self'"}],"x-content-type-options":[{"key":"X-Content-Type-Options","value":"nosniff"}],"x-frame-options":[{"key":"X-Frame-Options","value":"DENY"}],"set-cookie":"#;
    let cases: [(&str, EventType, Vec<u8>); 6] = [
        (
            "request left alone",
            EventType::ViewerRequest,
            site.edited(EventType::ViewerRequest, &[]),
        ),
        (
            "request with another uri and header",
            EventType::ViewerRequest,
            site.edited(
                EventType::ViewerRequest,
                &[
                    ("/catalogue/index.html", "/treatment/index.html"),
                    ("\"priority\":", r#""x-variant":[{"key":"X-Variant","value":"B"}],"priority":"#),
                ],
            ),
        ),
        (
            "origin request with another origin",
            EventType::OriginRequest,
            site.edited(
                EventType::OriginRequest,
                &[
                    ("app.internal.test", "eu.internal.test"),
                    ("shop.example.test", "eu.internal.test"),
                ],
            ),
        ),
        (
            "response left alone",
            EventType::ViewerResponse,
            site.edited(EventType::ViewerResponse, &[]),
        ),
        (
            "response with security headers added",
            EventType::ViewerResponse,
            site.edited(EventType::ViewerResponse, &[("\"set-cookie\":", SECURITY)]),
        ),
        (
            "generated redirect",
            EventType::ViewerRequest,
            br#"{"status":"302","statusDescription":"Found","headers":{"location":[{"key":"Location","value":"https://shop.example.test/signin"}]}}"#.to_vec(),
        ),
    ];
    for (name, event_type, json) in &cases {
        let input = site.input(*event_type);
        validate(&input, json).unwrap();
        group.throughput(Throughput::Bytes(json.len() as u64));
        group.bench_function(*name, |b| {
            b.iter(|| validate(black_box(&input), black_box(json)));
        });
    }
    group.finish();
}

criterion_group!(benches, build, judge);
criterion_main!(benches);
