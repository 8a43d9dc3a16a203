//! What is printed, and the differences that have a reason.

use std::{collections::BTreeSet, fmt::Write as _, fs, path::Path};

/// One package in the table.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) cases: usize,
    pub(crate) requests: usize,
    pub(crate) result: String,
    /// Milliseconds and KiB of heap, under Node.
    pub(crate) node_load: (f64, f64),
    /// The same inside a function.
    pub(crate) load: (f64, f64),
    pub(crate) seconds: f64,
}

/// The table of a run. Times are of this build, on this machine: a debug build says little about them.
pub(crate) fn render(rows: &[Row]) -> String {
    let mut out = String::from(
        "package                          version    cases  requests  load ms (node)  heap KiB (node)  seconds  result\n",
    );
    for r in rows {
        let _ = writeln!(
            out,
            "{:<32} {:<10} {:>5} {:>9} {:>7.0} {:>7} {:>8.0} {:>7} {:>8.1}  {}",
            r.name,
            r.version,
            r.cases,
            r.requests,
            r.load.0,
            format!("({:.0})", r.node_load.0),
            r.load.1,
            format!("({:.0})", r.node_load.1),
            r.seconds,
            r.result
        );
    }
    let cases: usize = rows.iter().map(|r| r.cases).sum();
    let requests: usize = rows.iter().map(|r| r.requests).sum();
    let _ = write!(
        out,
        "{} packages, {cases} cases, {requests} requests",
        rows.len()
    );
    out
}

/// `conformance/npm/packages/explained.tsv`: package, what differs, why.
pub(crate) struct Explained {
    entries: BTreeSet<(String, String)>,
    used: BTreeSet<(String, String)>,
}

impl Explained {
    pub(crate) fn read(source: &Path) -> Self {
        let file = source.join("explained.tsv");
        Self::parse(&fs::read_to_string(&file).expect("explained.tsv"))
    }

    /// One difference a line; empty lines and those that start with `#` say nothing.
    fn parse(text: &str) -> Self {
        let entries = text
            .lines()
            .filter(|l| !l.is_empty() && !l.starts_with('#'))
            .map(|line| match line.split('\t').collect::<Vec<_>>()[..] {
                [package, what, why] if !why.trim().is_empty() => {
                    (package.to_owned(), what.to_owned())
                }
                _ => panic!("explained.tsv: not `package, what, why`: {line}"),
            })
            .collect();
        Self {
            entries,
            used: BTreeSet::new(),
        }
    }

    /// Whether that difference has a reason.
    pub(crate) fn has(&mut self, package: &str, what: &str) -> bool {
        let key = (package.to_owned(), what.to_owned());
        let has = self.entries.contains(&key);
        if has {
            self.used.insert(key);
        }
        has
    }

    /// Reasons for what no longer differs.
    pub(crate) fn unused(&self) -> Vec<String> {
        self.entries
            .difference(&self.used)
            .map(|(package, what)| format!("{package} {what}"))
            .collect()
    }
}

#[test]
fn a_reason_is_for_one_difference_and_is_missed_when_that_is_gone() {
    // NC-121
    let mut explained =
        Explained::parse("# package, what, why\n\na\tcase\tbecause\nb\tline 1\tbecause\n");
    assert!(explained.has("a", "case"));
    assert!(!explained.has("a", "other"));
    assert!(!explained.has("b", "case"));
    assert_eq!(explained.unused(), ["b line 1"]);
}

#[test]
#[should_panic(expected = "not `package, what, why`")]
fn a_difference_without_a_reason_is_no_explanation() {
    // NC-121
    Explained::parse("a\tcase\t \n");
}
