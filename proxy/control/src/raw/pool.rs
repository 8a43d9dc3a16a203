//! `pool` of an origin as written: several servers behind its name (CF-808).

use std::time::Duration;

use fourfront_model::{Ejection, HealthCheck, PoolChoice};

use crate::{
    cursor::{Block, Cursor},
    keys,
    report::{At, Spanned},
};

/// A pool.
#[derive(Debug)]
pub(crate) struct RawPool {
    pub(crate) at: At,
    /// Host and port, and the weight. None where the list is missing or faulty.
    pub(crate) members: Option<Vec<(Spanned<String>, u64)>>,
    pub(crate) choice: PoolChoice,
    pub(crate) health_check: Option<RawHealthCheck>,
    pub(crate) ejection: Ejection,
}

/// `health_check`, with its defaults.
#[derive(Debug)]
pub(crate) struct RawHealthCheck {
    pub(crate) path: Option<Spanned<String>>,
    pub(crate) status: Option<Spanned<u64>>,
    pub(crate) check: HealthCheck,
}

/// Servers of one pool: each is probed, and looked at when a request goes out.
const MOST_MEMBERS: usize = 64;

impl RawPool {
    pub(crate) fn read(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open(cursor, &keys::POOL)?;
        let choice = block.get("choice").and_then(|c| {
            let choices = [PoolChoice::LeastLoaded, PoolChoice::Consistent];
            c.choice(&choices.map(|choice| (choice.as_str(), Ok(choice))))
        });
        Some(Self {
            at: cursor.at.clone(),
            members: block.get("members").and_then(members),
            choice: choice.map(|c| c.value).unwrap_or_default(),
            health_check: block.get("health_check").and_then(RawHealthCheck::read),
            ejection: block.get("ejection").and_then(ejection).unwrap_or_default(),
        })
    }
}

fn members(cursor: &Cursor<'_>) -> Option<Vec<(Spanned<String>, u64)>> {
    let items = cursor.items("a list of addresses, such as `[10.0.0.1:8080, 10.0.0.2:8080]`")?;
    if items.len() > MOST_MEMBERS {
        let message = format!(
            "{} members, at most {MOST_MEMBERS} are allowed",
            items.len()
        );
        cursor.error(message);
    }
    let read = |item: &Cursor<'_>| {
        if item.scalar().is_some() {
            return Some((item.text()?, 1));
        }
        let block = Block::open(item, &keys::POOL_MEMBER)?;
        let weight = block.get("weight");
        let weight = weight.and_then(|c| c.integer(1..=100, "a weight"));
        let Some(address) = block.get("address") else {
            item.error("the member has no `address`");
            return None;
        };
        Some((address.text()?, weight.map_or(1, |w| w.value)))
    };
    Some(items.iter().filter_map(read).collect())
}

impl RawHealthCheck {
    fn read(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open(cursor, &keys::HEALTH_CHECK)?;
        let default = HealthCheck::default();
        let times = |key: &str, default: u32| {
            let given = block.get(key);
            let given = given.and_then(|c| c.integer(1..=100, "a number of probes"));
            given
                .and_then(|g| u32::try_from(g.value).ok())
                .unwrap_or(default)
        };
        let seconds = |key: &str, default: Duration| {
            let given = block.get(key).and_then(|c| c.seconds(3600));
            given.map_or(default, |g| g.value)
        };
        Some(Self {
            path: block.get("path").and_then(Cursor::text),
            status: block
                .get("status")
                .and_then(|c| c.integer(100..=599, "a status")),
            check: HealthCheck {
                interval: seconds("interval", default.interval),
                timeout: seconds("timeout", default.timeout),
                unhealthy_after: times("unhealthy_after", default.unhealthy_after),
                healthy_after: times("healthy_after", default.healthy_after),
                ..default
            },
        })
    }
}

fn ejection(cursor: &Cursor<'_>) -> Option<Ejection> {
    let block = Block::open(cursor, &keys::EJECTION)?;
    let default = Ejection::default();
    let failures = block.get("failures");
    let failures = failures.and_then(|c| c.integer(0..=1000, "a number of requests"));
    let time = block.get("time").and_then(|c| c.seconds(3600));
    Some(Ejection {
        failures: failures
            .and_then(|f| u32::try_from(f.value).ok())
            .unwrap_or(default.failures),
        time: time.map_or(default.time, |t| t.value),
    })
}
