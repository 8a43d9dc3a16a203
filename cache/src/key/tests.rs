//! Key contents, stability and separation (CF section 2).

use std::borrow::Cow;

use fourfront_model::{
    GeneratedHeader, HeaderLines, OriginHeaders, OriginRequestPolicy, Selection, Ttl, Wildcard,
};
use http::{HeaderName, HeaderValue, header};
use proptest::prelude::*;

use super::*;

fn policy() -> CachePolicy {
    CachePolicy {
        name: None,
        ttl: Ttl::new(0, None, None).unwrap(),
        headers: Vec::new(),
        cookies: Selection::None,
        query_strings: Selection::None,
        accept_encoding_gzip: false,
        accept_encoding_brotli: false,
    }
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|n| (*n).to_owned()).collect()
}

fn only(list: &[&str]) -> Selection {
    Selection::Whitelist(names(list))
}

fn except(list: &[&str]) -> Selection {
    Selection::AllExcept(names(list))
}

/// A request in owned form.
#[derive(Clone)]
struct Ask {
    distribution: &'static str,
    method: Method,
    path: &'static str,
    query: Option<String>,
    headers: HeaderMap,
    generated: HeaderLines,
    version: Version,
    signatures: Signatures,
}

impl Ask {
    fn new(target: &'static str, fields: &[(&str, &str)]) -> Self {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        Self {
            distribution: "E1",
            method: Method::GET,
            path,
            query,
            headers,
            generated: HeaderLines::new(),
            version: Version::HTTP_11,
            signatures: Signatures::Ordinary,
        }
    }

    fn generated(mut self, header: GeneratedHeader, value: &'static str) -> Self {
        self.generated.push(HeaderLine {
            name: header.header_name(),
            key: header.key(),
            value: HeaderValue::from_static(value),
        });
        self
    }

    fn request(&self) -> KeyRequest<'_> {
        KeyRequest {
            distribution: self.distribution,
            method: &self.method,
            path: self.path.as_bytes(),
            query: self.query.as_deref().map(str::as_bytes),
            headers: &self.headers,
            generated: &self.generated,
            version: self.version,
            signatures: self.signatures,
        }
    }

    fn key(&self, policy: &CachePolicy) -> Option<CacheKey> {
        cache_key(&secret(), policy, &self.request())
    }

    /// The parts in words, without those every key has.
    fn parts(&self, policy: &CachePolicy) -> Vec<String> {
        let shown = |part: KeyPart| match part {
            KeyPart::Header { name, value } => format!("{name}: {value}"),
            KeyPart::Query(value) => format!("Query {value}"),
            KeyPart::Cookies(value) => format!("Cookies {value}"),
            KeyPart::AcceptEncoding(value) => format!("AcceptEncoding {value}"),
            other => other.to_string(),
        };
        let parts = key_parts(policy, &self.request()).unwrap();
        parts.into_iter().skip(3).map(shown).collect()
    }
}

fn secret() -> KeySecret {
    KeySecret::from_bytes([7; 16])
}

#[test]
fn the_parts_of_a_key_are_told_in_words() {
    // CP-606, CF-160, CF-161, CF-166, CF-167, CF-169, CF-170, CF-171
    let policy = CachePolicy {
        headers: names(&["x-a", "x-b"]),
        cookies: only(&["id"]),
        query_strings: only(&["x"]),
        accept_encoding_gzip: true,
        ..policy()
    };
    let fields = [
        ("x-a", "1"),
        ("x-a", "2"),
        ("cookie", "other=1; id=7"),
        ("accept-encoding", "br, gzip"),
    ];
    let mut ask = Ask::new("/p?y=1&x=2", &fields);
    ask.method = Method::HEAD;
    let told = |ask: &Ask| key_parts(&policy, &ask.request());
    let parts = told(&ask).unwrap();
    let parts: Vec<_> = parts.iter().map(|p| (p.name(), p.value())).collect();
    assert_eq!(
        parts,
        [
            ("distribution", "E1"),
            ("method", "GET"),
            ("path", "/p"),
            ("query", "x=2"),
            ("x-a", "1, 2"),
            ("cookies", "id=7"),
            ("accept-encoding", "gzip"),
        ]
    );
    ask.method = Method::POST;
    assert_eq!(told(&ask), None);
}

