//! Kills a process that writes to a disk store, for as long as it is told, and says what it found.
//!
//! ```sh
//! cargo run --release -p fourfront-cache --example disk_kill -- 1200         # seconds
//! cargo run --release -p fourfront-cache --example disk_kill -- 300 roomy   # nothing is evicted, so nothing may be missing
//! ```

#[path = "../tests/disk_kill/harness.rs"]
mod harness;

use std::{
    env,
    process::Command,
    time::{Duration, Instant},
};

use harness::Ring;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    harness::child_if_asked();
    let mut args = env::args().skip(1);
    let seconds = args.next().map_or(Ok(1200), |s| s.parse())?;
    let ring = match args.next().as_deref() {
        Some("roomy") => Ring::Roomy,
        _ => Ring::Busy,
    };
    let seed = u64::from(std::process::id());
    let me = env::current_exe()?;
    let dir = tempfile::tempdir()?;
    println!(
        "seed {seed}, {seconds} s, {ring:?}, {}",
        dir.path().display()
    );
    let end = Instant::now() + Duration::from_secs(seconds);
    let report = harness::run(
        dir.path(),
        seed,
        ring,
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
