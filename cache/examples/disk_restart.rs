//! A process that has stored 1,000,000 objects is killed in the middle of writing; how soon the next one answers from the disk, and
//! what its index takes.
//!
//! ```sh
//! cargo run --release -p fourfront-cache --example disk_restart
//! ```

use std::{
    env,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use fourfront_cache::{
    disk::{AdmitAll, DiskLimits, DiskStore, NewObject},
    key::CacheKey,
};

type Outcome = Result<(), Box<dyn std::error::Error>>;

const OBJECTS: u64 = 1_000_000;
const CAPACITY: u64 = 4 << 30;

fn main() -> Outcome {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["write", dir] => write(Path::new(dir)),
        ["open", dir] => open_and_look(Path::new(dir)),
        _ => kill_and_open(),
    }
}

fn kill_and_open() -> Outcome {
    let me = env::current_exe()?;
    let dir = tempfile::tempdir()?;
    for _ in 0..3 {
        let mut child = Command::new(&me)
            .arg("write")
            .arg(dir.path())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut output = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut line = String::new();
        output.read_line(&mut line)?;
        // It goes on writing; this lets it, for a while, without a clock: until it has said so many lines.
        for _ in 0..20 {
            output.read_line(&mut line)?;
        }
        child.kill()?;
        child.wait()?;
        let status = Command::new(&me).arg("open").arg(dir.path()).status()?;
        if !status.success() {
            return Err("the store did not open".into());
        }
    }
    Ok(())
}

fn open(dir: &Path) -> Result<DiskStore, Box<dyn std::error::Error>> {
    Ok(DiskStore::open(
        dir,
        DiskLimits::of_capacity(CAPACITY),
        Arc::new(AdmitAll),
    )?)
}

fn key(n: u64) -> CacheKey {
    let bits = u128::from(n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    CacheKey::from_bytes(bits.to_le_bytes())
}

/// Stores what is missing of the objects, then replaces some until it is killed.
fn write(dir: &Path) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let store = open(dir)?;
    let put = |n: u64| {
        let object = NewObject {
            head: Bytes::from_static(&[7; 300]),
            epoch: n,
            total: None,
        };
        store.insert_whole(key(n), object, Bytes::from_static(&[1; 1024]))
    };
    for n in store.objects()..OBJECTS {
        let written = put(n)?;
        if n.is_multiple_of(1000) {
            runtime.block_on(written)?;
        }
    }
    runtime.block_on(store.flush())?;
    println!("{} objects", store.objects());
    for n in (0..OBJECTS).cycle() {
        let written = put(n)?;
        if n.is_multiple_of(1000) {
            runtime.block_on(written)?;
            println!("more");
        }
    }
    Ok(())
}

fn open_and_look(dir: &Path) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let before = resident();
    let begun = Instant::now();
    let store = open(dir)?;
    let found = runtime.block_on(store.lookup(&key(123_456))).is_some();
    let took: Duration = begun.elapsed();
    let grown = resident().saturating_sub(before);
    let journal = std::fs::metadata(dir.join("journal"))?.len();
    println!(
        "open and first hit in {took:?}, {} objects, journal of {} MiB, {} bytes of resident memory an object",
        store.objects(),
        journal >> 20,
        grown / OBJECTS
    );
    if found {
        Ok(())
    } else {
        Err("an object is missing".into())
    }
}

/// Resident memory of this process in bytes; 0 where there is no such file.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = line
        .and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0);
    kib * 1024
}
