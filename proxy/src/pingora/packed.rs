//! Status and fields of a stored response in one piece of memory: the bytes a hit writes, and where each field is in them.
//!
//! A million small objects have a million heads, and Pingora's form of one takes thirty times the bytes of its text: two
//! tables of names, and the buffer it was read into, which it keeps slices of. So that form is made when a request goes
//! through Pingora, the lines for functions when one runs, and both borrow from the text.

use std::cell::Cell;

use bytes::Bytes;
use fourfront_model::{HeaderLine, HeaderLines};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use pingora::http::{HeaderNameVariant, ResponseHeader};

use super::{
    direct::{is_own, put_field, put_status},
    headers::{Head as _, append_lines},
};
use crate::flow::{NodeFault, reason};

#[cfg(test)]
mod tests;

/// What stands before the phrase of a status line, status and spaces included.
const PHRASE: usize = "HTTP/1.1 200 ".len();
const LINE_END: usize = "\r\n".len();
const SEPARATOR: usize = ": ".len();

/// Fields of a head, far more than Pingora reads. The tables of fields panic when they are asked for more room than they
/// can have, so there must be an end below that.
const MOST_FIELDS: usize = 10_000;

/// A head. Clones share its bytes.
#[derive(Clone, Debug)]
pub(super) struct Packed {
    /// The status line and a line for each field, each with its end.
    text: Bytes,
    fields: Box<[Field]>,
    status: StatusCode,
    /// Whether every field is written to every viewer, but for those that a site hides.
    is_plain: bool,
    /// Of the fields that are written.
    has: Has,
    has_vary: bool,
    has_cache_status: bool,
}

/// A field: where its line begins in the text, how long its name is, and who gets it. It ends where the next one begins.
#[derive(Clone, Copy, Debug)]
struct Field {
    start: u32,
    name: u16,
    shown: Shown,
}

/// Who gets a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// Viewers and functions.
    Always,
    /// Functions, since the node writes one of its own (CF-500..505).
    ToFunctions,
    /// Neither: it was the first viewer's alone (CF-246, CF-308, CF-836), or says what the node says itself, as `Age`.
    Never,
}

/// Which fields are there that the node otherwise adds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Has {
    /// `Server`, which stays the origin's (CF-509).
    pub(super) server: bool,
    /// `Date`, which stays (CF-320).
    pub(super) date: bool,
    /// `Content-Length`; a body that came without one has one in the cache (CF-536).
    pub(super) length: bool,
}

impl Has {
    /// Notes a further field. The name's case does not matter.
    pub(super) fn note(&mut self, name: &[u8]) {
        let is = |other: &HeaderName| name.eq_ignore_ascii_case(other.as_str().as_bytes());
        self.server |= is(&header::SERVER);
        self.date |= is(&header::DATE);
        self.length |= is(&header::CONTENT_LENGTH);
    }
}

impl Packed {
    /// Of Pingora's form, of which only the first viewer gets the fields `unshared`. `None` for one that is larger than
    /// any that an origin may send.
    pub(super) fn of(header: &ResponseHeader, unshared: &[HeaderName]) -> Option<Self> {
        let mut packing = Packing::new(header.status, header.get_reason_phrase(), unshared);
        let mut fits = true;
        header.visit(|name, value| {
            let name = match name {
                HeaderNameVariant::Case(case) => case.as_slice(),
                HeaderNameVariant::Titled(titled) => titled.as_bytes(),
            };
            fits &= packing.add(name, value).is_some();
        });
        fits.then(|| packing.finish())
    }

    /// Bytes that such a head is going to take on the heap.
    pub(super) fn weight_of(header: &ResponseHeader) -> usize {
        let lines = header.headers.iter().map(|(name, value)| {
            name.as_str().len() + SEPARATOR + value.len() + LINE_END + size_of::<Field>()
        });
        PHRASE + 2 * LINE_END + SHARING + lines.sum::<usize>()
    }

    /// Bytes it takes on the heap.
    pub(super) fn weight(&self) -> usize {
        self.text.len() + size_of_val(&*self.fields) + SHARING
    }

    /// Status code.
    pub(super) const fn status(&self) -> StatusCode {
        self.status
    }

    /// What the status line says beside the code.
    pub(super) fn description(&self) -> &str {
        let end = self.line_start(0) - LINE_END;
        let phrase = self.text.get(PHRASE..end).unwrap_or_default();
        std::str::from_utf8(phrase).unwrap_or_default()
    }

