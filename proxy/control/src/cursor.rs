//! Reading typed values off the tree. A [`Cursor`] is a value and where it stands; a [`Block`] is a mapping
//! whose keys have been held against their table. Whatever does not fit is reported and yields `None`.

use std::{ops::RangeInclusive, time::Duration};

use crate::{
    keys::{self, KeyKind, Table},
    report::{At, Report, Spanned},
    spelling::{nearest, slip},
    tree::{Entry, Node, NodeKind},
};

/// A value of the tree.
#[derive(Clone)]
pub(crate) struct Cursor<'n> {
    node: &'n Node,
    pub(crate) at: At,
    pub(crate) report: &'n Report,
}

impl<'n> Cursor<'n> {
    pub(crate) fn root(node: &'n Node, report: &'n Report) -> Self {
        Self {
            node,
            at: At {
                file: node.file,
                line: node.line,
                column: node.column,
                path: String::new(),
            },
            report,
        }
    }

    pub(crate) fn error(&self, message: impl Into<String>) {
        self.report.error(&self.at, message);
    }

    pub(crate) fn error_help(&self, message: impl Into<String>, help: impl Into<Option<String>>) {
        self.report.error_help(&self.at, message, help);
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.node.kind, NodeKind::Null)
    }

    /// The text, when this is a scalar; reports nothing.
    pub(crate) fn scalar(&self) -> Option<&'n str> {
        match &self.node.kind {
            NodeKind::Scalar(s) => Some(s),
            _ => None,
        }
    }

    pub(crate) fn is_mapping(&self) -> bool {
        matches!(self.node.kind, NodeKind::Mapping(_))
    }

    pub(crate) fn is_list(&self) -> bool {
        matches!(self.node.kind, NodeKind::Sequence(_))
    }

    /// The key and value of a member in either spelling, without a word about the others; `None` also for what is no
    /// mapping.
    pub(crate) fn member_spelled(&self, name: &str) -> Option<(Spanned<String>, Self)> {
        let NodeKind::Mapping(_) = &self.node.kind else {
            return None;
        };
        let wanted = keys::fold(name);
        let mut entries = self.entries("").unwrap_or_default().into_iter();
        entries.find(|(key, _)| keys::fold(&key.value) == wanted)
    }

    fn describe(&self) -> String {
        match &self.node.kind {
            NodeKind::Null | NodeKind::Faulty => "nothing".to_owned(),
            NodeKind::Scalar(s) => format!("`{}`", shorten(s)),
            NodeKind::Sequence(_) => "a list".to_owned(),
            NodeKind::Mapping(_) => "a map".to_owned(),
        }
    }

    /// Reports that something else was expected here.
    pub(crate) fn expected(&self, what: &str) {
        self.expected_for("", what);
    }

    fn expected_for(&self, code: &str, what: &str) {
        // A faulty value has been reported already.
        if !matches!(self.node.kind, NodeKind::Faulty) {
            let code = if code.is_empty() {
                String::new()
            } else {
                format!("{code}: ")
            };
            self.error(format!("{code}expected {what}, found {}", self.describe()));
        }
    }

    fn spanned<T>(&self, value: T) -> Spanned<T> {
        Spanned {
            value,
            at: self.at.clone(),
        }
    }

    pub(crate) fn text(&self) -> Option<Spanned<String>> {
        let text = self.scalar();
        if text.is_none() {
            self.expected("text");
        }
        text.map(|s| self.spanned(s.to_owned()))
    }

    pub(crate) fn boolean(&self) -> Option<Spanned<bool>> {
        match self.scalar() {
            Some("true" | "True" | "TRUE") => Some(self.spanned(true)),
            Some("false" | "False" | "FALSE") => Some(self.spanned(false)),
            _ => {
                self.expected("`true` or `false`");
                None
            }
        }
    }

    /// A whole number within `range`.
    pub(crate) fn integer(&self, range: RangeInclusive<u64>, what: &str) -> Option<Spanned<u64>> {
        self.coded_integer("", range, what)
    }

    /// A whole number whose faults CloudFront's API has a name for (CF-024).
    pub(crate) fn coded_integer(
        &self,
        code: &str,
        range: RangeInclusive<u64>,
        what: &str,
    ) -> Option<Spanned<u64>> {
        let value = self
            .scalar()
            .filter(|s| s.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|s| s.parse().ok());
        match value {
            Some(v) if range.contains(&v) => Some(self.spanned(v)),
            _ => {
                let (low, high) = (range.start(), range.end());
                let what = format!("{what}, a whole number from {low} to {high}");
                self.expected_for(code, &what);
                None
            }
        }
    }

    /// Seconds, fractions allowed, above zero and up to `most`.
    pub(crate) fn seconds(&self, most: u32) -> Option<Spanned<Duration>> {
        let digits = |s: &&str| s.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let value = self
            .scalar()
            .filter(digits)
            .and_then(|s| s.parse::<f64>().ok())
            .filter(|s| *s <= f64::from(most))
            .and_then(|s| Duration::try_from_secs_f64(s).ok())
            .filter(|d| *d >= Duration::from_millis(1));
        if value.is_none() {
            self.expected(&format!("a number of seconds, above 0 and up to {most}"));
        }
        value.map(|v| self.spanned(v))
    }

    /// A number from 0 to 1.
    pub(crate) fn fraction(&self) -> Option<Spanned<f64>> {
        let number = self.scalar().and_then(|s| s.parse::<f64>().ok());
        let value = number.filter(|n| (0.0..=1.0).contains(n));
        if value.is_none() {
            self.expected_for("InvalidArgument", "a number from 0 to 1");
        }
        value.map(|v| self.spanned(v))
    }

    /// A number of bytes within `range`: a plain number or one with `KiB`, `MiB`, `GiB`.
    pub(crate) fn size(&self, range: RangeInclusive<u64>) -> Option<Spanned<u64>> {
        let value = self.scalar().and_then(parse_size);
        match value {
            Some(v) if range.contains(&v) => Some(self.spanned(v)),
            Some(v) => {
                let (low, high) = (range.start(), range.end());
                self.error(format!(
                    "{v} bytes is out of bounds: from {low} to {high} bytes"
                ));
                None
            }
            None => {
                self.expected(
                    "a size: a number of bytes, or a number with KiB, MiB or GiB such as `256MiB`",
                );
                None
            }
        }
    }

    /// One of a few words. A word CloudFront has and this node lacks is listed with the reason.
    pub(crate) fn choice<T: Copy>(&self, words: &[(&str, Result<T, &str>)]) -> Option<Spanned<T>> {
        let found = self
            .scalar()
            .and_then(|s| words.iter().find(|(w, _)| *w == s));
        match found {
            Some((_, Ok(value))) => Some(self.spanned(*value)),
            Some((word, Err(reason))) => {
                self.error(format!("`{word}` is {reason}"));
                None
            }
            None => {
                let known = words.iter().filter(|(_, v)| v.is_ok()).map(|(w, _)| *w);
                let list: Vec<String> = known.clone().map(|w| format!("`{w}`")).collect();
                let near = self.scalar().and_then(|s| nearest(s, known));
                if matches!(self.node.kind, NodeKind::Faulty) {
                    return None;
                }
                self.error_help(
                    format!("expected {}, found {}", or(&list), self.describe()),
                    near.map(|w| format!("did you mean `{w}`?")),
                );
                None
            }
        }
    }

    /// The items of a list.
    pub(crate) fn items(&self, what: &str) -> Option<Vec<Self>> {
        let NodeKind::Sequence(items) = &self.node.kind else {
            self.expected(what);
            return None;
        };
        let item = |(i, node): (usize, &'n Node)| Self {
            node,
            at: At {
                file: node.file,
                line: node.line,
                column: node.column,
                path: node.file.item(&self.at.path, i),
            },
            report: self.report,
        };
        Some(items.iter().enumerate().map(item).collect())
    }

    /// The items of a list, which may be written with its length as CloudFront's API does (CF-020, CF-021).
    pub(crate) fn counted(&self, what: &str) -> Option<Vec<Self>> {
        let says = |key| self.member_spelled(key).is_some();
        if !says("items") && !says("quantity") {
            return self.items(what);
        }
        let block = Block::open_spelled(self, &keys::ITEMS)?;
        let items = block
            .get("items")
            .map_or_else(|| Some(Vec::new()), |c| c.items(what))?;
        check_quantity(block.get("quantity"), items.len());
        Some(items)
    }

    /// Holds the length that stands beside a list against it (CF-020).
    pub(crate) fn has_quantity(&self, quantity: Option<&Self>) {
        if let NodeKind::Sequence(items) = &self.node.kind {
            check_quantity(quantity, items.len());
        }
    }

    /// Likewise, of texts; faulty items are reported and left out.
    pub(crate) fn counted_texts(&self, what: &str) -> Option<Vec<Spanned<String>>> {
        let items = self.counted(what)?;
        Some(items.iter().filter_map(Self::text).collect())
    }

    /// A list of texts; faulty items are reported and left out.
    pub(crate) fn texts(&self, what: &str) -> Option<Vec<Spanned<String>>> {
        let items = self.items(what)?;
        Some(items.iter().filter_map(Self::text).collect())
    }

    /// The entries of a map whose keys are names the user chose.
    pub(crate) fn entries(&self, what: &str) -> Option<Vec<(Spanned<String>, Self)>> {
        let NodeKind::Mapping(entries) = &self.node.kind else {
            self.expected(what);
            return None;
        };
        let all = entries.iter().map(|e| {
            let file = e.value.file;
            // What a document gives begins with the document's own path.
            let path = if file == self.at.file {
                file.member(&self.at.path, &e.key)
            } else {
                file.member(&self.report.root(file), &e.key)
            };
            let key = At {
                file,
                line: e.line,
                column: e.column,
                path,
            };
            let value = self.member(&e.value, &key);
            let key = Spanned {
                value: e.key.clone(),
                at: key,
            };
            (key, value)
        });
        Some(all.collect())
    }

    /// The value under a key. Scalars and flow collections stand at their own place, all else where the key
    /// stands: that is the line a reader looks for.
    fn member(&self, node: &'n Node, key: &At) -> Self {
        let own = match &node.kind {
            NodeKind::Scalar(_) | NodeKind::Faulty => true,
            NodeKind::Sequence(_) | NodeKind::Mapping(_) => node.line == key.line,
            NodeKind::Null => false,
        };
        let (line, column) = if own {
            (node.line, node.column)
        } else {
            (key.line, key.column)
        };
        Self {
            node,
            at: At {
                file: node.file,
                line,
                column,
                path: key.path.clone(),
            },
            report: self.report,
        }
    }
}