fn query_of(selection: Selection, query: &str) -> Option<String> {
    let policy = CachePolicy {
        query_strings: selection,
        ..policy()
    };
    let mut ask = Ask::new("/", &[]);
    ask.query = Some(query.to_owned());
    let mut parts = ask.parts(&policy);
    assert!(parts.len() < 2);
    parts
        .pop()
        .map(|p| p.strip_prefix("Query ").unwrap().to_owned())
}

#[test]
fn distribution_method_and_raw_path_are_always_in_the_key() {
    // CF-160, CF-161, CF-162, CF-163, CF-172
    let p = policy();
    let base = Ask::new("/a", &[]);
    let key = |change: fn(&mut Ask)| {
        let mut ask = base.clone();
        change(&mut ask);
        ask.key(&p)
    };
    let same = base.key(&p);
    assert!(same.is_some());
    assert_eq!(key(|a| a.method = Method::HEAD), same);
    assert_ne!(key(|a| a.method = Method::OPTIONS), same);
    assert!(key(|a| a.method = Method::OPTIONS).is_some());
    assert_eq!(key(|a| a.method = Method::POST), None);
    assert_ne!(key(|a| a.distribution = "E2"), same);
    let irrelevant = [
        ("host", "other.test"),
        ("range", "bytes=0-1"),
        ("cookie", "a=b"),
    ];
    assert_eq!(Ask::new("/a", &irrelevant).key(&p), same);
    let paths = ["/a", "/A", "/a/", "//a", "/./a", "/%61", "/%2f", "/%2F"];
    for (i, one) in paths.iter().enumerate() {
        for other in &paths[i + 1..] {
            let (one, other) = (Ask::new(one, &[]), Ask::new(other, &[]));
            assert_ne!(one.key(&p), other.key(&p));
        }
    }
}

#[test]
fn query_strings_in_the_key() {
    // CF-166, CF-180, CF-181, CF-182, CF-183, CF-184
    let rows: &[(Selection, &str, Option<&str>)] = &[
        (Selection::None, "a=1", None),
        (Selection::All, "b=2&a=1", Some("b=2&a=1")),
        (Selection::All, "", None),
        (Selection::All, "&", Some("&")),
        (only(&["a"]), "b=2&a=1&A=3&a=4", Some("a=1&a=4")),
        (only(&["a"]), "b=2", None),
        (only(&["a"]), "a", Some("a")),
        (only(&["a"]), "a=&b=", Some("a=")),
        (
            only(&["color", "size"]),
            "color=red;size=large",
            Some("color=red;size=large"),
        ),
        (only(&["a*"]), "ab=1&a*=2", Some("a*=2")),
        (only(&["a"]), "%61=1", None),
        (only(&[]), "a=1", None),
        (except(&["a"]), "b=2&a=1&&c", Some("b=2&&c")),
        (except(&["a"]), "a=1", None),
        (except(&["a"]), "a=1&", None),
    ];
    for (selection, query, want) in rows {
        let got = query_of(selection.clone(), query);
        assert_eq!(got.as_deref(), *want, "{selection:?} {query}");
    }
    let all = CachePolicy {
        query_strings: Selection::All,
        ..policy()
    };
    let listed = CachePolicy {
        query_strings: only(&["a", "b"]),
        ..policy()
    };
    let ask = Ask::new("/?a=1&b=2", &[]);
    // CF-165: the values count, not the way they were selected.
    assert_eq!(ask.key(&all), ask.key(&listed));
    assert_ne!(ask.key(&all), Ask::new("/?b=2&a=1", &[]).key(&all));
    assert_eq!(
        Ask::new("/a?", &[]).key(&all),
        Ask::new("/a", &[]).key(&all)
    );
}

