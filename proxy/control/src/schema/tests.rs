use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use jsonschema::Validator;

use super::*;
use crate::{
    cursor::Cursor,
    published,
    raw::RawSite,
    report::{FileId, Report},
    tree::{self, Entry, Node, NodeKind},
};

static SCHEMA: LazyLock<Validator> =
    LazyLock::new(|| jsonschema::draft202012::new(&document()).unwrap());

const REFERENCE: &str = include_str!("../../fourfront.reference.yaml");

/// A file as the reader sees it, without what it names.
fn read(text: &str) -> Option<Node> {
    let report = Report::new(Path::new("s"));
    let text = tree::Text {
        text,
        file: FileId::SITE,
        env: None,
    };
    tree::read(text, &report)
}

/// A tree as an editor sees it: scalars as YAML 1.2 reads them plain, or as texts, which they are in quotes.
fn json(node: &Node, quoted: bool) -> Value {
    match &node.kind {
        NodeKind::Null | NodeKind::Faulty => Value::Null,
        NodeKind::Scalar(text) if quoted => json!(text),
        NodeKind::Scalar(text) => scalar(text),
        NodeKind::Sequence(items) => items.iter().map(|item| json(item, quoted)).collect(),
        NodeKind::Mapping(entries) => {
            let members = entries
                .iter()
                .map(|e| (e.key.clone(), json(&e.value, quoted)));
            Value::Object(members.collect())
        }
    }
}

/// YAML 1.2 section 10.3.2.
fn scalar(text: &str) -> Value {
    match text {
        "true" | "True" | "TRUE" => return json!(true),
        "false" | "False" | "FALSE" => return json!(false),
        _ => {}
    }
    let is_number = text.starts_with(|c: char| c.is_ascii_digit() || "-+.".contains(c));
    let integer = text.parse::<i64>().ok().map(|n| json!(n));
    let float = || text.parse::<f64>().ok().map(|n| json!(n));
    match is_number {
        true => integer.or_else(float).unwrap_or_else(|| json!(text)),
        false => json!(text),
    }
}

/// What the schema says against a file in either form.
fn faults(node: &Node) -> Vec<String> {
    let said = |quoted| {
        let value = json(node, quoted);
        let errors = SCHEMA.iter_errors(&value);
        let told = |e: jsonschema::ValidationError<'_>| format!("{}: {e}", e.instance_path());
        errors.map(told).collect::<Vec<_>>()
    };
    [said(false), said(true)].concat()
}

/// That the schema takes a file which the reader takes.
#[track_caller]
pub(crate) fn holds(text: &str) {
    let node = read(text).unwrap();
    let faults = faults(&node);
    assert!(faults.is_empty(), "{}\nin\n{text}", faults.join("\n"));
}

#[test]
fn the_schema_that_is_shipped_is_the_one_that_is_made() {
    // CP-643
    published::same("deploy/fourfront.schema.json", &text());
}

#[test]
fn every_key_is_in_the_schema_and_no_other() {
    // CP-643: what is read has a type, and what has a type is read
    let document = document();
    for table in keys::ALL {
        let told = &document["$defs"][name(table)]["properties"];
        let told: BTreeSet<_> = told
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let known: BTreeSet<_> = table.keys().map(|key| key.name).collect();
        assert_eq!(told, known, "{}", table.what);
        for key in table.keys().filter(|key| key.kind == KeyKind::Read) {
            assert!(
                types::of(table, key.name).is_some(),
                "{} of {}",
                key.name,
                table.what
            );
        }
    }
    let names: BTreeSet<_> = keys::ALL.iter().map(|table| name(table)).collect();
    assert_eq!(names.len(), keys::ALL.len(), "two blocks have one name");
    for (table, keys) in types::all() {
        for (key, _) in *keys {
            let is_read = |table: &Table| table.find(key).is_some_and(|k| k.kind == KeyKind::Read);
            // Behaviours share a list; the default one has no path.
            let shared = table.what == keys::DEFAULT_BEHAVIOR.what && is_read(&keys::BEHAVIOR);
            assert!(is_read(table) || shared, "{key} of {}", table.what);
        }
    }
    assert!(jsonschema::meta::is_valid(&document));
}

