//! Origin objects in origin-request results (LE section 2.3).

use fourfront_model::SslProtocol;

use super::*;
use crate::event::OriginObjectKind;

fn new_origin(call: &Call, edit: impl FnOnce(&mut Value)) -> OriginObject {
    call.request_result(edit).origin.unwrap()
}

#[test]
fn untouched_or_absent_origin_is_unchanged() {
    // LE-116, LE-146
    for origin in [
        custom(),
        s3(S3AuthMethod::None),
        s3(S3AuthMethod::OriginAccessIdentity),
    ] {
        let call = oreq().with(|c| c.origin = Some(origin));
        assert_eq!(call.request_result(|_| {}).origin, None);
        assert_eq!(call.request_result(|r| remove(r, "origin")).origin, None);
    }
}

#[test]
fn what_the_configuration_allows_may_stay() {
    // LE-103, LE-106, LE-116: this node's origins may be addresses on any port, with any times
    let call = oreq().with(|c| {
        c.origin = Some(OriginObject {
            domain_name: "127.0.0.1".into(),
            read_timeout: 600,
            custom_headers: (0..20)
                .map(|i| (format!("X-Edge-{i}"), "v".into()))
                .collect(),
            kind: OriginObjectKind::Custom {
                keepalive_timeout: 0,
                port: 81,
                protocol: OriginProtocol::Http,
                ssl_protocols: vec![],
            },
            ..custom()
        });
    });
    assert_eq!(call.request_result(|_| {}).origin, None);
    let origin = new_origin(&call, |r| r["origin"]["custom"]["path"] = json!("/v9"));
    assert_eq!(
        (origin.path.as_str(), origin.domain_name.as_str()),
        ("/v9", "127.0.0.1")
    );
    // But not another address, nor another odd port.
    assert_refused(
        call.edited(|r| r["origin"]["custom"]["domainName"] = json!("127.0.0.2")),
        "LE-103",
        "V-ORIGIN",
    );
    assert_refused(
        call.edited(|r| r["origin"]["custom"]["port"] = json!(82)),
        "LE-106",
        "V-ORIGIN",
    );
}

#[test]
fn origin_at_viewer_request_is_refused() {
    // LE-117, LE-297
    for origin in [custom_json(), s3_json(), json!(null), json!({})] {
        assert_refused(
            vreq().edited(|r| r["origin"] = origin),
            "LE-117",
            "V-ORIGIN",
        );
    }
}

#[test]
fn exactly_one_kind() {
    // LE-100, LE-297, LE-564
    let both = json!({"custom": custom_json()["custom"], "s3": s3_json()["s3"]});
    for bad in [
        both,
        json!({}),
        json!({"vpc": {}}),
        json!(null),
        json!("x"),
        json!([]),
        json!({"custom": 5}),
        json!({"s3": []}),
        json!({"custom": null, "s3": null}),
    ] {
        assert_refused(oreq().edited(|r| r["origin"] = bad), "LE-100", "V-ORIGIN");
    }
    let one = json!({"custom": custom_json()["custom"], "s3": null});
    assert!(oreq().edited(|r| r["origin"] = one).is_ok());
}

#[test]
fn custom_to_s3_and_back() {
    // LE-113, LE-115, LE-116, LE-509, LE-511
    let to_s3 = new_origin(&oreq(), |r| r["origin"] = s3_json());
    assert_eq!(
        to_s3,
        OriginObject {
            custom_headers: vec![],
            domain_name: "bucket.store.test".into(),
            path: String::new(),
            read_timeout: 30,
            response_completion_timeout: None,
            kind: OriginObjectKind::S3 {
                auth_method: S3AuthMethod::None,
                region: String::new(),
            },
        }
    );
    let call = oreq().with(|c| c.origin = Some(s3(S3AuthMethod::OriginAccessIdentity)));
    let to_custom = new_origin(&call, |r| r["origin"] = custom_json());
    assert_eq!(
        to_custom.kind,
        OriginObjectKind::Custom {
            keepalive_timeout: 5,
            port: 443,
            protocol: OriginProtocol::Https,
            ssl_protocols: vec![SslProtocol::TlsV1, SslProtocol::TlsV1_1],
        }
    );
    assert_eq!(to_custom.read_timeout, 5);
}

