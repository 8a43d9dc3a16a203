//! Generated responses, changed responses, headers at the viewer (LE sections 3.3 to 3.5).

use super::*;
use crate::headers::wire_size;

#[test]
fn generated_response_is_taken() {
    // LE-130, LE-131, LE-155, LE-156, LE-157, LE-160, LE-502, LE-503
    for call in [vreq(), oreq()] {
        let r = call
            .generated(&json!({
                "status": "302",
                "statusDescription": "Found elsewhere",
                "headers": {"location": [{"key": "Location", "value": "https://x.test/é"}],
                    "cache-control": [{"value": "max-age=100"}]},
                "body": "hé",
            }))
            .unwrap();
        assert_eq!(r.status, 302);
        assert_eq!(r.status_description.as_deref(), Some("Found elsewhere"));
        let mut headers = pairs(&r.headers);
        headers.sort_unstable();
        assert_eq!(
            headers,
            [
                ("Cache-Control", "max-age=100"),
                ("Location", "https://x.test/é")
            ]
        );
        assert!(r.headers_changed);
        assert_eq!(r.body.as_deref(), Some("hé".as_bytes()));
    }
}

#[test]
fn a_status_alone_is_a_response() {
    // LE-155
    let r = vreq().generated(&json!({"status": 204})).unwrap();
    assert_eq!(
        r,
        ResponseResult {
            status: 204,
            status_description: None,
            headers: vec![],
            headers_changed: true,
            body: None,
        }
    );
}

#[test]
fn status_values() {
    // LE-156, LE-288, LE-557
    for (given, status) in [
        (json!("200"), 200),
        (json!(200), 200),
        (json!(200.0), 200),
        (json!("599"), 599),
        (json!(404), 404),
    ] {
        assert_eq!(
            oreq().generated(&json!({"status": given})).unwrap().status,
            status
        );
    }
    for bad in [
        json!("099"),
        json!("600"),
        json!("OK"),
        json!("200 OK"),
        json!(" 200"),
        json!("0200"),
        json!("+200"),
        json!("2e2"),
        json!(""),
        json!("１００"),
        json!(100),
        json!(101),
        json!("199"),
        json!(600),
        json!(-200),
        json!(200.5),
        json!(1e300),
        json!(65_736),
        json!(18_446_744_073_709_551_615u64),
        json!(null),
        json!(true),
        json!([200]),
        json!({}),
    ] {
        for call in [vreq(), oreq()] {
            assert_refused(call.run(&json!({"status": bad})), "LE-156", "V-STATUS");
        }
    }
    assert_eq!(
        oreq().run(&json!({"status": "600"})).unwrap_err().value(),
        Some("600")
    );
}

#[test]
fn status_description() {
    // LE-157, LE-288
    for good in ["", "OK", "anything goes, é", "tab\there"] {
        let r = vreq()
            .generated(&json!({"status": 200, "statusDescription": good}))
            .unwrap();
        assert_eq!(r.status_description.as_deref(), Some(good));
    }
    for bad in [
        json!("a\r\nb"),
        json!("a\nb"),
        json!("\u{0}"),
        json!(1),
        json!(null),
    ] {
        assert_refused(
            vreq().run(&json!({"status": 200, "statusDescription": bad})),
            "LE-157",
            "V-STATUS",
        );
    }
}

#[test]
fn read_only_headers_in_a_generated_response() {
    // LE-174, LE-166, LE-295, LE-553
    for (call, names) in [
        (
            vreq(),
            &[
                "content-length",
                "via",
                "host",
                "transfer-encoding",
                "cdn-loop",
            ][..],
        ),
        (
            oreq(),
            &[
                "Content-Length",
                "Via",
                "transfer-encoding",
                "accept-encoding",
                "if-none-match",
            ],
        ),
    ] {
        for name in names {
            let v = call
                .run(&json!({"status": 200, "headers": {*name: [{"value": "1"}]}}))
                .unwrap_err();
            assert_eq!(v.code(), "V-HDR-RO", "{name}");
            assert_eq!(v.field(), format!("headers.{}", name.to_lowercase()));
        }
    }
    // Not on the trigger's own list.
    for (call, name) in [
        (oreq(), "host"),
        (vreq(), "accept-encoding"),
        (vreq(), "content-encoding"),
        (oreq(), "warning"),
    ] {
        assert!(
            call.run(&json!({"status": 200, "headers": {name: [{"value": "1"}]}}))
                .is_ok(),
            "{name}"
        );
    }
    // LE-203: an empty list is no header.
    assert!(
        vreq()
            .run(&json!({"status": 200, "headers": {"via": []}}))
            .is_ok()
    );
}

