//! The header map of a result against the header lines it was made from (LE section 4).
//!
//! A map is matched to the groups the function was shown. What it left alone keeps its original lines:
//! bytes, casing and place (LE-236); hidden lines stay (LE-207); what is missing is removed (LE-147).

use std::{borrow::Cow, collections::HashMap};

use bytes::Bytes;
use fourfront_model::EventType;
use http::{HeaderName, HeaderValue};

use super::{
    parse::{HeaderFaultKind, Kind, RawElement, RawHeaders, RawKey},
    violation::{Check, Violation, Warnings, printable},
};
use crate::{
    headers::{
        Groups, HeaderLine, HeaderLines, NONE, VIEWER_COUNTRY, canonical_key, is_disallowed,
        read_only, read_only_rule, text_of,
    },
    scan::is_without_controls,
};

/// A result's header map, matched to the input's lines.
pub(super) struct HeaderMap<'i, 'r> {
    event: EventType,
    lines: &'i [HeaderLine],
    groups: Groups,
    raw: RawHeaders<'r>,
    entries: Vec<Entry>,
    /// For each group its first entry.
    heads: Vec<u32>,
    /// The map is not an object.
    not_a_map: Option<Kind>,
}

/// What a map entry was matched to.
struct Entry {
    /// The group of that name, or [`NONE`].
    group: u32,
    /// The next entry of the same group: names may differ in case (LE-199).
    next: u32,
    /// The name, for entries without a group; `None` when it is no token.
    name: Option<HeaderName>,
}

/// What becomes of a group's lines.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Keep,
    Remove,
    Replace,
}

/// Names matched by linear search before an index is built, as in [`Groups`].
const LINEAR: usize = 32;

