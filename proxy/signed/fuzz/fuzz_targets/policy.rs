//! Any text as a policy. What is read here must be JSON, with one meaning.
#![no_main]

use fourfront_signed::policy::Policy;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|text: &[u8]| {
    if Policy::parse(text).is_err() {
        return;
    }
    // The one thing that is no JSON, as CloudFront's pages write it.
    let text = std::str::from_utf8(text).unwrap().replace(r"\?", "?");
    let document: Value = match serde_json::from_str(&text) {
        Ok(document) => document,
        // A backslash before `\?` was part of the text, and escapes what follows now.
        Err(_) if text.contains('\\') => return,
        Err(e) => panic!("{e}: {text}"),
    };
    let members = document.as_object().unwrap();
    assert_eq!(members.len(), 1);
    let statements = members["Statement"].as_array().unwrap();
    assert_eq!(statements.len(), 1);
    let condition = statements[0]["Condition"].as_object().unwrap();
    assert!(condition["DateLessThan"]["AWS:EpochTime"].is_i64());
    let known = ["DateLessThan", "DateGreaterThan", "IpAddress"];
    assert!(condition.keys().all(|name| known.contains(&name.as_str())));
});
