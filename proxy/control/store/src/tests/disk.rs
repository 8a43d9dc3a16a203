//! Disks that fill up, and power that goes (CP-564).

use std::{io, ops::Range, path::Path};

use parking_lot::Mutex;
use proptest::prelude::*;
use redb::{Database, StorageBackend};

use super::*;
use crate::{StoreError, open::Migration};

/// A disk that keeps what was synced apart from what was only written.
#[derive(Clone, Debug, Default)]
struct SimulatedDisk(Arc<Mutex<Platter>>);

#[derive(Debug, Default)]
struct Platter {
    /// What a reader sees.
    now: Vec<u8>,
    /// What a cut of the power leaves for certain.
    synced: Vec<u8>,
    /// What came after, in order.
    unsynced: Vec<Unsynced>,
    /// Operations that succeed, and how many after them fail.
    fails: Option<Range<u64>>,
    /// Operations so far.
    operations: u64,
}

#[derive(Clone, Debug)]
enum Unsynced {
    Write(usize, Vec<u8>),
    Len(usize),
}

fn apply(image: &mut Vec<u8>, operation: &Unsynced) {
    match operation {
        Unsynced::Len(len) => image.resize(*len, 0),
        Unsynced::Write(at, bytes) => {
            let end = at + bytes.len();
            if image.len() < end {
                image.resize(end, 0);
            }
            image[*at..end].copy_from_slice(bytes);
        }
    }
}

