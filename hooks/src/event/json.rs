//! Writing JSON straight into a byte buffer. Events are built on every hooked request, so nothing
//! is collected into a tree first.

use std::{fmt, io::Write};

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{headers::text_of, scan::is_plain};

/// A string from raw bytes, read as UTF-8 or else as ISO-8859-1 (LE-235).
pub(crate) fn bytes(out: &mut Vec<u8>, raw: &[u8]) {
    if is_plain(raw) {
        plain(out, raw);
    } else {
        escaped(out, text_of(raw).as_bytes());
    }
}

/// A string.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    if is_plain(text.as_bytes()) {
        plain(out, text.as_bytes());
    } else {
        escaped(out, text.as_bytes());
    }
}

fn plain(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    out.extend_from_slice(bytes);
    out.push(b'"');
}

fn escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    let mut from = 0;
    for (i, &b) in bytes.iter().enumerate() {
        if b < b' ' || b == b'"' || b == b'\\' {
            out.extend_from_slice(&bytes[from..i]);
            escape(out, b);
            from = i + 1;
        }
    }
    out.extend_from_slice(&bytes[from..]);
    out.push(b'"');
}

#[cold]
fn escape(out: &mut Vec<u8>, b: u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    match b {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', b]),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        _ => {
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&[HEX[(b >> 4) as usize], HEX[(b & 15) as usize]]);
        }
    }
}

/// A value whose text needs no escaping: a number, an address.
pub(crate) fn display(out: &mut Vec<u8>, value: impl fmt::Display) {
    // A `Vec` takes every write, so there is no error to pass on.
    let _ = write!(out, "{value}");
}

/// A string of standard, padded base64 (LE-122).
pub(crate) fn base64(out: &mut Vec<u8>, data: &[u8]) {
    out.push(b'"');
    let from = out.len();
    out.resize(from + data.len().div_ceil(3) * 4, 0);
    // The room is exact by construction; a shorter answer would only cut the slack.
    let written = STANDARD.encode_slice(data, &mut out[from..]).unwrap_or(0);
    out.truncate(from + written);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(f: impl FnOnce(&mut Vec<u8>)) -> serde_json::Value {
        let mut out = Vec::new();
        f(&mut out);
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn every_ascii_character_survives() {
        // LE-098
        let all: String = (0u8..0x80).map(char::from).collect();
        assert_eq!(written(|o| string(o, &all)), all);
    }

    #[test]
    fn latin1_bytes_become_utf8() {
        // LE-235, LE-567
        let all: Vec<u8> = (0x80..=0xff).collect();
        let text: String = all.iter().map(|&b| char::from(b)).collect();
        assert_eq!(written(|o| bytes(o, &all)), text);
        assert_eq!(
            written(|o| bytes(o, "é\u{2028}😀".as_bytes())),
            "é\u{2028}😀"
        );
    }

    #[test]
    fn base64_is_standard_and_padded() {
        // LE-122
        for (data, text) in [
            (&b""[..], ""),
            (b"a", "YQ=="),
            (b"ab", "YWI="),
            (b"\xfb\xff\xfe", "+//+"),
        ] {
            assert_eq!(written(|o| base64(o, data)), text);
        }
    }
}
