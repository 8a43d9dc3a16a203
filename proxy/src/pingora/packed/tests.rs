//! What comes out of a packed head is what the head had.

use proptest::{prelude::*, sample::select};

use super::{super::headers::lines, *};

const NONE: &[&str] = &[];

fn header(status: u16, fields: &[(&str, &str)]) -> ResponseHeader {
    let mut header = ResponseHeader::build(status, None).unwrap();
    for (name, value) in fields {
        header
            .append_header((*name).to_owned(), (*value).to_owned())
            .unwrap();
    }
    header
}

fn put(packed: &Packed, hidden: &[&str]) -> (String, Has) {
    let mut out = Vec::new();
    let has = packed.put(&mut out, hidden);
    (String::from_utf8(out).unwrap(), has)
}

#[test]
fn a_head_is_written_as_it_was_received() {
    // LE-197, CF-509, CF-320
    let fields = [("server", "a"), ("ETag", "\"1\""), ("X-Empty", "")];
    let packed = Packed::of(&header(200, &fields), &[]).unwrap();
    let (text, has) = put(&packed, NONE);
    assert_eq!(
        text,
        "HTTP/1.1 200 OK\r\nserver: a\r\nETag: \"1\"\r\nX-Empty: \r\n"
    );
    let server = Has {
        server: true,
        ..Has::default()
    };
    assert_eq!(has, server);
    assert_eq!(packed.description(), "OK");
    let bare = Packing::new(StatusCode::NOT_FOUND, None, &[]).finish();
    assert_eq!(put(&bare, &["etag"]).0, "HTTP/1.1 404 Not Found\r\n");
    assert_eq!(bare.fields().len(), 0);
}

#[test]
fn a_head_is_written_without_what_goes() {
    // CF-553, CF-554
    let fields = [
        ("Server", "a"),
        ("X-Powered-By", "b"),
        ("Via", "c"),
        ("ETag", "d"),
    ];
    let packed = Packed::of(&header(200, &fields), &[]).unwrap();
    let put_but = |goes: &[&[u8]]| {
        let mut out = Vec::new();
        let has = packed.put_but(&mut out, |name| {
            goes.iter().any(|other| name.eq_ignore_ascii_case(other))
        });
        (String::from_utf8(out).unwrap(), has.server)
    };
    let (text, has_server) = put_but(&[b"x-powered-by", b"server"]);
    assert_eq!(text, "HTTP/1.1 200 OK\r\nETag: d\r\n");
    assert!(!has_server);
    let (text, has) = put(&packed, NONE);
    assert_eq!(put_but(&[b"other"]), (text, has.server));
    // What the node writes itself is not there for a policy.
    assert!(packed.shows(&header::ETAG) && !packed.shows(&header::VIA));
}

#[test]
fn phrases_of_the_origin_stay_and_unsound_ones_do_not() {
    // RFC 9112 section 4
    let phrase = |status, phrase| {
        let mut header = header(status, &[]);
        header.set_reason_phrase(Some(phrase)).unwrap();
        let packed = Packed::of(&header, &[]).unwrap();
        let back = packed.header().unwrap();
        let told = back.get_reason_phrase().map(str::to_owned);
        (packed.description().to_owned(), told)
    };
    let both = |text: &str| (text.to_owned(), Some(text.to_owned()));
    assert_eq!(phrase(200, "Fine"), both("Fine"));
    assert_eq!(phrase(200, ""), both(""));
    assert_eq!(phrase(200, "OK\r\nX: 1"), both("OK"));
    assert_eq!(phrase(299, ""), (String::new(), None));
}