impl Platter {
    fn change(&mut self) -> io::Result<()> {
        let number = self.operations;
        self.operations += 1;
        if self
            .fails
            .as_ref()
            .is_some_and(|fails| fails.contains(&number))
        {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

impl SimulatedDisk {
    fn fail(&self, from_now: u64, times: u64) {
        let mut platter = self.0.lock();
        let first = platter.operations + from_now;
        platter.fails = Some(first..first.saturating_add(times));
    }

    fn recover(&self) {
        self.0.lock().fails = None;
    }

    /// What is left when the power goes: everything synced, and of the rest each write or not, or the beginning of one.
    fn after_power_cut(&self, mut seed: u64) -> Self {
        let platter = self.0.lock();
        let mut image = platter.synced.clone();
        for operation in &platter.unsynced {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            match (seed >> 60, operation) {
                (0..6, _) => {}
                (6..9, Unsynced::Write(at, bytes)) => {
                    let torn = usize::try_from(seed >> 40).unwrap() % (bytes.len() + 1) / 512 * 512;
                    apply(&mut image, &Unsynced::Write(*at, bytes[..torn].to_vec()));
                }
                _ => apply(&mut image, operation),
            }
        }
        Self(Arc::new(Mutex::new(Platter {
            now: image.clone(),
            synced: image,
            ..Platter::default()
        })))
    }

    fn open(&self, dir: &Path) -> Result<Store, StoreError> {
        let disk = self.clone();
        let open = move |_: &Path, _: &Options| {
            Database::builder()
                .set_check_integrity_on_open(true)
                .create_with_backend(disk.clone())
        };
        const NONE: &[Migration] = &[];
        Store::open_with(dir, Options::default(), Arc::new(open), NONE)
    }
}

impl StorageBackend for SimulatedDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let at = usize::try_from(offset).unwrap();
        let platter = self.0.lock();
        let bytes = platter.now.get(at..at + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut platter = self.0.lock();
        platter.change()?;
        let operation = Unsynced::Len(usize::try_from(len).unwrap());
        apply(&mut platter.now, &operation);
        platter.unsynced.push(operation);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut platter = self.0.lock();
        platter.change()?;
        platter.synced = platter.now.clone();
        platter.unsynced.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut platter = self.0.lock();
        platter.change()?;
        let operation = Unsynced::Write(usize::try_from(offset).unwrap(), data.to_vec());
        apply(&mut platter.now, &operation);
        platter.unsynced.push(operation);
        Ok(())
    }
}

fn pair(n: u64) -> Vec<Change> {
    // Long enough to need pages of its own.
    let body = format!("{n:05}").repeat(1000);
    ["a", "b"]
        .map(|id| change(Kind::Lambda, id, Expected::Any, Some(&body)))
        .to_vec()
}

/// The number that the pair was last written with; both or none are there, with the same.
fn number(store: &Store) -> Option<u64> {
    let [a, b] = ["a", "b"].map(|id| body(store, &Kind::Lambda, id));
    assert_eq!(a, b, "a write is all or nothing");
    let body = a?;
    Some(std::str::from_utf8(&body[..5]).unwrap().parse().unwrap())
}

#[test]
fn any_failure_of_the_disk_is_an_error_and_no_more() {
    // CP-564: whichever operation of a commit fails, the writer hears so, and the store is whole and goes on.
    let mut failures = 0;
    for at in 0..24 {
        let dir = tempfile::tempdir().unwrap();
        let disk = SimulatedDisk::default();
        let store = disk.open(dir.path()).unwrap();
        write(&store, pair(1)).unwrap();
        disk.fail(at, 1);
        let second = write(&store, pair(2));
        disk.recover();
        let after = number(&store).unwrap();
        match second {
            Ok(_) => assert_eq!(after, 2),
            Err(WriteError::Store(error)) => {
                failures += 1;
                assert!(error.to_string().contains("state.redb"), "{error}");
                assert!(after == 1 || after == 2, "{after}");
            }
            Err(error) => panic!("{error}"),
        }
        write(&store, pair(3)).unwrap();
        assert_eq!(number(&store), Some(3));
        drop(store);
        let store = disk.open(dir.path()).unwrap();
        assert_eq!(number(&store), Some(3));
    }
    assert!(
        failures > 5,
        "the disk failed {failures} times, which tests little"
    );
}

#[test]
fn a_full_disk_refuses_writes_and_serves_reads() {
    // CP-564: on a full disk reads go on, writes are refused with what the system said, and all is well when there is room.
    let dir = tempfile::tempdir().unwrap();
    let disk = SimulatedDisk::default();
    let store = disk.open(dir.path()).unwrap();
    write(&store, pair(1)).unwrap();
    disk.fail(0, u64::MAX);
    for n in 2..6 {
        let error = write(&store, pair(n)).unwrap_err();
        assert!(matches!(error, WriteError::Store(_)), "{error}");
        assert_eq!(number(&store), Some(1));
    }
    let unread = store.history(&Kind::Lambda, "a").unwrap_err();
    assert!(matches!(unread, StoreError::Broken { .. }), "{unread}");
    disk.recover();
    write(&store, pair(7)).unwrap();
    assert_eq!(number(&store), Some(7));
    assert_eq!(store.history(&Kind::Lambda, "a").unwrap().len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_acknowledged_write_is_lost_with_the_power(cuts in prop::collection::vec((0_u64..60, any::<u64>()), 1..4)) {
        // CP-564: the power goes at any operation, and the disk keeps any of what was not synced. No acknowledged write is
        // lost, and no start fails.
        let dir = tempfile::tempdir().unwrap();
        let mut disk = SimulatedDisk::default();
        // Made first: a new store takes its name when it is complete, which this disk of one file cannot show.
        drop(disk.open(dir.path()).unwrap());
        let mut acknowledged = 0;
        let mut asked = 0;
        for (operations, seed) in cuts {
            disk.fail(operations, u64::MAX);
            // The power may go while the store opens.
            if let Ok(store) = disk.open(dir.path()) {
                // A write has several operations, so the power is gone long before; a store that acknowledges without them
                // goes on to the end, and loses them.
                for _ in 0..100 {
                    asked += 1;
                    if write(&store, pair(asked)).is_err() {
                        break;
                    }
                    acknowledged = asked;
                }
            }
            disk = disk.after_power_cut(seed);
            let store = disk.open(dir.path());
            prop_assert!(store.is_ok(), "{:?}", store.err());
            let found = number(&store.unwrap()).unwrap_or(0);
            prop_assert!((acknowledged..=asked).contains(&found), "{acknowledged} <= {found} <= {asked}");
            // What is there stays there.
            acknowledged = found;
        }
    }
}
