//! The ledger's file: one line per rule.

use std::collections::HashSet;
use std::fmt::{self, Write as _};

use crate::id::RuleId;
use crate::rules::Rules;
use crate::scan::Scan;

/// What the head of the file tells its readers.
const HEAD: &str = "\
# The rules ledger: one line per rule of the documents in this folder.
# Columns, tab-separated: id, status, tests that cite the rule, note.
#   done            implemented, and proven by the tests named
#   refused         asking for it is an error at start-up or at deploy that names it
#   not-yet         nothing is promised; an accepted setting never depends on it
#   not-applicable  not a rule that a node can keep or break; the note says why
# Statuses and notes are set by hand. `cargo run -p fourfront-ledger -- --update` adds
# new ids and refreshes the tests; `cargo test -p fourfront-ledger` checks all of it.
";

/// Where a rule stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Implemented and proven.
    Done,
    /// Asking for it is an error that names it.
    Refused,
    /// Nothing is promised.
    NotYet,
    /// Not a rule that a node can keep or break.
    NotApplicable,
}

impl Status {
    /// Every status, in the order in which summaries show them.
    pub const ALL: [Self; 4] = [Self::Done, Self::Refused, Self::NotYet, Self::NotApplicable];

    /// The word in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::NotYet => "not-yet",
            Self::NotApplicable => "not-applicable",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The rule.
    pub id: RuleId,
    /// Where it stands.
    pub status: Status,
    /// The tests that prove it, by the names that [`Scan`] gives them.
    pub tests: Vec<String>,
    /// Why it is refused or not applicable, or what is missing.
    pub note: String,
}

/// A line that cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub struct LedgerError {
    /// The line, counted from one.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ledger line {}: {}", self.line, self.reason)
    }
}

impl std::error::Error for LedgerError {}

/// The whole file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    entries: Vec<Entry>,
}

impl Ledger {
    /// Reads the file's text.
    ///
    /// # Errors
    /// On the first line that is not id, status, tests and note, or that repeats an id.
    pub fn parse(text: &str) -> Result<Self, LedgerError> {
        let mut entries = Vec::new();
        let mut seen = HashSet::new();
        for (index, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let entry = Entry::parse(line).map_err(|reason| LedgerError {
                line: index + 1,
                reason,
            })?;
            if !seen.insert(entry.id.clone()) {
                return Err(LedgerError {
                    line: index + 1,
                    reason: format!("{} has a line already", entry.id),
                });
            }
            entries.push(entry);
        }
        Ok(Self { entries })
    }

    /// The lines, in the file's order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Adds the rules that have no line, puts the lines in order, and refreshes the tests
    /// of each. Statuses and notes stay; lines of ids that no document has stay too, so
    /// that the check can report them.
    pub fn update(&mut self, rules: &Rules, scan: &Scan) {
        let known: HashSet<RuleId> = self.entries.iter().map(|e| e.id.clone()).collect();
        let new = rules.ids().iter().filter(|id| !known.contains(id));
        self.entries.extend(new.map(|id| Entry {
            id: id.clone(),
            status: Status::NotYet,
            tests: Vec::new(),
            note: String::new(),
        }));
        for entry in &mut self.entries {
            entry.tests = scan
                .proofs(&entry.id)
                .into_iter()
                .map(str::to_owned)
                .collect();
        }
        self.entries
            .sort_by(|a, b| a.id.sort_key().cmp(&b.id.sort_key()));
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        for entry in &self.entries {
            let mut line = format!("{}\t{}", entry.id, entry.status);
            if !(entry.tests.is_empty() && entry.note.is_empty()) {
                write!(line, "\t{}", entry.tests.join(" "))?;
            }
            if !entry.note.is_empty() {
                write!(line, "\t{}", entry.note)?;
            }
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

impl Entry {
    fn parse(line: &str) -> Result<Self, String> {
        let mut columns = line.split('\t');
        let id = columns.next().unwrap_or("");
        let id = RuleId::parse(id).ok_or_else(|| format!("`{id}` is not a rule id"))?;
        let word = columns.next().unwrap_or("");
        let status = Status::ALL
            .into_iter()
            .find(|status| status.as_str() == word)
            .ok_or_else(|| {
                let known = Status::ALL.map(Status::as_str).join(", ");
                format!("`{word}` is not a status of {id}; known: {known}")
            })?;
        let tests = columns.next().unwrap_or("");
        let note = columns.next().unwrap_or("");
        if let Some(more) = columns.next() {
            return Err(format!("{id} has a fifth column, `{more}`"));
        }
        Ok(Self {
            id,
            status,
            tests: tests.split_whitespace().map(str::to_owned).collect(),
            note: note.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ids are written `XX-` in the samples: this file is scanned for citations too.
    fn parse(text: &str) -> Result<Ledger, LedgerError> {
        Ledger::parse(&text.replace("XX", "CF"))
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        let ledger = parse(
            "# head\nXX-001\tdone\ta.rs::t b.rs::u\nXX-002\trefused\t\twhy\nXX-003\tnot-yet\n",
        )
        .unwrap();
        assert_eq!(ledger.entries()[0].tests, ["a.rs::t", "b.rs::u"]);
        assert_eq!(ledger.entries()[1].note, "why");
        assert_eq!(Ledger::parse(&ledger.to_string()), Ok(ledger));
    }

    #[test]
    fn bad_lines_are_named() {
        let error = |text| parse(text).unwrap_err().to_string();
        assert!(error("XX-001\tfinished\n").contains("`finished` is not a status"));
        assert!(error("\n# x\nnonsense\tdone\n").starts_with("ledger line 3"));
        assert!(error("XX-001\tdone\nXX-001\tdone\n").contains("has a line already"));
        assert!(error("XX-001\tdone\ta\tb\tc\n").contains("fifth column"));
    }

    #[test]
    fn update_keeps_what_people_set_and_adds_what_is_new() {
        let mut rules = Rules::default();
        rules.add(&"| XX-001 | a\n| XX-002 | b\n".replace("XX", "CF"));
        let mut scan = Scan::default();
        let source = "#[test]\nfn t() { /* XX-002 */ }\n".replace("XX", "CF");
        scan.add("cache/src/a.rs", &source, &rules);
        let mut ledger = parse("XX-002\tdone\tgone.rs::x\tkept\n").unwrap();
        ledger.update(&rules, &scan);
        let expected = parse("XX-001\tnot-yet\nXX-002\tdone\tcache/src/a.rs::t\tkept\n").unwrap();
        assert_eq!(ledger, expected);
    }
}
