//! `grpc_config` of behaviours (CF-076).

use super::{accepted, refused};

/// A site with a certificate whose default behaviour has `settings`, from line 6, column 7; `app` is what is written as an
/// origin.
fn site(settings: &str, http_version: &str, app: &str) -> String {
    let settings = settings.replace('\n', "\n      ");
    format!(
        "node: {{ certificates: {{ site: {{ cert: site.pem, key: site.key }} }} }}\n\
         distributions:\n  site:\n    http_version: {http_version}\n    default_cache_behavior:\n      {settings}\n    \
         origins:\n      app: {app}\n"
    )
}

const APP: &str = "https://app.test";
const ALL: &str = "allowed_methods: all\ngrpc_config: { enabled: true }";

fn passes(text: &str) -> bool {
    accepted(text).site.distributions()[0].default_behavior.grpc
}

#[test]
fn calls_pass_where_the_behaviour_says_so() {
    // CF-076
    assert!(passes(&site(ALL, "http2", APP)));
    assert!(passes(&site(
        "allowed_methods: all\nGrpcConfig: { Enabled: true }",
        "http2",
        APP
    )));
    assert!(passes(&site(
        "allowed_methods: all\ngrpc_config: true",
        "http2",
        APP
    )));
    // Whoever has it switched off needs nothing.
    for off in [
        "grpc_config: { enabled: false }",
        "grpc_config: false",
        "compress: false",
    ] {
        assert!(!passes(&site(off, "http1.1", "http://app.test")), "{off}");
    }
    let viewers = "\n        domain_name: app.test\n        custom_origin_config: { origin_protocol_policy: match-viewer }";
    assert!(passes(&site(ALL, "http2", viewers)));
}

#[test]
fn what_calls_need_has_to_be_there() {
    // CF-076, CF-410
    const AT: &str = "7:31: distributions.site.default_cache_behavior.grpc_config.enabled: ";
    let says = |text: &str, what: &str| refused(text, &[&format!("{AT}{what}")]);
    for methods in ["get-head", "get-head-options"] {
        let settings = format!("allowed_methods: {methods}\ngrpc_config: {{ enabled: true }}");
        says(
            &site(&settings, "http2", APP),
            "InvalidArgument: gRPC calls need all methods to be allowed",
        );
    }
    says(
        &site(ALL, "http1.1", APP),
        "InvalidArgument: gRPC calls come over HTTP/2",
    );
    says(
        &site(ALL, "http2", "http://app.test"),
        "InvalidArgument: gRPC calls go to origins by HTTPS, and `app` is asked by plain HTTP",
    );
    let own = "InvalidArgument: gRPC calls go to origins of one's own, and `app` is a bucket or a directory";
    says(&site(ALL, "http2", "{ dir: public }"), own);
    let bucket = "{ domain_name: b.s3.amazonaws.com, s3_origin_config: {} }";
    says(&site(ALL, "http2", bucket), own);
    refused(
        "distributions:\n  site:\n    default_cache_behavior: { allowed_methods: all, grpc_config: true }\n    \
         origins: { app: \"https://app.test\" }\n",
        &[
            "3:66: distributions.site.default_cache_behavior.grpc_config: viewers cannot come by HTTPS, as gRPC calls do",
        ],
    );
}

#[test]
fn of_a_group_the_first_origin_counts() {
    // CF-410: calls know no failover
    let text = |first: &str, second: &str| {
        site(
            &format!("{ALL}\norigin: group"),
            "http2",
            &format!(
                "{first}\n      other: {second}\n    \
                 origin_groups: {{ group: {{ members: [app, other], failover_criteria: {{ status_codes: [500] }} }} }}"
            ),
        )
    };
    assert!(passes(&text(APP, "http://other.test")));
    refused(
        &text("http://app.test", APP),
        &[
            "7:31: distributions.site.default_cache_behavior.grpc_config.enabled: | `app` is asked by plain HTTP",
        ],
    );
}

#[test]
fn functions_that_calls_pass_by_are_warned_of() {
    // LE-012, LE-048, CF-026
    let functions =
        "functions: { auth: ./auth.js }\ncloudfront_functions: { redirects: ./cff/redirects.js }\n";
    let said = |settings: &str| {
        let loaded = accepted(&format!("{functions}{}", site(settings, "http2", APP)));
        let warnings = loaded.warnings.iter();
        warnings.map(ToString::to_string).collect::<Vec<_>>()
    };
    let warnings = said(&format!("{ALL}\non: {{ origin-request: auth }}"));
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].contains("gRPC calls pass `auth` at origin-request by"),
        "{warnings:?}"
    );
    assert!(warnings[0].ends_with("(LE-012)"), "{warnings:?}");
    let viewer = format!("{ALL}\non: {{ viewer-request: redirects }}");
    assert_eq!(said(&viewer), [""; 0]);
    assert_eq!(
        said("allowed_methods: all\non: { viewer-request: auth }"),
        [""; 0]
    );
}