/// CF-020
fn check_quantity(quantity: Option<&Cursor<'_>>, items: usize) {
    let said = quantity.and_then(|q| q.integer(0..=u64::MAX, "a number of items"));
    if let Some((quantity, said)) = quantity.zip(said)
        && said.value != items as u64
    {
        let said = said.value;
        quantity.error(format!(
            "InconsistentQuantities: it says {said}, and there are {items} items"
        ));
    }
}

/// A mapping whose keys are all in its table.
pub(crate) struct Block<'n> {
    cursor: Cursor<'n>,
    table: &'static Table,
    entries: Vec<(Spanned<String>, Cursor<'n>)>,
}

impl<'n> Block<'n> {
    /// Takes a mapping and reports each key that its table does not accept.
    pub(crate) fn open(cursor: &Cursor<'n>, table: &'static Table) -> Option<Self> {
        Self::open_by(cursor, table, Table::find)
    }

    /// Likewise, of a mapping whose keys may be spelled as CloudFront's API spells them (CF-020).
    pub(crate) fn open_spelled(cursor: &Cursor<'n>, table: &'static Table) -> Option<Self> {
        let mut block = Self::open_by(cursor, table, Table::find_spelled)?;
        for at in 0..block.entries.len() {
            let name = table.find_spelled(&block.entries[at].0.value)?.name;
            if block.entries[..at].iter().any(|(k, _)| k.value == name) {
                let key = &block.entries[at].0;
                let message = format!("`{}` and `{name}` are one setting: give one", key.value);
                cursor.report.error(&key.at, message);
            }
            name.clone_into(&mut block.entries[at].0.value);
        }
        Some(block)
    }