#[test]
fn headers_in_the_key() {
    // CF-165, CF-167, CF-168, CF-169
    let p = CachePolicy {
        headers: names(&["accept-language", "x-a"]),
        ..policy()
    };
    let ask = |fields: &[(&str, &str)]| Ask::new("/", fields);
    let sent = ask(&[
        ("X-A", "1"),
        ("x-other", "2"),
        ("X-a", "3"),
        ("Accept-Language", "De"),
    ]);
    assert_eq!(sent.parts(&p), ["accept-language: De", "x-a: 1, 3"]);
    let key = |fields: &[(&str, &str)]| ask(fields).key(&p);
    assert_ne!(key(&[("x-a", "v")]), key(&[("x-a", "V")]));
    assert_ne!(key(&[("x-a", "")]), key(&[]));
    assert_eq!(key(&[("x-a", "1, 3")]), key(&[("x-a", "1"), ("x-a", "3")]));
    assert_ne!(key(&[("x-a", "1,3")]), key(&[("x-a", "1"), ("x-a", "3")]));
    // A value cannot move from one field to the next.
    assert_ne!(key(&[("x-a", "1")]), key(&[("accept-language", "1")]));
    assert_eq!(key(&[("x-other", "1")]), ask(&[]).key(&policy()));
}

#[test]
fn generated_headers_are_keyed_by_what_the_edge_says() {
    // CF-174, CF-165, CF-168
    let country = "cloudfront-viewer-country";
    let p = CachePolicy {
        headers: names(&[country, "host"]),
        ..policy()
    };
    let forged = [("host", "a"), (country, "FR")];
    let unknown = Ask::new("/", &forged);
    assert_eq!(unknown.parts(&p), ["host: a"]);
    let known = |code| Ask::new("/", &forged).generated(GeneratedHeader::ViewerCountry, code);
    assert_eq!(
        known("DE").parts(&p),
        [&*format!("{country}: DE"), "host: a"]
    );
    assert_ne!(known("DE").key(&p), known("FR").key(&p));
    assert_ne!(known("FR").key(&p), unknown.key(&p));
    assert_eq!(
        known("DE").key(&p),
        Ask::new("/", &forged[..1])
            .generated(GeneratedHeader::ViewerCountry, "DE")
            .key(&p)
    );
    // What the policy does not name makes no difference.
    let more = known("DE").generated(GeneratedHeader::ViewerCity, "Bonn");
    assert_eq!(more.key(&p), known("DE").key(&p));
    assert_eq!(known("DE").key(&policy()), unknown.key(&policy()));
}

#[test]
fn cookies_in_the_key() {
    // CF-170, CF-190, CF-191, CF-192, CF-193, CF-194
    let of = |selection: Selection, lines: &[&str]| {
        let p = CachePolicy {
            cookies: selection,
            ..policy()
        };
        let fields: Vec<_> = lines.iter().map(|line| ("cookie", *line)).collect();
        Ask::new("/", &fields).parts(&p).pop()
    };
    let rows: &[(Selection, &[&str], Option<&str>)] = &[
        (Selection::None, &["a=1"], None),
        (Selection::All, &["b=2; a=1"], Some("Cookies a=1; b=2")),
        (
            Selection::All,
            &["b=2;a=1", "a=0"],
            Some("Cookies a=1; a=0; b=2"),
        ),
        (Selection::All, &["B=1; a=2"], Some("Cookies B=1; a=2")),
        (Selection::All, &["$Version=1; a=1"], Some("Cookies a=1")),
        (
            Selection::All,
            &["junk; =x; a b=1; ; a=1"],
            Some("Cookies a=1"),
        ),
        (Selection::All, &["junk"], None),
        (Selection::All, &["a="], Some("Cookies a=")),
        (Selection::All, &["a=b=c"], Some("Cookies a=b=c")),
        (only(&["a"]), &["A=1; a=2; b=3"], Some("Cookies a=2")),
        (only(&["a"]), &["b=3"], None),
        (except(&["a"]), &["a=2; b=3"], Some("Cookies b=3")),
        (
            Selection::All,
            &[
                "CloudFront-Policy=x; CloudFront-Signature=y; CloudFront-Key-Pair-Id=z; CloudFront-Expires=1; CloudFront-Hash-Algorithm=SHA256; a=1",
            ],
            Some("Cookies a=1"),
        ),
        (only(&["CloudFront-Policy"]), &["CloudFront-Policy=x"], None),
    ];
    for (selection, lines, want) in rows {
        assert_eq!(
            of(selection.clone(), lines).as_deref(),
            *want,
            "{selection:?} {lines:?}"
        );
    }
}

