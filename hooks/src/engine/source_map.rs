//! Finding the source map of a bundle's file (NC-56).

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::bundle::Bundle;

const MARK: &str = "//# sourceMappingURL=";

/// The map of the file at `path`: inline as a data URL, or beside the file.
pub(super) fn find(bundle: &Bundle, path: &str) -> Option<Vec<u8>> {
    let bytes = bundle.file(path)?;
    let text = std::str::from_utf8(bytes).ok()?;
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
    let mut parts: Vec<&str> = dir.split('/').collect();
    for part in url.split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    bundle.file(&parts.join("/")).map(|b| b.to_vec())
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
        assert_eq!(find(&b, "/var/task/a.js").unwrap(), b"{}");
        assert_eq!(find(&b, "/var/task/d/b.js").unwrap(), b"{1}");
        assert_eq!(find(&b, "/var/task/c.js"), None);
    }
}
