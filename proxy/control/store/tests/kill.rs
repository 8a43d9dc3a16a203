//! A short run of the example `store_kill` (CP-564): this test's own program is the child.

#[path = "../examples/store_kill/kill.rs"]
mod kill;

use std::{
    env,
    path::Path,
    process::{Command, Stdio},
};

const DIR: &str = "FOURFRONT_STORE_KILL_DIR";

#[test]
fn no_acknowledged_write_is_lost_when_killed() {
    // CP-564, CP-708: killed at any moment, no acknowledged write is lost and every start succeeds.
    let dir = tempfile::tempdir().unwrap();
    let program = env::current_exe().unwrap();
    let report = kill::run(20, dir.path(), u64::from(std::process::id()), |dir| {
        Command::new(&program)
            .args(["writes_until_killed", "--exact", "--ignored", "--nocapture"])
            .env(DIR, dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
    });
    let report = report.unwrap();
    assert_eq!(report.cycles, 20);
    assert!(report.acknowledged > 20, "{report:?}: that tests little");
}

#[test]
#[ignore = "the child of the other test: it writes until it is killed"]
fn writes_until_killed() {
    if let Some(dir) = env::var_os(DIR) {
        kill::child(Path::new(&dir)).unwrap();
    }
}
