//! Header maps in results (LE section 4).

use super::*;

#[test]
fn map_shape() {
    // LE-196, LE-201, LE-202, LE-292, LE-558
    refuse_all(
        &vreq(),
        &[
            (
                "entry is text",
                |r| r["headers"]["X-A"] = json!("v"),
                "LE-202",
                "V-HDR-SHAPE",
                "headers.x-a",
            ),
            (
                "entry is an object, as in CloudFront Functions",
                |r| r["headers"]["x-a"] = json!({"value": "v"}),
                "LE-202",
                "V-HDR-SHAPE",
                "headers.x-a",
            ),
            (
                "entry is null",
                |r| r["headers"]["x-a"] = json!(null),
                "LE-202",
                "V-HDR-SHAPE",
                "headers.x-a",
            ),
            (
                "element is text",
                |r| r["headers"]["x-a"] = json!(["v"]),
                "LE-202",
                "V-HDR-SHAPE",
                "headers.x-a",
            ),
            (
                "element is an array",
                |r| r["headers"]["x-a"] = json!([[]]),
                "LE-202",
                "V-HDR-SHAPE",
                "headers.x-a",
            ),
            (
                "element without value",
                |r| r["headers"]["x-a"] = json!([{"key": "X-A"}]),
                "LE-202",
                "V-HDR-SHAPE",
                "headers.x-a",
            ),
            (
                "value is a number",
                |r| r["headers"]["x-a"] = json!([{"value": 1}]),
                "LE-201",
                "V-HDR-VALUE",
                "headers.x-a",
            ),
            (
                "value is a boolean",
                |r| r["headers"]["x-a"] = json!([{"value": true}]),
                "LE-201",
                "V-HDR-VALUE",
                "headers.x-a",
            ),
            (
                "value is null",
                |r| r["headers"]["x-a"] = json!([{"value": null}]),
                "LE-201",
                "V-HDR-VALUE",
                "headers.x-a",
            ),
            (
                "value is an object",
                |r| r["headers"]["x-a"] = json!([{"value": {}}]),
                "LE-201",
                "V-HDR-VALUE",
                "headers.x-a",
            ),
            (
                "value array holds a number",
                |r| r["headers"]["x-a"] = json!([{"value": ["a", 1]}]),
                "LE-201",
                "V-HDR-VALUE",
                "headers.x-a",
            ),
        ],
    );
    for call in [ores(), vres()] {
        for bad in [json!([]), json!(null), json!("x"), json!(5)] {
            let v = call
                .run(&json!({"status": "200", "headers": bad}))
                .unwrap_err();
            assert_eq!((v.rule(), v.code()), ("LE-196", "V-HDR-SHAPE"));
        }
    }
}