#[test]
fn in_legacy_mode_gzip_is_all_there_is() {
    // CF-210, CF-332
    use OriginAcceptEncoding::{Remove, Send};
    let legacy = OriginRequestPolicy {
        headers: OriginHeaders::Legacy,
        ..OriginRequestPolicy::default()
    };
    let policy = CachePolicy {
        accept_encoding_gzip: true,
        ..policy()
    };
    for (sent, key, origin) in [
        (Some("br, gzip"), Some("gzip"), Send("gzip")),
        (Some("gzip;q=0.5"), Some("gzip"), Send("gzip")),
        (Some("br"), None, Remove),
        (Some("gzip;q=0"), None, Remove),
        (None, None, Remove),
    ] {
        let mut headers = HeaderMap::new();
        if let Some(sent) = sent {
            headers.insert(header::ACCEPT_ENCODING, sent.parse().unwrap());
        }
        let codings = Codings::of(&policy, &headers, Version::HTTP_11);
        assert_eq!(codings.as_key(), key, "{sent:?}");
        let forwarded =
            forwarded_accept_encoding(&policy, Some(&legacy), &headers, Version::HTTP_11);
        assert_eq!(forwarded, origin, "{sent:?}");
    }
}

#[test]
fn cookies_may_be_chosen_by_wildcards() {
    // CF-196, CF-119
    let wildcards = ["wp-*", "id?"].map(|w| Wildcard::new(w.to_owned()));
    let policy = CachePolicy {
        cookies: Selection::Wildcards(wildcards.to_vec()),
        ..policy()
    };
    let mut headers = HeaderMap::new();
    let sent = "wp-b=2; other=x; id1=1; id12=y; wp-a=3; CloudFront-Policy=z";
    headers.insert(header::COOKIE, sent.parse().unwrap());
    let forwarded = forwarded_cookies(&policy, None, Signatures::Ordinary, &headers);
    assert_eq!(forwarded.unwrap(), "id1=1; wp-a=3; wp-b=2");
}

#[test]
fn the_accept_encoding_table() {
    // CF-171, CF-200, CF-201, CF-202, CF-203, CF-204, CF-205, CF-206, CF-207
    use OriginAcceptEncoding::{AsReceived, Remove, Send};
    let identity = Send("identity");
    type Row<'a> = (
        bool,
        bool,
        Option<&'a str>,
        Option<&'a str>,
        OriginAcceptEncoding,
    );
    // Columns: gzip flag, br flag, viewer sends, key, origin gets.
    let rows: &[Row<'_>] = &[
        (true, true, None, None, Remove),
        (
            true,
            true,
            Some("br, gzip"),
            Some("br,gzip"),
            Send("br,gzip"),
        ),
        (
            true,
            true,
            Some("gzip, deflate, BR"),
            Some("br,gzip"),
            Send("br,gzip"),
        ),
        (true, true, Some("gzip"), Some("gzip"), Send("gzip")),
        (true, true, Some("br;q=0.001"), Some("br"), Send("br")),
        (true, true, Some("gzip;q=0, br ; Q=0.0"), None, identity),
        (true, true, Some("*"), None, identity),
        (true, true, Some("identity"), None, identity),
        (true, true, Some(""), None, identity),
        (true, true, Some("gzip;q=x"), None, identity),
        (true, true, Some("x-gzip, gzipped"), None, identity),
        (true, false, Some("br, gzip"), Some("gzip"), Send("gzip")),
        (true, false, Some("br"), None, identity),
        (true, false, None, None, Remove),
        (false, true, Some("gzip, br"), Some("br"), Send("br")),
        (false, true, Some("gzip"), None, identity),
        (false, false, Some("gzip"), None, Remove),
    ];
    for (gzip, brotli, sent, key, origin) in rows {
        let mut p = CachePolicy {
            accept_encoding_gzip: *gzip,
            accept_encoding_brotli: *brotli,
            ..policy()
        };
        let fields: Vec<_> = sent.iter().map(|v| ("accept-encoding", *v)).collect();
        let ask = Ask::new("/", &fields);
        let want: Vec<_> = key.iter().map(|k| format!("AcceptEncoding {k}")).collect();
        assert_eq!(ask.parts(&p), want, "{gzip} {brotli} {sent:?}");
        let of = |p: &CachePolicy, orp: Option<&OriginRequestPolicy>| {
            forwarded_accept_encoding(p, orp, &ask.headers, Version::HTTP_11)
        };
        assert_eq!(of(&p, None), *origin, "{gzip} {brotli} {sent:?}");
        // Listed beside the flags it has no effect; without them it is any other header.
        p.headers = names(&["accept-encoding"]);
        let all_viewer = OriginRequestPolicy {
            headers: OriginHeaders::AllViewer,
            ..OriginRequestPolicy::default()
        };
        if *gzip || *brotli {
            // CF-129
            assert_eq!(ask.parts(&p), want);
            assert_eq!(of(&p, Some(&all_viewer)), *origin);
        } else {
            assert_eq!(ask.parts(&p), ["accept-encoding: gzip"]);
            assert_eq!(of(&p, None), AsReceived);
            assert_eq!(of(&policy(), Some(&all_viewer)), AsReceived);
        }
    }
}

