//! Intrinsic functions (section 7.2 of the control plane's rules).
//!
//! Evaluation keeps places and never fails: what cannot be known becomes [`Kind::Unresolved`], and only a reader that wants the
//! value reports it (CP-303). Functions may multiply text, so steps and bytes are bounded, and so is how deep one value leads
//! to the next.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::World;
use crate::{
    place::At,
    tree::{Entry, Kind, Node, Part, Unresolved},
};

/// Most nodes made by all evaluation together.
pub(super) const MAX_STEPS: usize = 500_000;
/// Most bytes of text made by all evaluation together.
pub(super) const MAX_BYTES: usize = 64 << 20;
/// Deepest chain of values within values, references followed.
const MAX_DEPTH: usize = 128;

pub(super) fn unresolved(message: impl Into<String>) -> Kind {
    Kind::Unresolved(Unresolved {
        message: message.into(),
        name: None,
    })
}

fn named(message: impl Into<String>, name: String) -> Kind {
    Kind::Unresolved(Unresolved {
        message: message.into(),
        name: Some(name),
    })
}

impl World<'_> {
    /// The value of a node with everything in it that can be known.
    pub(crate) fn eval(&self, stack: usize, node: &Node, depth: usize) -> Node {
        let kind = self.kind(stack, node, depth);
        Node { at: node.at, kind }
    }

    fn kind(&self, stack: usize, node: &Node, depth: usize) -> Kind {
        let Some(steps) = self.steps.get().checked_sub(1) else {
            return unresolved("the intrinsics of this template come to too much");
        };
        self.steps.set(steps);
        if depth > MAX_DEPTH {
            return unresolved("this value leads back to itself, or too deep");
        }
        match &node.kind {
            Kind::Map(entries) => {
                if let [only] = entries.as_slice()
                    && (only.key == "Ref" || only.key.starts_with("Fn::"))
                {
                    return self.intrinsic(stack, only, depth);
                }
                if let Some(each) = entries.iter().find(|e| e.key.starts_with("Fn::ForEach")) {
                    return unresolved(format!("`{}` is not supported", each.key));
                }
                let mut out = Vec::with_capacity(entries.len());
                for entry in entries {
                    let value = self.eval(stack, &entry.value, depth + 1);
                    if value.kind != Kind::NoValue {
                        out.push(Entry {
                            key: entry.key.clone(),
                            at: entry.at,
                            value,
                        });
                    }
                }
                Kind::Map(out)
            }
            Kind::Seq(items) => Kind::Seq(
                items
                    .iter()
                    .map(|item| self.eval(stack, item, depth + 1))
                    .filter(|item| item.kind != Kind::NoValue)
                    .collect(),
            ),
            Kind::Text(text) | Kind::Plain(text) if text.contains("{{resolve:") => {
                self.dynamic(node.at, text, depth)
            }
            other => {
                if let Kind::Text(text) | Kind::Plain(text) = other
                    && !self.pay(text.len())
                {
                    return unresolved("the intrinsics of this template come to too much");
                }
                other.clone()
            }
        }
    }

    /// Takes text from what may still be made.
    pub(super) fn pay(&self, bytes: usize) -> bool {
        match self.bytes.get().checked_sub(bytes) {
            Some(left) => {
                self.bytes.set(left);
                true
            }
            None => false,
        }
    }

    fn intrinsic(&self, stack: usize, call: &Entry, depth: usize) -> Kind {
        let argument = &call.value;
        match call.key.as_str() {
            "Ref" => match argument.scalar() {
                Some(name) => self.reference(stack, name, depth + 1),
                None => unresolved("`Ref` takes a name"),
            },
            "Fn::GetAtt" => self.get_att(stack, argument, depth),
            "Fn::Sub" => self.sub(stack, argument, depth),
            "Fn::Join" => self.join(stack, argument, depth),
            "Fn::Select" => self.select(stack, argument, depth),
            "Fn::Split" => self.split(stack, argument, depth),
            "Fn::If" => match argument.items() {
                [name, yes, no] => {
                    let Some(name) = name.scalar() else {
                        return unresolved("`Fn::If` takes the name of a condition first");
                    };
                    match self.condition(stack, name, depth + 1) {
                        Ok(true) => self.kind(stack, yes, depth + 1),
                        Ok(false) => self.kind(stack, no, depth + 1),
                        Err(why) => Kind::Unresolved(why),
                    }
                }
                _ => unresolved("`Fn::If` takes a list of three"),
            },
            "Fn::FindInMap" => self.find_in_map(stack, argument, depth),
            "Fn::Base64" => {
                let value = self.eval(stack, argument, depth + 1);
                match value.kind {
                    Kind::Unresolved(_) => value.kind,
                    _ => match value.scalar() {
                        Some(text) if self.pay(text.len() * 2) => Kind::Text(STANDARD.encode(text)),
                        Some(_) => unresolved("the intrinsics of this template come to too much"),
                        None => unresolved("`Fn::Base64` takes a text that is known"),
                    },
                }
            }
            "Fn::ImportValue" => {
                let name = self.eval(stack, argument, depth + 1);
                match (&name.kind, name.scalar()) {
                    (Kind::Unresolved(_), _) => name.kind,
                    (_, Some(name)) => self.import(name, depth + 1),
                    _ => unresolved("`Fn::ImportValue` takes the name of an export"),
                }
            }
            other => unresolved(format!("`{other}` is not supported")),
        }
    }

    fn get_att(&self, stack: usize, argument: &Node, depth: usize) -> Kind {
        let (id, attribute) = match (argument.items(), argument.scalar()) {
            ([id, attribute], _) => {
                let attribute = self.eval(stack, attribute, depth + 1);
                match (id.scalar(), attribute.scalar()) {
                    (Some(id), Some(attribute)) => (id.to_owned(), attribute.to_owned()),
                    _ => return unresolved("`Fn::GetAtt` takes a name and an attribute"),
                }
            }
            (_, Some(dotted)) => match dotted.split_once('.') {
                Some((id, attribute)) => (id.to_owned(), attribute.to_owned()),
                None => return unresolved("`Fn::GetAtt` takes `NAME.ATTRIBUTE`"),
            },
            _ => return unresolved("`Fn::GetAtt` takes a name and an attribute"),
        };
        self.attribute(stack, &id, Some(&attribute), argument.at, depth + 1)
    }

    fn sub(&self, stack: usize, argument: &Node, depth: usize) -> Kind {
        let (text, own) = match (argument.scalar(), argument.items()) {
            (Some(text), _) => (text, None),
            (_, [text, map]) => match (text.scalar(), &map.kind) {
                (Some(text), Kind::Map(_)) => (text, Some(map)),
                _ => return unresolved("`Fn::Sub` takes a text and a mapping"),
            },
            _ => return unresolved("`Fn::Sub` takes a text, or a text and a mapping"),
        };
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let (before, after) = rest.split_at(start);
            push(&mut parts, before);
            let Some(end) = after.find('}') else {
                push(&mut parts, after);
                rest = "";
                break;
            };
            let name = &after[2..end];
            rest = &after[end + 1..];
            if let Some(literal) = name.strip_prefix('!') {
                push(&mut parts, &format!("${{{literal}}}"));
                continue;
            }
            let name = name.trim();
            let value = match own.and_then(|map| map.get(name)) {
                Some(value) => self.kind(stack, value, depth + 1),
                None => match name.split_once('.') {
                    Some((id, attribute)) => {
                        self.attribute(stack, id, Some(attribute), argument.at, depth + 1)
                    }
                    None => self.reference(stack, name, depth + 1),
                },
            };
            if let Err(why) = self.append(&mut parts, value, depth) {
                return why;
            }
        }
        push(&mut parts, rest);
        self.parts(parts)
    }

    fn join(&self, stack: usize, argument: &Node, depth: usize) -> Kind {
        let [delimiter, list] = argument.items() else {
            return unresolved("`Fn::Join` takes a delimiter and a list");
        };
        let Some(delimiter) = delimiter
            .scalar()
            .or_else(|| delimiter.is_null().then_some(""))
        else {
            return unresolved("`Fn::Join` takes a text as its delimiter");
        };
        let list = self.eval(stack, list, depth + 1);
        let items = match list.kind {
            Kind::Seq(items) => items,
            Kind::Unresolved(_) => return list.kind,
            _ => return unresolved("`Fn::Join` takes a list"),
        };
        let mut parts = Vec::new();
        for (i, item) in items.into_iter().enumerate() {
            if i > 0 {
                push(&mut parts, delimiter);
            }
            if let Err(why) = self.append(&mut parts, item.kind, depth) {
                return why;
            }
        }
        self.parts(parts)
    }

    fn select(&self, stack: usize, argument: &Node, depth: usize) -> Kind {
        let [index, list] = argument.items() else {
            return unresolved("`Fn::Select` takes an index and a list");
        };
        let index = self.eval(stack, index, depth + 1);
        let Some(index) = index.scalar().and_then(|t| t.parse::<usize>().ok()) else {
            return unresolved("`Fn::Select` takes a number as its index");
        };
        let list = self.eval(stack, list, depth + 1);
        match list.kind {
            Kind::Seq(items) => {
                let n = items.len();
                match items.into_iter().nth(index) {
                    Some(item) => item.kind,
                    None => unresolved(format!("`Fn::Select` wants item {index} of {n}")),
                }
            }
            Kind::Unresolved(_) => list.kind,
            _ => unresolved("`Fn::Select` takes a list"),
        }
    }

    fn split(&self, stack: usize, argument: &Node, depth: usize) -> Kind {
        let [delimiter, text] = argument.items() else {
            return unresolved("`Fn::Split` takes a delimiter and a text");
        };
        let Some(delimiter) = delimiter.scalar().filter(|d| !d.is_empty()) else {
            return unresolved("`Fn::Split` takes a text as its delimiter");
        };
        let at = text.at;
        let text = self.eval(stack, text, depth + 1);
        let mut parts = Vec::new();
        if let Kind::Unresolved(_) = text.kind {
            return text.kind;
        }
        if let Err(why) = self.append(&mut parts, text.kind, depth) {
            return why;
        }
        // Values that are not known yet hold no delimiter that matters: ids and names of domains.
        let mut items: Vec<Vec<Part>> = vec![Vec::new()];
        for part in parts {
            match part {
                Part::Text(text) => {
                    for (i, piece) in text.split(delimiter).enumerate() {
                        if i > 0 {
                            items.push(Vec::new());
                        }
                        if let Some(last) = items.last_mut() {
                            push(last, piece);
                        }
                    }
                }
                part @ Part::Ref(_) => {
                    if let Some(last) = items.last_mut() {
                        last.push(part);
                    }
                }
            }
        }
        Kind::Seq(
            items
                .into_iter()
                .map(|parts| Node {
                    at,
                    kind: self.parts(parts),
                })
                .collect(),
        )
    }

    fn find_in_map(&self, stack: usize, argument: &Node, depth: usize) -> Kind {
        let items = argument.items();
        let ([map, first, second] | [map, first, second, _]) = items else {
            return unresolved("`Fn::FindInMap` takes a map and two keys");
        };
        let keys = [map, first, second].map(|key| self.eval(stack, key, depth + 1));
        let mut path = vec!["Mappings"];
        for key in &keys {
            match (&key.kind, key.scalar()) {
                (Kind::Unresolved(_), _) => return key.kind.clone(),
                (_, Some(text)) => path.push(text),
                _ => return unresolved("`Fn::FindInMap` takes texts that are known"),
            }
        }
        let found = self.stacks.get(stack).and_then(|s| s.root.find(&path));
        match (found, items.get(3).and_then(|o| o.get("DefaultValue"))) {
            (Some(value), _) => self.kind(stack, value, depth + 1),
            (None, Some(default)) => self.kind(stack, default, depth + 1),
            (None, None) => unresolved(format!(
                "`Mappings` has nothing at `{}`",
                path[1..].join(".")
            )),
        }
    }

    /// The export of another stack of this assembly, or what the caller said it is.
    fn import(&self, name: &str, depth: usize) -> Kind {
        let key = format!("import:{name}");
        if let Some(value) = self.options.set.get(&key) {
            return Kind::Text(value.clone());
        }
        for (stack, candidate) in self.stacks.iter().enumerate() {
            for output in candidate
                .root
                .get("Outputs")
                .into_iter()
                .flat_map(Node::entries)
            {
                let Some(export) = output.value.find(&["Export", "Name"]) else {
                    continue;
                };
                if self.eval(stack, export, depth + 1).scalar() == Some(name) {
                    return match output.value.get("Value") {
                        Some(value) => self.kind(stack, value, depth + 1),
                        None => unresolved(format!("the export `{name}` has no value")),
                    };
                }
            }
        }
        named(format!("nothing here exports `{name}`"), key)
    }

    /// `{{resolve:ssm:/name}}` within a text.
    fn dynamic(&self, at: At, text: &str, depth: usize) -> Kind {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find("{{resolve:") {
            let (before, after) = rest.split_at(start);
            push(&mut parts, before);
            let Some(end) = after.find("}}") else {
                break;
            };
            let name = &after["{{resolve:".len()..end];
            rest = &after[end + 2..];
            let value = self.secret(name, at, depth + 1);
            if let Err(why) = self.append(&mut parts, value, depth) {
                return why;
            }
        }
        push(&mut parts, rest);
        self.parts(parts)
    }

    /// A value of SSM or Secrets Manager: what the caller said, or a parameter that the project itself makes.
    pub(super) fn secret(&self, name: &str, at: At, depth: usize) -> Kind {
        let known = self
            .options
            .set
            .get(name)
            .or_else(|| self.options.env.get(name));
        if let Some(value) = known {
            return Kind::Text(value.clone());
        }
        if let Some(parameter) = name.strip_prefix("ssm:") {
            // A version may follow: `/name:3`.
            let parameter = parameter.split(':').next().unwrap_or(parameter);
            if let Some(value) = self.ssm(parameter, at, depth) {
                return value;
            }
            let key = format!("ssm:{parameter}");
            if let Some(value) = self.options.set.get(&key) {
                return Kind::Text(value.clone());
            }
        }
        named(format!("`{name}` is kept in AWS"), name.to_owned())
    }

    /// Appends a value to a text.
    fn append(&self, parts: &mut Vec<Part>, value: Kind, depth: usize) -> Result<(), Kind> {
        match value {
            Kind::Text(text) | Kind::Plain(text) => push(parts, &text),
            Kind::Parts(more) => {
                for part in more {
                    match part {
                        Part::Text(text) => push(parts, &text),
                        part @ Part::Ref(_) => parts.push(part),
                    }
                }
            }
            Kind::Ref(reference) => match self.known(&reference, depth + 1) {
                Some(text) => push(parts, &text),
                None => parts.push(Part::Ref(reference)),
            },
            Kind::Unresolved(why) => return Err(Kind::Unresolved(why)),
            Kind::Null | Kind::NoValue => {}
            Kind::Seq(_) | Kind::Map(_) => {
                return Err(unresolved("a list or a mapping is no part of a text"));
            }
        }
        Ok(())
    }

    fn parts(&self, mut parts: Vec<Part>) -> Kind {
        let bytes = parts.iter().map(|p| match p {
            Part::Text(text) => text.len(),
            Part::Ref(reference) => reference.id.len(),
        });
        if !self.pay(bytes.sum()) {
            return unresolved("the intrinsics of this template come to too much");
        }
        match parts.len() {
            0 => Kind::Text(String::new()),
            1 => match parts.remove(0) {
                Part::Text(text) => Kind::Text(text),
                Part::Ref(reference) => Kind::Ref(reference),
            },
            _ => Kind::Parts(parts),
        }
    }
}

/// Appends text, to the text before it if there is one.
fn push(parts: &mut Vec<Part>, text: &str) {
    if text.is_empty() {
        return;
    }
    match parts.last_mut() {
        Some(Part::Text(last)) => last.push_str(text),
        _ => parts.push(Part::Text(text.to_owned())),
    }
}
