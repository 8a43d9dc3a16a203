//! Kinds of results, and the fields of request results (LE sections 3.1, 3.2, 5.1).

use super::*;

#[test]
fn what_is_no_object_is_refused_everywhere() {
    // LE-135, LE-286, LE-559
    for event in EventType::ALL {
        for result in [
            json!(null),
            json!("text"),
            json!(1),
            json!(1.5),
            json!(-3),
            json!(true),
            json!([]),
            json!([{"status": "200"}]),
        ] {
            let v = Call::at(event).run(&result).unwrap_err();
            assert_eq!((v.rule(), v.code()), ("LE-135", "V-TYPE"), "{result}");
        }
    }
}

#[test]
fn what_is_no_json_is_refused() {
    // LE-136, LE-285
    for bad in [
        &b""[..],
        b"undefined",
        b"{",
        b"{\"uri\":",
        b"{}x",
        b"{\"uri\":\"\xff\"}",
        b"{\"uri\":\"\\q\"}",
        b"{'a':1}",
        b"\xef\xbb\xbf{}",
    ] {
        assert_refused(vreq().run_raw(bad), "LE-136", "V-JSON");
    }
}

#[test]
fn results_beyond_the_transport_limit_are_refused_unread() {
    // LE-136
    let mut big = vec![b' '; MAX_RESULT_BYTES - 2];
    big.extend(b"{}");
    assert_refused(vreq().run_raw(&big), "LE-138", "V-KIND");
    big.insert(0, b' ');
    assert_refused(vreq().run_raw(&big), "LE-136", "V-JSON");
}

#[test]
fn status_decides_between_request_and_response() {
    // LE-130, LE-131, LE-134, LE-155
    for call in [vreq(), oreq()] {
        assert!(matches!(
            call.edited(|_| {}).unwrap().result,
            HookResult::Request(_)
        ));
        let outcome = call.run(&json!({"status": "200", "uri": "/x"})).unwrap();
        assert!(matches!(outcome.result, HookResult::Response(_)));
    }
}

#[test]
fn response_triggers_take_responses_only() {
    // LE-132, LE-133, LE-139, LE-287
    for (call, rule) in [(ores(), "LE-132"), (vres(), "LE-133")] {
        let request = call.shown()["Records"][0]["cf"]["request"].take();
        assert_refused(call.run(&request), rule, "V-KIND");
        assert_refused(call.run(&json!({})), rule, "V-KIND");
        assert_refused(call.run(&json!({"headers": {}})), rule, "V-KIND");
        assert_refused(call.run(&call.shown()), "LE-139", "V-KIND");
    }
}

#[test]
fn request_result_without_its_required_fields() {
    // LE-138, LE-139, LE-287
    refuse_all(
        &oreq(),
        &[
            ("no uri", |r| remove(r, "uri"), "LE-138", "V-KIND", "uri"),
            (
                "uri is a number",
                |r| r["uri"] = json!(5),
                "LE-138",
                "V-KIND",
                "uri",
            ),
            (
                "uri is null",
                |r| r["uri"] = json!(null),
                "LE-138",
                "V-KIND",
                "uri",
            ),
            (
                "no headers",
                |r| remove(r, "headers"),
                "LE-138",
                "V-KIND",
                "headers",
            ),
            (
                "headers is an array",
                |r| r["headers"] = json!([]),
                "LE-138",
                "V-KIND",
                "headers",
            ),
            (
                "headers is null",
                |r| r["headers"] = json!(null),
                "LE-138",
                "V-KIND",
                "headers",
            ),
            (
                "empty object",
                |r| *r = json!({}),
                "LE-138",
                "V-KIND",
                "uri",
            ),
        ],
    );
    let call = vreq();
    let event = call.shown();
    assert_refused(call.run(&event), "LE-139", "V-KIND");
    assert_refused(call.run(&event["Records"][0]["cf"]), "LE-139", "V-KIND");
}

