//! Documents in the form of CloudFront's API that a site file names with `config:` (CF-020, CF-021).
//!
//! What `aws cloudfront get-distribution-config` and its like print is taken as it is: the configuration alone, in
//! `{ ETag, DistributionConfig }`, in `{ Distribution: { Id, DistributionConfig } }`, or as the properties of a
//! CloudFormation resource. Its members become members of the entry that names it, before anything is read from
//! either, so both are held against the same tables by the same code. What the entry gives itself wins over the
//! document, member by member: an operator can point an origin elsewhere and leave the document as it is.
//!
//! Nothing in a document is expanded (`${VAR}`), and its paths are not looked at here.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

use crate::{
    MAX_FILE,
    cursor::shorten,
    keys::{self, Table},
    read_bounded,
    report::{At, FileId, Report},
    tree::{self, Entry, Node, NodeKind},
};

/// A part of the site file whose entries may name a document.
struct Section {
    name: &'static str,
    /// What the API puts around the configuration and its id: `Distribution`.
    resource: &'static str,
    /// What it calls the configuration: `DistributionConfig`.
    config: &'static str,
    table: &'static Table,
}

impl Section {
    /// That of a part of the site file, if its entries may name documents.
    fn named(name: &str) -> Option<&'static Self> {
        SECTIONS.iter().find(|s| s.name == name)
    }
}

const SECTIONS: &[Section] = &[
    Section {
        name: "distributions",
        resource: "Distribution",
        config: "DistributionConfig",
        table: &keys::DISTRIBUTION,
    },
    Section {
        name: "cache_policies",
        resource: "CachePolicy",
        config: "CachePolicyConfig",
        table: &keys::CACHE_POLICY,
    },
    Section {
        name: "origin_request_policies",
        resource: "OriginRequestPolicy",
        config: "OriginRequestPolicyConfig",
        table: &keys::ORIGIN_REQUEST_POLICY,
    },
    Section {
        name: "response_headers_policies",
        resource: "ResponseHeadersPolicy",
        config: "ResponseHeadersPolicyConfig",
        table: &keys::RESPONSE_HEADERS_POLICY,
    },
    Section {
        name: "continuous_deployment_policies",
        resource: "ContinuousDeploymentPolicy",
        config: "ContinuousDeploymentPolicyConfig",
        table: &keys::CONTINUOUS_DEPLOYMENT_POLICY,
    },
];

/// Settings that are two names of one: what an entry gives under one of them wins over the document's other.
const SYNONYMS: &[(&str, &str)] = &[("geo_restriction", "restrictions")];

/// Puts what named documents hold into the entries that name them; returns the documents' paths. Faults are reported,
/// and an entry whose document cannot be read counts as faulty.
pub(crate) fn splice(site: &mut Node, base_dir: &Path, report: &Report) -> Vec<PathBuf> {
    let mut documents = Vec::new();
    let NodeKind::Mapping(parts) = &mut site.kind else {
        return documents;
    };
    for section in SECTIONS {
        let part = parts.iter_mut().find(|p| p.key == section.name);
        let Some(Entry { value, .. }) = part else {
            continue;
        };
        let NodeKind::Mapping(entries) = &mut value.kind else {
            continue;
        };
        for entry in entries {
            let path = format!("{}.{}", section.name, entry.key);
            documents.extend(splice_one(
                &mut entry.value,
                &path,
                section,
                base_dir,
                report,
            ));
        }
    }
    documents
}

/// One entry. The path of its document, if it names one.
fn splice_one(
    entry: &mut Node,
    path: &str,
    section: &Section,
    base_dir: &Path,
    report: &Report,
) -> Option<PathBuf> {
    let NodeKind::Mapping(own) = &mut entry.kind else {
        return None;
    };
    let given = own.iter().find(|e| e.key == "config")?;
    let at = At {
        file: given.value.file,
        line: given.value.line,
        column: given.value.column,
        path: format!("{path}.config"),
    };
    let named = match &given.value.kind {
        NodeKind::Scalar(named) if !named.is_empty() && !named.contains('\0') => named,
        NodeKind::Null | NodeKind::Faulty => return None,
        _ => {
            let what = format!(
                "expected the path of a file with a `{}`, as `aws cloudfront` prints it",
                section.config
            );
            report.error(&at, what);
            entry.kind = NodeKind::Faulty;
            return None;
        }
    };
    let document: PathBuf = base_dir.join(named).components().collect();
    let is_lenient = own.iter().any(|e| {
        e.key == "unknown_members" && matches!(&e.value.kind, NodeKind::Scalar(s) if s == "warn")
    });
    match read(&document, named, &at, is_lenient, section, report) {
        Some(members) => adopt(own, members, section),
        None => entry.kind = NodeKind::Faulty,
    }
    Some(document)
}

/// Gives an entry the members of its document that it does not give itself.
fn adopt(own: &mut Vec<Entry>, members: Vec<Entry>, section: &Section) {
    for member in members {
        if !gives(own, &member.key, section.table) {
            // One left empty is not given.
            own.retain(|e| !is_empty_one(e, &member.key, section.table));
            own.push(member);
        }
    }
}

/// Gives an entry of a part of the site file the members of a document that is at hand as a tree. `false` for a part
/// whose entries have no documents.
pub(crate) fn adopt_tree(part: &str, own: &mut Vec<Entry>, document: Node) -> bool {
    match (Section::named(part), document.kind) {
        (Some(section), NodeKind::Mapping(members)) => {
            adopt(own, members, section);
            true
        }
        _ => false,
    }
}