#[test]
fn some_fields_are_for_functions_and_some_for_nobody() {
    // CF-246, CF-308, CF-500..505, CF-675, CF-836
    let fields = [
        ("Via", "1.1 origin"),
        ("Date", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("X-Once", "1"),
        ("Age", "7"),
        ("X-Tags", "red"),
        ("Content-Length", "3"),
    ];
    let header = header(200, &fields);
    let unshared = [HeaderName::from_static("x-once")];
    let packed = Packed::of(&header, &unshared).unwrap();
    let (text, has) = put(&packed, &["x-tags", "date"]);
    assert_eq!(text, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n");
    assert!(has.length && !has.date && !has.server);
    let (text, has) = put(&packed, NONE);
    assert!(
        text.contains("\r\nX-Tags: red\r\n") && has.date && has.length,
        "{text}"
    );
    let shown = packed.lines(&["x-tags"], 0);
    let names: Vec<_> = shown.iter().map(|line| line.name.as_str()).collect();
    assert_eq!(names, ["via", "date", "content-length"]);
    // What is kept and judged is all of it.
    assert_eq!(packed.headers().len(), fields.len());
    assert_eq!(lines(&packed.header().unwrap()), lines(&header));
}

#[test]
fn more_fields_than_tables_can_hold_are_refused() {
    // CF-221
    let value = HeaderValue::from_static("1");
    let mut packing = Packing::new(StatusCode::OK, None, &[]);
    for _ in 0..MOST_FIELDS {
        packing.add(b"X-A", &value).unwrap();
    }
    assert!(packing.add(b"X-A", &value).is_none());
    let packed = packing.finish();
    assert_eq!(packed.headers().len(), MOST_FIELDS);
    assert_eq!(packed.header().unwrap().headers.len(), MOST_FIELDS);
}

#[test]
fn vary_is_told_whatever_was_asked_for_before() {
    // RFC 9111 section 4.1
    let told = |fields: &[(&str, &str)]| {
        let packed = Packed::of(&header(200, fields), &[]).unwrap();
        packed.with_vary(|vary| {
            let values = vary.get_all(header::VARY).iter();
            values
                .map(|v| v.to_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        })
    };
    for _ in 0..2 {
        assert_eq!(told(&[("A", "b"), ("VARY", "Accept")]), ["Accept"]);
        assert_eq!(told(&[("A", "b"), ("VARY", "Accept")]), ["Accept"]);
        assert_eq!(told(&[("Vary", "Accept, Cookie")]), ["Accept, Cookie"]);
        assert!(told(&[("A", "Accept")]).is_empty());
        assert_eq!(
            told(&[("vary", "a"), ("A", "b"), ("Vary", "c")]),
            ["a", "c"]
        );
        assert_eq!(told(&[("Vary", "")]), [""]);
    }
}

fn names() -> impl Strategy<Value = &'static str> {
    select(vec![
        "Server",
        "date",
        "Content-Length",
        "content-length",
        "Age",
        "Via",
        "X-Cache",
        "ETag",
        "X-A",
        "x-a",
        "Vary",
        "Cache-Status",
    ])
}

proptest! {
    /// CF-246, CF-509, CF-675, LE-197: written and shown is what a search through the fields of Pingora's form finds, and
    /// that form comes back.
    #[test]
    fn packing_loses_nothing(
        fields in proptest::collection::vec((names(), "[ -~]{0,12}"), 0..14),
        unshared in proptest::collection::vec(names(), 0..3),
        hidden in proptest::collection::vec(names(), 0..3),
    ) {
        let fields: Vec<_> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let header = header(200, &fields);
        let unshared: Vec<_> = unshared.iter().map(|n| HeaderName::from_bytes(n.as_bytes()).unwrap()).collect();
        let hidden: Vec<_> = hidden.iter().map(|n| n.to_ascii_lowercase()).collect();
        let packed = Packed::of(&header, &unshared).unwrap();

        let mut shown = lines(&header);
        prop_assert_eq!(lines(&packed.header().unwrap()), shown.clone());
        prop_assert_eq!(&packed.headers(), &header.headers);
        shown.retain(|line| {
            line.name != header::AGE
                && !unshared.contains(&line.name)
                && !hidden.iter().any(|name| name == line.name.as_str())
        });
        prop_assert_eq!(packed.lines(&hidden, 0), shown.clone());

        let mut expected = Vec::new();
        put_status(&mut expected, 200, None);
        shown.retain(|line| !is_own(&line.name));
        for line in &shown {
            put_field(&mut expected, &line.key, line.value.as_bytes());
        }
        let mut out = Vec::new();
        let has = packed.put(&mut out, &hidden);
        prop_assert_eq!(out, expected);
        let is_there = |name| shown.iter().any(|line| line.name == name);
        prop_assert_eq!(has.server, is_there(header::SERVER));
        prop_assert_eq!(has.date, is_there(header::DATE));
        prop_assert_eq!(has.length, is_there(header::CONTENT_LENGTH));
        prop_assert_eq!(packed.has_cache_status(), header.headers.contains_key("cache-status"));
    }
}
