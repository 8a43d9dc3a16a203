//! Stage one: YAML text to a tree in which every node knows its line and column (CP-304).
//!
//! Events come from `saphyr-parser`; nothing here knows what a setting means. Anchors, aliases and merge
//! keys (`<<`) work; tags are refused, because no setting has a use for one. Depth, node count and text are
//! bounded, so a file made of aliases to aliases ends in an error and not in all of the memory.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, Tag};

use crate::{
    expand::expand,
    report::{At, FileId, Report},
};

/// Deepest nesting; the deepest setting there is stands at level 7.
const MAX_DEPTH: usize = 32;
/// Most nodes after aliases are followed.
const MAX_NODES: usize = 100_000;
/// Most bytes of text after aliases are followed and variables expanded.
const MAX_BYTES: usize = 16 << 20;

/// A value.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) file: FileId,
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) kind: NodeKind,
}

/// What a value is. Numbers and booleans are text until a setting asks for them.
#[derive(Clone, Debug)]
pub(crate) enum NodeKind {
    /// Nothing, `~` or `null`, unquoted.
    Null,
    Scalar(String),
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
    /// A value already reported as faulty; nothing further is said about it.
    Faulty,
}

/// One key of a mapping. INVARIANT: keys are unique within their mapping.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) value: Node,
}

/// The variables of `${VAR}`.
pub(crate) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A text to read.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a> {
    pub(crate) text: &'a str,
    pub(crate) file: FileId,
    /// What `${VAR}` stands for; `None` leaves values as they are, which documents of CloudFront's API are entitled to.
    pub(crate) env: Option<Env<'a>>,
}

/// Reads one YAML document, which JSON is as well. Faults that leave the shape of the file clear (an unset variable, a key given
/// twice) are reported and reading goes on; `None` means the text is no YAML or breaks a bound.
pub(crate) fn read(from: Text<'_>, report: &Report) -> Option<Node> {
    // An editor's byte order mark is not part of the document.
    let text = from.text.strip_prefix('\u{feff}').unwrap_or(from.text);
    let mut builder = Builder {
        file: from.file,
        env: from.env,
        report,
        stack: Vec::new(),
        anchors: HashMap::new(),
        spent: Cost::default(),
        root: None,
    };
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = match event {
            Ok(e) => e,
            Err(e) => {
                let at = builder.at(*e.marker());
                // `path: *.jpg` and `aliases: [*.example.com]` are what people write.
                let help = e.info().contains("unknown anchor").then(|| {
                    "quote a value that begins with `*`, which otherwise names an anchor".to_owned()
                });
                report.error_help(&at, format!("not valid YAML: {}", e.info()), help);
                return None;
            }
        };
        if let Err(Fatal { at, message, help }) = builder.event(event, span) {
            report.error_help(&at, message, help);
            return None;
        }
    }
    if matches!(
        builder.root,
        None | Some(Node {
            kind: NodeKind::Null,
            ..
        })
    ) {
        let top = At {
            file: from.file,
            line: 1,
            column: 1,
            path: String::new(),
        };
        let help = "a site file has at least `distributions:`".to_owned();
        report.error_help(
            &top,
            "the file holds no settings",
            (!from.file.is_document()).then_some(help),
        );
        return None;
    }
    builder.root
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

struct Anchored {
    node: Node,
    cost: Cost,
}

struct Builder<'a> {
    file: FileId,
    env: Option<Env<'a>>,
    report: &'a Report,
    stack: Vec<Frame>,
    anchors: HashMap<usize, Anchored>,
    spent: Cost,
    root: Option<Node>,
}

/// A collection whose end has not been seen.
struct Frame {
    start: Marker,
    anchor: usize,
    /// What was spent before this collection began.
    before: Cost,
    /// Deepest nesting seen inside it.
    depth: usize,
    content: Content,
}