#[test]
fn who_takes_both_codings_is_answered_with_either_and_not_the_other_way_round() {
    // CF-208
    let of = |gzip, brotli, sent| {
        let p = CachePolicy {
            accept_encoding_gzip: gzip,
            accept_encoding_brotli: brotli,
            ..policy()
        };
        let ask = Ask::new("/", &[("accept-encoding", sent)]);
        let others = keys_of_one_coding(&secret(), &p, &ask.request());
        (ask.key(&p), others)
    };
    let one = |sent| of(true, true, sent).0;
    let both = of(true, true, "gzip, br");
    assert_eq!(
        both.1.map(|keys| keys.map(Some)),
        Some([one("br"), one("gzip")])
    );
    for (gzip, brotli, sent) in [
        (true, true, "gzip"),
        (true, true, "br"),
        (true, true, "identity"),
        (true, false, "gzip, br"),
        (false, false, "gzip, br"),
    ] {
        assert_eq!(of(gzip, brotli, sent).1, None, "{gzip} {brotli} {sent}");
    }
}

#[test]
fn http_1_0_has_no_accept_encoding() {
    // CF-207, CF-546
    let p = CachePolicy {
        accept_encoding_gzip: true,
        ..policy()
    };
    let mut ask = Ask::new("/", &[("accept-encoding", "gzip")]);
    ask.version = Version::HTTP_10;
    assert_eq!(ask.key(&p), Ask::new("/", &[]).key(&p));
    let sent = forwarded_accept_encoding(&p, None, &ask.headers, ask.version);
    assert_eq!(sent, OriginAcceptEncoding::Remove);
}

#[test]
fn the_origin_gets_the_union_of_both_policies_in_request_order() {
    // CF-120, CF-127, CF-182, CF-184, CF-191
    let orp = |query: Selection, cookies: Selection| OriginRequestPolicy {
        query_strings: query,
        cookies,
        ..OriginRequestPolicy::default()
    };
    let keyed = CachePolicy {
        query_strings: only(&["a"]),
        cookies: only(&["k"]),
        ..policy()
    };
    let query = |p: &CachePolicy, extra: Option<&OriginRequestPolicy>, raw: &'static str| {
        forwarded_query(p, extra, Signatures::Ordinary, Some(raw.as_bytes()))
            .map(|q| String::from_utf8(q.into_owned()).unwrap())
    };
    let b = orp(only(&["b"]), only(&["b"]));
    assert_eq!(query(&keyed, None, "b=2&a=1").as_deref(), Some("a=1"));
    assert_eq!(
        query(&keyed, Some(&b), "b=2&c=3&a=1").as_deref(),
        Some("b=2&a=1")
    );
    assert_eq!(query(&keyed, Some(&b), "c=3"), None);
    assert_eq!(query(&policy(), None, "c=3"), None);
    let all = orp(Selection::All, Selection::All);
    assert_eq!(
        query(&policy(), Some(&all), "c=3&&x").as_deref(),
        Some("c=3&&x")
    );
    assert_eq!(query(&policy(), Some(&all), ""), None);
    assert_eq!(
        query(
            &policy(),
            Some(&orp(except(&["c"]), Selection::None)),
            "c=3&d"
        ),
        Some("d".into())
    );
    let whole = forwarded_query(&policy(), Some(&all), Signatures::Ordinary, Some(b"c=3"));
    assert!(matches!(whole, Some(Cow::Borrowed(b"c=3"))));

    let cookies = |p: &CachePolicy, extra: Option<&OriginRequestPolicy>, line: &str| {
        let ask = Ask::new("/", &[("cookie", line)]);
        forwarded_cookies(p, extra, Signatures::Ordinary, &ask.headers)
            .map(|v| v.to_str().unwrap().to_owned())
    };
    assert_eq!(cookies(&keyed, None, "z=1; k=2"), Some("k=2".into()));
    assert_eq!(
        cookies(&keyed, Some(&b), "z=1; k=2; b=3; $x=1; junk"),
        Some("b=3; k=2".into())
    );
    assert_eq!(
        cookies(&keyed, Some(&all), "z=1; k=2"),
        Some("k=2; z=1".into())
    );
    assert_eq!(cookies(&policy(), None, "z=1"), None);
    assert_eq!(cookies(&keyed, None, "z=1"), None);
    // CF-194: without key groups, signed cookies are cookies to the origin.
    let signed = "CloudFront-Policy=x";
    assert_eq!(cookies(&policy(), Some(&all), signed), Some(signed.into()));
}