#[test]
fn replacement_is_whole() {
    // LE-101, LE-110, LE-116: optional fields left out take defaults, not the old origin's values
    let call = oreq().with(|c| {
        c.origin = Some(OriginObject {
            response_completion_timeout: Some(60),
            ..custom()
        });
    });
    let origin = new_origin(&call, |r| {
        remove(&mut r["origin"]["custom"], "customHeaders");
        remove(&mut r["origin"]["custom"], "responseCompletionTimeout");
    });
    assert_eq!(origin.custom_headers, []);
    assert_eq!(origin.response_completion_timeout, None);
}

#[test]
fn required_fields() {
    // LE-116
    for field in [
        "domainName",
        "keepaliveTimeout",
        "path",
        "port",
        "protocol",
        "readTimeout",
        "sslProtocols",
    ] {
        let edit = |r: &mut Value| {
            r["origin"] = custom_json();
            remove(&mut r["origin"]["custom"], field);
        };
        let v = oreq().edited(edit).unwrap_err();
        assert_eq!((v.rule(), v.code()), ("LE-116", "V-ORIGIN"), "{field}");
        assert_eq!(v.field(), format!("origin.custom.{field}"));
        let relaxed = oreq().with(|c| c.compat = Compat::Relaxed).edited(edit);
        assert_eq!(relaxed.is_ok(), field != "domainName", "{field}");
    }
    for (field, required) in [
        ("domainName", true),
        ("path", true),
        ("authMethod", true),
        ("region", false),
        ("customHeaders", false),
    ] {
        let result = oreq().edited(|r| {
            r["origin"] = s3_json();
            remove(&mut r["origin"]["s3"], field);
        });
        assert_eq!(result.is_err(), required, "{field}");
    }
}

#[test]
fn relaxed_defaults() {
    // LE-106, LE-107, LE-108, LE-109, LE-111, LE-116
    let call = oreq().with(|c| c.compat = Compat::Relaxed);
    for (given, protocol, port) in [
        (json!({"domainName": "x.test"}), OriginProtocol::Https, 443),
        (
            json!({"domainName": "x.test", "protocol": "http"}),
            OriginProtocol::Http,
            80,
        ),
    ] {
        let origin = new_origin(&call, |r| r["origin"] = json!({"custom": given}));
        assert_eq!(origin.read_timeout, 30);
        assert_eq!(
            origin.kind,
            OriginObjectKind::Custom {
                keepalive_timeout: 5,
                port,
                protocol,
                ssl_protocols: vec![SslProtocol::TlsV1_2],
            }
        );
    }
}

/// Runs values of one field of a new origin.
fn field_cases(base: &Value, field: &str, rule: &str, bad: &[Value], good: &[Value]) {
    let kind = if base.get("custom").is_some() {
        "custom"
    } else {
        "s3"
    };
    let run = |value: &Value| {
        oreq().edited(|r| {
            r["origin"] = base.clone();
            r["origin"][kind][field] = value.clone();
        })
    };
    for value in bad {
        let v = run(value).expect_err(&format!("{kind}.{field} = {value}"));
        assert_eq!(
            (v.rule(), v.code(), v.field()),
            (rule, "V-ORIGIN", format!("origin.{kind}.{field}").as_str()),
            "{value}"
        );
    }
    for value in good {
        if let Err(v) = run(value) {
            panic!("{kind}.{field} = {value}: {v}");
        }
    }
}

