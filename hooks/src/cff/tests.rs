//! Results of CloudFront Functions, judged.

use std::{sync::Arc, time::Duration};

use fourfront_model::{CustomOrigin, OriginKind, OriginProtocol};
use serde_json::{Value as Json, json};

use super::*;
use crate::{
    headers::{HeaderLines, line},
    validate::{RequestResult, ResponseResult},
};

#[test]
fn times_are_written_in_iso_8601() {
    // LE-472
    let at = |millis| iso8601(UNIX_EPOCH + Duration::from_millis(millis));
    assert_eq!(at(0), "1970-01-01T00:00:00.000Z");
    assert_eq!(at(1_709_208_000_123), "2024-02-29T12:00:00.123Z");
    assert_eq!(at(1_772_528_399_999), "2026-03-03T08:59:59.999Z");
}

fn lines(of: &[(&str, &str)]) -> HeaderLines {
    of.iter()
        .map(|(n, v)| line(n.parse().unwrap(), v.parse().unwrap()))
        .collect()
}

/// Lines as `name: value`.
fn shown(lines: &[crate::headers::HeaderLine]) -> Vec<String> {
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    lines
        .iter()
        .map(|l| format!("{}: {}", text(&l.key), text(l.value.as_bytes())))
        .collect()
}

fn origins() -> Vec<Arc<Origin>> {
    let custom = |id: &str, host: &str| {
        let kind = OriginKind::Custom(CustomOrigin::new(OriginProtocol::Https, 443));
        let mut origin = Origin::new(id, host, kind);
        origin.custom_headers = vec![("x-env".into(), "test".into())];
        Arc::new(origin)
    };
    vec![custom("app", "app.test"), custom("other", "other.test")]
}

fn judged(event_type: EventType, output: &Json) -> Result<Judged, Violation> {
    let headers = lines(&[
        ("host", "www.test"),
        ("accept", "a"),
        ("accept", "b"),
        ("cookie", "id=1; theme=dark"),
        ("connection", "close"),
    ]);
    let answer = lines(&[
        ("content-type", "text/html"),
        ("content-length", "5"),
        ("via", "1.1 origin"),
        ("set-cookie", "a=1; Path=/"),
        ("set-cookie", "b=2"),
    ]);
    let origins = origins();
    let input = Input {
        event_type,
        compat: Compat::Strict,
        request: RequestView {
            client_ip: "192.0.2.1".parse().unwrap(),
            method: "GET",
            uri: b"/a",
            querystring: b"b=2&a=1&flag&a=0",
            headers: &headers,
            body: None,
            origin: None,
        },
        response: Some(ResponseView {
            status: 200,
            status_description: "OK",
            headers: &answer,
        })
        .filter(|_| event_type == EventType::ViewerResponse),
        assigned: &origins[0],
        origins: &origins,
        max_request_bytes: 32_768,
        body_limits: BodyLimits::default(),
    };
    judge(&input, output.to_string().as_bytes())
}

/// The request as it was shown, with changes.
fn request_of(change: impl FnOnce(&mut Json)) -> Json {
    let mut request = json!({
        "method": "GET",
        "uri": "/a",
        "querystring": {
            "b": { "value": "2" },
            "a": { "value": "1", "multiValue": [{ "value": "1" }, { "value": "0" }] },
            "flag": { "value": "" },
        },
        "headers": {
            "host": { "value": "www.test" },
            "accept": { "value": "a", "multiValue": [{ "value": "a" }, { "value": "b" }] },
        },
        "cookies": { "id": { "value": "1" }, "theme": { "value": "dark" } },
    });
    change(&mut request);
    request
}

fn request(change: impl FnOnce(&mut Json)) -> Result<RequestResult, Violation> {
    let output = json!({ "result": request_of(change) });
    match judged(EventType::ViewerRequest, &output)?.result {
        HookResult::Request(request) => Ok(request),
        other => panic!("{other:?}"),
    }
}

fn response_of(change: impl FnOnce(&mut Json)) -> Json {
    let mut response = json!({
        "statusCode": 200,
        "statusDescription": "OK",
        "headers": {
            "content-type": { "value": "text/html" },
            "content-length": { "value": "5" },
            "via": { "value": "1.1 origin" },
        },
        "cookies": {
            "a": { "value": "1", "attributes": "Path=/" },
            "b": { "value": "2" },
        },
    });
    change(&mut response);
    response
}

