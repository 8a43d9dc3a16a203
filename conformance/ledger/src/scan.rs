//! Reading the repository: who cites which rule, and which tests there are.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io;
use std::path::Path;

use crate::id::{RuleId, citations};
use crate::rules::Rules;
use crate::rust_source::{Region, outline};

/// What is read. Anything else (archives, certificates, lock files) cites nothing.
const TEXT: [&str; 14] = [
    "rs", "js", "mjs", "cjs", "ts", "yaml", "yml", "json", "toml", "md", "sh", "py", "html", "txt",
];

/// Folders that are not ours to read: build output, packages of others, and the
/// documents themselves.
const SKIPPED: [&str; 4] = ["target", "node_modules", "conformance/rules", "deploy/v8"];

/// This crate: it names ids as samples, which proves nothing about them.
const LEDGER: &str = "conformance/ledger/";

/// Where scenario files live: each file there is a test of its own.
const SCENARIOS: &str = "conformance/scenarios/";

/// What kind of place a citation stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Code that runs in the product.
    Code,
    /// A test, under the name that the ledger uses: `path/to/file.rs::function`, or the path of a scenario.
    Test(String),
    /// Anything else: prose, configuration, helpers of tests.
    Other,
}

/// One citation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cited {
    /// The file, relative to the repository's root, with `/` between its parts.
    pub file: String,
    /// The line, counted from one.
    pub line: usize,
    /// What stands there.
    pub place: Place,
}

/// Everything that the repository says about the rules.
#[derive(Debug, Default)]
pub struct Scan {
    citations: HashMap<RuleId, Vec<Cited>>,
    unknown: Vec<(RuleId, Cited)>,
    tests: BTreeSet<String>,
}

impl Scan {
    /// Reads the repository at `root`.
    ///
    /// # Errors
    /// When a folder or a file cannot be read.
    pub fn read(root: &Path, rules: &Rules) -> io::Result<Self> {
        let mut files = Vec::new();
        collect(root, "", &mut files)?;
        files.sort();
        let mut scan = Self::default();
        for file in files {
            // A file that is not UTF-8 is a fixture of bytes, and cites nothing.
            let text = match fs::read_to_string(root.join(&file)) {
                Ok(text) => text,
                Err(error) if error.kind() == io::ErrorKind::InvalidData => continue,
                Err(error) => return Err(error),
            };
            scan.add(&file, &text, rules);
        }
        Ok(scan)
    }

    /// Adds one file.
    pub fn add(&mut self, file: &str, text: &str, rules: &Rules) {
        let outlook = Outlook::of(file, text);
        self.tests
            .extend(outlook.tests.iter().map(|(name, _)| name.clone()));
        if file.starts_with(LEDGER) {
            return;
        }
        for citation in citations(text) {
            let line = text[..citation.offset].matches('\n').count() + 1;
            let cited = Cited {
                file: file.to_owned(),
                line,
                place: outlook.place(citation.offset),
            };
            if !rules.contains(&citation.first) {
                self.unknown.push((citation.first.clone(), cited.clone()));
            }
            for id in rules.resolve(&citation) {
                self.citations.entry(id).or_default().push(cited.clone());
            }
        }
    }

    /// Where a rule is cited.
    pub fn citations(&self, id: &RuleId) -> &[Cited] {
        self.citations.get(id).map_or(&[], Vec::as_slice)
    }

    /// Whether code outside tests cites the rule.
    pub fn in_code(&self, id: &RuleId) -> bool {
        self.citations(id).iter().any(|c| c.place == Place::Code)
    }

    /// The tests that cite the rule, by name.
    pub fn proofs(&self, id: &RuleId) -> BTreeSet<&str> {
        self.citations(id)
            .iter()
            .filter_map(|cited| match &cited.place {
                Place::Test(name) => Some(name.as_str()),
                Place::Code | Place::Other => None,
            })
            .collect()
    }

    /// Citations of ids that the documents do not have.
    pub fn unknown(&self) -> &[(RuleId, Cited)] {
        &self.unknown
    }

    /// Every test of the repository.
    pub fn tests(&self) -> &BTreeSet<String> {
        &self.tests
    }
}

/// What the parts of one file are.
struct Outlook {
    tests: Vec<(String, Region)>,
    test_only: Vec<Region>,
    rest: Place,
}

impl Outlook {
    fn of(file: &str, text: &str) -> Self {
        if file.starts_with(SCENARIOS) && !has_extension(file, "md") {
            return Self {
                tests: vec![(file.to_owned(), 0..text.len())],
                test_only: Vec::new(),
                rest: Place::Other,
            };
        }
        let (tests, test_only) = if has_extension(file, "rs") {
            outline(text)
        } else {
            (Vec::new(), Vec::new())
        };
        let tests = tests
            .into_iter()
            .map(|test| (format!("{file}::{}", test.name), test.region))
            .collect();
        let rest = if is_code(file) {
            Place::Code
        } else {
            Place::Other
        };
        Self {
            tests,
            test_only,
            rest,
        }
    }

