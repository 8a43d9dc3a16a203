//! Writers that are killed, and the check of what they acknowledged (CP-564).
//!
//! A child process opens the store and writes with several threads at once, each in its own way, and says on its standard
//! output what it was told is durable. The parent kills it at any moment, opens the store itself, and looks.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdout},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use fourfront_store::{
    Batch, BlobId, Change, Expected, Kind, KvsChange, KvsRequest, Options, References,
    ReleaseDraft, Store, StoreError,
};

/// Pairs of documents, entries or the like that each thread writes to.
const PAIRS: u64 = 4;

/// What a writer has to say of a write that is durable.
type Line = Result<String, Box<dyn std::error::Error>>;

/// What a run came to.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Children that were killed.
    pub(crate) cycles: u64,
    /// Of them, those that were killed before they acknowledged anything: most while they opened the store.
    pub(crate) early: u64,
    /// Acknowledged writes that were looked for.
    pub(crate) acknowledged: u64,
    /// The longest start after a kill.
    pub(crate) slowest_start: Duration,
}

/// Writes until it is killed. Lines on the standard output say what is durable.
pub(crate) fn child(dir: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let store = Store::open(dir, Options::default())?;
    if store.kvs_snapshot("store").is_none() {
        store.write(Batch {
            kvs: vec![KvsChange::Create {
                id: "store".into(),
                entries: Vec::new(),
            }],
            ..Batch::default()
        })?;
    }
    let first = store.snapshot().sequence() + 1;
    let writers: [fn(&Store, u64) -> Line; 5] = [documents, entries, blobs, log, releases];
    thread::scope(|scope| {
        for writer in writers {
            let store = &store;
            scope.spawn(move || {
                for n in first.. {
                    match writer(store, n) {
                        Ok(line) => say(&line),
                        Err(error) => say(&format!("failed {error}")),
                    }
                }
            });
        }
    });
    Ok(())
}

fn say(line: &str) {
    // One write, so that lines of several threads do not mix and a killed one is not half said unnoticed.
    let mut out = std::io::stdout().lock();
    let said = out
        .write_all(format!("ack {line}\n").as_bytes())
        .and_then(|()| out.flush());
    // The parent is gone.
    if said.is_err() {
        std::process::exit(1);
    }
}

fn change(kind: Kind, id: String, body: Option<String>) -> Change {
    Change {
        kind,
        id: id.into(),
        expected: Expected::Any,
        body: body.map(Into::into),
    }
}

/// Two documents with the same number, and a third that exists when the number is even.
fn documents(store: &Store, n: u64) -> Line {
    let pair = n % PAIRS;
    let body = format!("{n} ").repeat(usize::try_from(n % 700).unwrap_or(0) + 1);
    let flag = n.is_multiple_of(2).then(|| n.to_string());
    store.write(Batch {
        changes: vec![
            change(Kind::Distribution, format!("a{pair}"), Some(body.clone())),
            change(Kind::Distribution, format!("b{pair}"), Some(body)),
            change(Kind::Role, format!("flag{pair}"), flag),
        ],
        now: n,
        ..Batch::default()
    })?;
    Ok(format!("documents {pair} {n}"))
}

fn entries(store: &Store, n: u64) -> Line {
    let pair = n % PAIRS;
    store.kvs_apply(KvsRequest {
        id: "store".into(),
        puts: ["a", "b"]
            .map(|key| (format!("{key}{pair}").into(), n.to_string().into()))
            .into(),
        now: n,
        ..KvsRequest::default()
    })?;
    Ok(format!("entries {pair} {n}"))
}

/// A blob, and the document that names it.
fn blobs(store: &Store, n: u64) -> Line {
    let mut writer = store.blob_writer()?;
    for _ in 0..n % 8 {
        writer.write(&n.to_le_bytes().repeat(1000))?;
    }
    writer.write(&n.to_le_bytes())?;
    let blob = writer.finish()?;
    store.write(Batch {
        changes: vec![change(Kind::Lambda, n.to_string(), Some(blob.to_string()))],
        ..Batch::default()
    })?;
    Ok(format!("blobs {n} {blob}"))
}

