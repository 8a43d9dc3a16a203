//! Header fields as functions see them: one line per field, in order, in the casing that was
//! received (LE-196, LE-197), and the lists of names a function may not touch (LE section 4).
//!
//! The line type is shared with everything else that carries headers around a function's call,
//! so it lives in the model. Names given to the functions here are lower case, as
//! [`http::HeaderName`] keeps them.

use std::{borrow::Cow, collections::HashMap};

use bytes::Bytes;
use fourfront_model::EventType;
use http::{HeaderName, HeaderValue, header};

pub use fourfront_model::{HeaderLine, HeaderLines};

/// Names hidden from every event and refused in every result, besides [`DISALLOWED_PREFIXES`] (LE-209).
pub const DISALLOWED: [&str; 25] = [
    "connection",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "trailer",
    "upgrade",
    "x-accel-buffering",
    "x-accel-charset",
    "x-accel-limit-rate",
    "x-accel-redirect",
    "x-amzn-auth",
    "x-amzn-cf-billing",
    "x-amzn-cf-id",
    "x-amzn-cf-xff",
    "x-amzn-errortype",
    "x-amzn-fle-profile",
    "x-amzn-header-count",
    "x-amzn-header-order",
    "x-amzn-lambda-integration-tag",
    "x-amzn-requestid",
    "x-cache",
    "x-forwarded-proto",
    "x-real-ip",
];

/// Prefixes of disallowed names (LE-209, LE-210).
pub const DISALLOWED_PREFIXES: [&str; 2] = ["x-amz-cf-", "x-edge-"];

/// The header a viewer-request function may not add (LE-223).
pub const VIEWER_COUNTRY: &str = "cloudfront-viewer-country";

/// Whether a lower-case name is on the disallowed list (LE-209, LE-210).
pub fn is_disallowed(name: &str) -> bool {
    // Most names of a request begin with none of these letters, so one look ends it.
    match name.as_bytes().first() {
        Some(b'x') => {
            DISALLOWED_PREFIXES.iter().any(|p| name.starts_with(p)) || DISALLOWED.contains(&name)
        }
        Some(b'c' | b'e' | b'k' | b'p' | b't' | b'u') => DISALLOWED.contains(&name),
        _ => false,
    }
}

/// The names a function may not change at `event`, each with its rule (table 4.3: LE-212..220). The
/// country and its kin are writable at origin-request (LE-189); at viewer-response whatever describes the
/// body is not (LE-193).
pub const fn read_only(event: EventType) -> &'static [(&'static str, &'static str)] {
    match event {
        EventType::ViewerRequest => &[
            ("cdn-loop", "LE-212"),
            ("content-length", "LE-213"),
            ("host", "LE-214"),
            ("transfer-encoding", "LE-215"),
            ("via", "LE-216"),
        ],
        EventType::OriginRequest => &[
            ("cdn-loop", "LE-212"),
            ("content-length", "LE-213"),
            ("transfer-encoding", "LE-215"),
            ("via", "LE-216"),
            ("accept-encoding", "LE-217"),
            ("if-modified-since", "LE-218"),
            ("if-none-match", "LE-218"),
            ("if-range", "LE-218"),
            ("if-unmodified-since", "LE-218"),
        ],
        EventType::OriginResponse => &[("transfer-encoding", "LE-215"), ("via", "LE-216")],
        EventType::ViewerResponse => &[
            ("content-length", "LE-213"),
            ("transfer-encoding", "LE-215"),
            ("via", "LE-216"),
            ("content-encoding", "LE-219"),
            ("warning", "LE-220"),
        ],
    }
}

/// The rule that makes a lower-case name read-only at `event`, if any.
pub fn read_only_rule(event: EventType, name: &str) -> Option<&'static str> {
    read_only(event)
        .iter()
        .find(|(n, _)| *n == name)
        .map(|(_, rule)| *rule)
}

/// The casing a name gets when a function gives none: each hyphen-separated part capitalised (LE-198).
pub fn canonical_key(name: &str) -> String {
    let mut start = true;
    name.chars()
        .map(|c| {
            let c = if start {
                c.to_ascii_uppercase()
            } else {
                c.to_ascii_lowercase()
            };
            start = c == '-';
            c
        })
        .collect()
}

/// Raw bytes as functions read them: UTF-8, or ISO-8859-1 where they are not valid UTF-8 (LE-235).
pub fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.iter().map(|&b| char::from(b)).collect()),
    }
}

/// A line whose `key` is the canonical casing of its name (LE-198).
pub fn line(name: HeaderName, value: HeaderValue) -> HeaderLine {
    let key = Bytes::from(canonical_key(name.as_str()));
    HeaderLine { name, key, value }
}

