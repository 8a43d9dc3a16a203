//! How origins do (CP-611): what their metrics say, and the last failure of each.

use std::{collections::BTreeMap, sync::Mutex, time::SystemTime};

use prometheus::{HistogramVec, IntCounterVec, proto::Metric};

use super::functions::{label, metrics, quantile};

/// The most origins whose failures are remembered. Their ids come from configurations, of which there may be many one after
/// the other.
const MOST: usize = 4096;

/// Where an origin stands: ids of its distribution and of itself.
type Place = (String, String);

/// How an origin has done since the node began.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OriginCounts {
    /// Answers whose head came.
    pub answers: u64,
    /// Fetches without a usable answer, by cause.
    pub failures: BTreeMap<String, u64>,
    /// Seconds that half of the answers took at most, and 95 % of them.
    pub p50: Option<f64>,
    /// See `p50`.
    pub p95: Option<f64>,
    /// The last failure.
    pub last: Option<LastFailure>,
}

/// A fetch that came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastFailure {
    /// When.
    pub at: SystemTime,
    /// What it was, in words.
    pub message: String,
    /// How many answers had come by then: with as many now, none has come since.
    answers: u64,
}

impl OriginCounts {
    /// Whether nothing has come since the last failure.
    pub fn is_failing(&self) -> bool {
        let last = self.last.as_ref();
        last.is_some_and(|last| last.answers == self.answers)
    }
}

/// The last failures of all origins.
#[derive(Debug, Default)]
pub(super) struct LastFailures(Mutex<BTreeMap<Place, LastFailure>>);

impl LastFailures {
    /// Remembers one; `answers` is how many have come so far.
    pub(super) fn note(
        &self,
        distribution: &str,
        origin: &str,
        at: SystemTime,
        message: String,
        answers: u64,
    ) {
        let mut all = self.0.lock().unwrap_or_else(|e| e.into_inner());
        let place = (distribution.to_owned(), origin.to_owned());
        if all.len() < MOST || all.contains_key(&place) {
            let last = LastFailure {
                at,
                message,
                answers,
            };
            all.insert(place, last);
        }
    }

    fn get(&self, place: &Place) -> Option<LastFailure> {
        let all = self.0.lock().unwrap_or_else(|e| e.into_inner());
        all.get(place).cloned()
    }
}

/// What is known of each origin that has been asked.
pub(super) fn counts(
    latency: &HistogramVec,
    faults: &IntCounterVec,
    last: &LastFailures,
) -> BTreeMap<Place, OriginCounts> {
    let mut all: BTreeMap<Place, OriginCounts> = BTreeMap::new();
    for metric in metrics(latency) {
        let histogram = metric.get_histogram();
        let counts = all.entry(place(&metric)).or_default();
        counts.answers = histogram.get_sample_count();
        let buckets: Vec<_> = histogram
            .get_bucket()
            .iter()
            .map(|b| (b.upper_bound(), b.cumulative_count()))
            .chain([(f64::INFINITY, counts.answers)])
            .collect();
        (counts.p50, counts.p95) = (quantile(&buckets, 0.5), quantile(&buckets, 0.95));
    }
    for metric in metrics(faults) {
        let counts = all.entry(place(&metric)).or_default();
        let cause = label(metric.get_label(), "cause").to_owned();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a counter of whole numbers"
        )]
        let count = metric.get_counter().get_value() as u64;
        *counts.failures.entry(cause).or_default() += count;
    }
    for (place, counts) in &mut all {
        counts.last = last.get(place);
    }
    all
}

fn place(metric: &Metric) -> Place {
    let of = |name| label(metric.get_label(), name).to_owned();
    (of("distribution"), of("origin"))
}

#[cfg(test)]
mod tests {
    use prometheus::{HistogramOpts, Opts};

    use super::*;

    #[test]
    fn an_origin_fails_until_it_answers() {
        // CP-611
        let labels = ["distribution", "origin"];
        let latency = HistogramVec::new(
            HistogramOpts::new("latency", "help").buckets(vec![0.1, 1.0]),
            &labels,
        )
        .unwrap();
        let faults = IntCounterVec::new(
            Opts::new("faults", "help"),
            &["distribution", "origin", "cause"],
        )
        .unwrap();
        let last = LastFailures::default();
        let place = ("E1".to_owned(), "app".to_owned());
        let now = || counts(&latency, &faults, &last);
        assert!(now().is_empty());
        let answered = latency.with_label_values(&["E1", "app"]);
        answered.observe(0.05);
        let found = now().remove(&place).unwrap();
        assert_eq!((found.answers, found.is_failing()), (1, false));
        assert_eq!(found.p50, Some(0.05));
        faults
            .with_label_values(&["E1", "app", "connect-refused"])
            .inc();
        last.note("E1", "app", SystemTime::UNIX_EPOCH, "refused".to_owned(), 1);
        let found = now().remove(&place).unwrap();
        assert!(found.is_failing());
        assert_eq!(found.failures.get("connect-refused"), Some(&1));
        assert_eq!(found.last.unwrap().message, "refused");
        answered.observe(0.05);
        assert!(!now().remove(&place).unwrap().is_failing());
    }
}