    /// Names in the casing received and values of all fields, in order.
    pub(super) fn fields(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> {
        (0..self.fields.len()).map(|index| {
            let (name, value) = self.places(index);
            (&self.text[name], &self.text[value])
        })
    }

    /// Whether one of them is the origin's `Cache-Status`, which not every distribution overwrites.
    pub(super) const fn has_cache_status(&self) -> bool {
        self.has_cache_status
    }

    /// Whether viewers get a field of that name.
    pub(super) fn shows(&self, name: &HeaderName) -> bool {
        let mut shown = self.fields.iter().enumerate();
        shown.any(|(at, f)| f.shown == Shown::Always && self.is_named(at, name.as_str()))
    }

    /// Writes status line and fields for a viewer: without those that the node writes, and without those named `hidden`,
    /// in lower case (CF-675). Says which are among them.
    pub(super) fn put(&self, out: &mut Vec<u8>, hidden: &[impl AsRef<str>]) -> Has {
        if hidden.is_empty() && self.is_plain {
            out.extend_from_slice(&self.text);
            return self.has;
        }
        self.put_but(out, |name| is_any(name, hidden))
    }

    /// The same, without the fields that `goes` names, in the casing received (CF-553).
    pub(super) fn put_but(&self, out: &mut Vec<u8>, goes: impl Fn(&[u8]) -> bool) -> Has {
        let mut names = (0..self.fields.len()).map(|index| self.places(index).0);
        if self.is_plain && !names.any(|name| goes(&self.text[name])) {
            out.extend_from_slice(&self.text);
            return self.has;
        }
        let mut has = Has::default();
        out.extend_from_slice(&self.text[..self.line_start(0)]);
        for (index, field) in self.fields.iter().enumerate() {
            let line = self.line_start(index)..self.line_start(index + 1);
            let line = &self.text[line];
            let name = &line[..usize::from(field.name)];
            if field.shown == Shown::Always && !goes(name) {
                out.extend_from_slice(line);
                has.note(name);
            }
        }
        has
    }

    /// The fields as functions see them, without those named `hidden`, in lower case, and without `Age`. There is room
    /// for `more`.
    pub(super) fn lines(&self, hidden: &[impl AsRef<str>], more: usize) -> HeaderLines {
        let mut lines = HeaderLines::with_capacity(self.fields.len() + more);
        for (index, field) in self.fields.iter().enumerate() {
            if field.shown != Shown::Never
                && let Some(line) = self.line(index)
                && !is_any(line.name.as_str().as_bytes(), hidden)
            {
                lines.push(line);
            }
        }
        lines
    }

    /// All fields as a table. It is made for each call.
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in (0..self.fields.len()).filter_map(|index| self.line(index)) {
            // As many as there were in the table they came from.
            let _ = headers.try_append(line.name, line.value);
        }
        headers
    }

    /// Pingora's form. It is made for each call.
    ///
    /// # Errors
    /// For more fields than that can have.
    pub(super) fn header(&self) -> Result<ResponseHeader, NodeFault> {
        let failed = |_| NodeFault::Header(ResponseHeader::KIND);
        let size = Some(self.fields.len());
        let mut header = ResponseHeader::build(self.status, size).map_err(failed)?;
        let lines: HeaderLines = (0..self.fields.len())
            .filter_map(|index| self.line(index))
            .collect();
        append_lines(&mut header, &lines)?;
        let phrase = self.description();
        if phrase != reason(self.status.as_u16()) {
            header.set_reason_phrase(Some(phrase)).map_err(failed)?;
        }
        Ok(header)
    }

    /// Calls `ask` with a table of nothing but `Vary`. Most objects of a site have none, or the same one as the object
    /// before: the table is kept by the thread.
    pub(super) fn with_vary<T>(&self, ask: impl FnOnce(&HeaderMap) -> T) -> T {
        thread_local! {
            static LAST: Cell<Option<(Bytes, HeaderMap)>> = const { Cell::new(None) };
        }
        if !self.has_vary {
            return ask(&HeaderMap::new());
        }
        let mut vary = (0..self.fields.len()).filter(|index| self.is_named(*index, "vary"));
        let (first, None) = (vary.next().unwrap_or_default(), vary.next()) else {
            return ask(&self.headers());
        };
        let (_, value) = self.places(first);
        let value = &self.text[value];
        let (kept, table) = match LAST.take().filter(|(kept, _)| kept == value) {
            Some(last) => last,
            None => {
                let kept = Bytes::copy_from_slice(value);
                let mut table = HeaderMap::with_capacity(1);
                if let Ok(value) = HeaderValue::from_maybe_shared(kept.clone()) {
                    table.insert(header::VARY, value);
                }
                (kept, table)
            }
        };
        let answer = ask(&table);
        LAST.set(Some((kept, table)));
        answer
    }

