//! Kills a process that writes to a disk store, for as long as it is told, and says what it found.
//!
//! ```sh
//! cargo run --release -p fourfront-cache --example disk_kill -- 1200   # seconds
//! ```

#[path = "../tests/disk_kill/harness.rs"]
mod harness;

use std::{
    env,
    process::Command,
    time::{Duration, Instant},
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    harness::child_if_asked();
    let mut args = env::args().skip(1);
    let seconds = args.next().map_or(Ok(1200), |s| s.parse())?;
    let seed = args
        .next()
        .map_or(Ok(u64::from(std::process::id())), |s| s.parse())?;
    let me = env::current_exe()?;
    let dir = tempfile::tempdir()?;
    println!("seed {seed}, {seconds} s, {}", dir.path().display());
    let end = Instant::now() + Duration::from_secs(seconds);
    let report = harness::run(
        dir.path(),
        seed,
        || Command::new(&me),
        |report| {
            if report.cycles > 0 && report.cycles.is_multiple_of(1000) {
                println!("{report:?}");
            }
            Instant::now() >= end
        },
    );
    println!("{report:#?}");
    println!("no wrong body, nothing removed or replaced came back, no failed start");
    Ok(())
}