/// The site files of this repository.
fn files() -> Vec<PathBuf> {
    let root =
        PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("tests are run by cargo"))
            .join("../..");
    [
        "examples/quickstart/fourfront.yaml",
        "deploy/site/fourfront.yaml",
        "deploy/kubernetes/fourfront.yaml",
        "conformance/sites/shop/fourfront.yaml",
        "conformance/load/fourfront.yaml",
        "conformance/cache-tests/fourfront.yaml",
        "proxy/control/fourfront.reference.yaml",
    ]
    .map(|file| root.join(file))
    .into()
}

#[test]
fn the_site_files_of_this_repository_are_by_the_schema() {
    // CP-643; the files of other tests that the reader accepts are held against it where they are read (`accepted`)
    for file in files() {
        let text = fs::read_to_string(&file).unwrap();
        let Some((documents, rest)) = text.split_once("# yaml-language-server: $schema=") else {
            holds(&text);
            continue;
        };
        // What names the schema names it where an editor finds it: in the first line, from the file's own folder.
        assert_eq!(documents, "", "{}", file.display());
        let named = file.parent().unwrap().join(rest.lines().next().unwrap());
        let shipped =
            PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("tests are run by cargo"))
                .join("../../deploy/fourfront.schema.json");
        assert_eq!(
            fs::canonicalize(&named).unwrap(),
            fs::canonicalize(shipped).unwrap(),
            "{}",
            file.display()
        );
        holds(&text);
    }
}

#[test]
fn what_the_reader_refuses_for_its_form_is_refused() {
    // CP-643
    for refused in [
        "distribution: {}",
        "distributions: []",
        "distributions: { site: { orgins: {} } }",
        "distributions: { site: { Orgins: {} } }",
        "distributions: { site: { origins: 7 } }",
        "distributions: { site: { enabled: perhaps } }",
        "distributions: { site: { http_version: http9 } }",
        "distributions: { site: { cache_behaviors: { path: /a } } }",
        "distributions: { site: { default_cache_behavior: { on: { viewer-requests: a } } } }",
        "distributions: { site: { default_cache_behavior: { min_ttl: -1 } } }",
        "distributions: { site: { tenant_config: on } }",
        "node: { threads: many }",
        "node: { threads: 0 }",
        "node: { cache_memory: 1KB }",
        "node: { fleet: true }",
        "node: { log: { level: loud } }",
        "node: { listen: [1] }",
        "functions: { a: [1] }",
        "functions: { a: { file: a.js, memory: little } }",
        "cache_policies: { a: { cookies: some } }",
        "compat: loose",
    ] {
        assert!(!faults(&read(refused).unwrap()).is_empty(), "{refused}");
    }
    for accepted in [
        "distributions: { site: { Origins: { Quantity: 0 }, HTTPVersion: http2, HttpVersion: http2 } }",
        "node: { threads: \"${THREADS}\", cache_memory: \"${MEMORY:-1GiB}\" }",
        "node: { threads: }",
        "distributions: { site: { tenant_config: , web_acl_id: anything, price_class: PriceClass_All } }",
        "compat: ${COMPAT}",
    ] {
        let faults = faults(&read(accepted).unwrap());
        assert!(faults.is_empty(), "{accepted}: {faults:?}");
    }
}

/// Every place of a tree, as indices from the top.
fn places(node: &Node, here: &mut Vec<usize>, all: &mut Vec<Vec<usize>>) {
    all.push(here.clone());
    let inner: Vec<&Node> = match &node.kind {
        NodeKind::Sequence(items) => items.iter().collect(),
        NodeKind::Mapping(entries) => entries.iter().map(|e| &e.value).collect(),
        _ => Vec::new(),
    };
    for (at, inner) in inner.into_iter().enumerate() {
        here.push(at);
        places(inner, here, all);
        here.pop();
    }
}

fn at<'n>(node: &'n mut Node, place: &[usize]) -> &'n mut Node {
    let Some((first, rest)) = place.split_first() else {
        return node;
    };
    match &mut node.kind {
        NodeKind::Sequence(items) => at(&mut items[*first], rest),
        NodeKind::Mapping(entries) => at(&mut entries[*first].value, rest),
        _ => unreachable!(),
    }
}

/// Whether a place is that of `config`.
fn is_document(node: &Node, place: &[usize]) -> bool {
    match (&node.kind, place) {
        (NodeKind::Mapping(entries), [last]) => entries[*last].key == "config",
        (NodeKind::Mapping(entries), [first, rest @ ..]) => {
            is_document(&entries[*first].value, rest)
        }
        (NodeKind::Sequence(items), [first, rest @ ..]) => is_document(&items[*first], rest),
        _ => false,
    }
}

