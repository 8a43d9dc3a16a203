//! What an invalidation names: paths, beginnings of paths and tags, in the form in which they are compared
//! (CF-651..657, CF-670..672).

use std::{
    borrow::{Borrow, Cow},
    fmt,
    hash::Hasher as _,
};

use fourfront_model::TagSeparator;
use siphasher::sip::SipHasher13;
use smallvec::SmallVec;

/// Longest path, in characters (CF-651).
pub const MAX_PATH: usize = 4_000;
/// Longest tag, in characters (CF-671).
pub const MAX_TAG: usize = 256;
/// Tags of one object that count; further ones are ignored (CF-671).
pub const MAX_TAGS: usize = 50;

/// One entry of an invalidation, checked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Item {
    /// The objects of one path and query, in all variants (CF-653, CF-654).
    Path(Target),
    /// Those whose path and query begin with this: what stood before a final `*` (CF-652).
    Prefix(Target),
    /// Those that carry a tag (CF-672).
    Tag(Tag),
    /// Everything of the distribution: `/*`, or nothing but `*` (CF-662).
    All,
}

/// Why an item is refused. The message names the value and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ItemError {
    /// Nothing is named.
    #[error("an empty path names nothing; `/*` is everything (CF-651)")]
    Empty,
    /// CF-651.
    #[error("a path of {length} characters; at most {MAX_PATH} are allowed (CF-651)")]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// CF-655.
    #[error("`{path}` holds {found:?}, which is to be written {escaped} (CF-655)")]
    Unencoded {
        /// The path, shortened.
        path: String,
        /// The character.
        found: char,
        /// What to write.
        escaped: String,
    },
    /// CF-671.
    #[error("a tag of {length} characters; 1 to {most} are allowed (CF-671)")]
    TagLength {
        /// Its length.
        length: usize,
        /// How many may be.
        most: usize,
    },
    /// CF-671.
    #[error(
        "tag `{tag}` holds {found:?}; a tag is printable ASCII without spaces and commas (CF-671)"
    )]
    TagCharacter {
        /// The tag, shortened.
        tag: String,
        /// The character.
        found: char,
    },
}

impl Item {
    /// Reads an entry of `Paths.Items`: a path, a path with a final `*`, or `#` and a tag (CF-652, CF-672). A missing
    /// first `/` is added (CP-140).
    ///
    /// # Errors
    /// [`ItemError`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, ItemError> {
        Self::parse_within(text, &TagLimits::default())
    }

    /// Likewise, with these limits of tags.
    ///
    /// # Errors
    /// [`ItemError`] says what is wrong with it.
    pub fn parse_within(text: &str, limits: &TagLimits) -> Result<Self, ItemError> {
        if let Some(tag) = text.strip_prefix('#') {
            return Tag::parse_within(tag, limits).map(Self::Tag);
        }
        if text.is_empty() {
            return Err(ItemError::Empty);
        }
        let path = match text.strip_prefix('/') {
            Some(_) => Cow::Borrowed(text),
            None => Cow::Owned(format!("/{text}")),
        };
        let length = path.chars().count();
        if length > MAX_PATH {
            return Err(ItemError::TooLong { length });
        }
        if let Some(found) = path.chars().find(|c| !c.is_ascii() || is_unsafe(*c as u8)) {
            let mut utf8 = [0; 4];
            let escaped = found.encode_utf8(&mut utf8).bytes();
            return Err(ItemError::Unencoded {
                path: shorten(&path),
                found,
                escaped: escaped.map(|b| format!("%{b:02X}")).collect(),
            });
        }
        Ok(match path.strip_suffix('*') {
            Some("/") => Self::All,
            Some(start) => Self::Prefix(Target::of(start.as_bytes())),
            None => Self::Path(Target::of(path.as_bytes())),
        })
    }
}

/// The form in which it is read, listed and kept: paths in their compared form, tags with `#` (CF-672).
impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => f.write_str(path.as_str()),
            Self::Prefix(start) => write!(f, "{}*", start.as_str()),
            Self::Tag(tag) => write!(f, "#{}", tag.0),
            Self::All => f.write_str("/*"),
        }
    }
}

