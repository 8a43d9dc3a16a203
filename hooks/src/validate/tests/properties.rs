//! Properties over arbitrary messages and results.

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;

/// Names of every sort: plain, hidden, read-only, repeated by picking from few.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        select(
            &[
                "Host",
                "host",
                "Via",
                "Cookie",
                "cookie",
                "Connection",
                "X-Cache",
                "x-amz-cf-id",
                "Content-Length",
                "Transfer-Encoding",
                "content-encoding",
                "If-None-Match",
                "Set-Cookie",
                "Warning",
                "7",
                "CloudFront-Viewer-Country",
            ][..]
        )
        .prop_map(str::to_owned),
        "[a-zA-Z0-9!#$%&'*+.^_`|~-]{1,12}",
    ]
}

/// Any bytes a field value may hold.
fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "[ -~]{0,20}".prop_map(String::into_bytes),
        "[ -~éü😀\t]{0,10}".prop_map(String::into_bytes),
        vec(
            prop_oneof![Just(b'\t'), 0x20u8..=0x7e, 0x80u8..=0xff],
            0..12
        ),
    ]
}

fn header_lines() -> impl Strategy<Value = HeaderLines> {
    vec((name(), value()), 0..60).prop_map(|of| {
        let mut host = false;
        of.iter()
            .map(|(k, v)| raw_line(k, v))
            // One Host with a value, as any request has that gets this far.
            .filter(|l| l.name != "host" || !std::mem::replace(&mut host, true))
            .map(|mut l| {
                if l.name == "host" {
                    l.value = "h.test".parse().unwrap();
                }
                l
            })
            .collect()
    })
}

/// Path or query bytes that may be received: no spaces, no controls.
fn url_bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![0x21u8..=0x7e, 0x80u8..=0xff], 0..40)
}

fn call() -> impl Strategy<Value = Call> {
    (
        select(&EventType::ALL[..]),
        header_lines(),
        header_lines(),
        url_bytes(),
        url_bytes(),
        200u16..600,
        "[ -~]{0,20}",
    )
        .prop_map(
            |(event, headers, response_headers, path, query, status, description)| {
                Call::at(event).with(|c| {
                    c.headers = headers;
                    c.response_headers = response_headers;
                    c.uri = [b"/", &path[..]].concat();
                    c.query = query;
                    c.status = status;
                    c.description = description;
                    if !event.is_viewer() {
                        c.body = Some(b"x".to_vec());
                    }
                })
            },
        )
}