#[test]
fn custom_domain_name() {
    // LE-103, LE-564
    let long = format!("{}.test", "a.".repeat(125));
    field_cases(
        &custom_json(),
        "domainName",
        "LE-103",
        &[
            json!(""),
            json!("a.test:8080"),
            json!("192.0.2.1"),
            json!("[2001:db8::1]"),
            json!("2001:db8::1"),
            json!("127.1"),
            json!("2130706433"),
            json!("0x7f.0.0.0x1"),
            json!("0x7f000001"),
            json!("127.0.0.1."),
            json!("a..test"),
            json!(".test"),
            json!("a.test/"),
            json!("user@a.test"),
            json!("a b.test"),
            json!("a\r\n.test"),
            json!("é.test"),
            json!("http://a.test"),
            json!(format!("{}.test", "a".repeat(64))),
            json!(long),
            json!(5),
            json!(null),
        ],
        &[
            json!("a.test"),
            json!("A.Test"),
            json!("xn--9ca.test"),
            json!("under_score.test"),
            json!("localhost"),
            json!("1.2.3.4.nip.test"),
            json!("0x7f.test"),
            json!(format!("{}test", "a.".repeat(124))),
        ],
    );
}

#[test]
fn bucket_domain_name() {
    // LE-104
    field_cases(
        &s3_json(),
        "domainName",
        "LE-104",
        &[
            json!("Bucket.store.test"),
            json!(""),
            json!("10.0.0.1"),
            json!("a:b"),
            json!(format!("{}.{}.test", "a".repeat(62), "b".repeat(62))),
        ],
        &[json!("bucket.s3.eu-west-1.amazonaws.test")],
    );
}

#[test]
fn origin_path() {
    // LE-105
    let bad = [
        json!("a"),
        json!("/"),
        json!("/a/"),
        json!("/a b"),
        json!("/a\n"),
        json!("/a?x"),
        json!("/a#x"),
        json!(5),
    ];
    field_cases(
        &s3_json(),
        "path",
        "LE-105",
        &bad,
        &[json!(""), json!("/a"), json!("/é%")],
    );
    field_cases(
        &custom_json(),
        "path",
        "LE-105",
        &[
            &bad[..],
            &[
                json!("/é"),
                json!("/%"),
                json!("/%2"),
                json!("/%zz"),
                json!(format!("/{}", "a".repeat(255))),
            ],
        ]
        .concat(),
        &[
            json!(""),
            json!("/a/b"),
            json!("/%C3%a9"),
            json!(format!("/{}", "a".repeat(254))),
        ],
    );
}

#[test]
fn port() {
    // LE-106, LE-564
    field_cases(
        &custom_json(),
        "port",
        "LE-106",
        &[
            json!(81),
            json!(0),
            json!(1023),
            json!(65_536),
            json!(-1),
            json!(443.5),
            json!("443"),
            json!(null),
            json!(1e99),
        ],
        &[json!(80), json!(443), json!(1024), json!(65_535)],
    );
}

#[test]
fn protocol() {
    // LE-107
    field_cases(
        &custom_json(),
        "protocol",
        "LE-107",
        &[json!("HTTP"), json!("ftp"), json!(""), json!(null)],
        &[json!("http"), json!("https")],
    );
}

#[test]
fn timeouts() {
    // LE-108, LE-109, LE-110
    let bad = [
        json!(0),
        json!(121),
        json!(-1),
        json!("5"),
        json!(1.5),
        json!(null),
    ];
    let good = [json!(1), json!(120)];
    field_cases(&custom_json(), "keepaliveTimeout", "LE-108", &bad, &good);
    field_cases(&custom_json(), "readTimeout", "LE-109", &bad, &good);
    field_cases(&s3_json(), "readTimeout", "LE-109", &bad, &good);
    field_cases(
        &custom_json(),
        "responseCompletionTimeout",
        "LE-110",
        &[json!(4), json!(-1), json!("60"), json!(5.5)],
        &[json!(5), json!(0), json!(3600)],
    );
    let none = new_origin(&oreq(), |r| {
        r["origin"] = custom_json();
        r["origin"]["custom"]["responseCompletionTimeout"] = json!(0);
    });
    assert_eq!(none.response_completion_timeout, None);
}

#[test]
fn ssl_protocols() {
    // LE-111
    field_cases(
        &custom_json(),
        "sslProtocols",
        "LE-111",
        &[
            json!("TLSv1.2"),
            json!(["TLSv1.3"]),
            json!(["tlsv1"]),
            json!([1]),
            json!({}),
            json!(null),
        ],
        &[
            json!(["TLSv1.2", "TLSv1.1", "TLSv1", "SSLv3"]),
            json!([]),
            json!(["TLSv1", "TLSv1"]),
        ],
    );
}

