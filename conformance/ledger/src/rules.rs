//! The contract: which ids exist, and what each says.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::Path;

use crate::id::{Citation, RuleId, citations};

/// Every id of the documents.
#[derive(Debug, Default)]
pub struct Rules {
    ids: Vec<RuleId>,
    lines: HashMap<RuleId, String>,
    scenarios: HashSet<RuleId>,
}

impl Rules {
    /// Reads every `.md` file of `folder`.
    ///
    /// # Errors
    /// When the folder or a document cannot be read.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut documents: Vec<_> = fs::read_dir(folder)?
            .collect::<io::Result<Vec<_>>>()?
            .into_iter()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|e| e == "md"))
            .collect();
        documents.sort();
        let mut rules = Self::default();
        for document in documents {
            rules.add(&fs::read_to_string(document)?);
        }
        rules.ids.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
        Ok(rules)
    }

    /// Adds the ids of one document.
    ///
    /// A table row or list item that begins with an id says what that rule is; some
    /// rules stand in running text, so any mention makes the id known. A table that
    /// follows a line such as `CF-010 pipeline` numbers that rule's steps. What a chapter
    /// of acceptance scenarios lists are scenarios.
    pub fn add(&mut self, document: &str) {
        let mut steps_of: Option<RuleId> = None;
        let mut in_scenarios = false;
        for line in document.lines() {
            if let Some(chapter) = line.strip_prefix("## ") {
                in_scenarios = chapter.contains("Acceptance scenarios");
            }
            let body = line.trim_start_matches(['|', '-', '*', ' ']);
            // The end of a run such as 450..459 may be a bound that is no rule itself.
            for Citation { first, .. } in citations(line) {
                let begins = body.starts_with(first.as_str());
                if begins && in_scenarios {
                    self.scenarios.insert(first.clone());
                }
                self.insert(first, begins.then_some(line));
            }
            if let Some(heading) = line.split_once(" pipeline ") {
                steps_of = RuleId::parse(heading.0);
            } else if !line.starts_with('|') && !line.is_empty() {
                steps_of = None;
            }
            if let Some(rule) = &steps_of
                && let Some(step) = body.split(' ').next().filter(|s| is_number(s))
                && let Some(id) = RuleId::parse(&format!("{rule}.{step}"))
            {
                self.insert(id, Some(line));
            }
        }
    }

    /// Every id, in the ledger's order.
    pub fn ids(&self) -> &[RuleId] {
        &self.ids
    }

    /// Whether the documents have this id.
    pub fn contains(&self, id: &RuleId) -> bool {
        self.lines.contains_key(id)
    }

    /// Whether the id names a scenario to run. What it exercises is decided by other rules,
    /// so code does not cite it; tests do.
    pub fn is_scenario(&self, id: &RuleId) -> bool {
        self.scenarios.contains(id)
    }

    /// The line of the document that states the rule.
    pub fn line(&self, id: &RuleId) -> Option<&str> {
        self.lines.get(id).map(String::as_str)
    }

    /// The ids that a citation names: one, or all that exist within its run.
    pub fn resolve(&self, citation: &Citation) -> Vec<RuleId> {
        let Some(last) = &citation.last else {
            return vec![citation.first.clone()];
        };
        let run = citation.first.number()..=last.number();
        self.ids
            .iter()
            .filter(|id| id.series() == citation.first.series() && run.contains(&id.number()))
            .cloned()
            .collect()
    }

    fn insert(&mut self, id: RuleId, line: Option<&str>) {
        let known = self.lines.contains_key(&id);
        if !known {
            self.ids.push(id.clone());
        }
        if let Some(line) = line {
            self.lines.insert(id, line.to_owned());
        } else if !known {
            self.lines.insert(id, String::new());
        }
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        let mut rules = Rules::default();
        // Ids are put together at run time: this file is scanned for citations too.
        let document = "| XX-001 | first | see XX-003\n- XX-2 second\n\n\
             XX-010 pipeline (M):\n\n| # | Step |\n|---|---|\n| 1 | Accept |\n| 2 | Host |\n\nText. | 3 |\n"
            .replace("XX", "CF");
        rules.add(&document);
        rules.ids.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
        rules
    }

    fn id(number: &str) -> RuleId {
        RuleId::parse(&format!("CF-{number}")).unwrap()
    }

    #[test]
    fn rows_items_mentions_and_steps_are_ids() {
        let found: Vec<_> = rules()
            .ids
            .iter()
            .map(|id| id.as_str()[3..].to_owned())
            .collect();
        assert_eq!(found, ["001", "2", "003", "010", "010.1", "010.2"]);
    }

    #[test]
    fn the_stating_line_is_kept() {
        let rules = rules();
        assert!(rules.line(&id("001")).unwrap().contains("first"));
        assert!(rules.line(&id("010.2")).unwrap().contains("Host"));
        assert_eq!(rules.line(&id("003")), Some(""));
    }

    #[test]
    fn the_chapter_of_acceptance_scenarios_lists_scenarios() {
        let mut rules = Rules::default();
        let document = "## 8. Rules\n| XX-001 | a |\n## 9. Acceptance scenarios\n### 9.1 Ours\n\
             | XX-002 | proves XX-001 |\n## 10. More\n| XX-003 | c |\n";
        rules.add(&document.replace("XX", "CF"));
        let scenarios = ["001", "002", "003"].map(|number| rules.is_scenario(&id(number)));
        assert_eq!(scenarios, [false, true, false]);
    }

    #[test]
    fn a_run_names_the_ids_that_exist_within_it() {
        let citation = Citation {
            first: id("001"),
            last: Some(id("003")),
            offset: 0,
        };
        assert_eq!(rules().resolve(&citation), [id("001"), id("2"), id("003")]);
    }
}