#[test]
fn where_signatures_are_taken_they_are_neither_in_the_key_nor_sent() {
    // CF-185, CF-194, CF-577
    let all = CachePolicy {
        query_strings: Selection::All,
        cookies: Selection::All,
        ..policy()
    };
    let listed = CachePolicy {
        query_strings: only(&["Expires", "a"]),
        cookies: only(&["CloudFront-Policy", "k"]),
        ..policy()
    };
    let taken = |target: &'static str, cookie: &str| {
        let mut ask = Ask::new(target, &[("cookie", cookie)]);
        ask.signatures = Signatures::Taken;
        ask
    };
    let plain = taken("/?a=1", "k=1");
    let signed = [
        taken("/?a=1&Expires=1&Signature=s&Key-Pair-Id=k", "k=1"),
        taken(
            "/?Policy=p&Signature=t&Key-Pair-Id=k&Hash-Algorithm=SHA256&a=1",
            "k=1",
        ),
        taken("/?a=1", "CloudFront-Policy=p; k=1; CloudFront-Signature=s"),
    ];
    for policy in [&all, &listed] {
        for ask in &signed {
            assert_eq!(ask.key(policy), plain.key(policy), "{:?}", ask.query);
            let query = ask.query.as_deref().map(str::as_bytes);
            let sent = forwarded_query(policy, None, Signatures::Taken, query);
            assert_eq!(sent.as_deref(), Some(&b"a=1"[..]));
            let sent = forwarded_cookies(policy, None, Signatures::Taken, &ask.headers);
            assert_eq!(sent.unwrap(), "k=1");
        }
        // CF-181: names in another case are other names.
        let other = taken("/?a=1&expires=1", "k=1");
        assert_ne!(other.key(&all), plain.key(&all));
    }
    // Nothing is left: as without a query.
    let bare = taken("/", "k=1");
    let alone = taken("/?Expires=1&Signature=s&Key-Pair-Id=k", "k=1");
    assert_eq!(alone.key(&all), bare.key(&all));
    assert_eq!(
        forwarded_query(&all, None, Signatures::Taken, Some(b"Expires=1")),
        None
    );
    // Without key groups they are ordinary parameters.
    let ordinary = Ask::new("/?a=1&Expires=1", &[("cookie", "k=1")]);
    assert_ne!(ordinary.key(&all), plain.key(&all));
    let sent = forwarded_query(&all, None, Signatures::Ordinary, Some(b"a=1&Expires=1"));
    assert_eq!(sent.as_deref(), Some(&b"a=1&Expires=1"[..]));
}

