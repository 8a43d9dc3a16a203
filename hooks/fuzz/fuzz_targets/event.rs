//! Any message makes an event that is JSON, and handing it back unchanged is no error
//! of the function.
#![no_main]

use fourfront_hooks::{event, validate};
use fourfront_hooks_fuzz::Message;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Some(message) = Message::read(data) else {
        return;
    };
    let event_type = message.event_type;
    let config = event::EventConfig {
        distribution_domain_name: "d.test",
        distribution_id: "FF1",
        event_type,
        request_id: "r",
    };
    let response = message.response();
    let json = event::build(&config, &message.request(), Some(&response));
    let mut event: Value = serde_json::from_slice(&json).expect("an event is JSON");
    let part = if event_type.is_request() {
        "request"
    } else {
        "response"
    };
    let result = event["Records"][0]["cf"][part].take().to_string();

    let input = validate::Input {
        response: Some(response),
        ..validate::Input::new(event_type, message.request())
    };
    match validate::validate(&input, result.as_bytes()) {
        Ok(outcome) => {
            let headers = match outcome.result {
                validate::HookResult::Request(r) => r.headers,
                validate::HookResult::Response(r) => r.headers,
            };
            assert_eq!(headers, message.headers);
        }
        // The node refuses such messages before any function runs.
        Err(v) => assert!(matches!(v.rule(), "LE-185" | "LE-231"), "{v}"),
    }
});