fn response(change: impl FnOnce(&mut Json)) -> Result<ResponseResult, Violation> {
    let output = json!({ "result": response_of(change) });
    match judged(EventType::ViewerResponse, &output)?.result {
        HookResult::Response(response) => Ok(response),
        other => panic!("{other:?}"),
    }
}

fn rule<T: std::fmt::Debug>(result: Result<T, Violation>) -> (&'static str, &'static str) {
    let violation = result.expect_err("it is refused");
    (violation.rule(), violation.code())
}

#[test]
fn a_request_that_was_left_alone_changes_nothing() {
    // LE-415
    let same = request(|_| {}).unwrap();
    assert_eq!(
        (
            same.uri,
            same.querystring,
            same.headers_changed,
            same.headers.len()
        ),
        (None, None, false, 5)
    );
    let bare = request(|r| *r = json!({ "uri": "/b" })).unwrap();
    assert_eq!(
        (bare.uri.as_deref(), bare.headers_changed),
        (Some("/b"), false)
    );
}

#[test]
fn what_is_neither_request_nor_response_is_refused() {
    // LE-415, LE-416, LE-417
    for result in [
        json!(null),
        json!("x"),
        json!([]),
        json!({}),
        json!({ "request": { "uri": "/" } }),
        json!({ "status": 200 }),
    ] {
        let output = json!({ "result": result });
        for event in [EventType::ViewerRequest, EventType::ViewerResponse] {
            assert_eq!(
                judged(event, &output).unwrap_err().rule(),
                "LE-417",
                "{output}"
            );
        }
    }
    let request = json!({ "result": { "uri": "/" } });
    assert_eq!(
        rule(judged(EventType::ViewerResponse, &request)),
        ("LE-417", "V-KIND")
    );
    assert_eq!(
        rule(judged(EventType::ViewerRequest, &json!({}))),
        ("LE-417", "V-TYPE")
    );
}

#[test]
fn queries_are_rebuilt_in_their_order_or_taken_verbatim() {
    // LE-407, LE-418, LE-420, LE-405
    let query = |change: fn(&mut Json)| request(change).unwrap().querystring;
    assert_eq!(
        query(|r| r["querystring"]["b"]["value"] = json!("9")).as_deref(),
        Some("b=9&a=1&flag&a=0")
    );
    assert_eq!(
        query(|r| r["querystring"]["a"]["value"] = json!("9")).as_deref(),
        Some("b=2&a=9&a=0&flag")
    );
    assert_eq!(
        query(|r| {
            r["querystring"].as_object_mut().unwrap().remove("a");
            r["querystring"]["New"] = json!({ "multiValue": [{ "value": "x" }, { "value": "y" }] });
        })
        .as_deref(),
        Some("b=2&flag&New=x&New=y")
    );
    assert_eq!(query(|r| r["querystring"] = json!({})).as_deref(), Some(""));
    assert_eq!(
        query(|r| r["querystring"] = json!("z=1&a=2")).as_deref(),
        Some("z=1&a=2")
    );
    assert_eq!(
        query(|r| r["querystring"] = json!("b=2&a=1&flag&a=0")),
        None
    );
    assert_eq!(
        rule(request(|r| r["querystring"] = json!("a=b c"))),
        ("LE-232", "V-QS")
    );
}

#[test]
fn uris_and_methods_are_checked() {
    // LE-403, LE-427
    assert_eq!(
        rule(request(|r| r["method"] = json!("POST"))),
        ("LE-403", "V-METHOD")
    );
    assert_eq!(
        rule(request(|r| r["uri"] = json!("a"))),
        ("LE-230", "V-URI")
    );
    assert_eq!(rule(request(|r| r["uri"] = json!(1))), ("LE-427", "V-URI"));
    let long = format!("/{}", "x".repeat(9000));
    assert_eq!(
        rule(request(|r| r["uri"] = json!(long))),
        ("LE-231", "V-URLLEN")
    );
}