/// JSON with the contract's own words in it, so that it gets past the first checks.
fn json() -> impl Strategy<Value = Value> {
    let word = select(
        &[
            "status",
            "uri",
            "headers",
            "body",
            "origin",
            "custom",
            "s3",
            "value",
            "key",
            "host",
            "method",
            "action",
            "data",
            "encoding",
            "bodyEncoding",
            "querystring",
            "clientIp",
            "customHeaders",
            "domainName",
            "path",
            "port",
            "Records",
            "x-a",
            "X-A",
            "via",
            "connection",
            "__proto__",
            "",
            "bad name",
        ][..],
    )
    .prop_map(str::to_owned);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (100i64..700).prop_map(Value::from),
        select(
            &[
                "200", "GET", "/", "replace", "base64", "text", "YQ==", "none", "http"
            ][..]
        )
        .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 128, 8, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((word.clone(), inner), 0..8)
                .prop_map(|of| of.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #[test]
    fn identity_round_trips(call in call()) {
        // LE-207, LE-235, LE-236: what a function hands back untouched is sent as it was received
        let outcome = call.edited(|_| {}).map_err(|v| TestCaseError::fail(v.to_string()))?;
        prop_assert!(outcome.warnings.is_empty());
        match outcome.result {
            HookResult::Request(r) => {
                prop_assert!(call.event.is_request());
                prop_assert_eq!((r.uri, r.querystring, r.body), (None, None, None));
                prop_assert_eq!(r.origin, None);
                prop_assert!(!r.headers_changed);
                prop_assert_eq!(&r.headers, &call.headers);
            }
            HookResult::Response(r) => {
                prop_assert!(!call.event.is_request());
                prop_assert_eq!(r.status, call.status);
                prop_assert_eq!(r.body, None);
                prop_assert!(!r.headers_changed);
                prop_assert_eq!(&r.headers, &call.response_headers);
            }
        }
    }

    #[test]
    fn adding_a_header_changes_nothing_else(call in call(), value in "[ -~]{0,10}") {
        // LE-149, LE-236
        let added = json!([{"value": value}]);
        let outcome = call.edited(|r| r["headers"]["x-brand-new-header"] = added);
        let outcome = outcome.map_err(|v| TestCaseError::fail(v.to_string()))?;
        let (headers, before) = match &outcome.result {
            HookResult::Request(r) => (&r.headers, &call.headers),
            HookResult::Response(r) => (&r.headers, &call.response_headers),
        };
        let (last, rest) = headers.split_last().unwrap();
        prop_assert_eq!(rest, &before[..]);
        prop_assert_eq!(&last.key[..], b"X-Brand-New-Header");
    }

    #[test]
    fn dropping_all_headers_keeps_hidden_ones_or_is_refused(call in call()) {
        // LE-147, LE-172, LE-207, LE-227
        let before = if call.event.is_request() { &call.headers } else { &call.response_headers };
        let kept: HeaderLines = before.iter().filter(|l| {
            crate::headers::is_disallowed(l.name.as_str())
                || (call.event == EventType::OriginResponse && l.name == "content-length")
        }).cloned().collect();
        let pinned = before.iter().any(|l| {
            crate::headers::read_only_rule(call.event, l.name.as_str()).is_some()
                || (call.event == EventType::OriginRequest && l.name == "host")
        });
        match call.edited(|r| r["headers"] = json!({})) {
            Ok(outcome) => {
                prop_assert!(!pinned);
                let headers = match outcome.result {
                    HookResult::Request(r) => r.headers,
                    HookResult::Response(r) => r.headers,
                };
                prop_assert_eq!(headers, kept);
            }
            Err(v) => {
                prop_assert!(pinned);
                prop_assert_eq!(v.code(), "V-HDR-RO");
            }
        }
    }

    #[test]
    fn order_of_names_does_not_matter(call in call()) {
        // LE-065: JavaScript may hand names back in another order
        let mut names: Vec<(String, Value)> = call.identity()["headers"]
            .as_object().unwrap().clone().into_iter().collect();
        names.reverse();
        let outcome = call.edited(|r| r["headers"] = names.into_iter().collect::<serde_json::Map<_, _>>().into());
        let changed = match outcome.map_err(|v| TestCaseError::fail(v.to_string()))?.result {
            HookResult::Request(r) => r.headers_changed,
            HookResult::Response(r) => r.headers_changed,
        };
        prop_assert!(!changed);
    }

    #[test]
    fn arbitrary_json_never_panics(call in call(), result in json()) {
        // LE-136
        let _ = call.run(&result);
    }

    #[test]
    fn arbitrary_fields_never_panic(call in call(), field in select(&[
        "uri", "headers", "body", "origin", "status", "querystring", "statusDescription", "bodyEncoding",
    ][..]), value in json()) {
        // LE-285
        let _ = call.edited(|r| r[field] = value);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        // LE-136
        for event in EventType::ALL {
            let _ = Call::at(event).run_raw(&bytes);
        }
    }

    #[test]
    fn surrogate_repair_gives_readable_json(units in vec(prop_oneof![
        Just("\\ud83d"), Just("\\ude00"), Just("\\\\"), Just("\\n"), Just("u"), Just("d8"), Just("\\u0041"),
    ], 0..20)) {
        // LE-136: after the repair no lone surrogate is left
        let text = format!("\"{}\"", units.concat());
        if serde_json::from_str::<String>(&text).is_err() {
            let repaired = parse::replace_lone_surrogates(&text);
            prop_assert!(repaired.is_some());
            prop_assert!(serde_json::from_str::<String>(&repaired.unwrap()).is_ok());
        }
    }
}
