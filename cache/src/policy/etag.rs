//! Entity tags and their two comparisons (RFC 9110 section 8.8.3).

use http::{HeaderMap, HeaderName};

/// One entity tag. Tags that some software sends without quotes are kept apart from quoted ones, so
/// that they match only themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EntityTag<'a> {
    weak: bool,
    quoted: bool,
    opaque: &'a [u8],
}

impl<'a> EntityTag<'a> {
    /// The whole of a field value as one tag.
    pub(super) fn parse(value: &'a [u8]) -> Option<Self> {
        let (tag, rest) = Self::split_first(value.trim_ascii())?;
        rest.trim_ascii().is_empty().then_some(tag)
    }

    fn split_first(text: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (weak, after_mark) = match text.strip_prefix(b"W/") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        if let Some(inside) = after_mark.strip_prefix(b"\"") {
            let end = inside.iter().position(|b| *b == b'"')?;
            let tag = Self {
                weak,
                quoted: true,
                opaque: &inside[..end],
            };
            return Some((tag, &inside[end + 1..]));
        }
        let end = text.iter().position(|b| *b == b',').unwrap_or(text.len());
        let opaque = text[..end].trim_ascii();
        let tag = Self {
            weak: false,
            quoted: false,
            opaque,
        };
        (!opaque.is_empty()).then_some((tag, &text[end..]))
    }

    pub(super) fn matches(self, other: Self, comparison: Comparison) -> bool {
        let both_strong = !self.weak && !other.weak;
        (comparison == Comparison::Weak || both_strong)
            && self.quoted == other.quoted
            && self.opaque == other.opaque
    }

    pub(super) const fn is_weak(self) -> bool {
        self.weak
    }

    pub(super) const fn is_quoted(self) -> bool {
        self.quoted
    }
}

/// The two ways of comparing tags (RFC 9110 section 8.8.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    /// Both are strong and equal.
    Strong,
    /// Equal but for the weakness mark.
    Weak,
}

/// What an `If-Match` or `If-None-Match` field asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TagCondition {
    Absent,
    /// `*`, or a tag of the list is the stored one.
    Matches,
    NoMatch,
}

/// Compares a field of tags, over all its lines, with the stored tag.
pub(super) fn compare(
    headers: &HeaderMap,
    name: &HeaderName,
    stored: Option<EntityTag<'_>>,
    comparison: Comparison,
) -> TagCondition {
    let mut condition = TagCondition::Absent;
    for line in headers.get_all(name) {
        let mut rest = line.as_bytes().trim_ascii();
        if rest == b"*" {
            return TagCondition::Matches;
        }
        condition = TagCondition::NoMatch;
        loop {
            rest = rest.trim_ascii();
            while let Some(after) = rest.strip_prefix(b",") {
                rest = after.trim_ascii();
            }
            let Some((tag, after)) = EntityTag::split_first(rest) else {
                break;
            };
            if stored.is_some_and(|stored| stored.matches(tag, comparison)) {
                return TagCondition::Matches;
            }
            rest = after;
        }
    }
    condition
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::IF_NONE_MATCH;
    use proptest::prelude::*;

    fn tag(text: &str) -> EntityTag<'_> {
        EntityTag::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_comparison_table_of_rfc_9110() {
        // CF-284, CF-540, RFC 9110 section 8.8.3.2
        for (a, b, strong, weak) in [
            ("W/\"1\"", "W/\"1\"", false, true),
            ("W/\"1\"", "W/\"2\"", false, false),
            ("W/\"1\"", "\"1\"", false, true),
            ("\"1\"", "\"1\"", true, true),
        ] {
            assert_eq!(
                tag(a).matches(tag(b), Comparison::Strong),
                strong,
                "{a} {b}"
            );
            assert_eq!(tag(a).matches(tag(b), Comparison::Weak), weak, "{a} {b}");
        }
        assert_eq!(EntityTag::parse(b"\"1\" x"), None);
        assert_eq!(EntityTag::parse(b"\"1"), None);
        assert_eq!(EntityTag::parse(b""), None);
        assert!(!tag("1").matches(tag("\"1\""), Comparison::Weak));
    }

    #[test]
    fn lists_are_searched_over_lines_and_commas_in_tags() {
        // CF-284
        let find = |lines: &[&str], stored: &str| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(IF_NONE_MATCH, line.parse().unwrap());
            }
            compare(
                &headers,
                &IF_NONE_MATCH,
                Some(tag(stored)),
                Comparison::Weak,
            )
        };
        assert_eq!(find(&[], "\"a\""), TagCondition::Absent);
        assert_eq!(find(&["*"], "\"a\""), TagCondition::Matches);
        assert_eq!(find(&["\"a,b\" , W/\"c\""], "\"c\""), TagCondition::Matches);
        assert_eq!(find(&["\"a,b\""], "\"a\""), TagCondition::NoMatch);
        assert_eq!(find(&["\"a\"", ", ,\"b\""], "\"b\""), TagCondition::Matches);
        assert_eq!(find(&["x, \"b\""], "\"b\""), TagCondition::Matches);
        assert_eq!(find(&[""], "\"b\""), TagCondition::NoMatch);
    }

    proptest! {
        #[test]
        fn any_bytes_are_searched_without_panic(line in proptest::collection::vec(32_u8..=126, 0..60)) {
            let mut headers = HeaderMap::new();
            headers.append(IF_NONE_MATCH, http::HeaderValue::from_bytes(&line).unwrap());
            let found = compare(&headers, &IF_NONE_MATCH, None, Comparison::Weak);
            prop_assert!(found != TagCondition::Absent);
        }
    }
}
