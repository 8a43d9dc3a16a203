//! Text to [`Node`]s: YAML with CloudFormation's tags, and JSON.
//!
//! YAML comes as events from `saphyr-parser`, so that tags, anchors and places are all there (CP-304). JSON goes through
//! `jsonc-parser`, which has the place of each value: a YAML parser does not read all of JSON (escaped surrogates, tabs).
//! Depth, nodes and text are bounded, so that a file of aliases to aliases ends in an error and not in all of the memory.

use std::collections::{HashMap, HashSet};

use jsonc_parser::{
    CollectOptions, ParseOptions,
    ast::{ObjectPropName, Value},
    common::Ranged as _,
    parse_to_ast,
};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, Tag};

use crate::{
    place::{At, FileId, Report, key_path},
    tree::{Entry, Kind, MAX_BYTES, MAX_DEPTH, MAX_NODES, Node, is_null},
};

const MERGE_KEY: &str = "<<";

/// Tags that stand for `Fn::NAME`; `Ref` and `Condition` have no prefix.
const TAGS: &[&str] = &[
    "And",
    "Base64",
    "Cidr",
    "Condition",
    "Equals",
    "FindInMap",
    "GetAtt",
    "GetAZs",
    "If",
    "ImportValue",
    "Join",
    "Length",
    "Not",
    "Or",
    "Ref",
    "Select",
    "Split",
    "Sub",
    "ToJsonString",
    "Transform",
];

/// Reads one document. A `None` was reported.
pub(crate) fn parse(text: &str, file: FileId, json: bool, report: &Report) -> Option<Node> {
    // An editor's byte order mark is not part of the document.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let top = At {
        file,
        line: 1,
        column: 1,
    };
    let node = if json || looks_like_json(text) {
        read_json(text, file, report)
    } else {
        read_yaml(text, file, report)
    }?;
    if node.is_null() {
        report.error(top, "", "the file is empty");
        return None;
    }
    Some(node)
}

/// JSON written to a file with a YAML name, which all of these tools take.
fn looks_like_json(text: &str) -> bool {
    text.trim_start().starts_with('{')
        && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

fn read_json(text: &str, file: FileId, report: &Report) -> Option<Node> {
    let options = ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
    };
    let lines = Lines::new(text, file);
    match parse_to_ast(text, &CollectOptions::default(), &options) {
        Ok(parsed) => {
            let value = parsed.value?;
            let mut left = MAX_NODES;
            match json_node(&value, &lines, 0, &mut left, "", report) {
                Ok(node) => Some(node),
                Err((at, message)) => {
                    report.error(at, "", message);
                    None
                }
            }
        }
        Err(error) => {
            let at = lines.at(error.range().start);
            report.error(at, "", format!("not valid JSON: {}", error.kind()));
            None
        }
    }
}

fn json_node(
    value: &Value<'_>,
    lines: &Lines<'_>,
    depth: usize,
    left: &mut usize,
    path: &str,
    report: &Report,
) -> Result<Node, (At, String)> {
    let at = lines.at(value.range().start);
    if depth > MAX_DEPTH {
        return Err((at, format!("nested more than {MAX_DEPTH} deep")));
    }
    *left = left
        .checked_sub(1)
        .ok_or_else(|| (at, format!("more than {MAX_NODES} values")))?;
    let kind = match value {
        Value::NullKeyword(_) => Kind::Null,
        Value::BooleanLit(flag) => Kind::Plain(flag.value.to_string()),
        Value::NumberLit(number) => Kind::Plain(number.value.to_owned()),
        Value::StringLit(text) => Kind::Text(text.value.clone().into_owned()),
        Value::Array(array) => Kind::Seq(
            array
                .elements
                .iter()
                .map(|v| json_node(v, lines, depth + 1, left, path, report))
                .collect::<Result<_, _>>()?,
        ),
        Value::Object(object) => {
            let mut entries = Vec::with_capacity(object.properties.len());
            let mut seen = HashSet::new();
            for property in &object.properties {
                let (ObjectPropName::String(_) | ObjectPropName::Word(_)) = &property.name;
                let key = property.name.as_str().to_owned();
                let at = lines.at(property.range.start);
                let path = key_path(path, &key);
                let value = json_node(&property.value, lines, depth + 1, left, &path, report)?;
                if seen.insert(key.clone()) {
                    entries.push(Entry { key, at, value });
                } else {
                    report.error(at, &path, "this key is already given");
                }
            }
            Kind::Map(entries)
        }
    };
    Ok(Node { at, kind })
}