/// Path and query in the form in which both sides are compared (CF-655): escapes of unreserved characters are decoded,
/// characters that have to be escaped are, and the letters of escapes are upper case. Everything else is significant:
/// case, a final `/`, repeated slashes (CF-656).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target(Box<str>);

impl Target {
    /// The target of an object, from the path and the query of its key; `query` without its `?`, and `None` or empty
    /// when the key has none (CF-653).
    pub fn new(path: &[u8], query: Option<&[u8]>) -> Self {
        match query.filter(|q| !q.is_empty()) {
            None => Self::of(path),
            Some(query) => {
                let mut whole = SmallVec::<[u8; 256]>::from_slice(path);
                whole.push(b'?');
                whole.extend_from_slice(query);
                Self::of(&whole)
            }
        }
    }

    fn of(raw: &[u8]) -> Self {
        const HEX: &[u8; 16] = b"0123456789ABCDEF";
        let mut text = String::with_capacity(raw.len());
        let mut rest = raw;
        while let [first, after @ ..] = rest {
            rest = after;
            let escaped = match (first, after) {
                (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)),
                _ => None,
            };
            let (byte, escape) = match escaped {
                Some((high, low)) => {
                    rest = &after[2..];
                    let byte = high << 4 | low;
                    (byte, !is_unreserved(byte))
                }
                None => (*first, !first.is_ascii() || is_unsafe(*first)),
            };
            if escape {
                text.push('%');
                text.push(char::from(HEX[usize::from(byte >> 4)]));
                text.push(char::from(HEX[usize::from(byte & 15)]));
            } else {
                text.push(char::from(byte));
            }
        }
        Self(text.into())
    }

    /// It was in that form when it was written down.
    pub(super) fn from_kept(text: &str) -> Self {
        Self(text.into())
    }

    /// As text; ASCII.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The number under which tables keep it.
    pub(super) fn hash(&self) -> u64 {
        let mut hasher = SipHasher13::new();
        hasher.write(self.as_bytes());
        hasher.finish()
    }
}

impl Borrow<str> for Target {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A tag as an invalidation names it: lower case, since tags have no case (CF-671).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tag(Box<str>);

impl Tag {
    /// Checks a tag.
    ///
    /// # Errors
    /// [`ItemError::TagLength`] or [`ItemError::TagCharacter`].
    pub fn parse(tag: &str) -> Result<Self, ItemError> {
        Self::parse_within(tag, &TagLimits::default())
    }

    /// Checks a tag against these limits.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_within(tag: &str, limits: &TagLimits) -> Result<Self, ItemError> {
        let (length, most) = (tag.chars().count(), limits.length);
        if !(1..=most).contains(&length) {
            return Err(ItemError::TagLength { length, most });
        }
        if let Some(found) = tag.chars().find(|c| !c.is_ascii() || !is_of_tag(*c as u8)) {
            return Err(ItemError::TagCharacter {
                tag: shorten(tag),
                found,
            });
        }
        Ok(Self(tag.to_ascii_lowercase().into()))
    }

    /// The number under which objects and tables keep it, when it comes in the field `header`.
    pub(super) fn hash(&self, header: &str) -> TagHash {
        TagHash::of(header, self.0.as_bytes())
    }
}

/// A tag as objects keep it: 64 bits over the name of the field it came in and the tag, both without case. The name
/// is part of it so that tags of a field that is not the tag field any more are not found (CF-674). Two tags with one
/// number would be purged together, which costs a fetch.
///
/// The hash has no secret and is the same in every process, since it is kept with objects on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TagHash(pub(super) u64);

impl TagHash {
    fn of(header: &str, tag: &[u8]) -> Self {
        let mut hasher = SipHasher13::new();
        for byte in header.bytes() {
            hasher.write_u8(byte.to_ascii_lowercase());
        }
        // No name of a field holds a colon.
        hasher.write_u8(b':');
        for byte in tag {
            hasher.write_u8(byte.to_ascii_lowercase());
        }
        Self(hasher.finish())
    }
}

/// How many tags count and how long they may be, where that is configured (CF-671, CF-812).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagLimits {
    /// Tags of one response, up to 255: records have no room for more.
    pub count: usize,
    /// Characters of a tag.
    pub length: usize,
}

