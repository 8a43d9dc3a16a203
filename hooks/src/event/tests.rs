//! The events of LE section 2.5, and each field's rule.

use std::time::Duration;

use fourfront_model::{
    CustomOrigin, Origin, OriginKind, OriginProtocol, S3AuthMethod, S3Origin, SslProtocol,
};
use http::{HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::*;
use crate::headers::{HeaderLines, line};

fn lines(of: &[(&str, &str)]) -> HeaderLines {
    of.iter()
        .map(|(key, value)| HeaderLine {
            name: key.parse().unwrap(),
            key: bytes::Bytes::copy_from_slice(key.as_bytes()),
            value: value.parse().unwrap(),
        })
        .collect()
}

fn config(event_type: EventType, request_id: &str) -> EventConfig<'_> {
    EventConfig {
        distribution_domain_name: "shop.edge.test",
        distribution_id: "FFSHOP0001",
        event_type,
        request_id,
    }
}

fn get<'a>(uri: &'a str, headers: &'a [HeaderLine]) -> RequestView<'a> {
    RequestView {
        client_ip: "198.51.100.24".parse().unwrap(),
        method: "GET",
        uri: uri.as_bytes(),
        querystring: b"",
        headers,
        body: None,
        origin: None,
    }
}

fn built(
    event_type: EventType,
    request: &RequestView<'_>,
    response: Option<&ResponseView<'_>>,
) -> Value {
    let json = build(&config(event_type, "id"), request, response);
    serde_json::from_slice(&json).unwrap()
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}

fn app_origin() -> Origin {
    Origin {
        origin_path: "/v3".into(),
        custom_headers: vec![("X-Env".into(), "staging".into())],
        read_timeout: Duration::from_secs(25),
        response_completion_timeout: Some(Duration::from_secs(60)),
        ..Origin::new(
            "app",
            "app.internal.test",
            OriginKind::Custom(CustomOrigin {
                keepalive_timeout: Duration::from_secs(10),
                ..CustomOrigin::new(OriginProtocol::Https, 8443)
            }),
        )
    }
}

fn bucket() -> Origin {
    Origin::new(
        "media",
        "media-eu.store.test",
        OriginKind::S3(S3Origin {
            auth_method: S3AuthMethod::None,
            region: "eu-west-1".into(),
        }),
    )
}

#[test]
fn viewer_request_example() {
    // LE-060, LE-061, LE-070, LE-071, LE-072, LE-073, LE-074, LE-075, LE-076, LE-077, LE-078, LE-079,
    // LE-090, LE-120, LE-121, LE-122
    let headers = lines(&[
        ("Host", "shop.example.test"),
        ("User-Agent", "acceptance-suite/1"),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Content-Length", "20"),
        ("Cookie", "sid=77; theme=dark"),
        ("X-Probe", "one"),
        ("X-Probe", "two"),
    ]);
    let request = RequestView {
        method: "POST",
        querystring: b"lang=pt&utm=a%20b",
        body: Some(BodyView {
            data: b"name=Ana&topic=sales",
            truncated: false,
        }),
        ..get("/contact", &headers)
    };
    let event = build(
        &config(EventType::ViewerRequest, "c2hvcC1yZXEtMDAwMQ=="),
        &request,
        None,
    );
    let want = json!({"Records":[{"cf":{
      "config":{"distributionDomainName":"shop.edge.test","distributionId":"FFSHOP0001","eventType":"viewer-request","requestId":"c2hvcC1yZXEtMDAwMQ=="},
      "request":{
        "clientIp":"198.51.100.24","method":"POST","uri":"/contact","querystring":"lang=pt&utm=a%20b",
        "headers":{
          "host":[{"key":"Host","value":"shop.example.test"}],
          "user-agent":[{"key":"User-Agent","value":"acceptance-suite/1"}],
          "content-type":[{"key":"Content-Type","value":"application/x-www-form-urlencoded"}],
          "content-length":[{"key":"Content-Length","value":"20"}],
          "cookie":[{"key":"Cookie","value":"sid=77; theme=dark"}],
          "x-probe":[{"key":"X-Probe","value":"one"},{"key":"X-Probe","value":"two"}]},
        "body":{"inputTruncated":false,"action":"read-only","encoding":"base64","data":"bmFtZT1BbmEmdG9waWM9c2FsZXM="}}}}]});
    assert_eq!(serde_json::from_slice::<Value>(&event).unwrap(), want);
}

