//! Which requests are answered, and with what.

use proptest::prelude::*;

use super::*;

fn value(text: &'static str) -> HeaderValue {
    HeaderValue::from_static(text)
}

fn cors(origins: &[&str]) -> CorsPolicy {
    CorsPolicy {
        origins: match origins {
            ["*"] => AllowOrigins::Any,
            listed => AllowOrigins::Listed(listed.iter().map(|o| o.parse().unwrap()).collect()),
        },
        allow_headers: AllowHeaders::new(&["X-One".to_owned()]).unwrap(),
        allow_methods: Some(value("GET, PUT")),
        allow_credentials: true,
        expose_headers: Some(value("X-Seen")),
        max_age: Some(value("600")),
        origin_override: false,
    }
}

fn fields(cors: &CorsPolicy, asked: &Asked<'_>, sent: &[HeaderName]) -> Vec<String> {
    let outcome = cors.judge(asked, |n| sent.contains(n));
    let mut all = Vec::new();
    cors.each(outcome, asked, |name, key, value| {
        assert!(key.eq_ignore_ascii_case(name.as_str()));
        all.push(format!("{name}: {}", value.to_str().unwrap()));
    });
    all
}

#[test]
fn origins_match_entries_as_documented() {
    // CF-607
    let rows: &[(&str, &str, bool)] = &[
        ("https://a.test", "https://a.test", true),
        ("https://a.test", "HTTPS://A.test", true),
        ("https://a.test", "http://a.test", false),
        ("https://a.test", "https://a.test:8443", false),
        ("a.test", "http://a.test", true),
        ("a.test", "https://a.test", true),
        ("a.test", "https://b.a.test", false),
        ("*.example.org", "https://www.example.org", true),
        ("*.example.org", "https://a.b.example.org", true),
        ("*.example.org", "https://example.org", false),
        ("*.example.org", "https://.example.org", false),
        ("*.example.org", "https://notexample.org", false),
        ("*.example.org", "https://www.example.org:8443", false),
        ("*.example.org:*", "https://www.example.org:8443", true),
        ("*.example.org:*", "https://www.example.org", false),
        ("http://a.test:8080", "http://a.test:8080", true),
        ("http://a.test:8080", "http://a.test:80", false),
        ("https://[::1]:9", "https://[::1]:9", true),
        ("a.test", "null", false),
    ];
    for (entry, origin, fits) in rows {
        let pattern: OriginPattern = entry.parse().unwrap();
        assert_eq!(pattern.matches(origin), *fits, "{entry} {origin}");
        assert_eq!(pattern.to_string(), entry.to_ascii_lowercase());
    }
}

#[test]
fn wildcards_stand_only_where_they_may() {
    // CF-607
    for entry in [
        "",
        "*",
        "a.*.test",
        "a*.test",
        "https://*",
        "ht*p://a.test",
        "a.test:8*",
        "a.test:0",
        "a.test/",
        "https://a.test/x",
        "a test",
        "*.",
        "://a.test",
    ] {
        assert!(entry.parse::<OriginPattern>().is_err(), "{entry}");
    }
}

#[test]
fn only_requests_with_an_origin_are_answered() {
    // CF-558, CF-609
    let origin = value("https://a.test");
    let simple = Asked {
        origin: Some(&origin),
        ..Asked::default()
    };
    let any = cors(&["*"]);
    assert_eq!(
        fields(&any, &simple, &[]),
        [
            "access-control-allow-origin: *",
            "access-control-allow-credentials: true",
            "access-control-expose-headers: X-Seen"
        ]
    );
    assert!(fields(&any, &Asked::default(), &[]).is_empty());
    let preflight = Asked {
        preflight: Some(Preflight { headers: None }),
        ..simple
    };
    assert_eq!(
        fields(&any, &preflight, &[])[3..],
        [
            "access-control-allow-methods: GET, PUT",
            "access-control-allow-headers: X-One",
            "access-control-max-age: 600"
        ]
    );
}

#[test]
fn a_list_of_origins_echoes_those_on_it() {
    // CF-607
    let (a, b) = (value("https://a.test"), value("https://b.test"));
    let asks = |origin| Asked {
        origin: Some(origin),
        ..Asked::default()
    };
    let mut listed = cors(&["https://a.test"]);
    listed.allow_credentials = false;
    listed.expose_headers = None;
    assert_eq!(
        fields(&listed, &asks(&a), &[]),
        [
            "access-control-allow-origin: https://a.test",
            "vary: Origin"
        ]
    );
    assert_eq!(fields(&listed, &asks(&b), &[]), ["vary: Origin"]);
    assert_eq!(fields(&listed, &Asked::default(), &[]), ["vary: Origin"]);
}