    fn open_by(
        cursor: &Cursor<'n>,
        table: &'static Table,
        find: impl Fn(&Table, &str) -> Option<&'static keys::Key>,
    ) -> Option<Self> {
        let entries = cursor.entries(&format!("the settings of {}", table.what))?;
        let mut kept = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            match find(table, &key.value) {
                None => unknown_key(cursor.report, table, &key),
                Some(known) => {
                    #[cfg(test)]
                    cursor
                        .report
                        .seen
                        .borrow_mut()
                        .insert((table.what, known.name));
                    match known.kind {
                        KeyKind::Read => kept.push((key, value)),
                        KeyKind::Ignored => {
                            if !value.is_null() {
                                value.text();
                            }
                        }
                        KeyKind::Refused { reason, off } => {
                            if !is_off(value.node, off) {
                                let message = format!("`{}` is {reason}", known.name);
                                cursor.report.error(&key.at, message);
                            }
                        }
                        KeyKind::Warned { rule, reason } => {
                            if !is_off(value.node, None) {
                                let message = format!("`{}` is {reason}", known.name);
                                cursor.report.warn(&key.at, rule, message);
                            }
                        }
                    }
                }
            }
        }
        Some(Self {
            cursor: cursor.clone(),
            table,
            entries: kept,
        })
    }

    pub(crate) fn at(&self) -> &At {
        &self.cursor.at
    }

    pub(crate) fn report(&self) -> &'n Report {
        self.cursor.report
    }

    /// The value of a setting; one left empty counts as not given.
    pub(crate) fn get(&self, key: &str) -> Option<&Cursor<'n>> {
        debug_assert!(
            matches!(
                self.table.find(key),
                Some(keys::Key {
                    kind: KeyKind::Read,
                    ..
                })
            ),
            "{key} is read but not in the table of {}",
            self.table.what
        );
        let (_, value) = self.entries.iter().find(|(k, _)| k.value == key)?;
        (!value.is_null()).then_some(value)
    }

    /// Whether a setting is given in one of two spellings.
    pub(crate) fn gives(&self, key: &str, other: &str) -> bool {
        self.get(key).is_some() || self.get(other).is_some()
    }

    /// The value of whichever of two spellings is given; both are an error.
    pub(crate) fn either(&self, key: &str, other: &str) -> Option<&Cursor<'n>> {
        match (self.get(key), self.get(other)) {
            (Some(_), Some(second)) => {
                second.error(format!("`{key}` and `{other}` are one setting: give one"));
                None
            }
            (first, second) => first.or(second),
        }
    }
}

