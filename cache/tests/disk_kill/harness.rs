//! Kills a process in the middle of writing to a disk store, again and again, and looks at what is left.
//!
//! The child writes on several tasks, each to keys of its own, and says on its output what it is about to do and what was acknowledged. The
//! parent kills it at a random moment, opens the store and compares every key with what it may be: what was
//! acknowledged last, or what was under way. An object may be missing, since the store evicts; a wrong byte, a head of another
//! body, or an object that was removed or replaced may not be there.

#![expect(
    clippy::unwrap_used,
    reason = "a harness: what fails here ends the run"
)]

use std::{
    collections::HashMap,
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use bytes::Bytes;
use fourfront_cache::{
    disk::{AdmitAll, DiskEntry, DiskLimits, DiskStore, NewObject},
    key::CacheKey,
};

const DIR: &str = "FOURFRONT_DISK_KILL_DIR";
const SEED: &str = "FOURFRONT_DISK_KILL_SEED";
const ROOMY: &str = "FOURFRONT_DISK_KILL_ROOMY";
const TASKS: u64 = 4;
const KEYS: u64 = 25;

/// What the cycles came to.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Children killed.
    pub(crate) cycles: u64,
    /// Acknowledged operations.
    pub(crate) acknowledged: u64,
    /// Objects that were there after a kill, and compared byte by byte.
    pub(crate) compared: u64,
    /// Acknowledged objects that were not there: evicted, where that may be.
    pub(crate) missing: u64,
    /// Keys without an object, which was removed or never there.
    pub(crate) removed: u64,
    /// The longest time that opening took.
    pub(crate) slowest_open: Duration,
}

/// How large the store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ring {
    /// So small that it goes around all the time, objects are evicted and the journal is written anew.
    Busy,
    /// So large that nothing is evicted for some minutes: what was acknowledged must be there.
    Roomy,
}

fn limits(ring: Ring) -> DiskLimits {
    let capacity = match ring {
        Ring::Busy => 4 << 20,
        Ring::Roomy => 16 << 30,
    };
    DiskLimits {
        capacity,
        region: 512 * 1024,
        segment: 16 * 1024,
        inline: 4 * 1024,
        write_buffer: 1024 * 1024,
        // A process that dies does not take the system with it.
        sync_removals: false,
        ..DiskLimits::of_capacity(capacity)
    }
}

fn key(n: u64) -> CacheKey {
    let bits = u128::from(n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    CacheKey::from_bytes(bits.to_le_bytes())
}

/// A body that tells its version and key, and every place in it.
fn body(n: u64, version: u64) -> Bytes {
    let mut rng = Rng(n << 40 ^ version);
    let len = 16
        + match rng.next() % 4 {
            0 => rng.below(60_000),
            1 => rng.below(20_000),
            _ => rng.below(4_000),
        };
    let mut out = Vec::with_capacity(len + 8);
    out.extend_from_slice(&version.to_le_bytes());
    out.extend_from_slice(&n.to_le_bytes());
    while out.len() < len {
        out.extend_from_slice(&rng.next().to_le_bytes());
    }
    out.truncate(len);
    out.into()
}

/// SplitMix64.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> usize {
        usize::try_from(self.next() % n).unwrap()
    }
}

/// A state of a key: removed, or a body with a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Absent,
    Object { version: u64, head: u64 },
}

/// Runs the child if this process is one.
pub(crate) fn child_if_asked() {
    let (Ok(dir), Ok(seed)) = (env::var(DIR), env::var(SEED)) else {
        return;
    };
    let seed: u64 = seed.parse().unwrap();
    let ring = env::var(ROOMY).map_or(Ring::Busy, |_| Ring::Roomy);
    let store = DiskStore::open(Path::new(&dir), limits(ring), Arc::new(AdmitAll)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..TASKS {
            tasks.spawn(write(store.clone(), task, seed));
        }
        tasks.join_all().await;
    });
}

fn say(line: std::fmt::Arguments<'_>) {
    // One call, so that lines of tasks do not mix; the parent is gone when it fails.
    let line = format!("{line}\n");
    let _ = std::io::stdout()
        .write_all(line.as_bytes())
        .and_then(|()| std::io::stdout().flush());
}

async fn write(store: DiskStore, task: u64, seed: u64) {
    let mut rng = Rng(seed ^ task << 50);
    say(format_args!("ready"));
    for version in seed.. {
        let n = task * KEYS + rng.next() % KEYS;
        match rng.next() % 8 {
            0 | 1 => {
                say(format_args!("begin {n} remove"));
                if store.remove(&key(n)).await.is_ok() {
                    say(format_args!("done {n} remove"));
                }
            }
            2 => {
                let Some(entry) = store.lookup(&key(n)).await else {
                    continue;
                };
                let new = object(version);
                say(format_args!("begin {n} head {version}"));
                let Ok(written) = store.update_head(&entry, new) else {
                    continue;
                };
                if written.await.is_ok() {
                    say(format_args!("done {n} head {version}"));
                }
            }
            3 => {
                // Begun and given up: no trace of it may answer.
                if let Ok(mut writer) = store.insert(key(n), object(version)) {
                    let _ = writer.append(0, body(n, version).slice(..16));
                }
            }
            _ => {
                say(format_args!("begin {n} put {version}"));
                let body = body(n, version);
                let Ok(written) = store.insert_whole(key(n), object(version), body) else {
                    continue;
                };
                if written.await.is_ok() {
                    say(format_args!("done {n} put {version}"));
                }
            }
        }
        tokio::task::yield_now().await;
    }
}

fn object(version: u64) -> NewObject {
    NewObject {
        head: version.to_le_bytes().to_vec().into(),
        epoch: version,
        total: None,
    }
}

