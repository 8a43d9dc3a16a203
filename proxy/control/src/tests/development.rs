//! Site files as who develops functions has them.

use std::fs;

use super::{env, site_dir};
use crate::{load, load_for_development};

const SITE: &str = "\
functions: { auth: { file: ./auth.js, environment: { STAGE: green } }, spare: { file: ./auth.js, environment: { A: b } } }
distributions: { a: { origins: { app: \"http://a.test\" }, default_cache_behavior: { on: { viewer-request: auth } } } }
";

#[test]
fn variables_of_functions_are_there_while_they_are_developed() {
    // CP-130, LE-340
    let dir = site_dir();
    let path = dir.path().join("fourfront.yaml");
    fs::write(&path, SITE).unwrap();
    let refused = load(&path, &env).unwrap_err().to_string();
    assert!(refused.contains("no environment variables"), "{refused}");
    let loaded = load_for_development(&path, &env).unwrap_or_else(|e| panic!("{e}"));
    let told: Vec<_> = loaded.warnings.iter().map(|w| w.rule).collect();
    assert_eq!(told, ["CP-130", "CP-130"], "{:?}", loaded.warnings);
    let behavior = &loaded.site.distributions()[0].default_behavior;
    let (_, association) = behavior.functions.iter().next().unwrap();
    let variables = &association.function.environment;
    assert_eq!(*variables, [("STAGE".to_owned(), "green".to_owned())]);
    // Nothing else is more lenient.
    let slow = SITE.replace(
        "./auth.js, environment",
        "./auth.js, timeout: 31, environment",
    );
    fs::write(&path, slow).unwrap();
    let refused = load_for_development(&path, &env).unwrap_err().to_string();
    assert!(refused.contains("a timeout of 31 s"), "{refused}");
}