#[test]
fn origin_request_example() {
    // LE-074, LE-080, LE-091, LE-100, LE-101, LE-103, LE-105, LE-106, LE-107, LE-108, LE-109, LE-110, LE-111,
    // LE-238
    let headers = lines(&[
        ("Host", "app.internal.test"),
        ("User-Agent", "Fourfront"),
        ("Via", "2.0 ff1.edge.test (Fourfront)"),
        ("X-Forwarded-For", "2001:db8::17"),
        ("Accept-Encoding", "br,gzip"),
        ("CloudFront-Viewer-Country", "PT"),
    ]);
    let origin = OriginObject::from(&app_origin());
    let request = RequestView {
        client_ip: "2001:db8::17".parse().unwrap(),
        querystring: b"page=2",
        origin: Some(&origin),
        ..get("/catalogue/index.html", &headers)
    };
    let event = build(
        &config(EventType::OriginRequest, "c2hvcC1yZXEtMDAwMg=="),
        &request,
        None,
    );
    let want = json!({"Records":[{"cf":{
      "config":{"distributionDomainName":"shop.edge.test","distributionId":"FFSHOP0001","eventType":"origin-request","requestId":"c2hvcC1yZXEtMDAwMg=="},
      "request":{
        "clientIp":"2001:db8::17","method":"GET","uri":"/catalogue/index.html","querystring":"page=2",
        "headers":{
          "host":[{"key":"Host","value":"app.internal.test"}],
          "user-agent":[{"key":"User-Agent","value":"Fourfront"}],
          "via":[{"key":"Via","value":"2.0 ff1.edge.test (Fourfront)"}],
          "x-forwarded-for":[{"key":"X-Forwarded-For","value":"2001:db8::17"}],
          "accept-encoding":[{"key":"Accept-Encoding","value":"br,gzip"}],
          "cloudfront-viewer-country":[{"key":"CloudFront-Viewer-Country","value":"PT"}]},
        "origin":{"custom":{
          "customHeaders":{"x-env":[{"key":"X-Env","value":"staging"}]},
          "domainName":"app.internal.test","keepaliveTimeout":10,"path":"/v3","port":8443,"protocol":"https",
          "readTimeout":25,"responseCompletionTimeout":60,"sslProtocols":["TLSv1.2"]}}}}}]});
    assert_eq!(serde_json::from_slice::<Value>(&event).unwrap(), want);
}

#[test]
fn origin_response_example() {
    // LE-062, LE-081, LE-082, LE-083, LE-084, LE-094, LE-104, LE-112, LE-113
    let headers = lines(&[
        ("Host", "media-eu.store.test"),
        ("User-Agent", "Fourfront"),
        ("X-Forwarded-For", "198.51.100.24"),
    ]);
    let response_headers = lines(&[
        ("Content-Type", "application/xml"),
        ("Transfer-Encoding", "chunked"),
        ("Date", "Tue, 03 Mar 2026 09:00:00 GMT"),
    ]);
    let origin = OriginObject::from(&bucket());
    let request = RequestView {
        origin: Some(&origin),
        ..get("/img/missing.png", &headers)
    };
    let response = ResponseView {
        status: 404,
        status_description: reason_phrase(404),
        headers: &response_headers,
    };
    let event = build(
        &config(EventType::OriginResponse, "c2hvcC1yZXEtMDAwMw=="),
        &request,
        Some(&response),
    );
    let want = json!({"Records":[{"cf":{
      "config":{"distributionDomainName":"shop.edge.test","distributionId":"FFSHOP0001","eventType":"origin-response","requestId":"c2hvcC1yZXEtMDAwMw=="},
      "request":{
        "clientIp":"198.51.100.24","method":"GET","uri":"/img/missing.png","querystring":"",
        "headers":{
          "host":[{"key":"Host","value":"media-eu.store.test"}],
          "user-agent":[{"key":"User-Agent","value":"Fourfront"}],
          "x-forwarded-for":[{"key":"X-Forwarded-For","value":"198.51.100.24"}]},
        "origin":{"s3":{"authMethod":"none","customHeaders":{},"domainName":"media-eu.store.test","path":"","readTimeout":30,"region":"eu-west-1"}}},
      "response":{
        "status":"404","statusDescription":"Not Found",
        "headers":{
          "content-type":[{"key":"Content-Type","value":"application/xml"}],
          "transfer-encoding":[{"key":"Transfer-Encoding","value":"chunked"}],
          "date":[{"key":"Date","value":"Tue, 03 Mar 2026 09:00:00 GMT"}]}}}}]});
    assert_eq!(serde_json::from_slice::<Value>(&event).unwrap(), want);
}

