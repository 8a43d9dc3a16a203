//! Random sequences of operations against a `HashMap`, with crashes and damage in between.

use std::collections::{BTreeSet, HashMap};

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    /// Stores a body of that length, but for the segments in `without`.
    Put {
        key: u8,
        len: usize,
        without: BTreeSet<u32>,
    },
    /// Begins to store and does not commit.
    Abort {
        key: u8,
        len: usize,
    },
    Extend {
        key: u8,
        index: u32,
    },
    Head {
        key: u8,
    },
    Remove {
        key: u8,
    },
    Read {
        key: u8,
        from: usize,
        len: usize,
    },
    /// Objects nobody reads, to make the ring go around.
    Fill {
        count: u8,
    },
    /// Ends properly and begins again.
    Restart,
    /// Dies, with this much of a batch that nobody was told of written.
    Kill {
        torn: usize,
    },
    /// Turns a bit of the data over, somewhere.
    Flip {
        at: prop::sample::Index,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let key = 0_u8..6;
    let len = prop_oneof![
        0..200_usize,
        4000..4200_usize,
        8000..8400_usize,
        9000..40_000_usize
    ];
    prop_oneof![
        6 => (key.clone(), len.clone(), prop::collection::btree_set(0_u32..6, 0..3))
            .prop_map(|(key, len, without)| Op::Put { key, len, without }),
        1 => (key.clone(), len).prop_map(|(key, len)| Op::Abort { key, len }),
        2 => (key.clone(), 0_u32..6).prop_map(|(key, index)| Op::Extend { key, index }),
        2 => key.clone().prop_map(|key| Op::Head { key }),
        2 => key.clone().prop_map(|key| Op::Remove { key }),
        4 => (key, 0..42_000_usize, 0..42_000_usize).prop_map(|(key, from, len)| Op::Read { key, from, len }),
        1 => (1_u8..100).prop_map(|count| Op::Fill { count }),
        1 => Just(Op::Restart),
        2 => (0..400_usize).prop_map(|torn| Op::Kill { torn }),
        1 => any::<prop::sample::Index>().prop_map(|at| Op::Flip { at }),
    ]
}

/// What a key should answer.
#[derive(Clone, Debug)]
struct Object {
    seed: u64,
    head: u64,
    len: usize,
    segments: BTreeSet<u32>,
}

struct World {
    dir: TempDir,
    store: DiskStore,
    objects: HashMap<u8, Object>,
    seed: u64,
    /// Nothing can have been evicted or damaged: what the model has must answer.
    strict: bool,
    written: u64,
}

const SEGMENT: usize = 8 * KIB;

fn segment(seed: u64, len: usize, index: u32) -> Option<Bytes> {
    let start = index as usize * SEGMENT;
    (start < len).then(|| pattern(seed, len).slice(start..len.min(start + SEGMENT)))
}

impl World {
    async fn step(&mut self, op: &Op) {
        match op {
            Op::Put { key, len, without } => self.put(*key, *len, without, true).await,
            Op::Abort { key, len } => self.put(*key, *len, &BTreeSet::new(), false).await,
            Op::Extend { key, index } => self.extend(*key, *index).await,
            Op::Head { key } => self.head(*key).await,
            Op::Remove { key } => {
                self.store
                    .remove(&super::key(u64::from(*key)))
                    .await
                    .unwrap();
                self.objects.remove(key);
            }
            Op::Read { key, from, len } => self.read(*key, *from..from + len).await,
            Op::Fill { count } => {
                for _ in 0..*count {
                    self.seed += 1;
                    put(
                        &self.store,
                        1000 + self.seed,
                        "filler",
                        &pattern(self.seed, 20 * KIB),
                    )
                    .await;
                }
            }
            Op::Restart => {
                self.store.close().await;
                self.count();
                self.store = open(self.dir.path());
            }
            Op::Kill { torn } => self.kill(*torn, None),
            Op::Flip { at } => {
                self.kill(0, Some(at));
                self.strict = false;
            }
        }
    }

    /// Whether everything must answer.
    fn is_strict(&self) -> bool {
        let written = self.written + self.store.counts().written_bytes;
        self.strict && written < limits().capacity - 3 * limits().region
    }

    fn count(&mut self) {
        self.written += self.store.counts().written_bytes;
    }

