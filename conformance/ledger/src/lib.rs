//! The rules ledger: which rule of the contract is done, and which test proves it.
//!
//! The contract is the four documents in `conformance/rules/`. Every rule in them has
//! an id (`LE-` for functions, `CF-` for HTTP, `AMB-` for decisions on ambiguities,
//! `CP-` for the control plane, `NC-` for the Node.js surface). Code cites the id where
//! the rule is decided, tests cite the ids they prove, and `conformance/rules/ledger.tsv`
//! has one line per id with its status.
//!
//! This crate reads all three and says where they disagree. People set statuses by hand;
//! `cargo run -p fourfront-ledger -- --update` adds new ids and refreshes the list of
//! tests beside each. The check itself is the test `conformance/ledger/tests/ledger.rs`.
//!
//! It has no dependencies and links neither V8 nor Pingora.
#![forbid(unsafe_code)]

mod check;
mod id;
mod ledger;
mod rules;
mod rust_source;
mod scan;

pub use check::{Finding, check};
pub use id::{Citation, RuleId, citations};
pub use ledger::{Entry, Ledger, LedgerError, Status};
pub use rules::Rules;
pub use rust_source::{Region, TestFn, outline};
pub use scan::{Cited, Place, Scan};

use std::path::{Path, PathBuf};

/// The root of this repository. Cargo says where this crate is when it runs something of it: what it was compiled
/// from may have been another clone that shared the target directory.
pub fn repository_root() -> PathBuf {
    let here =
        std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let here = Path::new(&here);
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// The folder of the contract's documents, relative to the repository's root.
pub const RULES_FOLDER: &str = "conformance/rules";

/// The ledger's file, relative to the repository's root.
pub const LEDGER_FILE: &str = "conformance/rules/ledger.tsv";