#[test]
fn names_and_values() {
    // LE-204, LE-283, LE-293, LE-558
    refuse_all(
        &vres(),
        &[
            (
                "space in name",
                |r| r["headers"]["x a"] = json!([{"value": "v"}]),
                "LE-204",
                "V-HDR-NAME",
                "headers",
            ),
            (
                "empty name",
                |r| r["headers"][""] = json!([{"value": "v"}]),
                "LE-204",
                "V-HDR-NAME",
                "headers",
            ),
            (
                "colon in name",
                |r| r["headers"][":path"] = json!([{"value": "v"}]),
                "LE-204",
                "V-HDR-NAME",
                "headers",
            ),
            (
                "line end in name",
                |r| r["headers"]["a\r\nb"] = json!([{"value": "v"}]),
                "LE-204",
                "V-HDR-NAME",
                "headers",
            ),
            (
                "letter beyond ASCII",
                |r| r["headers"]["é"] = json!([{"value": "v"}]),
                "LE-204",
                "V-HDR-NAME",
                "headers",
            ),
            (
                "CR LF",
                |r| r["headers"]["X-A"] = json!([{"value": "x\r\ny"}]),
                "LE-204",
                "V-HDR-CHAR",
                "headers.x-a",
            ),
            (
                "LF",
                |r| r["headers"]["x-a"] = json!([{"value": "x\ny"}]),
                "LE-204",
                "V-HDR-CHAR",
                "headers.x-a",
            ),
            (
                "NUL",
                |r| r["headers"]["x-a"] = json!([{"value": "\u{0}"}]),
                "LE-204",
                "V-HDR-CHAR",
                "headers.x-a",
            ),
            (
                "escape",
                |r| r["headers"]["x-a"] = json!([{"value": "\u{1b}[0m"}]),
                "LE-204",
                "V-HDR-CHAR",
                "headers.x-a",
            ),
            (
                "DEL",
                |r| r["headers"]["x-a"] = json!([{"value": "\u{7f}"}]),
                "LE-204",
                "V-HDR-CHAR",
                "headers.x-a",
            ),
            (
                "in a value array",
                |r| r["headers"]["x-a"] = json!([{"value": ["ok", "x\r"]}]),
                "LE-204",
                "V-HDR-CHAR",
                "headers.x-a",
            ),
            (
                "in a header that was shown",
                |r| r["headers"]["date"][0]["value"] = json!("a\nb"),
                "LE-204",
                "V-HDR-CHAR",
                "headers.date",
            ),
        ],
    );
    let v = vreq()
        .run(&json!({"status": 302, "headers": {"location": [{"value": "/x\r\nset-cookie: a"}]}}))
        .unwrap_err();
    assert_eq!((v.field(), v.value()), ("headers.location", Some("%0D")));
    accept_all(
        &vres(),
        &[
            ("tab", |r| r["headers"]["x-a"] = json!([{"value": "a\tb"}])),
            ("empty value", |r| {
                r["headers"]["x-a"] = json!([{"value": ""}])
            }),
            ("letters beyond ASCII", |r| {
                r["headers"]["x-a"] = json!([{"value": "é\u{85}😀"}])
            }),
            ("every token character", |r| {
                r["headers"]["!#$%&'*+-.^_`|~09az"] = json!([{"value": ""}])
            }),
            ("a name JavaScript treats as special", |r| {
                r["headers"]["__proto__"] = json!([{"value": ""}])
            }),
        ],
    );
}

#[test]
fn value_arrays_become_lines() {
    // LE-201, LE-205, LE-558
    let r = vres().response_result(|r| {
        r["headers"] = json!({
            "x-a": [{"value": ["a", "b"]}, {"key": "x-A", "value": "c"}, {"value": []}],
        });
        let shown = vres().identity();
        for name in [
            "content-length",
            "transfer-encoding",
            "via",
            "content-encoding",
            "warning",
        ] {
            r["headers"][name] = shown["headers"][name].clone();
        }
    });
    let lines: Vec<_> = pairs(&r.headers)
        .into_iter()
        .filter(|(k, _)| k.eq_ignore_ascii_case("x-a"))
        .collect();
    assert_eq!(lines, [("X-A", "a"), ("X-A", "b"), ("x-A", "c")]);
}

#[test]
fn keys_are_derived_given_or_overruled() {
    // LE-198, LE-200, LE-501
    let call = ores();
    let outcome = call
        .edited(|r| {
            r["headers"]["x-derived-name"] = json!([{"value": "1"}]);
            r["headers"]["x-given"] = json!([{"key": "x-GIVEN", "value": "2"}]);
            r["headers"]["last-modified"] =
                json!([{"key": "X-Amz-Meta-Last-Modified", "value": "3"}]);
            r["headers"]["x-odd"] = json!([{"key": 5, "value": "4"}]);
            r["headers"]["X-UPPER"] = json!([{"key": null, "value": "5"}]);
        })
        .unwrap();
    assert_eq!(
        outcome.warnings.iter().map(|w| w.rule).collect::<Vec<_>>(),
        ["LE-200", "LE-200"]
    );
    let HookResult::Response(r) = outcome.result else {
        panic!("not a response");
    };
    let mut new = pairs(&r.headers).split_off(call.response_headers.len());
    // `serde_json::Value` may sort names; whether it does depends on the build.
    new.sort_by_key(|(_, value)| *value);
    assert_eq!(
        new,
        [
            ("X-Derived-Name", "1"),
            ("x-GIVEN", "2"),
            ("Last-Modified", "3"),
            ("X-Odd", "4"),
            ("X-Upper", "5")
        ]
    );
}

