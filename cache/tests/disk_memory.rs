//! What an object on disk costs in memory. A process of its own, since counting allocations takes a global allocator.

use std::sync::Arc;

use allocation_counter::measure;
use bytes::Bytes;
use fourfront_cache::{
    disk::{AdmitAll, DiskLimits, DiskStore, NewObject},
    key::CacheKey,
};

/// A little more than fits into tables of half the size: the dearest moment.
const OBJECTS: u64 = 116_000;

#[test]
fn the_index_takes_at_most_a_hundred_bytes_an_object() {
    // CF-662: what is in memory is small enough for a million objects.
    let dir = tempfile::tempdir().unwrap();
    let limits = DiskLimits {
        sync_removals: false,
        ..DiskLimits::of_capacity(64 * 1024 * 1024)
    };
    let open = || DiskStore::open(dir.path(), limits, Arc::new(AdmitAll)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = open();
        for n in 0..OBJECTS {
            let key = u128::from(n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
            let key = CacheKey::from_bytes(key.to_le_bytes());
            let object = NewObject {
                head: Bytes::from_static(b"head"),
                epoch: n,
                total: None,
            };
            let written = store
                .insert_whole(key, object, Bytes::from_static(b"body"))
                .unwrap();
            if n % 1000 == 0 {
                written.await.unwrap();
            }
        }
        store.close().await;
    });
    // The journal is read on this thread, so what stays allocated is the index, and a little for the rest.
    let mut store = None;
    let info = measure(|| store = Some(open()));
    assert_eq!(store.as_ref().map(DiskStore::objects), Some(OBJECTS));
    let each = f64::from(i32::try_from(info.bytes_current).unwrap()) / 116_000.0;
    println!("{each:.1} bytes of index an object");
    assert!((40.0..=100.0).contains(&each), "{each} bytes");
}
