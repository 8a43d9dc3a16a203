//! What is going on, counted.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Notify;

/// Counts what is going on, requests being served or a worker's connections, for draining.
#[derive(Debug, Default)]
pub struct InFlight {
    count: AtomicUsize,
    idle: Notify,
}

impl InFlight {
    /// Counts one more until the guard is dropped.
    pub fn enter(self: &Arc<Self>) -> InFlightGuard {
        self.count.fetch_add(1, Ordering::AcqRel);
        InFlightGuard(self.clone())
    }

    /// Likewise, unless there are `most` already.
    pub fn try_enter(self: &Arc<Self>, most: usize) -> Option<InFlightGuard> {
        let (set, seen) = (Ordering::AcqRel, Ordering::Acquire);
        let entered = self
            .count
            .try_update(set, seen, |n| (n < most).then_some(n + 1));
        entered.is_ok().then(|| InFlightGuard(self.clone()))
    }

    /// How many there are now.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Resolves when there is none.
    pub async fn idle(&self) {
        loop {
            // Registered before the count is read, so that a request ending in between is not missed.
            let ended = self.idle.notified();
            if self.count() == 0 {
                return;
            }
            ended.await;
        }
    }
}

/// One that is counted.
#[derive(Debug)]
pub struct InFlightGuard(Arc<InFlight>);

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}