impl<'i, 'r> HeaderMap<'i, 'r> {
    /// Matches a map (an absent one is empty) to the lines the function was shown.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "maps are cut at MAX_HEADER_LINES and inputs are bounded far below 2^32 lines"
    )]
    pub(super) fn new(
        event: EventType,
        lines: &'i [HeaderLine],
        field: Option<Result<RawHeaders<'r>, Kind>>,
    ) -> Self {
        let (raw, not_a_map) = match field {
            None => (RawHeaders::default(), None),
            Some(Ok(raw)) => (raw, None),
            Some(Err(kind)) => (RawHeaders::default(), Some(kind)),
        };
        let groups = Groups::new(lines);
        let mut heads = vec![NONE; groups.len()];
        let mut tails = vec![NONE; groups.len()];
        let mut entries: Vec<Entry> = Vec::with_capacity(raw.entries.len());
        let name_of = |g: usize| lines[groups.first(g)].name.as_str();
        let mut index: Option<HashMap<&str, usize>> = None;
        // Functions mostly return the names in the order they were shown.
        let mut cursor = 0;
        for (e, entry) in raw.entries.iter().enumerate() {
            let name = &*entry.name;
            let len = groups.len();
            let found = if len <= LINEAR {
                (cursor..len)
                    .chain(0..cursor)
                    .find(|&g| name_of(g).eq_ignore_ascii_case(name))
            } else if name_of(cursor) == name {
                Some(cursor)
            } else {
                let index =
                    index.get_or_insert_with(|| (0..len).map(|g| (name_of(g), g)).collect());
                index.get(&*lower(name)).copied()
            };
            match found {
                Some(g) => {
                    cursor = if g + 1 < len { g + 1 } else { 0 };
                    if heads[g] == NONE {
                        heads[g] = e as u32;
                    } else {
                        entries[tails[g] as usize].next = e as u32;
                    }
                    tails[g] = e as u32;
                    entries.push(Entry {
                        group: g as u32,
                        next: NONE,
                        name: None,
                    });
                }
                None => entries.push(Entry {
                    group: NONE,
                    next: NONE,
                    name: HeaderName::from_bytes(name.as_bytes()).ok(),
                }),
            }
        }
        Self {
            event,
            lines,
            groups,
            raw,
            entries,
            heads,
            not_a_map,
        }
    }

    /// `V-HDR-SHAPE`, `V-HDR-VALUE` (LE-292).
    pub(super) fn check_shape(&self) -> Result<(), Violation> {
        if let Some(kind) = self.not_a_map {
            return Err(Violation::new(
                Check::HeaderShape,
                "LE-196",
                "headers",
                format!("must be an object of arrays, is {kind}"),
            ));
        }
        shape_fault(&self.raw, "headers").map_or(Ok(()), |(mut check, rule, field, message)| {
            if check == Check::ResponseSize && self.event.is_request() {
                check = Check::RequestSize;
            }
            Err(Violation::new(check, rule, field, message))
        })
    }

    /// `V-HDR-NAME`, `V-HDR-CHAR` (LE-293). With `strict_keys` a `key` of another name fails too (LE-200).
    pub(super) fn check_chars(&self, strict_keys: bool) -> Result<(), Violation> {
        for (e, raw) in self.raw.entries.iter().enumerate() {
            let entry = &self.entries[e];
            if entry.group == NONE && entry.name.is_none() {
                return Err(Violation::new(
                    Check::HeaderName,
                    "LE-204",
                    "headers",
                    "a header name must be a token of letters, digits and -_.!#$%&'*+^`|~",
                )
                .with_value(&raw.name));
            }
            for element in &self.raw.elements[raw.elements.clone()] {
                if let Some(b) = control(&element.value) {
                    return Err(Violation::new(
                        Check::HeaderChar,
                        "LE-204",
                        format!("headers.{}", lower(&raw.name)),
                        "the value holds a control character",
                    )
                    .with_char(b));
                }
                if strict_keys && is_foreign_key(&element.key, &raw.name) {
                    return Err(Violation::new(
                        Check::HeaderName,
                        "LE-200",
                        format!("headers.{}", lower(&raw.name)),
                        "`key` must be the header's name",
                    )
                    .with_value(element.key.shown()));
                }
            }
        }
        Ok(())
    }

    /// `V-HDR-DENY` (LE-294), whatever the value (LE-211). Names the function was shown are never disallowed, so
    /// only others are looked at.
    pub(super) fn check_denied(&self) -> Result<(), Violation> {
        match self.added().find(|n| is_disallowed(n.as_str())) {
            None => Ok(()),
            Some(name) => Err(Violation::new(
                Check::HeaderDenied,
                "LE-208",
                format!("headers.{name}"),
                "functions may not set this header",
            )),
        }
    }

    /// `V-HDR-RO` (LE-295): read-only headers of the trigger equal the input (LE-171, LE-172), and none is
    /// added; a generated response has no input, so any of them counts as added (LE-174).
    pub(super) fn check_read_only(&self) -> Result<(), Violation> {
        if !read_only(self.event).is_empty() {
            for g in 0..self.groups.len() {
                let name = self.name(g).as_str();
                let Some(rule) = read_only_rule(self.event, name) else {
                    continue;
                };
                if self.elements(g).next().is_none() {
                    return Err(self.read_only_violation(rule, name, "may not be removed"));
                }
                if !self.same_values(g) {
                    let given: Vec<&str> = self.elements(g).map(|e| &*e.value).take(4).collect();
                    return Err(self
                        .read_only_violation(rule, name, "may not be changed")
                        .with_value(given.join(", ")));
                }
            }
        }
        for name in self.added() {
            if let Some(rule) = read_only_rule(self.event, name.as_str()) {
                return Err(self.read_only_violation(rule, name.as_str(), "may not be added"));
            }
        }
        Ok(())
    }

    fn read_only_violation(&self, rule: &'static str, name: &str, what: &str) -> Violation {
        Violation::new(
            Check::HeaderReadOnly,
            rule,
            format!("headers.{name}"),
            format!("read-only at {}: it {what}", self.event),
        )
    }

    /// `Host` at origin-request is writable, but one non-empty value must remain (LE-185).
    pub(super) fn check_host(&self) -> Result<(), Violation> {
        let refuse = |message: &str| {
            Err(Violation::new(
                Check::HeaderReadOnly,
                "LE-185",
                "headers.host",
                message,
            ))
        };
        let shown = (0..self.groups.len()).find(|&g| *self.name(g) == http::header::HOST);
        let mut values: Vec<&str> = Vec::new();
        match shown {
            Some(g) => values.extend(self.elements(g).map(|e| &*e.value)),
            None => {
                for (raw, entry) in self.raw.entries.iter().zip(&self.entries) {
                    if entry
                        .name
                        .as_ref()
                        .is_some_and(|n| *n == http::header::HOST)
                    {
                        let elements = &self.raw.elements[raw.elements.clone()];
                        values.extend(elements.iter().map(|e| &*e.value));
                    }
                }
            }
        }
        match values[..] {
            [] if shown.is_some() => refuse("may be changed but not removed"),
            [] => Ok(()),
            [""] => refuse("may not be empty"),
            [_] => Ok(()),
            _ => refuse("must have one value").map_err(|v| v.with_value(values.join(", "))),
        }
    }

    /// `V-HDR-COUNTRY` (LE-296): the country is not known yet at viewer-request (LE-223). A viewer's own header of
    /// that name was shown and may come back (LE-222).
    pub(super) fn check_country(&self) -> Result<(), Violation> {
        if self.added().any(|n| n.as_str() == VIEWER_COUNTRY) {
            return Err(Violation::new(
                Check::HeaderCountry,
                "LE-223",
                format!("headers.{VIEWER_COUNTRY}"),
                "a viewer-request function may not add this header",
            ));
        }
        Ok(())
    }

    /// Whether the result has a line of that lower-case name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.raw
            .entries
            .iter()
            .any(|e| !e.elements.is_empty() && e.name.eq_ignore_ascii_case(name))
    }

    /// Whether the function was shown a line of that lower-case name.
    pub(super) fn was_shown(&self, name: &str) -> bool {
        (0..self.groups.len()).any(|g| self.name(g).as_str() == name)
    }

    /// The complete new list, one line per element (LE-205), and whether it differs from the input. Call it after the checks.
    pub(super) fn finish(self, warnings: &mut Warnings) -> Result<(HeaderLines, bool), Violation> {
        self.warn_about_keys(warnings);
        let fates: Vec<Fate> = (0..self.groups.len()).map(|g| self.fate(g)).collect();
        let is_new = |e: usize| {
            self.entries[e].group == NONE
                && !self.raw.entries[e].elements.is_empty()
                && !self.is_ignored(self.entries[e].name.as_ref())
        };
        if fates.iter().all(|f| *f == Fate::Keep) && !(0..self.entries.len()).any(is_new) {
            return Ok((self.lines.to_vec(), false));
        }

        let mut out = HeaderLines::with_capacity(self.lines.len() + self.raw.elements.len());
        for (i, line) in self.lines.iter().enumerate() {
            let Some(g) = self.groups.of_line(i) else {
                out.push(line.clone());
                continue;
            };
            match fates[g] {
                Fate::Keep => out.push(line.clone()),
                Fate::Remove => {}
                Fate::Replace if i == self.groups.first(g) => self.replace(g, &mut out)?,
                Fate::Replace => {}
            }
        }
        for e in (0..self.entries.len()).filter(|&e| is_new(e)) {
            let Some(name) = &self.entries[e].name else {
                continue;
            };
            for element in &self.raw.elements[self.raw.entries[e].elements.clone()] {
                out.push(HeaderLine {
                    name: name.clone(),
                    key: key_of(&element.key, name),
                    value: value_of(name, &element.value)?,
                });
            }
        }
        Ok((out, true))
    }

    /// Edits of `Content-Length` at origin-response are ignored: the node computes it (LE-227).
    fn is_ignored(&self, name: Option<&HeaderName>) -> bool {
        self.event == EventType::OriginResponse
            && name.is_some_and(|n| *n == http::header::CONTENT_LENGTH)
    }

    fn fate(&self, g: usize) -> Fate {
        let name = self.name(g);
        // Read-only values have been checked; a change of casing is none there (LE-173).
        if self.is_ignored(Some(name)) || read_only_rule(self.event, name.as_str()).is_some() {
            return Fate::Keep;
        }
        if self.elements(g).next().is_none() {
            return Fate::Remove;
        }
        let keys_kept = || {
            self.groups
                .lines(g)
                .zip(self.elements(g))
                .all(|(i, e)| same_key(&e.key, &self.lines[i].key, name))
        };
        if self.same_values(g) && keys_kept() {
            Fate::Keep
        } else {
            Fate::Replace
        }
    }

    /// Writes a group's new lines. A value that was left alone keeps its original bytes (LE-236).
    fn replace(&self, g: usize, out: &mut HeaderLines) -> Result<(), Violation> {
        let name = self.name(g);
        if self.groups.is_joined(g, self.lines) && self.same_values(g) {
            // Only the casing changed: the separate cookie lines stay.
            let key = self
                .elements(g)
                .next()
                .map_or_else(Bytes::new, |e| key_of(&e.key, name));
            out.extend(self.groups.lines(g).map(|i| HeaderLine {
                key: key.clone(),
                ..self.lines[i].clone()
            }));
            return Ok(());
        }
        // Only values that are not UTF-8 differ from their text, so only those are looked up.
        let foreign: HashMap<Cow<'_, str>, &HeaderValue> = self
            .groups
            .lines(g)
            .map(|i| &self.lines[i].value)
            .filter(|v| std::str::from_utf8(v.as_bytes()).is_err())
            .map(|v| (text_of(v.as_bytes()), v))
            .collect();
        for element in self.elements(g) {
            let value = match foreign.get(&*element.value) {
                Some(&original) => original.clone(),
                None => value_of(name, &element.value)?,
            };
            out.push(HeaderLine {
                name: name.clone(),
                key: key_of(&element.key, name),
                value,
            });
        }
        Ok(())
    }

    fn warn_about_keys(&self, warnings: &mut Warnings) {
        for entry in &self.raw.entries {
            for element in &self.raw.elements[entry.elements.clone()] {
                if is_foreign_key(&element.key, &entry.name) {
                    warnings.push("LE-200", || {
                        format!(
                            "header `{}` has a `key` of another name; its own name is used",
                            printable(&entry.name)
                        )
                    });
                }
            }
        }
    }

    /// Names in the result that the function was not shown. An empty array is no header (LE-203).
    fn added(&self) -> impl Iterator<Item = &HeaderName> {
        self.raw
            .entries
            .iter()
            .zip(&self.entries)
            .filter(|(raw, _)| !raw.elements.is_empty())
            .filter_map(|(_, entry)| entry.name.as_ref())
    }

    fn name(&self, g: usize) -> &HeaderName {
        &self.lines[self.groups.first(g)].name
    }

    /// The result's lines for a group, over all entries of that name (LE-199).
    fn elements(&self, g: usize) -> impl Iterator<Item = &RawElement<'r>> {
        let mut at = self.heads[g];
        std::iter::from_fn(move || {
            (at != NONE).then(|| {
                let e = at as usize;
                at = self.entries[e].next;
                self.raw.elements[self.raw.entries[e].elements.clone()].iter()
            })
        })
        .flatten()
    }

    /// Whether the values are those that were shown: elements, order and count.
    fn same_values(&self, g: usize) -> bool {
        let mut given = self.elements(g);
        if self.groups.is_joined(g, self.lines) {
            let joined = self.groups.joined(g, self.lines);
            return given.next().is_some_and(|e| e.value == joined) && given.next().is_none();
        }
        for i in self.groups.lines(g) {
            let shown = self.lines[i].value.as_bytes();
            match given.next() {
                // Equal bytes are valid UTF-8, so they are their own text.
                Some(e) if e.value.as_bytes() == shown || *e.value == *text_of(shown) => {}
                _ => return false,
            }
        }
        given.next().is_none()
    }
}