fn log(store: &Store, n: u64) -> Line {
    let number = store.append("log", n.to_le_bytes().to_vec().into(), n)?;
    Ok(format!("log 0 {number}"))
}

fn releases(store: &Store, n: u64) -> Line {
    store.write(Batch {
        changes: vec![change(Kind::Site, "site".to_owned(), Some(n.to_string()))],
        release: Some(ReleaseDraft {
            id: format!("r{n}").into(),
            stack: "stack".into(),
            message: "".into(),
        }),
        ..Batch::default()
    })?;
    Ok(format!("releases 0 {n}"))
}

/// Kills `cycles` children and checks after each. `spawn` starts one on a directory, its standard output piped.
///
/// # Errors
/// What was lost, or what a start said.
pub(crate) fn run(
    cycles: u64,
    dir: &Path,
    mut seed: u64,
    spawn: impl Fn(&Path) -> std::io::Result<Child>,
) -> Result<Report, String> {
    let mut report = Report::default();
    let mut model = Model::default();
    let mut start = Duration::from_millis(20);
    for cycle in 0..cycles {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        // Every fourth child is likely to die while it opens the store, which takes longer as the store grows.
        let most = if cycle % 4 == 0 {
            start
        } else {
            2 * start + Duration::from_millis(80)
        };
        let most = u64::try_from(most.as_micros()).unwrap_or(u64::MAX).max(1);
        let life = Duration::from_micros((seed >> 33) % most);
        let mut child = spawn(dir).map_err(|error| error.to_string())?;
        let lines = lines(child.stdout.take().ok_or("the child has no output")?);
        let heard = live_and_die(&mut child, &lines, life)?;
        report.cycles += 1;
        report.early += u64::from(heard.is_empty());
        report.acknowledged += heard.len() as u64;
        for line in &heard {
            model.acknowledge(line)?;
        }
        let before = Instant::now();
        let store = Store::open(dir, Options::default())
            .map_err(|error: StoreError| format!("cycle {cycle}: no start: {error}"))?;
        start = before.elapsed();
        report.slowest_start = report.slowest_start.max(start);
        model
            .check(&store, cycle + 1 == cycles)
            .map_err(|lost| format!("cycle {cycle}: {lost}"))?;
        if cycle % 10 == 9 {
            // Collections are part of a node's life; nothing here is old enough to go.
            let references: References = Arc::new(|_, _, body| {
                let text = std::str::from_utf8(body).unwrap_or_default();
                text.parse().ok().into_iter().collect()
            });
            let collected = store.collect_garbage(cycle, &references);
            collected.map_err(|error| format!("cycle {cycle}: {error}"))?;
        }
    }
    Ok(report)
}

/// Reads on a thread, so that the parent can wait for a line and for a moment at once.
fn lines(out: ChildStdout) -> mpsc::Receiver<String> {
    let (line, lines) = mpsc::channel();
    thread::spawn(move || {
        let mut out = BufReader::new(out);
        let mut text = String::new();
        // A line without an end was not said.
        while out.read_line(&mut text).is_ok() && text.ends_with('\n') {
            if line.send(std::mem::take(&mut text)).is_err() {
                break;
            }
        }
    });
    lines
}

fn live_and_die(
    child: &mut Child,
    lines: &mpsc::Receiver<String>,
    life: Duration,
) -> Result<Vec<String>, String> {
    let end = Instant::now() + life;
    let mut heard = Vec::new();
    loop {
        let left = end.saturating_duration_since(Instant::now());
        match lines.recv_timeout(left) {
            Ok(line) => heard.push(line),
            Err(mpsc::RecvTimeoutError::Timeout) => break,
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Err("the child ended by itself".to_owned());
            }
        }
        if left.is_zero() {
            break;
        }
    }
    // SIGKILL on Unix.
    child.kill().map_err(|error| error.to_string())?;
    child.wait().map_err(|error| error.to_string())?;
    // What it said before it died is in the pipe.
    heard.extend(lines.iter());
    heard.retain(|line| line.starts_with("ack "));
    Ok(heard)
}

/// The highest number acknowledged by each kind of writer for each pair, and every blob.
#[derive(Default)]
struct Model {
    numbers: BTreeMap<(String, u64), u64>,
    blobs: BTreeMap<u64, BlobId>,
    /// Blobs up to here were read back already.
    read: u64,
}

