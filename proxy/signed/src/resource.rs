//! Which URLs a policy's `Resource` covers (CF-572, CF-573).

use memchr::memmem;

use crate::{policy::PolicyError, url::Url};

/// A resource: a URL in which `*` and `?` may stand for other characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    scheme: Pattern,
    host: Pattern,
    /// From the first `/` on; `None` where there is none.
    rest: Option<Pattern>,
}

/// One sign of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    /// `*`: any bytes, or none.
    Any,
    /// `?`: any one byte. URLs are ASCII (RFC 3986 section 2).
    One,
    /// `\?`: the query's question mark.
    Query,
    /// Itself.
    Is(u8),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern(Vec<Sign>);

impl Resource {
    /// Reads a resource. `http*://`, which the guide's older pages write, is a protocol of its own section like any other.
    ///
    /// # Errors
    /// [`PolicyError::Resource`] for one that begins otherwise than CF-572 says.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        const SCHEMES: [&str; 4] = ["http", "https", "*", "http*"];
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) if SCHEMES.contains(&scheme) => (scheme, rest),
            _ if text.starts_with('*') => ("*", text),
            _ => return Err(PolicyError::Resource),
        };
        let (host, path) = match rest.find('/') {
            Some(at) => (&rest[..at], Some(&rest[at..])),
            None => (rest, None),
        };
        Ok(Self {
            scheme: Pattern::parse(scheme),
            host: Pattern::parse(host),
            rest: path.map(Pattern::parse),
        })
    }

    /// Whether it covers a URL. The time it takes is bounded by the product of the two lengths, and is linear in the URL's
    /// where `*` is followed by no `?`.
    pub fn covers(&self, url: &Url<'_>) -> bool {
        if !self.scheme.matches(url.scheme.as_str().as_bytes())
            || !self.host.matches(url.host.as_bytes())
        {
            return false;
        }
        match &self.rest {
            None => self.host.ends_with_any(),
            Some(rest) if rest.has_wildcards() && climbs(url.path) => false,
            Some(rest) => rest.covers(url.path, url.query.as_deref()),
        }
    }
}

impl Pattern {
    fn parse(text: &str) -> Self {
        let mut signs = Vec::with_capacity(text.len());
        let mut bytes = text.bytes().peekable();
        while let Some(byte) = bytes.next() {
            signs.push(match byte {
                b'*' => Sign::Any,
                b'?' => Sign::One,
                b'\\' if bytes.next_if_eq(&b'?').is_some() => Sign::Query,
                byte => Sign::Is(byte),
            });
        }
        Self(signs)
    }

    fn ends_with_any(&self) -> bool {
        self.0.last() == Some(&Sign::Any)
    }

    fn has_wildcards(&self) -> bool {
        self.0.iter().any(|s| matches!(s, Sign::Any | Sign::One))
    }

    /// Path and query (CF-572, CF-573, AMB-36). The first question mark begins the query where the URL has one; a `*` at the
    /// end of the path covers any query.
    fn covers(&self, path: &[u8], query: Option<&[u8]>) -> bool {
        let Some(query) = query else {
            return matches(&self.0, path);
        };
        let mark = self
            .0
            .iter()
            .position(|s| matches!(s, Sign::One | Sign::Query));
        match mark {
            Some(at) => matches(&self.0[..at], path) && matches(&self.0[at + 1..], query),
            None => self.ends_with_any() && matches(&self.0, path),
        }
    }

    fn matches(&self, text: &[u8]) -> bool {
        matches(&self.0, text)
    }
}

/// Whether a pattern is all of a text. What stands between two `*` is looked for from left to right, each from where the
/// last one ended: the leftmost place is as good as any other, so nothing is ever tried again.
fn matches(pattern: &[Sign], text: &[u8]) -> bool {
    let mut pieces = pattern.split(|s| *s == Sign::Any);
    let first = pieces.next().unwrap_or_default();
    let Some(last) = pieces.next_back() else {
        // No `*`.
        return fits(first, text);
    };
    if text.len() < first.len() + last.len() {
        return false;
    }
    let (start, rest) = text.split_at(first.len());
    let (mut middle, end) = rest.split_at(rest.len() - last.len());
    if !fits(first, start) || !fits(last, end) {
        return false;
    }
    for piece in pieces {
        match find(piece, middle) {
            Some(at) => middle = &middle[at + piece.len()..],
            None => return false,
        }
    }
    true
}

/// Where the first place is that a piece without `*` fits.
fn find(piece: &[Sign], text: &[u8]) -> Option<usize> {
    if piece.is_empty() {
        return Some(0);
    }
    let literal: Option<Vec<u8>> = piece
        .iter()
        .map(|sign| match sign {
            Sign::Is(byte) => Some(*byte),
            _ => None,
        })
        .collect();
    match literal {
        Some(literal) => memmem::find(text, &literal),
        None => text
            .windows(piece.len())
            .position(|window| fits(piece, window)),
    }
}

