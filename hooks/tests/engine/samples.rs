//! The samples of AWS's own pages (LE section 9.1), written anew, whose outcome hangs on chance or on headers that a
//! node does not generate: real events, the handler in its isolate, the result judged.

use bytes::Bytes;
use fourfront_hooks::{
    event::{EventConfig, OriginObject, OriginObjectKind, RequestView, build},
    headers::{HeaderLine, HeaderLines},
    validate::{HookResult, Input, RequestResult, ResponseResult, validate},
};
use fourfront_model::{
    CustomOrigin, EventType, Origin, OriginKind, OriginProtocol, S3AuthMethod, S3Origin,
};
use http::{HeaderName, HeaderValue};

use super::harness::{Tried, js};

/// What one call is shown.
struct Shown<'a> {
    event_type: EventType,
    uri: &'a str,
    query: &'a str,
    headers: &'a [(&'a str, &'a str)],
    origin: Option<OriginObject>,
}

impl Shown<'_> {
    /// Runs the handler on the event and judges what it returns.
    async fn to(&self, handler: &Tried) -> HookResult {
        let headers: HeaderLines = self
            .headers
            .iter()
            .map(|(key, value)| HeaderLine {
                name: HeaderName::from_bytes(key.as_bytes()).expect("a header name"),
                key: Bytes::copy_from_slice(key.as_bytes()),
                value: HeaderValue::from_str(value).expect("a header value"),
            })
            .collect();
        let request = RequestView {
            client_ip: [198, 51, 100, 24].into(),
            method: "GET",
            uri: self.uri.as_bytes(),
            querystring: self.query.as_bytes(),
            headers: &headers,
            body: None,
            origin: self.origin.as_ref(),
        };
        let config = EventConfig {
            distribution_domain_name: "d.edge.test",
            distribution_id: "FF1",
            event_type: self.event_type,
            request_id: "r",
        };
        let event =
            serde_json::from_slice(&build(&config, &request, None)).expect("events are JSON");
        let result = handler.raw(event, "id").await.expect("the handler returns");
        let input = Input::new(self.event_type, request);
        validate(&input, result.as_bytes())
            .expect("the result is acceptable")
            .result
    }

    async fn request(&self, handler: &Tried) -> RequestResult {
        match self.to(handler).await {
            HookResult::Request(request) => request,
            HookResult::Response(response) => panic!("{response:?}"),
        }
    }

    async fn response(&self, handler: &Tried) -> ResponseResult {
        match self.to(handler).await {
            HookResult::Response(response) => response,
            HookResult::Request(request) => panic!("{request:?}"),
        }
    }
}

fn header<'h>(headers: &'h HeaderLines, name: &str) -> Option<&'h str> {
    let line = headers.iter().find(|l| l.name == name)?;
    line.value.to_str().ok()
}

fn bucket(domain: &str) -> OriginObject {
    let s3 = S3Origin {
        auth_method: S3AuthMethod::None,
        region: "us-east-1".into(),
    };
    let origin = Origin::new("o", domain, OriginKind::S3(s3));
    OriginObject::from(&origin)
}

fn server(domain: &str) -> OriginObject {
    let custom = CustomOrigin::new(OriginProtocol::Https, 443);
    let origin = Origin::new("o", domain, OriginKind::Custom(custom));
    OriginObject::from(&origin)
}

/// The share of calls whose result is `wanted`, in hundredths of a per cent.
async fn of_ten_thousand(
    handler: &Tried,
    shown: &Shown<'_>,
    wanted: impl Fn(&RequestResult) -> bool,
) -> u32 {
    let mut hits = 0;
    for _ in 0..10_000 {
        hits += u32::from(wanted(&shown.request(handler).await));
    }
    hits
}

/// Two per cent of ten thousand: more than four standard deviations.
fn is_about(hits: u32, expected: u32) -> bool {
    hits.abs_diff(expected) <= 200
}

const EXPERIMENT: &str = "
const CONTROL = '/experiment-pixel.jpg', TREATMENT = '/experiment-pixel/treatment-pixel.jpg';
exports.handler = (event, context, callback) => {
  const request = event.Records[0].cf.request;
  if (request.uri !== CONTROL) return callback(null, request);
  let chosen;
  for (const { value } of request.headers.cookie ?? []) {
    if (value.includes('X-Experiment-Name=A')) chosen = CONTROL;
    else if (value.includes('X-Experiment-Name=B')) chosen = TREATMENT;
    if (chosen) break;
  }
  request.uri = chosen ?? (Math.random() < 0.75 ? CONTROL : TREATMENT);
  callback(null, request);
};";