/// Kills children until `until` says that it is enough.
///
/// # Panics
/// When anything is there that may not be.
pub(crate) fn run(
    dir: &Path,
    seed: u64,
    ring: Ring,
    child: impl Fn() -> Command,
    mut enough: impl FnMut(&Report) -> bool,
) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut rng = Rng(seed);
    let mut states = HashMap::new();
    let mut report = Report::default();
    while !enough(&report) {
        let first_version = (report.cycles + 1) << 24;
        let mut command = child();
        if ring == Ring::Roomy {
            command.env(ROOMY, "1");
        }
        let mut child = command
            .env(DIR, dir)
            .env(SEED, first_version.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (lines, heard) = mpsc::channel();
        let reader = std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = lines.send(line);
            }
        });
        let mut said: Vec<String> = Vec::new();
        // The child has begun to write; then any moment up to some milliseconds later.
        loop {
            let line = heard
                .recv_timeout(Duration::from_secs(60))
                .expect("the child does not start");
            let ready = line.ends_with("ready");
            said.push(line);
            if ready {
                break;
            }
        }
        let moment = Instant::now() + Duration::from_micros(rng.next() % 25_000);
        while let Ok(line) = heard.recv_timeout(moment.saturating_duration_since(Instant::now())) {
            said.push(line);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        reader.join().unwrap();
        said.extend(heard.try_iter());

        let under_way = follow(&said, &mut states, &mut report);
        let begun = Instant::now();
        let store = DiskStore::open(dir, limits(ring), Arc::new(AdmitAll)).unwrap();
        assert!(store.is_on(), "the store does not start");
        report.slowest_open = report.slowest_open.max(begun.elapsed());
        runtime.block_on(async {
            for n in 0..TASKS * KEYS {
                let may_be = may_be(n, &states, &under_way);
                let is = look(&store, n).await;
                assert!(
                    is == State::Absent || may_be.contains(&is),
                    "seed {seed}, cycle {}: key {n} is {is:?}, may be {may_be:?}",
                    report.cycles
                );
                let was = states.get(&n).copied().unwrap_or(State::Absent);
                match (is, was) {
                    (State::Object { .. }, _) => report.compared += 1,
                    (State::Absent, State::Absent) => report.removed += 1,
                    (State::Absent, _) if may_be.contains(&State::Absent) => report.removed += 1,
                    (State::Absent, State::Object { .. }) => report.missing += 1,
                }
                // What is there now is what counts from here on.
                states.insert(n, is);
            }
            assert_eq!(store.counts().corrupt, 0, "a torn record was visible");
            store.close().await;
        });
        report.cycles += 1;
        assert!(
            ring == Ring::Busy || report.missing == 0,
            "seed {seed}: an object is lost"
        );
    }
    report
}

/// What the child said: states that were acknowledged, and operations that were not.
fn follow(
    said: &[String],
    states: &mut HashMap<u64, State>,
    report: &mut Report,
) -> HashMap<u64, Vec<Vec<String>>> {
    let mut under_way: HashMap<u64, Vec<Vec<String>>> = HashMap::new();
    for line in said {
        let words: Vec<String> = line.split(' ').map(String::from).collect();
        let [verb, n, what @ ..] = &words[..] else {
            continue;
        };
        let Ok(n) = n.parse::<u64>() else { continue };
        match verb.as_str() {
            "begin" => under_way.entry(n).or_default().push(what.to_vec()),
            "done" => {
                let was = states.get(&n).copied().unwrap_or(State::Absent);
                let all = under_way.remove(&n).unwrap_or_default();
                assert_eq!(all.last().map(Vec::as_slice), Some(what));
                states.insert(n, after(was, what));
                report.acknowledged += 1;
            }
            _ => {}
        }
    }
    under_way
}

fn after(was: State, what: &[String]) -> State {
    let version = |at: usize| what.get(at).and_then(|v| v.parse().ok()).unwrap();
    match (what[0].as_str(), was) {
        ("put", _) => State::Object {
            version: version(1),
            head: version(1),
        },
        ("head", State::Object { version: body, .. }) => State::Object {
            version: body,
            head: version(1),
        },
        _ => State::Absent,
    }
}

fn may_be(
    n: u64,
    states: &HashMap<u64, State>,
    under_way: &HashMap<u64, Vec<Vec<String>>>,
) -> Vec<State> {
    let mut may_be = vec![states.get(&n).copied().unwrap_or(State::Absent)];
    for what in under_way.get(&n).into_iter().flatten() {
        let next: Vec<State> = may_be.iter().map(|was| after(*was, what)).collect();
        may_be.extend(next);
    }
    may_be
}

/// What a key is, every byte compared.
async fn look(store: &DiskStore, n: u64) -> State {
    let Some(entry) = store.lookup(&key(n)).await else {
        return State::Absent;
    };
    let head = u64::from_le_bytes(entry.head()[..].try_into().unwrap());
    assert_eq!(entry.epoch(), head);
    let Some(bytes) = read(store, &entry).await else {
        return State::Absent;
    };
    let version = u64::from_le_bytes(bytes[..8].try_into().unwrap());
    assert_eq!(bytes, body(n, version), "wrong bytes under key {n}");
    State::Object { version, head }
}

/// The whole body; none when a part of it was evicted.
async fn read(store: &DiskStore, entry: &DiskEntry) -> Option<Vec<u8>> {
    let total = entry.total().unwrap();
    let mut out = Vec::new();
    while (out.len() as u64) < total {
        let bytes = store.read(entry, out.len() as u64..total).await.ok()?;
        assert!(!bytes.is_empty());
        out.extend_from_slice(&bytes);
    }
    Some(out)
}
