//! One connection try: the addresses it goes through, and the time they share (CF-390, CF-398). Pure; the caller has the clock.

use std::time::{Duration, Instant};

/// How many addresses one try goes through at most.
pub const MOST_PLACES: usize = 8;

/// A try that counts toward `ConnectionAttempts` (CF-391). It is over when a connection stands and the request has failed on
/// it, or when no address is left.
#[derive(Clone, Debug)]
pub struct Attempt<P> {
    places: Vec<P>,
    next: usize,
    until: Instant,
}

impl<P: Clone> Attempt<P> {
    /// A try that began at `began` and may connect for `timeout`, to these places in turn; of more than [`MOST_PLACES`], the first.
    pub fn new(mut places: Vec<P>, began: Instant, timeout: Duration) -> Self {
        places.truncate(MOST_PLACES);
        Self {
            places,
            next: 0,
            until: began + timeout,
        }
    }

    /// The next place, and how long connecting to it may take: an equal share of the time that is left, so that one that says
    /// nothing leaves time for the others.
    pub fn next(&mut self, now: Instant) -> Option<(P, Duration)> {
        let place = self.places.get(self.next)?.clone();
        let left = self.places.len() - self.next;
        self.next += 1;
        let share =
            self.until.saturating_duration_since(now) / u32::try_from(left).unwrap_or(u32::MAX);
        Some((place, share))
    }

    /// The last place is gone to once more: nothing was wrong with it.
    pub const fn repeat(&mut self) {
        self.next = self.next.saturating_sub(1);
    }

    /// Whether there is a place left, and time for it.
    pub fn goes_on(&self, now: Instant) -> bool {
        self.next < self.places.len() && now < self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_share_the_time_that_is_left() {
        // CF-390, CF-398
        let seconds = Duration::from_secs;
        let start = Instant::now();
        let mut attempt = Attempt::new(vec!["a", "b", "c"], start, seconds(9));
        assert_eq!(attempt.next(start), Some(("a", seconds(3))));
        // Refused at once: the others have more.
        assert_eq!(attempt.next(start + seconds(1)), Some(("b", seconds(4))));
        attempt.repeat();
        assert_eq!(attempt.next(start + seconds(3)), Some(("b", seconds(3))));
        assert!(attempt.goes_on(start + seconds(8)));
        assert!(!attempt.goes_on(start + seconds(9)));
        assert_eq!(attempt.next(start + seconds(6)), Some(("c", seconds(3))));
        assert!(!attempt.goes_on(start + seconds(6)));
        assert_eq!(attempt.next(start + seconds(6)), None);
    }

    #[test]
    fn the_number_of_places_is_bounded() {
        // CF-398
        let now = Instant::now();
        let mut attempt = Attempt::new((0..100).collect(), now, Duration::from_secs(1));
        let mut count = 0;
        while attempt.next(now).is_some() {
            count += 1;
        }
        assert_eq!(count, MOST_PLACES);
    }
}