fn fits(piece: &[Sign], text: &[u8]) -> bool {
    piece.len() == text.len()
        && piece.iter().zip(text).all(|(sign, byte)| match sign {
            Sign::Is(is) => is == byte,
            Sign::One => true,
            Sign::Any | Sign::Query => false,
        })
}

/// Whether some origin may make a shorter path of it: a segment `..`, with any of it percent-encoded, between slashes or
/// backslashes, and with parameters behind `;` as some servers take them.
fn climbs(path: &[u8]) -> bool {
    if memmem::find(path, b"..").is_none() && memchr::memchr(b'%', path).is_none() {
        return false;
    }
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'%')
            .then(|| Some((hex(*after.first()?)? << 4) | hex(*after.get(1)?)?))
            .flatten();
        decoded.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() {
            &after[2..]
        } else {
            after
        };
    }
    decoded
        .split(|b| matches!(b, b'/' | b'\\'))
        .any(|segment| segment == b".." || segment.starts_with(b"..;"))
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Scheme;

    fn covers(resource: &str, url: &str) -> bool {
        let (scheme, rest) = url.split_once("://").unwrap();
        let scheme = match scheme {
            "https" => Scheme::Https,
            _ => Scheme::Http,
        };
        let (host, target) = rest.split_at(rest.find('/').unwrap());
        let url = Url::of(scheme, host, target.as_bytes());
        Resource::parse(resource).unwrap().covers(&url)
    }

    #[test]
    fn sections_are_matched_apart() {
        // CF-571, CF-572
        for (resource, url, covered) in [
            ("http://d.test/a", "http://d.test/a", true),
            ("http://d.test/a", "https://d.test/a", false),
            ("https://d.test/a", "https://d.test/a", true),
            ("*://d.test/a", "http://d.test/a", true),
            ("*://d.test/a", "https://d.test/a", true),
            ("http*://d.test/a", "http://d.test/a", true),
            ("http*://d.test/a", "https://d.test/a", true),
            ("*", "https://d.test/a/b?c=d", true),
            ("*://*", "https://d.test/a/b?c=d", true),
            ("*/a.jpg", "https://d.test/a.jpg", true),
            ("*/a.jpg", "https://d.test/b/a.jpg", false),
            ("*.test/a", "https://d.test/a", true),
            // The host.
            ("http://d.test/a", "http://e.test/a", false),
            ("http://d.test/a", "http://D.test/a", false),
            ("http://d.test/a", "http://d.test:8080/a", false),
            ("http://d.test:8080/a", "http://d.test:8080/a", true),
            ("http://*.test/a", "http://d.e.test/a", true),
            ("http://*/a", "http://d.test/a", true),
            ("http://*.test/a", "http://x/d.test/a", false),
            ("http://?.test/a", "http://d.test/a", true),
            ("http://?.test/a", "http://dd.test/a", false),
            ("http://d.*", "http://d.test/a?b", true),
            ("http://d.*", "http://e.test/a?b", false),
            ("http://d.test", "http://d.test/", false),
            ("http://d.test*", "http://d.test/a/b?c", true),
            ("http://d.*/a", "http://d.test/b", false),
            // The path.
            ("http://d.test/*", "http://d.test/", true),
            ("http://d.test/*", "http://d.test/a/b", true),
            ("http://d.test/*.jpg", "http://d.test/a/b.jpg", true),
            ("http://d.test/*.jpg", "http://d.test/a.jpg.png", false),
            ("http://d.test/a?c", "http://d.test/abc", true),
            ("http://d.test/a?c", "http://d.test/ac", false),
            ("http://d.test/a?c", "http://d.test/abbc", false),
            ("http://d.test/a*b*c", "http://d.test/axxbyyc", true),
            ("http://d.test/a*b*c", "http://d.test/acb", false),
            ("http://d.test/a", "http://d.test/a/", false),
            ("http://d.test/a", "http://d.test/A", false),
            ("http://d.test/a", "http://d.test/%61", false),
            ("http://d.test/a**", "http://d.test/a", true),
        ] {
            assert_eq!(covers(resource, url), covered, "{resource} {url}");
        }
    }

    #[test]
    fn the_query_begins_at_the_first_question_mark() {
        // CF-572, CF-573, AMB-36
        for (resource, url, covered) in [
            ("http://d.test/a?b=1", "http://d.test/a?b=1", true),
            (r"http://d.test/a\?b=1", "http://d.test/a?b=1", true),
            ("http://d.test/a?b=1", "http://d.test/a?b=2", false),
            ("http://d.test/a?b=1", "http://d.test/a", false),
            ("http://d.test/a", "http://d.test/a?b=1", false),
            ("http://d.test/a*", "http://d.test/a?b=1", true),
            ("http://d.test/a*", "http://d.test/abc?b=1", true),
            ("http://d.test/*.jpg", "http://d.test/a.jpg?b=1", false),
            ("http://d.test/*.jpg?*", "http://d.test/a.jpg?b=1", true),
            ("http://d.test/*.jpg*", "http://d.test/a.jpg?b=1", true),
            ("http://d.test/*?b=1", "http://d.test/a?b=1", true),
            ("http://d.test/*?b=1", "http://d.test/a?b=2", false),
            // The path's own `*` does not reach into the query.
            ("http://d.test/*b=1", "http://d.test/a?b=1", false),
            ("http://d.test/a?*&c=?", "http://d.test/a?b=1&c=2", true),
            ("http://d.test/a?*&c=?", "http://d.test/a?b=1&c=22", false),
            ("http://d.test/a?b=/x", "http://d.test/a?b=/x", true),
            // Where the URL has no query, a bare question mark is one character.
            ("http://d.test/a?b", "http://d.test/axb", true),
            (r"http://d.test/a\?b", "http://d.test/axb", false),
            (r"http://d.test/a\?*", "http://d.test/a", false),
            (r"http://d.test/a\?*", "http://d.test/abc/d", false),
            ("http://d.test/a?b?c", "http://d.test/a?bxc", true),
            (r"http://d.test/a\?b\?c", "http://d.test/a?b?c", false),
        ] {
            assert_eq!(covers(resource, url), covered, "{resource} {url}");
        }
    }

    #[test]
    fn wildcards_do_not_follow_a_path_that_climbs() {
        // CF-572
        let public = |path: &str| covers("http://d.test/public/*", &format!("http://d.test{path}"));
        for path in [
            "/public/../secret",
            "/public/..",
            "/public/a/../../secret",
            "/public/%2e%2e/secret",
            "/public/.%2E/secret",
            "/public/..%2fsecret",
            "/public/..%5csecret",
            "/public/..\\secret",
            "/public/..;/secret",
            "/public/..;a=b/secret",
        ] {
            assert!(!public(path), "{path}");
        }
        for path in [
            "/public/a..b",
            "/public/.../a",
            "/public/..a",
            "/public/%",
            "/public/%zz%2",
        ] {
            assert!(public(path), "{path}");
        }
        assert!(covers("http://d.test/a/../b", "http://d.test/a/../b"));
        assert!(covers("http://d.test*", "http://d.test/a/../b"));
    }

    #[test]
    fn a_resource_begins_as_it_must() {
        // CF-572
        for text in [
            "",
            "d.test/a",
            "/a",
            "ftp://d.test/a",
            "HTTP://d.test/a",
            "http:/d.test",
            "?://d.test/a",
            "https*://d.test/a",
            "http",
        ] {
            assert_eq!(Resource::parse(text), Err(PolicyError::Resource), "{text}");
        }
    }

    #[test]
    fn the_worst_patterns_take_no_longer_than_the_product_of_the_lengths() {
        // CF-572: a matcher that goes back takes longer than the sun lasts with these.
        let text = vec![b'a'; 8_192];
        let stars = Pattern::parse(&format!("{}b", "*a".repeat(2_000)));
        assert!(!stars.matches(&text));
        let both = Pattern::parse(&format!("*{}b*", "?a".repeat(2_000)));
        assert!(!both.matches(&text));
        let many = Pattern::parse(&format!("{}b", "*?a".repeat(2_000)));
        assert!(!many.matches(&text));
    }

    /// What the wildcards mean, in the fewest words; its time is exponential.
    fn naive(pattern: &[Sign], text: &[u8]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, first) => first.is_none(),
            (Some((Sign::Any, rest)), first) => {
                naive(rest, text) || first.is_some_and(|(_, after)| naive(pattern, after))
            }
            (Some((Sign::One, rest)), Some((_, after))) => naive(rest, after),
            (Some((Sign::Is(is), rest)), Some((byte, after))) => is == byte && naive(rest, after),
            (Some((Sign::Query, _)), _) | (Some(_), None) => false,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn patterns_match_what_they_mean(pattern in r"(\*|\?|\\\?|[ab]){0,9}", text in "[ab?]{0,12}") {
            // CF-572
            let parsed = Pattern::parse(&pattern);
            prop_assert_eq!(parsed.matches(text.as_bytes()), naive(&parsed.0, text.as_bytes()));
        }

        #[test]
        fn a_resource_without_wildcards_covers_its_own_url_alone(
            path in "/[a-c/.%2]{0,8}", query in "([a-c=&]{1,6})?", other in "/[a-c/.%2]{0,8}",
        ) {
            // CF-572, CF-573
            let mark = if query.is_empty() { "" } else { "?" };
            let url = format!("http://d.test{path}{mark}{query}");
            prop_assert!(covers(&url.replace('?', r"\?"), &url));
            let elsewhere = format!("http://d.test{other}{mark}{query}");
            prop_assert_eq!(covers(&url.replace('?', r"\?"), &elsewhere), path == other);
        }
    }
}