    /// The files as they are now, for another process.
    fn kill(&mut self, torn: usize, flip: Option<&prop::sample::Index>) {
        self.count();
        let dead = killed(self.dir.path());
        if torn > 0 {
            // A frame whose end is missing: the frame of a put, cut.
            let mut frame = journal::Frame::default();
            for n in 0..10 {
                frame.removal(&key(n), u64::MAX / 2);
            }
            let frame = frame.seal();
            let cut = torn.min(frame.len() - 1);
            let journal = dead.path().join("journal");
            let mut bytes = std::fs::read(&journal).unwrap();
            bytes.extend_from_slice(&frame[..cut]);
            std::fs::write(&journal, bytes).unwrap();
        }
        if let Some(at) = flip {
            let path = data_file(dead.path());
            let mut bytes = std::fs::read(&path).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= 1;
            std::fs::write(&path, bytes).unwrap();
        }
        self.store = open(dead.path());
        self.dir = dead;
    }

    async fn put(&mut self, n: u8, len: usize, without: &BTreeSet<u32>, commit: bool) {
        self.seed += 1;
        let seed = self.seed;
        let total = Some(len as u64);
        let head = Bytes::from(seed.to_string());
        let new = NewObject {
            head,
            epoch: seed,
            total,
        };
        let mut writer = self.store.insert(key(u64::from(n)), new).unwrap();
        let count = u32::try_from(len.div_ceil(SEGMENT)).unwrap();
        let segments: BTreeSet<u32> = (0..count).filter(|i| !without.contains(i)).collect();
        // Backwards, for any order will do.
        for index in segments.iter().rev() {
            writer
                .append(*index, segment(seed, len, *index).unwrap())
                .unwrap();
        }
        if !commit {
            return;
        }
        let told = writer.commit().await;
        if segments.is_empty() && len > 0 {
            assert_eq!(told, Err(Dropped::NoRoom));
            self.objects.remove(&n);
            return;
        }
        told.unwrap();
        let object = Object {
            seed,
            head: seed,
            len,
            segments,
        };
        self.objects.insert(n, object);
    }

    async fn extend(&mut self, n: u8, index: u32) {
        let Some(entry) = self.store.lookup(&key(u64::from(n))).await else {
            return;
        };
        let object = self.objects.get_mut(&n).unwrap();
        let Some(bytes) = segment(object.seed, object.len, index) else {
            return;
        };
        let mut writer = self.store.extend(&entry);
        writer.append(index, bytes).unwrap();
        writer.commit().await.unwrap();
        if entry.whole().is_none() {
            object.segments.insert(index);
        }
    }

    async fn head(&mut self, n: u8) {
        let Some(entry) = self.store.lookup(&key(u64::from(n))).await else {
            return;
        };
        self.seed += 1;
        let new = NewObject {
            head: Bytes::from(self.seed.to_string()),
            epoch: self.seed,
            total: None,
        };
        match self.store.update_head(&entry, new).unwrap().await {
            Ok(()) => self.objects.get_mut(&n).unwrap().head = self.seed,
            // It is damaged, and was found so just now.
            Err(e) => assert!(!self.is_strict() && e == Dropped::Overtaken),
        }
    }

    async fn read(&mut self, n: u8, range: Range<usize>) {
        self.look(n, range).await;
    }

    async fn look(&self, n: u8, range: Range<usize>) {
        let strict = self.is_strict();
        let found = self.store.lookup(&key(u64::from(n))).await;
        let Some(object) = self.objects.get(&n) else {
            assert!(found.is_none(), "a removed object answers");
            return;
        };
        let Some(entry) = found else {
            assert!(!strict, "an object is lost");
            return;
        };
        assert_eq!(
            (entry.epoch(), &entry.head()[..]),
            (object.head, object.head.to_string().as_bytes())
        );
        assert_eq!(entry.total(), Some(object.len as u64));
        let body = pattern(object.seed, object.len);
        let range = range.start.min(object.len)..range.end.min(object.len);
        let mut at = range.start;
        while at < range.end {
            let index = u32::try_from(at / SEGMENT).unwrap();
            match self.store.read(&entry, at as u64..range.end as u64).await {
                Ok(bytes) => {
                    assert!(object.segments.contains(&index) && !bytes.is_empty());
                    assert_eq!(bytes, body[at..at + bytes.len()]);
                    at += bytes.len();
                }
                Err(absent) => {
                    assert!(
                        !strict || !object.segments.contains(&index),
                        "{absent} at {at}"
                    );
                    assert_ne!(absent, Absent::Disk);
                    at = (index as usize + 1) * SEGMENT;
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_operations_crashes_and_damage_answers_like_the_model(
        ops in prop::collection::vec(op(), 1..60)
    ) {
        // CF-532, CF-534, CF-282, CF-660
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let dir = dir();
            let store = open(dir.path());
            let mut world = World { dir, store, objects: HashMap::new(), seed: 0, strict: true, written: 0 };
            for op in &ops {
                world.step(op).await;
            }
            for n in 0..6 {
                world.look(n, 0..42_000).await;
            }
        });
    }
}
