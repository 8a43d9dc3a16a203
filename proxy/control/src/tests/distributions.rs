//! Distributions: names, ids, the one for unknown hosts, the modes.

use fourfront_model::{
    CacheMode, CacheTags, CdnCc, Compat, EventType, Identity, RequestCc, Selection, TagSeparator,
};

use super::{accepted, refused, with_default_behavior};

#[test]
fn foreign_header_keys_are_refused_where_a_file_says_so() {
    // LE-200
    let site = |top: &str, own: &str| {
        let text = format!(
            "{top}distributions: {{ site: {{ {own} origins: {{ app: \"http://a.test\" }} }} }}\n"
        );
        accepted(&text).site.distributions()[0].strict_header_keys
    };
    assert!(!site("", ""));
    assert!(site("strict_header_keys: true\n", ""));
    assert!(site("", "strict_header_keys: true,"));
    assert!(!site(
        "strict_header_keys: true\n",
        "strict_header_keys: false,"
    ));
}

#[test]
fn a_minimal_file_gets_all_defaults() {
    // CP-641, CF-035
    let loaded = accepted("distributions: { my-site: { origins: { app: \"http://a.test\" } } }\n");
    let site = &loaded.site.distributions()[0];
    assert_eq!(site.id, "EMYSITEJBIAPC");
    assert_eq!(site.domain_name, "my-site.fourfront.localhost");
    assert!(site.aliases.is_empty() && site.enabled && site.behaviors.is_empty());
    assert_eq!(site.default_root_object, None);
    assert_eq!(
        (site.cache_mode, site.compat),
        (CacheMode::Rfc9111, Compat::Strict)
    );
    assert_eq!(site.identity, Identity::fourfront());
    let behavior = &site.default_behavior;
    assert_eq!(
        behavior.cache_policy.name.as_deref(),
        Some("CachingOptimized")
    );
    assert_eq!(behavior.origin_request_policy, None);
    assert!(!behavior.allowed_methods.allows("POST"));
    assert_eq!(behavior.functions.iter().count(), 0);
    assert!(loaded.site.functions().is_empty() && loaded.watched.is_empty());
}

#[test]
fn a_single_distribution_without_aliases_answers_for_every_host() {
    // CF-035
    let answers = |text: &str| {
        accepted(text)
            .site
            .distribution_for("127.0.0.1:8080")
            .map(|d| d.domain_name.clone())
    };
    let origin = "origins: { app: \"http://a.test\" }";
    let one = answers(&format!("distributions: {{ a: {{ {origin} }} }}\n"));
    assert_eq!(one.as_deref(), Some("a.fourfront.localhost"));
    assert_eq!(
        answers(&format!(
            "distributions: {{ a: {{ {origin}, aliases: [a.test] }} }}\n"
        )),
        None
    );
    assert_eq!(
        answers(&format!(
            "distributions: {{ a: {{ {origin}, default: false }} }}\n"
        )),
        None
    );
    assert_eq!(
        answers(&format!(
            "distributions: {{ a: {{ {origin} }}, b: {{ {origin} }} }}\n"
        )),
        None
    );
    let named = answers(&format!(
        "distributions: {{ a: {{ {origin} }}, b: {{ {origin}, default: true, aliases: [b.test] }} }}\n"
    ));
    assert_eq!(named.as_deref(), Some("b.fourfront.localhost"));
}

