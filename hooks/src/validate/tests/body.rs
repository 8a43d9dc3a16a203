//! Request bodies in results (LE section 5.2).

use super::*;

fn post(event: EventType) -> Call {
    Call::at(event).with(|c| {
        c.method = "POST".into();
        c.body = Some(b"name=Ana".to_vec());
    })
}

fn vpost() -> Call {
    post(EventType::ViewerRequest)
}

#[test]
fn an_untouched_body_is_unchanged() {
    // LE-239, LE-516
    assert_eq!(vpost().request_result(|_| {}).body, None);
    assert_eq!(vpost().request_result(|r| remove(r, "body")).body, None);
}

#[test]
fn read_only_edits_are_ignored() {
    // LE-239, LE-121
    let edits: [fn(&mut Value); 6] = [
        |r| r["body"]["data"] = json!("other"),
        |r| r["body"]["data"] = json!(5),
        |r| r["body"]["encoding"] = json!("rot13"),
        |r| r["body"]["inputTruncated"] = json!(true),
        |r| r["body"] = json!({}),
        |r| remove(&mut r["body"], "action"),
    ];
    for edit in edits {
        assert_eq!(vpost().request_result(edit).body, None);
    }
}

#[test]
fn replace_takes_text_or_base64() {
    // LE-240, LE-241, LE-517
    for (body, want) in [
        (
            json!({"action": "replace", "encoding": "text", "data": "né"}),
            "né".as_bytes(),
        ),
        (
            json!({"action": "replace", "encoding": "base64", "data": "bsOp"}),
            "né".as_bytes(),
        ),
        (
            json!({"action": "replace", "data": "bsOp"}),
            "né".as_bytes(),
        ),
        (
            json!({"action": "replace", "encoding": "text", "data": ""}),
            b"",
        ),
    ] {
        for event in [EventType::ViewerRequest, EventType::OriginRequest] {
            // Without IncludeBody too.
            for call in [post(event), post(event).with(|c| c.body = None)] {
                let r = call.request_result(|r| r["body"] = body.clone());
                assert_eq!(r.body.as_deref(), Some(want));
            }
        }
    }
}

#[test]
fn padding_is_optional() {
    // LE-159, LE-244
    for (data, want) in [
        ("YQ==", "a"),
        ("YQ", "a"),
        ("YWI=", "ab"),
        ("YWI", "ab"),
        ("", ""),
    ] {
        let r = vpost().request_result(|r| {
            r["body"] = json!({"action": "replace", "data": data});
        });
        assert_eq!(r.body.as_deref(), Some(want.as_bytes()), "{data}");
    }
}

#[test]
fn malformed_bodies() {
    // LE-244, LE-298
    refuse_all(
        &vpost(),
        &[
            (
                "string",
                |r| r["body"] = json!("x"),
                "LE-244",
                "V-BODY-TYPE",
                "body",
            ),
            (
                "null",
                |r| r["body"] = json!(null),
                "LE-244",
                "V-BODY-TYPE",
                "body",
            ),
            (
                "array",
                |r| r["body"] = json!([]),
                "LE-244",
                "V-BODY-TYPE",
                "body",
            ),
            (
                "unknown action",
                |r| r["body"]["action"] = json!("append"),
                "LE-244",
                "V-BODY-TYPE",
                "body.action",
            ),
            (
                "action is a number",
                |r| r["body"]["action"] = json!(1),
                "LE-244",
                "V-BODY-TYPE",
                "body.action",
            ),
            (
                "no data",
                |r| r["body"] = json!({"action": "replace"}),
                "LE-244",
                "V-BODY-TYPE",
                "body.data",
            ),
            (
                "data is an object",
                |r| r["body"] = json!({"action": "replace", "data": {}}),
                "LE-244",
                "V-BODY-TYPE",
                "body.data",
            ),
            (
                "unknown encoding",
                |r| r["body"] = json!({"action": "replace", "encoding": "hex", "data": ""}),
                "LE-244",
                "V-BODY-ENC",
                "body.encoding",
            ),
            (
                "encoding is null",
                |r| r["body"] = json!({"action": "replace", "encoding": null, "data": ""}),
                "LE-244",
                "V-BODY-ENC",
                "body.encoding",
            ),
            (
                "not base64",
                |r| r["body"] = json!({"action": "replace", "data": "name=x"}),
                "LE-244",
                "V-BODY-B64",
                "body.data",
            ),
            (
                "whitespace in base64",
                |r| r["body"] = json!({"action": "replace", "data": "YWI=\n"}),
                "LE-244",
                "V-BODY-B64",
                "body.data",
            ),
            (
                "url alphabet",
                |r| r["body"] = json!({"action": "replace", "data": "-_-_"}),
                "LE-244",
                "V-BODY-B64",
                "body.data",
            ),
            (
                "one character left",
                |r| r["body"] = json!({"action": "replace", "data": "YWJjZ"}),
                "LE-244",
                "V-BODY-B64",
                "body.data",
            ),
        ],
    );
}

#[test]
fn replacement_limits_count_decoded_bytes() {
    // LE-242, LE-243, LE-257, LE-299
    use base64::{Engine, engine::general_purpose::STANDARD};
    for (event, limit) in [
        (EventType::ViewerRequest, 40_960),
        (EventType::OriginRequest, 1_048_576),
    ] {
        let call = post(event);
        for encoding in ["text", "base64"] {
            let with = |n: usize| {
                let raw = "b".repeat(n);
                let data = if encoding == "text" {
                    raw
                } else {
                    STANDARD.encode(raw)
                };
                call.edited(|r| {
                    r["body"] = json!({"action": "replace", "encoding": encoding, "data": data});
                })
            };
            assert!(with(limit).is_ok(), "{event} {encoding}");
            assert_refused(with(limit + 1), "LE-242", "V-BODY-SIZE");
        }
    }
}

#[test]
fn get_and_head_take_no_body() {
    // LE-247
    for method in ["GET", "HEAD"] {
        for event in [EventType::ViewerRequest, EventType::OriginRequest] {
            let call = post(event).with(|c| c.method = method.into());
            assert_refused(
                call.edited(|r| {
                    r["body"] = json!({"action": "replace", "encoding": "text", "data": "x"});
                }),
                "LE-247",
                "V-BODY-TYPE",
            );
            assert!(call.edited(|_| {}).is_ok());
        }
    }
}

#[test]
fn content_length_stays_as_received_with_a_replacement() {
    // LE-184, LE-213
    assert_refused(
        vpost().edited(|r| {
            r["body"] = json!({"action": "replace", "encoding": "text", "data": "xx"});
            r["headers"]["content-length"] = json!([{"value": "2"}]);
        }),
        "LE-213",
        "V-HDR-RO",
    );
}

#[test]
fn half_an_emoji_is_replaced_not_refused() {
    // LE-160, LE-240: a JavaScript string may end inside a surrogate pair
    let json = br#"{"uri":"/a/b.html","querystring":"x=1","headers":{"host":[{"key":"Host","value":"h"}]},
        "body":{"action":"replace","encoding":"text","data":"a\ud83d \\ud83d \ud83d\ude00 \udc00"}}"#;
    let call = vpost().with(|c| c.headers = lines(&[("Host", "h")]));
    let HookResult::Request(r) = call.run_raw(json).unwrap().result else {
        panic!("not a request");
    };
    assert_eq!(
        String::from_utf8(r.body.unwrap()).unwrap(),
        "a\u{fffd} \\ud83d 😀 \u{fffd}"
    );
}