enum Content {
    Sequence(Vec<Node>),
    Mapping {
        entries: Vec<Entry>,
        /// Line of each key in `entries`.
        lines: HashMap<String, usize>,
        /// Values of `<<`, merged when the mapping ends.
        merges: Vec<Node>,
        /// A key whose value has not been seen.
        key: Option<(String, Marker)>,
    },
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Fatal> {
        match event {
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {
                if matches!(event, Event::DocumentStart(_)) && self.root.is_some() {
                    return Err(self.fatal(span.start, "a site file is one YAML document", None));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), span.start);
                let plain = style == ScalarStyle::Plain;
                if self.wants_key() {
                    return self.key(&text, plain, span.start);
                }
                let kind = if plain && is_null(&text) {
                    NodeKind::Null
                } else {
                    self.expanded(&text, span.start)
                };
                let bytes = match &kind {
                    NodeKind::Scalar(s) => s.len(),
                    _ => 0,
                };
                let cost = Cost {
                    nodes: 1,
                    bytes,
                    depth: 0,
                };
                let node = Node {
                    file: self.file,
                    line: span.start.line(),
                    column: span.start.col() + 1,
                    kind,
                };
                self.spend(cost, span.start)?;
                self.place(node, anchor, cost)
            }
            Event::Alias(id) => self.alias(id, span.start),
            Event::SequenceStart(anchor, tag) => {
                self.refuse_tag(tag.as_deref(), span.start);
                self.open(anchor, span.start, Content::Sequence(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_tag(tag.as_deref(), span.start);
                let content = Content::Mapping {
                    entries: Vec::new(),
                    lines: HashMap::new(),
                    merges: Vec::new(),
                    key: None,
                };
                self.open(anchor, span.start, content)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
        }
    }

    fn wants_key(&self) -> bool {
        matches!(
            self.stack.last(),
            Some(Frame {
                content: Content::Mapping { key: None, .. },
                ..
            })
        )
    }

    fn open(&mut self, anchor: usize, start: Marker, content: Content) -> Result<(), Fatal> {
        if self.wants_key() {
            return Err(self.fatal(start, "a key has to be plain text", key_help()));
        }
        if self.stack.len() >= MAX_DEPTH {
            return Err(self.too_deep(start));
        }
        let before = self.spent;
        self.spend(
            Cost {
                nodes: 1,
                ..Cost::default()
            },
            start,
        )?;
        self.stack.push(Frame {
            start,
            anchor,
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
            Content::Sequence(items) => NodeKind::Sequence(items),
            Content::Mapping {
                mut entries,
                mut lines,
                merges,
                ..
            } => {
                for merge in merges {
                    self.merge(&mut entries, &mut lines, merge, frame.start);
                }
                NodeKind::Mapping(entries)
            }
        };
        let cost = Cost {
            nodes: self.spent.nodes - frame.before.nodes,
            bytes: self.spent.bytes - frame.before.bytes,
            depth: frame.depth + 1,
        };
        let node = Node {
            file: self.file,
            line: frame.start.line(),
            column: frame.start.col() + 1,
            kind,
        };
        self.place(node, frame.anchor, cost)
    }

    fn alias(&mut self, id: usize, start: Marker) -> Result<(), Fatal> {
        if self.wants_key() {
            return Err(self.fatal(start, "a key has to be plain text", key_help()));
        }
        // The parser refuses unknown names; an anchor still open is one that holds this very alias.
        let Some(anchored) = self.anchors.get(&id) else {
            return Err(self.fatal(start, "this alias stands inside the value it repeats", None));
        };
        let cost = anchored.cost;
        if self.stack.len() + cost.depth > MAX_DEPTH {
            return Err(self.too_deep(start));
        }
        self.spend(cost, start)?;
        let node = match self.anchors.get(&id) {
            Some(anchored) => anchored.node.clone(),
            None => return Ok(()),
        };
        self.place(node, 0, cost)
    }

    /// Hands a finished value to the collection it belongs to.
    fn place(&mut self, node: Node, anchor: usize, cost: Cost) -> Result<(), Fatal> {
        if anchor > 0 {
            let node = node.clone();
            self.anchors.insert(anchor, Anchored { node, cost });
        }
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        frame.depth = frame.depth.max(cost.depth);
        match &mut frame.content {
            Content::Sequence(items) => items.push(node),
            Content::Mapping {
                entries,
                lines,
                merges,
                key,
            } => match key.take() {
                Some((key, _)) if key == MERGE_KEY => merges.push(node),
                Some((key, mark)) => {
                    if let Some(first) = lines.get(&key) {
                        let message = format!("`{key}` is already given on line {first}");
                        let at = self.at_key(&key, mark);
                        self.report.error(&at, message);
                    } else {
                        lines.insert(key.clone(), mark.line());
                        entries.push(Entry {
                            key,
                            line: mark.line(),
                            column: mark.col() + 1,
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

    fn key(&mut self, text: &str, plain: bool, mark: Marker) -> Result<(), Fatal> {
        self.spend(
            Cost {
                nodes: 1,
                bytes: text.len(),
                depth: 0,
            },
            mark,
        )?;
        // A quoted "<<" is a key like any other; keep it apart from the merge key.
        let name = if !plain && text == MERGE_KEY {
            "\"<<\"".to_owned()
        } else {
            text.to_owned()
        };
        if self.env.is_some() && text.contains("${") {
            let at = self.at_key(text, mark);
            self.report
                .error(&at, "variables expand in values only, not in keys");
        }
        if let Some(Frame {
            content: Content::Mapping { key, .. },
            ..
        }) = self.stack.last_mut()
        {
            *key = Some((name, mark));
        }
        Ok(())
    }

    /// Adds the entries of a `<<` value that the mapping does not give itself.
    fn merge(
        &self,
        entries: &mut Vec<Entry>,
        lines: &mut HashMap<String, usize>,
        from: Node,
        mark: Marker,
    ) {
        match from.kind {
            NodeKind::Mapping(more) => {
                for entry in more {
                    if !lines.contains_key(&entry.key) {
                        lines.insert(entry.key.clone(), entry.line);
                        entries.push(entry);
                    }
                }
            }
            NodeKind::Sequence(items)
                if items.iter().all(|i| matches!(i.kind, NodeKind::Mapping(_))) =>
            {
                for item in items {
                    self.merge(entries, lines, item, mark);
                }
            }
            _ => self
                .report
                .error(&self.at(mark), "`<<` takes a map or a list of maps"),
        }
    }

    fn expanded(&self, text: &str, mark: Marker) -> NodeKind {
        let Some(env) = self.env else {
            return NodeKind::Scalar(text.to_owned());
        };
        match expand(text, env) {
            Ok(value) => NodeKind::Scalar(value.into_owned()),
            Err(e) => {
                self.report
                    .error_help(&self.at(mark), e.to_string(), e.help());
                NodeKind::Faulty
            }
        }
    }

    fn refuse_tag(&self, tag: Option<&Tag>, mark: Marker) {
        if let Some(tag) = tag {
            let (place, help) = if self.file.is_document() {
                (
                    "a document of CloudFront's API",
                    "name what is deployed: `aws cloudfront get-distribution-config` prints it",
                )
            } else {
                ("a site file", "remove it; quote a value to make it text")
            };
            let message = format!("the tag `{tag}` has no meaning in {place}");
            self.report
                .error_help(&self.at(mark), message, help.to_owned());
        }
    }

    fn spend(&mut self, cost: Cost, mark: Marker) -> Result<(), Fatal> {
        self.spent.nodes = self.spent.nodes.saturating_add(cost.nodes);
        self.spent.bytes = self.spent.bytes.saturating_add(cost.bytes);
        if self.spent.nodes > MAX_NODES || self.spent.bytes > MAX_BYTES {
            let message = format!(
                "the file grows beyond {MAX_NODES} values or {} MiB of text once aliases are followed",
                MAX_BYTES >> 20
            );
            return Err(self.fatal(mark, &message, None));
        }
        Ok(())
    }

    fn too_deep(&self, mark: Marker) -> Fatal {
        let message = format!("nested deeper than {MAX_DEPTH} levels");
        self.fatal(mark, &message, None)
    }

    fn fatal(&self, mark: Marker, message: &str, help: Option<String>) -> Fatal {
        Fatal {
            at: self.at(mark),
            message: message.to_owned(),
            help,
        }
    }

    fn at(&self, mark: Marker) -> At {
        At {
            file: self.file,
            line: mark.line(),
            column: mark.col() + 1,
            path: self.path(),
        }
    }

    fn at_key(&self, key: &str, mark: Marker) -> At {
        At {
            path: self.file.member(&self.path(), key),
            ..self.at(mark)
        }
    }

    /// Path of the value being read.
    fn path(&self) -> String {
        let mut path = String::new();
        for frame in &self.stack {
            match &frame.content {
                Content::Sequence(items) => path = self.file.item(&path, items.len()),
                Content::Mapping {
                    key: Some((key, _)),
                    ..
                } => path = self.file.member(&path, key),
                Content::Mapping { key: None, .. } => {}
            }
        }
        path
    }
}

const MERGE_KEY: &str = "<<";

fn key_help() -> Option<String> {
    Some("quote a value that begins with `{`, `[` or `*`".to_owned())
}

/// The null forms of the YAML 1.2 core schema.
fn is_null(plain: &str) -> bool {
    matches!(plain, "" | "~" | "null" | "Null" | "NULL")
}
