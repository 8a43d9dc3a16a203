//! How many variants of one key are kept (CF-824).
//!
//! A response that varies is stored under the primary key when it is the first, and under a key of its own otherwise
//! ([`crate::key::vary_key`]). Nothing in the tiers says which of those belong together, and what viewers send decides how many
//! there are: an origin that varies by `User-Agent` would fill the cache with one page. So the last uses of each key's
//! variants are noted here, and the one that has not been used for longest has to go when there would be too many.
//!
//! What is noted is bounded, too ([`MOST_NOTED`] variants in all), and is forgotten with the process. A variant that
//! is stored and not noted is noted again when it is used; until then it does not count. So the bound holds for the variants
//! in use, while a disk tier may hold further ones from before a restart, for as long as nobody asks for them.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::key::CacheKey;

/// Variants that are noted at most, of all keys: about 4 MiB.
pub const MOST_NOTED: usize = SHARDS * 2 * LAYER;
const SHARDS: usize = 16;
/// Variants in one layer of a shard.
const LAYER: usize = 4_096;

/// A variant: what a request's selecting fields hash to.
pub type Variant = [u8; 16];

/// The variants of a key besides the one under the key itself, the one that was used last at the end.
type Family = Vec<Variant>;

/// The variants in use of every key.
#[derive(Debug)]
pub struct Variants {
    shards: Box<[Mutex<Shard>]>,
}

/// Keys that were used lately, and those before. When the young layer is full, the old one is let go.
#[derive(Debug, Default)]
struct Shard {
    young: HashMap<CacheKey, Family>,
    old: HashMap<CacheKey, Family>,
    /// Variants in `young`.
    noted: usize,
}

impl Default for Variants {
    fn default() -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default());
        Self {
            shards: shards.collect(),
        }
    }
}

impl Variants {
    /// Notes that a variant was stored beside the one under the primary key `key`, or used there. Returns the one that is
    /// to be removed for it, where there would be more than `most` in all.
    pub fn used(&self, key: &CacheKey, variant: Variant, most: usize) -> Option<Variant> {
        // Keys are hashes, so any byte is as good as another.
        let shard = &self.shards[usize::from(key.as_bytes()[0]) % SHARDS];
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        shard.used(key, variant, most)
    }
}

impl Shard {
    fn used(&mut self, key: &CacheKey, variant: Variant, most: usize) -> Option<Variant> {
        if let Some(family) = self.old.remove(key) {
            self.noted += family.len();
            self.young.insert(*key, family);
        }
        let family = self.young.entry(*key).or_default();
        match family.iter().position(|known| *known == variant) {
            Some(at) => family[at..].rotate_left(1),
            None => {
                family.push(variant);
                self.noted += 1;
            }
        }
        // One is under the key itself.
        let gone = (family.len() >= most.max(2)).then(|| family.remove(0));
        self.noted -= usize::from(gone.is_some());
        if self.noted > LAYER {
            self.old = std::mem::take(&mut self.young);
            self.noted = 0;
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u32) -> CacheKey {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&n.to_le_bytes());
        CacheKey::from_bytes(bytes)
    }

    fn variant(n: u32) -> Variant {
        *key(n).as_bytes()
    }

    #[test]
    fn the_variant_that_was_not_used_for_longest_goes() {
        // CF-824
        let variants = Variants::default();
        let used = |n| variants.used(&key(1), variant(n), 4);
        // One more is under the key itself.
        assert_eq!([1, 2, 3].map(used), [None; 3]);
        assert_eq!(used(1), None);
        assert_eq!(used(4), Some(variant(2)));
        assert_eq!(used(3), None);
        assert_eq!(used(5), Some(variant(1)));
        assert_eq!(used(2), Some(variant(4)));
        assert_eq!([5, 2, 3].map(used), [None; 3]);
        // Each key has its own.
        assert_eq!(variants.used(&key(2), variant(1), 4), None);
    }

    #[test]
    fn a_smaller_bound_takes_effect_one_by_one() {
        // CF-824: after a reload
        let variants = Variants::default();
        for n in 0..10 {
            assert_eq!(variants.used(&key(1), variant(n), 100), None);
        }
        let gone: Vec<_> = (0..3)
            .filter_map(|_| variants.used(&key(1), variant(9), 5))
            .collect();
        assert_eq!(gone, [0, 1, 2].map(variant));
    }

    #[test]
    fn what_is_noted_is_bounded() {
        // CF-824
        let variants = Variants::default();
        for n in 0..200_000 {
            variants.used(&key(n), variant(n), 100);
            // Used all the time, so it stays noted.
            variants.used(&key(7), variant(n % 3), 100);
        }
        let noted =
            |family: &HashMap<CacheKey, Family>| -> usize { family.values().map(Vec::len).sum() };
        let mut all = 0;
        for shard in &variants.shards {
            let shard = shard.lock().unwrap();
            assert_eq!(shard.noted, noted(&shard.young));
            all += noted(&shard.young) + noted(&shard.old);
        }
        assert!(all <= MOST_NOTED + SHARDS, "{all}");
        // The first that was noted of it.
        assert_eq!(variants.used(&key(7), variant(4), 4), Some(variant(7)));
    }
}
