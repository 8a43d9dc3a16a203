//! How the versions of functions do: read from their metrics, for `status` (Build 5 of a gradual rollout: the version that
//! is tried out beside the one that serves).

use std::collections::{BTreeMap, BTreeSet};

use fourfront_model::FunctionKey;
use prometheus::{
    HistogramVec, IntCounterVec,
    core::Collector,
    proto::{LabelPair, Metric},
};
use serde_json::{Value, json};

/// The calls of one version of a function, since it began to serve.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FunctionCounts {
    /// Its name.
    pub function: String,
    /// Its version, as labelled.
    pub version: String,
    /// Calls that have ended.
    pub calls: u64,
    /// Those that failed, by class.
    pub errors: BTreeMap<String, u64>,
    /// Seconds, and how many calls took as long at most.
    buckets: Vec<(f64, u64)>,
}

impl FunctionCounts {
    /// Seconds that this share of the calls took at most, as estimated from the histogram's buckets; `None` without calls.
    /// Within a bucket calls are taken to be spread evenly, as Prometheus does.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        quantile(&self.buckets, share)
    }

    /// As `status` tells it; times in milliseconds.
    pub fn told(&self) -> Value {
        let ms = |share| self.quantile(share).map(|s| (s * 1e6).round() / 1e3);
        json!({
            "function": self.function,
            "version": self.version,
            "calls": self.calls,
            "errors": self.errors.values().sum::<u64>(),
            "errors_by_class": self.errors,
            "p50_ms": ms(0.5),
            "p95_ms": ms(0.95),
        })
    }
}

/// What this share of the values of a histogram are at most, from its buckets: upper bounds, and how many values are not above.
pub(super) fn quantile(buckets: &[(f64, u64)], share: f64) -> Option<f64> {
    let (_, all) = *buckets.last()?;
    if all == 0 {
        return None;
    }
    let number = |n: u64| n as f64;
    let rank = share * number(all);
    let (mut below, mut from) = (0, 0.0);
    for (to, upto) in buckets {
        if number(*upto) >= rank && *upto > below {
            if to.is_infinite() {
                return Some(from);
            }
            let part = (rank - number(below)) / number(upto - below);
            return Some(from + (to - from) * part);
        }
        (below, from) = (*upto, *to);
    }
    Some(from)
}

/// What metrics tell of each version, by name and version.
pub(super) fn counts(durations: &HistogramVec, faults: &IntCounterVec) -> Vec<FunctionCounts> {
    let mut all: BTreeMap<(String, String), FunctionCounts> = BTreeMap::new();
    for metric in metrics(durations) {
        let histogram = metric.get_histogram();
        let counts = of(&mut all, &metric);
        counts.calls += histogram.get_sample_count();
        let mut buckets: Vec<_> = histogram
            .get_bucket()
            .iter()
            .map(|b| (b.upper_bound(), b.cumulative_count()))
            .collect();
        if buckets.last().is_none_or(|(to, _)| to.is_finite()) {
            buckets.push((f64::INFINITY, histogram.get_sample_count()));
        }
        if counts.buckets.is_empty() {
            counts.buckets = buckets;
        } else {
            // One histogram's buckets are those of all.
            for (sum, (_, more)) in counts.buckets.iter_mut().zip(buckets) {
                sum.1 += more;
            }
        }
    }
    for metric in metrics(faults) {
        let class = label(metric.get_label(), "class").to_owned();
        let counts = of(&mut all, &metric);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a counter of whole numbers"
        )]
        let count = metric.get_counter().get_value() as u64;
        *counts.errors.entry(class).or_default() += count;
    }
    all.into_values().collect()
}

/// Takes away what is told of versions that do not serve.
pub(super) fn forget(durations: &HistogramVec, faults: &IntCounterVec, serving: &[FunctionKey]) {
    let serving: BTreeSet<(String, String)> = serving
        .iter()
        .map(|key| (key.name.to_string(), key.version.to_string()))
        .collect();
    let is_over = |metric: &Metric| !serving.contains(&key(metric));
    for metric in metrics(durations).iter().filter(|m| is_over(m)) {
        let labels = ["function", "version", "event_type"].map(|l| label(metric.get_label(), l));
        // It may be gone already, which is as well.
        let _ = durations.remove_label_values(&labels);
    }
    for metric in metrics(faults).iter().filter(|m| is_over(m)) {
        let labels = ["function", "version", "event_type", "class", "rule"]
            .map(|l| label(metric.get_label(), l));
        let _ = faults.remove_label_values(&labels);
    }
}

