//! Who fetches, who waits for it, and who fetches alone (CF section 4.7).
//!
//! Requests that miss the same key are one fetch: the first holds the key's lock, the others wait for what it brings. That
//! helps only where what it brings is for all of them. An answer that may not be stored is the leader's alone, and one that
//! must be validated by each use is asked about by each anyway; whoever had to wait for such an answer would have lost the time
//! (CF-402, CF-407), and whoever comes next would wait for that one in turn. So keys with such answers are remembered for a while,
//! and their requests wait for nobody: each fetches at once. An answer that is stored and good for more than one
//! use ends it.
//!
//! Pingora looks a key up before it asks for its lock, and what another request brings may come in between. So whoever is about to
//! lead is sent to look again when something has come.
//!
//! HEAD is never led by: it brings no body that could be stored. It waits for a GET that is under way, as that
//! brings what it asks for.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use http::Extensions;
use parking_lot::Mutex;
use pingora::cache::{
    CacheKey as PingoraKey,
    key::CacheHashKey as _,
    lock::{CacheKeyLock, LockStatus, LockStub, Locked, WritePermit},
};

use super::error_page::STORED_WITHOUT_BODY;

/// How long a key is remembered; then one request finds out again, for all that come meanwhile.
const ALONE_FOR: Duration = Duration::from_secs(120);
/// Keys that can be remembered; a power of two. 512 KiB.
const SLOTS: usize = 1 << 16;
const SHARDS: usize = 16;

/// What a key's answers are good for, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sharing {
    /// One fetch serves all: what it brings is stored, and fresh for a while or served while it is refreshed.
    Shared,
    /// It is stored, and validated by each use.
    Validated,
    /// It is not stored.
    Unshared,
}

/// The fetches that are under way, and the keys that are fetched alone.
#[derive(Debug)]
pub(super) struct Collapse {
    shards: Box<[Mutex<HashMap<u128, LockStub>>]>,
    alone: Alone,
    began: Instant,
    /// After so long a fetch does not keep others from trying (CF-405).
    limit: Duration,
    /// Whether something answers under a key that a look-up has not found, or has not let answer.
    has_come: HasCome,
}

/// See [`Collapse`].
struct HasCome(Box<dyn Fn(&PingoraKey) -> bool + Send + Sync>);

impl std::fmt::Debug for HasCome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HasCome")
    }
}

impl Collapse {
    fn new(
        limit: Duration,
        has_come: impl Fn(&PingoraKey) -> bool + Send + Sync + 'static,
    ) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default());
        Self {
            shards: shards.collect(),
            alone: Alone::default(),
            began: Instant::now(),
            limit,
            has_come: HasCome(Box::new(has_come)),
        }
    }

    /// Remembers what became of an answer for a key.
    pub(super) fn note(&self, key: &PingoraKey, sharing: Sharing) {
        self.alone.note(number(key), sharing, self.began.elapsed());
    }

    fn shard(&self, key: u128) -> &Mutex<HashMap<u128, LockStub>> {
        // Keys are hashes, so any bits are as good as others.
        &self.shards[usize::try_from(key >> 124).unwrap_or(0) % SHARDS]
    }

    /// Whom a request would have to wait for.
    fn under_way(&self, key: u128) -> Option<Locked> {
        let shard = self.shard(key).lock();
        let stub = shard.get(&key)?;
        waits(stub).then(|| Locked::Read(stub.read_lock()))
    }

    /// The right to fetch without anybody being kept from it.
    fn alone(&self, stale: bool) -> Locked {
        let mut extensions = Extensions::new();
        extensions.insert(FetchesAlone);
        let (permit, _) = WritePermit::new(self.limit, stale, extensions);
        Locked::Write(permit)
    }
}

/// What becomes of those who wait when the cache takes no more of an answer.
fn status_of(reason: &str) -> LockStatus {
    match reason {
        // They find what they have waited for.
        STORED_WITHOUT_BODY => LockStatus::Done,
        _ => LockStatus::GiveUp,
    }
}