#[test]
fn api_gateway_style_is_judged_as_a_request() {
    // LE-134, LE-561
    for call in [vreq(), oreq()] {
        let v = call
            .run(&json!({"statusCode": 200, "body": "x"}))
            .unwrap_err();
        assert_eq!((v.rule(), v.code()), ("LE-138", "V-KIND"));
        assert!(v.message().contains("statusCode"), "{v}");
    }
    // With a request's fields beside it, the body is what fails.
    assert_refused(
        vreq().edited(|r| {
            r["statusCode"] = json!(200);
            r["body"] = json!("x");
        }),
        "LE-244",
        "V-BODY-TYPE",
    );
}

#[test]
fn absent_fields_mean_unchanged_or_empty() {
    // LE-138
    let r = vreq().request_result(|r| {
        for field in ["method", "clientIp", "querystring", "body"] {
            remove(r, field);
        }
    });
    assert_eq!((r.uri, r.body), (None, None));
    assert_eq!(r.querystring.as_deref(), Some(""));
    let r = vreq()
        .with(|c| c.query.clear())
        .request_result(|r| remove(r, "querystring"));
    assert_eq!(r.querystring, None);
}

#[test]
fn unknown_keys_are_ignored() {
    // LE-065
    let call = oreq();
    let r = call.request_result(|r| {
        r["extra"] = json!({"deep": [1, {"a": null}], "status": 1});
        r["origin"]["custom"]["extra"] = json!([]);
        r["origin"]["other"] = json!({});
        r["headers"]["host"][0]["extra"] = json!(1);
    });
    assert_eq!((r.headers_changed, r.origin), (false, None));
}

#[test]
fn unchanged_request_is_left_alone() {
    // LE-145, LE-146, LE-236
    for call in [vreq(), oreq()] {
        let r = call.request_result(|_| {});
        assert_eq!(
            r,
            RequestResult {
                uri: None,
                querystring: None,
                headers: call.headers.clone(),
                headers_changed: false,
                origin: None,
                body: None,
            }
        );
    }
}

#[test]
fn read_only_scalars() {
    // LE-237, LE-290
    refuse_all(
        &vreq(),
        &[
            (
                "method",
                |r| r["method"] = json!("POST"),
                "LE-237",
                "V-METHOD",
                "method",
            ),
            (
                "method in lower case",
                |r| r["method"] = json!("get"),
                "LE-237",
                "V-METHOD",
                "method",
            ),
            (
                "method is null",
                |r| r["method"] = json!(null),
                "LE-237",
                "V-METHOD",
                "method",
            ),
            (
                "client ip",
                |r| r["clientIp"] = json!("192.0.2.1"),
                "LE-237",
                "V-CLIENTIP",
                "clientIp",
            ),
            (
                "client ip is a number",
                |r| r["clientIp"] = json!(1),
                "LE-237",
                "V-CLIENTIP",
                "clientIp",
            ),
        ],
    );
}

#[test]
fn uri_shape() {
    // LE-230, LE-233, LE-291
    refuse_all(
        &vreq(),
        &[
            (
                "no slash",
                |r| r["uri"] = json!("a"),
                "LE-230",
                "V-URI",
                "uri",
            ),
            ("empty", |r| r["uri"] = json!(""), "LE-230", "V-URI", "uri"),
            (
                "absolute",
                |r| r["uri"] = json!("https://x.test/"),
                "LE-230",
                "V-URI",
                "uri",
            ),
            (
                "space",
                |r| r["uri"] = json!("/a b"),
                "LE-233",
                "V-URI",
                "uri",
            ),
            (
                "hash",
                |r| r["uri"] = json!("/a#b"),
                "LE-233",
                "V-URI",
                "uri",
            ),
            (
                "line end",
                |r| r["uri"] = json!("/a\r\nX: y"),
                "LE-233",
                "V-URI",
                "uri",
            ),
            (
                "nul",
                |r| r["uri"] = json!("/a\u{0}"),
                "LE-233",
                "V-URI",
                "uri",
            ),
            (
                "tab",
                |r| r["uri"] = json!("/a\tb"),
                "LE-233",
                "V-URI",
                "uri",
            ),
            (
                "del",
                |r| r["uri"] = json!("/a\u{7f}"),
                "LE-233",
                "V-URI",
                "uri",
            ),
        ],
    );
    let v = vreq().edited(|r| r["uri"] = json!("/a\r")).unwrap_err();
    assert_eq!(v.value(), Some("%0D"));
}

