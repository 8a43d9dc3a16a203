//! What else may answer a request under whose key nothing is stored: the answer to an earlier HEAD, for HEAD (CF-529), and what
//! is stored for viewers that take one of the codings which this one takes both of (CF-208).
//!
//! It answers while it is fresh and is good for nothing else: whoever asks the origin stores what comes under its own key.

use fourfront_cache::key::CacheKey;
use pingora::{
    Result,
    cache::{CacheKey as PingoraKey, CacheMeta, storage::HitHandler},
};

use super::{Adapter, StoredFacts, bodies::head_hit, our_key};
use crate::pingora::viewer_side::pingora_key;

/// Where else to look; an extension of Pingora's key.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::pingora) struct Beside {
    /// The keys of viewers that take one coding alone, in the order in which they are tried.
    pub(in crate::pingora) codings: Option<[CacheKey; 2]>,
    /// Whether the request is for a head.
    pub(in crate::pingora) head: bool,
}

/// Marks a record that is not the one of the request's own key; an extension of Pingora's record.
#[derive(Clone, Copy, Debug)]
pub(in crate::pingora) struct Borrowed;

/// The key of the answer to HEAD for an object of which nothing else is stored. Keys are hashes with a secret, so nobody can
/// make another one meet it.
pub(super) fn head_only_key(key: &CacheKey) -> CacheKey {
    CacheKey::from_bytes(key.as_bytes().map(|byte| byte ^ 0x68))
}

fn is_whole(meta: &CacheMeta) -> bool {
    StoredFacts::of(meta).is_some_and(|stored| stored.layout.is_none() && !stored.is_gone())
}

impl Adapter {
    /// What is found elsewhere.
    pub(super) async fn beside(
        &'static self,
        key: &PingoraKey,
    ) -> Result<Option<(CacheMeta, HitHandler)>> {
        let Some(beside) = key.extensions.get::<Beside>() else {
            return Ok(None);
        };
        let mut found = None;
        for other in beside.codings.iter().flatten() {
            let mut other = pingora_key(other);
            if let Some(variant) = key.get_variance_key() {
                other.set_variance_key(*variant);
            }
            // What is stored in segments is fetched by its own key alone.
            found = self.hit(&other).await?.filter(|(meta, _)| is_whole(meta));
            if found.is_some() {
                break;
            }
        }
        if found.is_none() && beside.head {
            let object = self.tier.stored(&head_only_key(&our_key(key)));
            found = object.map(|object| head_hit(&object)).transpose()?;
        }
        if let Some((meta, _)) = &mut found {
            meta.extensions_mut().insert(Borrowed);
        }
        Ok(found)
    }
}
