//! Stage one: YAML, positions, variables, bounds.

use std::{fs, path::Path};

use proptest::prelude::*;

use super::{accepted, env, parse_in, refused, site_dir};
use fourfront_model::{FunctionKey, FunctionVersion};

use crate::load;

const OK: &str = "distributions: { site: { origins: { app: \"http://127.0.0.1:3000\" } } }\n";

#[test]
fn text_that_is_not_yaml_is_refused_where_it_stops_being_it() {
    // CP-304
    for (text, expected) in [
        ("distributions: {", "2:1: distributions: not valid YAML"),
        (
            "distributions:\n  a: [1, 2\n  b: 1\n",
            "3:4: distributions.a[1]: not valid YAML",
        ),
        (
            "a: b: c\n",
            "1:5: not valid YAML | mapping values are not allowed",
        ),
        (
            "distributions:\n\tsite: x\n",
            "2:2: distributions: not valid YAML | tabs",
        ),
        ("a: \"never closed\n", "1:4: a: not valid YAML"),
        (
            "a: *nowhere\n",
            "1:4: a: not valid YAML | unknown anchor | quote a value that begins with `*`",
        ),
        ("%YAML 9.9 x\n---\na: b\n", "1:1: not valid YAML"),
    ] {
        refused(text, &[expected]);
    }
}

#[test]
fn a_file_without_settings_is_refused() {
    for text in ["", "# only a comment\n", "---\n", "~\n", "\u{feff}"] {
        refused(text, &["1:1: the file holds no settings | distributions"]);
    }
}

#[test]
fn the_top_of_the_file_is_a_map() {
    refused(
        "just text\n",
        &["1:1: expected the settings of a site file, found `just text`"],
    );
    refused(
        "- a\n- b\n",
        &["1:1: expected the settings of a site file, found a list"],
    );
}

#[test]
fn a_second_document_is_refused() {
    refused(
        &format!("{OK}---\n{OK}"),
        &["2:1: a site file is one YAML document"],
    );
}

#[test]
fn a_key_given_twice_names_both_lines() {
    // LE-374: so one event type cannot get two functions by repeating it
    refused(
        "distributions:\n  site:\n    origins: { app: \"http://a.test\" }\n    enabled: true\n    enabled: false\n",
        &["5:5: distributions.site.enabled: `enabled` is already given on line 4"],
    );
}

#[test]
fn tags_and_keys_that_are_not_text_are_refused() {
    refused(
        "distributions: { site: { origins: { app: !Ref thing } } }\n",
        &[
            "1:42: distributions.site.origins.app: the tag `!Ref` has no meaning",
            "1:42: distributions.site.origins.app: InvalidOrigin: `thing`",
        ],
    );
    refused("? [a, b]\n: c\n", &["1:3: a key has to be plain text"]);
    refused("? {a: b}\n: c\n", &["1:3: a key has to be plain text"]);
    refused(
        "a: &x b\n*x : c\n",
        &["2:1: a key has to be plain text | quote"],
    );
}