#[test]
fn viewer_response_example() {
    // LE-062, LE-081, LE-082, LE-083, LE-095, LE-205
    let headers = lines(&[("Host", "shop.example.test"), ("Accept-Encoding", "gzip")]);
    let response_headers = lines(&[
        ("Content-Type", "text/html"),
        ("Content-Encoding", "gzip"),
        ("Content-Length", "4211"),
        ("Age", "318"),
        ("Set-Cookie", "a=1; Path=/"),
        ("Set-Cookie", "b=2; Path=/"),
    ]);
    let response = ResponseView {
        status: 200,
        status_description: "OK",
        headers: &response_headers,
    };
    let event = build(
        &config(EventType::ViewerResponse, "c2hvcC1yZXEtMDAwNA=="),
        &get("/", &headers),
        Some(&response),
    );
    let want = json!({"Records":[{"cf":{
      "config":{"distributionDomainName":"shop.edge.test","distributionId":"FFSHOP0001","eventType":"viewer-response","requestId":"c2hvcC1yZXEtMDAwNA=="},
      "request":{
        "clientIp":"198.51.100.24","method":"GET","uri":"/","querystring":"",
        "headers":{"host":[{"key":"Host","value":"shop.example.test"}],"accept-encoding":[{"key":"Accept-Encoding","value":"gzip"}]}},
      "response":{
        "status":"200","statusDescription":"OK",
        "headers":{
          "content-type":[{"key":"Content-Type","value":"text/html"}],
          "content-encoding":[{"key":"Content-Encoding","value":"gzip"}],
          "content-length":[{"key":"Content-Length","value":"4211"}],
          "age":[{"key":"Age","value":"318"}],
          "set-cookie":[{"key":"Set-Cookie","value":"a=1; Path=/"},{"key":"Set-Cookie","value":"b=2; Path=/"}]}}}}]});
    assert_eq!(serde_json::from_slice::<Value>(&event).unwrap(), want);
}

#[test]
fn field_sets_depend_on_the_trigger_alone() {
    // LE-060, LE-061, LE-062, LE-079, LE-080, LE-084, LE-095: every view carries everything, and each trigger
    // shows only what is its own.
    let headers = lines(&[("Host", "h.test")]);
    let origin = OriginObject::from(&app_origin());
    let request = RequestView {
        body: Some(BodyView {
            data: b"x",
            truncated: false,
        }),
        origin: Some(&origin),
        ..get("/", &headers)
    };
    let response = ResponseView {
        status: 200,
        status_description: "OK",
        headers: &headers,
    };
    let base = ["clientIp", "headers", "method", "querystring", "uri"];
    for (event, extra, answers) in [
        (EventType::ViewerRequest, &["body"][..], false),
        (EventType::OriginRequest, &["body", "origin"], false),
        (EventType::OriginResponse, &["origin"], true),
        (EventType::ViewerResponse, &[], true),
    ] {
        let event_json = built(event, &request, Some(&response));
        assert_eq!(keys(&event_json), ["Records"], "{event}");
        assert_eq!(event_json["Records"].as_array().unwrap().len(), 1);
        assert_eq!(keys(&event_json["Records"][0]), ["cf"]);
        let cf = &event_json["Records"][0]["cf"];
        let top = if answers {
            vec!["config", "request", "response"]
        } else {
            vec!["config", "request"]
        };
        assert_eq!(keys(cf), top, "{event}");
        assert_eq!(
            keys(&cf["config"]),
            [
                "distributionDomainName",
                "distributionId",
                "eventType",
                "requestId"
            ]
        );
        let mut want = base.to_vec();
        want.extend(extra);
        want.sort_unstable();
        assert_eq!(keys(&cf["request"]), want, "{event}");
        if answers {
            assert_eq!(
                keys(&cf["response"]),
                ["headers", "status", "statusDescription"]
            );
        }
    }
}