#[test]
fn strict_header_keys_refuse_a_foreign_key() {
    // LE-200
    let call = ores().with(|c| c.strict_keys = true);
    assert_refused(
        call.edited(|r| r["headers"]["date"][0]["key"] = json!("Expires")),
        "LE-200",
        "V-HDR-NAME",
    );
    // LE-283
    let told = call.edited(|r| r["headers"]["date"][0]["key"] = json!("Expires"));
    assert_eq!(
        told.unwrap_err().to_string(),
        "LE-200 V-HDR-NAME: `headers.date`: `key` must be the header's name, got `Expires`"
    );
    assert!(
        call.edited(|r| r["headers"]["date"][0]["key"] = json!("DATE"))
            .is_ok()
    );
}

#[test]
fn names_equal_but_for_case_are_concatenated() {
    // LE-199
    let call = vreq().with(|c| c.headers = lines(&[("Host", "h"), ("X-A", "0")]));
    let json = br#"{"uri":"/a/b.html","querystring":"x=1","headers":{
        "X-a":[{"value":"1"}],"host":[{"value":"h"}],"x-b":[{"value":"2"}],
        "x-A":[{"value":"3"}],"X-B":[{"value":"4"}],"x-a":[{"value":"5"}],"x-a":[{"value":"6"}]}}"#;
    let HookResult::Request(r) = call.run_raw(json).unwrap().result else {
        panic!("not a request");
    };
    assert_eq!(
        pairs(&r.headers),
        [
            ("Host", "h"),
            ("X-A", "1"),
            ("X-A", "3"),
            ("X-A", "5"),
            ("X-A", "6"),
            ("X-B", "2"),
            ("X-B", "4")
        ]
    );
    // Together they are what was shown: nothing changed.
    let call = vreq().with(|c| c.headers = lines(&[("Host", "h"), ("X-A", "1"), ("X-A", "2")]));
    let r = call.request_result(|r| {
        r["headers"] = json!({"HOST": [{"key": "Host", "value": "h"}],
            "X-A": [{"value": "1"}], "x-a": [{"value": "2"}]});
    });
    assert!(!r.headers_changed);
}

#[test]
fn empty_array_is_an_absent_header() {
    // LE-203, LE-147
    let r = vreq().request_result(|r| {
        r["headers"]["x-probe"] = json!([]);
        r["headers"]["connection"] = json!([]);
        r["headers"]["x-none"] = json!([]);
    });
    assert!(!r.headers.iter().any(|l| l.name == "x-probe"));
    assert!(r.headers.iter().any(|l| l.name == "connection"));
    assert_refused(
        vreq().edited(|r| r["headers"]["host"] = json!([])),
        "LE-214",
        "V-HDR-RO",
    );
}

#[test]
fn untouched_lines_keep_bytes_casing_and_place() {
    // LE-236, LE-206
    let call = vreq().with(|c| {
        c.headers = vec![
            raw_line("hOST", b"h"),
            raw_line("X-Raw", b"\xe9"),
            raw_line("accept", b"a"),
            raw_line("x-raw", b"b"),
            raw_line("Accept", b"c"),
        ];
    });
    let r = call.request_result(|r| r["headers"]["accept"][1]["value"] = json!("d"));
    let got: Vec<(&[u8], &[u8])> = r
        .headers
        .iter()
        .map(|l| (&l.key[..], l.value.as_bytes()))
        .collect();
    assert_eq!(
        got,
        [
            (&b"hOST"[..], &b"h"[..]),
            (b"X-Raw", b"\xe9"),
            (b"accept", b"a"),
            (b"Accept", b"d"),
            (b"x-raw", b"b"),
        ]
    );
    // A value left alone in a changed header keeps its bytes as well.
    let r = call.request_result(|r| {
        r["headers"]["x-raw"] = json!([{"value": "new"}, {"value": "é"}, {"value": "b"}]);
    });
    let raw: Vec<&[u8]> = r
        .headers
        .iter()
        .filter(|l| l.name == "x-raw")
        .map(|l| l.value.as_bytes())
        .collect();
    assert_eq!(raw, [&b"new"[..], b"\xe9", b"b"]);
}

#[test]
fn untouched_cookies_stay_separate_and_changed_ones_are_joined() {
    // LE-097, LE-236
    let cookies = |r: &RequestResult| -> Vec<String> {
        r.headers
            .iter()
            .filter(|l| l.name == "cookie")
            .map(|l| l.value.to_str().unwrap().to_owned())
            .collect()
    };
    let r = vreq().request_result(|r| r["headers"]["x-new"] = json!([{"value": "1"}]));
    assert_eq!(cookies(&r), ["a=1", "b=2"]);
    let r = vreq().request_result(|r| r["headers"]["cookie"][0]["value"] = json!("a=1; b=3"));
    assert_eq!(cookies(&r), ["a=1; b=3"]);
    let r = vreq().request_result(|r| r["headers"]["cookie"][0]["key"] = json!("cookie"));
    assert_eq!(cookies(&r), ["a=1", "b=2"]);
    let r = vreq().request_result(|r| remove(&mut r["headers"], "cookie"));
    assert!(cookies(&r).is_empty());
}