#[test]
fn disallowed_headers_in_a_generated_response() {
    // LE-208, LE-211, LE-294, LE-554
    for call in [vreq(), oreq()] {
        for name in [
            "x-cache",
            "Connection",
            "keep-alive",
            "X-Amz-Cf-Id",
            "x-edge-a",
            "upgrade",
        ] {
            assert_refused(
                call.run(&json!({"status": 200, "headers": {name: [{"value": "close"}]}})),
                "LE-208",
                "V-HDR-DENY",
            );
        }
    }
}

#[test]
fn generated_response_size() {
    // LE-162, LE-256, LE-299, LE-555
    for (call, limit) in [(vreq(), 40_960), (oreq(), 1_048_576)] {
        let headers = json!({"content-type": [{"key": "Content-Type", "value": "text/plain"}]});
        let used = wire_size(&lines(&[("Content-Type", "text/plain")]));
        let with =
            |n: usize| call.run(&json!({"status": 200, "headers": headers, "body": "b".repeat(n)}));
        assert!(with(limit - used).is_ok());
        assert_refused(with(limit - used + 1), "LE-162", "V-RESP-SIZE");
        // Without headers the body has the whole room.
        let bare = |n: usize| call.run(&json!({"status": 200, "body": "b".repeat(n)}));
        assert!(bare(limit).is_ok());
        assert_refused(bare(limit + 1), "LE-162", "V-RESP-SIZE");
    }
    // Headers alone count too.
    assert_refused(
        vreq().run(&json!({"status": 200, "headers": {"x": [{"value": "v".repeat(41_000)}]}})),
        "LE-162",
        "V-RESP-SIZE",
    );
}

#[test]
fn response_size_is_measured_on_the_text_returned() {
    // LE-162: base64 counts as base64, text as UTF-8
    let text = "QUFB".repeat(10_240);
    assert!(
        vreq()
            .run(&json!({"status": 200, "body": text, "bodyEncoding": "base64"}))
            .is_ok()
    );
    assert_refused(
        vreq()
            .run(&json!({"status": 200, "body": format!("{text}QUFB"), "bodyEncoding": "base64"})),
        "LE-162",
        "V-RESP-SIZE",
    );
    assert_refused(
        vreq().run(&json!({"status": 200, "body": "é".repeat(20_481)})),
        "LE-162",
        "V-RESP-SIZE",
    );
}

#[test]
fn no_content_has_no_body() {
    // LE-161, LE-300, LE-556
    for call in [vreq(), oreq()] {
        for body in ["", "x"] {
            assert_refused(
                call.run(&json!({"status": 204, "body": body})),
                "LE-161",
                "V-204",
            );
        }
        assert!(call.run(&json!({"status": 204})).is_ok());
    }
    assert_refused(
        ores().edited(|r| {
            r["status"] = json!("204");
            r["body"] = json!("");
        }),
        "LE-161",
        "V-204",
    );
}

#[test]
fn later_response_checks_keep_their_order() {
    // LE-288, LE-289, LE-298, LE-299, LE-300
    let mut result = json!({"status": "20", "headers": {"via": [{"value": "x"}]}, "body": 5});
    let mends: Vec<Accepted> = vec![
        ("V-STATUS", |r| r["status"] = json!(204)),
        ("V-HDR-RO", |r| remove(r, "headers")),
        ("V-BODY-TYPE", |r| {
            r["body"] = json!("*".repeat(50_000));
            r["bodyEncoding"] = json!("hex");
        }),
        ("V-BODY-ENC", |r| r["bodyEncoding"] = json!("base64")),
        ("V-BODY-B64", |r| r["bodyEncoding"] = json!("text")),
        ("V-RESP-SIZE", |r| r["body"] = json!("")),
    ];
    for (code, mend) in mends {
        assert_eq!(vreq().run(&result).unwrap_err().code(), code);
        mend(&mut result);
    }
    assert_eq!(vreq().run(&result).unwrap_err().code(), "V-204");
    let v = vres()
        .edited(|r| {
            r["status"] = json!(201);
            r["headers"]["bad name"] = json!([{"value": ""}]);
        })
        .unwrap_err();
    assert_eq!(v.code(), "V-STATUS-RO");
}

