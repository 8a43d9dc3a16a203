//! The tables are those that the generator writes (CP-440).

use std::{path::PathBuf, process::Command};

use sha2::{Digest as _, Sha256};

const TABLES: [&str; 6] = [
    "cloudfront",
    "lambda",
    "key_value_store",
    "sts",
    "iam",
    "logs",
];

fn home() -> PathBuf {
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("tests are run by cargo"))
}

#[test]
fn tables_are_as_they_were_generated() {
    // CP-440: nobody edits a table by hand.
    for table in TABLES {
        let path = home().join("src/tables").join(format!("{table}.rs"));
        let source = std::fs::read_to_string(path).expect("a table");
        let (head, body) = source.split_once('\n').expect("a first line");
        let sum = format!("{:x}", Sha256::digest(body));
        assert!(
            head.ends_with(&sum),
            "{table}.rs is not what generate.py wrote"
        );
    }
}

#[test]
fn tables_are_those_of_the_models() {
    // CP-440: where the pinned botocore is at hand, the models are asked again. `FOURFRONT_PYTHON` names the interpreter.
    let python = std::env::var("FOURFRONT_PYTHON").unwrap_or_else(|_| "python3".into());
    let output = Command::new(python)
        .arg(home().join("generate.py"))
        .arg("--check")
        // Without it the script would fetch botocore, which is not for a test to do.
        .env("FOURFRONT_GENERATE", "1")
        .output();
    let Ok(output) = output else {
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("is needed, this is") {
        return;
    }
    assert!(output.status.success(), "{said}");
}