#[test]
fn hidden_headers_are_kept() {
    // LE-207
    let r = vreq().request_result(|r| {
        r["headers"] = json!({});
        let shown = vreq().identity();
        for name in ["host", "content-length", "via", "cdn-loop"] {
            r["headers"][name] = shown["headers"][name].clone();
        }
    });
    let names: Vec<&str> = r.headers.iter().map(|l| l.name.as_str()).collect();
    assert_eq!(
        names,
        ["host", "connection", "content-length", "via", "cdn-loop"]
    );
}

#[test]
fn disallowed_headers_are_refused_at_every_trigger() {
    // LE-208, LE-209, LE-210, LE-211, LE-294
    let names = [
        "Connection",
        "Expect",
        "Keep-Alive",
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "Proxy-Connection",
        "Trailer",
        "Upgrade",
        "X-Accel-Buffering",
        "X-Accel-Charset",
        "X-Accel-Limit-Rate",
        "X-Accel-Redirect",
        "X-Amz-Cf-Pop",
        "X-Amzn-Auth",
        "X-Amzn-Cf-Billing",
        "X-Amzn-Cf-Id",
        "X-Amzn-Cf-Xff",
        "X-Amzn-Errortype",
        "X-Amzn-Fle-Profile",
        "X-Amzn-Header-Count",
        "X-Amzn-Header-Order",
        "X-Amzn-Lambda-Integration-Tag",
        "X-Amzn-RequestId",
        "X-Cache",
        "X-Edge-Location",
        "X-Forwarded-Proto",
        "X-Real-IP",
    ];
    for event in EventType::ALL {
        for name in names {
            let v = Call::at(event)
                .edited(|r| r["headers"][name] = json!([{"key": name, "value": "v"}]))
                .unwrap_err();
            assert_eq!(
                (v.rule(), v.code()),
                ("LE-208", "V-HDR-DENY"),
                "{name} at {event}"
            );
            assert_eq!(v.field(), format!("headers.{}", name.to_lowercase()));
        }
        // The value the viewer or the origin sent does not excuse it.
        let sent = Call::at(event)
            .edited(|r| r["headers"]["connection"] = json!([{"value": "keep-alive"}]));
        assert_refused(sent, "LE-208", "V-HDR-DENY");
        let allowed = Call::at(event)
            .edited(|r| r["headers"]["x-amzn-trace-id"] = json!([{"value": "Root=1"}]));
        assert!(allowed.is_ok());
    }
}

/// Every read-only header of each trigger, with its rule.
const READ_ONLY: [(EventType, &[(&str, &str)]); 4] = [
    (
        EventType::ViewerRequest,
        &[
            ("cdn-loop", "LE-212"),
            ("content-length", "LE-213"),
            ("host", "LE-214"),
            ("transfer-encoding", "LE-215"),
            ("via", "LE-216"),
        ],
    ),
    (
        EventType::OriginRequest,
        &[
            ("cdn-loop", "LE-212"),
            ("content-length", "LE-213"),
            ("transfer-encoding", "LE-215"),
            ("via", "LE-216"),
            ("accept-encoding", "LE-217"),
            ("if-modified-since", "LE-218"),
            ("if-none-match", "LE-218"),
            ("if-range", "LE-218"),
            ("if-unmodified-since", "LE-218"),
        ],
    ),
    (
        EventType::OriginResponse,
        &[("transfer-encoding", "LE-215"), ("via", "LE-216")],
    ),
    (
        EventType::ViewerResponse,
        &[
            ("content-length", "LE-213"),
            ("transfer-encoding", "LE-215"),
            ("via", "LE-216"),
            ("content-encoding", "LE-219"),
            ("warning", "LE-220"),
        ],
    ),
];

