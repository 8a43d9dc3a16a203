//! The table of examples that `make examples` prints: which did as they say, and how long that took.

use std::{env, fs::OpenOptions, io::Write as _, thread, time::Instant};

/// The variable that names the file for rows. Without it there is no table.
const FILE: &str = "FOURFRONT_EXAMPLES_TABLE";

/// A row that is written when it is dropped.
pub(crate) struct Row {
    name: String,
    begun: Instant,
}

impl Row {
    pub(crate) fn begin(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            begun: Instant::now(),
        }
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        let Some(file) = env::var_os(FILE) else {
            return;
        };
        let verdict = if thread::panicking() { "fail" } else { "pass" };
        let seconds = self.begun.elapsed().as_secs_f64();
        let row = format!("{}\t{verdict}\t{seconds:.1}\n", self.name);
        // Tests are processes of their own: a row is one write to the end.
        let opened = OpenOptions::new().append(true).open(file);
        if let Err(e) = opened.and_then(|mut file| file.write_all(row.as_bytes())) {
            eprintln!("{FILE}: {e}");
        }
    }
}