/// The first thing wrong with a map's shape: check, rule, field, message.
pub(super) fn shape_fault(
    raw: &RawHeaders<'_>,
    at: &str,
) -> Option<(Check, &'static str, String, String)> {
    let fault = raw.fault.as_ref()?;
    let (check, rule, message) = match fault.what {
        HeaderFaultKind::Entry(kind) => (
            Check::HeaderShape,
            "LE-202",
            format!("must be an array of {{key, value}}, is {kind}"),
        ),
        HeaderFaultKind::Element(kind) => (
            Check::HeaderShape,
            "LE-202",
            format!("each element must be {{key, value}}, one is {kind}"),
        ),
        HeaderFaultKind::NoValue => (
            Check::HeaderShape,
            "LE-202",
            "an element has no `value`".to_owned(),
        ),
        HeaderFaultKind::Value(kind) => (
            Check::HeaderValue,
            "LE-201",
            format!("`value` must be a string or an array of strings, is {kind}"),
        ),
        HeaderFaultKind::TooMany => (
            Check::ResponseSize,
            "LE-225",
            format!("more than {} header lines", super::MAX_HEADER_LINES),
        ),
    };
    let field = if fault.name.is_empty() {
        at.to_owned()
    } else {
        format!("{at}.{}", lower(&fault.name))
    };
    Some((check, rule, field, message))
}