/// A call whose message has exactly `Host` and that header twice.
fn with_two(event: EventType, name: &str) -> Call {
    Call::at(event).with(|c| {
        let own = lines(&[("Host", "h.test"), (name, "one"), (name, "two")]);
        let own = if name == "host" {
            own[..1].to_vec()
        } else {
            own
        };
        if event.is_request() {
            c.headers = own;
        } else {
            c.response_headers = own;
        }
    })
}

#[test]
fn read_only_headers_may_not_be_changed_removed_or_added() {
    // LE-171, LE-172, LE-212, LE-213, LE-214, LE-215, LE-216, LE-217, LE-218, LE-219, LE-220, LE-295, LE-550,
    // LE-551, LE-562
    for (event, names) in READ_ONLY {
        for (name, rule) in names {
            let call = with_two(event, name);
            let case = |what: &str, result: Result<Outcome, Violation>| {
                let v = result.expect_err(&format!("{what} {name} at {event}"));
                assert_eq!(
                    (v.rule(), v.code(), v.field()),
                    (*rule, "V-HDR-RO", format!("headers.{name}").as_str()),
                    "{what} at {event}"
                );
            };
            let edit = |f: &dyn Fn(&mut Value)| call.edited(|r| f(&mut r["headers"]));
            case("changed", edit(&|h| h[*name][0]["value"] = json!("other")));
            case("removed", edit(&|h| remove(h, name)));
            case("emptied", edit(&|h| h[*name] = json!([])));
            case(
                "one more",
                edit(&|h| h[*name].as_array_mut().unwrap().push(json!({"value": "x"}))),
            );
            case(
                "added under another casing",
                edit(&|h| h[name.to_uppercase()] = json!([{"value": "x"}])),
            );
            if *name != "host" {
                case(
                    "reordered",
                    edit(&|h| h[*name].as_array_mut().unwrap().reverse()),
                );
                case(
                    "one less",
                    edit(&|h| {
                        h[*name].as_array_mut().unwrap().pop();
                    }),
                );
            }
            // Added where there was none.
            let bare = call.clone().with(|c| {
                c.headers.retain(|l| l.name != *name);
                c.response_headers.retain(|l| l.name != *name);
            });
            case(
                "added",
                bare.edited(|r| r["headers"][*name] = json!([{"value": "one"}])),
            );
            assert!(call.edited(|_| {}).is_ok());
        }
    }
}

#[test]
fn casing_of_a_read_only_header_is_no_change() {
    // LE-173
    let call = vreq();
    let r = call.request_result(|r| {
        r["headers"]["host"][0]["key"] = json!("hOsT");
        remove(&mut r["headers"]["via"][0], "key");
    });
    assert_eq!(r.headers, call.headers);
    assert!(!r.headers_changed);
}

#[test]
fn headers_off_the_list_are_writable() {
    // LE-147, LE-149, LE-214, LE-217, LE-218, LE-219, LE-220
    accept_all(
        &vreq(),
        &[
            ("accept-encoding", |r| {
                r["headers"]["accept-encoding"] = json!([{"value": "br"}])
            }),
            ("if-none-match", |r| {
                remove(&mut r["headers"], "if-none-match")
            }),
            ("x-forwarded-for", |r| {
                r["headers"]["x-forwarded-for"] = json!([{"value": "1"}])
            }),
        ],
    );
    accept_all(
        &oreq(),
        &[
            ("host", |r| {
                r["headers"]["host"][0]["value"] = json!("other.test")
            }),
            ("x-forwarded-for", |r| {
                remove(&mut r["headers"], "x-forwarded-for")
            }),
            ("authorization", |r| {
                r["headers"]["authorization"] = json!([{"value": "Basic eA=="}])
            }),
            ("warning", |r| {
                r["headers"]["warning"] = json!([{"value": "1"}])
            }),
        ],
    );
    accept_all(
        &ores(),
        &[
            ("content-encoding", |r| {
                r["headers"]["content-encoding"] = json!([{"value": "br"}])
            }),
            ("warning", |r| remove(&mut r["headers"], "warning")),
            ("server", |r| {
                r["headers"]["server"] = json!([{"value": "x"}])
            }),
        ],
    );
}

