//! Whatever has happened to the files of a disk tier, it opens, stores, and answers with what was stored or not at all.
#![no_main]

use std::{
    fs,
    path::Path,
    sync::{Arc, LazyLock},
    time::Duration,
};

use arbitrary::Arbitrary;
use bytes::Bytes;
use fourfront_cache::{
    disk::{AdmitAll, DiskLimits, DiskStore, NewObject},
    key::CacheKey,
};
use libfuzzer_sys::fuzz_target;
use tokio::runtime::{Builder, Runtime};

const KIB: usize = 1024;
const FRAME_HEADER: usize = 16;
/// Lengths of the bodies that are stored: in one record, and in segments.
const BODIES: [usize; 6] = [0, 100, 4 * KIB, 5 * KIB, 16 * KIB, 20 * KIB + 7];

#[derive(Arbitrary, Debug)]
struct Input {
    /// Frames are given right checksums afterwards.
    seal: bool,
    journal: Vec<Harm>,
    data: Vec<Harm>,
    cut: Option<u16>,
    /// Further frames.
    frames: Vec<Vec<u8>>,
}

#[derive(Arbitrary, Debug)]
struct Harm {
    place: u16,
    bits: u8,
}

/// A store in good order.
struct Base {
    runtime: Runtime,
    secret: Vec<u8>,
    journal: Vec<u8>,
    data: Vec<u8>,
}

static BASE: LazyLock<Base> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let dir = tempfile::tempdir().expect("a directory");
    runtime.block_on(async {
        let store = open(dir.path());
        for n in 0..BODIES.len() {
            put(&store, n).await;
        }
        store.close().await;
    });
    let read = |name: &str| fs::read(dir.path().join(name)).expect("a file");
    let mut data = read("data");
    let used = data
        .iter()
        .rposition(|b| *b != 0)
        .map_or(0, |last| last + 1);
    data.truncate(used);
    Base {
        runtime,
        secret: read("secret"),
        journal: read("journal"),
        data,
    }
});

fuzz_target!(|input: Input| {
    let base = &*BASE;
    let dir = tempfile::tempdir().expect("a directory");
    let write = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).expect("a file");
    let mut data = base.data.clone();
    hurt(&mut data, &input.data);
    write("secret", &base.secret);
    write("data", &data);
    write("journal", &journal(&base.journal, &input));

    base.runtime.block_on(async {
        let store = open(dir.path());
        for n in 0..BODIES.len() {
            check(&store, n).await;
        }
        // It takes what is new, also where the old was odd.
        put(&store, 1).await;
        put(&store, 5).await;
        for n in 0..BODIES.len() {
            check(&store, n).await;
        }
        store.close().await;
        drop(store);
        let store = open(dir.path());
        for n in 0..BODIES.len() {
            check(&store, n).await;
        }
        store.close().await;
    });
});

/// The journal with harm done to it: to its bytes, or to what its frames say.
fn journal(good: &[u8], input: &Input) -> Vec<u8> {
    let mut bytes = Vec::new();
    if input.seal {
        let mut payloads = payloads(good);
        if let Some(cut) = input.cut {
            payloads.truncate(usize::from(cut) % (payloads.len() + 1));
        }
        for harm in &input.journal {
            let frames = payloads.len();
            if let Some(payload) = payloads.get_mut(usize::from(harm.place) % frames.max(1)) {
                let place = usize::from(harm.place >> 4) % payload.len().max(1);
                hurt(
                    payload,
                    &[Harm {
                        place: place as u16,
                        bits: harm.bits,
                    }],
                );
            }
        }
        for payload in payloads.iter().chain(&input.frames) {
            seal(payload, &mut bytes);
        }
    } else {
        bytes.extend_from_slice(good);
        hurt(&mut bytes, &input.journal);
        for frame in &input.frames {
            bytes.extend_from_slice(frame);
        }
        if let Some(cut) = input.cut {
            bytes.truncate(usize::from(cut));
        }
    }
    bytes
}

fn hurt(bytes: &mut [u8], harms: &[Harm]) {
    let len = bytes.len();
    for harm in harms {
        if let Some(byte) = bytes.get_mut(usize::from(harm.place) % len.max(1)) {
            *byte ^= harm.bits;
        }
    }
}

fn payloads(journal: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = journal;
    let mut payloads = Vec::new();
    while let Some((header, after)) = rest.split_at_checked(FRAME_HEADER) {
        let length = [header[4], header[5], header[6], header[7]];
        let Some((payload, after)) = after.split_at_checked(u32::from_le_bytes(length) as usize)
        else {
            break;
        };
        payloads.push(payload.to_vec());
        rest = after;
    }
    payloads
}

fn seal(payload: &[u8], out: &mut Vec<u8>) {
    let mut header = b"FFJ1".to_vec();
    header.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    header.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
    header.extend_from_slice(&crc32fast::hash(&header).to_le_bytes());
    out.extend_from_slice(&header);
    out.extend_from_slice(payload);
}

fn open(dir: &Path) -> DiskStore {
    let limits = DiskLimits {
        capacity: 2048 * KIB as u64,
        region: 256 * KIB as u64,
        segment: 8 * KIB,
        inline: 4 * KIB,
        write_buffer: 1024 * KIB as u64,
        reads: 16,
        check_every: Duration::from_secs(1),
        sync_removals: false,
    };
    let store = DiskStore::open(dir, limits, Arc::new(AdmitAll)).expect("the limits can work");
    assert!(store.is_on());
    store
}

fn key(n: usize) -> CacheKey {
    CacheKey::from_bytes([n as u8 + 1; 16])
}

fn head(n: usize) -> Bytes {
    vec![n as u8; 10 + n].into()
}

fn body(n: usize) -> Bytes {
    (0..BODIES[n])
        .map(|i| ((i + n) % 251) as u8)
        .collect::<Vec<_>>()
        .into()
}

async fn put(store: &DiskStore, n: usize) {
    let object = NewObject {
        head: head(n),
        epoch: n as u64,
        total: None,
    };
    // A store that was told nonsense may be out of numbers or of room; it must not be out of its mind.
    if let Ok(written) = store.insert_whole(key(n), object, body(n)) {
        let _ = written.await;
    }
}

/// What answers has the head and the bytes that were stored; it may be shorter, where a frame said so.
async fn check(store: &DiskStore, n: usize) {
    let Some(entry) = store.lookup(&key(n)).await else {
        return;
    };
    let body = body(n);
    assert_eq!(entry.head(), &head(n));
    let (_, _) = (entry.missing(), entry.is_complete());
    if let Some(whole) = entry.whole() {
        assert_eq!(whole, &body);
    }
    for start in [0, 1, 8 * KIB - 1, 8 * KIB, 16 * KIB + 1] {
        if let Ok(bytes) = store.read(&entry, start as u64..u64::MAX).await {
            let rest = body.get(start..).unwrap_or_default();
            assert!(rest.starts_with(&bytes), "foreign bytes at {start} of {n}");
        }
    }
}