/// What the reader says against a tree, as far as it is about the form of values: not what only several of them tell together.
fn said(node: &Node) -> Vec<String> {
    let report = Report::new(Path::new("s"));
    let _ = RawSite::read(&Cursor::root(node, &report));
    let errors = report.into_errors().0;
    let of_form = |e: &crate::SiteError| {
        [
            "expected ",
            "out of bounds",
            "is not a setting of",
            "no such set",
            "has no `id`",
        ]
        .iter()
        .any(|words| e.message.contains(words))
    };
    let told = errors.iter().filter(|e| of_form(e));
    told.map(|e| format!("{}: {}", e.path, e.message)).collect()
}

/// The bounds that a message of the reader names.
fn bounds(message: &str) -> Vec<String> {
    let numbers = |after: &str| -> Vec<u64> {
        let Some((_, rest)) = message.split_once(after) else {
            return Vec::new();
        };
        let rest = rest.split(", found").next().unwrap_or_default();
        rest.split(|c: char| !c.is_ascii_digit())
            .filter_map(|n| n.parse().ok())
            .collect()
    };
    let ends = [
        numbers("a whole number from "),
        numbers("out of bounds: from "),
        numbers("above 0 and up to "),
    ]
    .concat();
    let around = |n: u64| [n.saturating_sub(1), n, n.saturating_add(1)];
    let exact = ends.into_iter().filter(|n| *n < 1 << 52);
    exact.flat_map(around).map(|n| n.to_string()).collect()
}

#[test]
fn the_schema_and_the_reader_judge_every_setting_alike() {
    // CP-643: each value of the reference file, which has every setting, in the place of each is another one; what the
    // reader calls no value of the setting the schema refuses, and nothing else. The reader's messages name its bounds.
    let original = read(REFERENCE).unwrap();
    let before: BTreeSet<String> = said(&original).into_iter().collect();
    assert_eq!(before, BTreeSet::new());
    let mut all = Vec::new();
    places(&original, &mut Vec::new(), &mut all);
    assert!(all.len() > 500, "{}", all.len());
    let scalar = |text: &str| NodeKind::Scalar(text.to_owned());
    let mut wrong = Vec::new();
    let mut compared = 0;
    for place in all.iter().filter(|place| !place.is_empty()) {
        let mut changed = original.clone();
        let mut judge = |kind: NodeKind| {
            let spot = at(&mut changed, place);
            let old = std::mem::replace(&mut spot.kind, kind);
            let line = spot.line;
            let told = said(&changed);
            let value = json(&changed, false);
            let verdict = SCHEMA
                .validate(&value)
                .err()
                .map(|e| format!("{}: {e}", e.instance_path()));
            compared += 1;
            let spot = at(&mut changed, place);
            let new = std::mem::replace(&mut spot.kind, old);
            // Only the reader counts in units, and knows which methods are a set together.
            let is_beyond = matches!(&new, NodeKind::Scalar(text) if text.ends_with("iB"));
            let beyond = |message: &String| {
                message.contains("no such set") || (is_beyond && message.contains("out of bounds"))
            };
            let excused = verdict.is_none() && told.iter().all(beyond);
            // Documents are named before anything else is read, and are texts.
            let excused = excused || is_document(&original, place);
            if verdict.is_some() == told.is_empty() && !excused {
                let schema = verdict.unwrap_or_else(|| "nothing".to_owned());
                wrong.push(format!(
                    "line {line}, {new:?}\n    reader {told:?}\n    schema {schema}"
                ));
            }
            told
        };
        let told = judge(scalar("~nonsense~"));
        let more = judge(scalar("99999999999"));
        let ends: BTreeSet<String> = told.iter().chain(&more).flat_map(|m| bounds(m)).collect();
        for end in &ends {
            judge(scalar(end));
        }
        for value in ["true", "0", "7", "0.5", "12MiB"] {
            judge(scalar(value));
        }
        let inner = Node {
            kind: scalar("~nonsense~"),
            ..original.clone()
        };
        judge(NodeKind::Sequence(vec![inner.clone()]));
        let entry = Entry {
            key: "zzz".to_owned(),
            line: 1,
            column: 1,
            value: inner,
        };
        judge(NodeKind::Mapping(vec![entry]));
    }
    assert!(compared > 5_000, "{compared}");
    assert!(
        wrong.is_empty(),
        "{} of {compared}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
