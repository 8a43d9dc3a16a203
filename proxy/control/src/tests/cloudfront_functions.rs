//! CloudFront Functions and their stores.

use fourfront_model::{CffRuntime, EventType};

use super::{accepted, refused};

/// A site with `top` before it, whose default behaviour has these associations, on line 7, column 13.
fn site(top: &str, on: &str) -> String {
    format!(
        "{top}\nfunctions: {{ auth: ./auth.js }}\ndistributions:\n  site:\n    origins: {{ app: \"http://127.0.0.1:3000\" }}\n    default_cache_behavior:\n      on: {{ {on} }}\n"
    )
}

const REDIRECTS: &str = "cloudfront_functions: { redirects: ./cff/redirects.js }";

#[test]
fn a_function_is_a_file_a_runtime_and_a_store() {
    // LE-387, LE-388, LE-461, LE-474, CP-640, CP-642
    let loaded = accepted(&site(
        "cloudfront_functions: { short: ./cff/redirects.js, long: { file: ./cff/redirects.js, runtime: cloudfront-js-1.0, comment: x }, reading: { file: ./cff/redirects.js, store: routes } }\nstores: { routes: { file: ./routes.json, id: 0a1b }, flags: ./routes.json }",
        "viewer-request: reading, viewer-response: long, origin-request: auth",
    ));
    let named = |name: &str| {
        let mut functions = loaded.site.functions().iter();
        let found = functions.find(|f| f.name.as_str() == name).unwrap();
        found.cloudfront().cloned().unwrap()
    };
    assert_eq!(named("short").runtime, CffRuntime::V2);
    assert_eq!(
        (named("long").runtime, named("long").store),
        (CffRuntime::V1, None)
    );
    let store = named("reading").store.unwrap();
    assert_eq!((store.name.as_str(), store.id.as_str()), ("routes", "0a1b"));
    assert_eq!(
        store.data.now().entries.get("/old").map(String::as_str),
        Some("/new")
    );
    let on = &loaded.site.distributions()[0].default_behavior.functions;
    assert!(
        on.at(EventType::ViewerRequest)
            .unwrap()
            .function
            .cloudfront()
            .is_some()
    );
    assert!(
        on.at(EventType::OriginRequest)
            .unwrap()
            .function
            .cloudfront()
            .is_none()
    );
    let watched: Vec<_> = loaded
        .watched
        .iter()
        .filter_map(|p| p.file_name()?.to_str())
        .collect();
    assert_eq!(watched, ["auth.js", "redirects.js", "routes.json"]);
}

#[test]
fn viewer_events_are_all_of_one_kind() {
    // LE-374, LE-375
    refused(
        &site(
            REDIRECTS,
            "viewer-request: redirects, viewer-response: auth",
        ),
        &[
            "7:57: distributions.site.default_cache_behavior.on.viewer-response: InvalidFunctionAssociation: viewer events of one behaviour are all Lambda@Edge or all CloudFront Functions; line 7 has the other kind",
        ],
    );
    accepted(&site(
        REDIRECTS,
        "viewer-request: redirects, viewer-response: redirects, origin-request: auth, origin-response: auth",
    ));
}

#[test]
fn a_function_runs_at_viewer_events_without_the_body() {
    // LE-375, LE-411
    refused(
        &site(
            REDIRECTS,
            "origin-request: redirects, viewer-request: { function: redirects, include_body: true }",
        ),
        &[
            "7:29: distributions.site.default_cache_behavior.on.origin-request: InvalidFunctionAssociation: `redirects` is a CloudFront Function, which runs at viewer-request and viewer-response only",
            "7:93: distributions.site.default_cache_behavior.on.viewer-request.include_body: InvalidFunctionAssociation: `redirects` is a CloudFront Function, which never sees the request body",
        ],
    );
}

#[test]
fn functions_are_checked_like_all_others() {
    // LE-387, LE-435, CP-643
    let top = "cloudfront_functions: { auth: ./cff/redirects.js, a: { runtime: cloudfront-js-2.0 }, b: { file: ./gone.js, stage: LIVE }, c: { file: ./notes.txt, runtime: nodejs22.x }, d: { file: ./cff/redirects.js, store: route }, large: ./cff/large.js }\nstores: { routes: ./routes.json }";
    let text = site(top, "viewer-request: large, viewer-response: redirect");
    refused(
        &text,
        &[
            "1:25: cloudfront_functions.auth: `auth` is already a function of `functions` on line 3",
            "1:54: cloudfront_functions.a: the function has no code",
            "1:97: cloudfront_functions.b.file: file `./gone.js` does not exist",
            "1:108: cloudfront_functions.b.stage: `stage` is not a setting here: what a site file holds is the published (LIVE) stage",
            "1:134: cloudfront_functions.c.file: `./notes.txt` is not a JavaScript file",
            "1:156: cloudfront_functions.c.runtime: expected `cloudfront-js-1.0` or `cloudfront-js-2.0`, found `nodejs22.x`",
            "1:208: cloudfront_functions.d.store: there is no store `route` (help: did you mean `routes`?)",
            "1:217: cloudfront_functions.large: FunctionSizeLimitExceeded: the code has 10241 bytes",
            "8:53: distributions.site.default_cache_behavior.on.viewer-response: there is no function `redirect`",
        ],
    );
    let relaxed = site(
        "compat: relaxed\ncloudfront_functions: { large: ./cff/large.js }",
        "viewer-request: large",
    );
    accepted(&relaxed);
}

#[test]
fn stores_are_read_and_held_against_the_quotas() {
    // LE-474
    refused(
        &site(
            "stores: { a: ./twice.json, b: ./list.json, c: ./long.json, d: ./gone.json, e: { id: x }, f g: ./routes.json, h: { file: ./routes.json, key: 1 } }",
            "",
        ),
        &[
            "1:14: stores.a: `./twice.json` is not the data of a store: the key `a` stands in it twice",
            "1:31: stores.b: `./list.json` is not the data of a store: invalid type",
            "1:47: stores.c: `./long.json` is not the data of a store: the value of `a` has 1025 bytes, 1024 are allowed",
            "1:63: stores.d: file `./gone.json` does not exist",
            "1:79: stores.e: the store has no data",
            "1:90: stores.f g: `f g` is not a name for a store",
            "1:136: stores.h.key: `key` is not a setting of a store",
        ],
    );
}
