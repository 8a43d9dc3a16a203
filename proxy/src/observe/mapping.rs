//! Which of the node's metrics are CloudFront's (CF-720, CF-721).
//!
//! CloudFront gives numbers of a period; here are counters, from which a query gets them for any period, and histograms. The
//! names are fixed. Rates are percentages, as CloudFront's are; every row but those on functions is for each distribution,
//! and those on functions for each function.
//!
//! | CloudFront's metric | Prometheus |
//! |---|---|
//! | `Requests` | `sum by (distribution) (increase(fourfront_requests_total[5m]))` |
//! | `BytesDownloaded` | `sum by (distribution) (increase(fourfront_bytes_sent_total{method=~"read"}[5m]))` |
//! | `BytesUploaded` | `sum by (distribution) (increase(fourfront_bytes_received_total{method=~"upload"}[5m]))` |
//! | `4xxErrorRate` | `100 * sum by (distribution) (increase(fourfront_requests_total{status=~"401\|403\|404\|4xx"}[5m])) / sum by (distribution) (increase(fourfront_requests_total[5m]))` |
//! | `5xxErrorRate` | `100 * sum by (distribution) (increase(fourfront_requests_total{status=~"502\|503\|504\|5xx"}[5m])) / sum by (distribution) (increase(fourfront_requests_total[5m]))` |
//! | `TotalErrorRate` | `100 * sum by (distribution) (increase(fourfront_requests_total{status=~"401\|403\|404\|4xx\|502\|503\|504\|5xx"}[5m])) / sum by (distribution) (increase(fourfront_requests_total[5m]))` |
//! | `401ErrorRate` | `100 * sum by (distribution) (increase(fourfront_requests_total{status=~"401"}[5m])) / sum by (distribution) (increase(fourfront_requests_total[5m]))` |
//! | `403ErrorRate` | `100 * sum by (distribution) (increase(fourfront_requests_total{status=~"403"}[5m])) / sum by (distribution) (increase(fourfront_requests_total[5m]))` |
//! | `404ErrorRate` | `100 * sum by (distribution) (increase(fourfront_requests_total{status=~"404"}[5m])) / sum by (distribution) (increase(fourfront_requests_total[5m]))` |
//! | `502ErrorRate` | `100 * sum by (distribution) (increase(fourfront_requests_total{status=~"502"}[5m])) / sum by (distribution) (increase(fourfront_requests_total[5m]))` |
//! | `503ErrorRate` | `100 * sum by (distribution) (increase(fourfront_requests_total{status=~"503"}[5m])) / sum by (distribution) (increase(fourfront_requests_total[5m]))` |
//! | `504ErrorRate` | `100 * sum by (distribution) (increase(fourfront_requests_total{status=~"504"}[5m])) / sum by (distribution) (increase(fourfront_requests_total[5m]))` |
//! | `CacheHitRate` | `100 * sum by (distribution) (increase(fourfront_requests_total{method=~"read",result=~"Hit\|RefreshHit"}[5m])) / sum by (distribution) (increase(fourfront_requests_total{method=~"read",result=~"Hit\|RefreshHit\|Miss"}[5m]))` |
//! | `OriginLatency` | `histogram_quantile(0.99, sum by (distribution, le) (rate(fourfront_origin_served_seconds_bucket[5m])))` |
//! | `FunctionInvocations` | `sum by (function) (increase(fourfront_hook_duration_seconds_count[5m]))` |
//! | `FunctionValidationErrors` | `sum by (function) (increase(fourfront_hook_faults_total{class=~"LambdaValidationError\|FunctionValidationError"}[5m]))` |
//! | `FunctionExecutionErrors` | `sum by (function) (increase(fourfront_hook_faults_total{class=~"LambdaExecutionError\|FunctionExecutionError"}[5m]))` |
//! | `FunctionThrottles` | `sum by (function) (increase(fourfront_hook_faults_total{class=~"LambdaLimitExceeded\|FunctionThrottledError"}[5m]))` |
//! | `FunctionExecutionTime` | `histogram_quantile(0.99, sum by (function, le) (rate(fourfront_hook_duration_seconds_bucket[5m])))` |
//!
//! `OriginLatency` and `FunctionExecutionTime` are shown for the 99th percentile; 0.5, 0.9 and 0.95 are to be had in the same
//! way. What CloudFront's page leaves open is decided so:
//!
//! - Bytes are those of bodies. `method` is `read` for GET, HEAD and OPTIONS, `upload` for POST and PUT, `other` for the rest.
//! - The cache hit rate counts what the cache was asked for: answers that functions make at viewer-request and redirects to
//!   HTTPS are neither hits nor misses. A hit is what was answered with the stored body, also after validation or stale.
//! - A call that is throttled counts as an invocation, and its execution time includes the time that it waited.