/// Bytes of the lines as HTTP/1.1 writes them, `Name: value` and a line end each. This is what "headers"
/// means in the size rules (LE-162, LE-178, LE-225).
pub fn wire_size(lines: &[HeaderLine]) -> usize {
    lines
        .iter()
        .map(|l| l.name.as_str().len() + l.value.len() + 4)
        .sum()
}

/// No line, no group.
pub(crate) const NONE: u32 = u32::MAX;

/// Lines grouped by name in first-seen order, without the disallowed ones: the shape of the map a
/// function sees (LE-196, LE-207).
pub(crate) struct Groups {
    /// First and last line of each group.
    ends: Vec<(u32, u32)>,
    /// For each line its group, or [`NONE`] when hidden, and the next line of the group.
    links: Vec<(u32, u32)>,
}

impl Groups {
    /// Up to this many groups a linear search beats hashing; beyond it a stranger's header list
    /// must not cost quadratic time.
    const LINEAR: usize = 32;

    #[expect(
        clippy::cast_possible_truncation,
        reason = "header lists are bounded far below 2^32 lines"
    )]
    pub(crate) fn new(lines: &[HeaderLine]) -> Self {
        let mut ends: Vec<(u32, u32)> = Vec::with_capacity(lines.len());
        let mut links: Vec<(u32, u32)> = Vec::with_capacity(lines.len());
        let mut index: HashMap<&HeaderName, u32> = HashMap::new();
        // One bit per name seen: most names are new, and this says so without a search.
        let mut seen = 0u64;
        for (i, line) in lines.iter().enumerate() {
            let i = i as u32;
            let name = line.name.as_str();
            if is_disallowed(name) {
                links.push((NONE, NONE));
                continue;
            }
            let bit = 1u64 << (bloom(name) & 63);
            let found = if seen & bit == 0 {
                None
            } else if ends.len() <= Self::LINEAR {
                ends.iter()
                    .position(|&(first, _)| lines[first as usize].name == line.name)
                    .map(|g| g as u32)
            } else {
                if index.is_empty() {
                    index.extend(
                        ends.iter()
                            .enumerate()
                            .map(|(g, &(first, _))| (&lines[first as usize].name, g as u32)),
                    );
                }
                index.get(&line.name).copied()
            };
            seen |= bit;
            match found {
                Some(g) => {
                    let last = &mut ends[g as usize].1;
                    links[*last as usize].1 = i;
                    *last = i;
                    links.push((g, NONE));
                }
                None => {
                    let g = ends.len() as u32;
                    if !index.is_empty() {
                        index.insert(&line.name, g);
                    }
                    ends.push((i, i));
                    links.push((g, NONE));
                }
            }
        }
        Self { ends, links }
    }

    /// How many names there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The index of a group's first line.
    pub(crate) fn first(&self, group: usize) -> usize {
        self.ends[group].0 as usize
    }

    /// The group of a line; `None` when the line is hidden.
    pub(crate) fn of_line(&self, line: usize) -> Option<usize> {
        let g = self.links[line].0;
        (g != NONE).then_some(g as usize)
    }

    /// The lines of a group in order.
    pub(crate) fn lines(&self, group: usize) -> impl Iterator<Item = usize> {
        let mut at = self.ends[group].0;
        std::iter::from_fn(move || {
            (at != NONE).then(|| {
                let line = at as usize;
                at = self.links[line].1;
                line
            })
        })
    }

    /// Whether the group is shown as one value joined by `; ` (LE-097).
    pub(crate) fn is_joined(&self, group: usize, lines: &[HeaderLine]) -> bool {
        let (first, last) = self.ends[group];
        first != last && lines[first as usize].name == header::COOKIE
    }

    /// That one value.
    pub(crate) fn joined(&self, group: usize, lines: &[HeaderLine]) -> String {
        let mut text = String::new();
        for i in self.lines(group) {
            if !text.is_empty() {
                text.push_str("; ");
            }
            text.push_str(&text_of(lines[i].value.as_bytes()));
        }
        text
    }
}

