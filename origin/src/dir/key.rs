//! From a request path to a file's path below the root. Pure.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// Why a path names no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyError {
    /// An escape that is none, or a NUL.
    Malformed,
    /// No object can have this key.
    NoSuchKey,
}

/// The file's path relative to the root: percent-decoded once, made of plain names only.
///
/// A bucket's keys are opaque, so `a//b`, `a/../b` and `a/` are other keys than `b` and `a`. A file system has no
/// files under such names, hence there is no such key.
pub(super) fn path_of(raw: &str) -> Result<PathBuf, KeyError> {
    let raw = raw.strip_prefix('/').ok_or(KeyError::Malformed)?;
    let decoded = percent_decoded(raw.as_bytes())?;
    if decoded.contains(&0) {
        return Err(KeyError::Malformed);
    }
    // Names are judged after decoding, so `%2e%2e` and `%2f` are what they stand for.
    if !decoded.split(|b| *b == b'/').all(is_served) {
        return Err(KeyError::NoSuchKey);
    }
    Ok(Path::new(OsStr::from_bytes(&decoded)).to_owned())
}

fn is_served(name: &[u8]) -> bool {
    !name.is_empty() && (name[0] != b'.' || name == b".well-known")
}

fn percent_decoded(raw: &[u8]) -> Result<Vec<u8>, KeyError> {
    let hex = |b: u8| char::from(b).to_digit(16);
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((b, after)) = rest.split_first() {
        rest = after;
        if *b != b'%' {
            decoded.push(*b);
            continue;
        }
        let [high, low, after @ ..] = rest else {
            return Err(KeyError::Malformed);
        };
        let value = hex(*high).zip(hex(*low)).map(|(h, l)| h * 16 + l);
        let byte = value.and_then(|v| u8::try_from(v).ok());
        decoded.push(byte.ok_or(KeyError::Malformed)?);
        rest = after;
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use std::path::Component;

    use proptest::prelude::*;

    use super::*;

    fn key(raw: &str) -> Result<String, KeyError> {
        path_of(raw).map(|p| p.to_string_lossy().into_owned())
    }

    #[test]
    fn names_are_decoded_once() {
        assert_eq!(key("/a/b.css"), Ok("a/b.css".into()));
        assert_eq!(key("/caf%C3%a9%20x"), Ok("café x".into()));
        assert_eq!(key("/a%2Fb"), Ok("a/b".into()));
        assert_eq!(key("/a+b"), Ok("a+b".into()));
        assert_eq!(key("/%252e%252e"), Ok("%2e%2e".into()));
        assert_eq!(key("/.well-known/acme"), Ok(".well-known/acme".into()));
        assert_eq!(path_of("/%ff").unwrap().as_os_str().as_bytes(), b"\xff");
    }

    #[test]
    fn what_no_file_is_called_is_no_key() {
        for raw in [
            "/",
            "/a/",
            "//a",
            "/a//b",
            "/./a",
            "/a/.",
            "/..",
            "/../a",
            "/a/../b",
            "/%2e%2e/a",
            "/a%2f..%2fb",
            "/.git/config",
            "/a/.env",
            "/%2eenv",
            "/.well-known/.x",
            "/...",
        ] {
            assert_eq!(key(raw), Err(KeyError::NoSuchKey), "{raw}");
        }
    }

    #[test]
    fn broken_escapes_and_nul_are_malformed() {
        for raw in ["/%", "/%2", "/%zz", "/%+1", "/a%00b", "a", "*", ""] {
            assert_eq!(key(raw), Err(KeyError::Malformed), "{raw}");
        }
    }

    proptest! {
        #[test]
        fn a_key_is_made_of_plain_names(raw in "/([./%]|%2[eEfF]|%5c|[a-c\\\\]){0,24}") {
            if let Ok(path) = path_of(&raw) {
                prop_assert!(path.components().all(|c| matches!(c, Component::Normal(_))));
            }
        }
    }
}