#[test]
fn host_at_origin_request() {
    // LE-185, LE-150
    let r = oreq()
        .request_result(|r| r["headers"]["host"] = json!([{"key": "Host", "value": "b.test"}]));
    assert_eq!(pairs(&r.headers)[0], ("Host", "b.test"));
    let field = "headers.host";
    refuse_all(
        &oreq(),
        &[
            (
                "removed",
                |r| remove(&mut r["headers"], "host"),
                "LE-185",
                "V-HDR-RO",
                field,
            ),
            (
                "emptied",
                |r| r["headers"]["host"] = json!([]),
                "LE-185",
                "V-HDR-RO",
                field,
            ),
            (
                "no value",
                |r| r["headers"]["host"] = json!([{"value": ""}]),
                "LE-185",
                "V-HDR-RO",
                field,
            ),
            (
                "two values",
                |r| r["headers"]["host"] = json!([{"value": "a"}, {"value": "b"}]),
                "LE-185",
                "V-HDR-RO",
                field,
            ),
            (
                "two names",
                |r| r["headers"]["HOST"] = json!([{"value": "b"}]),
                "LE-185",
                "V-HDR-RO",
                field,
            ),
        ],
    );
    // A request that had none may get one, not two.
    let call = oreq().with(|c| c.headers.retain(|l| l.name != "host"));
    assert!(call.edited(|_| {}).is_ok());
    assert!(
        call.edited(|r| r["headers"]["Host"] = json!([{"value": "a"}]))
            .is_ok()
    );
    assert_refused(
        call.edited(|r| {
            r["headers"]["Host"] = json!([{"value": "a"}]);
            r["headers"]["host"] = json!([{"value": "a"}]);
        }),
        "LE-185",
        "V-HDR-RO",
    );
}

#[test]
fn country_header() {
    // LE-189, LE-222, LE-223, LE-296
    let add = |r: &mut Value| r["headers"]["CloudFront-Viewer-Country"] = json!([{"value": "DE"}]);
    assert_refused(vreq().edited(add), "LE-223", "V-HDR-COUNTRY");
    let sent = vreq().with(|c| c.headers.push(raw_line("CloudFront-Viewer-Country", b"PT")));
    assert!(sent.edited(|_| {}).is_ok());
    assert!(
        vreq()
            .edited(|r| r["headers"]["cloudfront-is-mobile-viewer"] = json!([{"value": "true"}]))
            .is_ok()
    );
    let bare = oreq().with(|c| c.headers.retain(|l| l.name != "cloudfront-viewer-country"));
    assert!(bare.edited(add).is_ok());
    assert!(
        oreq()
            .edited(|r| remove(&mut r["headers"], "cloudfront-viewer-country"))
            .is_ok()
    );
}

#[test]
fn set_cookie_lines_stay_lines() {
    // LE-205
    let r = vres().response_result(|r| {
        r["headers"]["set-cookie"]
            .as_array_mut()
            .unwrap()
            .push(json!({"key": "Set-Cookie", "value": "c=3"}));
    });
    let cookies: Vec<_> = pairs(&r.headers)
        .into_iter()
        .filter(|(k, _)| *k == "Set-Cookie")
        .map(|(_, v)| v)
        .collect();
    assert_eq!(cookies, ["a=1; Path=/", "b=2; Path=/", "c=3"]);
}

#[test]
fn warnings_are_bounded() {
    // LE-200
    let outcome = vres()
        .edited(|r| {
            for i in 0..500 {
                r["headers"][format!("x-{i}")] = json!([{"key": "other", "value": ""}]);
            }
        })
        .unwrap();
    assert_eq!(outcome.warnings.len(), 16);
}

#[test]
fn header_lines_are_bounded() {
    // LE-225, LE-299
    let many = |n: usize| json!({"status": 200, "headers": {"x": vec![json!({"value": ""}); n]}});
    assert!(oreq().run(&many(MAX_HEADER_LINES)).is_ok());
    for n in [MAX_HEADER_LINES + 1, 100_000] {
        assert_eq!(oreq().run(&many(n)).unwrap_err().code(), "V-REQ-SIZE");
    }
    let names: serde_json::Map<String, Value> = (0..MAX_HEADER_LINES + 2)
        .map(|i| (format!("x-{i}"), json!([])))
        .collect();
    assert_eq!(
        oreq()
            .run(&json!({"status": 200, "headers": names}))
            .unwrap_err()
            .code(),
        "V-REQ-SIZE"
    );
    let values = json!({"status": 200, "headers": {"x": [{"value": vec![""; 100_000]}]}});
    assert_eq!(oreq().run(&values).unwrap_err().code(), "V-REQ-SIZE");
}