impl CacheKeyLock for Collapse {
    fn custom_lock_status(&self, reason: &'static str) -> LockStatus {
        status_of(reason)
    }

    fn lock(&self, looked_up: &PingoraKey, stale: bool) -> Locked {
        let key = number(looked_up);
        let alone = match self.alone.told(key, self.began.elapsed()) {
            // What is stored under it may be one that is served while one request refreshes it.
            Sharing::Unshared => !stale,
            Sharing::Validated => true,
            Sharing::Shared => false,
        };
        if alone {
            return self.alone(stale);
        }
        let mut shard = self.shard(key).lock();
        if let Some(stub) = shard.get(&key).filter(|stub| waits(stub)) {
            return Locked::Read(stub.read_lock());
        }
        let (mut permit, stub) = WritePermit::new(self.limit, stale, Extensions::new());
        // Under the lock, which whoever brings something lets go of after that can be found.
        if !stale && (self.has_come.0)(looked_up) {
            permit.unlock(LockStatus::Done);
            return Locked::Read(stub.read_lock());
        }
        shard.insert(key, stub);
        Locked::Write(permit)
    }

    fn release(&self, key: &PingoraKey, mut permit: WritePermit, reason: LockStatus) {
        if permit.extensions().get::<FetchesAlone>().is_some() {
            permit.unlock(reason);
        } else if permit.lock_status() == LockStatus::AgeTimeout {
            // Somebody else may hold the key by now.
            permit.unlock(LockStatus::AgeTimeout);
        } else {
            let key = number(key);
            let mut shard = self.shard(key).lock();
            permit.unlock(reason);
            // By now its status lets nobody wait; another one's would.
            if shard.get(&key).is_some_and(|stub| !waits(stub)) {
                shard.remove(&key);
            }
        }
    }
}

