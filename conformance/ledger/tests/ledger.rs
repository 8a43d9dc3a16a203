//! The repository against its own contract: every id cited exists, every rule has a line
//! in the ledger, and a rule marked done is cited by code and by a test that exists.

use std::fs;

use fourfront_ledger::{
    LEDGER_FILE, Ledger, RULES_FOLDER, RuleId, Rules, Scan, check, repository_root,
};

#[test]
fn the_documents_the_ledger_and_the_code_agree() {
    let root = repository_root();
    let rules = Rules::read(&root.join(RULES_FOLDER)).unwrap();
    let ledger = Ledger::parse(&fs::read_to_string(root.join(LEDGER_FILE)).unwrap()).unwrap();
    let scan = Scan::read(&root, &rules).unwrap();
    let findings = check(&rules, &ledger, &scan);
    let list: Vec<String> = findings.iter().map(|f| format!("  {f}\n")).collect();
    assert!(
        findings.is_empty(),
        "{} to mend (--update is `cargo run -p fourfront-ledger -- --update`):\n{}",
        findings.len(),
        list.concat()
    );
}

#[test]
fn all_four_documents_are_read() {
    let rules = Rules::read(&repository_root().join(RULES_FOLDER)).unwrap();
    // One id of each series, the last step of the pipeline, and rules that stand in running text.
    let samples = [
        "LE-020",
        "LE-A01",
        "CF-001",
        "CF-010.18",
        "CF-610",
        "CF-703",
        "AMB-01",
        "CP-643",
        "NC-1",
    ];
    for sample in samples {
        let id = RuleId::parse(sample).unwrap();
        assert!(rules.contains(&id), "{sample}");
    }
    assert!(rules.ids().len() > 1300, "{}", rules.ids().len());
}

#[test]
fn the_scan_sees_the_repository() {
    let root = repository_root();
    let rules = Rules::read(&root.join(RULES_FOLDER)).unwrap();
    let scan = Scan::read(&root, &rules).unwrap();
    let this = "conformance/ledger/tests/ledger.rs::the_scan_sees_the_repository";
    assert!(scan.tests().contains(this));
    let path_patterns = RuleId::parse("CF-080").unwrap();
    assert!(scan.in_code(&path_patterns));
}
