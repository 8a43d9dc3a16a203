//! Shields that cannot be reached are left alone for a while, so that not every request waits to find that out.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

/// For how long. nginx's `fail_timeout`.
const REST: Duration = Duration::from_secs(10);

/// Which shields rest, by region, and until when.
#[derive(Debug, Default)]
pub struct Rests(Mutex<HashMap<String, SystemTime>>);

impl Rests {
    /// Whether a request may go to a region's shield. After a rest one request finds out how it does, while others go on
    /// without it.
    pub fn may_go(&self, region: &str, now: SystemTime) -> bool {
        let mut resting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match resting.get_mut(region) {
            None => true,
            Some(until) if now < *until => false,
            Some(until) => {
                *until = now + REST;
                true
            }
        }
    }

    /// The shield has not answered as one. True when that is news.
    pub fn failed(&self, region: &str, now: SystemTime) -> bool {
        let mut resting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        resting.insert(region.to_owned(), now + REST).is_none()
    }

    /// The shield has answered. True when that is news.
    pub fn answered(&self, region: &str) -> bool {
        let mut resting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        !resting.is_empty() && resting.remove(region).is_some()
    }

    /// Whether it rests, for people: nobody goes there for having asked.
    pub fn rests(&self, region: &str, now: SystemTime) -> bool {
        let resting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        resting.get(region).is_some_and(|until| now < *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_request_finds_out_after_each_rest() {
        // CF-415
        let rests = Rests::default();
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert!(rests.may_go("a", at(0)) && rests.may_go("a", at(0)));
        assert!(rests.failed("a", at(0)) && !rests.failed("a", at(1)));
        assert!(!rests.may_go("a", at(10)) && rests.rests("a", at(10)));
        assert!(rests.may_go("b", at(10)));
        assert!(rests.may_go("a", at(11)));
        assert!(!rests.may_go("a", at(11)) && !rests.may_go("a", at(20)));
        assert!(rests.may_go("a", at(21)));
        assert!(rests.answered("a") && !rests.answered("a"));
        assert!(rests.may_go("a", at(21)) && rests.may_go("a", at(21)));
    }
}