/// The first control character that a field value may not hold (LE-204).
pub(crate) fn control(value: &str) -> Option<u8> {
    if is_without_controls(value.as_bytes()) {
        return None;
    }
    value
        .bytes()
        .find(|&b| (b < 0x20 && b != b'\t') || b == 0x7f)
}

/// Lower case, borrowed when it already is.
pub(super) fn lower(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

/// Whether a `key` differs from its map name by more than case (LE-200).
fn is_foreign_key(key: &RawKey<'_>, name: &str) -> bool {
    match key {
        RawKey::Absent => false,
        RawKey::Given(key) => !key.eq_ignore_ascii_case(name),
        RawKey::Odd => true,
    }
}

/// Whether the casing asked for is the one the line has.
fn same_key(key: &RawKey<'_>, line: &Bytes, name: &HeaderName) -> bool {
    match key {
        RawKey::Given(key) if key.eq_ignore_ascii_case(name.as_str()) => key.as_bytes() == line,
        _ => canonical_key(name.as_str()).as_bytes() == line,
    }
}

/// The casing a line is sent in over HTTP/1.1 (LE-206): as given, else derived from the map name (LE-198,
/// LE-200).
fn key_of(key: &RawKey<'_>, name: &HeaderName) -> Bytes {
    match key {
        RawKey::Given(key) if key.eq_ignore_ascii_case(name.as_str()) => {
            Bytes::copy_from_slice(key.as_bytes())
        }
        _ => Bytes::from(canonical_key(name.as_str())),
    }
}

fn value_of(name: &HeaderName, value: &str) -> Result<HeaderValue, Violation> {
    HeaderValue::from_bytes(value.as_bytes()).map_err(|_| {
        Violation::new(
            Check::HeaderChar,
            "LE-204",
            format!("headers.{name}"),
            "the value holds a character that no field value may hold",
        )
    })
}
