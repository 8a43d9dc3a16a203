//! What a node tells and does for who runs it.

use std::{collections::HashSet, sync::atomic::Ordering, time::SystemTime};

use fourfront_model::{Distribution, Origin, OriginKind, OriginProtocol, Rollout, Traffic};
use prometheus::IntCounter;
use serde_json::{Value, json};

use super::{Node, Snapshot};
use crate::{
    explain,
    observe::{access::rfc3339, admin::Admin, functions::FunctionCounts, origins::OriginCounts},
    purge::{self, PurgeAnswer, PurgeCall},
};

#[async_trait::async_trait]
impl Admin for Node {
    fn metrics(&self) -> Result<Vec<u8>, String> {
        self.metrics
            .in_flight()
            .set(i64::try_from(self.in_flight.count()).unwrap_or(i64::MAX));
        self.metrics
            .open_connections()
            .set(i64::try_from(self.load.connections()).unwrap_or(i64::MAX));
        // What was stored a moment ago counts, too.
        self.cache.settle();
        self.metrics.set_gauges(
            &self.hooks.stats(),
            self.cache.weighed_bytes(),
            self.cache.entry_count(),
        );
        self.metrics.set_certificates(&self.tls.expiries());
        self.metrics
            .set_pools(self.snapshot.load().origins().standings());
        if let Some((objects, counts, is_on)) = self.cache.disk() {
            self.metrics.set_disk(objects, &counts, is_on);
        }
        self.metrics
            .set_invalidated_names(self.cache.invalidations().names());
        self.metrics.render().map_err(|e| e.to_string())
    }

    fn ready(&self) -> bool {
        !self.draining.load(Ordering::SeqCst)
    }

    fn purge(&self, call: PurgeCall) -> PurgeAnswer {
        purge::answer(self, call, self.clock.now())
    }

    async fn explain(&self, body: Vec<u8>) -> PurgeAnswer {
        explain::answer(self, &body, self.clock.now()).await
    }

    fn functions_of(&self, distribution: &str) -> HashSet<(String, u32)> {
        let snapshot = self.snapshot.load();
        let distributions = snapshot.site.distributions().iter();
        let behaviors = distributions
            .filter(|d| d.id == distribution)
            .flat_map(|d| d.all_behaviors());
        let functions = behaviors.flat_map(|b| b.functions.iter());
        functions
            .map(|(_, of)| (of.function.name.to_string(), of.function.version.0))
            .collect()
    }

    fn now(&self) -> SystemTime {
        self.clock.now()
    }

    fn origins(&self) -> Value {
        let snapshot = self.snapshot.load();
        let counts = self.metrics.origins();
        let mut items = Vec::new();
        for distribution in snapshot.site.distributions() {
            let pools = snapshot.origins().told(&distribution.id);
            for origin in &distribution.origins {
                let place = (distribution.id.clone(), origin.id.clone());
                let counts = counts.get(&place).cloned().unwrap_or_default();
                items.push(origin_told(&distribution.id, origin, &counts, &pools));
            }
        }
        json!({ "items": items })
    }

    fn served(&self) -> Value {
        let snapshot = self.snapshot.load();
        let site = snapshot.site();
        let distributions = site
            .distributions()
            .iter()
            .map(|d| json!({ "kind": "distribution", "id": d.id, "name": d.domain_name }));
        let functions = site.functions().iter().map(|f| match f.cloudfront() {
            Some(_) => json!({ "kind": "cloudfront-function", "id": f.name.as_str() }),
            // As the API has published ones.
            None => json!({ "kind": "lambda-version", "id": format!("{}:{}", f.name, f.version) }),
        });
        json!({ "items": distributions.chain(functions).collect::<Vec<_>>() })
    }

