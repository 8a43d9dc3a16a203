//! Path patterns and the normalised path they are compared with (CF section 1.4).

use std::{borrow::Cow, fmt, str::FromStr};

/// A behaviour's path pattern: `*` is any run of characters including `/`, `?` is exactly one; no escaping
/// exists; case matters; anchored at both ends (CF-081..083).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PathPattern(Box<str>);

/// Why a text is not a path pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathPatternError {
    /// Nothing there.
    #[error("path pattern is empty")]
    Empty,
    /// Longer than 255 characters (CF-084).
    #[error("path pattern is {0} characters long, at most 255 are allowed")]
    TooLong(usize),
    /// A character outside CloudFront's set (CF-084).
    #[error(
        "path pattern contains {0:?}: allowed are letters, digits and _ - . * ? $ / ~ \" ' @ : + &"
    )]
    Character(char),
}

impl PathPattern {
    /// The pattern with its leading slash (CF-081).
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `path`, already through [`normalize_path`], is taken by this pattern.
    pub fn matches(&self, path: &str) -> bool {
        glob_matches(self.0.as_bytes(), path.as_bytes())
    }

    /// Whether every path that `other` takes is taken by this pattern too, so that `other` listed after it
    /// can never be reached. Never claims a cover that is none; may miss one between patterns in which
    /// wildcards overlap in involved ways.
    pub fn covers(&self, other: &Self) -> bool {
        covers(self.0.as_bytes(), other.0.as_bytes())
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for PathPattern {
    type Err = PathPatternError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        if s.is_empty() {
            return Err(PathPatternError::Empty);
        }
        let s = s.replace("&amp;", "&");
        if let Some(c) = s
            .chars()
            .find(|c| !c.is_ascii_alphanumeric() && !"_-.*?$/~\"'@:+&".contains(*c))
        {
            return Err(PathPatternError::Character(c));
        }
        // `images/*.jpg` and `/images/*.jpg` are one pattern. `*` alone takes all paths either way.
        let s = if s.starts_with('/') || s == "*" {
            s
        } else {
            format!("/{s}")
        };
        if s.len() > 255 {
            return Err(PathPatternError::TooLong(s.len()));
        }
        Ok(Self(s.into()))
    }
}

/// Greedy glob with one backtrack point: linear for one `*`, bounded by `pattern x path` always.
pub(crate) fn glob_matches(pattern: &[u8], path: &[u8]) -> bool {
    let (mut p, mut s) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while s < path.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, s));
                p += 1;
            }
            Some(b'?') => {
                // One character, which may be several bytes of UTF-8.
                p += 1;
                s += utf8_len(path[s]).min(path.len() - s);
            }
            Some(c) if *c == path[s] => {
                p += 1;
                s += 1;
            }
            _ => match retry {
                Some((after_star, from)) => {
                    retry = Some((after_star, from + 1));
                    p = after_star;
                    s = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

const fn utf8_len(first: u8) -> usize {
    match first {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xff => 4,
        _ => 1,
    }
}

/// Matches one pattern against another taken as text: a `*` of `b` is only covered by a `*` of `a`, a `?`
/// of `b` by `?` or `*`.
fn covers(a: &[u8], b: &[u8]) -> bool {
    let (mut p, mut s) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while s < b.len() {
        match a.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, s));
                p += 1;
            }
            Some(b'?') if b[s] != b'*' => {
                p += 1;
                s += 1;
            }
            Some(c) if *c == b[s] && *c != b'?' => {
                p += 1;
                s += 1;
            }
            _ => match retry {
                Some((after_star, from)) => {
                    retry = Some((after_star, from + 1));
                    p = after_star;
                    s = from + 1;
                }
                None => return false,
            },
        }
    }
    a[p..].iter().all(|c| *c == b'*')
}

/// The form of a path that patterns are compared with (CF-085): escapes of unreserved characters decoded,
/// other escapes upper-cased, runs of `/` collapsed, dot segments removed. The origin never sees it.
///
/// Borrows when the path is already normal, which is nearly always.
pub fn normalize_path(raw: &str) -> Cow<'_, str> {
    let bytes = raw.as_bytes();
    let suspicious = bytes.contains(&b'%')
        || bytes.windows(2).any(|w| w == b"//" || w == b"/.")
        || bytes.first() == Some(&b'.');
    if !suspicious {
        return Cow::Borrowed(raw);
    }
    Cow::Owned(remove_dot_segments(&decode_unreserved(raw)))
}

