//! A tree of YAML or JSON in which every value knows its place (CP-304).

use crate::place::At;

/// Deepest nesting of a file; templates of real tools stay below 30.
pub(crate) const MAX_DEPTH: usize = 64;
/// Most nodes of a file after aliases are followed.
pub(crate) const MAX_NODES: usize = 200_000;
/// Most bytes of text of a file after aliases are followed.
pub(crate) const MAX_BYTES: usize = 32 << 20;

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) at: At,
    pub(crate) kind: Kind,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Null,
    /// Quoted text, or what an intrinsic made.
    Text(String),
    /// An unquoted scalar: a number, a boolean or a text, as its reader likes.
    Plain(String),
    Seq(Vec<Node>),
    Map(Vec<Entry>),
    /// What is known only after something else was created.
    Ref(Reference),
    /// A text with such values in it.
    Parts(Vec<Part>),
    /// `AWS::NoValue`: the property is as if it were not there.
    NoValue,
    /// A value nobody can know here; said only where somebody asks for it (CP-303).
    Unresolved(Unresolved),
}

/// Why a value is not known, and what a user does about it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Unresolved {
    pub(crate) message: String,
    /// What the value was written as; `--set` takes it in place of a path.
    pub(crate) name: Option<String>,
}

/// One key of a mapping. INVARIANT: keys are unique within their mapping.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) at: At,
    pub(crate) value: Node,
}

impl PartialEq for Node {
    /// Equal content, wherever it stands.
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

/// A value of something else in the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) kind: crate::plan::RefKind,
    pub(crate) id: String,
    pub(crate) attribute: &'static str,
}

/// A piece of [`Kind::Parts`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Text(String),
    Ref(Reference),
}

impl Node {
    pub(crate) fn text(at: At, text: impl Into<String>) -> Self {
        Self {
            at,
            kind: Kind::Text(text.into()),
        }
    }

    pub(crate) fn plain(at: At, text: impl Into<String>) -> Self {
        Self {
            at,
            kind: Kind::Plain(text.into()),
        }
    }

    pub(crate) fn map(at: At, entries: impl IntoIterator<Item = (&'static str, Self)>) -> Self {
        let entries = entries.into_iter().map(|(key, value)| Entry {
            key: key.to_owned(),
            at: value.at,
            value,
        });
        Self {
            at,
            kind: Kind::Map(entries.collect()),
        }
    }

    pub(crate) fn seq(at: At, items: Vec<Self>) -> Self {
        Self {
            at,
            kind: Kind::Seq(items),
        }
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    pub(crate) fn items(&self) -> &[Self] {
        match &self.kind {
            Kind::Seq(items) => items,
            _ => &[],
        }
    }

    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|e| e.key == key)
    }

    /// The value of a key that is there and not null.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key)
            .map(|e| &e.value)
            .filter(|v| v.kind != Kind::Null)
    }

    /// The value at the end of a path of keys.
    pub(crate) fn find(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// Text of a scalar, quoted or not.
    pub(crate) fn scalar(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) | Kind::Plain(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null)
    }

    /// The only entry of a mapping of one.
    pub(crate) fn single(&self) -> Option<&Entry> {
        match self.entries() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// `true` and `false`, quoted or not, in the spellings that YAML and CloudFormation take.
    pub(crate) fn flag(&self) -> Option<bool> {
        match self.scalar()? {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            _ => None,
        }
    }

    pub(crate) fn set(&mut self, key: &str, value: Self) {
        if !matches!(self.kind, Kind::Map(_)) {
            self.kind = Kind::Map(Vec::new());
        }
        if let Kind::Map(entries) = &mut self.kind {
            match entries.iter_mut().find(|e| e.key == key) {
                Some(entry) => entry.value = value,
                None => entries.push(Entry {
                    key: key.to_owned(),
                    at: value.at,
                    value,
                }),
            }
        }
    }

    /// Adds an entry whose key is new, with the key's own place.
    pub(crate) fn push(&mut self, entry: Entry) {
        if let Kind::Map(entries) = &mut self.kind {
            entries.push(entry);
        }
    }

    pub(crate) fn remove(&mut self, key: &str) {
        if let Kind::Map(entries) = &mut self.kind {
            entries.retain(|e| e.key != key);
        }
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        match &mut self.kind {
            Kind::Map(entries) => entries
                .iter_mut()
                .find(|e| e.key == key)
                .map(|e| &mut e.value),
            _ => None,
        }
    }

    /// Lays `over` on top: mappings key by key, sequences item by item, everything else as a whole. This is how the
    /// framework merges a user's resources over its own (CP-337).
    pub(crate) fn merge(&mut self, over: Self) {
        match (&mut self.kind, over.kind) {
            (Kind::Map(_), Kind::Map(entries)) => {
                for entry in entries {
                    match self.get_mut(&entry.key) {
                        Some(mine) => mine.merge(entry.value),
                        None => self.push(entry),
                    }
                }
            }
            (Kind::Seq(mine), Kind::Seq(items)) => {
                for (i, item) in items.into_iter().enumerate() {
                    match mine.get_mut(i) {
                        Some(old) => old.merge(item),
                        None => mine.push(item),
                    }
                }
            }
            // An empty key in the user's file takes nothing away.
            (_, Kind::Null) => {}
            (_, kind) => {
                self.kind = kind;
                self.at = over.at;
            }
        }
    }

    /// How many nodes there are, this one included.
    pub(crate) fn count(&self) -> usize {
        1 + match &self.kind {
            Kind::Seq(items) => items.iter().map(Self::count).sum::<usize>(),
            Kind::Map(entries) => entries.iter().map(|e| e.value.count()).sum::<usize>(),
            _ => 0,
        }
    }

    /// What this is, for messages.
    pub(crate) fn what(&self) -> &'static str {
        match &self.kind {
            Kind::Null | Kind::NoValue => "nothing",
            Kind::Text(_) | Kind::Parts(_) => "a text",
            Kind::Plain(text) => match plain_value(text) {
                serde_json::Value::Bool(_) => "a boolean",
                serde_json::Value::Number(_) => "a number",
                _ => "a text",
            },
            Kind::Seq(_) => "a list",
            Kind::Map(_) => "a mapping",
            Kind::Ref(_) => "a reference",
            Kind::Unresolved(_) => "an unknown value",
        }
    }
}

/// What an unquoted scalar means by YAML's core schema.
pub(crate) fn plain_value(text: &str) -> serde_json::Value {
    use serde_json::Value;
    match text {
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    // Rust reads "inf", "nan" and "+1" as numbers; JSON does not write them.
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit()) && !digits.starts_with('.') {
        return Value::String(text.to_owned());
    }
    // An account id or an octal keeps its zeros.
    let zeros = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    if zeros {
        return Value::String(text.to_owned());
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Value::from(whole);
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && digits.contains(|c: char| c.is_ascii_digit()) => {
            Value::from(number)
        }
        _ => Value::String(text.to_owned()),
    }
}

/// YAML's spellings of nothing.
pub(crate) fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}