#[test]
fn headers_of_a_request_follow_the_map() {
    // LE-406, LE-418, LE-419, LE-426
    let result = request(|r| {
        r["headers"]["accept"]["value"] = json!("c");
        r["headers"]["true-client-ip"] = json!({ "value": "192.0.2.1" });
    })
    .unwrap();
    assert_eq!(
        shown(&result.headers),
        [
            "Connection: close",
            "Host: www.test",
            "Accept: c",
            "Accept: b",
            "True-Client-Ip: 192.0.2.1",
            "Cookie: id=1; theme=dark"
        ]
    );
    let set = |name: &str, value: &str| {
        let (name, value) = (name.to_owned(), value.to_owned());
        request(move |r| r["headers"][name] = json!({ "value": value }))
    };
    assert_eq!(rule(set("X-Upper", "1")), ("LE-419", "V-HDR-NAME"));
    assert_eq!(rule(set("x bad", "1")), ("LE-419", "V-HDR-NAME"));
    assert_eq!(rule(set("cookie", "a=1")), ("LE-406", "V-HDR-DENY"));
    assert_eq!(rule(set("x-amz-cf-id", "1")), ("LE-208", "V-HDR-DENY"));
    assert_eq!(rule(set("via", "1")), ("LE-216", "V-HDR-RO"));
    assert_eq!(rule(set("host", "evil.test")), ("LE-214", "V-HDR-RO"));
    assert_eq!(rule(set("x-a", "a\r\nb: c")), ("LE-426", "V-HDR-CHAR"));
    assert_eq!(
        rule(request(|r| r["headers"] = json!({}))),
        ("LE-214", "V-HDR-RO")
    );
    assert_eq!(
        rule(request(|r| r["headers"] = json!([]))),
        ("LE-404", "V-HDR-SHAPE")
    );
}

#[test]
fn cookies_of_a_request_become_one_line() {
    // LE-405, LE-406, LE-418
    let result = request(|r| {
        r["cookies"].as_object_mut().unwrap().remove("id");
        r["cookies"]["New"] = json!({ "multiValue": [{ "value": "1" }, { "value": "2" }] });
    })
    .unwrap();
    assert_eq!(
        shown(&result.headers).last().map(String::as_str),
        Some("Cookie: theme=dark; New=1; New=2")
    );
    let none = request(|r| r["cookies"] = json!({})).unwrap();
    assert!(!shown(&none.headers).iter().any(|l| l.starts_with("Cookie")));
}

#[test]
fn a_response_may_be_changed_in_every_part() {
    // LE-408, LE-409, LE-416, LE-421, LE-423
    let same = response(|_| {}).unwrap();
    assert!(!same.headers_changed && same.body.is_none());
    let changed = response(|r| {
        r["statusCode"] = json!(404);
        r["headers"]["content-length"] = json!({ "value": "99" });
        r["headers"]["x-new"] = json!({ "value": "1" });
        r["cookies"]["a"]["value"] = json!("9");
        r["cookies"]["c"] = json!({ "value": "3", "attributes": "Secure" });
    })
    .unwrap();
    assert_eq!((changed.status, changed.status_description), (404, None));
    assert_eq!(
        shown(&changed.headers),
        [
            "Content-Type: text/html",
            "Content-Length: 5",
            "Via: 1.1 origin",
            "X-New: 1",
            "Set-Cookie: a=9; Path=/",
            "Set-Cookie: b=2",
            "Set-Cookie: c=3; Secure"
        ]
    );
    let own = response(|r| r["statusDescription"] = json!("Fine")).unwrap();
    assert_eq!(own.status_description.as_deref(), Some("Fine"));
    for status in [json!(199), json!(600), json!("200"), json!(200.5)] {
        let refused = response(|r| r["statusCode"] = status);
        assert_eq!(rule(refused), ("LE-421", "V-STATUS"));
    }
    let via = response(|r| {
        r["headers"].as_object_mut().unwrap().remove("via");
    });
    assert_eq!(rule(via), ("LE-216", "V-HDR-RO"));
    let warning = response(|r| r["headers"]["warning"] = json!({ "value": "1" }));
    assert_eq!(rule(warning), ("LE-220", "V-HDR-RO"));
    let cookie = response(|r| r["headers"]["set-cookie"] = json!({ "value": "a=1" }));
    assert_eq!(rule(cookie), ("LE-406", "V-HDR-DENY"));
}