#[test]
fn an_origin_that_speaks_for_itself_is_left_alone_unless_overridden() {
    // CF-559
    let origin = value("https://a.test");
    let asked = Asked {
        origin: Some(&origin),
        ..Asked::default()
    };
    for sent in CORS_FIELDS {
        let mut policy = cors(&["https://a.test"]);
        assert!(
            fields(&policy, &asked, std::slice::from_ref(&sent)).is_empty(),
            "{sent}"
        );
        policy.origin_override = true;
        assert!(!fields(&policy, &asked, &[sent]).is_empty());
        let outcome = policy.judge(&asked, |_| true);
        assert!(policy.replaces(outcome));
        assert!(!policy.replaces(policy.judge(&Asked::default(), |_| true)));
    }
}

#[test]
fn preflights_are_told_from_other_requests() {
    // CF-558, CF-610
    let mut map = http::HeaderMap::new();
    map.insert("origin", value("https://a.test"));
    map.insert("access-control-request-headers", value("x-a"));
    map.insert("pragma", value("no-cache, Server-Timing"));
    let asked = Asked::of(&Method::OPTIONS, |n| map.get(n));
    assert!(asked.preflight.is_none() && asked.wants_timing);
    map.insert("access-control-request-method", value("PUT"));
    let asked = Asked::of(&Method::OPTIONS, |n| map.get(n));
    assert!(asked.preflight.unwrap().headers.is_some());
    assert!(Asked::of(&Method::GET, |n| map.get(n)).preflight.is_none());
    map.remove("origin");
    assert!(
        Asked::of(&Method::OPTIONS, |n| map.get(n))
            .preflight
            .is_none()
    );
}

#[test]
fn wildcards_among_allowed_headers_are_held_against_what_is_asked_for() {
    // CF-608
    let answer = |entries: &[&str], wanted: &'static str| {
        let entries: Vec<_> = entries.iter().map(|e| (*e).to_owned()).collect();
        let wanted = value(wanted);
        let preflight = Preflight {
            headers: Some(&wanted),
        };
        let allowed = AllowHeaders::new(&entries).unwrap().answer(&preflight);
        allowed.map(|v| v.to_str().unwrap().to_owned())
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(answer(&["*"], "x-a"), some("*"));
    assert_eq!(answer(&["X-A", "X-B"], "x-c"), some("X-A, X-B"));
    assert_eq!(
        answer(&["X-Mine", "x-amz-*"], "x-amz-date, X-AMZ-Acl,x-other"),
        some("X-Mine, x-amz-date, X-AMZ-Acl")
    );
    assert_eq!(answer(&["x-*-amz"], "x-1-amz, x-amz"), some("x-1-amz"));
    assert_eq!(answer(&["x-amz-*"], "y"), None);
    // The wildcard does not cover it; listing it does.
    assert_eq!(answer(&["auth*"], "authorization"), None);
    assert_eq!(
        answer(&["*", "Authorization"], "a"),
        some("*, Authorization")
    );
    assert!(AllowHeaders::new(&["a b".to_owned()]).is_err());
}

/// A pattern and a name over a small alphabet, so that they have a chance.
fn pattern_and_name() -> impl Strategy<Value = (String, String)> {
    ("[abA*]{0,6}", "[abA]{0,8}")
}

proptest! {
    #[test]
    fn wildcards_match_as_their_definition_says((pattern, name) in pattern_and_name()) {
        // CF-608
        fn slow(pattern: &[u8], name: &[u8]) -> bool {
            match pattern.split_first() {
                None => name.is_empty(),
                Some((b'*', rest)) => (0..=name.len()).any(|n| slow(rest, &name[n..])),
                Some((c, rest)) => {
                    name.first().is_some_and(|n| n.eq_ignore_ascii_case(c)) && slow(rest, &name[1..])
                }
            }
        }
        let pattern = pattern.to_ascii_lowercase();
        prop_assert_eq!(
            wild(pattern.as_bytes(), name.as_bytes()),
            slow(pattern.as_bytes(), name.as_bytes())
        );
    }

    #[test]
    fn no_origin_outside_a_domain_is_let_in(origin in ".*") {
        // CF-607
        let pattern: OriginPattern = "https://*.example.org".parse().unwrap();
        if pattern.matches(&origin) {
            let lower = origin.to_ascii_lowercase();
            prop_assert!(lower.starts_with("https://") && lower.ends_with(".example.org"));
        }
    }
}
