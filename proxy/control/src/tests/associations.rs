//! `on`: which function runs at which event (LE section 7).

use std::sync::Arc;

use fourfront_model::{EventType, OnError};

use super::{DIR, accepted, parse_in, refused, with_default_behavior};

const ON: &str = "distributions.site.default_cache_behavior.on";

#[test]
fn events_take_a_name_or_a_block() {
    // LE-370, LE-376, CP-642
    let loaded = accepted(&with_default_behavior(
        "on:
  viewer-request: auth
  origin-request: { function: auth, include_body: true }
  origin-response: { function: headers, include_body: false }
  viewer-response: headers",
    ));
    let on = &loaded.site.distributions()[0].default_behavior.functions;
    let all: Vec<_> = on
        .iter()
        .map(|(e, a)| (e, a.function.name.as_str(), a.include_body))
        .collect();
    assert_eq!(
        all,
        [
            (EventType::ViewerRequest, "auth", false),
            (EventType::OriginRequest, "auth", true),
            (EventType::OriginResponse, "headers", false),
            (EventType::ViewerResponse, "headers", false),
        ]
    );
    // LE-378: one function, several triggers
    let of = |event| &on.at(event).unwrap().function;
    assert!(Arc::ptr_eq(
        of(EventType::ViewerRequest),
        of(EventType::OriginRequest)
    ));
}

#[test]
fn unknown_events_and_functions_name_the_nearest() {
    // LE-072
    refused(
        &with_default_behavior(
            "on:\n  viewer_request: auth\n  viewer-response: header\n  origin-request: qqq",
        ),
        &[
            &format!(
                "6:9: {ON}.viewer_request: `viewer_request` is not a setting of `on` (help: did you mean `viewer-request`?)"
            ),
            &format!(
                "7:26: {ON}.viewer-response: there is no function `header` (help: did you mean `headers`?)"
            ),
            &format!(
                "8:25: {ON}.origin-request: there is no function `qqq` (help: declare it under `functions:`)"
            ),
        ],
    );
}

#[test]
fn one_event_has_one_function() {
    // LE-374
    refused(
        &with_default_behavior("on: { viewer-request: [auth, headers] }"),
        &[&format!(
            "5:29: {ON}.viewer-request: expected one function: its name, or a block with `function`, found a list"
        )],
    );
    refused(
        &with_default_behavior("on: { viewer-request: auth, viewer-request: headers }"),
        &[&format!(
            "5:35: {ON}.viewer-request: `viewer-request` is already given on line 5"
        )],
    );
    refused(
        &with_default_behavior("on: auth"),
        &[&format!(
            "5:11: {ON}: expected the settings of `on`, found `auth`"
        )],
    );
}

#[test]
fn only_requests_have_a_body_to_include() {
    // LE-120, LE-377, CP-132
    for event in ["viewer-response", "origin-response"] {
        let text = format!("on:\n  {event}: {{ function: auth, include_body: true }}");
        let column = 9 + event.len() + 2 + 32;
        refused(
            &with_default_behavior(&text),
            &[&format!(
                "6:{column}: {ON}.{event}.include_body: InvalidLambdaFunctionAssociation: {event} has no request body to include, only viewer-request and origin-request have"
            )],
        );
    }
}

#[test]
fn a_failure_may_be_passed_by_in_relaxed_alone() {
    // LE-281
    let text = |top: &str, word: &str| {
        with_default_behavior(&format!(
            "on: {{ viewer-request: {{ function: auth, on_error: {word} }}, viewer-response: headers }}"
        )) + top
    };
    let of = |text: &str| {
        let loaded = accepted(text);
        let on = &loaded.site.distributions()[0].default_behavior.functions;
        [EventType::ViewerRequest, EventType::ViewerResponse].map(|e| on.at(e).unwrap().on_error)
    };
    assert_eq!(of(&text("", "fail")), [OnError::Fail; 2]);
    assert_eq!(
        of(&text("compat: relaxed\n", "bypass")),
        [OnError::Bypass, OnError::Fail]
    );
    refused(
        &text("", "bypass"),
        &[&format!(
            "5:57: {ON}.viewer-request.on_error: InvalidLambdaFunctionAssociation: Lambda@Edge never lets a request pass a function that failed (help: set `compat: relaxed` for the distribution)"
        )],
    );
    refused(
        &text("compat: relaxed\n", "ignore"),
        &[&format!(
            "5:57: {ON}.viewer-request.on_error: expected `fail` or `bypass`, found `ignore`"
        )],
    );
}

#[test]
fn what_no_association_can_be_is_refused() {
    // LE-570, LE-371, LE-375, LE-377
    refused(
        &with_default_behavior("on: { viewer-request: \"auth:$LATEST\" }"),
        &[&format!(
            "5:29: {ON}.viewer-request: InvalidLambdaFunctionAssociation: `auth:$LATEST` names a version, an alias or an ARN"
        )],
    );
    refused(
        &with_default_behavior("on: { origin-response: { function: auth, include_body: true } }"),
        &[&format!(
            "5:62: {ON}.origin-response.include_body: InvalidLambdaFunctionAssociation: origin-response has no request body"
        )],
    );
    let mixed = with_default_behavior("on: { viewer-request: auth, viewer-response: small }")
        + "cloudfront_functions: { small: { file: ./auth.js } }\n";
    let errors = DIR
        .with(|dir| parse_in(dir.path(), &mixed))
        .unwrap_err()
        .to_string();
    assert!(
        errors.contains("InvalidFunctionAssociation: viewer events of one behaviour are all Lambda@Edge or all CloudFront Functions"),
        "{errors}"
    );
}

#[test]
fn blocks_are_checked_like_all_others() {
    refused(
        &with_default_behavior(
            "on:\n  viewer-request: { include_body: true }\n  origin-request: { function: auth, includeBody: true }\n  viewer-response: { function: [auth] }",
        ),
        &[
            &format!(
                "6:25: {ON}.viewer-request: no function is named (help: add `function: NAME`)"
            ),
            &format!(
                "7:43: {ON}.origin-request.includeBody: `includeBody` is not a setting of a function association (help: did you mean `include_body`?)"
            ),
            &format!("8:38: {ON}.viewer-response.function: expected text, found a list"),
        ],
    );
}

#[test]
fn versions_aliases_and_arns_are_refused() {
    // LE-371, LE-382
    for name in [
        "auth:3",
        "auth:$LATEST",
        "arn:aws:lambda:us-east-1:123456789012:function:auth:3",
    ] {
        refused(
            &with_default_behavior(&format!("on: {{ viewer-request: \"{name}\" }}")),
            &[&format!(
                "5:29: {ON}.viewer-request: InvalidLambdaFunctionAssociation: `{name}` names a version, an alias or an ARN (help: a site file names the function alone: `auth`)"
            )],
        );
    }
}

#[test]
fn a_function_with_faults_of_its_own_is_not_also_unknown() {
    refused(
        &with_default_behavior("on: { viewer-request: auth }").replace("./auth.js", "./gone.js"),
        &["1:20: functions.auth: file `./gone.js` does not exist"],
    );
    refused(
        &with_default_behavior("on: { viewer-request: auth }").replace("./auth.js", "[x]"),
        &["1:20: functions.auth: expected the path of a file"],
    );
}