#[test]
fn bodies_are_texts_or_objects() {
    // LE-422, LE-428
    let body = |body: Json| response(|r| r["body"] = body);
    for (given, expected) in [
        (json!("text"), Some("text")),
        (json!(""), Some("")),
        (json!({ "encoding": "text", "data": "x" }), Some("x")),
        (json!({ "encoding": "base64", "data": "YWI=" }), Some("ab")),
        (json!({ "data": "x" }), Some("x")),
        (json!(null), None),
    ] {
        let result = body(given).unwrap().body;
        assert_eq!(result.as_deref(), expected.map(str::as_bytes));
    }
    assert_eq!(rule(body(json!(1))), ("LE-422", "V-BODY-TYPE"));
    assert_eq!(
        rule(body(json!({ "encoding": "gzip", "data": "" }))),
        ("LE-422", "V-BODY-ENC")
    );
    assert_eq!(
        rule(body(json!({ "encoding": "base64", "data": "*" }))),
        ("LE-422", "V-BODY-B64")
    );
    assert!(body(json!("x".repeat(40 * 1024))).is_ok());
    assert_eq!(
        rule(body(json!("x".repeat(40 * 1024 + 1)))),
        ("LE-428", "V-RESP-SIZE")
    );
}

#[test]
fn a_response_made_at_viewer_request_is_made_from_nothing() {
    // LE-415, LE-426
    let make = |headers: Json| {
        let result = json!({ "statusCode": 302, "statusDescription": "Found", "headers": headers, "cookies": { "s": { "value": "1" } } });
        judged(EventType::ViewerRequest, &json!({ "result": result }))
    };
    let HookResult::Response(made) = make(json!({ "location": { "value": "/de" } }))
        .unwrap()
        .result
    else {
        panic!("a response");
    };
    assert_eq!(
        (made.status, made.status_description.as_deref()),
        (302, Some("Found"))
    );
    assert_eq!(shown(&made.headers), ["Location: /de", "Set-Cookie: s=1"]);
    assert!(made.headers_changed);
    for name in ["content-length", "via", "transfer-encoding"] {
        let refused = make(json!({ name: { "value": "1" } }));
        assert_eq!(rule(refused).1, "V-HDR-RO", "{name}");
    }
}

fn chosen(note: Json) -> Result<OriginChange, Violation> {
    let output = json!({ "result": request_of(|_| {}), "origin": note });
    judged(EventType::ViewerRequest, &output).map(|j| j.origin.expect("an origin"))
}

fn updated(update: Json) -> Result<OriginChange, Violation> {
    chosen(json!({ "update": update }))
}

#[test]
fn what_an_update_leaves_out_is_inherited() {
    // LE-475, LE-476, LE-478
    let change = updated(json!({ "domainName": "Eu.test" })).unwrap();
    assert_eq!(
        (change.origin.domain_name.as_str(), change.host.as_deref()),
        ("eu.test", Some("eu.test"))
    );
    assert_eq!(change.origin.custom_headers, origins()[0].custom_headers);
    assert_eq!(change.origin.kind, origins()[0].kind);

    let change = updated(json!({
        "originPath": "/v2",
        "hostHeader": "host.test",
        "sni": "sni.test",
        "customHeaders": {},
        "connectionAttempts": 1,
        "timeouts": { "readTimeout": 7, "connectionTimeout": 3, "keepAliveTimeout": 9, "responseCompletionTimeout": 8 },
        "customOriginConfig": { "port": 8443, "protocol": "http", "sslProtocols": ["TLSv1.2", "TLSv1.1"] },
        "originAccessControlConfig": { "enabled": false, "region": "eu-central-1" },
        "originShield": { "enabled": false },
        "unknown": 1,
    }))
    .unwrap();
    let origin = &change.origin;
    assert_eq!(
        (
            origin.id.as_str(),
            origin.domain_name.as_str(),
            origin.origin_path.as_str()
        ),
        ("app", "app.test", "/v2")
    );
    assert_eq!(
        (change.host.as_deref(), change.server_name.as_deref()),
        (Some("host.test"), Some("sni.test"))
    );
    assert!(origin.custom_headers.is_empty());
    assert_eq!(
        (origin.connection_attempts, origin.read_timeout.as_secs()),
        (1, 7)
    );
    let OriginKind::Custom(custom) = &origin.kind else {
        panic!("custom");
    };
    assert_eq!(
        (
            custom.port,
            custom.protocol,
            custom.keepalive_timeout.as_secs()
        ),
        (8443, OriginProtocol::Http, 9)
    );
}

