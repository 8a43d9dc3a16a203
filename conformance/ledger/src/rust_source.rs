//! Which parts of a Rust file are tests.
//!
//! A full parser would be a dependency; what is needed here is only where strings and
//! comments are, which attributes stand before which function, and matching braces.

use std::ops::Range;

/// A stretch of a file, in bytes.
pub type Region = Range<usize>;

/// One test function: its name, and the stretch from its first doc comment or attribute
/// to its closing brace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestFn {
    /// The function's name.
    pub name: String,
    /// Doc comments, attributes, signature and body.
    pub region: Region,
}

/// The tests of a Rust file, and the stretches that are compiled for tests only. A test
/// marked `#[ignore]` does not run, so it is none; its text is for tests only all the same.
pub fn outline(source: &str) -> (Vec<TestFn>, Vec<Region>) {
    let code = mask(source);
    let mut tests = Vec::new();
    let mut test_only = Vec::new();
    let mut at = 0;
    while let Some(start) = find(&code, at, b"#[") {
        let Some(end) = closing(&code, start + 1, b'[', b']') else {
            break;
        };
        at = end;
        let attribute = source.get(start + 2..end - 1).unwrap_or("").trim();
        if is_test_attribute(attribute) {
            if let Some((name, body_end)) = function_after(&code, end) {
                let region = comments_above(source, start)..body_end;
                test_only.push(region.clone());
                if !is_ignored(&code, region.start, body_end) {
                    tests.push(TestFn { name, region });
                }
            }
        } else if is_test_cfg(attribute)
            && let Some(item_end) = item_after(&code, end)
        {
            test_only.push(start..item_end);
        }
    }
    (tests, test_only)
}

/// `test`, `tokio::test`, `tokio::test(flavor = ..)`, `test_case(..)`.
fn is_test_attribute(attribute: &str) -> bool {
    let path = attribute.split('(').next().unwrap_or("").trim();
    matches!(
        path.rsplit("::").next(),
        Some("test" | "test_case" | "rstest")
    )
}

/// Whether `#[ignore]` stands among the attributes of the function between `start` and `end`.
fn is_ignored(code: &[u8], start: usize, end: usize) -> bool {
    let item = code.get(start..end).unwrap_or_default();
    let body = item.iter().position(|b| *b == b'{').unwrap_or(item.len());
    find(&item[..body], 0, b"#[ignore").is_some()
}

/// `cfg(test)`, `cfg(all(test, feature = ".."))`, but not `cfg(not(test))`.
fn is_test_cfg(attribute: &str) -> bool {
    let Some(condition) = attribute.strip_prefix("cfg") else {
        return false;
    };
    let condition: String = condition.split_whitespace().collect();
    !condition.contains("not(test)")
        && condition
            .split(['(', ')', ','])
            .any(|predicate| predicate == "test")
}

/// The name and the end of the function that follows an attribute.
fn function_after(code: &[u8], from: usize) -> Option<(String, usize)> {
    let open = from
        + code
            .get(from..)?
            .iter()
            .position(|b| matches!(b, b'{' | b';'))?;
    let header = std::str::from_utf8(code.get(from..open)?).ok()?;
    let after = header
        .rsplit_once(" fn ")
        .or_else(|| header.rsplit_once("\nfn "))?
        .1;
    let name: String = after
        .trim_start()
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    let end = closing(code, open, b'{', b'}')?;
    (!name.is_empty()).then_some((name, end))
}

/// The end of the item that follows an attribute: its closing brace or semicolon.
fn item_after(code: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        match code.get(at)? {
            b'{' => return closing(code, at, b'{', b'}'),
            b';' => return Some(at + 1),
            // Another attribute: its brackets may hold a semicolon.
            b'[' => at = closing(code, at, b'[', b']')?,
            _ => at += 1,
        }
    }
}

/// The start of the run of `///` lines and attributes that ends just above `start`.
fn comments_above(source: &str, start: usize) -> usize {
    let line_start = |at: usize| source[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let mut top = line_start(start);
    while top > 0 {
        let above = line_start(top - 1);
        let line = source[above..top].trim();
        if !(line.starts_with("///") || line.starts_with("#[")) {
            break;
        }
        top = above;
    }
    top
}

/// The end (one past) of the bracket that opens at `open`.
fn closing(code: &[u8], open: usize, opener: u8, closer: u8) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in code.iter().enumerate().skip(open) {
        if *byte == opener {
            depth += 1;
        } else if *byte == closer {
            depth = depth.checked_sub(1)?;
            if depth == 0 {
                return Some(at + 1);
            }
        }
    }
    None
}

fn find(code: &[u8], from: usize, what: &[u8]) -> Option<usize> {
    let rest = code.get(from..)?;
    rest.windows(what.len())
        .position(|window| window == what)
        .map(|at| from + at)
}