use std::fmt::{self, Write as _};

/// One of CloudFront's metrics.
#[derive(Clone, Copy, Debug)]
pub struct Mapping {
    /// CloudFront's name.
    pub name: &'static str,
    /// The label that tells whose number it is.
    pub by: &'static str,
    /// What it is made of.
    pub formula: Formula,
}

/// How a number comes from counters and histograms.
#[derive(Clone, Copy, Debug)]
pub enum Formula {
    /// How much they have grown.
    Sum(Selector),
    /// How many percent the first have grown of what the second have.
    Percentage(Selector, Selector),
    /// A quantile of a histogram of that name.
    Quantile(&'static str),
}

/// Counters of one name, those whose labels have one of the values.
#[derive(Clone, Copy, Debug)]
pub struct Selector {
    /// The name.
    pub family: &'static str,
    /// Labels and their values.
    pub labels: &'static [(&'static str, &'static [&'static str])],
}

const REQUESTS: Selector = all("fourfront_requests_total");
const FAULTS: &str = "fourfront_hook_faults_total";
const CALLS: &str = "fourfront_hook_duration_seconds";

/// The table of this module's documentation.
pub const MAPPINGS: &[Mapping] = &[
    of_site("Requests", Formula::Sum(REQUESTS)),
    of_site(
        "BytesDownloaded",
        Formula::Sum(Selector {
            family: "fourfront_bytes_sent_total",
            labels: &[("method", &["read"])],
        }),
    ),
    of_site(
        "BytesUploaded",
        Formula::Sum(Selector {
            family: "fourfront_bytes_received_total",
            labels: &[("method", &["upload"])],
        }),
    ),
    errors("4xxErrorRate", &[("status", &["401", "403", "404", "4xx"])]),
    errors("5xxErrorRate", &[("status", &["502", "503", "504", "5xx"])]),
    errors(
        "TotalErrorRate",
        &[(
            "status",
            &["401", "403", "404", "4xx", "502", "503", "504", "5xx"],
        )],
    ),
    errors("401ErrorRate", &[("status", &["401"])]),
    errors("403ErrorRate", &[("status", &["403"])]),
    errors("404ErrorRate", &[("status", &["404"])]),
    errors("502ErrorRate", &[("status", &["502"])]),
    errors("503ErrorRate", &[("status", &["503"])]),
    errors("504ErrorRate", &[("status", &["504"])]),
    of_site(
        "CacheHitRate",
        Formula::Percentage(
            Selector {
                labels: &[("method", &["read"]), ("result", &["Hit", "RefreshHit"])],
                ..REQUESTS
            },
            Selector {
                labels: &[
                    ("method", &["read"]),
                    ("result", &["Hit", "RefreshHit", "Miss"]),
                ],
                ..REQUESTS
            },
        ),
    ),
    of_site(
        "OriginLatency",
        Formula::Quantile("fourfront_origin_served_seconds"),
    ),
    of_function(
        "FunctionInvocations",
        Formula::Sum(all("fourfront_hook_duration_seconds_count")),
    ),
    faults(
        "FunctionValidationErrors",
        &[(
            "class",
            &["LambdaValidationError", "FunctionValidationError"],
        )],
    ),
    faults(
        "FunctionExecutionErrors",
        &[("class", &["LambdaExecutionError", "FunctionExecutionError"])],
    ),
    faults(
        "FunctionThrottles",
        &[("class", &["LambdaLimitExceeded", "FunctionThrottledError"])],
    ),
    of_function("FunctionExecutionTime", Formula::Quantile(CALLS)),
];

