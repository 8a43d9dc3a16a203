//! The examples do what their READMEs say (CP-601): each README is followed in a copy of the example, command by command, and
//! what comes back is compared with what is shown. `examples/README.md` says how they are written for that.
//!
//! One test is one example, so that the runner's list of tests is the list of examples with their times. Nothing here links the
//! library. Every test has a loopback address of its own, since all examples listen on the same ports.
#![forbid(unsafe_code)]

mod address;
mod follow;
mod matcher;
#[path = "../cli/program.rs"]
#[expect(dead_code, reason = "the tests of the command line need more of it")]
mod program;
mod quickstart;
mod readme;
mod sharp;
mod shell;
mod site_file;
mod table;
#[path = "../../build/tree.rs"]
mod tree;

use std::{collections::BTreeSet, fs};

use follow::{follow, follow_project_of_init};
use program::root;

#[test]
fn minimal() {
    // CP-601
    follow_project_of_init();
}

#[test]
fn security_headers() {
    // LE-023, LE-025, LE-029
    follow("security-headers");
}

#[test]
fn routing() {
    // LE-004, LE-115, CF-174
    follow("routing");
}

#[test]
fn ab_test() {
    // CF-003
    follow("ab-test");
}

#[test]
fn cloudfront_functions() {
    // CF-127
    follow("cloudfront-functions");
}

#[test]
fn auth_basic() {
    // LE-163
    follow("auth-basic");
}

#[test]
fn auth_jwt() {
    // LE-163
    follow("auth-jwt");
}

#[test]
fn auth_oidc() {
    // LE-163
    follow("auth-oidc");
}

#[test]
fn bot_and_hotlink() {
    // LE-163
    follow("bot-and-hotlink");
}

#[test]
fn request_signing() {
    // LE-005, LE-149
    follow("request-signing");
}

#[test]
fn bucket_migration() {
    // LE-042, LE-096
    follow("bucket-migration");
}

#[test]
fn api_aggregation() {
    // LE-164, CF-229
    follow("api-aggregation");
}

#[test]
fn wasm() {
    follow("wasm");
}

#[test]
fn hono() {
    // LE-164, LE-165, CF-229
    follow("hono");
}

#[test]
fn ssr_react() {
    // LE-164, CF-229
    follow("ssr-react");
}

#[test]
fn image_transform() {
    // LE-162, LE-164, LE-420, CF-229
    follow("image-transform");
}

/// The folders of `examples/`.
fn folders() -> BTreeSet<String> {
    let entries = fs::read_dir(root().join("examples")).expect("a folder of examples");
    let entries = entries.map(|entry| entry.expect("an entry of a folder"));
    entries
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

#[test]
fn every_example_has_a_test() {
    let source = include_str!("main.rs");
    for folder in folders() {
        // Its README is followed by a module of its own, since much of what it shows is chance.
        if folder != "quickstart" {
            let call = format!("follow(\"{folder}\")");
            assert!(source.contains(&call), "a test with `{call}` is missing");
        }
    }
}

#[test]
fn the_list_of_examples_is_complete() {
    let list = fs::read_to_string(root().join("examples/README.md")).expect("a list of examples");
    let linked: BTreeSet<String> = list
        .split("](")
        .skip(1)
        .filter_map(|link| link.split_once("/README.md)"))
        .map(|(name, _)| name.to_owned())
        .filter(|name| !name.contains(['/', ')']))
        .collect();
    assert_eq!(linked, folders());
}