#[test]
fn unchanged_response_is_left_alone() {
    // LE-175, LE-177, LE-236
    for call in [ores(), vres()] {
        let r = call.response_result(|_| {});
        assert_eq!(r.status, 200);
        assert_eq!(r.headers, call.response_headers);
        assert_eq!((r.headers_changed, r.body), (false, None));
    }
}

#[test]
fn origin_response_may_change_everything() {
    // LE-176, LE-177, LE-514, LE-515
    let call = ores().with(|c| {
        c.status = 503;
        c.description = "Service Unavailable".into();
    });
    let r = call.response_result(|r| {
        r["status"] = json!(200);
        r["statusDescription"] = json!("OK");
        r["body"] = json!("all is well");
        r["headers"]["x-new"] = json!([{"value": "1"}]);
        remove(&mut r["headers"], "content-encoding");
    });
    assert_eq!(
        (r.status, r.status_description.as_deref()),
        (200, Some("OK"))
    );
    assert_eq!(r.body.as_deref(), Some(&b"all is well"[..]));
    assert!(r.headers_changed);
    let names: Vec<&str> = r.headers.iter().map(|l| l.name.as_str()).collect();
    assert!(names.contains(&"x-new") && !names.contains(&"content-encoding"));

    // LE-157: with no description the standard phrase is meant.
    let r = call.response_result(|r| {
        r["status"] = json!("302");
        remove(r, "statusDescription");
        r["body"] = json!("");
    });
    assert_eq!((r.status, r.status_description), (302, None));
    assert_eq!(r.body.as_deref(), Some(&b""[..]));
}

#[test]
fn a_status_the_origin_sent_may_stay() {
    // LE-156, LE-176: the range is for what functions set
    let call = ores().with(|c| c.status = 799);
    assert_eq!(call.response_result(|_| {}).status, 799);
    assert_refused(
        call.edited(|r| r["status"] = json!("798")),
        "LE-156",
        "V-STATUS",
    );
}

#[test]
fn replaced_origin_body_size() {
    // LE-178, LE-299
    let call = ores();
    let used = wire_size(&call.response_headers);
    let with = |n: usize| call.edited(|r| r["body"] = json!("b".repeat(n)));
    assert!(with(1_048_576 - used).is_ok());
    assert_refused(with(1_048_577 - used), "LE-178", "V-RESP-SIZE");
}

#[test]
fn origin_body_forms() {
    // LE-158, LE-159, LE-160, LE-178, LE-298
    let r = ores().response_result(|r| {
        r["body"] = json!("AP/+");
        r["bodyEncoding"] = json!("base64");
    });
    assert_eq!(r.body.as_deref(), Some(&[0u8, 0xff, 0xfe][..]));
    refuse_all(
        &ores(),
        &[
            (
                "number",
                |r| r["body"] = json!(1),
                "LE-160",
                "V-BODY-TYPE",
                "body",
            ),
            (
                "null",
                |r| r["body"] = json!(null),
                "LE-160",
                "V-BODY-TYPE",
                "body",
            ),
            (
                "object",
                |r| r["body"] = json!({"data": "x"}),
                "LE-160",
                "V-BODY-TYPE",
                "body",
            ),
            (
                "array",
                |r| r["body"] = json!([]),
                "LE-160",
                "V-BODY-TYPE",
                "body",
            ),
            (
                "unknown encoding",
                |r| r["bodyEncoding"] = json!("utf-8"),
                "LE-158",
                "V-BODY-ENC",
                "bodyEncoding",
            ),
            (
                "encoding is null",
                |r| r["bodyEncoding"] = json!(null),
                "LE-158",
                "V-BODY-ENC",
                "bodyEncoding",
            ),
            (
                "bad base64",
                |r| {
                    r["body"] = json!("AP/+\n");
                    r["bodyEncoding"] = json!("base64");
                },
                "LE-159",
                "V-BODY-B64",
                "body",
            ),
        ],
    );
}