#[test]
fn vary_selects_by_the_named_fields() {
    // CF-824, RFC 9111 section 4.1
    let of = |vary: &[&str], request: &[(&str, &str)]| {
        let fields: Vec<_> = vary.iter().map(|v| ("vary", *v)).collect();
        vary_key(
            &secret(),
            &Ask::new("/", &fields).headers,
            &Ask::new("/", request).headers,
        )
    };
    let de = [("accept-language", "de"), ("x-b", "1")];
    let Variance::Variant(german) = of(&["Accept-Language"], &de) else {
        panic!("a variant is expected");
    };
    assert_eq!(
        of(&["accept-language"], &de[..1]),
        Variance::Variant(german)
    );
    assert_ne!(
        of(&["accept-language"], &[("accept-language", "en")]),
        Variance::Variant(german)
    );
    assert_ne!(
        of(&["accept-language"], &[("accept-language", "")]),
        of(&["accept-language"], &[])
    );
    // Order, case, repetition and line breaks of `Vary` do not matter.
    let both = of(&["x-b, Accept-Language"], &de);
    assert_eq!(of(&["accept-language,, X-B", "x-b"], &de), both);
    assert_ne!(both, Variance::Variant(german));
    // Two `Vary` that find the same fields present differ all the same.
    assert_ne!(
        of(&["accept-language, x-none"], &de),
        Variance::Variant(german)
    );
    assert_ne!(of(&["x-none"], &de), of(&["x-neither"], &de));
    assert_eq!(of(&[], &de), Variance::Invariant);
    assert_eq!(of(&[" , "], &de), Variance::Invariant);
    assert_eq!(of(&["x-b, *"], &de), Variance::Never);
    assert_eq!(of(&["x b"], &de), Variance::Never);
    let many = |n: usize| {
        let fields: Vec<_> = (0..n).map(|i| format!("x-{i}")).collect();
        of(&[&fields.join(",")], &de)
    };
    assert!(matches!(many(MAX_VARY_FIELDS), Variance::Variant(_)));
    assert_eq!(many(MAX_VARY_FIELDS + 1), Variance::Never);
    let primary = Ask::new("/", &[]).key(&policy()).unwrap();
    assert_ne!(primary.with_variant(&secret(), german), primary);
}

#[test]
fn selecting_fields_are_compared_as_lists() {
    // CF-824, RFC 9111 section 4.1
    let variant = |name: &str, values: &[&str]| {
        let fields: Vec<_> = values.iter().map(|v| (name, *v)).collect();
        let vary = Ask::new("/", &[("vary", name)]).headers;
        vary_key(&secret(), &vary, &Ask::new("/", &fields).headers)
    };
    type Row<'a> = (&'a str, &'a [&'a str], &'a [&'a str], bool);
    let rows: &[Row<'_>] = &[
        ("x-a", &["1,2"], &[" 1, 2 "], true),
        ("x-a", &["1,2"], &["1", "2"], true),
        ("x-a", &["1,2"], &["1,,2,"], true),
        ("x-a", &["1,2"], &["2,1"], false),
        ("x-a", &["1,2"], &["12"], false),
        ("x-a", &["a"], &["A"], false),
        ("x-a", &["a b"], &["a  b"], false),
        // A quoted comma separates nothing.
        ("x-a", &["\"1,2\""], &["\"1, 2\""], false),
        ("x-a", &["\"1,2\",3"], &["\"1,2\", 3"], true),
        // Nothing, an empty line and no line.
        ("x-a", &[""], &[" , "], true),
        ("x-a", &[""], &[], false),
        (
            "accept-language",
            &["en, de;q=0.5"],
            &["EN,de; Q=0.5"],
            true,
        ),
        ("accept-language", &["en, de"], &["de, en"], false),
        ("accept-language", &["en"], &["en-GB"], false),
    ];
    for (name, one, other, same) in rows {
        let equal = variant(name, one) == variant(name, other);
        assert_eq!(equal, *same, "{name}: {one:?} {other:?}");
    }
}

#[test]
fn keys_depend_on_the_secret_and_do_not_show_it() {
    // CF-160
    let ask = Ask::new("/a", &[]);
    let other = cache_key(&KeySecret::from_bytes([8; 16]), &policy(), &ask.request());
    assert_ne!(other, ask.key(&policy()));
    let (a, b) = (KeySecret::random().unwrap(), KeySecret::random().unwrap());
    assert_ne!(a.0, b.0);
    assert_eq!(format!("{a:?}"), "KeySecret(..)");
    let key = CacheKey::from_bytes([0xAB; 16]);
    assert_eq!(key.to_string(), "ab".repeat(16));
    assert_eq!(CacheKey::from_bytes(*key.as_bytes()), key);
}

