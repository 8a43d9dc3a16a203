use std::{
    io::Read as _,
    sync::atomic::{AtomicBool, Ordering},
};

use flate2::read::GzDecoder;

use super::*;
use crate::{
    clock::ManualClock,
    observe::access::tests::{distribution, record},
};

const START: u64 = 1_772_528_400_000;

/// A file system that can be full.
#[derive(Clone)]
struct Fillable(Arc<AtomicBool>);

struct FillableFile(File, Arc<AtomicBool>);

impl Write for FillableFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.1.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        // Some of it, as a disk does that is nearly full.
        self.0.write(&bytes[..bytes.len().min(50)])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Disk for Fillable {
    type File = FillableFile;

    fn create(&self, path: &Path) -> io::Result<FillableFile> {
        Ok(FillableFile(FileSystem.create(path)?, self.0.clone()))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        FileSystem.rename(from, to)
    }
}

struct Setting {
    dir: tempfile::TempDir,
    clock: ManualClock,
    is_full: Arc<AtomicBool>,
    reopen: Reopen,
    dropped: IntCounter,
    files: HourlyFiles<Fillable>,
}

fn setting() -> Setting {
    let clock = ManualClock::at_millis(START);
    let is_full = Arc::new(AtomicBool::new(false));
    let reopen = Reopen::default();
    let dropped = IntCounter::new("dropped", "Lines").unwrap();
    let files = HourlyFiles::new(
        Fillable(is_full.clone()),
        Arc::new(clock.clone()),
        reopen.clone(),
        dropped.clone(),
    );
    Setting {
        dir: tempfile::tempdir().unwrap(),
        clock,
        is_full,
        reopen,
        dropped,
        files,
    }
}

impl Setting {
    /// Logs a request for a path, now.
    fn log(&mut self, path: &str) {
        let mut distribution = distribution();
        distribution.logging = Some(StandardLogging {
            directory: self.dir.path().join("logs/site"),
            include_cookies: false,
        });
        let record = AccessRecord {
            time: self.clock.now(),
            uri: path.to_owned(),
            distribution: Some(Arc::new(distribution)),
            ..record()
        };
        self.files.take(&Arc::new(record));
        if self.files.is_full() {
            self.files.write();
        }
    }

    fn names(&self) -> Vec<String> {
        let found = fs::read_dir(self.dir.path().join("logs/site"));
        let mut names: Vec<_> = found
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// What can be read of a file; the paths of its lines.
    fn paths_in(&self, name: &str) -> Vec<String> {
        let file = File::open(self.dir.path().join("logs/site").join(name)).unwrap();
        let mut bytes = Vec::new();
        // A part ends in the middle of its stream.
        let whole = GzDecoder::new(file).read_to_end(&mut bytes);
        assert_eq!(whole.is_ok(), name.ends_with(".gz"), "{name}: {whole:?}");
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with("#Version: 1.0\n#Fields: date time "));
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| line.split('\t').nth(7).unwrap().to_owned())
            .collect()
    }
}

#[test]
fn each_hour_has_a_file_that_gets_its_name_when_it_is_over() {
    // CF-700
    let mut set = setting();
    set.log("/1");
    set.clock.advance(Duration::from_secs(10));
    set.files.write();
    let names = set.names();
    assert_eq!(names.len(), 1);
    let unique = names[0]
        .strip_prefix("ESITE.2026-03-03-09.")
        .and_then(|rest| rest.strip_suffix(".gz.part"))
        .unwrap();
    assert_eq!(unique.len(), 11);
    // A part holds what was written before a crash.
    assert_eq!(set.paths_in(&names[0]), ["/1"]);

    set.clock.advance(Duration::from_secs(3_590));
    set.log("/2");
    set.files.write();
    let names = set.names();
    assert!(names[0].starts_with("ESITE.2026-03-03-09.") && names[0].ends_with(".gz"));
    assert_eq!(set.paths_in(&names[0]), ["/1"]);

    // Also without another request: somebody looks at the clock now and then.
    assert_eq!(set.files.wakes_after(), Some(WRITTEN_WITHIN));
    set.clock.advance(Duration::from_secs(3_600));
    set.files.write();
    let names = set.names();
    assert!(names[1].starts_with("ESITE.2026-03-03-10.") && names[1].ends_with(".gz"));
    assert_eq!(set.paths_in(&names[1]), ["/2"]);
    assert_eq!((set.files.wakes_after(), set.dropped.get()), (None, 0));
}

#[test]
fn the_end_and_a_signal_finish_files() {
    // CF-700
    let mut set = setting();
    set.log("/1");
    set.reopen.ask();
    set.files.write();
    set.log("/2");
    set.files.end();
    let names = set.names();
    assert_eq!(names.len(), 2);
    let mut paths: Vec<_> = names.iter().flat_map(|name| set.paths_in(name)).collect();
    paths.sort();
    assert_eq!(
        (paths, set.dropped.get()),
        (vec!["/1".into(), "/2".into()], 0)
    );
}

#[test]
fn a_full_disk_costs_no_line_that_there_is_room_for() {
    // CF-700
    let mut set = setting();
    set.is_full.store(true, Ordering::Relaxed);
    set.log("/1");
    set.clock.advance(Duration::from_secs(10));
    set.files.write();
    assert_eq!(set.files.wakes_after(), Some(RETRY));
    set.log("/2");
    // The hour ends before there is room again.
    set.clock.advance(Duration::from_secs(3_600));
    set.log("/3");
    set.files.write();
    set.is_full.store(false, Ordering::Relaxed);
    set.files.write();
    set.files.end();
    let names = set.names();
    assert_eq!(set.paths_in(&names[0]), ["/1", "/2"]);
    assert_eq!(set.paths_in(&names[1]), ["/3"]);
    assert_eq!((names.len(), set.dropped.get()), (2, 0));
}

#[test]
fn what_waits_for_a_disk_is_bounded_and_what_is_lost_is_counted() {
    // CF-700
    let mut set = setting();
    set.is_full.store(true, Ordering::Relaxed);
    let mut logged = 0;
    while set.dropped.get() == 0 {
        // Nothing that compresses well.
        let path: String = (0..200).map(|_| unique()).collect();
        set.log(&format!("/{path}"));
        logged += 1;
        assert!(logged < 10_000, "nothing is dropped");
    }
    let waiting = set.files.open["ESITE"].encoder.get_ref().len();
    assert!(waiting < 2 * MOST_WAITING, "{waiting}");
    set.files.end();
    assert_eq!(set.dropped.get(), logged);
}

#[test]
fn a_directory_that_changes_ends_a_file() {
    // CF-045
    let mut set = setting();
    set.log("/1");
    let moved = tempfile::tempdir().unwrap();
    let before = std::mem::replace(&mut set.dir, moved);
    set.log("/2");
    set.files.end();
    assert_eq!(set.paths_in(&set.names()[0]), ["/2"]);
    set.dir = before;
    assert_eq!(set.paths_in(&set.names()[0]), ["/1"]);
}