#[test]
fn changed_uri_is_taken() {
    // LE-145, LE-236
    for (given, sent) in [
        ("/b/x", "/b/x"),
        ("/a%20b/é", "/a%20b/é"),
        ("/", "/"),
        ("/a//b/../c", "/a//b/../c"),
    ] {
        let mut call = vreq();
        call.uri = b"/a".to_vec();
        assert_eq!(
            call.request_result(|r| r["uri"] = json!(given)).uri,
            Some(sent.to_owned())
        );
    }
}

#[test]
fn question_mark_in_uri_is_encoded_with_a_warning() {
    // LE-233
    let outcome = vreq().edited(|r| r["uri"] = json!("/a?b=1?")).unwrap();
    assert_eq!(outcome.warnings.len(), 1);
    assert_eq!(outcome.warnings[0].rule, "LE-233");
    let HookResult::Request(r) = outcome.result else {
        panic!("not a request");
    };
    assert_eq!(r.uri.as_deref(), Some("/a%3Fb=1%3F"));
}

#[test]
fn querystring_shape() {
    // LE-232, LE-234, LE-291
    refuse_all(
        &oreq(),
        &[
            (
                "space",
                |r| r["querystring"] = json!("a=b c"),
                "LE-232",
                "V-QS",
                "querystring",
            ),
            (
                "hash",
                |r| r["querystring"] = json!("a#"),
                "LE-232",
                "V-QS",
                "querystring",
            ),
            (
                "line end",
                |r| r["querystring"] = json!("a\nb"),
                "LE-232",
                "V-QS",
                "querystring",
            ),
            (
                "nul",
                |r| r["querystring"] = json!("a\u{0}b"),
                "LE-232",
                "V-QS",
                "querystring",
            ),
            (
                "number",
                |r| r["querystring"] = json!(1),
                "LE-232",
                "V-QS",
                "querystring",
            ),
            (
                "null",
                |r| r["querystring"] = json!(null),
                "LE-232",
                "V-QS",
                "querystring",
            ),
            (
                "object",
                |r| r["querystring"] = json!({"a": "b"}),
                "LE-232",
                "V-QS",
                "querystring",
            ),
        ],
    );
    for given in ["", "a=1&b=2", "a=%20+b", "ü=é", "?a"] {
        let r = oreq().request_result(|r| r["querystring"] = json!(given));
        assert_eq!(r.querystring.as_deref(), Some(given));
    }
}

#[test]
fn url_length() {
    // LE-231, LE-291, LE-566
    let with = |uri: usize, query: usize| {
        vreq().edited(|r| {
            r["uri"] = json!(format!("/{}", "a".repeat(uri - 1)));
            r["querystring"] = json!("q".repeat(query));
        })
    };
    assert!(with(8191, 0).is_ok());
    assert!(with(4000, 4191).is_ok());
    assert_refused(with(8192, 0), "LE-231", "V-URLLEN");
    assert_refused(with(4000, 4192), "LE-231", "V-URLLEN");
    // Characters, not bytes.
    let wide = |n: usize| vreq().edited(|r| r["uri"] = json!(format!("/{}", "é".repeat(n))));
    assert!(wide(8186).is_ok());
    assert_refused(wide(8191), "LE-231", "V-URLLEN");
}

#[test]
fn untouched_latin1_keeps_its_bytes_and_changed_text_goes_as_utf8() {
    // LE-235, LE-236, LE-567
    let call = vreq().with(|c| {
        c.uri = b"/caf\xe9".to_vec();
        c.query = b"q=\xe9".to_vec();
        c.headers = vec![raw_line("Host", b"h"), raw_line("X-Raw", b"caf\xe9")];
    });
    assert_eq!(call.identity()["uri"], "/café");
    let r = call.request_result(|_| {});
    assert_eq!((r.uri, r.querystring), (None, None));
    assert_eq!(r.headers[1].value.as_bytes(), b"caf\xe9");

    let r = call.request_result(|r| {
        r["uri"] = json!("/café/x");
        r["headers"]["x-new"] = json!([{"value": "é"}]);
    });
    assert_eq!(r.uri.as_deref(), Some("/café/x"));
    assert_eq!(r.querystring, None);
    assert_eq!(r.headers[1].value.as_bytes(), b"caf\xe9");
    assert_eq!(r.headers[2].value.as_bytes(), "é".as_bytes());
}