    fn status(&self) -> String {
        self.cache.settle();
        let snapshot = self.snapshot.load();
        let distributions: Vec<_> = snapshot
            .site
            .distributions()
            .iter()
            .enumerate()
            .map(|(at, d)| {
                serde_json::json!({
                    "id": d.id,
                    "domain_name": d.domain_name,
                    "aliases": d.aliases.iter().map(ToString::to_string).collect::<Vec<_>>(),
                    "behaviors": d.all_behaviors().map(|b| b.path_pattern.as_str()).collect::<Vec<_>>(),
                    "pools": snapshot.origins().told(&d.id),
                    "staging": d.is_staging(),
                    "rollout": rollout(&snapshot, at, d),
                })
            })
            .collect();
        serde_json::json!({
            "version": env!("CARGO_PKG_VERSION"),
            "name": self.name,
            "ready": self.ready(),
            "uptime_seconds": self.started.elapsed().as_secs(),
            "isolates": self.hooks.stats().isolates,
            "cached_objects": self.cache.entry_count(),
            "cached_bytes": self.cache.weighed_bytes(),
            "distributions": distributions,
            "functions": self.metrics.functions().iter().map(FunctionCounts::told).collect::<Vec<_>>(),
        })
        .to_string()
    }
}

/// An origin, and how it does. Header values that the node adds to requests are not told: they may be secrets.
fn origin_told(distribution: &str, origin: &Origin, counts: &OriginCounts, pools: &Value) -> Value {
    let of_it = |pool: &&Value| pool["origin"] == json!(origin.id);
    let pools: Vec<Value> = pools
        .as_array()
        .into_iter()
        .flatten()
        .filter(of_it)
        .cloned()
        .collect();
    let servers = || {
        pools
            .iter()
            .flat_map(|p| p["servers"].as_array().into_iter().flatten())
    };
    let all = servers().count();
    let up = servers().filter(|s| s["state"] == json!("up")).count();
    let state = if all > 0 && up == 0 {
        "left alone"
    } else if counts.is_failing() {
        "failing"
    } else if up < all {
        "partly left alone"
    } else if counts.answers == 0 && all == 0 {
        "not asked yet"
    } else {
        "healthy"
    };
    let in_flight = (!pools.is_empty()).then(|| {
        servers()
            .filter_map(|s| s["in_flight"].as_u64())
            .sum::<u64>()
    });
    let (kind, address) = match &origin.kind {
        OriginKind::Custom(custom) => {
            let kind = match (custom.protocol, &origin.secure) {
                (_, Some(_)) => "match-viewer",
                (OriginProtocol::Http, None) => "http",
                (OriginProtocol::Https, None) => "https",
            };
            (kind, format!("{}:{}", origin.domain_name, custom.port))
        }
        OriginKind::S3(_) => ("s3", origin.domain_name.clone()),
        OriginKind::Dir(path) => ("directory", path.display().to_string()),
    };
    let ms = |seconds: Option<f64>| seconds.map(|s| (s * 1e6).round() / 1e3);
    json!({
        "distribution": distribution,
        "id": origin.id,
        "kind": kind,
        "address": address,
        "state": state,
        "answers": counts.answers,
        "failures": counts.failures.values().sum::<u64>(),
        "failures_by_cause": counts.failures,
        "p50_ms": ms(counts.p50),
        "p95_ms": ms(counts.p95),
        "in_flight": in_flight,
        "pools": pools,
        "last_failure": counts.last.as_ref().map(|last| json!({ "at": rfc3339(last.at), "message": last.message })),
    })
}

/// What is tried out on a distribution's requests, and how many of them that were since the node began (CF-451).
fn rollout(snapshot: &Snapshot, at: usize, distribution: &Distribution) -> Value {
    let Rollout::Primary(rule) = &distribution.rollout else {
        return Value::Null;
    };
    let counted = |side: usize| {
        let counters = snapshot.staging(at);
        counters.map_or(0, |c| c.0[side].iter().map(IntCounter::get).sum())
    };
    let (primary, staging): (u64, u64) = (counted(0), counted(1));
    let share = (primary + staging > 0).then(|| staging as f64 / (primary + staging) as f64);
    json!({
        "policy": rule.policy,
        "staging": rule.staging,
        // One that is disabled, or gone, gets nothing.
        "active": snapshot.site().staging_of(at).is_some(),
        "traffic": match &rule.traffic {
            Traffic::Header { name, value } => json!({ "header": { "name": name.as_str(), "value": value } }),
            Traffic::Weight { share, sessions } => json!({
                "weight": share.weight(),
                "sessions": sessions.map(|s| json!({ "idle": s.idle, "maximum": s.maximum })),
            }),
        },
        "requests": { "primary": primary, "staging": staging, "staging_share": share },
    })
}
