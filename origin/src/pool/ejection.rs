//! Taking a server out because requests to it fail (CF-808). Pure: the caller has the clock.

use std::time::Instant;

use fourfront_model::Ejection;

/// The longest time a server is out, as a multiple of the first.
const MOST_TIMES: u32 = 10;

/// What the requests to one server say about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// Requests that have failed one after the other.
    failures: u32,
    /// Until when it is out.
    until: Option<Instant>,
    /// How often it was taken out, until it has been well for long enough.
    times: u32,
}

impl Record {
    /// Whether it is to be left alone.
    pub(super) fn is_out(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// A request has failed. Whether that takes it out.
    pub(super) fn failed(&mut self, rules: &Ejection, now: Instant) -> bool {
        if rules.failures == 0 || self.is_out(now) {
            // Of those under way when it was taken out.
            return false;
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures < rules.failures {
            return false;
        }
        self.times = self.times.saturating_add(1).min(MOST_TIMES);
        self.until = Some(now + rules.time * self.times);
        // Back in, it is on probation: the first failure takes it out again.
        self.failures = rules.failures.saturating_sub(1);
        true
    }

    /// A request has come through.
    pub(super) fn succeeded(&mut self, rules: &Ejection, now: Instant) {
        if self.is_out(now) {
            return;
        }
        self.failures = 0;
        let well_since = self.until.map(|until| now.saturating_duration_since(until));
        if well_since.is_some_and(|well| well >= rules.time * self.times) {
            self.times = 0;
            self.until = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const RULES: Ejection = Ejection {
        failures: 3,
        time: Duration::from_secs(10),
    };

    fn failing(record: &mut Record, times: u32, now: Instant) -> Vec<bool> {
        (0..times).map(|_| record.failed(&RULES, now)).collect()
    }

    #[test]
    fn failures_in_a_row_take_a_server_out_for_a_while() {
        // CF-808
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut record = Record::default();
        assert_eq!(failing(&mut record, 2, start), [false, false]);
        record.succeeded(&RULES, start);
        assert_eq!(failing(&mut record, 3, start), [false, false, true]);
        assert!(record.is_out(at(9)) && !record.is_out(at(10)));
        // Requests that were under way say nothing new.
        assert_eq!(failing(&mut record, 5, at(5)), [false; 5]);
        assert!(!record.is_out(at(10)));
    }

    #[test]
    fn one_that_fails_again_is_out_for_longer_up_to_ten_times() {
        // CF-808
        let mut now = Instant::now();
        let mut record = Record::default();
        failing(&mut record, 3, now);
        for times in 2..=12 {
            now += RULES.time * 10;
            assert!(record.failed(&RULES, now), "{times}");
            let out = RULES.time * times.min(MOST_TIMES);
            assert!(record.is_out(now + out - Duration::from_secs(1)), "{times}");
            assert!(!record.is_out(now + out), "{times}");
        }
    }

    #[test]
    fn one_that_is_well_for_long_enough_has_a_clean_record() {
        // CF-808
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut record = Record::default();
        failing(&mut record, 3, start);
        // One that comes through ends the probation, and not at once what is known of it.
        record.succeeded(&RULES, at(12));
        assert_eq!(failing(&mut record, 2, at(13)), [false, false]);
        record.succeeded(&RULES, at(14));
        assert_ne!(record, Record::default());
        record.succeeded(&RULES, at(20));
        assert_eq!(record, Record::default());
    }

    #[test]
    fn no_number_of_failures_means_never() {
        // CF-808
        let never = Ejection {
            failures: 0,
            ..RULES
        };
        let mut record = Record::default();
        let now = Instant::now();
        assert!((0..100).all(|_| !record.failed(&never, now)));
    }
}
