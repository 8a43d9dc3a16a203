//! Hostile results: nothing here may panic, overflow the stack or take long.

use super::*;

fn run_everywhere(json: &[u8]) {
    for event in EventType::ALL {
        let _ = Call::at(event).run_raw(json);
    }
}

#[test]
fn deep_nesting_costs_no_stack() {
    // LE-065, LE-136
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(200_000), close.repeat(200_000));
        for at in [
            "uri", "headers", "body", "origin", "extra", "status", "method",
        ] {
            run_everywhere(format!("{{\"{at}\":{deep}}}").as_bytes());
        }
        for inside in [
            format!("{{\"uri\":\"/\",\"headers\":{{\"a\":{deep}}}}}"),
            format!("{{\"uri\":\"/\",\"headers\":{{\"a\":[{deep}]}}}}"),
            format!("{{\"uri\":\"/\",\"headers\":{{\"a\":[{{\"value\":{deep}}}]}}}}"),
            format!("{{\"uri\":\"/\",\"headers\":{{}},\"origin\":{{\"custom\":{deep}}}}}"),
            format!("{{\"uri\":\"/\",\"headers\":{{}},\"body\":{{\"data\":{deep}}}}}"),
        ] {
            run_everywhere(inside.as_bytes());
        }
        run_everywhere(deep.as_bytes());
        run_everywhere(open.repeat(1_000_000).as_bytes());
    }
}

#[test]
fn unknown_keys_may_nest_deeply() {
    // LE-065
    let call = vres();
    let mut text = serde_json::to_string(&call.identity()).unwrap();
    text.truncate(text.len() - 1);
    let text = format!(
        "{text},\"x\":{}{}}}",
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    assert!(call.run_raw(text.as_bytes()).is_ok());
}

#[test]
fn duplicate_and_special_keys() {
    // LE-065, LE-199
    let json = br#"{"status":"200","status":"500","__proto__":{"status":"100"},"constructor":1,
        "headers":{"a":[{"value":"0"}]},
        "headers":{"__proto__":[{"value":"1"}],"x":[{"value":"2","value":"3"}],"x":[{"value":"4"}]}}"#;
    let HookResult::Response(r) = vreq().run_raw(json).unwrap().result else {
        panic!("not a response");
    };
    // As `JSON.parse`: the last one of an object's own fields counts.
    assert_eq!(r.status, 500);
    assert_eq!(
        pairs(&r.headers),
        [("__proto__", "1"), ("X", "3"), ("X", "4")]
    );
}

#[test]
fn an_escaped_key_is_not_copied_per_value() {
    // LE-200, LE-201: a small result must not ask for a lot of memory
    let key = "\\u0041".repeat(100_000);
    let json = format!(
        "{{\"status\":200,\"headers\":{{\"x\":[{{\"key\":\"{key}\",\"value\":[{}\"\"]}}]}}}}",
        "\"\",".repeat(4000)
    );
    let HookResult::Response(r) = oreq().run_raw(json.as_bytes()).unwrap().result else {
        panic!("not a response");
    };
    assert_eq!(r.headers.len(), 4001);
    assert_eq!(r.headers[0].key, "X");
}

#[test]
fn every_byte_flip_is_survived() {
    // LE-136
    for call in [vreq(), oreq(), ores(), vres()] {
        let good = serde_json::to_vec(&call.identity()).unwrap();
        for i in 0..good.len() {
            for byte in [0, b'"', b'\\', b'{', b']', 0xff] {
                let mut bad = good.clone();
                bad[i] = byte;
                let _ = call.run_raw(&bad);
            }
            let _ = call.run_raw(&good[..i]);
        }
    }
}

#[test]
fn many_input_names_match_as_few_do() {
    // LE-199, LE-236: past the linear search the result is the same
    let call = vres().with(|c| {
        c.response_headers = (0..300)
            .map(|i| raw_line(&format!("X-{}", i % 150), i.to_string().as_bytes()))
            .collect();
    });
    let r = call.response_result(|_| {});
    assert!(!r.headers_changed);
    let r = call.response_result(|r| {
        remove(&mut r["headers"], "x-7");
        r["headers"]["X-NEW"] = json!([{"value": "v"}]);
        let taken = r["headers"]["x-9"].take();
        remove(&mut r["headers"], "x-9");
        r["headers"]["X-9"] = taken;
    });
    assert_eq!(r.headers.len(), 299);
    assert_eq!(pairs(&r.headers)[298], ("X-New", "v"));
    assert_eq!(r.headers[8], call.response_headers[9]);
}

#[test]
fn violations_are_short_and_printable() {
    // LE-283
    let v = vreq()
        .run(&json!({"status": format!("\r\n{}", "x".repeat(100_000))}))
        .unwrap_err();
    let text = v.to_string();
    assert!(text.len() < 300 && !text.contains('\n'), "{text}");
    assert!(text.starts_with("LE-156 V-STATUS: `status`: "), "{text}");
    let v = vreq()
        .edited(|r| r["headers"]["x\u{1b}[31m".repeat(1000)] = json!([{"value": 1}]))
        .unwrap_err();
    assert!(!v.to_string().contains('\u{1b}') && v.to_string().len() < 500);
}
