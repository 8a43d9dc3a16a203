//! Answers to calls that made something, kept for the client that did not hear them (CP-013).
//!
//! A client whose connection breaks sends its call again, with the invocation id of the first attempt. Done twice, the second
//! would be told that what it asks for exists already. So an answer is kept for a minute, and a second attempt that comes
//! while the first is at work waits for it.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;

/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(60);

/// Answers that are kept at most. Those beyond are given and forgotten.
const MOST: usize = 1024;

/// Where the answer to a call is put: empty until it went well.
pub(super) type Slot<T> = Arc<tokio::sync::Mutex<Option<T>>>;

/// The answers of the last minute, by who asked, what and with which invocation id.
#[derive(Debug)]
pub(super) struct Retries<T>(Mutex<HashMap<String, (SystemTime, Slot<T>)>>);

impl<T> Default for Retries<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Retries<T> {
    /// Where the answer to a call is, or is to be put.
    pub(super) fn slot(&self, call: String, now: SystemTime) -> Slot<T> {
        let mut held = self.0.lock();
        // A clock that was set back ends what was kept before.
        held.retain(|_, (since, slot)| {
            // One that is at work is kept for as long as it takes.
            Arc::strong_count(slot) > 1 || now.duration_since(*since).is_ok_and(|age| age < KEPT)
        });
        if let Some((_, slot)) = held.get(&call) {
            return Arc::clone(slot);
        }
        let slot = Slot::default();
        if held.len() < MOST {
            held.insert(call, (now, Arc::clone(&slot)));
        }
        slot
    }

    /// The answer to a call was given: the minute begins.
    pub(super) fn answered(&self, call: &str, now: SystemTime) {
        if let Some((since, _)) = self.0.lock().get_mut(call) {
            *since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: SystemTime = SystemTime::UNIX_EPOCH;

    #[test]
    fn an_answer_is_kept_for_a_minute() {
        // CP-013
        let retries = Retries::default();
        let said = |call: &str, after: u64| {
            let slot = retries.slot(call.to_owned(), START + Duration::from_secs(100 + after));
            let said = *slot.blocking_lock();
            *slot.blocking_lock() = said.or(Some(after));
            said
        };
        assert_eq!(said("a", 0), None);
        assert_eq!(said("a", 59), Some(0));
        assert_eq!(said("b", 59), None, "another call");
        assert_eq!(said("a", 60), None, "a minute later");
        assert_eq!(said("a", 61), Some(60));
    }

    #[test]
    fn the_minute_begins_with_the_answer() {
        // CP-013: a call may take longer than a client waits
        let retries: Retries<u8> = Retries::default();
        let at = |seconds| START + Duration::from_secs(seconds);
        let slot = retries.slot("a".to_owned(), at(0));
        let again = retries.slot("a".to_owned(), at(90));
        assert!(Arc::ptr_eq(&slot, &again), "it is at work");
        *slot.blocking_lock() = Some(7);
        retries.answered("a", at(100));
        drop((slot, again));
        assert_eq!(
            *retries.slot("a".to_owned(), at(159)).blocking_lock(),
            Some(7)
        );
        assert_eq!(*retries.slot("a".to_owned(), at(160)).blocking_lock(), None);
    }

    #[test]
    fn no_more_are_kept_than_there_is_room_for() {
        // CP-013
        let retries: Retries<()> = Retries::default();
        for call in 0..2 * MOST {
            retries.slot(call.to_string(), START);
        }
        assert_eq!(retries.0.lock().len(), MOST);
        retries.slot("later".to_owned(), START + KEPT);
        assert_eq!(retries.0.lock().len(), 1);
    }

    #[tokio::test]
    async fn a_second_attempt_waits_for_the_first() {
        // CP-013
        let retries = Retries::default();
        let first = retries.slot("a".to_owned(), START).lock_owned().await;
        let second = retries.slot("a".to_owned(), START);
        assert!(second.try_lock().is_err());
        let mut first = first;
        *first = Some(7);
        drop(first);
        assert_eq!(*second.lock().await, Some(7));
    }
}
