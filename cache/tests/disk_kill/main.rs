//! The disk tier and `kill -9`, for some seconds. The example `disk_kill` does the same for as long as it is told.

mod harness;

use std::{
    env,
    process::Command,
    time::{Duration, Instant},
};

fn command() -> Command {
    let mut command = Command::new(env::current_exe().expect("a test has a file"));
    command.args(["--exact", "child", "--ignored", "--nocapture"]);
    command
}

#[test]
fn nothing_wrong_or_removed_answers_after_a_kill() {
    // CF-532, CF-660, CF-282
    let dir = tempfile::tempdir().unwrap();
    let seed = u64::from(std::process::id());
    let end = Instant::now() + Duration::from_secs(4);
    let report = harness::run(dir.path(), seed, command, |report| {
        report.cycles >= 8 && Instant::now() > end
    });
    assert!(
        report.acknowledged > 100 && report.compared > 100 && report.removed > 20,
        "{report:?}"
    );
}

#[test]
#[ignore = "the process that is killed"]
fn child() {
    harness::child_if_asked();
}
