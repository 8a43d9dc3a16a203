//! The disk tier and `kill -9`, for some seconds. The example `disk_kill` does the same for as long as it is told.

mod harness;

use std::{
    env,
    process::Command,
    time::{Duration, Instant},
};

use harness::Ring;

fn command() -> Command {
    let mut command = Command::new(env::current_exe().expect("a test has a file"));
    command.args(["--exact", "child", "--ignored", "--nocapture"]);
    command
}

fn run(ring: Ring, seconds: u64) -> harness::Report {
    let dir = tempfile::tempdir().expect("a directory");
    let seed = u64::from(std::process::id());
    let end = Instant::now() + Duration::from_secs(seconds);
    let report = harness::run(dir.path(), seed, ring, command, |report| {
        report.cycles >= 8 && Instant::now() > end
    });
    assert!(
        report.acknowledged > 100 && report.compared > 100 && report.removed > 20,
        "{report:?}"
    );
    report
}

#[test]
fn nothing_wrong_or_removed_answers_after_a_kill() {
    // CF-532, CF-660, CF-282
    run(Ring::Busy, 4);
}

#[test]
fn nothing_acknowledged_is_lost_by_a_kill() {
    // CF-532
    assert_eq!(run(Ring::Roomy, 2).missing, 0);
}

#[test]
#[ignore = "the process that is killed"]
fn child() {
    harness::child_if_asked();
}