pub(super) fn metrics(collector: &impl Collector) -> Vec<Metric> {
    let families = collector.collect().into_iter();
    families
        .flat_map(|family| family.get_metric().to_vec())
        .collect()
}

fn key(metric: &Metric) -> (String, String) {
    let of = |name| label(metric.get_label(), name).to_owned();
    (of("function"), of("version"))
}

fn of<'a>(
    all: &'a mut BTreeMap<(String, String), FunctionCounts>,
    metric: &Metric,
) -> &'a mut FunctionCounts {
    let key = key(metric);
    let (function, version) = key.clone();
    all.entry(key).or_insert_with(|| FunctionCounts {
        function,
        version,
        ..FunctionCounts::default()
    })
}

pub(super) fn label<'a>(labels: &'a [LabelPair], name: &str) -> &'a str {
    let found = labels.iter().find(|l| l.name() == name);
    found.map_or("", LabelPair::value)
}

#[cfg(test)]
mod tests {
    use fourfront_model::FunctionVersion;

    use super::*;
    use crate::observe::metrics::Metrics;

    fn key(version: u32) -> FunctionKey {
        FunctionKey {
            name: "mark".parse().unwrap(),
            version: FunctionVersion(version),
            is_cloudfront: false,
        }
    }

    #[test]
    fn versions_are_told_apart_and_forgotten() {
        // CF-720, LE-284
        let metrics = Metrics::new().unwrap();
        for (version, event, seconds) in [
            (1, "viewer-request", 0.002),
            (1, "viewer-request", 0.002),
            (1, "origin-response", 0.2),
            (2, "viewer-request", 0.002),
        ] {
            metrics.hook(&key(version), event).observe(seconds);
        }
        metrics.hook_fault(&key(2), "viewer-request", "LambdaExecutionError", "LE-271");
        metrics.hook_fault(&key(2), "viewer-request", "LambdaExecutionError", "LE-272");
        metrics.hook_fault(&key(2), "viewer-request", "LambdaValidationError", "LE-200");
        let [one, two] = &metrics.functions()[..] else {
            panic!("two versions");
        };
        assert_eq!(
            (one.version.as_str(), one.calls, one.errors.len()),
            ("1", 3, 0)
        );
        // Two calls of three lie between 1 and 2.5 ms, one between 0.1 and 0.5 s.
        let median = one.quantile(0.5).unwrap();
        assert!((0.001..0.0025).contains(&median), "{median}");
        let high = one.quantile(0.95).unwrap();
        assert!((0.1..0.5).contains(&high), "{high}");
        assert_eq!((two.calls, two.errors["LambdaExecutionError"]), (1, 2));
        assert_eq!(two.told()["errors"], 3);
        metrics.forget_functions_but(&[key(2)]);
        let left: Vec<_> = metrics.functions().into_iter().map(|f| f.version).collect();
        assert_eq!(left, ["2"]);
        metrics.forget_functions_but(&[]);
        assert_eq!(metrics.functions(), []);
        let text = String::from_utf8(metrics.render().unwrap()).unwrap();
        assert!(!text.contains("function=\"mark\""), "{text}");
    }

    #[test]
    fn a_quantile_lies_in_its_bucket() {
        let of = |buckets: &[(f64, u64)]| FunctionCounts {
            buckets: buckets.to_vec(),
            ..FunctionCounts::default()
        };
        assert_eq!(of(&[]).quantile(0.5), None);
        assert_eq!(of(&[(1.0, 0), (f64::INFINITY, 0)]).quantile(0.5), None);
        let spread = of(&[(1.0, 10), (2.0, 10), (3.0, 20), (f64::INFINITY, 20)]);
        assert_eq!(spread.quantile(0.25), Some(0.5));
        assert_eq!(spread.quantile(0.5), Some(1.0));
        assert_eq!(spread.quantile(0.75), Some(2.5));
        // Past all bounds the last one is what is known.
        assert_eq!(of(&[(1.0, 0), (f64::INFINITY, 5)]).quantile(0.5), Some(1.0));
    }
}
