//! Behaviours: patterns and their order, origins, methods.

use fourfront_model::{AllowedMethods, CachedMethods};

use super::{accepted, refused, with_default_behavior};

/// Behaviours with these patterns, the first on line 4.
fn with_patterns(patterns: &[&str]) -> String {
    let mut text = String::from("distributions:\n  a:\n    cache_behaviors:\n");
    for pattern in patterns {
        text.push_str(&format!("      - path: {pattern}\n"));
    }
    text.push_str("    origins: { app: \"http://a.test\" }\n");
    text
}

#[test]
fn patterns_keep_their_order() {
    // CF-080, CF-081, CF-086
    let loaded = accepted(&with_patterns(&["/a/b*", "a*", "/x?.jpg"]));
    let site = &loaded.site.distributions()[0];
    let patterns: Vec<_> = site
        .all_behaviors()
        .map(|b| b.path_pattern.as_str().to_owned())
        .collect();
    assert_eq!(patterns, ["/a/b*", "/a*", "/x?.jpg", "*"]);
    assert_eq!(site.behavior_for("/a/b/..").path_pattern.as_str(), "/a*");
}

#[test]
fn an_identical_pattern_names_both_lines() {
    // CF-088
    refused(
        &with_patterns(&["/a*", "/b", "a*"]),
        &[
            "6:15: distributions.a.cache_behaviors[2].path: `/a*` is already the pattern of the behaviour on line 4",
        ],
    );
}

#[test]
fn a_pattern_behind_its_cover_names_both_lines() {
    // CF-080
    refused(
        &with_patterns(&["/a*", "/a/b*", "/c", "/a?"]),
        &[
            "5:15: distributions.a.cache_behaviors[1].path: `/a/b*` can never be reached: `/a*` on line 4 takes all its paths (help: move this behaviour above line 4, or remove it)",
            "7:15: distributions.a.cache_behaviors[3].path: `/a?` can never be reached: `/a*` on line 4",
        ],
    );
    for all in ["\"*\"", "/*"] {
        refused(
            &with_patterns(&[all, "/a"]),
            &["5:15: distributions.a.cache_behaviors[1].path: `/a` can never be reached"],
        );
    }
    refused(
        &with_patterns(&["/*", "\"*\""]),
        &[
            "5:15: distributions.a.cache_behaviors[1].path: `*` can never be reached: `/*` on line 4",
        ],
    );
}

#[test]
fn a_pattern_for_all_paths_cuts_off_a_written_default() {
    // CF-080, CF-087
    accepted(&with_patterns(&["/*"]));
    let text =
        with_patterns(&["/a", "/*"]) + "    default_cache_behavior: { cached_methods: get-head }\n";
    refused(
        &text,
        &[
            "5:15: distributions.a.cache_behaviors[1].path: `/*` takes all paths, so the default behaviour on line 7 can never be reached",
        ],
    );
}

#[test]
fn bad_patterns_are_refused() {
    // CF-084
    let long = format!("/{}", "x".repeat(255));
    for (pattern, fault) in [
        ("\"/a b\"", "path pattern contains ' '"),
        ("\"/a#b\"", "path pattern contains '#'"),
        ("/ä", "path pattern contains 'ä'"),
        ("\"/a%20\"", "path pattern contains '%'"),
        ("\"\"", "path pattern is empty"),
        (long.as_str(), "path pattern is 256 characters long"),
        ("[/a]", "expected text, found a list"),
    ] {
        refused(
            &with_patterns(&[pattern]),
            &[&format!(
                "4:15: distributions.a.cache_behaviors[0].path: {fault}"
            )],
        );
    }
}

