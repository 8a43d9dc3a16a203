//! The disk tier: hits that the page cache answers, writes, and the restart with 1,000,000 objects.
//!
//! ```sh
//! cargo bench -p fourfront-cache --bench disk
//! ```

use std::{
    hint::black_box,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fourfront_cache::{
    disk::{AdmitAll, DiskLimits, DiskStore, NewObject},
    key::CacheKey,
};
use tokio::runtime::Runtime;

const MEBIBYTE: u64 = 1024 * 1024;

fn key(n: u64) -> CacheKey {
    let bits = u128::from(n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    CacheKey::from_bytes(bits.to_le_bytes())
}

fn object() -> NewObject {
    NewObject {
        head: Bytes::from_static(&[7; 300]),
        epoch: 1,
        total: None,
    }
}

fn open(dir: &Path, capacity: u64) -> DiskStore {
    DiskStore::open(dir, DiskLimits::of_capacity(capacity), Arc::new(AdmitAll))
        .expect("limits that work")
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

fn put(runtime: &Runtime, store: &DiskStore, n: u64, body: &Bytes) {
    let written = store
        .insert_whole(key(n), object(), body.clone())
        .expect("room");
    runtime.block_on(written).expect("written");
}

fn hits(c: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a directory");
    let runtime = runtime();
    let store = open(dir.path(), 512 * MEBIBYTE);
    let sizes: [(&str, usize); 4] = [
        ("1 KiB", 1024),
        ("16 KiB", 16_384),
        ("100 KiB", 102_400),
        ("1 MiB", 1_048_576),
    ];
    for (n, (_, size)) in (0..).zip(sizes) {
        put(&runtime, &store, n, &Bytes::from(vec![1; size]));
    }
    let mut group = c.benchmark_group("disk/hit");
    for (n, (name, size)) in (0..).zip(sizes) {
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(name, |b| {
            b.iter(|| {
                runtime.block_on(async {
                    let entry = store.lookup(&key(n)).await.expect("it is there");
                    store.read(&entry, 0..u64::MAX).await.expect("it is there")
                })
            });
        });
    }
    group.throughput(Throughput::Elements(1));
    group.bench_function("10 KiB of 1 MiB", |b| {
        let entry = runtime
            .block_on(store.lookup(&key(3)))
            .expect("it is there");
        b.iter(|| {
            runtime
                .block_on(store.read(&entry, 500_000..510_240))
                .expect("it is there")
        });
    });
    group.bench_function("miss", |b| {
        b.iter(|| {
            runtime
                .block_on(store.lookup(black_box(&key(99))))
                .is_none()
        })
    });
    group.finish();
}

fn writes(c: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a directory");
    let runtime = runtime();
    let store = open(dir.path(), 512 * MEBIBYTE);
    let mut group = c.benchmark_group("disk/write");
    let mut n = 0;
    for (name, size, batch) in [
        ("1 KiB", 1024, 1000_u64),
        ("100 KiB", 102_400, 100),
        ("1 MiB", 1_048_576, 20),
    ] {
        let body = Bytes::from(vec![1; size]);
        group.throughput(Throughput::Bytes(batch * size as u64));
        group.bench_function(format!("{batch} of {name}"), |b| {
            b.iter(|| {
                let mut last = None;
                for _ in 0..batch {
                    n += 1;
                    last = store.insert_whole(key(n), object(), body.clone()).ok();
                }
                last.map(|written| runtime.block_on(written))
            });
        });
    }
    group.throughput(Throughput::Elements(1));
    group.bench_function("removal, synced", |b| {
        b.iter(|| runtime.block_on(store.remove(&key(1))).expect("durable"));
    });
    group.finish();
}

fn restart(c: &mut Criterion) {
    const OBJECTS: u64 = 1_000_000;
    let dir = tempfile::tempdir().expect("a directory");
    let runtime = runtime();
    let capacity = 2048 * MEBIBYTE;
    let store = open(dir.path(), capacity);
    let body = Bytes::from(vec![1; 1024]);
    for n in 0..OBJECTS {
        let written = store
            .insert_whole(key(n), object(), body.clone())
            .expect("room");
        if n.is_multiple_of(2000) {
            runtime.block_on(written).expect("written");
        }
    }
    runtime.block_on(store.close());
    let mut group = c.benchmark_group("disk/restart");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(10));
    group.bench_function("1,000,000 objects", |b| {
        b.iter_custom(|times| {
            let mut sum = Duration::ZERO;
            for _ in 0..times {
                let begun = Instant::now();
                let store = open(dir.path(), capacity);
                assert!(runtime.block_on(store.lookup(&key(12_345))).is_some());
                sum += begun.elapsed();
                assert_eq!(store.objects(), OBJECTS);
                runtime.block_on(store.close());
            }
            sum
        });
    });
    group.finish();
}

criterion_group!(benches, hits, writes, restart);
criterion_main!(benches);
