//! `fourfront dev`: saved files, and what it shows of a function that fails.

use std::fs;

use crate::program::{Running, Site, answer_with, get, run};

#[test]
fn a_saved_handler_answers_the_next_request_and_a_broken_one_changes_nothing() {
    // CP-601
    let site = Site::answering("one");
    let dev = Running::start(&["dev", ".", "--listen", "127.0.0.1:0"], site.path());
    let (viewer, _) = dev.address("developing on ");
    assert_eq!(get(viewer, "/first", &[]).body, "one");
    // One line for each request, on standard output.
    let line = dev.stdout_until("GET /first").pop().unwrap();
    assert!(
        line.contains("200") && line.contains("viewer-request="),
        "{line}"
    );

    // Not a file of the site: no reload.
    site.write("access.log", "one\n");
    site.write("f.js", &answer_with("two"));
    dev.stderr_until("reloaded in ");
    assert_eq!(get(viewer, "/", &[]).body, "two");

    site.write("f.js", "exports.handler = async (");
    let told = dev
        .stderr_until("the configuration in force stays")
        .join("\n");
    assert!(told.contains("SyntaxError"), "{told}");
    assert_eq!(get(viewer, "/", &[]).body, "two");

    site.write("f.js", &answer_with("three"));
    dev.stderr_until("reloaded in ");
    assert_eq!(get(viewer, "/", &[]).body, "three");
}

#[test]
fn variables_of_functions_are_there_while_they_are_developed() {
    // CP-130, LE-340: and nowhere else without `compat: relaxed`
    let site = Site::answering("");
    let yaml = site.read("fourfront.yaml");
    let yaml = yaml.replace("./f.js }", "./f.js, environment: { STAGE: green } }");
    site.write("fourfront.yaml", &yaml);
    let code = "exports.handler = async () => ({ status: '200', body: process.env.STAGE });\n";
    site.write("f.js", code);
    let checked = run(&["check", "."], site.path());
    assert_eq!(checked.code, Some(1), "{checked:?}");
    let dev = Running::start(&["dev", ".", "--listen", "127.0.0.1:0"], site.path());
    let (viewer, _) = dev.address("developing on ");
    assert_eq!(get(viewer, "/", &[]).body, "green");
}

#[test]
fn a_failure_is_shown_once_with_the_authors_file() {
    // CP-601, LE-278
    let site = Site::answering("x");
    site.write(
        "f.js",
        "exports.handler = async () => {\n  throw new Error('boom');\n};\n",
    );
    let dev = Running::start(&["dev", "--listen", "127.0.0.1:0"], site.path());
    let (viewer, _) = dev.address("developing on ");
    assert_eq!(get(viewer, "/", &[]).status, 503);
    site.write("f.js", &answer_with("mended"));
    let told = dev.stderr_until("reloaded in ").join("\n");
    assert_eq!(told.matches("boom").count(), 1, "{told}");
    assert!(
        told.contains("f.js:2:9") && !told.contains("/var/task"),
        "{told}"
    );
    assert_eq!(get(viewer, "/", &[]).body, "mended");
}

#[test]
fn a_folder_that_is_built_anew_is_followed() {
    // CP-601
    let site = Site::answering("one");
    let yaml = site.read("fourfront.yaml");
    site.write("fourfront.yaml", &yaml.replace("./f.js", "./dist/f.js"));
    site.write("dist/f.js", &answer_with("one"));
    let dev = Running::start(&["dev", "--listen", "127.0.0.1:0"], site.path());
    let (viewer, _) = dev.address("developing on ");
    for text in ["two", "three"] {
        fs::remove_dir_all(site.path().join("dist")).unwrap();
        dev.stderr_until("the configuration in force stays");
        site.write("dist/f.js", &answer_with(text));
        dev.stderr_until("reloaded in ");
        assert_eq!(get(viewer, "/", &[]).body, text);
    }
}
