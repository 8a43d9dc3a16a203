//! What a store costs: starts (CP-708), writes with one and many writers, reads, a backup while writing.
//!
//! `cargo run --release -p fourfront-store --example store_measure -- [DIR]`. Prints one line per figure. Writes to a new
//! directory within DIR, by default the current one: where it is decides what an fsync costs.

use std::{
    env, io,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::Instant,
};

use fourfront_store::{Batch, Change, Expected, Kind, KvsChange, KvsRequest, Options, Store};

const DOCUMENTS: usize = 10_000;
const BODY: usize = 2_000;
const WRITES: u64 = 512;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let within = env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let dir = tempfile::tempdir_in(within)?;
    let store = Store::open(dir.path(), Options::default())?;
    fill(&store)?;
    drop(store);

    let before = Instant::now();
    let store = Store::open(dir.path(), Options::default())?;
    let found = store.snapshot().count(&Kind::Distribution);
    println!(
        "start with {found} documents of {BODY} bytes: {:.1?}",
        before.elapsed()
    );

    for writers in [1, 4, 16, 64] {
        let taken = documents(&store, writers)?;
        println!(
            "{writers} writers: {:.0} durable writes per second",
            f64::from(u32::try_from(WRITES)?) / taken
        );
    }
    entries(&store)?;

    let before = Instant::now();
    let mut bytes = 0;
    let ids: Vec<String> = (0..DOCUMENTS).map(|n| n.to_string()).collect();
    for id in ids.iter().cycle().take(1_000_000) {
        let found = store.get(&Kind::Distribution, id);
        bytes += found.map_or(0, |found| found.body.as_ref().map_or(0, |body| body.len()));
    }
    println!(
        "a read of a document: {:.0} ns ({bytes} bytes seen)",
        before.elapsed().as_secs_f64() * 1e3
    );

    let stop = AtomicBool::new(false);
    let written = AtomicU64::new(0);
    thread::scope(|scope| -> Outcome<()> {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) && store.write(one(0, "x")).is_ok() {
                written.fetch_add(1, Ordering::Relaxed);
            }
        });
        let before = Instant::now();
        let header = store.backup(io::BufWriter::new(tempfile::tempfile_in(dir.path())?), 0);
        let taken = before.elapsed();
        stop.store(true, Ordering::Relaxed);
        println!(
            "a backup of sequence {}: {taken:.1?}, {} writes meanwhile",
            header?.sequence,
            written.load(Ordering::Relaxed)
        );
        Ok(())
    })?;
    Ok(())
}

fn one(n: usize, body: &str) -> Batch {
    Batch {
        changes: vec![Change {
            kind: Kind::Distribution,
            id: n.to_string().into(),
            expected: Expected::Any,
            body: Some(body.to_owned().into()),
        }],
        ..Batch::default()
    }
}

fn fill(store: &Store) -> Outcome<()> {
    let body = "x".repeat(BODY);
    for from in (0..DOCUMENTS).step_by(500) {
        let changes = (from..from + 500)
            .flat_map(|n| one(n, &body).changes)
            .collect();
        store.write(Batch {
            changes,
            ..Batch::default()
        })?;
    }
    Ok(())
}

/// Seconds for all writes, shared by so many threads.
fn documents(store: &Store, writers: u64) -> Outcome<f64> {
    let failed = AtomicBool::new(false);
    let before = Instant::now();
    thread::scope(|scope| {
        for writer in 0..writers {
            let failed = &failed;
            scope.spawn(move || {
                let body = "y".repeat(BODY);
                for n in 0..WRITES / writers {
                    let id = usize::try_from(writer * 100 + n).unwrap_or(0);
                    if store.write(one(id, &body)).is_err() {
                        failed.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    if failed.into_inner() {
        return Err("a write failed".into());
    }
    Ok(before.elapsed().as_secs_f64())
}

/// One write to a store of many entries, while somebody holds the data as it was.
fn entries(store: &Store) -> Outcome<()> {
    let entries = (0..100_000)
        .map(|n| (n.to_string().into(), "v".into()))
        .collect();
    store.write(Batch {
        kvs: vec![KvsChange::Create {
            id: "s".into(),
            entries,
        }],
        ..Batch::default()
    })?;
    let before = Instant::now();
    for n in 0..100_u32 {
        let held = store.kvs_snapshot("s");
        store.kvs_apply(KvsRequest {
            id: "s".into(),
            puts: vec![(n.to_string().into(), "w".into())],
            ..KvsRequest::default()
        })?;
        drop(held);
    }
    println!(
        "a put into 100000 entries that somebody holds: {:.1?}",
        before.elapsed() / 100
    );
    Ok(())
}