    fn place(&self, offset: usize) -> Place {
        let test = self
            .tests
            .iter()
            .find(|(_, region)| region.contains(&offset));
        if let Some((name, _)) = test {
            Place::Test(name.clone())
        } else if self.test_only.iter().any(|region| region.contains(&offset)) {
            Place::Other
        } else {
            self.rest.clone()
        }
    }
}

/// Sources of the product: Rust and the JavaScript built into the engine, outside
/// tests, benches, examples and the conformance crates.
fn is_code(file: &str) -> bool {
    let source = ["rs", "js", "mjs", "cjs"]
        .iter()
        .any(|e| has_extension(file, e));
    let apart = file.split('/').any(|part| {
        matches!(
            part,
            "tests"
                | "tests.rs"
                | "testing"
                | "testing.rs"
                | "benches"
                | "examples"
                | "fuzz"
                | "conformance"
        )
    });
    source && !apart
}

fn has_extension(file: &str, extension: &str) -> bool {
    Path::new(file).extension().is_some_and(|e| e == extension)
}

/// The text files below `root/folder`, as paths relative to `root`.
fn collect(root: &Path, folder: &str, files: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let path = if folder.is_empty() {
            name.to_owned()
        } else {
            format!("{folder}/{name}")
        };
        let kind = entry.file_type()?;
        if kind.is_dir() {
            let hidden = name.starts_with('.') && name != ".ci";
            if !hidden && !SKIPPED.contains(&path.as_str()) && !SKIPPED.contains(&name) {
                collect(root, &path, files)?;
            }
        } else if kind.is_file()
            && (TEXT.iter().any(|e| has_extension(name, e)) || path.starts_with(SCENARIOS))
        {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: &str) -> RuleId {
        RuleId::parse(&format!("CF-{number}")).unwrap()
    }

    /// Ids are written `XX-` in the samples: this file is scanned for citations too.
    fn scan(file: &str, text: &str) -> Scan {
        let mut rules = Rules::default();
        rules.add(&"| XX-001 | a\n| XX-002 | b\n".replace("XX", "CF"));
        let mut scan = Scan::default();
        scan.add(file, &text.replace("XX", "CF"), &rules);
        scan
    }

    #[test]
    fn code_and_tests_of_one_file_are_told_apart() {
        let scan = scan(
            "cache/src/key.rs",
            "//! XX-001\nfn f() {}\n#[cfg(test)]\nmod tests {\n // XX-002 as a helper\n #[test]\n fn t() {\n // XX-001\n }\n}\n",
        );
        assert!(scan.in_code(&id("001")));
        assert!(!scan.in_code(&id("002")));
        assert_eq!(
            scan.proofs(&id("001")).into_iter().collect::<Vec<_>>(),
            ["cache/src/key.rs::t"]
        );
        assert!(scan.proofs(&id("002")).is_empty());
    }

    #[test]
    fn a_scenario_file_is_a_test_and_prose_is_neither() {
        let scenario = scan("conformance/scenarios/hit.yaml", "# XX-001\n");
        assert_eq!(scenario.proofs(&id("001")).len(), 1);
        assert!(!scenario.in_code(&id("001")));
        let prose = scan("README.md", "see XX-001\n");
        assert!(!prose.in_code(&id("001")));
        assert!(prose.proofs(&id("001")).is_empty());
        assert_eq!(prose.citations(&id("001")).len(), 1);
    }

    #[test]
    fn integration_tests_and_benches_are_not_code() {
        for file in [
            "proxy/tests/it/main.rs",
            "hooks/benches/b.rs",
            "hooks/src/pool/tests.rs",
        ] {
            assert!(!scan(file, "// XX-001\n").in_code(&id("001")), "{file}");
        }
    }

    #[test]
    fn this_crate_has_tests_and_proves_no_rule() {
        let scan = scan(
            "conformance/ledger/src/id.rs",
            "#[test]\nfn t() { /* XX-001 XX-999 */ }\n",
        );
        assert!(scan.tests().contains("conformance/ledger/src/id.rs::t"));
        assert!(scan.proofs(&id("001")).is_empty());
        assert!(scan.unknown().is_empty());
    }

    #[test]
    fn an_id_that_no_document_has_is_reported_with_its_line() {
        let scan = scan("cache/src/key.rs", "//\n// XX-999\n");
        let (unknown, cited) = &scan.unknown()[0];
        assert_eq!(unknown, &id("999"));
        assert_eq!((cited.file.as_str(), cited.line), ("cache/src/key.rs", 2));
    }
}