/// A cheap number that equal names share: from the length and the two ends.
fn bloom(name: &str) -> usize {
    match name.as_bytes() {
        [] => 0,
        [first, .., last] => name.len() + usize::from(*first) * 7 + usize::from(*last) * 31,
        [only] => usize::from(*only),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(of: &[(&str, &str)]) -> HeaderLines {
        of.iter()
            .map(|(n, v)| line(n.parse().unwrap(), v.parse().unwrap()))
            .collect()
    }

    #[test]
    fn every_listed_name_is_disallowed() {
        // LE-209
        for name in DISALLOWED {
            assert!(is_disallowed(name), "{name}");
        }
        for name in [
            "x-amz-cf-id",
            "x-amz-cf-pop",
            "x-edge-location",
            "x-edge-anything",
        ] {
            assert!(is_disallowed(name), "{name}");
        }
    }

    #[test]
    fn other_amazon_names_are_allowed() {
        // LE-210
        for name in [
            "x-amzn-trace-id",
            "x-amz-meta-last-modified",
            "x-amz-date",
            "x-amzn-other",
            "x-cache-status",
            "x-forwarded-for",
            "x-forwarded-host",
            "connection-id",
            "te",
        ] {
            assert!(!is_disallowed(name), "{name}");
        }
    }

    #[test]
    fn read_only_table_matches_the_contract() {
        // LE-212, LE-213, LE-214, LE-215, LE-216, LE-217, LE-218, LE-219, LE-220
        let [vreq, oreq, ores, vres] = EventType::ALL;
        for (name, at) in [
            ("cdn-loop", vec![vreq, oreq]),
            ("content-length", vec![vreq, oreq, vres]),
            ("host", vec![vreq]),
            ("transfer-encoding", vec![vreq, oreq, ores, vres]),
            ("via", vec![vreq, oreq, ores, vres]),
            ("accept-encoding", vec![oreq]),
            ("if-modified-since", vec![oreq]),
            ("if-none-match", vec![oreq]),
            ("if-range", vec![oreq]),
            ("if-unmodified-since", vec![oreq]),
            ("content-encoding", vec![vres]),
            ("warning", vec![vres]),
            ("if-match", vec![]),
            ("x-forwarded-for", vec![]),
        ] {
            for event in EventType::ALL {
                assert_eq!(
                    read_only_rule(event, name).is_some(),
                    at.contains(&event),
                    "{name} at {event}"
                );
            }
        }
    }

    #[test]
    fn canonical_casing_capitalises_each_part() {
        // LE-198
        for (name, key) in [
            ("host", "Host"),
            ("x-amz-meta-last-modified", "X-Amz-Meta-Last-Modified"),
            ("etag", "Etag"),
            ("ETAG", "Etag"),
            ("a--b", "A--B"),
            ("x-1a", "X-1a"),
        ] {
            assert_eq!(canonical_key(name), key);
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_read_as_latin1() {
        // LE-235
        assert_eq!(text_of(b"caf\xc3\xa9"), "caf\u{e9}");
        assert_eq!(text_of(b"caf\xe9"), "caf\u{e9}");
        assert_eq!(text_of(b"a%E9"), "a%E9");
    }

    #[test]
    fn groups_keep_first_seen_order_and_hide_disallowed_names() {
        // LE-196, LE-207
        let lines = lines(&[
            ("host", "h"),
            ("x-a", "1"),
            ("connection", "close"),
            ("accept", "*/*"),
            ("x-a", "2"),
        ]);
        let g = Groups::new(&lines);
        let shown: Vec<Vec<usize>> = (0..g.len()).map(|i| g.lines(i).collect()).collect();
        assert_eq!(shown, [vec![0], vec![1, 4], vec![3]]);
        assert_eq!(g.of_line(2), None);
        assert_eq!(g.of_line(4), Some(1));
    }

    #[test]
    fn many_names_group_as_few_do() {
        // LE-196: past the linear search the result is the same.
        let names: Vec<String> = (0..200).map(|i| format!("x-{}", i % 100)).collect();
        let lines = lines(&names.iter().map(|n| (n.as_str(), "v")).collect::<Vec<_>>());
        let g = Groups::new(&lines);
        assert_eq!(g.len(), 100);
        for i in 0..100 {
            assert_eq!(g.lines(i).collect::<Vec<_>>(), [i, i + 100]);
        }
    }

    #[test]
    fn cookies_are_joined() {
        // LE-097
        let lines = lines(&[("cookie", "a=1"), ("x", "y"), ("cookie", "b=2")]);
        let g = Groups::new(&lines);
        assert!(g.is_joined(0, &lines));
        assert!(!g.is_joined(1, &lines));
        assert_eq!(g.joined(0, &lines), "a=1; b=2");
    }

    #[test]
    fn wire_size_counts_names_values_and_framing() {
        // LE-162
        assert_eq!(
            wire_size(&lines(&[("a", "bc"), ("x", "")])),
            "a: bc\r\nx: \r\n".len()
        );
    }
}