/// The same for HEAD.
#[derive(Debug)]
pub(super) struct HeadCollapse(pub(super) &'static Collapse);

impl CacheKeyLock for HeadCollapse {
    fn custom_lock_status(&self, reason: &'static str) -> LockStatus {
        status_of(reason)
    }

    fn lock(&self, key: &PingoraKey, stale: bool) -> Locked {
        if stale {
            // Of a stale object it can be the refresh (CF-257, CF-833).
            return self.0.lock(key, stale);
        }
        let under_way = self.0.under_way(number(key));
        under_way.unwrap_or_else(|| self.0.alone(stale))
    }

    fn release(&self, key: &PingoraKey, permit: WritePermit, reason: LockStatus) {
        self.0.release(key, permit, reason);
    }
}

/// On the permit of a request that nobody waits for.
#[derive(Clone, Copy, Debug)]
struct FetchesAlone;

/// Whether a request has to wait for that one: it has not ended, and has not taken too long.
fn waits(stub: &LockStub) -> bool {
    stub.read_lock().lock_status() == LockStatus::Waiting
}

fn number(key: &PingoraKey) -> u128 {
    u128::from_be_bytes(key.combined_bin())
}

/// The keys that are fetched alone: a table of fixed size. Of two keys for one slot the later one is remembered; not to be
/// remembered costs a wait.
///
/// A slot has a part of the key in its upper 40 bits, then one bit that says that what is stored is validated, and the second
/// until which it is remembered; zero for none.
#[derive(Debug)]
struct Alone(Box<[AtomicU64]>);

const VALIDATED: u64 = 1 << 23;
const SECONDS: u64 = VALIDATED - 1;

impl Default for Alone {
    fn default() -> Self {
        Self((0..SLOTS).map(|_| AtomicU64::new(0)).collect())
    }
}

impl Alone {
    fn slot(&self, key: u128) -> (&AtomicU64, u64) {
        let place = usize::try_from(key & (SLOTS as u128 - 1)).unwrap_or(0);
        let tag = u64::try_from(key >> 16 & (u128::from(u64::MAX) << 24 & u128::from(u64::MAX)));
        (&self.0[place], tag.unwrap_or(0))
    }

    fn note(&self, key: u128, sharing: Sharing, now: Duration) {
        let (slot, tag) = self.slot(key);
        // Nearly a hundred days; then the seconds begin anew, and some keys are remembered for another while.
        let until = (now + ALONE_FOR).as_secs() & SECONDS;
        let next = match sharing {
            Sharing::Shared => {
                let known = slot.load(Ordering::Relaxed);
                if known == 0 || known & !(VALIDATED | SECONDS) != tag {
                    return;
                }
                0
            }
            Sharing::Validated => tag | VALIDATED | until,
            Sharing::Unshared => tag | until,
        };
        slot.store(next, Ordering::Relaxed);
    }

    fn told(&self, key: u128, now: Duration) -> Sharing {
        let (slot, tag) = self.slot(key);
        let known = slot.load(Ordering::Relaxed);
        let until = known & SECONDS;
        let left = until.wrapping_sub(now.as_secs()) & SECONDS;
        if known == 0 || known & !(VALIDATED | SECONDS) != tag || left > ALONE_FOR.as_secs() {
            Sharing::Shared
        } else if known & VALIDATED != 0 {
            Sharing::Validated
        } else {
            Sharing::Unshared
        }
    }
}

/// A lock for as long as the process lives, as Pingora borrows it; and the one of HEAD.
pub(super) fn leaked(
    limit: Duration,
    has_come: impl Fn(&PingoraKey) -> bool + Send + Sync + 'static,
) -> (&'static Collapse, &'static HeadCollapse) {
    let collapse: &'static Collapse = Box::leak(Box::new(Collapse::new(limit, has_come)));
    (collapse, Box::leak(Box::new(HeadCollapse(collapse))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> PingoraKey {
        let mut key = PingoraKey::new([n], String::new());
        key.set_primary_bin_override([n; 16]);
        key
    }

    fn is_write(locked: &Locked) -> bool {
        locked.is_write()
    }

    fn end(lock: &dyn CacheKeyLock, key: &PingoraKey, locked: Locked, status: LockStatus) {
        match locked {
            Locked::Write(permit) => lock.release(key, permit, status),
            Locked::Read(_) => panic!("a reader has nothing to release"),
        }
    }

    fn new(limit: Duration) -> (&'static Collapse, &'static HeadCollapse) {
        leaked(limit, |_| false)
    }

    const LONG: Duration = Duration::from_secs(3_600);

    #[test]
    fn one_fetches_and_the_others_wait() {
        // CF-400, CF-404
        let (lock, _) = new(LONG);
        let leader = lock.lock(&key(1), false);
        assert!(is_write(&leader));
        assert!(!is_write(&lock.lock(&key(1), false)));
        assert!(!is_write(&lock.lock(&key(1), true)));
        let other = lock.lock(&key(2), false);
        assert!(is_write(&other));
        end(lock, &key(1), leader, LockStatus::TransientError);
        let next = lock.lock(&key(1), false);
        assert!(is_write(&next));
        end(lock, &key(1), next, LockStatus::Done);
        end(lock, &key(2), other, LockStatus::GiveUp);
        assert!(lock.shards.iter().all(|shard| shard.lock().is_empty()));
    }

    #[test]
    fn whoever_would_lead_after_something_has_come_looks_again() {
        // CF-400
        let (lock, _) = leaked(LONG, |asked| number(asked) == number(&key(1)));
        let Locked::Read(again) = lock.lock(&key(1), false) else {
            panic!("nobody has to lead");
        };
        assert_eq!(again.lock_status(), LockStatus::Done);
        // What is stale is to be fetched anew, and nothing has come under another key.
        end(lock, &key(1), lock.lock(&key(1), true), LockStatus::Done);
        end(lock, &key(2), lock.lock(&key(2), false), LockStatus::Done);
    }

    #[test]
    fn whoever_takes_too_long_is_not_waited_for() {
        // CF-405
        let (lock, _) = new(Duration::ZERO);
        let slow = lock.lock(&key(1), false);
        let next = lock.lock(&key(1), false);
        assert!(is_write(&slow) && is_write(&next));
        end(lock, &key(1), slow, LockStatus::Done);
        end(lock, &key(1), next, LockStatus::Done);
    }

    #[test]
    fn keys_whose_answers_are_not_shared_are_fetched_alone() {
        // CF-402
        let (lock, _) = new(LONG);
        let first = lock.lock(&key(1), false);
        lock.note(&key(1), Sharing::Unshared);
        end(lock, &key(1), first, LockStatus::GiveUp);
        let crowd: Vec<_> = (0..3).map(|_| lock.lock(&key(1), false)).collect();
        assert!(crowd.iter().all(is_write));
        // What is stale may be served while one refreshes it.
        let refresh = lock.lock(&key(1), true);
        assert!(is_write(&refresh) && !is_write(&lock.lock(&key(1), true)));
        // One of them brings what is good for all, and the others do not let go of a lock that is not theirs.
        lock.note(&key(1), Sharing::Shared);
        for alone in crowd {
            end(lock, &key(1), alone, LockStatus::Done);
        }
        assert!(!is_write(&lock.lock(&key(1), false)));
        end(lock, &key(1), refresh, LockStatus::Done);
        // CF-407: what is validated by each use is validated by all at once.
        lock.note(&key(1), Sharing::Validated);
        let crowd: Vec<_> = (0..3).map(|_| lock.lock(&key(1), true)).collect();
        for alone in crowd {
            assert!(is_write(&alone));
            end(lock, &key(1), alone, LockStatus::Done);
        }
    }

    #[test]
    fn nobody_is_led_by_head() {
        // CF-328, CF-400
        let (lock, heads) = new(LONG);
        let head = heads.lock(&key(1), false);
        let second = heads.lock(&key(1), false);
        let get = lock.lock(&key(1), false);
        assert!([&head, &second, &get].into_iter().all(is_write));
        assert!(!is_write(&heads.lock(&key(1), false)));
        end(heads, &key(1), head, LockStatus::TransientError);
        assert!(!is_write(&lock.lock(&key(1), false)));
        end(lock, &key(1), get, LockStatus::Done);
        end(heads, &key(1), second, LockStatus::TransientError);
        // CF-257
        let refresh = heads.lock(&key(1), true);
        assert!(is_write(&refresh) && !is_write(&lock.lock(&key(1), true)));
        end(heads, &key(1), refresh, LockStatus::Done);
        assert!(lock.shards.iter().all(|shard| shard.lock().is_empty()));
    }

    #[test]
    fn a_key_is_remembered_for_two_minutes_in_room_that_does_not_grow() {
        // CF-402
        let alone = Alone::default();
        let at = Duration::from_secs;
        let key = |n: u64| u128::from(n) << 64 | u128::from(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        // Also where the seconds begin anew.
        for began in [5, SECONDS - 60] {
            alone.note(key(1), Sharing::Unshared, at(began));
            for (later, want) in [
                (0, Sharing::Unshared),
                (119, Sharing::Unshared),
                (121, Sharing::Shared),
                (100_000, Sharing::Shared),
            ] {
                assert_eq!(alone.told(key(1), at(began + later)), want, "{later}");
            }
        }
        alone.note(key(1), Sharing::Validated, at(7));
        assert_eq!(alone.told(key(1), at(8)), Sharing::Validated);
        // Another key of the same slot is not taken for it, and does not end it.
        let neighbour = key(1) ^ 1 << 40;
        assert_eq!(alone.told(neighbour, at(8)), Sharing::Shared);
        alone.note(neighbour, Sharing::Shared, at(8));
        assert_eq!(alone.told(key(1), at(8)), Sharing::Validated);
        alone.note(key(1), Sharing::Shared, at(8));
        assert_eq!(alone.told(key(1), at(8)), Sharing::Shared);
        for n in 0..200_000 {
            alone.note(key(n), Sharing::Unshared, at(9));
        }
        assert_eq!(alone.0.len(), SLOTS);
        assert_eq!(alone.told(key(199_999), at(9)), Sharing::Unshared);
    }
}
