//! Parsing of the response's `Cache-Control` into what a shared cache acts on (CF-241, CF-242).
//!
//! The parser never fails: a member it cannot read is skipped, a number it cannot read is zero,
//! which errs on the side of asking the origin. `CDN-Cache-Control` has a stricter syntax and its
//! own parser in [`super::targeted`].

use http::{HeaderMap, HeaderName, header};

/// The longest lifetime a directive can give: 100 years in seconds (CF-242).
pub const DELTA_SECONDS_CAP: u64 = 3_153_600_000;

/// The directives of one response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheControl {
    /// `max-age` in seconds; a value that is not a number is 0 (CF-242).
    pub max_age: Option<u64>,
    /// `s-maxage` in seconds; a value that is not a number is 0 (CF-242).
    pub s_maxage: Option<u64>,
    /// `stale-while-revalidate` in seconds (CF-265).
    pub stale_while_revalidate: Option<u64>,
    /// `stale-if-error` in seconds (CF-265).
    pub stale_if_error: Option<u64>,
    /// `no-cache`, whole or for some fields.
    pub no_cache: Scope,
    /// `private`, whole or for some fields.
    pub private: Scope,
    /// `no-store`.
    pub no_store: bool,
    /// `public`.
    pub public: bool,
    /// `must-revalidate`.
    pub must_revalidate: bool,
    /// `proxy-revalidate`.
    pub proxy_revalidate: bool,
    /// `must-understand`.
    pub must_understand: bool,
    /// `no-transform`: blocks compression (CF-251).
    pub no_transform: bool,
}

/// What a directive that may carry a field list applies to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// The directive is not there.
    #[default]
    Absent,
    /// Only these fields.
    Fields(Vec<HeaderName>),
    /// The whole response.
    Whole,
}

impl Scope {
    /// Whether the directive stands without a field list.
    pub fn is_whole(&self) -> bool {
        *self == Self::Whole
    }

    /// Whether the directive is there at all.
    pub fn is_present(&self) -> bool {
        *self != Self::Absent
    }

    /// The fields it names; none when it is absent or applies to the whole response.
    pub fn fields(&self) -> &[HeaderName] {
        match self {
            Self::Fields(fields) => fields,
            Self::Absent | Self::Whole => &[],
        }
    }

    /// Takes the stricter of two occurrences. CF-241 lets the first of two values win; between a
    /// scope and a wider one that would let a response be shared that its origin called private.
    fn widen(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::Whole, _) | (_, Self::Absent) => {}
            (Self::Fields(mine), Self::Fields(theirs)) => mine.extend(theirs),
            (_, other) => *self = other,
        }
    }

    pub(super) fn merge_argument(&mut self, argument: Option<&[u8]>) {
        self.widen(argument.map_or(Self::Whole, Self::of_list));
    }

    /// A list no name can be read from is taken for the whole response.
    fn of_list(list: &[u8]) -> Self {
        let fields: Vec<_> = list
            .split(|b| *b == b',')
            .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
            .collect();
        if fields.is_empty() {
            Self::Whole
        } else {
            Self::Fields(fields)
        }
    }
}

impl CacheControl {
    /// Reads every `Cache-Control` line of a response.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut parsed = Self::default();
        for line in headers.get_all(header::CACHE_CONTROL) {
            for member in Members(line.as_bytes()) {
                parsed.take(&member);
            }
        }
        parsed
    }

    /// Whether the directives withdraw the response from sharing without validation: `R` of CF
    /// section 3.2. A qualified `private` counts as unqualified there (CF-247), a qualified
    /// `no-cache` does not count (CF-246).
    pub fn restricts(&self) -> bool {
        self.no_store || self.no_cache.is_whole() || self.private.is_present()
    }

    fn take(&mut self, member: &Member<'_>) {
        let argument = member.argument.as_deref();
        // CF-241: names are case-insensitive, and the first of two values wins.
        match member.name.to_ascii_lowercase().as_slice() {
            b"max-age" => first(&mut self.max_age, lifetime(argument)),
            b"s-maxage" => first(&mut self.s_maxage, lifetime(argument)),
            b"stale-while-revalidate" => {
                if let Some(window) = delta_seconds(argument) {
                    first(&mut self.stale_while_revalidate, window);
                }
            }
            b"stale-if-error" => {
                if let Some(window) = delta_seconds(argument) {
                    first(&mut self.stale_if_error, window);
                }
            }
            b"no-cache" => self.no_cache.merge_argument(argument),
            b"private" => self.private.merge_argument(argument),
            b"no-store" => self.no_store = true,
            b"public" => self.public = true,
            b"must-revalidate" => self.must_revalidate = true,
            b"proxy-revalidate" => self.proxy_revalidate = true,
            b"must-understand" => self.must_understand = true,
            b"no-transform" => self.no_transform = true,
            // CF-238, CF-251: `immutable`, `only-if-cached` and unknown directives change nothing.
            _ => {}
        }
    }
}

