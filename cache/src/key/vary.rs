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
    walk::{Part, Sink, field},
};

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
/// of names in `Vary` do not matter; a missing field differs from an empty one.
pub fn vary_key(secret: &KeySecret, response: &HeaderMap, request: &HeaderMap) -> Variance {
    let Some(fields) = vary_fields(response) else {
        return Variance::Never;
    };
    if fields.is_empty() {
        return Variance::Invariant;
    }
    let mut hash = HashSink::new(secret);
    for name in &fields {
        field(request, name.as_str(), &mut hash);
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

/// The names in `Vary`, lower case, sorted, each once. `None` when no request can match.
fn vary_fields(response: &HeaderMap) -> Option<SmallVec<[HeaderName; 4]>> {
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