type Labels = &'static [(&'static str, &'static [&'static str])];

const fn all(family: &'static str) -> Selector {
    Selector {
        family,
        labels: &[],
    }
}

const fn of_site(name: &'static str, formula: Formula) -> Mapping {
    Mapping {
        name,
        by: "distribution",
        formula,
    }
}

const fn of_function(name: &'static str, formula: Formula) -> Mapping {
    Mapping {
        name,
        by: "function",
        formula,
    }
}

const fn errors(name: &'static str, labels: Labels) -> Mapping {
    let of = Selector { labels, ..REQUESTS };
    of_site(name, Formula::Percentage(of, REQUESTS))
}

const fn faults(name: &'static str, labels: Labels) -> Mapping {
    let family = FAULTS;
    of_function(name, Formula::Sum(Selector { family, labels }))
}

impl Mapping {
    /// The query that gives the number of the last five minutes.
    pub fn query(&self) -> String {
        let by = self.by;
        let sum = |selector| format!("sum by ({by}) (increase({selector}[5m]))");
        match self.formula {
            Formula::Sum(of) => sum(of),
            Formula::Percentage(of, all) => format!("100 * {} / {}", sum(of), sum(all)),
            Formula::Quantile(family) => {
                format!("histogram_quantile(0.99, sum by ({by}, le) (rate({family}_bucket[5m])))")
            }
        }
    }

    /// The number in an exposition of the metrics, since the node has started, for the distribution or function of that
    /// name; `None` where it is undefined, and of quantiles.
    pub fn value(&self, exposition: &str, whose: &str) -> Option<f64> {
        let sum = |selector: Selector| {
            let lines = exposition.lines().filter_map(sample);
            lines
                .filter(|s| s.name == selector.family && s.label(self.by) == Some(whose))
                .filter(|s| {
                    let mut labels = selector.labels.iter();
                    labels
                        .all(|(label, values)| s.label(label).is_some_and(|v| values.contains(&v)))
                })
                .map(|s| s.value)
                .sum::<f64>()
        };
        match self.formula {
            Formula::Sum(of) => Some(sum(of)),
            Formula::Percentage(of, all) => {
                let all = sum(all);
                (all > 0.0).then(|| 100.0 * sum(of) / all)
            }
            Formula::Quantile(_) => None,
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.family)?;
        for (at, (label, values)) in self.labels.iter().enumerate() {
            f.write_char(if at == 0 { '{' } else { ',' })?;
            write!(f, "{label}=~\"{}\"", values.join("|"))?;
        }
        if self.labels.is_empty() {
            Ok(())
        } else {
            f.write_char('}')
        }
    }
}

/// One line of an exposition.
struct Sample<'l> {
    name: &'l str,
    labels: &'l str,
    value: f64,
}

impl<'l> Sample<'l> {
    /// A label's value. Those that are asked for hold no quotes.
    fn label(&self, name: &str) -> Option<&'l str> {
        let start = format!("{name}=\"");
        let mut places = self.labels.match_indices(&start);
        let (at, _) = places.find(|(at, _)| *at == 0 || self.labels[..*at].ends_with(','))?;
        self.labels[at + start.len()..].split('"').next()
    }
}