impl TagLimits {
    /// What the journal takes, whatever is configured now: it was accepted once.
    pub(super) const KEPT: Self = Self {
        count: u8::MAX as usize,
        length: usize::MAX,
    };
}

/// AWS's.
impl Default for TagLimits {
    fn default() -> Self {
        Self {
            count: MAX_TAGS,
            length: MAX_TAG,
        }
    }
}

/// The tags in the lines of a response's tag field, which is called `header` (CF-670). What is not a tag is ignored, and
/// what comes after [`MAX_TAGS`] (CF-671).
pub fn tags_of<'v>(
    header: &str,
    separator: TagSeparator,
    lines: impl IntoIterator<Item = &'v [u8]>,
) -> Vec<TagHash> {
    tags_within(header, separator, TagLimits::default(), lines)
}

/// Likewise, with these limits.
pub fn tags_within<'v>(
    header: &str,
    separator: TagSeparator,
    limits: TagLimits,
    lines: impl IntoIterator<Item = &'v [u8]>,
) -> Vec<TagHash> {
    split_tags(separator, limits, lines)
        .map(|tag| TagHash::of(header, tag))
        .collect()
}

/// The same tags in words, as the response has them.
pub fn tag_names<'v>(
    separator: TagSeparator,
    limits: TagLimits,
    lines: impl IntoIterator<Item = &'v [u8]>,
) -> Vec<String> {
    split_tags(separator, limits, lines)
        .map(|tag| String::from_utf8_lossy(tag).into_owned())
        .collect()
}

fn split_tags<'v>(
    separator: TagSeparator,
    limits: TagLimits,
    lines: impl IntoIterator<Item = &'v [u8]>,
) -> impl Iterator<Item = &'v [u8]> {
    let separates = move |b: &u8| match separator {
        TagSeparator::Comma => *b == b',',
        TagSeparator::Space => *b == b' ' || *b == b'\t',
    };
    let is_tag = move |tag: &&[u8]| {
        (1..=limits.length).contains(&tag.len()) && tag.iter().all(|b| is_of_tag(*b))
    };
    lines
        .into_iter()
        .flat_map(move |line| line.split(separates))
        .map(<[u8]>::trim_ascii)
        .filter(is_tag)
        .take(limits.count)
}

/// RFC 3986 section 2.3.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// What RFC 1738 section 2.2 calls unsafe, but for `%`, which begins escapes, and `~`, which is supported (CF-655).
const fn is_unsafe(byte: u8) -> bool {
    byte <= b' '
        || byte == 0x7f
        || matches!(
            byte,
            b'"' | b'<' | b'>' | b'#' | b'{' | b'}' | b'|' | b'\\' | b'^' | b'[' | b']' | b'`'
        )
}

