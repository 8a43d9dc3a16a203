//! Any resource and any URL: what a resource covers is what a slow matcher says.
#![no_main]

use fourfront_signed::{Scheme, Url, resource::Resource};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(&data[..data.len().min(600)]) else {
        return;
    };
    let Some((resource, target)) = text.split_once('\n') else {
        return;
    };
    let Some((pattern, target)) = resource.strip_prefix("http://d.test/").zip(target.strip_prefix('/')) else {
        let url = Url::of(Scheme::Https, "d.test", b"/");
        let _ = Resource::parse(resource).map(|resource| resource.covers(&url));
        return;
    };
    // Paths that climb, and patterns with an escape, are cases of their own.
    if target.contains("..") || target.contains('%') || pattern.contains('\\') {
        return;
    }
    let url = Url::of(Scheme::Http, "d.test", text[resource.len() + 1..].as_bytes());
    let covers = Resource::parse(resource).unwrap().covers(&url);
    let pattern = pattern.as_bytes();
    let (path, query) = match target.split_once('?') {
        Some((path, query)) if !query.is_empty() => (path.as_bytes(), Some(query.as_bytes())),
        Some((path, _)) => (path.as_bytes(), None),
        None => (target.as_bytes(), None),
    };
    let signed = ["Expires", "Policy", "Signature", "Key-Pair-Id", "Hash-Algorithm"];
    if signed.iter().any(|name| target.contains(name)) {
        return;
    }
    let mark = pattern.iter().position(|b| *b == b'?');
    let expected = match (query, mark) {
        (None, _) => slow(pattern, path),
        (Some(query), Some(at)) => slow(&pattern[..at], path) && slow(&pattern[at + 1..], query),
        (Some(_), None) => pattern.ends_with(b"*") && slow(pattern, path),
    };
    assert_eq!(covers, expected, "{resource} {target}");
});

/// Which ends of the text each start of the pattern reaches.
fn slow(pattern: &[u8], text: &[u8]) -> bool {
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for sign in pattern {
        let mut next = vec![false; text.len() + 1];
        match sign {
            b'*' => {
                let mut any = false;
                for (to, from) in next.iter_mut().zip(&reached) {
                    any |= from;
                    *to = any;
                }
            }
            sign => {
                for at in 0..text.len() {
                    next[at + 1] = reached[at] && (*sign == b'?' || *sign == text[at]);
                }
            }
        }
        reached = next;
    }
    reached[text.len()]
}