/// Offsets to lines and columns.
struct Lines<'a> {
    text: &'a str,
    file: FileId,
    /// Offset of the first byte of each line.
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str, file: FileId) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, b)| *b == b'\n');
        let starts = std::iter::once(0)
            .chain(breaks.map(|(i, _)| i + 1))
            .collect();
        Self { text, file, starts }
    }

    fn at(&self, offset: usize) -> At {
        let line = self.starts.partition_point(|s| *s <= offset).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        let column = self
            .text
            .get(start..offset)
            .map_or(0, |before| before.chars().count());
        At {
            file: self.file,
            line: narrow(line),
            column: narrow(column + 1),
        }
    }
}

fn narrow(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn read_yaml(text: &str, file: FileId, report: &Report) -> Option<Node> {
    let mut builder = Builder {
        file,
        report,
        stack: Vec::new(),
        anchors: HashMap::new(),
        spent: Cost::default(),
        root: None,
        faulty: false,
    };
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let done = match event {
            Ok((event, span)) => builder.event(event, span),
            Err(error) => {
                // `path: *.jpg` and `pathPattern: *` are what people write.
                let help = error.info().contains("unknown anchor").then(|| {
                    "quote a value that begins with `*`, which otherwise names an anchor".to_owned()
                });
                Err(Fatal {
                    at: builder.at(*error.marker()),
                    message: format!("not valid YAML: {}", error.info()),
                    help,
                })
            }
        };
        if let Err(Fatal { at, message, help }) = done {
            report.error_help(at, "", message, help);
            return None;
        }
    }
    if builder.faulty {
        return None;
    }
    Some(builder.root.unwrap_or(Node {
        at: At {
            file,
            line: 1,
            column: 1,
        },
        kind: Kind::Null,
    }))
}

/// A fault after which the rest of the file cannot be made sense of.
struct Fatal {
    at: At,
    message: String,
    help: Option<String>,
}

/// What a subtree costs against the bounds.
#[derive(Clone, Copy, Default)]
struct Cost {
    nodes: usize,
    bytes: usize,
    depth: usize,
}

struct Builder<'a> {
    file: FileId,
    report: &'a Report,
    stack: Vec<Frame>,
    anchors: HashMap<usize, (Node, Cost)>,
    spent: Cost,
    root: Option<Node>,
    faulty: bool,
}

/// A collection whose end has not been seen.
struct Frame {
    at: At,
    anchor: usize,
    /// The intrinsic its tag stands for.
    tag: Option<String>,
    before: Cost,
    depth: usize,
    content: Content,
}