#[test]
fn anchors_aliases_and_merge_keys_work() {
    let loaded = accepted(
        "distributions:
  one:
    aliases: [one.test]
    origins: { app: &app \"http://127.0.0.1:3000\" }
    default_cache_behavior: &behavior
      cache_policy: { default_ttl: 60 }
      allowed_methods: all
  two:
    aliases: [two.test]
    origins: { app: *app }
    default_cache_behavior:
      <<: *behavior
      allowed_methods: get-head
",
    );
    let [one, two] = loaded.site.distributions() else {
        panic!("two distributions");
    };
    assert_eq!(one.origins, two.origins);
    assert_eq!(
        one.default_behavior.cache_policy,
        two.default_behavior.cache_policy
    );
    assert!(one.default_behavior.allowed_methods.allows("POST"));
    // The key written out wins over the merged one.
    assert!(!two.default_behavior.allowed_methods.allows("POST"));
}

#[test]
fn a_fault_in_an_anchored_value_is_told_once_per_place_it_is_used() {
    refused(
        "distributions:
  one:
    aliases: [one.test]
    origins: { app: &app \"ftp://a\" }
  two:
    aliases: [two.test]
    origins: { app: *app }
",
        &[
            "4:21: distributions.one.origins.app: InvalidOrigin",
            "4:21: distributions.two.origins.app: InvalidOrigin",
        ],
    );
}

#[test]
fn merge_keys_take_maps_only() {
    refused(
        &format!("<<: nonsense\n{OK}"),
        &["1:1: `<<` takes a map or a list of maps"],
    );
}

#[test]
fn an_alias_bomb_ends_in_an_error() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for i in 1..10 {
        let items = vec![format!("*a{}", i - 1); 9].join(", ");
        text.push_str(&format!("a{i}: &a{i} [{items}]\n"));
    }
    refused(&text, &["6:1 | a5[ | the file grows beyond 100000 values"]);

    let long = "y".repeat(1 << 16);
    let many = vec!["*long"; 300].join(", ");
    refused(
        &format!("a: &long {long}\nb: [{many}]\n"),
        &["2: | the file grows beyond | 16 MiB"],
    );
}

#[test]
fn an_alias_to_its_own_value_is_refused() {
    refused(
        "a: &a [*a]\n",
        &["1:8: a[0]: this alias stands inside the value it repeats"],
    );
}

#[test]
fn nesting_is_bounded() {
    let deep = |n: usize| format!("a: {}{}\n", "[".repeat(n), "]".repeat(n));
    refused(&deep(40), &["1:35: a[0][0] | nested deeper than 32 levels"]);
    // The parser has a bound of its own for brackets, and reads ahead of what it hands out.
    refused(
        &deep(100_000),
        &["1:259: a[0]: not valid YAML: recursion limit exceeded"],
    );
    let blocks = "- ".repeat(10_000);
    refused(
        &format!("a:\n{blocks}x\n"),
        &["2:63: a[0] | nested deeper than 32 levels"],
    );
}

#[test]
fn the_file_has_a_largest_size() {
    let text = format!("{OK}# {}\n", "x".repeat(1 << 20));
    let errors = parse_in(Path::new("."), &text).unwrap_err();
    assert_eq!(
        errors.to_string(),
        "fourfront.yaml: the file is longer than 1048576 bytes"
    );
    let dir = site_dir();
    let path = dir.path().join("long.yaml");
    fs::write(&path, &text).unwrap();
    let errors = load(&path, &env).unwrap_err().to_string();
    assert!(
        errors.ends_with("long.yaml: the file is longer than 1048576 bytes"),
        "{errors}"
    );
}

#[test]
fn variables_expand_in_values_of_every_kind() {
    // CP-643
    let loaded = accepted(
        "node: { limits: { max_header_count: \"${COUNT:-50}\" } }
distributions:
  site:
    enabled: ${ENABLED:-false}
    origins:
      app: http://127.0.0.1:${PORT}
    default_root_object: ${EMPTY}
",
    );
    assert_eq!(loaded.node.limits.max_header_count, 50);
    let site = &loaded.site.distributions()[0];
    assert!(!site.enabled);
    assert!(format!("{:?}", site.origins[0].kind).contains("port: 3000"));
    assert_eq!(site.default_root_object, None);
}

#[test]
fn what_a_variable_holds_is_never_read_as_yaml() {
    // CP-643
    let text =
        "distributions: { site: { comment: \"${TRICK}\", origins: { app: \"http://a.test\" } } }\n";
    let trick = |_: &str| Some("x }, evil: { y: *z ${PORT}".to_owned());
    assert!(crate::parse(text, Path::new("f"), Path::new("."), &trick).is_ok());
}

#[test]
fn an_unset_variable_is_named_with_its_place() {
    // CP-643
    refused(
        "distributions:\n  site:\n    origins:\n      app: http://${ORIGIN_HOST}/\n",
        &[
            "4:12: distributions.site.origins.app: environment variable `ORIGIN_HOST` is not set | (help: set it, or give a default: `${ORIGIN_HOST:-value}`)",
        ],
    );
    refused(
        "distributions:\n  site:\n    aliases: [a.test, \"${B}.test\"]\n    origins: { app: \"http://a.test\" }\n    default_cache_behavior: { cache_policy: { min_ttl: \"${TTL}\" } }\n",
        &[
            "3:23: distributions.site.aliases[1]: environment variable `B`",
            "5:56: distributions.site.default_cache_behavior.cache_policy.min_ttl: environment variable `TTL`",
        ],
    );
}

#[test]
fn other_references_are_refused() {
    // CP-643
    refused(
        "distributions:\n  site:\n    comment: ${A-b}\n    origins: { app: \"http://${A\" }\n",
        &[
            "3:14: distributions.site.comment: `${A-b}` is not a reference to a variable",
            "4:21: distributions.site.origins.app: `${` is never closed by `}`",
        ],
    );
}

#[test]
fn keys_do_not_expand() {
    // CP-643
    refused(
        "distributions:\n  ${PORT}:\n    origins: { app: \"http://a.test\" }\n",
        &[
            "2:3: distributions.${PORT}: variables expand in values only",
            "2:3: distributions.${PORT}: `${PORT}` is not a name for a distribution",
        ],
    );
}

#[test]
fn columns_count_characters() {
    refused(
        "distributions: { site: { comment: \"äöü\", orgins: {} , origins: { app: \"http://a.test\" } } }\n",
        &[
            "1:42: distributions.site.orgins: `orgins` is not a setting of a distribution (help: did you mean `origins`?)",
        ],
    );
}

#[test]
fn load_reads_the_file_and_watches_it() {
    let dir = site_dir();
    let path = dir.path().join("fourfront.yaml");
    fs::write(
        &path,
        format!("functions: {{ auth: ./auth.js, rewrite: {{ dir: ./rewrite }} }}\nnode: {{ origin_ca: ca.pem }}\n{OK}"),
    )
    .unwrap();
    let loaded = load(&path, &env).unwrap();
    let mut expected = [
        dir.path().join("auth.js"),
        dir.path().join("ca.pem"),
        path.clone(),
        dir.path().join("rewrite"),
    ];
    expected.sort();
    assert_eq!(loaded.watched, expected);
    let rewrite = FunctionKey {
        name: "rewrite".parse().unwrap(),
        version: FunctionVersion(1),
        is_cloudfront: false,
    };
    let location = &loaded.function_locations[&rewrite];
    assert_eq!(location.to_string(), format!("{}:1:31", path.display()));
}

#[test]
fn load_says_what_keeps_it_from_reading() {
    let dir = site_dir();
    let missing = dir.path().join("nowhere.yaml");
    let errors = load(&missing, &env).unwrap_err().to_string();
    let start = format!("{}: cannot read the site file: ", missing.display());
    assert!(errors.starts_with(&start), "{errors}");

    let binary = dir.path().join("binary.yaml");
    fs::write(&binary, b"node: {}\nab\xffc: d\n").unwrap();
    assert_eq!(
        load(&binary, &env).unwrap_err().to_string(),
        format!("{}:2:3: the file is not UTF-8 text", binary.display())
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the text, there is a site or a non-empty list of errors, never a panic.
    #[test]
    fn no_text_breaks_the_reader(text in "[a-c:{}\\[\\],\\-?&*!|>'\"%@`# \n\t~.$<0-9\u{e4}\u{feff}]{0,60}") {
        match parse_in(Path::new("."), &text) {
            Ok(loaded) => prop_assert!(!loaded.site.distributions().is_empty()),
            Err(errors) => prop_assert!(!errors.0.is_empty()),
        }
    }

    /// Cut or altered anywhere, a good file is still read or refused.
    #[test]
    fn no_damage_breaks_the_reader(cut in 0usize..4000, insert in "[:{}\\[\\]\\-&*!|>'\" \n\t]{0,3}") {
        let text = include_str!("../../fourfront.reference.yaml");
        let at = text.char_indices().map(|(i, _)| i).nth(cut * 3).unwrap_or(text.len());
        let damaged = format!("{}{insert}{}", &text[..at], &text[at..]);
        let truncated = &text[..at];
        for text in [damaged.as_str(), truncated] {
            if let Err(errors) = parse_in(Path::new("."), text) {
                prop_assert!(!errors.0.is_empty());
            }
        }
    }
}
