//! `Vary` as a secondary key (CF-824, RFC 9111 section 4.1). Mode `rfc9111` only: in mode
//! `cloudfront` the policy's key alone selects (CF-312).
//!
//! The entry under the primary key says which fields its responses vary on; the entry under
//! [`super::CacheKey::with_variant`] is the response. How many variants one key may have is the
//! store's to bound; how many fields one `Vary` may name is bounded here.

use http::{HeaderMap, HeaderName, header};
use smallvec::SmallVec;

use super::{
    HashSink, KeySecret,
    walk::{Part, Sink},
};
use crate::policy::end_of_member;

/// A response that varies on more fields than this is treated as one that varies on everything.
pub const MAX_VARY_FIELDS: usize = 16;

/// Which of a response's variants a request selects.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct VariantKey([u8; 16]);

impl VariantKey {
    /// The key as bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// What a response's `Vary` means for a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Variance {
    /// It does not vary: the primary key is enough.
    Invariant,
    /// It varies, and this is the request's variant.
    Variant(VariantKey),
    /// No request selects it again: `*`, too many fields, or a field that cannot be read.
    Never,
}

/// The variant of `request` under the `Vary` of `response`.
///
/// `request` has the fields **as the origin gets them**: a field that is removed or normalised on the
/// way cannot have made a difference, and does not split the cache. Its order and the case and order
/// of names in `Vary` do not matter; a missing field differs from an empty one. Values are compared after the
/// normalisation that RFC 9111 section 4.1 allows: lines are one list, space around its commas does not matter, and in
/// `Accept-Language` neither case nor any space does. The order of members is kept: an origin may take it for a
/// preference (RFC 9110 section 12.5.4).
pub fn vary_key(secret: &KeySecret, response: &HeaderMap, request: &HeaderMap) -> Variance {
    let Some(fields) = vary_fields(response) else {
        return Variance::Never;
    };
    if fields.is_empty() {
        return Variance::Invariant;
    }
    let mut hash = HashSink::new(secret);
    for name in &fields {
        selecting_field(request, name, &mut hash);
    }
    // Which fields were asked for is part of the answer, or two different `Vary` that find the same
    // fields present would share a variant.
    for name in &fields {
        hash.bytes(name.as_str().as_bytes());
        hash.end(Part::HeaderName);
    }
    hash.end(Part::Variant);
    Variance::Variant(VariantKey(*hash.finish().as_bytes()))
}

/// One field that selects, its members separated by single commas; nothing when it is absent.
fn selecting_field(request: &HeaderMap, name: &HeaderName, hash: &mut HashSink) {
    let mut lines = request.get_all(name).iter().peekable();
    if lines.peek().is_none() {
        return;
    }
    hash.bytes(name.as_str().as_bytes());
    hash.end(Part::HeaderName);
    let language = *name == header::ACCEPT_LANGUAGE;
    for line in lines {
        for member in Members(line.as_bytes()) {
            if !language {
                hash.bytes(member);
            } else if !member
                .iter()
                .any(|b| b.is_ascii_uppercase() || b.is_ascii_whitespace())
            {
                // What browsers send.
                hash.bytes(member);
            } else {
                let normal: SmallVec<[u8; 32]> = member
                    .iter()
                    .filter(|b| !b.is_ascii_whitespace())
                    .map(u8::to_ascii_lowercase)
                    .collect();
                hash.bytes(&normal);
            }
            hash.bytes(b",");
        }
    }
    hash.end(Part::HeaderValue);
}

/// The members of a list, without the space around them and without empty ones (RFC 9110 section 5.6.1). A comma in a
/// quoted string separates nothing.
struct Members<'a>(&'a [u8]);

impl<'a> Iterator for Members<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while !self.0.is_empty() {
            let end = end_of_member(self.0);
            let member = self.0[..end].trim_ascii();
            self.0 = self.0.get(end + 1..).unwrap_or_default();
            if !member.is_empty() {
                return Some(member);
            }
        }
        None
    }
}

/// The names in `Vary`, lower case, sorted, each once. `None` when no request can match.
pub fn vary_fields(response: &HeaderMap) -> Option<SmallVec<[HeaderName; 4]>> {
    let mut fields = SmallVec::new();
    for line in response.get_all(header::VARY) {
        for name in line.as_bytes().split(|b| *b == b',') {
            let name = name.trim_ascii();
            if name.is_empty() {
                continue;
            }
            if name == b"*" {
                return None;
            }
            let name = HeaderName::from_bytes(name).ok()?;
            if fields.contains(&name) {
                continue;
            }
            if fields.len() == MAX_VARY_FIELDS {
                return None;
            }
            fields.push(name);
        }
    }
    fields.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
    Some(fields)
}