    /// Where the line of a field begins, or the text ends.
    fn line_start(&self, index: usize) -> usize {
        match self.fields.get(index) {
            Some(field) => field.start as usize,
            None => self.text.len(),
        }
    }

    /// Where name and value of a field are.
    fn places(&self, index: usize) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
        let start = self.line_start(index);
        let name = self.fields.get(index).map_or(0, |f| usize::from(f.name));
        let value = start + name + SEPARATOR..self.line_start(index + 1) - LINE_END;
        (start..start + name, value)
    }

    fn line(&self, index: usize) -> Option<HeaderLine> {
        let (name, value) = self.places(index);
        let key = self.text.slice(name);
        Some(HeaderLine {
            name: HeaderName::from_bytes(&key).ok()?,
            key,
            value: HeaderValue::from_maybe_shared(self.text.slice(value)).ok()?,
        })
    }

    fn is_named(&self, index: usize, name: &str) -> bool {
        let (place, _) = self.places(index);
        place.len() == name.len() && self.text[place].eq_ignore_ascii_case(name.as_bytes())
    }
}

/// What sharing the text takes, once somebody has a slice of it.
const SHARING: usize = 32;

fn is_any(name: &[u8], names: &[impl AsRef<str>]) -> bool {
    let mut names = names.iter().map(|name| name.as_ref().as_bytes());
    names.any(|other| name.eq_ignore_ascii_case(other))
}

/// A head that is being packed.
///
/// INVARIANT: `text` is a status line and the lines of `fields`, in which names and values are valid: [`Packed`] takes
/// them apart at their lengths.
pub(super) struct Packing<'a> {
    status: StatusCode,
    unshared: &'a [HeaderName],
    text: Vec<u8>,
    fields: Vec<Field>,
    has: Has,
    has_vary: bool,
    has_cache_status: bool,
}

impl<'a> Packing<'a> {
    /// Begins with a status line. A phrase with control characters is replaced by the usual one.
    pub(super) fn new(
        status: StatusCode,
        phrase: Option<&str>,
        unshared: &'a [HeaderName],
    ) -> Self {
        let mut text = Vec::with_capacity(1024);
        put_status(&mut text, status.as_u16(), phrase);
        Self {
            status,
            unshared,
            text,
            fields: Vec::with_capacity(16),
            has: Has::default(),
            has_vary: false,
            has_cache_status: false,
        }
    }

    /// Adds a field. `None` for a name that is none, and when there is no more room.
    pub(super) fn add(&mut self, key: &[u8], value: &HeaderValue) -> Option<()> {
        if self.fields.len() == MOST_FIELDS {
            return None;
        }
        let name = HeaderName::from_bytes(key).ok()?;
        let shown = match () {
            () if name == header::AGE || self.unshared.contains(&name) => Shown::Never,
            () if is_own(&name) => Shown::ToFunctions,
            () => Shown::Always,
        };
        self.fields.push(Field {
            start: u32::try_from(self.text.len()).ok()?,
            name: u16::try_from(key.len()).ok()?,
            shown,
        });
        put_field(&mut self.text, key, value.as_bytes());
        if shown == Shown::Always {
            self.has.note(key);
        }
        self.has_vary |= name == header::VARY;
        self.has_cache_status |= name.as_str() == "cache-status";
        Some(())
    }

    /// The head, in as many bytes as it has.
    pub(super) fn finish(self) -> Packed {
        Packed {
            text: Bytes::copy_from_slice(&self.text),
            is_plain: self.fields.iter().all(|f| f.shown == Shown::Always),
            fields: self.fields.as_slice().into(),
            status: self.status,
            has: self.has,
            has_vary: self.has_vary,
            has_cache_status: self.has_cache_status,
        }
    }
}