#[test]
fn a_listed_behaviour_needs_a_pattern_and_the_default_has_none() {
    // CF-080, CF-087
    refused(
        "distributions:
  a:
    default_cache_behavior:
      path: /a
    cache_behaviors:
      - origin: app
      - { path: /a, path_pattern: /b }
      - text
      -
    origins: { app: \"http://a.test\" }
",
        &[
            "4:7: distributions.a.default_cache_behavior.path: `path` is not possible here",
            "6:9: distributions.a.cache_behaviors[0]: the behaviour has no path pattern",
            "7:35: distributions.a.cache_behaviors[1].path_pattern: `path` and `path_pattern` are one setting",
            "8:9: distributions.a.cache_behaviors[2]: expected the settings of a behaviour, found `text`",
            "9:8: distributions.a.cache_behaviors[3]: expected the settings of a behaviour, found nothing",
        ],
    );
    accepted(&with_default_behavior("path_pattern: \"*\""));
}

#[test]
fn behaviours_are_a_list_because_their_order_counts() {
    // CF-080
    refused(
        "distributions:\n  a:\n    cache_behaviors: { /a: {} }\n    origins: { app: \"http://a.test\" }\n",
        &[
            "3:22: distributions.a.cache_behaviors: expected a list of behaviours, each with `path`, found a map",
        ],
    );
}

#[test]
fn an_origin_has_to_exist_and_be_named_where_there_are_several() {
    // CF-060
    refused(
        "distributions:
  a:
    origins: { app: \"http://a.test\", assets: \"http://b.test\" }
    default_cache_behavior: { origin: asset }
    cache_behaviors:
      - { path: /a, target_origin_id: zzz }
      - { path: /b }
      - { path: /c, origin: app, target_origin_id: app }
",
        &[
            "4:39: distributions.a.default_cache_behavior.origin: NoSuchOrigin: there is no origin `asset` (help: did you mean `assets`?)",
            "6:39: distributions.a.cache_behaviors[0].target_origin_id: NoSuchOrigin: there is no origin `zzz` (help: known are app, assets)",
            "7:9: distributions.a.cache_behaviors[1]: the behaviour names no origin and there are several (help: add `origin:` with one of app, assets)",
            "8:52: distributions.a.cache_behaviors[2].target_origin_id: `origin` and `target_origin_id` are one setting: give one",
        ],
    );
    refused(
        "distributions:\n  a:\n    origins: { app: \"http://a.test\", assets: \"http://b.test\" }\n",
        &[
            "2:3: distributions.a.default_cache_behavior: the behaviour names no origin and there are several",
        ],
    );
}

#[test]
fn a_broken_origin_is_not_also_unknown() {
    // CF-060
    refused(
        &with_default_behavior("origin: app").replace("http://127.0.0.1:3000", "127.0.0.1"),
        &[
            "6:21: distributions.site.origins.app: InvalidOrigin: `127.0.0.1` is not an http or https URL",
        ],
    );
}

#[test]
fn methods_come_in_cloudfronts_sets() {
    // CF-062, CF-063
    let sets = |text: &str| {
        let loaded = accepted(&with_default_behavior(text));
        let behavior = &loaded.site.distributions()[0].default_behavior;
        (behavior.allowed_methods, behavior.cached_methods)
    };
    use AllowedMethods as A;
    use CachedMethods as C;
    for (text, expected) in [
        ("cached_methods: [HEAD, GET]", (A::GetHead, C::GetHead)),
        (
            "allowed_methods: [options, head, get]",
            (A::GetHeadOptions, C::GetHead),
        ),
        ("allowed_methods: all", (A::All, C::GetHead)),
        (
            "allowed_methods: [GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]\ncached_methods: get-head-options",
            (A::All, C::GetHeadOptions),
        ),
    ] {
        assert_eq!(sets(text), expected, "{text}");
    }
    for (text, expected) in [
        (
            "allowed_methods: [GET]",
            "5:24: distributions.site.default_cache_behavior.allowed_methods: CloudFront has no such set of methods | `get-head` for [GET, HEAD]",
        ),
        ("allowed_methods: [GET, GET, HEAD]", "5:24: "),
        ("allowed_methods: [GET, HEAD, POST]", "5:24: "),
        ("allowed_methods: everything", "5:24: "),
        (
            "allowed_methods: { GET: true }",
            "5:24: distributions.site.default_cache_behavior.allowed_methods: expected a list of methods or the name of a set, found a map",
        ),
        (
            "allowed_methods: all\ncached_methods: all",
            "6:23: distributions.site.default_cache_behavior.cached_methods: CloudFront has no such set",
        ),
        (
            "cached_methods: get-head-options",
            "5:23: distributions.site.default_cache_behavior.cached_methods: OPTIONS is cached but not allowed",
        ),
    ] {
        refused(&with_default_behavior(text), &[expected]);
    }
}
