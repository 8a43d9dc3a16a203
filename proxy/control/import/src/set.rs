//! `--set PATH=VALUE`: values in the place of what a file says (CP-303, CP-340).

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    parse::parse,
    place::{At, Report},
    tree::{Kind, Node},
};

/// Whether a key of `--set` names a value kept in AWS rather than a path: `ssm:/a`, `import:NAME`.
pub(crate) fn is_name(key: &str) -> bool {
    let Some((head, rest)) = key.split_once(':') else {
        return false;
    };
    // `Resources.A.Fn::Sub` is a path still.
    !head.is_empty()
        && !rest.starts_with(':')
        && head
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Sets what can be set in `root`, and adds the keys of it to `used`.
pub(crate) fn apply(
    root: &mut Node,
    set: &BTreeMap<String, String>,
    used: &mut BTreeSet<String>,
    report: &Report,
) {
    for (key, value) in set {
        if is_name(key) {
            used.insert(key.clone());
            continue;
        }
        let at = At {
            file: report.file(format!("--set {key}")),
            line: 1,
            column: 1,
        };
        let value = match value.trim_start().starts_with(['[', '{']) {
            true => parse(value, at.file, false, report),
            false if value.is_empty() => Some(Node::text(at, "")),
            false => Some(Node::plain(at, value.clone())),
        };
        if let Some(value) = value
            && put(root, key, value)
        {
            used.insert(key.clone());
        }
    }
}

/// Says which keys led nowhere.
pub(crate) fn unused(set: &BTreeMap<String, String>, used: &BTreeSet<String>, report: &Report) {
    for key in set.keys().filter(|key| !used.contains(*key)) {
        let at = At {
            file: report.file(format!("--set {key}")),
            line: 0,
            column: 0,
        };
        report.error(at, "", "there is no such path in the file");
    }
}

/// Follows a path whose keys may hold dots themselves; the longest key that fits is taken. The last key may be new.
fn put(node: &mut Node, path: &str, value: Node) -> bool {
    let path = path.strip_prefix('.').unwrap_or(path);
    if path.is_empty() {
        *node = value;
        return true;
    }
    match &mut node.kind {
        Kind::Map(entries) => {
            let next = entries
                .iter_mut()
                .filter(|e| {
                    path.strip_prefix(e.key.as_str())
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
                })
                .max_by_key(|e| e.key.len());
            if let Some(entry) = next {
                let rest = path.get(entry.key.len()..).unwrap_or_default().to_owned();
                return put(&mut entry.value, &rest, value);
            }
            if path.contains(['.', '[']) {
                return false;
            }
            node.set(path, value);
            true
        }
        Kind::Seq(items) => {
            let Some((index, rest)) = path
                .strip_prefix('[')
                .and_then(|p| p.split_once(']'))
                .and_then(|(i, rest)| Some((i.parse::<usize>().ok()?, rest)))
            else {
                return false;
            };
            match items.get_mut(index) {
                Some(item) => put(item, rest, value),
                None => false,
            }
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths_are_told_apart() {
        // CP-303
        assert!(is_name("ssm:/a/b"));
        assert!(is_name("import:Other-Export"));
        assert!(!is_name("Resources.A.Properties.X"));
        assert!(!is_name("Resources.A.Fn::Sub"));
    }

    #[test]
    fn paths_lead_through_lists_and_dotted_keys() {
        // CP-303
        let report = Report::new(false);
        let file = report.file("f".to_owned());
        let mut root = parse("{a: [{b: 1}], x.y: {z: 1}}", file, false, &report).unwrap();
        let set = [
            ("a[0].b", "2"),
            ("x.y.z", "3"),
            ("new", "[4]"),
            ("a[7].b", "5"),
            ("no.where", "6"),
        ];
        let set: BTreeMap<String, String> = set.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let mut used = BTreeSet::new();
        apply(&mut root, &set, &mut used, &report);
        assert_eq!(
            root.get("a").unwrap().items()[0].get("b").unwrap().scalar(),
            Some("2")
        );
        assert_eq!(root.find(&["x.y", "z"]).unwrap().scalar(), Some("3"));
        assert_eq!(root.get("new").unwrap().items()[0].scalar(), Some("4"));
        unused(&set, &used, &report);
        let (errors, _) = report.take();
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            errors,
            [
                "--set a[7].b: there is no such path in the file",
                "--set no.where: there is no such path in the file"
            ]
        );
    }
}
