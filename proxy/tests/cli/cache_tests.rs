//! The public suite of tests for HTTP caches (cache-tests.fyi), whole, through the program in mode `rfc9111`.
//!
//! `conformance/cache-tests` has the harness and the deviations that are expected, each with its reason. `make
//! cache-tests` runs the same beside nginx and Varnish.

use std::{path::Path, process::Command};

use crate::program::root;

#[test]
fn the_public_cache_tests_pass_but_for_the_expected_deviations() {
    // CF-820, CF-821, CF-822, CF-823, CF-824, CF-825, CF-826, CF-827, CF-828, CF-830, CF-831, CF-832, CF-833, CF-834,
    // CF-836, CF-837, CF-839
    let ran = Command::new("node")
        .arg(root().join("conformance/cache-tests/run.mjs"))
        .args(["--fourfront", env!("CARGO_BIN_EXE_fourfront")])
        .arg("--modules")
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")))
        .output()
        .expect("Node.js, which `scripts/setup.sh test` installs");
    let printed = String::from_utf8_lossy(&ran.stdout);
    assert!(
        ran.status.success(),
        "{printed}{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    // A run that judged nothing passes nothing.
    assert!(printed.contains("required (165)"), "{printed}");
}