impl Model {
    fn acknowledge(&mut self, line: &str) -> Result<(), String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, what, which, last] = words[..] else {
            return Err(format!("the child says: {line}"));
        };
        let number = |text: &str| {
            let number = text.parse::<u64>();
            number.map_err(|_| format!("the child says: {line}"))
        };
        if what == "blobs" {
            let blob = last.parse().map_err(|_| line.to_owned())?;
            self.blobs.insert(number(which)?, blob);
            return Ok(());
        }
        let known = self.numbers.entry((what.to_owned(), number(which)?));
        let known = known.or_default();
        *known = number(last)?.max(*known);
        Ok(())
    }

    fn check(&mut self, store: &Store, all: bool) -> Result<(), String> {
        for ((what, pair), acknowledged) in &self.numbers {
            let found = match what.as_str() {
                "documents" => pair_of_documents(store, *pair)?,
                "entries" => pair_of_entries(store, *pair)?,
                "log" => store.log_ends("log").1 - 1,
                "releases" => last_release(store)?,
                _ => return Err(format!("the child says {what}")),
            };
            if found < *acknowledged {
                return Err(format!(
                    "{what} {pair}: {acknowledged} was acknowledged and {found} is there"
                ));
            }
        }
        let from = if all { 0 } else { self.read };
        for (n, blob) in self.blobs.range(from..) {
            let document = store.get(&Kind::Lambda, &n.to_string());
            let body = document.and_then(|document| document.body.clone());
            if body.as_deref() != Some(blob.to_string().as_bytes()) {
                return Err(format!("the document of blob {n} is lost"));
            }
            match store.blob_read(blob) {
                Ok(Some(_)) => self.read = self.read.max(*n),
                Ok(None) => return Err(format!("blob {blob} is lost")),
                Err(error) => return Err(error.to_string()),
            }
        }
        let partial = store.dir().join("blobs/tmp");
        match std::fs::read_dir(&partial).map(|mut left| left.next().is_none()) {
            Ok(true) => Ok(()),
            other => Err(format!("{}: {other:?}", partial.display())),
        }
    }
}

fn pair_of_documents(store: &Store, pair: u64) -> Result<u64, String> {
    let snapshot = store.snapshot();
    let [a, b] = ["a", "b"].map(|side| {
        let document = snapshot.get(&Kind::Distribution, &format!("{side}{pair}"));
        document.and_then(|document| document.body.clone())
    });
    if a != b {
        return Err(format!("a write of pair {pair} is half there"));
    }
    let text = a.ok_or_else(|| format!("pair {pair} is lost"))?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let n = text
        .split_whitespace()
        .next()
        .and_then(|n| n.parse::<u64>().ok());
    let n = n.ok_or("a document is not what was written")?;
    if text.len() != format!("{n} ").len() * (usize::try_from(n % 700).unwrap_or(0) + 1) {
        return Err(format!("a document of pair {pair} is not whole"));
    }
    let flag = snapshot.get(&Kind::Role, &format!("flag{pair}")).is_some();
    if flag != n.is_multiple_of(2) {
        return Err(format!(
            "the deletion of pair {pair} is apart from its write"
        ));
    }
    Ok(n)
}

fn pair_of_entries(store: &Store, pair: u64) -> Result<u64, String> {
    let data = store.kvs_snapshot("store").ok_or("the entries are lost")?;
    let [a, b] = ["a", "b"].map(|side| data.get(&format!("{side}{pair}")));
    if a != b {
        return Err(format!("a request for pair {pair} is half there"));
    }
    a.and_then(|value| value.parse().ok())
        .ok_or_else(|| format!("entries {pair} are lost"))
}

fn last_release(store: &Store) -> Result<u64, String> {
    let releases = store.releases(Some("stack"));
    let (_, last) = releases.first().ok_or("the releases are lost")?;
    let site = store.get(&Kind::Site, "site").ok_or("the site is lost")?;
    if last.members[0].revision != site.revision {
        return Err("the last release is not what is active".to_owned());
    }
    last.id[1..].parse().map_err(|_| last.id.to_string())
}