#[test]
fn s3_identity() {
    // LE-112, LE-113, LE-114, LE-118, LE-510
    field_cases(
        &s3_json(),
        "authMethod",
        "LE-112",
        &[json!("oac"), json!(""), json!(null)],
        &[json!("none")],
    );
    let signed = |region: &str| {
        json!({"s3": {"authMethod": "origin-access-identity", "customHeaders": {},
            "domainName": "other.store.test", "path": "", "region": region}})
    };
    let oai = oreq().with(|c| c.origin = Some(s3(S3AuthMethod::OriginAccessIdentity)));
    assert!(oai.edited(|r| r["origin"] = signed("eu-central-1")).is_ok());
    assert_refused(
        oai.edited(|r| r["origin"] = signed("")),
        "LE-113",
        "V-ORIGIN",
    );
    assert_refused(
        oai.edited(|r| r["origin"] = signed("eu west\n")),
        "LE-113",
        "V-ORIGIN",
    );
    assert!(
        oai.edited(|r| r["origin"]["s3"]["authMethod"] = json!("none"))
            .is_ok()
    );
    let unsigned = oreq().with(|c| c.origin = Some(s3(S3AuthMethod::None)));
    for call in [oreq(), unsigned] {
        assert_refused(
            call.edited(|r| r["origin"] = signed("eu-west-1")),
            "LE-114",
            "V-ORIGIN",
        );
    }
}

