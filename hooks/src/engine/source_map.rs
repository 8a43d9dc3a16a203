//! Finding the source map of a bundle's file (NC-56).

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::bundle::Bundle;

const MARK: &str = "//# sourceMappingURL=";

/// The map of the file at `path`, its sources named by URLs so that frames show where they lie.
pub(super) fn find(bundle: &Bundle, path: &str) -> Option<Vec<u8>> {
    let bytes = raw(bundle, path)?;
    let sourcemap::DecodedMap::Regular(mut map) = sourcemap::decode_slice(&bytes).ok()? else {
        return Some(bytes);
    };
    let dir = &path[..path.rfind('/')?];
    for i in 0..map.get_source_count() {
        let Some(source) = map.get_source(i) else {
            continue;
        };
        if !source.contains("://") {
            let url = format!("file://{}", join(dir, source));
            map.set_source(i, &url);
        }
    }
    map.set_source_root(None::<&str>);
    let mut out = Vec::new();
    map.to_writer(&mut out).ok()?;
    Some(out)
}

/// The map as it lies in the bundle: inline as a data URL, or beside the file.
fn raw(bundle: &Bundle, path: &str) -> Option<Vec<u8>> {
    let bytes = bundle.file(path)?;
    let text = std::str::from_utf8(&bytes).ok()?;
    let url = text[text.rfind(MARK)? + MARK.len()..]
        .lines()
        .next()?
        .trim();
    if let Some(data) = url.strip_prefix("data:application/json") {
        return STANDARD.decode(data.split_once("base64,")?.1).ok();
    }
    if url.contains("://") {
        return None;
    }
    let dir = &path[..path.rfind('/')?];
    bundle.file(&join(dir, url)).map(|b| b.to_vec())
}

fn join(dir: &str, relative: &str) -> String {
    if relative.starts_with('/') {
        return relative.to_owned();
    }
    let mut parts: Vec<&str> = dir.split('/').collect();
    for part in relative.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_found_inline_and_beside_the_file() {
        // NC-56
        let inline = format!("x\n{MARK}data:application/json;base64,e30=\n");
        let b = Bundle::from_files([
            ("a.js", inline.as_str()),
            ("d/b.js", "//# sourceMappingURL=../m/b.js.map"),
            ("m/b.js.map", "{1}"),
            ("c.js", "//# sourceMappingURL=https://example.org/c.map"),
        ]);
        assert_eq!(raw(&b, "/var/task/a.js").unwrap(), b"{}");
        assert_eq!(raw(&b, "/var/task/d/b.js").unwrap(), b"{1}");
        assert_eq!(raw(&b, "/var/task/c.js"), None);
    }

    #[test]
    fn sources_become_urls() {
        // NC-56
        let map = r#"{"version":3,"sources":["../src/a.ts","webpack://x/b.ts"],"names":[],"mappings":"AAAA,ACAA"}"#;
        let b = Bundle::from_files([("d/a.js", "//# sourceMappingURL=a.map"), ("d/a.map", map)]);
        let found = String::from_utf8(find(&b, "/var/task/d/a.js").unwrap()).unwrap();
        assert!(found.contains("file:///var/task/src/a.ts"), "{found}");
        assert!(found.contains("webpack://x/b.ts"), "{found}");
    }
}