#[test]
fn updates_out_of_range_or_beyond_this_node_are_refused_by_name() {
    // LE-475, LE-476, LE-103, LE-105, LE-106, LE-186
    for (update, field) in [
        (json!({ "domainName": 1 }), "updateRequestOrigin.domainName"),
        (
            json!({ "domainName": "192.0.2.7" }),
            "origin.custom.domainName",
        ),
        (json!({ "originPath": "x/" }), "origin.custom.path"),
        (
            json!({ "connectionAttempts": 4 }),
            "updateRequestOrigin.connectionAttempts",
        ),
        (
            json!({ "timeouts": { "readTimeout": 121 } }),
            "updateRequestOrigin.readTimeout",
        ),
        (
            json!({ "timeouts": { "responseCompletionTimeout": 5 } }),
            "updateRequestOrigin.timeouts.responseCompletionTimeout",
        ),
        (
            json!({ "customOriginConfig": { "port": 22 } }),
            "origin.custom.port",
        ),
        (
            json!({ "customOriginConfig": { "protocol": "ftp" } }),
            "updateRequestOrigin.customOriginConfig.protocol",
        ),
        (
            json!({ "customHeaders": { "X-A": "1" } }),
            "updateRequestOrigin.customHeaders.X-A",
        ),
        (
            json!({ "customHeaders": { "x-a": 1 } }),
            "updateRequestOrigin.customHeaders.x-a",
        ),
        (
            json!({ "originShield": { "enabled": true, "region": "x" } }),
            "updateRequestOrigin.originShield.enabled",
        ),
        (
            json!({ "originAccessControlConfig": { "enabled": true, "signingBehavior": "always" } }),
            "updateRequestOrigin.originAccessControlConfig.enabled",
        ),
        (
            json!({ "allowedCertificateNames": ["a.test"] }),
            "updateRequestOrigin.allowedCertificateNames",
        ),
        (
            json!({ "ipAddressType": "ipv6" }),
            "updateRequestOrigin.ipAddressType",
        ),
        (
            json!({ "hostHeader": "a b" }),
            "updateRequestOrigin.hostHeader",
        ),
    ] {
        let refused = updated(update.clone()).expect_err("it is refused");
        assert_eq!(
            (refused.field(), refused.code()),
            (field, "V-ORIGIN"),
            "{update}"
        );
    }
    assert_eq!(
        updated(json!({ "customHeaders": { "via": "1" } }))
            .unwrap_err()
            .code(),
        "V-ORIGIN"
    );
    assert_eq!(updated(json!(null)).unwrap_err().rule(), "LE-475");
}

#[test]
fn configured_origins_are_chosen_by_id() {
    // LE-479, LE-480
    let change =
        chosen(json!({ "select": "other", "overrides": { "hostHeader": "h.test" } })).unwrap();
    assert_eq!(
        (change.origin.as_ref(), change.host.as_deref()),
        (origins()[1].as_ref(), Some("h.test"))
    );
    let plain = chosen(json!({ "select": "other", "overrides": {} })).unwrap();
    assert_eq!(plain.host.as_deref(), Some("other.test"));
    for unknown in [json!("gone"), json!(7)] {
        let refused = chosen(json!({ "select": unknown }));
        assert_eq!(rule(refused), ("LE-479", "V-ORIGIN"));
    }
    let group = chosen(json!({ "group": { "originIds": ["app", "other"] } }));
    assert_eq!(rule(group), ("LE-480", "V-ORIGIN"));
}

#[test]
fn custom_log_data_is_url_encoded_and_cut() {
    // LE-483
    let data = |text: &str| {
        let output = json!({ "result": request_of(|_| {}), "data": text });
        judged(EventType::ViewerRequest, &output).unwrap().log_data
    };
    assert_eq!(data("a b=ä").as_deref(), Some("a%20b%3D%C3%A4"));
    assert_eq!(data(&"=".repeat(500)).map(|d| d.len()), Some(798));
}