fn first(slot: &mut Option<u64>, value: u64) {
    if slot.is_none() {
        *slot = Some(value);
    }
}

/// CF-242: a lifetime that is not a number is zero.
fn lifetime(argument: Option<&[u8]>) -> u64 {
    delta_seconds(argument).unwrap_or(0)
}

/// A number of seconds, capped (CF-242, RFC 9111 section 1.2.2). `None` for anything but digits.
pub(super) fn delta_seconds(argument: Option<&[u8]>) -> Option<u64> {
    let digits = argument?;
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, b| {
        let digit = b.is_ascii_digit().then(|| u64::from(b - b'0'))?;
        Some((sum * 10 + digit).min(DELTA_SECONDS_CAP))
    })
}

/// One `name` or `name=argument`.
pub(super) struct Member<'a> {
    pub(super) name: &'a [u8],
    pub(super) argument: Option<std::borrow::Cow<'a, [u8]>>,
}

/// The well-formed members of one field line.
pub(super) struct Members<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.0.is_empty() {
            let end = end_of_member(self.0);
            let raw = self.0[..end].trim_ascii();
            self.0 = self.0.get(end + 1..).unwrap_or_default();
            if let Some(member) = member(raw) {
                return Some(member);
            }
        }
        None
    }
}

/// Index of the comma that ends the first member, or the length. Commas inside quotes do not count.
pub(crate) fn end_of_member(line: &[u8]) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    for (i, b) in line.iter().enumerate() {
        match b {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => return i,
            _ => {}
        }
    }
    line.len()
}

fn member(raw: &[u8]) -> Option<Member<'_>> {
    let Some(equals) = raw.iter().position(|b| *b == b'=') else {
        return is_token(raw).then_some(Member {
            name: raw,
            argument: None,
        });
    };
    // CF-241: whitespace around `=` makes the directive invalid; it is no token then.
    let (name, argument) = (&raw[..equals], &raw[equals + 1..]);
    if !is_token(name) {
        return None;
    }
    let argument = match argument {
        [b'"', inside @ .., b'"'] => unquote(inside)?,
        [b'"', ..] => return None,
        token if token.iter().any(u8::is_ascii_whitespace) => return None,
        token => token.into(),
    };
    Some(Member {
        name,
        argument: Some(argument),
    })
}

/// The text of a quoted-string without its quotes; `None` when a quote inside is not escaped.
fn unquote(inside: &[u8]) -> Option<std::borrow::Cow<'_, [u8]>> {
    if !inside.contains(&b'\\') {
        return (!inside.contains(&b'"')).then(|| inside.into());
    }
    let mut text = Vec::with_capacity(inside.len());
    let mut bytes = inside.iter();
    while let Some(b) = bytes.next() {
        match b {
            b'\\' => text.push(*bytes.next()?),
            b'"' => return None,
            b => text.push(*b),
        }
    }
    Some(text.into())
}