enum Content {
    Seq(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        lines: HashMap<String, u32>,
        merges: Vec<Node>,
        /// A key whose value has not been seen.
        key: Option<(String, At)>,
    },
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Fatal> {
        let at = self.at(span.start);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) if self.root.is_some() => {
                Err(fatal(at, "the file holds more than one YAML document"))
            }
            Event::DocumentStart(_) => Ok(()),
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                if self.wants_key() {
                    return self.key(&text, plain, at);
                }
                let tag = self.tag(tag.as_deref(), at);
                let forced = matches!(&tag, Some(t) if t == "str");
                let kind = if !plain || forced {
                    Kind::Text(text.into_owned())
                } else if is_null(&text) && tag.is_none() {
                    Kind::Null
                } else {
                    Kind::Plain(text.into_owned())
                };
                let bytes = match &kind {
                    Kind::Text(t) | Kind::Plain(t) => t.len(),
                    _ => 0,
                };
                let mut cost = Cost {
                    nodes: 1,
                    bytes,
                    depth: 0,
                };
                let mut node = Node { at, kind };
                if let Some(tag) = tag.filter(|_| !forced) {
                    node = intrinsic(&tag, node);
                    cost.nodes += 1;
                    cost.depth += 1;
                }
                self.spend(cost, at)?;
                self.place(node, anchor, cost)
            }
            Event::Alias(id) => self.alias(id, at),
            Event::SequenceStart(anchor, tag) => {
                let tag = self.tag(tag.as_deref(), at);
                self.open(anchor, at, tag, Content::Seq(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                let tag = self.tag(tag.as_deref(), at);
                let content = Content::Map {
                    entries: Vec::new(),
                    lines: HashMap::new(),
                    merges: Vec::new(),
                    key: None,
                };
                self.open(anchor, at, tag, content)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
        }
    }

    /// The intrinsic a tag stands for: `!Sub` is `Fn::Sub`. `str` is YAML's own `!!str`.
    fn tag(&mut self, tag: Option<&Tag>, at: At) -> Option<String> {
        let tag = tag?;
        if tag.is_yaml_core_schema() || tag.handle == "!!" {
            return (tag.suffix == "str").then(|| "str".to_owned());
        }
        let name = tag.suffix.as_str();
        if tag.handle != "!" || !TAGS.contains(&name) {
            let help = nearest(name, TAGS.iter().copied()).map(|n| format!("did you mean `!{n}`?"));
            self.faulty = true;
            self.report
                .error_help(at, "", format!("unknown tag `{tag}`"), help);
            return None;
        }
        Some(match name {
            "Ref" | "Condition" => name.to_owned(),
            _ => format!("Fn::{name}"),
        })
    }

    fn wants_key(&self) -> bool {
        matches!(
            self.stack.last(),
            Some(Frame {
                content: Content::Map { key: None, .. },
                ..
            })
        )
    }

    fn open(
        &mut self,
        anchor: usize,
        at: At,
        tag: Option<String>,
        content: Content,
    ) -> Result<(), Fatal> {
        if self.wants_key() {
            return Err(fatal(at, "a key has to be plain text"));
        }
        if self.stack.len() >= MAX_DEPTH {
            return Err(too_deep(at));
        }
        let before = self.spent;
        self.spend(
            Cost {
                nodes: 1,
                ..Cost::default()
            },
            at,
        )?;
        self.stack.push(Frame {
            at,
            anchor,
            tag: tag.filter(|t| t != "str"),
            before,
            depth: 0,
            content,
        });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Fatal> {
        let Some(frame) = self.stack.pop() else {
            return Ok(());
        };
        let kind = match frame.content {
            Content::Seq(items) => Kind::Seq(items),
            Content::Map {
                mut entries,
                mut lines,
                merges,
                ..
            } => {
                for merge in merges {
                    self.merge(&mut entries, &mut lines, merge);
                }
                Kind::Map(entries)
            }
        };
        let mut node = Node { at: frame.at, kind };
        let mut cost = Cost {
            nodes: self.spent.nodes - frame.before.nodes,
            bytes: self.spent.bytes - frame.before.bytes,
            depth: frame.depth + 1,
        };
        if let Some(tag) = frame.tag {
            node = intrinsic(&tag, node);
            cost.depth += 1;
        }
        self.place(node, frame.anchor, cost)
    }

    fn alias(&mut self, id: usize, at: At) -> Result<(), Fatal> {
        if self.wants_key() {
            return Err(fatal(at, "a key has to be plain text"));
        }
        // The parser refuses unknown names; an anchor still open is one that holds this very alias.
        let Some((node, cost)) = self.anchors.get(&id) else {
            return Err(fatal(at, "this alias stands inside the value it repeats"));
        };
        let cost = *cost;
        if self.stack.len() + cost.depth > MAX_DEPTH {
            return Err(too_deep(at));
        }
        // Before the copy: the copy is what costs.
        let spent = self.spent;
        check(spent, cost, at)?;
        let node = node.clone();
        self.spend(cost, at)?;
        self.place(node, 0, cost)
    }

    /// Hands a finished value to the collection it belongs to.
    fn place(&mut self, node: Node, anchor: usize, cost: Cost) -> Result<(), Fatal> {
        if self.stack.len() + cost.depth > MAX_DEPTH {
            return Err(too_deep(node.at));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), cost));
        }
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        frame.depth = frame.depth.max(cost.depth);
        match &mut frame.content {
            Content::Seq(items) => items.push(node),
            Content::Map {
                entries,
                lines,
                merges,
                key,
            } => match key.take() {
                Some((key, _)) if key == MERGE_KEY => merges.push(node),
                Some((key, at)) => {
                    if let Some(first) = lines.get(&key) {
                        let message = format!("`{key}` is already given on line {first}");
                        self.faulty = true;
                        self.report.error(at, &key, message);
                    } else {
                        lines.insert(key.clone(), at.line);
                        entries.push(Entry {
                            key,
                            at,
                            value: node,
                        });
                    }
                }
                // `wants_key` sends scalars to `key` and refuses all else, so a value always has its key.
                None => {}
            },
        }
        Ok(())
    }

    fn key(&mut self, text: &str, plain: bool, at: At) -> Result<(), Fatal> {
        let cost = Cost {
            nodes: 0,
            bytes: text.len(),
            depth: 0,
        };
        self.spend(cost, at)?;
        // A quoted "<<" is a key like any other; keep it apart from the merge key.
        let name = if !plain && text == MERGE_KEY {
            "\"<<\"".to_owned()
        } else {
            text.to_owned()
        };
        if let Some(Frame {
            content: Content::Map { key, .. },
            ..
        }) = self.stack.last_mut()
        {
            *key = Some((name, at));
        }
        Ok(())
    }

    /// Adds the entries of a `<<` value that the mapping does not give itself.
    fn merge(&mut self, entries: &mut Vec<Entry>, lines: &mut HashMap<String, u32>, from: Node) {
        match from.kind {
            Kind::Map(more) => {
                for entry in more {
                    if !lines.contains_key(&entry.key) {
                        lines.insert(entry.key.clone(), entry.at.line);
                        entries.push(entry);
                    }
                }
            }
            Kind::Seq(items) if items.iter().all(|i| matches!(i.kind, Kind::Map(_))) => {
                for item in items {
                    self.merge(entries, lines, item);
                }
            }
            _ => {
                self.faulty = true;
                let message = "a merge key takes a mapping or a list of mappings";
                self.report.error(from.at, MERGE_KEY, message);
            }
        }
    }

    fn spend(&mut self, cost: Cost, at: At) -> Result<(), Fatal> {
        check(self.spent, cost, at)?;
        self.spent.nodes += cost.nodes;
        self.spent.bytes += cost.bytes;
        Ok(())
    }

    fn at(&self, mark: Marker) -> At {
        At {
            file: self.file,
            line: narrow(mark.line().max(1)),
            column: narrow(mark.col() + 1),
        }
    }
}

fn check(spent: Cost, cost: Cost, at: At) -> Result<(), Fatal> {
    if spent.nodes + cost.nodes > MAX_NODES {
        return Err(fatal(
            at,
            &format!("more than {MAX_NODES} values, aliases followed"),
        ));
    }
    if spent.bytes + cost.bytes > MAX_BYTES {
        return Err(fatal(
            at,
            &format!(
                "more than {} MiB of text, aliases followed",
                MAX_BYTES >> 20
            ),
        ));
    }
    Ok(())
}

fn fatal(at: At, message: &str) -> Fatal {
    Fatal {
        at,
        message: message.to_owned(),
        help: None,
    }
}

fn too_deep(at: At) -> Fatal {
    fatal(at, &format!("nested more than {MAX_DEPTH} deep"))
}

fn intrinsic(name: &str, value: Node) -> Node {
    Node {
        at: value.at,
        kind: Kind::Map(vec![Entry {
            key: name.to_owned(),
            at: value.at,
            value,
        }]),
    }
}

/// The candidate that is likeliest meant.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|c| {
            (
                strsim::jaro_winkler(&name.to_lowercase(), &c.to_lowercase()),
                c,
            )
        })
        .filter(|(score, _)| *score >= 0.85)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, c)| c)
}