/// The source with comments, strings and character literals blanked, byte for byte.
fn mask(source: &str) -> Vec<u8> {
    let bytes = source.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'/') => line_end(bytes, at),
            b'/' if bytes.get(at + 1) == Some(&b'*') => block_comment_end(bytes, at),
            b'"' => string_end(bytes, at + 1),
            b'r' | b'b' | b'c' if !is_word_before(bytes, at) => match raw_string_end(bytes, at) {
                Some(end) => end,
                None => {
                    at += 1;
                    continue;
                }
            },
            b'\'' => match char_end(source, at) {
                Some(end) => end,
                None => {
                    at += 1;
                    continue;
                }
            },
            _ => {
                at += 1;
                continue;
            }
        };
        for byte in &mut code[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    code
}

fn is_word_before(bytes: &[u8], at: usize) -> bool {
    at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_')
}

fn line_end(bytes: &[u8], from: usize) -> usize {
    let rest = bytes[from..].iter().position(|b| *b == b'\n');
    rest.map_or(bytes.len(), |newline| from + newline)
}

fn block_comment_end(bytes: &[u8], from: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = from;
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'/', Some(b'*')) => {
                depth += 1;
                at += 2;
            }
            (b'*', Some(b'/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    bytes.len()
}

fn string_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The end of `r".."`, `r#".."#`, `br".."` or `cr".."` that begins at `at`, if one does.
fn raw_string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut from = at + usize::from(bytes[at] != b'r');
    if bytes.get(from) != Some(&b'r') {
        return None;
    }
    from += 1;
    let hashes = bytes[from..].iter().take_while(|b| **b == b'#').count();
    from += hashes;
    if bytes.get(from) != Some(&b'"') {
        return None;
    }
    let mut close = vec![b'"'];
    close.resize(1 + hashes, b'#');
    Some(find(bytes, from + 1, &close).map_or(bytes.len(), |end| end + close.len()))
}

/// The end of the character literal at `at`; `None` for a lifetime.
fn char_end(source: &str, at: usize) -> Option<usize> {
    let rest = source.get(at + 1..)?;
    let mut chars = rest.char_indices();
    let (_, first) = chars.next()?;
    if first == '\\' {
        let (_, _) = chars.next()?;
        return rest.get(2..)?.find('\'').map(|end| at + 1 + 2 + end + 1);
    }
    let (next, second) = chars.next()?;
    (second == '\'').then_some(at + 1 + next + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(source: &str) -> Vec<String> {
        outline(source).0.into_iter().map(|t| t.name).collect()
    }

    #[test]
    fn test_functions_are_found_whatever_their_attributes() {
        let source = r#"
            #[test]
            fn plain() {}
            #[tokio::test(flavor = "current_thread")]
            async fn with_runtime() { let s = "}"; }
            #[test]
            #[should_panic(expected = "no")]
            fn more_attributes() { panic!("no") }
            #[inline]
            fn not_a_test() {}
        "#;
        assert_eq!(names(source), ["plain", "with_runtime", "more_attributes"]);
    }

    #[test]
    fn an_ignored_test_is_none() {
        let source = "
            #[test]
            #[ignore = \"not built yet\"]
            fn after() {}
            #[ignore]
            #[tokio::test]
            async fn before() {}
            #[test]
            fn runs() { let s = \"#[ignore]\"; }
        ";
        assert_eq!(names(source), ["runs"]);
        let (_, test_only) = outline(source);
        assert!(
            test_only
                .iter()
                .any(|r| source[r.clone()].contains("fn before"))
        );
    }

    #[test]
    fn strings_comments_and_characters_hide_braces_and_attributes() {
        let source = "
            // #[test] fn commented() {}
            /* #[test] /* nested */ fn blocked() {} */
            const S: &str = r##\"#[test] fn quoted() {} \"# \"##;
            fn lifetimes<'a>(x: &'a str) -> char { if x == \"{\" { '{' } else { '\\'' } }
            #[test]
            fn real() { assert_eq!('}', '}'); }
        ";
        assert_eq!(names(source), ["real"]);
    }

    #[test]
    fn a_test_reaches_from_its_comments_to_its_closing_brace() {
        let source = "fn a() {}\n\n/// Proves it.\n#[test]\nfn t() {\n  // inside\n}\n// after\n";
        let (tests, _) = outline(source);
        let text = &source[tests[0].region.clone()];
        assert!(text.starts_with("/// Proves it."));
        assert!(text.contains("// inside"));
        assert!(!text.contains("after"));
    }

    #[test]
    fn test_modules_are_not_code() {
        let source = "fn code() {}\n#[cfg(test)]\nmod tests { const X: u8 = 1; #[test] fn t() {} }\n#[cfg(not(test))]\nfn also_code() {}\n";
        let (_, test_only) = outline(source);
        let is_test_only = |what: &str| {
            let at = source.find(what).unwrap();
            test_only.iter().any(|region| region.contains(&at))
        };
        assert!(is_test_only("const X"));
        assert!(!is_test_only("fn code"));
        assert!(!is_test_only("fn also_code"));
    }
}