pub(super) fn is_token(text: &[u8]) -> bool {
    !text.is_empty()
        && text
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cc(lines: &[&str]) -> CacheControl {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::CACHE_CONTROL, line.parse().unwrap());
        }
        CacheControl::of(&headers)
    }

    #[test]
    fn names_ignore_case_and_values_may_be_quoted() {
        // CF-241
        assert_eq!(cc(&["MAX-AGE=60"]).max_age, Some(60));
        assert_eq!(cc(&["max-age=\"60\""]).max_age, Some(60));
        assert_eq!(cc(&["s-maxage=\"6\\0\""]).s_maxage, Some(60));
        assert!(cc(&["No-Store"]).no_store);
    }

    #[test]
    fn the_first_of_two_values_wins_across_lines() {
        // CF-241
        assert_eq!(cc(&["max-age=1, max-age=2"]).max_age, Some(1));
        assert_eq!(cc(&["max-age=1", "max-age=2"]).max_age, Some(1));
        assert_eq!(cc(&["max-age=x, max-age=2"]).max_age, Some(0));
    }

    #[test]
    fn whitespace_around_the_equals_sign_makes_a_directive_invalid() {
        // CF-241
        for line in ["max-age =60", "max-age= 60", "max-age = 60", "max age=60"] {
            assert_eq!(cc(&[line]).max_age, None, "{line}");
        }
        assert_eq!(cc(&[" ,, max-age=60 ,"]).max_age, Some(60));
    }

    #[test]
    fn values_that_are_no_numbers_are_zero_and_large_ones_capped() {
        // CF-242
        for value in ["-1", "+1", "1.5", "abc", "'60'", "", "\"\"", "60s"] {
            assert_eq!(
                cc(&[&format!("max-age={value}")]).max_age,
                Some(0),
                "{value}"
            );
        }
        assert_eq!(cc(&["max-age"]).max_age, Some(0));
        assert_eq!(cc(&["max-age=00060"]).max_age, Some(60));
        assert_eq!(
            cc(&["s-maxage=99999999999999999999999999"]).s_maxage,
            Some(DELTA_SECONDS_CAP)
        );
    }

    #[test]
    fn an_unreadable_stale_window_is_ignored() {
        // CF-265
        let parsed = cc(&["stale-if-error=x, stale-while-revalidate=-1"]);
        assert_eq!(parsed, CacheControl::default());
        assert_eq!(cc(&["stale-if-error=0"]).stale_if_error, Some(0));
    }

    #[test]
    fn directives_inside_quotes_do_not_count() {
        // CF-241
        let parsed = cc(&["a=\"no-store, max-age=5\", max-age=60"]);
        assert!(!parsed.no_store);
        assert_eq!(parsed.max_age, Some(60));
        // A quote that never ends swallows the rest, and is no directive itself.
        assert_eq!(cc(&["a=\"x, max-age=60"]), CacheControl::default());
        assert_eq!(cc(&["max-age=\"60\"x"]), CacheControl::default());
    }

    #[test]
    fn field_lists_are_read_and_the_stricter_occurrence_wins() {
        // CF-246, CF-247
        let parsed = cc(&["no-cache=\"Set-Cookie, X-A\", private=X-B"]);
        assert_eq!(
            parsed.no_cache.fields(),
            [header::SET_COOKIE, HeaderName::from_static("x-a")]
        );
        assert_eq!(parsed.private.fields(), [HeaderName::from_static("x-b")]);
        assert!(parsed.restricts());
        assert!(!cc(&["no-cache=\"X-A\""]).restricts());
        assert!(cc(&["no-cache=\"X-A\", no-cache"]).no_cache.is_whole());
        assert!(cc(&["no-cache, no-cache=\"X-A\""]).no_cache.is_whole());
        assert!(cc(&["private=\"\""]).private.is_whole());
    }

    proptest! {
        #[test]
        fn any_bytes_parse_without_panic(line in proptest::collection::vec(32_u8..=126, 0..80)) {
            let mut headers = HeaderMap::new();
            headers.append(header::CACHE_CONTROL, http::HeaderValue::from_bytes(&line).unwrap());
            let parsed = CacheControl::of(&headers);
            prop_assert!(parsed.max_age.unwrap_or(0) <= DELTA_SECONDS_CAP);
        }

        #[test]
        fn the_order_of_distinct_directives_does_not_matter(mut order in Just(vec![
            "max-age=5", "s-maxage=\"7\"", "no-cache=\"x-a\"", "public", "stale-if-error=9", "ext=\"a,b\"",
        ]).prop_shuffle()) {
            let shuffled = cc(&[&order.join(", ")]);
            order.sort_unstable();
            prop_assert_eq!(shuffled, cc(&[&order.join(",")]));
        }
    }
}