#[test]
fn body_field_set_and_empty_body() {
    // LE-121, LE-124
    let request = RequestView {
        body: Some(BodyView {
            data: b"",
            truncated: false,
        }),
        ..get("/", &[])
    };
    let event = built(EventType::OriginRequest, &request, None);
    assert_eq!(
        event["Records"][0]["cf"]["request"]["body"],
        json!({"inputTruncated": false, "action": "read-only", "encoding": "base64", "data": ""})
    );
}

#[test]
fn truncated_body_says_so() {
    // LE-123, LE-563
    let body = vec![0xffu8; 70 * 1024];
    let cut = &body[..body_limit(EventType::ViewerRequest)];
    let request = RequestView {
        body: Some(BodyView {
            data: cut,
            truncated: true,
        }),
        ..get("/", &[])
    };
    let event = built(EventType::ViewerRequest, &request, None);
    let shown = &event["Records"][0]["cf"]["request"]["body"];
    assert_eq!(shown["inputTruncated"], true);
    assert_eq!(
        shown["data"].as_str().unwrap().len(),
        40_960usize.div_ceil(3) * 4
    );
}

#[test]
fn body_limits() {
    // LE-123, LE-243, LE-257
    assert_eq!(body_limit(EventType::ViewerRequest), 40_960);
    assert_eq!(body_limit(EventType::OriginRequest), 1_048_576);
}

#[test]
fn disallowed_headers_are_hidden() {
    // LE-207, LE-209
    let headers = lines(&[
        ("Host", "h"),
        ("Connection", "keep-alive"),
        ("X-Amz-Cf-Id", "a"),
        ("x-edge-location", "b"),
        ("X-Amzn-Trace-Id", "c"),
        ("X-Forwarded-Proto", "https"),
    ]);
    let response = ResponseView {
        status: 200,
        status_description: "OK",
        headers: &headers,
    };
    let event = built(
        EventType::ViewerResponse,
        &get("/", &headers),
        Some(&response),
    );
    for part in ["request", "response"] {
        assert_eq!(
            keys(&event["Records"][0]["cf"][part]["headers"]),
            ["host", "x-amzn-trace-id"]
        );
    }
}

#[test]
fn cookie_fields_are_joined_and_others_are_not() {
    // LE-097, LE-500
    let headers = lines(&[
        ("cookie", "a=1"),
        ("accept", "x"),
        ("Cookie", "X-Experiment-Name=B"),
        ("accept", "y"),
    ]);
    let event = built(EventType::ViewerRequest, &get("/", &headers), None);
    assert_eq!(
        event["Records"][0]["cf"]["request"]["headers"],
        json!({
            "cookie": [{"key": "cookie", "value": "a=1; X-Experiment-Name=B"}],
            "accept": [{"key": "accept", "value": "x"}, {"key": "accept", "value": "y"}],
        })
    );
}

#[test]
fn keys_keep_the_casing_received() {
    // LE-197
    let headers = lines(&[("hOsT", "h"), ("x-lower", "1")]);
    let event = built(EventType::ViewerRequest, &get("/", &headers), None);
    let shown = &event["Records"][0]["cf"]["request"]["headers"];
    assert_eq!(shown["host"][0]["key"], "hOsT");
    assert_eq!(shown["x-lower"][0]["key"], "x-lower");
}