#[test]
fn a_request_may_not_grow_beyond_the_limit() {
    // LE-225, LE-299
    let grow =
        |n: usize| vreq().edited(|r| r["headers"]["x-big"] = json!([{"value": "v".repeat(n)}]));
    assert!(grow(30_000).is_ok());
    assert_refused(grow(33_000), "LE-225", "V-REQ-SIZE");
    // One that was too large already may pass through, and shrink.
    let call = vreq().with(|c| {
        c.headers
            .push(raw_line("X-Big", "v".repeat(40_000).as_bytes()));
    });
    assert!(call.edited(|_| {}).is_ok());
    assert!(
        call.edited(|r| remove(&mut r["headers"], "x-probe"))
            .is_ok()
    );
    assert_refused(
        call.edited(|r| r["uri"] = json!("/a/b.html2")),
        "LE-225",
        "V-REQ-SIZE",
    );
}

#[test]
fn request_size_limit_is_configurable() {
    // LE-225
    let call = vreq();
    let request = RequestView {
        headers: &[],
        ..call.request()
    };
    // `GET /a/b.html?x=1 HTTP/1.1` and its line end are 28 bytes, `a: b` and its line end 6.
    let result = br#"{"uri":"/a/b.html","querystring":"x=1","headers":{"a":[{"value":"b"}]}}"#;
    let at = |max_request_bytes| {
        let input = Input {
            max_request_bytes,
            ..Input::new(EventType::ViewerRequest, request)
        };
        validate(&input, result)
    };
    assert!(at(34).is_ok());
    assert_refused(at(33), "LE-225", "V-REQ-SIZE");
}

#[test]
fn the_first_failure_in_the_contracts_order_wins() {
    // LE-285, LE-286, LE-287, LE-290, LE-291, LE-292, LE-293, LE-294, LE-295, LE-296, LE-297, LE-298: a result
    // that breaks everything is mended from the front, one check at a time.
    let mut result = vreq().identity();
    result["method"] = json!("PUT");
    result["clientIp"] = json!("1.1.1.1");
    result["uri"] = json!("x");
    result["querystring"] = json!("a b");
    result["headers"]["x-shape"] = json!("text");
    result["headers"]["bad name"] = json!([{"value": "v"}]);
    result["headers"]["x-char"] = json!([{"value": "a\nb"}]);
    result["headers"]["connection"] = json!([{"value": "close"}]);
    result["headers"]["host"] = json!([{"value": "evil.test"}]);
    result["headers"]["cloudfront-viewer-country"] = json!([{"value": "PT"}]);
    result["origin"] = custom_json();
    result["body"] = json!(1);
    let mends: Vec<Accepted> = vec![
        ("V-METHOD", |r| remove(r, "method")),
        ("V-CLIENTIP", |r| remove(r, "clientIp")),
        ("V-URI", |r| r["uri"] = json!("/x")),
        ("V-QS", |r| r["querystring"] = json!("x".repeat(9000))),
        ("V-URLLEN", |r| r["querystring"] = json!("")),
        ("V-HDR-SHAPE", |r| remove(&mut r["headers"], "x-shape")),
        ("V-HDR-NAME", |r| remove(&mut r["headers"], "bad name")),
        ("V-HDR-CHAR", |r| remove(&mut r["headers"], "x-char")),
        ("V-HDR-DENY", |r| remove(&mut r["headers"], "connection")),
        ("V-HDR-RO", |r| {
            r["headers"]["host"] = vreq().identity()["headers"]["host"].take()
        }),
        ("V-HDR-COUNTRY", |r| {
            remove(&mut r["headers"], "cloudfront-viewer-country")
        }),
        ("V-ORIGIN", |r| remove(r, "origin")),
    ];
    for (code, mend) in mends {
        assert_eq!(vreq().run(&result).unwrap_err().code(), code);
        mend(&mut result);
    }
    assert_eq!(vreq().run(&result).unwrap_err().code(), "V-BODY-TYPE");
    remove(&mut result, "body");
    assert!(vreq().run(&result).is_ok());
}