fn unknown_key(report: &Report, table: &Table, key: &Spanned<String>) {
    if report.is_lenient(key.at.file) {
        let message = format!(
            "`{}` is not known of {}, and left out",
            key.value, table.what
        );
        report.warn(&key.at, "CF-022", message);
        return;
    }
    let names = || table.keys().map(|k| k.name);
    let elsewhere = || {
        let reads = |t: &&&Table| t.find(&key.value).is_some_and(|k| k.kind == KeyKind::Read);
        keys::ALL.iter().find(reads)
    };
    let help = if let Some(near) = slip(&key.value, names()) {
        format!("did you mean `{near}`?")
    } else if let Some(other) = elsewhere() {
        format!("`{}` is a setting of {}", key.value, other.what)
    } else if let Some(near) = nearest(&key.value, names()) {
        format!("did you mean `{near}`?")
    } else {
        let read = table.keys().filter(|k| k.kind == KeyKind::Read);
        let known: Vec<&str> = read.map(|k| k.name).collect();
        format!("known are {}", known.join(", "))
    };
    let message = format!("`{}` is not a setting of {}", key.value, table.what);
    report.error_help(&key.at, message, help);
}

/// Whether a value switches its feature off, as CloudFront's normal form writes features nobody asked for:
/// `false`, `none`, nothing, `enabled: false`, or a container of such values (control-plane.md section 3.4).
fn is_off(node: &Node, word: Option<&str>) -> bool {
    match &node.kind {
        NodeKind::Null | NodeKind::Faulty => true,
        NodeKind::Scalar(s) => {
            matches!(s.as_str(), "" | "false" | "False" | "FALSE" | "none") || word == Some(s)
        }
        NodeKind::Sequence(items) => items.iter().all(|i| is_off(i, word)),
        NodeKind::Mapping(entries) => {
            // `enabled` decides alone; so does CloudFront's word for "no certificate of its own". A list with its length
            // may be empty. All of it in either spelling (CF-020).
            let says = |e: &Entry, name: &str, off: &str| {
                keys::fold(&e.key) == name
                    && matches!(&e.value.kind, NodeKind::Scalar(s) if s.eq_ignore_ascii_case(off))
            };
            let switch = |name: &str, off: &str| entries.iter().any(|e| says(e, name, off));
            switch("enabled", "false")
                || switch("cloudfrontdefaultcertificate", "true")
                || entries
                    .iter()
                    .all(|e| says(e, "quantity", "0") || is_off(&e.value, word))
        }
    }
}

fn parse_size(text: &str) -> Option<u64> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim_start() {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// `a, b or c`.
pub(crate) fn or(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
    }
}

/// The start of a value, short enough for a message and free of line breaks.
pub(crate) fn shorten(text: &str) -> String {
    const MOST: usize = 60;
    let mut out: String = text
        .chars()
        .take(MOST)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(MOST).is_some() {
        out.push_str("...");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_binary_and_say_so() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1048576", Some(1 << 20)),
            ("4KiB", Some(4096)),
            ("256 MiB", Some(256 << 20)),
            ("1GiB", Some(1 << 30)),
            ("256MB", None),
            ("MiB", None),
            ("-1", None),
            ("1.5GiB", None),
            ("99999999999GiB", None),
        ] {
            assert_eq!(parse_size(text), expected, "{text}");
        }
    }
}
