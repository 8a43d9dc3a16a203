//! Files of this repository that are made from the source, for tests.

use std::{env, fs, path::PathBuf};

/// Holds a file against what is made. With `FOURFRONT_PUBLISH=1` the file becomes that.
#[track_caller]
pub(crate) fn same(path: &str, made: &str) {
    let file = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("tests are run by cargo"))
        .join("../..")
        .join(path);
    if env::var_os("FOURFRONT_PUBLISH").is_some_and(|value| value == "1") {
        fs::write(&file, made).unwrap();
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        found == made,
        "{path} is not what the source says: run `make published`"
    );
}