fn decode_unreserved(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let escape = rest.as_bytes().get(at + 1..at + 3);
        let value = escape.and_then(|h| Some(hex(h[0])? << 4 | hex(h[1])?));
        match value {
            Some(v) if v.is_ascii_alphanumeric() || b"-._~".contains(&v) => {
                out.push(char::from(v));
                rest = &rest[at + 3..];
            }
            Some(_) => {
                out.push_str(&rest[at..at + 3].to_ascii_uppercase());
                rest = &rest[at + 3..];
            }
            None => {
                out.push('%');
                rest = &rest[at + 1..];
            }
        }
    }
    out.push_str(rest);
    out
}

const fn hex(b: u8) -> Option<u8> {
    match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        b'A'..=b'F' => Some(b - b'A' + 10),
        _ => None,
    }
}

/// RFC 3986 section 5.2.4 on a path whose runs of `/` count as one.
fn remove_dot_segments(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').filter(|s| !s.is_empty()).peekable();
    let mut directory = path.ends_with('/');
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." => directory |= last,
            ".." => {
                kept.pop();
                directory |= last;
            }
            s => kept.push(s),
        }
    }
    let mut out = String::with_capacity(path.len());
    for s in &kept {
        out.push('/');
        out.push_str(s);
    }
    if directory || out.is_empty() {
        out.push('/');
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(s: &str) -> PathPattern {
        s.parse().unwrap()
    }

    #[test]
    fn leading_slash_is_optional() {
        // CF-081
        assert_eq!(pattern("images/*.jpg"), pattern("/images/*.jpg"));
        assert!(pattern("images/*.jpg").matches("/images/a/b.jpg"));
    }

    #[test]
    fn star_takes_anything_and_question_mark_exactly_one() {
        // CF-082
        assert!(pattern("/a*").matches("/a") && pattern("/a*").matches("/a/b/c"));
        assert!(pattern("/a?").matches("/ab") && !pattern("/a?").matches("/a"));
        assert!(pattern("/a?c").matches("/aéc"));
        assert!(pattern("/*.jpg").matches("/x/y.jpg") && !pattern("/*.jpg").matches("/x/y.jpgz"));
    }

    #[test]
    fn case_matters() {
        // CF-083
        assert!(!pattern("/A*").matches("/a"));
    }

    #[test]
    fn bad_patterns_are_refused_by_character_and_length() {
        // CF-084
        assert_eq!(
            "/a b".parse::<PathPattern>(),
            Err(PathPatternError::Character(' '))
        );
        assert_eq!("".parse::<PathPattern>(), Err(PathPatternError::Empty));
        assert!(matches!(
            "a".repeat(256).parse::<PathPattern>(),
            Err(PathPatternError::TooLong(_))
        ));
        assert!("/x&amp;y".parse::<PathPattern>().unwrap().matches("/x&y"));
    }

    #[test]
    fn matching_uses_the_normalised_path() {
        // CF-085, CF-086
        assert_eq!(normalize_path("/a/b/.."), "/a/");
        assert!(pattern("/a/b*").matches(&normalize_path("/a/b")));
        assert!(!pattern("/a/b*").matches(&normalize_path("/a/b/..")));
        assert!(pattern("/a*").matches(&normalize_path("/a/b/..")));
        assert_eq!(normalize_path("/%61//b/./c%2fd"), "/a/b/c%2Fd");
        assert_eq!(normalize_path("/..//../x"), "/x");
        assert_eq!(normalize_path("/a%zz"), "/a%zz");
        assert_eq!(normalize_path("/a/."), "/a/");
        assert_eq!(normalize_path("/.well-known/x"), "/.well-known/x");
    }

    #[test]
    fn cover_is_found_and_never_invented() {
        // CF-080: a later behaviour under an earlier cover is unreachable
        assert!(pattern("/a*").covers(&pattern("/a/b*")));
        assert!(pattern("*").covers(&pattern("/a?")));
        assert!(pattern("/a?").covers(&pattern("/ab")));
        assert!(!pattern("/a?").covers(&pattern("/a*")));
        assert!(!pattern("/a/b*").covers(&pattern("/a*")));
        assert!(!pattern("/ab").covers(&pattern("/a?")));
    }

    proptest! {
        #[test]
        fn a_cover_matches_all_its_pattern_matches(a in "/[ab*?/]{0,6}", b in "/[ab*?/]{0,6}", path in "/[ab/]{0,8}") {
            let (a, b) = (pattern(&a), pattern(&b));
            if a.covers(&b) && b.matches(&path) {
                prop_assert!(a.matches(&path));
            }
        }

        #[test]
        fn normalising_twice_changes_nothing(path in "/[a.%2fF/e]{0,16}") {
            // Decoding may uncover a new escape (`%25`-style input is left alone, `%2561` is not touched
            // twice), so idempotence holds for paths without an escaped percent sign.
            prop_assume!(!path.contains("%%") && !path.to_ascii_lowercase().contains("%25"));
            let once = normalize_path(&path).into_owned();
            prop_assert_eq!(normalize_path(&once).into_owned(), once);
        }
    }
}