const fn is_of_tag(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b','
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

fn shorten(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        Item::parse(text).unwrap().to_string()
    }

    #[test]
    fn paths_are_read_as_cloudfront_reads_them() {
        // CF-651, CF-652, CF-655, CF-656, CP-140
        let path = |text: &str| Item::Path(Target::of(text.as_bytes()));
        let prefix = |text: &str| Item::Prefix(Target::of(text.as_bytes()));
        for (text, item) in [
            ("/a/b", path("/a/b")),
            ("a/b", path("/a/b")),
            ("/A", path("/A")),
            ("/a/", path("/a/")),
            ("/a*", prefix("/a")),
            ("/a/*", prefix("/a/")),
            ("/a?x=1*", prefix("/a?x=1")),
            ("/a*b", path("/a*b")),
            ("/a**", prefix("/a*")),
            ("/*", Item::All),
            ("*", Item::All),
            ("/", path("/")),
            ("/%61", path("/a")),
            ("/~x", path("/%7ex")),
            ("/a%2a", path("/a%2A")),
            ("/100%", path("/100%")),
        ] {
            assert_eq!(Item::parse(text).unwrap(), item, "{text}");
        }
        assert_ne!(path("/a"), path("/A"));
        assert_ne!(path("/a"), path("/a/"));
        let long = format!("/{}", "x".repeat(MAX_PATH - 1));
        assert!(Item::parse(&long).is_ok());
        assert_eq!(
            Item::parse(&format!("{long}x")),
            Err(ItemError::TooLong { length: 4_001 })
        );
        assert_eq!(Item::parse(""), Err(ItemError::Empty));
        for (text, escaped) in [
            ("/a b", "%20"),
            ("/\u{e9}", "%C3%A9"),
            ("/a#b", "%23"),
            ("/[x]", "%5B"),
        ] {
            let error = Item::parse(text).unwrap_err().to_string();
            assert!(
                error.contains(escaped) && error.contains("CF-655"),
                "{error}"
            );
        }
    }

    #[test]
    fn both_sides_of_a_comparison_take_one_form() {
        // CF-655
        for (key, named) in [
            (&b"/a[1]"[..], "/a%5B1%5D"),
            (b"/a%5b1%5d", "/a%5B1%5D"),
            (b"/caf\xc3\xa9", "/caf%C3%A9"),
            (b"/a%2Db", "/a-b"),
            (b"/a-b", "/a%2db"),
        ] {
            let Item::Path(path) = Item::parse(named).unwrap() else {
                panic!("{named}")
            };
            assert_eq!(Target::new(key, None), path, "{named}");
        }
        // What is reserved stays apart from its escape.
        assert_ne!(Target::new(b"/a%2Fb", None), Target::new(b"/a/b", None));
        assert_eq!(Target::new(b"/a", Some(b"x=1")).as_str(), "/a?x=1");
        // CF-653, CF-184
        assert_eq!(Target::new(b"/a", Some(b"")), Target::new(b"/a", None));
        // What is kept is read back as the same.
        for text in ["/a%5B*", "/a%2Fb", "/*", "#tag"] {
            assert_eq!(shown(&shown(text)), shown(text));
        }
    }

    #[test]
    fn tags_are_read_as_cloudfront_reads_them() {
        // CF-671, CF-672, CP-141
        assert_eq!(shown("#Product-7"), "#product-7");
        assert_eq!(shown("#a*"), "#a*");
        let tag = |length: usize| Item::parse(&format!("#{}", "x".repeat(length)));
        assert!(tag(256).is_ok());
        let too_long = |length| Err(ItemError::TagLength { length, most: 256 });
        assert_eq!(tag(257), too_long(257));
        assert_eq!(tag(0), too_long(0));
        // CF-812
        let limits = TagLimits {
            count: 2,
            length: 300,
        };
        assert!(Tag::parse_within(&"x".repeat(300), &limits).is_ok());
        assert!(Item::parse_within(&format!("#{}", "x".repeat(301)), &limits).is_err());
        let line = format!("{},b,c", "a".repeat(300));
        let found = tag_names(TagSeparator::Comma, limits, [line.as_bytes()]);
        assert_eq!(found, ["a".repeat(300), "b".to_owned()]);
        let all = tags_of("x-tags", TagSeparator::Comma, [line.as_bytes()]);
        assert_eq!(all.len(), 2);
        for bad in ["#a,b", "#a b", "#\u{e9}", "#a\n"] {
            let error = Item::parse(bad).unwrap_err();
            assert!(matches!(error, ItemError::TagCharacter { .. }), "{bad}");
        }
    }

    #[test]
    fn tags_of_responses() {
        // CF-670, CF-671, CF-674
        let hash = |tag: &str| Tag::parse(tag).unwrap().hash("cache-tag");
        let comma = |lines: &[&'static str]| {
            let lines = lines.iter().map(|l| l.as_bytes());
            tags_of("Cache-Tag", TagSeparator::Comma, lines)
        };
        assert_eq!(comma(&["a, B ,c", "d"]), ["a", "b", "c", "d"].map(hash));
        assert_eq!(comma(&["", ",,", "a b, c"]), [hash("c")]);
        let many: Vec<String> = (0..60).map(|i| format!("t{i}")).collect();
        let lines = [many.join(",")];
        let found = tags_of(
            "cache-tag",
            TagSeparator::Comma,
            lines.iter().map(|l| l.as_bytes()),
        );
        assert_eq!(found.len(), MAX_TAGS);
        assert_eq!(found[49], hash("t49"));
        let space = tags_of("surrogate-key", TagSeparator::Space, [&b"a  b\tc"[..]]);
        assert_eq!(space.len(), 3);
        assert_ne!(space[0], hash("a"));
    }
}