#[test]
fn custom_headers_map() {
    // LE-101, LE-102, LE-186, LE-204, LE-208, LE-226, LE-297
    let with = |headers: Value| oreq().edited(|r| r["origin"]["custom"]["customHeaders"] = headers);
    for (name, rule) in [
        ("Connection", "LE-208"),
        ("X-Amz-Cf-Id", "LE-208"),
        ("X-Edge-A", "LE-208"),
        ("X-Real-Ip", "LE-208"),
        ("Cache-Control", "LE-186"),
        ("Cookie", "LE-186"),
        ("Host", "LE-186"),
        ("If-None-Match", "LE-186"),
        ("Range", "LE-186"),
        ("TE", "LE-186"),
        ("Via", "LE-186"),
        ("X-Amz-Meta-A", "LE-186"),
        ("bad name", "LE-204"),
    ] {
        assert_refused(
            with(json!({name: [{"key": name, "value": "v"}]})),
            rule,
            "V-ORIGIN",
        );
    }
    assert_refused(
        with(json!({"x-a": [{"value": "a\nb"}]})),
        "LE-204",
        "V-ORIGIN",
    );
    assert_refused(with(json!({"x-a": "v"})), "LE-202", "V-ORIGIN");
    assert_refused(with(json!({"x-a": [{"value": 1}]})), "LE-201", "V-ORIGIN");
    assert_refused(with(json!([])), "LE-101", "V-ORIGIN");
    assert_refused(with(json!(null)), "LE-101", "V-ORIGIN");

    let many = |n: usize, value: usize| -> Value {
        (0..n)
            .map(|i| (format!("x-{i}"), json!([{"value": "v".repeat(value)}])))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    assert!(with(many(10, 1000)).is_ok());
    assert_refused(with(many(11, 1)), "LE-226", "V-ORIGIN");
    assert!(with(many(1, 1783)).is_ok());
    assert_refused(with(many(1, 1784)), "LE-226", "V-ORIGIN");
    assert_refused(with(many(10, 1025)), "LE-226", "V-ORIGIN");
    assert_refused(
        with(json!({"x".repeat(257): [{"value": "v"}]})),
        "LE-226",
        "V-ORIGIN",
    );

    // Lines of one name stand together, whatever casing they came in.
    let origin = new_origin(&oreq(), |r| {
        r["origin"]["custom"]["customHeaders"] = json!({
            "X-a": [{"key": "X-A", "value": "1"}], "X-b": [{"value": ["2", "3"]}],
            "x-a": [{"value": "4"}], "x-none": []});
    });
    let headers: Vec<(&str, &str)> = origin
        .custom_headers
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(
        headers,
        [("X-A", "1"), ("X-A", "4"), ("X-B", "2"), ("X-B", "3")]
    );
}

#[test]
fn custom_header_that_is_also_a_request_header() {
    // LE-102, LE-564
    assert_refused(
        oreq().edited(|r| r["headers"]["X-Env"] = json!([{"value": "v"}])),
        "LE-102",
        "V-ORIGIN",
    );
    assert_refused(
        oreq().edited(|r| {
            r["origin"]["custom"]["customHeaders"]["x-forwarded-for"] = json!([{"value": "v"}]);
        }),
        "LE-102",
        "V-ORIGIN",
    );
    // Moving it from one to the other is fine.
    assert!(
        oreq()
            .edited(|r| {
                r["headers"]["x-env"] = json!([{"value": "v"}]);
                r["origin"]["custom"]["customHeaders"] = json!({});
            })
            .is_ok()
    );
    // A clash the viewer made is not the function's.
    let sent = oreq().with(|c| c.headers.push(raw_line("x-env", b"viewer")));
    assert!(sent.edited(|_| {}).is_ok());
    assert!(sent.edited(|r| r["uri"] = json!("/other")).is_ok());
}

#[test]
fn relaxed_mode_reaches_configured_origins_by_address() {
    // LE-103, LE-106, LE-116
    let node = OriginObject {
        domain_name: "10.0.0.7".into(),
        kind: OriginObjectKind::Custom {
            keepalive_timeout: 5,
            port: 81,
            protocol: OriginProtocol::Http,
            ssl_protocols: vec![],
        },
        ..custom()
    };
    let call = oreq().with(|c| c.known = vec![node]);
    let go = |call: &Call, address: &str, port: u16| {
        call.edited(|r| {
            r["origin"]["custom"]["domainName"] = json!(address);
            r["origin"]["custom"]["port"] = json!(port);
        })
    };
    assert_refused(go(&call, "10.0.0.7", 81), "LE-103", "V-ORIGIN");
    let relaxed = call.with(|c| c.compat = Compat::Relaxed);
    assert!(go(&relaxed, "10.0.0.7", 81).is_ok());
    assert_refused(go(&relaxed, "10.0.0.7", 82), "LE-103", "V-ORIGIN");
    assert_refused(go(&relaxed, "10.0.0.8", 81), "LE-103", "V-ORIGIN");
    assert_refused(go(&relaxed, "a.test", 81), "LE-106", "V-ORIGIN");

    // A store with buckets at an address, as well.
    let store = OriginObject {
        domain_name: "10.0.0.9".into(),
        ..s3(S3AuthMethod::None)
    };
    let to_store = |call: &Call| {
        call.edited(|r| {
            r["origin"] = s3_json();
            r["origin"]["s3"]["domainName"] = json!("10.0.0.9");
        })
    };
    assert_refused(to_store(&relaxed), "LE-104", "V-ORIGIN");
    assert!(to_store(&relaxed.with(|c| c.known = vec![store])).is_ok());
}

#[test]
fn numbered_custom_headers_may_come_back_in_another_order() {
    // LE-065, LE-116: JavaScript moves names that are numbers to the front
    let call = oreq().with(|c| {
        c.origin = Some(OriginObject {
            custom_headers: vec![("X-A".into(), "1".into()), ("7".into(), "2".into())],
            ..custom()
        });
    });
    let text = serde_json::to_string(&call.identity()).unwrap();
    let sorted = r#"{"7":[{"key":"7","value":"2"}],"x-a":[{"key":"X-A","value":"1"}]}"#;
    let shown = r#"{"x-a":[{"key":"X-A","value":"1"}],"7":[{"key":"7","value":"2"}]}"#;
    let (one, other) = (text.replace(sorted, shown), text.replace(shown, sorted));
    assert_ne!(one, other);
    for json in [one, other] {
        let HookResult::Request(r) = call.run_raw(json.as_bytes()).unwrap().result else {
            panic!("not a request");
        };
        assert_eq!(r.origin, None);
    }
}