#[tokio::test]
async fn an_experiment_follows_the_cookie_and_else_chance() {
    // LE-500, LE-097
    let handler = js(EXPERIMENT);
    let shown = |headers| Shown {
        event_type: EventType::ViewerRequest,
        uri: "/experiment-pixel.jpg",
        query: "",
        headers,
        origin: None,
    };
    let cookies = [("Cookie", "a=1"), ("Cookie", "X-Experiment-Name=B; c=2")];
    let treated = shown(&cookies).request(&handler).await;
    assert_eq!(
        treated.uri.as_deref(),
        Some("/experiment-pixel/treatment-pixel.jpg")
    );
    let control = shown(&[("Cookie", "X-Experiment-Name=A")])
        .request(&handler)
        .await;
    assert_eq!(control.uri, None);
    let other = Shown {
        uri: "/other.jpg",
        ..shown(&cookies)
    };
    assert_eq!(other.request(&handler).await.uri, None);
    let hits = of_ten_thousand(&handler, &shown(&[]), |r| r.uri.is_none()).await;
    assert!(is_about(hits, 7_500), "{hits} of 10,000 got the control");
}

#[tokio::test]
async fn traffic_moves_to_another_bucket_by_and_by() {
    // LE-512
    let handler = js("
exports.handler = (event, context, callback) => {
  const request = event.Records[0].cf.request;
  if (Math.random() < 0.8) {
    const domainName = 'new-bucket.s3.eu-west-1.store.test';
    request.origin.s3.domainName = domainName;
    request.headers.host = [{ key: 'Host', value: domainName }];
  }
  callback(null, request);
};");
    let shown = Shown {
        event_type: EventType::OriginRequest,
        uri: "/a",
        query: "",
        headers: &[("Host", "old-bucket.s3.us-east-1.store.test")],
        origin: Some(bucket("old-bucket.s3.us-east-1.store.test")),
    };
    let hits = of_ten_thousand(&handler, &shown, |r| {
        let moved = r.origin.as_ref().map(|o| o.domain_name.as_str());
        if let Some(domain) = moved {
            assert_eq!(header(&r.headers, "host"), Some(domain));
        }
        moved.is_some()
    })
    .await;
    assert!(is_about(hits, 8_000), "{hits} of 10,000 moved");
}

/// A request on its way to an origin, from a viewer in `country`.
async fn from_country(handler: &Tried, country: &str, origin: OriginObject) -> HookResult {
    let host = origin.domain_name.clone();
    let shown = Shown {
        event_type: EventType::OriginRequest,
        uri: "/a",
        query: "",
        headers: &[
            ("Host", host.as_str()),
            ("CloudFront-Viewer-Country", country),
        ],
        origin: Some(origin),
    };
    shown.to(handler).await
}

const COUNTRY_REDIRECT: &str = "
exports.handler = async (event) => {
  const request = event.Records[0].cf.request;
  const country = request.headers['cloudfront-viewer-country']?.[0].value;
  const sites = { TW: 'https://tw.example.test/', US: 'https://us.example.test/' };
  return {
    status: '302',
    statusDescription: 'Found',
    headers: { location: [{ key: 'Location', value: sites[country] ?? 'https://www.example.test/' }] },
  };
};";

#[tokio::test]
async fn viewers_are_sent_to_the_site_of_their_country() {
    // LE-507
    let handler = js(COUNTRY_REDIRECT);
    for (country, site) in [
        ("TW", "https://tw.example.test/"),
        ("US", "https://us.example.test/"),
        ("PT", "https://www.example.test/"),
    ] {
        match from_country(&handler, country, server("app.example.test")).await {
            HookResult::Response(r) => {
                assert_eq!(
                    (r.status, header(&r.headers, "location")),
                    (302, Some(site))
                );
            }
            other => panic!("{other:?}"),
        }
    }
    // At the viewer there is no such header.
    let shown = Shown {
        event_type: EventType::ViewerRequest,
        uri: "/a",
        query: "",
        headers: &[("Host", "app.example.test")],
        origin: None,
    };
    let site = shown.response(&handler).await;
    assert_eq!(
        header(&site.headers, "location"),
        Some("https://www.example.test/")
    );
}

#[tokio::test]
async fn the_first_device_that_matches_decides_the_variant() {
    // LE-508
    let handler = js("
const DEVICES = ['desktop', 'mobile', 'tablet', 'smarttv'];
exports.handler = async (event) => {
  const request = event.Records[0].cf.request;
  for (const device of DEVICES) {
    if (request.headers[`cloudfront-is-${device}-viewer`]?.[0].value === 'true') {
      request.uri = `/${device}${request.uri}`;
      break;
    }
  }
  return request;
};");
    let rows: [(&[&str], Option<&str>); 4] = [
        (&["Mobile", "Tablet"], Some("/mobile/a")),
        (&["Tablet"], Some("/tablet/a")),
        (&["SmartTV", "Desktop"], Some("/desktop/a")),
        (&[], None),
    ];
    for (devices, expected) in rows {
        let names: Vec<_> = ["Desktop", "Mobile", "Tablet", "SmartTV"]
            .map(|d| (format!("CloudFront-Is-{d}-Viewer"), devices.contains(&d)))
            .into();
        let mut headers = vec![("Host", "app.example.test")];
        headers.extend(
            names
                .iter()
                .map(|(name, is)| (name.as_str(), if *is { "true" } else { "false" })),
        );
        let shown = Shown {
            event_type: EventType::OriginRequest,
            uri: "/a",
            query: "",
            headers: &headers,
            origin: Some(server("app.example.test")),
        };
        let request = shown.request(&handler).await;
        assert_eq!(request.uri.as_deref(), expected, "{devices:?}");
    }
}

#[tokio::test]
async fn requests_go_to_the_bucket_of_their_region() {
    // LE-510
    let handler = js("
const REGIONS = { 'eu-central-1': ['DE', 'CZ', 'PL'], 'us-west-2': ['US'] };
exports.handler = async (event) => {
  const request = event.Records[0].cf.request;
  const country = request.headers['cloudfront-viewer-country']?.[0].value;
  const region = Object.keys(REGIONS).find((r) => REGIONS[r].includes(country));
  if (region) {
    const domainName = `bucket-in-${region}.s3.${region}.store.test`;
    Object.assign(request.origin.s3, { region, domainName });
    request.headers.host = [{ key: 'host', value: domainName }];
  }
  return request;
};");
    let rows = [
        (
            "DE",
            Some((
                "bucket-in-eu-central-1.s3.eu-central-1.store.test",
                "eu-central-1",
            )),
        ),
        ("JP", None),
    ];
    for (country, expected) in rows {
        let result =
            from_country(&handler, country, bucket("bucket.s3.us-east-1.store.test")).await;
        let HookResult::Request(request) = result else {
            panic!("{result:?}")
        };
        let gone = request.origin.as_ref().map(|o| match &o.kind {
            OriginObjectKind::S3 { region, .. } => (o.domain_name.as_str(), region.as_str()),
            OriginObjectKind::Custom { .. } => panic!("{o:?}"),
        });
        assert_eq!(gone, expected);
        let host = expected.map_or("bucket.s3.us-east-1.store.test", |(name, _)| name);
        assert_eq!(header(&request.headers, "host"), Some(host));
    }
}

#[tokio::test]
async fn requests_go_to_the_server_of_their_country() {
    // LE-513
    let handler = js("
exports.handler = async (event) => {
  const request = event.Records[0].cf.request;
  const country = request.headers['cloudfront-viewer-country']?.[0].value;
  if (['GB', 'DE', 'IE'].includes(country)) {
    const domainName = 'eu.example.test';
    request.origin.custom.domainName = domainName;
    request.headers.host = [{ key: 'host', value: domainName }];
  }
  return request;
};");
    for (country, expected) in [
        ("GB", Some("eu.example.test")),
        ("DE", Some("eu.example.test")),
        ("IE", Some("eu.example.test")),
        ("US", None),
    ] {
        let result = from_country(&handler, country, server("app.example.test")).await;
        let HookResult::Request(request) = result else {
            panic!("{result:?}")
        };
        let gone = request.origin.as_ref().map(|o| o.domain_name.as_str());
        assert_eq!(gone, expected, "{country}");
        let host = expected.unwrap_or("app.example.test");
        assert_eq!(header(&request.headers, "host"), Some(host), "{country}");
    }
}