#[test]
fn names_keep_first_seen_order() {
    // LE-196
    let headers = lines(&[("z", "1"), ("a", "2"), ("z", "3"), ("m", "4")]);
    let json = build(
        &config(EventType::ViewerRequest, "id"),
        &get("/", &headers),
        None,
    );
    let text = String::from_utf8(json).unwrap();
    let at = |n: &str| text.find(n).unwrap();
    assert!(at("\"z\":") < at("\"a\":") && at("\"a\":") < at("\"m\":"));
}

#[test]
fn bytes_that_are_not_utf8_are_shown_as_latin1() {
    // LE-098, LE-235, LE-567: percent-escapes stay as they are
    let headers = vec![
        line(
            HeaderName::from_static("x-raw"),
            HeaderValue::from_bytes(b"caf\xe9").unwrap(),
        ),
        line(
            HeaderName::from_static("x-utf8"),
            HeaderValue::from_bytes("café".as_bytes()).unwrap(),
        ),
    ];
    let request = RequestView {
        uri: b"/caf\xe9/%E9",
        querystring: b"q=\xe9&r=%C3%A9",
        ..get("/", &headers)
    };
    let event = built(EventType::ViewerRequest, &request, None);
    let shown = &event["Records"][0]["cf"]["request"];
    assert_eq!(shown["uri"], "/café/%E9");
    assert_eq!(shown["querystring"], "q=é&r=%C3%A9");
    assert_eq!(shown["headers"]["x-raw"][0]["value"], "café");
    assert_eq!(shown["headers"]["x-utf8"][0]["value"], "café");
}

