//! What a node tells and does for who runs it.

use std::{collections::HashSet, sync::atomic::Ordering, time::SystemTime};

use fourfront_model::{Distribution, Rollout, Traffic};
use prometheus::IntCounter;
use serde_json::{Value, json};

use super::{Node, Snapshot};
use crate::{
    explain,
    observe::{admin::Admin, functions::FunctionCounts},
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