#[test]
fn a_part_cannot_pretend_to_be_two() {
    // CF-162: a path may hold any bytes, also those that end a part.
    let mark = |length: u64, part: Part| ((length << 8) | part as u64).to_le_bytes();
    for lengths in [[0, 0], [1, 3]] {
        let inner = [
            &mark(lengths[0], Part::Distribution)[..],
            b"GET",
            &mark(lengths[1], Part::Method),
        ]
        .concat();
        let inner = String::from_utf8(inner).unwrap();
        let key = |distribution: &str, path: &str| {
            let headers = HeaderMap::new();
            let request = KeyRequest {
                distribution,
                method: &Method::GET,
                path: path.as_bytes(),
                query: None,
                headers: &headers,
                generated: &[],
                version: Version::HTTP_11,
                signatures: Signatures::Ordinary,
            };
            cache_key(&secret(), &policy(), &request)
        };
        let one = key("X", &format!("Y{inner}Z"));
        assert_ne!(one, key(&format!("X{inner}Y"), "Z"));
    }
}

proptest! {
    #[test]
    fn keys_are_stable_under_field_order_and_name_case(
        mut fields in Just(vec![
            ("accept-language", "de"), ("x-a", "1"), ("x-b", "2"), ("cookie", "k=v; a=b"),
            ("accept-encoding", "gzip"), ("x-other", "9"),
        ]).prop_shuffle(),
        upper in any::<[bool; 6]>(), drop_other in any::<bool>(),
    ) {
        // CF-167, CF-191
        let p = CachePolicy {
            headers: names(&["accept-language", "x-a", "x-b"]),
            cookies: Selection::All,
            accept_encoding_gzip: true,
            ..policy()
        };
        if drop_other {
            fields.retain(|(name, _)| *name != "x-other");
        }
        let cased: Vec<_> = fields.iter().zip(upper).map(|((name, value), upper)| {
            (if upper { name.to_ascii_uppercase() } else { (*name).to_owned() }, *value)
        }).collect();
        let shuffled: Vec<_> = cased.iter().map(|(n, v)| (n.as_str(), *v)).collect();
        fields.sort_unstable();
        prop_assert_eq!(Ask::new("/", &shuffled).key(&p), Ask::new("/", &fields).key(&p));
    }

    #[test]
    fn keys_are_equal_exactly_when_their_parts_are(
        a in "[ab/?=&]{0,6}", b in "[ab/?=&]{0,6}", x in "[ab,]{0,3}", y in "[ab,]{0,3}",
    ) {
        // CF-168, CF-181: moving a byte from one part to the next makes another key.
        let p = CachePolicy {
            headers: names(&["x-a", "x-b"]),
            query_strings: Selection::All,
            cookies: Selection::All,
            ..policy()
        };
        let ask = |query: &str, x: &str, y: &str| {
            let mut ask = Ask::new("/", &[("x-a", x), ("x-b", y)]);
            ask.query = Some(query.to_owned());
            (ask.key(&p), ask.parts(&p))
        };
        let (one, other) = (ask(&a, &x, &y), ask(&b, &y, &x));
        prop_assert_eq!(one.0 == other.0, one.1 == other.1);
    }

    #[test]
    fn any_bytes_make_a_key(
        query in "[ -~]{0,60}", cookie in "[ -~]{0,60}", encoding in "[ -~]{0,30}", vary in "[ -~]{0,30}",
    ) {
        let p = CachePolicy {
            headers: names(&["vary"]),
            query_strings: except(&["a"]),
            cookies: except(&["a"]),
            accept_encoding_brotli: true,
            ..policy()
        };
        let mut ask = Ask::new("/", &[
            ("cookie", &cookie), ("accept-encoding", &encoding), ("vary", &vary),
        ]);
        ask.query = Some(query);
        prop_assert!(ask.key(&p).is_some());
        let variance = vary_key(&secret(), &ask.headers, &ask.headers);
        prop_assert_eq!(variance, vary_key(&secret(), &ask.headers, &ask.headers));
        let sent = forwarded_cookies(&p, None, Signatures::Ordinary, &ask.headers);
        prop_assert!(sent.is_none_or(|v| !v.is_empty()));
    }
}
