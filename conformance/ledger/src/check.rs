//! Where the documents, the ledger and the repository disagree.

use std::collections::HashSet;
use std::fmt;

use crate::id::RuleId;
use crate::ledger::{Entry, Ledger, Status};
use crate::rules::Rules;
use crate::scan::{Cited, Scan};

/// One thing to mend, in words that say how.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// The repository cites an id that no document has.
    UnknownCitation {
        /// The id as cited.
        id: RuleId,
        /// Where.
        cited: Cited,
    },
    /// A rule has no line in the ledger.
    MissingLine(RuleId),
    /// The ledger has a line for an id that no document has.
    UnknownLine(RuleId),
    /// The ledger names a test that does not exist or is ignored.
    MissingTest {
        /// The rule.
        id: RuleId,
        /// The test as named.
        test: String,
    },
    /// A rule marked done that no code outside tests cites. Scenarios are exempt.
    DoneWithoutCode(RuleId),
    /// A rule marked done that no test cites.
    DoneWithoutTest(RuleId),
    /// A rule marked done whose line names no test.
    DoneWithoutNamedTest(RuleId),
    /// A refused or not applicable rule without a reason.
    WithoutNote {
        /// The rule.
        id: RuleId,
        /// Its status.
        status: Status,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownCitation { id, cited } => write!(
                f,
                "{}:{} cites {id}, which no document in conformance/rules has: correct the id",
                cited.file, cited.line
            ),
            Self::MissingLine(id) => write!(f, "{id} has no line in the ledger: run --update"),
            Self::UnknownLine(id) => {
                write!(
                    f,
                    "the ledger has {id}, which no document has: remove the line"
                )
            }
            Self::MissingTest { id, test } => write!(
                f,
                "the ledger names {test} for {id}, and no such test runs: run --update"
            ),
            Self::DoneWithoutCode(id) => write!(
                f,
                "{id} is marked done, and no code outside tests cites it: cite it where it is decided"
            ),
            Self::DoneWithoutTest(id) => write!(
                f,
                "{id} is marked done, and no test cites it: cite it inside the test that proves it"
            ),
            Self::DoneWithoutNamedTest(id) => {
                write!(
                    f,
                    "{id} is marked done, and its line names no test: run --update"
                )
            }
            Self::WithoutNote { id, status } => {
                write!(f, "{id} is marked {status}: say why in the fourth column")
            }
        }
    }
}

/// Compares the documents, the ledger and the repository. An empty answer is agreement.
pub fn check(rules: &Rules, ledger: &Ledger, scan: &Scan) -> Vec<Finding> {
    let mut findings: Vec<Finding> = scan
        .unknown()
        .iter()
        .map(|(id, cited)| Finding::UnknownCitation {
            id: id.clone(),
            cited: cited.clone(),
        })
        .collect();
    let lines: HashSet<&RuleId> = ledger.entries().iter().map(|e| &e.id).collect();
    let missing = rules.ids().iter().filter(|id| !lines.contains(id));
    findings.extend(missing.cloned().map(Finding::MissingLine));
    for entry in ledger.entries() {
        check_entry(entry, rules, scan, &mut findings);
    }
    findings
}

fn check_entry(entry: &Entry, rules: &Rules, scan: &Scan, findings: &mut Vec<Finding>) {
    let id = &entry.id;
    if !rules.contains(id) {
        findings.push(Finding::UnknownLine(id.clone()));
        return;
    }
    for test in &entry.tests {
        if !scan.tests().contains(test) {
            findings.push(Finding::MissingTest {
                id: id.clone(),
                test: test.clone(),
            });
        }
    }
    match entry.status {
        Status::Done => {
            if !scan.in_code(id) && !rules.is_scenario(id) {
                findings.push(Finding::DoneWithoutCode(id.clone()));
            }
            if scan.proofs(id).is_empty() {
                findings.push(Finding::DoneWithoutTest(id.clone()));
            } else if entry.tests.is_empty() {
                findings.push(Finding::DoneWithoutNamedTest(id.clone()));
            }
        }
        Status::Refused | Status::NotApplicable if entry.note.is_empty() => {
            findings.push(Finding::WithoutNote {
                id: id.clone(),
                status: entry.status,
            });
        }
        Status::Refused | Status::NotApplicable | Status::NotYet => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks a ledger against two rules and one source file. Ids are written `XX-` in
    /// the samples: this file is scanned for citations too.
    fn findings(ledger: &str, source: &str) -> Vec<String> {
        let mut rules = Rules::default();
        rules.add(&"| XX-001 | a\n| XX-002 | b\n".replace("XX", "CF"));
        let mut scan = Scan::default();
        scan.add("cache/src/a.rs", &source.replace("XX", "CF"), &rules);
        let ledger = Ledger::parse(&ledger.replace("XX", "CF")).unwrap();
        check(&rules, &ledger, &scan)
            .iter()
            .map(|finding| finding.to_string().replace("CF", "XX"))
            .collect()
    }

    const PROVEN: &str = "// XX-001\nfn f() {}\n#[test]\nfn t() { /* XX-001 */ }\n";

    #[test]
    fn agreement_finds_nothing() {
        let ledger = "XX-001\tdone\tcache/src/a.rs::t\nXX-002\trefused\t\tnot built\n";
        assert_eq!(findings(ledger, PROVEN), Vec::<String>::new());
    }

    #[test]
    fn a_done_rule_needs_code_a_test_and_the_test_named() {
        let cases = [
            (
                "XX-001\tdone\tcache/src/a.rs::t\nXX-002\tnot-yet\n",
                "#[test]\nfn t() { /* XX-001 */ }\n",
                "no code outside tests",
            ),
            (
                "XX-001\tdone\nXX-002\tnot-yet\n",
                "// XX-001\nfn f() {}\n",
                "no test cites it",
            ),
            ("XX-001\tdone\nXX-002\tnot-yet\n", PROVEN, "names no test"),
            (
                "XX-001\tdone\tcache/src/a.rs::gone\nXX-002\tnot-yet\n",
                PROVEN,
                "no such test runs",
            ),
        ];
        for (ledger, source, expected) in cases {
            let found = findings(ledger, source);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].contains(expected), "{found:?}");
        }
    }

    #[test]
    fn a_done_scenario_needs_a_test_alone() {
        let id = RuleId::parse(&format!("CF-{}", "001")).unwrap();
        let mut rules = Rules::default();
        rules.add(&format!("## 9. Acceptance scenarios\n| {id} | a\n"));
        let mut scan = Scan::default();
        scan.add(
            "cache/src/a.rs",
            &format!("#[test]\nfn t() {{ /* {id} */ }}\n"),
            &rules,
        );
        let ledger = Ledger::parse(&format!("{id}\tdone\tcache/src/a.rs::t\n")).unwrap();
        assert_eq!(check(&rules, &ledger, &scan), Vec::new());
    }

    #[test]
    fn every_rule_has_a_line_and_every_line_a_rule() {
        let found = findings("XX-001\tnot-yet\nXX-003\tnot-yet\n", "");
        assert!(found[0].contains("XX-002 has no line"), "{found:?}");
        assert!(found[1].contains("the ledger has XX-003"), "{found:?}");
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn unknown_citations_and_missing_reasons_are_named() {
        let found = findings("XX-001\trefused\nXX-002\tnot-yet\n", "\n// XX-009\n");
        assert!(
            found[0].contains("cache/src/a.rs:2 cites XX-009"),
            "{found:?}"
        );
        assert!(found[1].contains("say why"), "{found:?}");
        assert_eq!(found.len(), 2);
    }
}
