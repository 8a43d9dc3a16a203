//! Stored heads as bytes, for the tier that outlives the process.
//!
//! What cannot be read back is a miss and never an error: another version of the node may have written it, and the format
//! says no more than its number.

use std::time::SystemTime;

use bytes::Bytes;
use fourfront_cache::{
    policy::Freshness,
    purge::{Invalidations, Stamp},
    segments::Layout,
};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use super::{
    packed::Packing,
    storage::{Head, StoredFacts},
};
use crate::flow::compression::Compressed;

#[cfg(test)]
pub(super) mod tests;

/// The first byte. To be raised with every change of [`Kept`] or of what is in it.
const FORMAT: u8 = 3;

/// What is kept of a head.
#[derive(Serialize, Deserialize)]
struct Kept<'a> {
    created: SystemTime,
    variance: Option<[u8; 16]>,
    status: u16,
    reason: Option<&'a str>,
    /// Names in the casing received, and values.
    #[serde(borrow)]
    fields: Vec<(&'a [u8], &'a [u8])>,
    freshness: Freshness,
    #[serde(borrow)]
    unshared: Vec<&'a str>,
    stamp: &'a [u8],
    layout: Option<Layout>,
    /// The origin's tag of a body that the node has compressed, if it gave one.
    #[serde(borrow)]
    compressed: Option<Option<&'a [u8]>>,
}

/// The bytes of a head. `None` for one that is not to outlive the process: the record of a failure, or of an error without its
/// body.
pub(super) fn encode(head: &Head) -> Option<Bytes> {
    let facts = head.facts();
    if facts.fault.is_some() || facts.has_no_body {
        return None;
    }
    let packed = head.packed();
    let mut stamp = Vec::with_capacity(128);
    facts.stamp.encode(&mut stamp);
    let kept = Kept {
        created: head.created(),
        variance: head.variance(),
        status: packed.status().as_u16(),
        reason: Some(packed.description()),
        fields: packed.fields().collect(),
        freshness: facts.kept_freshness(),
        unshared: facts.unshared.iter().map(HeaderName::as_str).collect(),
        stamp: &stamp,
        layout: facts.layout,
        compressed: facts
            .compressed
            .as_ref()
            .map(|c| c.origin_etag.as_ref().map(HeaderValue::as_bytes)),
    };
    let out = vec![FORMAT];
    postcard::to_extend(&kept, out).ok().map(Bytes::from)
}

/// The head that was written. Whether something has invalidated it since is for its stamp to say (CF-660, CF-661).
pub(super) fn decode(bytes: &[u8], invalidations: &Invalidations) -> Option<Head> {
    let (&FORMAT, bytes) = bytes.split_first()? else {
        return None;
    };
    let kept: Kept<'_> = postcard::from_bytes(bytes).ok()?;
    let (stamp, _) = Stamp::decode(kept.stamp, invalidations)?;
    let unshared = kept
        .unshared
        .iter()
        .map(|name| HeaderName::from_bytes(name.as_bytes()).ok())
        .collect::<Option<Vec<_>>>()?;
    // Pingora writes it as it is.
    let is_sound = |phrase: &str| !phrase.bytes().any(|b| b.is_ascii_control() && b != b'\t');
    if !kept.reason.is_none_or(is_sound) {
        return None;
    }
    let status = StatusCode::from_u16(kept.status).ok()?;
    let compressed = match kept.compressed {
        None => None,
        Some(etag) => Some(Compressed {
            origin_etag: match etag {
                None => None,
                Some(etag) => Some(HeaderValue::from_bytes(etag).ok()?),
            },
        }),
    };
    let mut packing = Packing::new(status, kept.reason, &unshared);
    for (key, value) in kept.fields {
        packing.add(key, &HeaderValue::from_bytes(value).ok()?)?;
    }
    Some(Head {
        packed: packing.finish(),
        facts: StoredFacts::new(kept.freshness, unshared, stamp)
            .with_layout(kept.layout)
            .with_compressed(compressed),
        created: kept.created,
        variance: kept.variance,
    })
}
