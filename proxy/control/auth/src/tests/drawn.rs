//! A signed request, and a way to spoil it, drawn from bytes: the same for the property test and the fuzz target.

use super::naive::{Key, Request, Style, sign};

/// What came of the bytes.
#[derive(Clone, Debug)]
pub(crate) struct Drawn {
    pub(crate) request: Request,
    /// Seconds since 1970 at which it arrives.
    pub(crate) now: i64,
    /// Whether it is as it was signed, and in time.
    pub(crate) untouched: bool,
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> usize {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                usize::from(*first)
            }
            None => 0,
        }
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.next().is_multiple_of(many)
    }

    fn pick<'b>(&mut self, from: &[&'b str]) -> &'b str {
        from[self.next() % from.len()]
    }

    fn words(&mut self, most: usize, from: &[&str]) -> String {
        let count = self.next() % (most + 1);
        (0..count).map(|_| self.pick(from)).collect()
    }
}

const DATE: &str = "20261124T120000Z";
const NAMES: [&str; 6] = [
    "x-amz-meta",
    "x-amz-other",
    "content-type",
    "if-match",
    "amz-sdk-request",
    "x-a",
];
const VALUES: [&str; 8] = ["a", " ", "\t", "  b", ",", "\u{e9}", "=", "\"q  q\""];
const PATH: [&str; 13] = [
    "/", "a", ".", "..", "/../", "/./", "//", "%2F", "%3a", "\u{e9}", "~", "+", "*",
];
const QUERY: [&str; 12] = [
    "a", "b", "=", "&", "&&", "%20", "+", "~", "\u{e9}", "=1", "A", "X-Amz-",
];

/// Draws a request that one of the keys signed for `service`.
pub(crate) fn draw(data: &[u8], keys: &[Key<'_>], service: &str, noon: i64) -> Drawn {
    let mut bytes = Bytes(data);
    let mut request = Request {
        method: bytes
            .pick(&["GET", "PUT", "POST", "DELETE", "get"])
            .to_owned(),
        path: format!("/{}", bytes.words(12, &PATH)),
        query: bytes.words(10, &QUERY),
        headers: vec![("host".to_owned(), "node:9400".to_owned())],
        body: Vec::new(),
        over_tls: bytes.one_in(2),
    };
    for _ in 0..bytes.next() % 5 {
        let (name, value) = (bytes.pick(&NAMES), bytes.words(5, &VALUES));
        request.headers.push((name.to_owned(), value));
    }
    let also: Vec<&str> = NAMES.iter().copied().filter(|_| bytes.one_in(2)).collect();
    let in_query = bytes.one_in(3);
    if !in_query {
        request.body = bytes.words(4, &["{}", "x", "\u{e9}"]).into_bytes();
    }
    let style = Style {
        asymmetric: bytes.one_in(4),
        in_query,
        declare: bytes.one_in(2),
        also: &also,
        service,
        date: DATE,
    };
    let key = keys[bytes.next() % keys.len()];
    sign(&mut request, key, style);
    let mut now = noon;
    let untouched = bytes.one_in(3);
    if !untouched {
        for _ in 0..=bytes.next() % 2 {
            spoil(&mut bytes, &mut request, &mut now);
        }
    }
    Drawn {
        request,
        now,
        untouched,
    }
}

/// Changes something, which may or may not matter.
fn spoil(bytes: &mut Bytes<'_>, request: &mut Request, now: &mut i64) {
    if request.headers.is_empty() {
        return;
    }
    let many = i64::try_from(bytes.next()).unwrap_or(0);
    match bytes.next() % 16 {
        0 => *now += many * 10 - 1275,
        1 => request.path += bytes.pick(&PATH),
        2 => {
            request.query += bytes.pick(&[
                "&",
                "=",
                "&a",
                "&a=1",
                "+",
                "%",
                "&X-Amz-Date=1",
                "&X-Amz-Signature=0",
            ])
        }
        3 => request.body.push(b'!'),
        4 => request
            .headers
            .push((bytes.pick(&NAMES).to_owned(), bytes.words(3, &VALUES))),
        5 => {
            let at = bytes.next() % request.headers.len();
            request.headers.remove(at);
        }
        6 => request.headers.reverse(),
        7 => {
            let at = bytes.next() % request.headers.len();
            let twice = request.headers[at].clone();
            request.headers.push(twice);
        }
        8 => {
            let mut pairs: Vec<&str> = request.query.split('&').collect();
            pairs.reverse();
            request.query = pairs.join("&");
        }
        9 => {
            let mut pairs: Vec<&str> = request.query.split('&').collect();
            pairs.remove(bytes.next() % pairs.len());
            request.query = pairs.join("&");
        }
        10 => request.method = request.method.to_lowercase(),
        11 => {
            let value = if bytes.one_in(2) {
                "UNSIGNED-PAYLOAD"
            } else {
                "00"
            };
            request.set("x-amz-content-sha256", value);
        }
        12 => request.set(
            "x-amz-date",
            bytes.pick(&[DATE, "20261124T120001Z", "20261125T000000Z", "x"]),
        ),
        // A byte of a header, or of the query, becomes another.
        13 | 14 => {
            let at = bytes.next() % request.headers.len();
            let value = &mut request.headers[at].1;
            change(
                value,
                bytes.next(),
                bytes.pick(&["0", "f", "A", ",", ";", " ", "/", "=", "-", "*"]),
            );
        }
        _ => change(
            &mut request.query,
            bytes.next(),
            bytes.pick(&["0", "f", "A", "&", "%", "=", "+", "/"]),
        ),
    }
}

fn change(text: &mut String, at: usize, to: &str) {
    let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    if let Some(place) = places.get(at % places.len().max(1)) {
        let end = text[*place..]
            .chars()
            .next()
            .map_or(*place, |letter| place + letter.len_utf8());
        text.replace_range(*place..end, to);
    }
}