#[test]
fn quotes_and_backslashes_survive() {
    // LE-098
    let headers = lines(&[("x-q", r#"W/"a\b"	tab"#)]);
    let request = RequestView {
        querystring: br#"a="b"\c"#,
        ..get("/", &headers)
    };
    let event = built(EventType::ViewerRequest, &request, None);
    let shown = &event["Records"][0]["cf"]["request"];
    assert_eq!(shown["querystring"], r#"a="b"\c"#);
    assert_eq!(shown["headers"]["x-q"][0]["value"], "W/\"a\\b\"\ttab");
}

#[test]
fn mapped_addresses_show_as_ipv4() {
    // LE-074
    for (ip, shown) in [
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:0:0::1", "2001:db8::1"),
        ("192.0.2.7", "192.0.2.7"),
    ] {
        let request = RequestView {
            client_ip: ip.parse().unwrap(),
            ..get("/", &[])
        };
        let event = built(EventType::ViewerRequest, &request, None);
        assert_eq!(event["Records"][0]["cf"]["request"]["clientIp"], shown);
    }
}

#[test]
fn all_triggers_of_a_request_show_one_id() {
    // LE-072, LE-073
    for event in EventType::ALL {
        let response = ResponseView {
            status: 200,
            status_description: "",
            headers: &[],
        };
        let shown = built(event, &get("/", &[]), Some(&response));
        let config = &shown["Records"][0]["cf"]["config"];
        assert_eq!(config["requestId"], "id");
        assert_eq!(config["eventType"], event.as_str());
    }
}

#[test]
fn standard_reason_phrases() {
    // LE-157
    assert_eq!(reason_phrase(404), "Not Found");
    assert_eq!(reason_phrase(302), "Found");
    assert_eq!(reason_phrase(599), "");
    assert_eq!(reason_phrase(42), "");
}

#[test]
fn directory_origin_shows_as_unsigned_bucket() {
    // LE-112, LE-113
    let origin = Origin::new("site", "site.dir", OriginKind::Dir("public".into()));
    let object = OriginObject::from(&origin);
    let request = RequestView {
        origin: Some(&object),
        ..get("/", &[])
    };
    let event = built(EventType::OriginRequest, &request, None);
    assert_eq!(
        event["Records"][0]["cf"]["request"]["origin"],
        json!({"s3": {"authMethod": "none", "customHeaders": {}, "domainName": "site.dir", "path": "",
            "readTimeout": 30, "region": ""}})
    );
}

#[test]
fn repeated_custom_headers_show_under_one_name() {
    // LE-101, LE-196
    let mut origin = bucket();
    origin.custom_headers = vec![
        ("X-A".into(), "1".into()),
        ("X-B".into(), "2".into()),
        ("x-a".into(), "3".into()),
    ];
    let object = OriginObject::from(&origin);
    let request = RequestView {
        origin: Some(&object),
        ..get("/", &[])
    };
    let event = built(EventType::OriginRequest, &request, None);
    assert_eq!(
        event["Records"][0]["cf"]["request"]["origin"]["s3"]["customHeaders"],
        json!({
            "x-a": [{"key": "X-A", "value": "1"}, {"key": "x-a", "value": "3"}],
            "x-b": [{"key": "X-B", "value": "2"}],
        })
    );
}

#[test]
fn sub_second_timeouts_show_as_a_second() {
    // LE-108, LE-109: an origin that has a time-out never shows none
    let mut origin = app_origin();
    origin.read_timeout = Duration::from_millis(300);
    assert_eq!(OriginObject::from(&origin).read_timeout, 1);
}

#[test]
fn unchanged_object_gives_back_the_configured_origin() {
    // LE-116
    for mut origin in [
        app_origin(),
        bucket(),
        Origin::new("site", "site.dir", OriginKind::Dir("public".into())),
    ] {
        origin.read_timeout = Duration::from_millis(2500);
        assert_eq!(OriginObject::from(&origin).to_origin(&origin), origin);
    }
}

#[test]
fn changed_object_replaces_the_origin_as_a_whole() {
    // LE-115, LE-116
    let configured = app_origin();
    let object = OriginObject {
        custom_headers: vec![],
        domain_name: "other.test".into(),
        path: String::new(),
        read_timeout: 7,
        response_completion_timeout: None,
        kind: OriginObjectKind::Custom {
            keepalive_timeout: 3,
            port: 80,
            protocol: OriginProtocol::Http,
            ssl_protocols: vec![SslProtocol::TlsV1_1],
        },
    };
    let origin = object.to_origin(&configured);
    let want = Origin {
        read_timeout: Duration::from_secs(7),
        ..Origin::new(
            "hook",
            "other.test",
            OriginKind::Custom(CustomOrigin {
                protocol: OriginProtocol::Http,
                port: 80,
                ssl_protocols: vec![SslProtocol::TlsV1_1],
                keepalive_timeout: Duration::from_secs(3),
            }),
        )
    };
    assert_eq!(origin, want);
}

#[test]
fn origin_keeps_its_id_while_kind_and_domain_stay() {
    // LE-116
    let configured = app_origin();
    let mut object = OriginObject::from(&configured);
    object.path = "/v4".into();
    assert_eq!(object.to_origin(&configured).id, "app");
    object.domain_name = "APP.internal.test".into();
    assert_eq!(object.to_origin(&configured).id, "app");
    object.domain_name = "app2.internal.test".into();
    assert_eq!(object.to_origin(&configured).id, "hook");

    let mut moved = OriginObject::from(&bucket());
    moved.domain_name = "app.internal.test".into();
    let origin = moved.to_origin(&configured);
    assert_eq!(origin.id, "hook");
    assert!(matches!(origin.kind, OriginKind::S3(_)));
}

#[test]
fn directory_with_another_path_stays_a_directory() {
    // LE-116
    let configured = Origin::new("site", "site.dir", OriginKind::Dir("public".into()));
    let mut object = OriginObject::from(&configured);
    object.path = "/b".into();
    let origin = object.to_origin(&configured);
    assert_eq!(
        (
            origin.id.as_str(),
            &origin.kind,
            origin.origin_path.as_str()
        ),
        ("site", &OriginKind::Dir("public".into()), "/b")
    );
    object.domain_name = "bucket.test".into();
    assert!(matches!(
        object.to_origin(&configured).kind,
        OriginKind::S3(_)
    ));
}