#[test]
fn transfer_encoding_stays_with_a_replaced_body() {
    // LE-179, LE-215, LE-172, LE-552
    assert_refused(
        ores().edited(|r| {
            r["body"] = json!("x");
            remove(&mut r["headers"], "transfer-encoding");
        }),
        "LE-215",
        "V-HDR-RO",
    );
    let r = ores().response_result(|r| r["body"] = json!("x"));
    assert_eq!(r.body.as_deref(), Some(&b"x"[..]));
}

#[test]
fn content_length_edits_at_origin_response_are_ignored() {
    // LE-227
    let edits: [fn(&mut Value); 3] = [
        |r| r["headers"]["content-length"] = json!([{"value": "7"}]),
        |r| remove(&mut r["headers"], "content-length"),
        |r| r["headers"]["content-length"] = json!([{"value": "7"}, {"value": "8"}]),
    ];
    for edit in edits {
        let r = ores().response_result(edit);
        assert_eq!(r.headers, ores().response_headers);
        assert!(!r.headers_changed);
    }
    let call = ores().with(|c| c.response_headers = lines(&[("Date", "x")]));
    let r = call.response_result(|r| r["headers"]["content-length"] = json!([{"value": "7"}]));
    assert_eq!(
        (pairs(&r.headers), r.headers_changed),
        (vec![("Date", "x")], false)
    );
}

#[test]
fn partial_content_keeps_its_body() {
    // LE-183
    let call = ores().with(|c| c.status = 206);
    assert_refused(
        call.edited(|r| r["body"] = json!("")),
        "LE-183",
        "V-BODY-TYPE",
    );
    assert!(
        call.edited(|r| r["headers"]["x"] = json!([{"value": "1"}]))
            .is_ok()
    );
    let r = call.response_result(|r| {
        r["status"] = json!(200);
        r["body"] = json!("whole");
    });
    assert_eq!(r.body.as_deref(), Some(&b"whole"[..]));
}

#[test]
fn not_modified_refreshes_headers_only() {
    // LE-182
    let call = ores().with(|c| c.status = 304);
    let outcome = call.edited(|r| r["body"] = json!("x")).unwrap();
    assert_eq!(outcome.warnings[0].rule, "LE-182");
    let HookResult::Response(r) = outcome.result else {
        panic!("not a response");
    };
    assert_eq!((r.status, r.body), (304, None));
    let r = call.response_result(|r| {
        r["status"] = json!(200);
        r["body"] = json!("x");
    });
    assert!(r.body.is_some());
}

#[test]
fn absent_headers_mean_none() {
    // LE-147, LE-172
    assert_refused(
        ores().edited(|r| remove(r, "headers")),
        "LE-215",
        "V-HDR-RO",
    );
    let call =
        ores().with(|c| c.response_headers = lines(&[("Date", "x"), ("Connection", "close")]));
    let r = call.response_result(|r| remove(r, "headers"));
    assert_eq!(pairs(&r.headers), [("Connection", "close")]);
}

#[test]
fn viewer_response_changes_headers_only() {
    // LE-190, LE-191, LE-193, LE-289, LE-562
    assert_refused(
        vres().edited(|r| r["status"] = json!("404")),
        "LE-190",
        "V-STATUS-RO",
    );
    for body in [json!("text"), json!(""), json!(5), json!(null)] {
        let call = vres();
        let mut result = call.identity();
        result["body"] = body;
        result["bodyEncoding"] = json!("rot13");
        let outcome = call.run(&result).unwrap();
        assert_eq!(outcome.warnings.len(), 1);
        assert_eq!(outcome.warnings[0].rule, "LE-191");
        let HookResult::Response(r) = outcome.result else {
            panic!("not a response");
        };
        assert_eq!((r.body, r.status_description), (None, None));
    }
    let r = vres().response_result(|r| {
        r["status"] = json!(200);
        r["headers"]["strict-transport-security"] = json!([{"value": "max-age=1"}]);
        remove(&mut r["headers"], "set-cookie");
    });
    assert!(r.headers_changed);
    assert_eq!(r.headers.last().unwrap().key, "Strict-Transport-Security");
}

#[test]
fn response_triggers_read_no_request_fields() {
    // LE-064
    let r = vres().response_result(|r| {
        r["uri"] = json!(5);
        r["method"] = json!("X");
        r["origin"] = json!("nonsense");
        r["querystring"] = json!([]);
    });
    assert!(!r.headers_changed);
}