fn sample(line: &str) -> Option<Sample<'_>> {
    if line.starts_with('#') {
        return None;
    }
    let (rest, value) = line.rsplit_once(' ')?;
    let (name, labels) = match rest.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}')?),
        None => (rest, ""),
    };
    Some(Sample {
        name,
        labels,
        value: value.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use fourfront_model::{FunctionKey, FunctionVersion};

    use super::*;
    use crate::{
        flow::ResultType,
        observe::metrics::{Finished, Metrics},
    };

    #[test]
    fn the_table_in_the_documentation_is_the_table() {
        // CF-721
        let rows = include_str!("mapping.rs").lines();
        let rows: Vec<_> = rows.filter(|line| line.starts_with("//! | `")).collect();
        let made: Vec<_> = MAPPINGS
            .iter()
            .map(|m| format!("//! | `{}` | `{}` |", m.name, m.query().replace('|', "\\|")))
            .collect();
        assert_eq!(rows, made);
    }

    #[test]
    fn every_metric_of_cloudfront_is_mapped() {
        // CF-720
        let names: Vec<_> = MAPPINGS.iter().map(|m| m.name).collect();
        for name in [
            "Requests",
            "BytesDownloaded",
            "BytesUploaded",
            "4xxErrorRate",
            "5xxErrorRate",
            "TotalErrorRate",
            "CacheHitRate",
            "OriginLatency",
            "401ErrorRate",
            "403ErrorRate",
            "404ErrorRate",
            "502ErrorRate",
            "503ErrorRate",
            "504ErrorRate",
            "FunctionInvocations",
            "FunctionValidationErrors",
            "FunctionExecutionErrors",
            "FunctionExecutionTime",
            "FunctionThrottles",
        ] {
            assert!(names.contains(&name), "{name}");
        }
    }

    #[test]
    fn what_the_table_names_is_exported_under_that_name() {
        // CF-721
        let metrics = Metrics::new().unwrap();
        let behavior = metrics.behavior("D1", "*");
        for result in ResultType::ALL {
            for method in ["GET", "POST"] {
                for status in [200, 401, 403, 404, 410, 500, 502, 503, 504] {
                    behavior.finished(&Finished {
                        result,
                        method: &method.parse().unwrap(),
                        status,
                        sent: 1,
                        received: 1,
                        origin_served: None,
                    });
                }
            }
        }
        behavior.finished(&Finished {
            result: ResultType::Miss,
            method: &http::Method::PATCH,
            status: 200,
            sent: 1,
            received: 1,
            origin_served: Some(std::time::Duration::from_millis(3)),
        });
        let function = FunctionKey {
            name: "f".parse().unwrap(),
            version: FunctionVersion(1),
            is_cloudfront: false,
        };
        metrics.hook(&function, "viewer-request").observe(0.1);
        for class in [
            "LambdaValidationError",
            "FunctionValidationError",
            "LambdaExecutionError",
            "FunctionExecutionError",
            "LambdaLimitExceeded",
            "FunctionThrottledError",
        ] {
            metrics.hook_fault(&function, "viewer-request", class, "LE-271");
        }
        let text = String::from_utf8(metrics.render().unwrap()).unwrap();
        let samples: Vec<_> = text.lines().filter_map(sample).collect();
        for mapping in MAPPINGS {
            let selectors = match mapping.formula {
                Formula::Sum(of) => vec![of],
                Formula::Percentage(of, all) => vec![of, all],
                Formula::Quantile(family) => {
                    let name = format!("{family}_bucket");
                    let found = samples.iter().find(|s| s.name == name);
                    assert!(
                        found.is_some_and(|s| s.label(mapping.by).is_some()),
                        "{name}"
                    );
                    continue;
                }
            };
            for selector in selectors {
                // Each value of each label, so that a slip in one of them shows.
                for (label, values) in selector.labels {
                    for value in *values {
                        let found = samples
                            .iter()
                            .find(|s| s.name == selector.family && s.label(label) == Some(*value));
                        assert!(found.is_some(), "{} {label}={value}", mapping.name);
                    }
                }
                let found = samples.iter().find(|s| s.name == selector.family);
                assert!(found.is_some_and(|s| s.label(mapping.by).is_some()));
            }
        }
        // One in nine is each of them.
        let rate = |name: &str| {
            let mapping = MAPPINGS.iter().find(|m| m.name == name).unwrap();
            mapping.value(&text, "D1").unwrap().round()
        };
        assert_eq!((rate("404ErrorRate"), rate("4xxErrorRate")), (11.0, 44.0));
        assert_eq!((rate("5xxErrorRate"), rate("TotalErrorRate")), (44.0, 89.0));
        assert_eq!(rate("CacheHitRate"), 67.0);
    }
}
