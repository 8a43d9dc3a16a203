//! The text that a signature is over (CP-413, CP-414).

use http::{HeaderMap, HeaderName};

use crate::Mismatch;

/// Appends the path, encoded once more: `.` and `..` are resolved and empty segments dropped first, as all SDKs do.
///
/// The listener must not route a path with such segments as if it had none: what is signed is the path without them.
pub(crate) fn path(raw: &[u8], out: &mut Vec<u8>) {
    let mut segments: Vec<&[u8]> = Vec::new();
    for segment in raw.split(|byte| *byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    out.push(b'/');
    for (index, segment) in segments.iter().enumerate() {
        if index > 0 {
            out.push(b'/');
        }
        encode(segment, out);
    }
    if raw.ends_with(b"/") && !segments.is_empty() {
        out.push(b'/');
    }
}

/// Appends the pairs of a query as sent, sorted by name, then value; a name without `=` gets one. `leave_out` is the name of
/// a pair that is not part of it.
pub(crate) fn query(raw: &[u8], leave_out: Option<&[u8]>, out: &mut Vec<u8>) {
    if raw.is_empty() {
        return;
    }
    let mut pairs: Vec<(&[u8], &[u8])> = pairs(raw)
        .filter(|(name, _)| Some(*name) != leave_out)
        .collect();
    pairs.sort_unstable();
    for (index, (name, value)) in pairs.into_iter().enumerate() {
        if index > 0 {
            out.push(b'&');
        }
        out.extend_from_slice(name);
        out.push(b'=');
        out.extend_from_slice(value);
    }
}

/// The pairs of a query, undecoded.
pub(crate) fn pairs(raw: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    raw.split(|byte| *byte == b'&')
        .map(|pair| match pair.iter().position(|byte| *byte == b'=') {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, &b""[..]),
        })
}

/// Appends the signed headers, one a line.
///
/// # Errors
/// A signed header that is not there: an empty value in its place would let a header be taken away.
pub(crate) fn headers(
    names: &[HeaderName],
    headers: &HeaderMap,
    out: &mut Vec<u8>,
) -> Result<(), Mismatch> {
    for name in names {
        out.extend_from_slice(name.as_str().as_bytes());
        out.push(b':');
        let mut any = false;
        for value in headers.get_all(name) {
            if any {
                out.push(b',');
            }
            any = true;
            collapse(value.as_bytes(), out);
        }
        if !any {
            return Err(Mismatch::MissingHeader(name.to_string()));
        }
        out.push(b'\n');
    }
    Ok(())
}

/// A value without white space around it, and with one space for each run inside. Tabs count, as to botocore and JS.
fn collapse(value: &[u8], out: &mut Vec<u8>) {
    let words = value
        .split(|byte| matches!(byte, b' ' | b'\t'))
        .filter(|word| !word.is_empty());
    for (index, word) in words.enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(word);
    }
}

/// Percent-encodes all but unreserved characters.
pub(crate) fn encode(text: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(*byte);
        } else {
            let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
            out.extend_from_slice(&[b'%', DIGITS[high], DIGITS[low]]);
        }
    }
}

/// The value of a parameter with `%XX` decoded; `+` is itself. `None` where it is not properly encoded UTF-8.
pub(crate) fn decode(text: &[u8]) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        if *byte == b'%' {
            let [high, low, tail @ ..] = tail else {
                return None;
            };
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let value = digit(*high)? * 16 + digit(*low)?;
            out.push(u8::try_from(value).ok()?);
            rest = tail;
        } else {
            out.push(*byte);
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(with: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        with(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_path_is_encoded_once_more_without_dots_and_empty_segments() {
        // CP-414
        for (raw, wanted) in [
            ("", "/"),
            ("/", "/"),
            ("//", "/"),
            ("/a/", "/a/"),
            ("//a//b", "/a/b"),
            ("/a/./b/../c", "/a/c"),
            ("/../..", "/"),
            ("/a/..", "/"),
            ("/a/../", "/"),
            ("/a/.", "/a"),
            ("/arn%3Aaws/f~x", "/arn%253Aaws/f~x"),
            ("/a b+\u{e9}", "/a%20b%2B%C3%A9"),
            ("/a%2F..%2Fb", "/a%252F..%252Fb"),
        ] {
            assert_eq!(made(|out| path(raw.as_bytes(), out)), wanted, "{raw}");
        }
    }

    #[test]
    fn a_query_is_sorted_as_sent() {
        // CP-414
        for (raw, wanted) in [
            ("", ""),
            ("WithTags", "WithTags="),
            ("b=2&a=2&a=1", "a=1&a=2&b=2"),
            ("a=&a", "a=&a="),
            ("a-b=1&a=2", "a=2&a-b=1"),
            ("A=1&a=%2f&S=x", "A=1&a=%2f"),
            ("a=b=c", "a=b=c"),
            ("a&&b", "=&a=&b="),
        ] {
            assert_eq!(
                made(|out| query(raw.as_bytes(), Some(b"S"), out)),
                wanted,
                "{raw}"
            );
        }
    }

    #[test]
    fn header_values_are_trimmed_collapsed_and_joined() {
        // CP-413
        let mut map = HeaderMap::new();
        map.append("x-amz-a", "  one \t  two ".parse().unwrap());
        map.append("x-amz-a", "three".parse().unwrap());
        map.append("host", "h".parse().unwrap());
        let names = ["host", "x-amz-a"].map(HeaderName::from_static);
        let text = made(|out| headers(&names, &map, out).unwrap());
        assert_eq!(text, "host:h\nx-amz-a:one two,three\n");
        let absent = [HeaderName::from_static("x-amz-b")];
        assert_eq!(
            headers(&absent, &map, &mut Vec::new()),
            Err(Mismatch::MissingHeader("x-amz-b".to_owned()))
        );
    }

    #[test]
    fn a_parameter_is_decoded_or_refused() {
        assert_eq!(decode(b"a%2fB+%C3%A9").as_deref(), Some("a/B+\u{e9}"));
        for wrong in [&b"%"[..], b"%4", b"%zz", b"%ff", b"%+1"] {
            assert_eq!(decode(wrong), None);
        }
    }
}
