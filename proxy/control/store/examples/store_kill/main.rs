//! Kills a writer of a store again and again, and checks after each time that nothing acknowledged is lost (CP-564).
//!
//! `cargo run --release -p fourfront-store --example store_kill -- [CYCLES] [SEED]`, by default 500 cycles. Prints what was
//! done, and ends with 1 when something was lost or a start failed.

mod kill;

use std::{
    env,
    path::Path,
    process::{Command, ExitCode, Stdio},
};

fn main() -> ExitCode {
    match outcome() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn outcome() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    if let [word, dir] = &words[..]
        && word == "child"
    {
        return kill::child(Path::new(dir));
    }
    let cycles = words.first().map_or(Ok(500), |word| word.parse())?;
    let seed = words.get(1).map_or(Ok(1), |word| word.parse())?;
    let program = env::current_exe()?;
    // In the current directory rather than the system's for temporary files, which may be in memory.
    let dir = tempfile::tempdir_in(".")?;
    let report = kill::run(cycles, dir.path(), seed, |dir| {
        Command::new(&program)
            .arg("child")
            .arg(dir)
            .stdout(Stdio::piped())
            .spawn()
    })?;
    println!(
        "{} kills ({} before any write), {} acknowledged writes all there, slowest start {:.1?}",
        report.cycles, report.early, report.acknowledged, report.slowest_start
    );
    Ok(())
}
