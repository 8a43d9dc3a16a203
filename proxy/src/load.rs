//! How much a node takes on at the same time (CF-605, CF-773).
//!
//! What is beyond a limit is refused at once, and before it costs anything: so that what is under way is served as fast as
//! ever, and a viewer can go elsewhere while it still has patience. The limits are the operator's (`node.max_requests`,
//! `node.max_connections`, `node.compression.max_in_flight`); each is read with every request, so that a reload changes them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use crate::node::{InFlight, InFlightGuard};

/// How often it is said in the log that connections are refused. The metrics count them all.
const SAID_EVERY: Duration = Duration::from_secs(10);

/// Connections that are told why they are refused, at the same time. Others are closed: the telling must not become what the
/// limit is to prevent.
pub(crate) const TOLD_AT_ONCE: usize = 64;

/// What is under way.
#[derive(Debug, Default)]
pub struct Load {
    requests: Arc<InFlight>,
    connections: Arc<InFlight>,
    told: Arc<InFlight>,
    compressions: Arc<InFlight>,
    /// Milliseconds since 1970 when it was last said that connections are refused.
    said: AtomicU64,
}

impl Load {
    /// Takes a viewer's request on, until the guard is dropped; `None` when `most` are being served.
    pub fn request(&self, most: usize) -> Option<InFlightGuard> {
        self.requests.try_enter(most)
    }

    /// Requests that were taken on under a limit.
    pub fn requests(&self) -> usize {
        self.requests.count()
    }

    /// Takes a viewer's connection on, likewise; all there are without a limit.
    pub fn connection(&self, most: Option<usize>) -> Option<InFlightGuard> {
        self.connections.try_enter(most.unwrap_or(usize::MAX))
    }

    /// Viewers' connections there are.
    pub fn connections(&self) -> usize {
        self.connections.count()
    }

    /// Leave to tell a connection why it is refused.
    pub(crate) fn refusal(&self) -> Option<InFlightGuard> {
        self.told.try_enter(TOLD_AT_ONCE)
    }

    /// Takes on the compression of one body (CF-605).
    pub fn compression(&self, most: usize) -> Option<InFlightGuard> {
        self.compressions.try_enter(most)
    }

    /// Whether it is time to say that connections are refused.
    pub(crate) fn is_to_be_said(&self, now: SystemTime) -> bool {
        let since = now.duration_since(SystemTime::UNIX_EPOCH);
        let now = since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX));
        let said = self.said.load(Ordering::Relaxed);
        let every = u64::try_from(SAID_EVERY.as_millis()).unwrap_or(u64::MAX);
        let is_due = now.saturating_sub(said) >= every;
        // One of those who come at the same time.
        let claimed = || {
            self.said
                .compare_exchange(said, now, Ordering::Relaxed, Ordering::Relaxed)
        };
        is_due && claimed().is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn no_more_are_taken_on_than_may_be_and_who_ends_makes_room() {
        // CF-773
        let load = Load::default();
        let first = load.request(2).unwrap();
        let _second = load.request(2).unwrap();
        assert!(load.request(2).is_none());
        // A limit that was lowered meanwhile cuts off nobody.
        assert!(load.request(1).is_none());
        drop(first);
        assert!(load.request(1).is_none());
        assert!(load.request(2).is_some());
    }

    #[test]
    fn many_at_once_stay_within_the_limit() {
        // CF-773
        let load = Load::default();
        let most = 7;
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        let taken = load.connection(Some(most));
                        assert!(load.connections() <= most);
                        drop(taken);
                    }
                });
            }
        });
        assert_eq!(load.connections(), 0);
        assert!(load.connection(None).is_some());
    }

    #[test]
    fn refusals_are_said_now_and_then() {
        let load = Load::default();
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let said = [100, 101, 109, 110, 111, 300].map(|s| load.is_to_be_said(at(s)));
        assert_eq!(said, [true, false, false, true, false, true]);
    }
}