#[test]
fn two_defaults_are_refused() {
    // CF-035
    refused(
        "distributions:
  a:
    default: true
    origins: { app: \"http://a.test\" }
  b:
    default: true
    origins: { app: \"http://a.test\" }
",
        &[
            "6:14: distributions.b.default: only one distribution can be the default, and line 3 names one",
        ],
    );
}

#[test]
fn a_file_needs_a_distribution_and_a_distribution_an_origin() {
    // CF-023
    refused(
        "node: {}\n",
        &["1:1: distributions: no distribution is configured"],
    );
    refused(
        "distributions:\n",
        &["1:1: distributions: no distribution is configured"],
    );
    refused(
        "distributions: {}\n",
        &["1:1: distributions: no distribution is configured"],
    );
    refused(
        "distributions:\n  a: {}\n",
        &["2:6: distributions.a.origins: the distribution has no origin | http://127.0.0.1:3000"],
    );
    refused(
        "distributions:\n  a:\n",
        &["2:3: distributions.a: expected the settings of a distribution, found nothing"],
    );
    refused(
        "distributions: [a]\n",
        &["1:16: distributions: expected a map of distribution names, found a list"],
    );
}

#[test]
fn unknown_keys_name_the_nearest_known_one() {
    // CP-643
    refused(
        "distribution:
  a: {}
distributions:
  site:
    defaultRootObject: index.html
    cache_behaviours: []
    path: /x
    wibble: 1
    origins: { app: \"http://a.test\" }
node:
  log: { leve: debug }
",
        &[
            "1:1: distribution: `distribution` is not a setting of a site file (help: did you mean `distributions`?)",
            "5:5: distributions.site.defaultRootObject: `defaultRootObject` is not a setting of a distribution (help: did you mean `default_root_object`?)",
            "6:5: distributions.site.cache_behaviours: `cache_behaviours` is not a setting of a distribution (help: did you mean `cache_behaviors`?)",
            "7:5: distributions.site.path: `path` is not a setting of a distribution (help: `path` is a setting of a behaviour)",
            "8:5: distributions.site.wibble: `wibble` is not a setting of a distribution (help: known are config, unknown_members, id, domain_name,",
            "11:10: node.log.leve: `leve` is not a setting of `node.log` (help: did you mean `level`?)",
        ],
    );
}

#[test]
fn names_are_host_labels() {
    let long = "x".repeat(64);
    for name in ["a b", "ä", "a.b", "\"\"", long.as_str()] {
        refused(
            &format!("distributions:\n  {name}: {{ origins: {{ app: \"http://a.test\" }} }}\n"),
            &["2:3: distributions. | is not a name for a distribution"],
        );
    }
}

#[test]
fn one_host_belongs_to_one_distribution() {
    // CF-033
    refused(
        "distributions:
  a:
    aliases: [www.test, \"*.test\"]
    origins: { app: \"http://a.test\" }
  b:
    aliases:
      - other.test
      - WWW.test
    origins: { app: \"http://a.test\" }
  c:
    domain_name: other.test
    origins: { app: \"http://a.test\" }
  A:
    origins: { app: \"http://a.test\" }
",
        &[
            "8:9: distributions.b.aliases[1]: CNAMEAlreadyExists: `www.test` is already taken on line 3",
            "11:18: distributions.c.domain_name: CNAMEAlreadyExists: `other.test` is already taken on line 7",
            "13:3: distributions.A: CNAMEAlreadyExists: `a.fourfront.localhost` is already taken on line 2",
        ],
    );
    refused(
        "distributions:\n  a:\n    aliases: [a.test, a.test.]\n    origins: { app: \"http://a.test\" }\n",
        &["3:23: distributions.a.aliases[1]: CNAMEAlreadyExists"],
    );
}

#[test]
fn aliases_are_host_names_with_at_most_a_leading_wildcard() {
    // CF-031, CF-032
    for bad in [
        "http://a.test",
        "a.test:80",
        "\"*x.test\"",
        "a.*.test",
        "\"*\"",
        "\"\"",
        "a/b",
    ] {
        refused(
            &format!(
                "distributions:\n  a:\n    aliases: [{bad}]\n    origins: {{ app: \"http://a.test\" }}\n"
            ),
            &["3:15: distributions.a.aliases[0]: | is not an alias"],
        );
    }
    refused(
        "distributions:\n  a:\n    aliases: a.test\n    origins: { app: \"http://a.test\" }\n",
        &["3:14: distributions.a.aliases: expected a list of host names, found `a.test`"],
    );
}

#[test]
fn own_domains_and_ids_are_checked() {
    refused(
        "distributions:
  a: { id: \"E 1\", domain_name: \"*.a.test\", origins: { app: \"http://a.test\" } }
  b: { id: E1, domain_name: \"http://b\", origins: { app: \"http://a.test\" } }
  c: { id: E2, origins: { app: \"http://a.test\" } }
  d: { id: E2, origins: { app: \"http://a.test\" } }
",
        &[
            "2:12: distributions.a.id: `E 1` is not a distribution id",
            "2:32: distributions.a.domain_name: `*.a.test` is not a host name",
            "3:29: distributions.b.domain_name: `http://b` is not a host name",
            "5:12: distributions.d.id: the id `E2` is already taken by the distribution on line 4",
        ],
    );
}

#[test]
fn default_root_objects_keep_to_cloudfronts_characters() {
    // CF-040
    let site = |object: &str| {
        format!(
            "distributions:\n  a:\n    default_root_object: {object}\n    origins: {{ app: \"http://a.test\" }}\n"
        )
    };
    let long = "x".repeat(256);
    for (object, fault) in [
        ("/index.html", "begins with `/`"),
        ("\"in dex.html\"", "contains ' '"),
        ("índex.html", "contains 'í'"),
        ("index.html?x", "contains '?'"),
        (long.as_str(), "is 256 characters long"),
    ] {
        refused(
            &site(object),
            &[&format!(
                "3:26: distributions.a.default_root_object: InvalidDefaultRootObject | {fault}"
            )],
        );
    }
    let object = |text: &str| {
        accepted(&site(text)).site.distributions()[0]
            .default_root_object
            .clone()
    };
    assert_eq!(
        object("docs/index.html").as_deref(),
        Some("docs/index.html")
    );
    assert_eq!(object("\"\""), None);
    assert_eq!(object("~"), None);
}

#[test]
fn modes_hold_for_the_site_or_for_one_distribution() {
    // CF-829: of the modes, `request_cc`
    let loaded = accepted(
        "cache_mode: cloudfront
request_cc: honour
compat: relaxed
identity: cloudfront
distributions:
  a: { origins: { app: \"http://a.test\" } }
  b: { cache_mode: rfc9111, request_cc: ignore, compat: strict, identity: fourfront, origins: { app: \"http://a.test\" } }
",
    );
    let [a, b] = loaded.site.distributions() else {
        panic!("two distributions");
    };
    assert_eq!(
        (a.cache_mode, a.compat, &a.identity),
        (
            CacheMode::Cloudfront,
            Compat::Relaxed,
            &Identity::cloudfront()
        )
    );
    assert_eq!(
        (b.cache_mode, b.compat, &b.identity),
        (CacheMode::Rfc9111, Compat::Strict, &Identity::fourfront())
    );
    assert_eq!(
        (a.request_cc, b.request_cc),
        (RequestCc::Honour, RequestCc::Ignore)
    );
    refused(
        "cache_mode: rfc9110\ncompat: lax\nidentity: [x]\ndistributions: { a: { origins: { app: \"http://a.test\" } } }\n",
        &[
            "1:13: cache_mode: expected `rfc9111` or `cloudfront`, found `rfc9110` (help: did you mean `rfc9111`?)",
            "2:9: compat: expected `strict` or `relaxed`, found `lax`",
            "3:11: identity: expected `fourfront` or `cloudfront`, found a list",
        ],
    );
}

#[test]
fn comments_have_a_length_and_switches_are_booleans() {
    // CF-044
    refused(
        &format!(
            "distributions:\n  a:\n    comment: {}\n    enabled: yes\n    origins: {{ app: \"http://a.test\" }}\n",
            "c".repeat(129)
        ),
        &[
            "3:14: distributions.a.comment: the comment is 129 characters long",
            "4:14: distributions.a.enabled: expected `true` or `false`, found `yes`",
        ],
    );
}

#[test]
fn many_faults_are_told_in_one_go_and_in_file_order() {
    let text = "functions:
  auth: ./nowhere.js
distributions:
  a:
    aliases: [\"x y\"]
    origins: { app: \"ftp://a\" }
    default_cache_behavior: { origin: ap, on: { viewer-request: oauth } }
  b:
    origins: {}
    cache_behaviors: [{ path: \"/ä\" }]
";
    refused(
        text,
        &[
            "2:9: functions.auth: file `./nowhere.js` does not exist",
            "5:15: distributions.a.aliases[0]: `x y` is not an alias",
            "6:21: distributions.a.origins.app: InvalidOrigin: `ftp://a`",
            "7:39: distributions.a.default_cache_behavior.origin: NoSuchOrigin",
            "7:65: distributions.a.default_cache_behavior.on.viewer-request: there is no function `oauth` (help: did you mean `auth`?)",
            "8:3: distributions.b.origins: the distribution has no origin",
            "10:31: distributions.b.cache_behaviors[0].path: path pattern contains 'ä'",
        ],
    );
}

#[test]
fn a_block_in_place_of_which_something_else_stands_is_one_error() {
    refused(
        &with_default_behavior("cache_policy: [a]").replace(
            "default_cache_behavior:\n      cache_policy: [a]",
            "default_cache_behavior: 7",
        ),
        &[
            "4:29: distributions.site.default_cache_behavior: expected the settings of the default behaviour, found `7`",
        ],
    );
}

/// The example of control-plane.md section 12.4.
const EXAMPLE: &str = "# yaml-language-server: $schema=https://fourfront.dev/schema/v1.json
functions: { auth: { file: ./auth.js, handler: handler, timeout: 2 }, rewrite: { dir: ./rewrite, handler: index.handler } }
cloudfront_functions: { redirects: { file: ./cff/redirects.js, runtime: cloudfront-js-2.0, store: routes } }
stores: { routes: { file: ./routes.json } }
distributions:
  site:
    aliases: [www.example.test]
    default_root_object: index.html
    origins:
      app:    http://127.0.0.1:3000
      assets: { domain_name: bkt.s3.amazonaws.com, origin_path: /files, s3_origin_config: {} }
    default_cache_behavior:
      origin: app
      viewer_protocol_policy: redirect-to-https
      cache_policy: Managed-CachingOptimized
      on: { viewer-request: redirects, origin-request: { function: rewrite, include_body: true } }
    cache_behaviors:
      - path: /private/*
        origin: app
        cache_policy: { default_ttl: 60, query_strings: all }
        on: { viewer-request: auth }
    custom_error_responses: [{ error_code: 404, response_code: 200, response_page_path: /index.html }]
";

#[test]
fn the_example_of_the_contract_is_accepted_but_for_what_is_not_there_yet() {
    // CP-640, CP-641, CP-642, CP-643
    refused(
        EXAMPLE,
        &[
            "14:31: distributions.site.default_cache_behavior.viewer_protocol_policy: viewers cannot come by HTTPS: the node has no certificate",
        ],
    );
    let without = EXAMPLE.replace("redirect-to-https", "allow-all");
    let site = accepted(&without).site;
    let site = &site.distributions()[0];
    assert_eq!(site.aliases[0].as_str(), "www.example.test");
    assert_eq!(site.default_root_object.as_deref(), Some("index.html"));
    assert_eq!(site.origin_of(&site.default_behavior).id, "app");
    let private = site.behavior_for("/private/x");
    assert_eq!(private.cache_policy.query_strings, Selection::All);
    assert_eq!(private.cache_policy.ttl.default_ttl(), 60);
    assert!(private.functions.at(EventType::ViewerRequest).is_some());
    let on = &site.default_behavior.functions;
    assert!(on.at(EventType::OriginRequest).unwrap().include_body);
    let redirects = &on.at(EventType::ViewerRequest).unwrap().function;
    let store = redirects.cloudfront().unwrap().store.as_ref().unwrap();
    assert_eq!(
        (
            store.name.as_str(),
            store.data.now().entries["/old"].as_str()
        ),
        ("routes", "/new")
    );
}

fn with_setting(setting: &str) -> String {
    format!("distributions:\n  a:\n    {setting}\n    origins: {{ app: \"http://a.test\" }}\n")
}

#[test]
fn targeted_cache_control_has_a_field_and_may_be_hidden() {
    // CF-801, CF-837, CF-252
    let cdn_cc = |setting: &str| {
        accepted(&with_setting(setting)).site.distributions()[0]
            .cdn_cc
            .clone()
    };
    let expected = |field: &str, hide| {
        let cdn_cc = CdnCc {
            hide,
            ..CdnCc::default()
        };
        cdn_cc.with_field(field).unwrap()
    };
    let default = expected("fourfront-cache-control", false);
    assert_eq!(cdn_cc("comment: none"), default);
    assert_eq!(cdn_cc("cdn_cc: {}"), default);
    assert_eq!(
        cdn_cc("cdn_cc: { field: Acme-Cache-Control, hide: true }"),
        expected("acme-cache-control", true)
    );
    for (setting, error) in [
        (
            "cdn_cc: { field: Set-Cookie }",
            "3:22: distributions.a.cdn_cc.field: `Set-Cookie` does not end in `-Cache-Control` (help: a targeted field is called such as `Acme-Cache-Control`)",
        ),
        (
            "cdn_cc: { field: Cache-Control }",
            "3:22: distributions.a.cdn_cc.field: `Cache-Control` does not end in `-Cache-Control`",
        ),
        (
            "cdn_cc: { field: \"a -cache-control\" }",
            "3:22: distributions.a.cdn_cc.field: `a -cache-control` is not a header name",
        ),
        (
            "cdn_cc: { hidden: true }",
            "3:15: distributions.a.cdn_cc.hidden: `hidden` is not a setting of `cdn_cc`",
        ),
        (
            "cdn_cc: { hide: true }\n    cache_mode: cloudfront",
            "3:13: distributions.a.cdn_cc: mode `cloudfront` ignores such fields, and passes them on (CF-252)",
        ),
    ] {
        refused(&with_setting(setting), &[error]);
    }
}

#[test]
fn the_number_of_variants_is_bounded() {
    // CF-824, CF-312
    let most =
        |setting: &str| accepted(&with_setting(setting)).site.distributions()[0].max_variants;
    assert_eq!(most("comment: none"), 100);
    assert_eq!(most("vary: {}"), 100);
    assert_eq!(most("vary: { max_variants: 2 }"), 2);
    for (setting, error) in [
        (
            "vary: { max_variants: 1 }",
            "3:27: distributions.a.vary.max_variants: expected a number of variants, a whole number from 2 to 10000, found `1`",
        ),
        (
            "vary: { max_variants: 5 }\n    cache_mode: cloudfront",
            "3:11: distributions.a.vary: in mode `cloudfront` responses have no variants by `Vary` (CF-312)",
        ),
    ] {
        refused(&with_setting(setting), &[error]);
    }
}

fn with_tags(config: &str) -> String {
    format!(
        "distributions:\n  a:\n    cache_tag_config: {config}\n    origins: {{ app: \"http://a.test\" }}\n"
    )
}

#[test]
fn cache_tags_come_in_a_named_field() {
    // CF-057, CF-670, CF-675
    let tags = |config: &str| {
        accepted(&with_tags(config)).site.distributions()[0]
            .cache_tags
            .clone()
    };
    let expected = |header: &str, separator, hide| {
        Some(CacheTags {
            header: header.to_owned(),
            separator,
            hide,
        })
    };
    assert_eq!(
        tags("{ header_name: Cache-Tag }"),
        expected("cache-tag", TagSeparator::Comma, false)
    );
    assert_eq!(
        tags("{ header_name: Surrogate-Key, separator: space, hide: true }"),
        expected("surrogate-key", TagSeparator::Space, true)
    );
    // As exports write "none".
    assert_eq!(tags("{ header_name: \"\" }"), None);
    assert_eq!(tags(""), None);
    for (config, error) in [
        (
            "{}",
            "3:23: distributions.a.cache_tag_config.header_name: the field that tags come in has no name (help: add `header_name:`",
        ),
        (
            "{ header_name: \"a b\" }",
            "3:38: distributions.a.cache_tag_config.header_name: `a b` is not a header name",
        ),
        (
            "{ header_name: a, separator: pipe }",
            "3:52: distributions.a.cache_tag_config.separator: expected `comma` or `space`, found `pipe`",
        ),
        (
            "{ header_name: a, seperator: comma }",
            "3:41: distributions.a.cache_tag_config.seperator: `seperator` is not a setting of `cache_tag_config` (help: did you mean `separator`?)",
        ),
    ] {
        refused(&with_tags(config), &[error]);
    }
}

#[test]
fn ranges_are_cut_in_slices_of_a_size_or_not_at_all() {
    // CF-533
    let slice = |site: &str, own: &str| {
        let text = format!(
            "{site}distributions:\n  a: {{ {own} origins: {{ app: \"http://a.test\" }} }}\n"
        );
        accepted(&text).site.distributions()[0].range_slice.bytes()
    };
    assert_eq!(slice("", ""), Some(1024 * 1024));
    assert_eq!(slice("range_slice: 256KiB\n", ""), Some(256 * 1024));
    assert_eq!(slice("range_slice: 256KiB\n", "range_slice: off,"), None);
    refused(
        "range_slice: 1KiB\ndistributions: { a: { range_slice: on, origins: { app: \"http://a.test\" } } }\n",
        &[
            "1:14: range_slice: 1024 bytes is out of bounds: from 65536 to 16777216 bytes",
            "2:36: distributions.a.range_slice: expected a size: a number of bytes, or a number with KiB, MiB or GiB such as `256MiB`, found `on`",
        ],
    );
}

#[test]
fn fetches_end_or_go_on_without_their_viewers() {
    // CF-224, CF-405
    use fourfront_model::FinishFetch;
    use std::time::Duration;
    let read = |site: &str, own: &str| {
        let text = format!(
            "{site}distributions:\n  a: {{ {own} origins: {{ app: \"http://a.test\" }} }}\n"
        );
        let accepted = accepted(&text);
        let distribution = &accepted.site.distributions()[0];
        (distribution.finish_fetch, distribution.collapse_wait)
    };
    let of = |value: &str| read(&format!("finish_fetch_on_abort: {value}\n"), "").0;
    assert_eq!(read("", ""), (FinishFetch::Never, None));
    assert_eq!(of("on"), FinishFetch::Always);
    assert_eq!(of("off"), FinishFetch::Never);
    assert_eq!(of("80%"), FinishFetch::Come(80));
    assert_eq!(of("1MiB"), FinishFetch::Missing(1024 * 1024));
    assert_eq!(
        read(
            "finish_fetch_on_abort: on\ncollapse: { max_wait: 5 }\n",
            "finish_fetch_on_abort: off, collapse: { max_wait: 0.5 },"
        ),
        (FinishFetch::Never, Some(Duration::from_millis(500)))
    );
    refused(
        "finish_fetch_on_abort: 100%\ndistributions: { a: { finish_fetch_on_abort: maybe, collapse: { max_wait: 0 }, origins: { app: \"http://a.test\" } } }\n",
        &[
            "1:24: finish_fetch_on_abort: expected a percentage from 1% to 99%, found `100%`",
            "2:46: distributions.a.finish_fetch_on_abort: expected `off`, `on`, a percentage such as `80%` or a size such as `1MiB` that may be missing, found `maybe`",
            "2:75: distributions.a.collapse.max_wait: expected a number of seconds, above 0 and up to 3600, found `0`",
        ],
    );
}
