//! Hit ratios of both tiers on a Zipf trace and on one polluted by scans, beside an LRU of equal size.
//!
//! ```sh
//! cargo run --release -p fourfront-cache --example disk_hit_ratio
//! ```
//!
//! Objects are 4 KiB with a head of 200 bytes, and every cache has the same number of bytes for them; the LRU has
//! no overhead and evicts exactly, the tiers pay for theirs. The first half of a trace warms up and is not counted.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use bytes::Bytes;
use fourfront_cache::{
    disk::{Admission, AdmitAll, DiskLimits, DiskStore, NewObject, SecondOffer},
    key::CacheKey,
    memory::{HeadRecord, MemoryLimits, MemoryTier},
};

const CAPACITY: u64 = 64 * 1024 * 1024;
const HEAD: usize = 200;
const BODY: usize = 4096;
const KEYS: usize = 100_000;
const REQUESTS: usize = 600_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    println!(
        "{:34} {:>7} {:>7} {:>16} {:>12} {:>14} {:>18}",
        "trace",
        "LRU",
        "memory",
        "memory, returns",
        "disk",
        "disk, 2nd offer",
        "bytes written, MiB"
    );
    for (name, skew, scan) in [
        ("Zipf 0.7", 0.7, 0),
        ("Zipf 0.9", 0.9, 0),
        ("Zipf 1.1", 1.1, 0),
        ("Zipf 0.9, a third is a scan", 0.9, 3),
        ("Zipf 0.9, every other is a scan", 0.9, 2),
    ] {
        let trace = trace(skew, scan);
        let lru = lru(&trace);
        let memory = memory(&trace)?;
        let returns = returns(&trace)?;
        let (all, all_bytes) = runtime.block_on(disk(&trace, Arc::new(AdmitAll)))?;
        let offers = usize::try_from(CAPACITY)? / (HEAD + BODY);
        let (second, second_bytes) =
            runtime.block_on(disk(&trace, Arc::new(SecondOffer::of_memory(offers))))?;
        println!(
            "{name:34} {lru:7.4} {memory:7.4} {returns:16.4} {all:12.4} {second:14.4} {:>10} {:>7}",
            all_bytes >> 20,
            second_bytes >> 20
        );
    }
    Ok(())
}

/// Keys by popularity; with `scan`, every `scan`th request is for a key that nobody asks for again.
fn trace(skew: f64, scan: usize) -> Vec<u64> {
    let mut sums = Vec::with_capacity(KEYS);
    let mut sum = 0.0;
    for rank in 1..=KEYS {
        sum += 1.0 / f64::powf(f64::from(u32::try_from(rank).unwrap_or(1)), skew);
        sums.push(sum);
    }
    let mut state = 7_u64;
    let mut next = 1_u64 << 40;
    let zipf = |state: &mut u64| {
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let unit = f64::from(u32::try_from(z >> 32).unwrap_or(0)) / f64::from(u32::MAX);
        sums.partition_point(|s| *s < unit * sum) as u64
    };
    (0..REQUESTS)
        .map(|i| {
            if scan > 0 && i % scan == 0 {
                next += 1;
                return next;
            }
            zipf(&mut state)
        })
        .collect()
}

fn key(n: u64) -> CacheKey {
    let bits = u128::from(n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    CacheKey::from_bytes(bits.to_le_bytes())
}

/// The ratio over the second half.
fn ratio(hits: &[bool]) -> f64 {
    let counted = &hits[hits.len() / 2..];
    let hits = counted.iter().filter(|hit| **hit).count();
    f64::from(u32::try_from(hits).unwrap_or(0))
        / f64::from(u32::try_from(counted.len()).unwrap_or(1))
}

fn lru(trace: &[u64]) -> f64 {
    let room = usize::try_from(CAPACITY).unwrap_or(usize::MAX) / (HEAD + BODY);
    let (mut last, mut order) = (HashMap::new(), BTreeMap::new());
    let hits: Vec<bool> = trace
        .iter()
        .enumerate()
        .map(|(now, n)| {
            let before = last.insert(*n, now);
            if let Some(before) = before {
                order.remove(&before);
            }
            order.insert(now, *n);
            if order.len() > room
                && let Some((_, oldest)) = order.pop_first()
            {
                last.remove(&oldest);
            }
            before.is_some()
        })
        .collect();
    ratio(&hits)
}

struct Head;

impl HeadRecord for Head {
    fn weight(&self) -> usize {
        HEAD
    }
}

fn memory(trace: &[u64]) -> Result<f64, Box<dyn std::error::Error>> {
    let tier = MemoryTier::new(MemoryLimits::of_capacity(CAPACITY))?;
    let body = Bytes::from(vec![1; BODY]);
    let mut hits = Vec::with_capacity(trace.len());
    for n in trace {
        let hit = tier.stored(&key(*n)).is_some();
        hits.push(hit);
        if !hit {
            let mut fill = tier
                .begin_fill(key(*n), Head, None)
                .map_err(|e| format!("{e:?}"))?;
            fill.append(body.clone())?;
            fill.finish()?;
        }
    }
    Ok(ratio(&hits))
}

/// The memory tier before a disk that has everything: what it takes in is what [`MemoryTier::promote`] lets return.
fn returns(trace: &[u64]) -> Result<f64, Box<dyn std::error::Error>> {
    let tier = MemoryTier::new(MemoryLimits::of_capacity(CAPACITY))?;
    let body = Bytes::from(vec![1; BODY]);
    let mut hits = Vec::with_capacity(trace.len());
    for n in trace {
        let ticket = tier.ticket(&key(*n));
        let hit = tier.stored(&key(*n)).is_some();
        hits.push(hit);
        if !hit {
            let answers = tier.promote(ticket, key(*n), Head, body.clone());
            answers.map_err(|_| "an object of the disk does not answer")?;
        }
    }
    Ok(ratio(&hits))
}

async fn disk(
    trace: &[u64],
    admission: Arc<dyn Admission>,
) -> Result<(f64, u64), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let limits = DiskLimits {
        region: 1024 * 1024,
        segment: 256 * 1024,
        ..DiskLimits::of_capacity(CAPACITY)
    };
    let store = DiskStore::open(dir.path(), limits, admission)?;
    let body = Bytes::from(vec![1; BODY]);
    let head = Bytes::from(vec![2; HEAD]);
    let mut hits = Vec::with_capacity(trace.len());
    for n in trace {
        let hit = store.lookup(&key(*n)).await.is_some();
        hits.push(hit);
        if !hit {
            let object = NewObject {
                head: head.clone(),
                epoch: 0,
                total: None,
            };
            if let Ok(written) = store.insert_whole(key(*n), object, body.clone()) {
                written.await?;
            }
        }
    }
    Ok((ratio(&hits), store.counts().written_bytes))
}