/// Whether an entry has a member of its own, in whatever spelling. One left empty is not given.
fn gives(own: &[Entry], key: &str, table: &Table) -> bool {
    let Some(wanted) = table.find_spelled(key) else {
        return false;
    };
    let is_wanted = |name: &str| {
        let pair = |(a, b): &(&str, &str)| {
            (*a == name && *b == wanted.name) || (*b == name && *a == wanted.name)
        };
        name == wanted.name || SYNONYMS.iter().any(pair)
    };
    // Only the entry's own: a document that gives a member twice is at fault, which is found where it is read.
    own.iter()
        .filter(|e| !e.value.file.is_document())
        .filter(|e| !matches!(e.value.kind, NodeKind::Null))
        .any(|e| {
            table
                .find_spelled(&e.key)
                .is_some_and(|k| is_wanted(k.name))
        })
}

fn is_empty_one(own: &Entry, key: &str, table: &Table) -> bool {
    let name = |key: &str| table.find_spelled(key).map(|k| k.name);
    !own.value.file.is_document()
        && matches!(own.value.kind, NodeKind::Null)
        && name(&own.key).is_some_and(|n| name(key) == Some(n))
}

/// The members that a document holds.
fn read(
    path: &Path,
    named: &str,
    at: &At,
    is_lenient: bool,
    section: &Section,
    report: &Report,
) -> Option<Vec<Entry>> {
    let bytes = match read_bounded(path) {
        Ok(bytes) => bytes,
        Err(e) => {
            let message = format!("the document `{}` cannot be read: {e}", shorten(named));
            report.error(at, message);
            return None;
        }
    };
    let file = report.add_document(path, is_lenient);
    let whole = At::whole(file);
    if bytes.len() > MAX_FILE {
        let message = format!("the document is longer than {MAX_FILE} bytes");
        report.error(&whole, message);
        return None;
    }
    let Ok(text) = std::str::from_utf8(&bytes) else {
        report.error(&whole, "the document is not UTF-8 text");
        return None;
    };
    let text = tree::Text {
        text: &join_surrogates(text),
        file,
        env: None,
    };
    let tree = tree::read(text, report)?;
    unwrap(tree, file, section, report)
}

/// JSON writes characters beyond the first plane as two escapes, `\ud83d\ude00`, which YAML does not know (RFC 8259
/// section 7). Such pairs become the characters that they are; nothing else is touched.
fn join_surrogates(text: &str) -> Cow<'_, str> {
    const LENGTH: usize = "\\uXXXX".len();
    let unit = |text: &str| -> Option<u16> {
        let digits = text.strip_prefix("\\u")?.get(..4)?;
        u16::from_str_radix(digits, 16).ok()
    };
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let pair = unit(escape).zip(escape.get(LENGTH..).and_then(unit));
        let joined = pair.and_then(|(high, low)| {
            let mut joined = char::decode_utf16([high, low]);
            // Two of them, or else none that belong together.
            (0xd800..0xdc00).contains(&high).then(|| joined.next())?
        });
        let skipped = match joined {
            Some(Ok(character)) => {
                out.push(character);
                2 * LENGTH
            }
            // The backslash and what it stands before: `\\u` after a backslash is none.
            _ => {
                let taken = escape.chars().take(2).map(char::len_utf8).sum();
                out.push_str(&escape[..taken]);
                taken
            }
        };
        rest = &escape[skipped..];
    }
    if out.is_empty() {
        return Cow::Borrowed(text);
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Takes off what the API puts around the configuration.
fn unwrap(tree: Node, file: FileId, section: &Section, report: &Report) -> Option<Vec<Entry>> {
    let (line, column) = (tree.line, tree.column);
    let mut pointer = String::new();
    let mut members = mapping(tree, section, report)?;
    let mut id = None;
    if let Some(resource) = take(&mut members, section.resource) {
        pointer = file.member(&pointer, section.resource);
        members = mapping(resource, section, report)?;
        id = members
            .iter()
            .position(|m| m.key == "Id" && section.table.find("id").is_some())
            .map(|at| members.swap_remove(at));
    }
    if let Some(config) = take(&mut members, section.config) {
        pointer = file.member(&pointer, section.config);
        members = mapping(config, section, report)?;
    } else if !pointer.is_empty() || members.iter().any(|m| m.key == "Resources") {
        let at = At {
            file,
            line,
            column,
            path: pointer,
        };
        let message = format!("the document has no `{}`", section.config);
        report.error(&at, message);
        return None;
    }
    report.set_root(file, pointer);
    members.extend(id);
    Some(members)
}

fn take(members: &mut Vec<Entry>, key: &str) -> Option<Node> {
    let at = members.iter().position(|m| m.key == key)?;
    Some(members.swap_remove(at).value)
}

fn mapping(node: Node, section: &Section, report: &Report) -> Option<Vec<Entry>> {
    let at = At {
        file: node.file,
        line: node.line,
        column: node.column,
        path: String::new(),
    };
    match node.kind {
        NodeKind::Mapping(entries) => Some(entries),
        NodeKind::Faulty => None,
        _ => {
            let message = format!("expected a `{}`", section.config);
            report.error(&at, message);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_escapes_become_characters() {
        // CF-020, RFC 8259 section 7
        for (text, joined) in [
            ("plain", "plain"),
            (r"a \ud83d\ude00 b", "a \u{1f600} b"),
            (r"\u00e9 \/ \n", r"\u00e9 \/ \n"),
            (r"\\ud83d\ude00", r"\\ud83d\ude00"),
            (r"\ud83d alone", r"\ud83d alone"),
            (r"\ude00\ud83d", r"\ude00\ud83d"),
            ("ends \\", "ends \\"),
            (r"\ud83d\u00e9", r"\ud83d\u00e9"),
        ] {
            assert_eq!(join_surrogates(text), joined, "{text}");
        }
    }
}
