//! What is stored, for `explain` (CP-606): looked at without being used, so that who asks changes neither counts nor what is
//! kept.

use std::sync::Arc;

use fourfront_cache::key::CacheKey;
use pingora::cache::key::HashBinary;

use super::{CacheStorage, Head, beside::head_only_key, our_key};
use crate::pingora::viewer_side::pingora_key;

/// Where a copy is, in the order in which requests look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tier {
    /// On its way from the origin: its head is there.
    Arriving,
    /// Complete in memory.
    Memory,
    /// Complete on disk.
    Disk,
}

/// One copy of a response.
#[derive(Clone)]
pub(in crate::pingora) struct StoredCopy {
    pub(in crate::pingora) tier: Tier,
    pub(in crate::pingora) key: CacheKey,
    pub(in crate::pingora) head: Arc<Head>,
    /// Length of its body in bytes, when it is known.
    pub(in crate::pingora) length: Option<u64>,
}

impl CacheStorage {
    /// What is in memory under a primary key: the response there and those of all variants. Looks at every object.
    pub(in crate::pingora) fn variants_in_memory(&self, primary: &CacheKey) -> Vec<StoredCopy> {
        let found = self.adapter.tier.survey(|key, object| {
            key == primary
                || object
                    .head()
                    .variance()
                    .is_some_and(|variant| slot(primary, variant) == *key)
        });
        let copies = found.into_iter().map(|(key, object)| StoredCopy {
            tier: Tier::Memory,
            key,
            head: object.head().clone(),
            length: Some(object.head().length(object.body().len())),
        });
        copies.collect()
    }

    /// What answers HEAD and nothing else under a key, where nothing is stored for GET (CF-529).
    pub(in crate::pingora) fn head_only(&self, key: &CacheKey) -> Option<StoredCopy> {
        let key = head_only_key(key);
        let object = self.adapter.tier.survey(|stored, _| *stored == key).pop();
        object.map(|(_, object)| StoredCopy {
            tier: Tier::Memory,
            key,
            head: object.head().clone(),
            length: None,
        })
    }

    /// What is arriving under a key.
    pub(in crate::pingora) fn arriving(&self, key: &CacheKey) -> Option<StoredCopy> {
        let (head, length) = self.adapter.tier.arriving(key)?;
        Some(StoredCopy {
            tier: Tier::Arriving,
            key: *key,
            head,
            length,
        })
    }

    /// What is on disk under a key.
    pub(in crate::pingora) async fn peek_disk(&self, key: &CacheKey) -> Option<StoredCopy> {
        let found = self.adapter.disk.as_ref()?.peek(key).await?;
        Some(StoredCopy {
            tier: Tier::Disk,
            key: *key,
            length: Some(found.head.length(found.length)),
            head: Arc::new(found.head),
        })
    }
}

/// The key under which a variant is stored that is not under the primary key itself.
pub(in crate::pingora) fn slot(primary: &CacheKey, variant: HashBinary) -> CacheKey {
    let mut key = pingora_key(primary);
    key.set_variance_key(variant);
    our_key(&key)
}
