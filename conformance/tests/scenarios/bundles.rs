//! What functions are made of: zip files, the operator's packages, and the files they see (NC-25, NC-50, NC-72).

use fourfront_conformance::{Edge, Origin};

fn answering(expression: &str) -> String {
    format!(
        "exports.handler = async (event) => ({{ status: '200', body: String(await ({expression})) }});"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_may_come_as_a_zip_file_and_be_replaced_by_another() {
    // NC-50, CF-027
    let origin = Origin::saying("x").await;
    let index = answering("require('./lib/greet')(require('./config.json').name)");
    let greet = "module.exports = (name) => `hello ${name}`";
    let config = r#"{ "name": "zip" }"#;
    let edge = Edge::new()
        .bundle_zip(
            "app",
            &[
                ("index.js", &index),
                ("lib/greet.js", greet),
                ("config.json", config),
            ],
        )
        .behavior("on: { viewer-request: app }")
        .start(&origin)
        .await;
    assert_eq!(edge.get("/").await.text(), "hello zip");
    edge.rewrite_zip("app.zip", &[("index.js", &answering("'another'"))])
        .unwrap();
    assert_eq!(edge.get("/").await.text(), "another");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zip_file_that_reaches_out_is_refused_and_the_old_one_stays() {
    // CP-071, NC-50
    let origin = Origin::saying("x").await;
    let index = answering("'first'");
    let edge = Edge::new()
        .bundle_zip("app", &[("index.js", &index)])
        .behavior("on: { viewer-request: app }")
        .start(&origin)
        .await;
    let errors = edge
        .rewrite_zip(
            "app.zip",
            &[("index.js", &index), ("a\\..\\..\\evil.js", "")],
        )
        .unwrap_err();
    let said = errors[0].to_string();
    assert!(
        said.contains("functions.app")
            && said.contains("Could not unzip")
            && said.contains("evil.js"),
        "{said}"
    );
    assert_eq!(edge.get("/").await.text(), "first");
}

#[tokio::test(flavor = "multi_thread")]
async fn packages_of_the_node_are_there_for_all_functions_and_follow_reloads() {
    // NC-72
    let origin = Origin::saying("x").await;
    let edge = Edge::new();
    edge.write(
        "packages/@aws-sdk/client-ssm/index.js",
        "exports.name = 'provided'",
    );
    let edge = edge
        .node("hooks: { modules_dir: ./packages }")
        .function("one", &answering("require('@aws-sdk/client-ssm').name"))
        .function(
            "two",
            &answering("import('@aws-sdk/client-ssm').then((m) => m.default.name)"),
        )
        .path("/two", "on: { viewer-request: two }")
        .behavior("on: { viewer-request: one }")
        .start(&origin)
        .await;
    assert_eq!(edge.get("/").await.text(), "provided");
    assert_eq!(edge.get("/two").await.text(), "provided");
    edge.rewrite(
        "packages/@aws-sdk/client-ssm/index.js",
        "exports.name = 'a newer one'",
    )
    .unwrap();
    assert_eq!(edge.get("/").await.text(), "a newer one");
    assert_eq!(edge.get("/two").await.text(), "a newer one");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sdk_that_nobody_provides_is_named_with_the_setting_that_would() {
    // NC-71, NC-72
    let origin = Origin::saying("x").await;
    let refused = Edge::new()
        .function(
            "f",
            "const { S3 } = require('@aws-sdk/client-s3'); exports.handler = async () => {};",
        )
        .behavior("on: { viewer-request: f }")
        .try_start(&origin.url())
        .await;
    let Err(errors) = refused else {
        panic!("it must not start");
    };
    let said = errors[0].to_string();
    assert!(
        said.contains("Cannot find module '@aws-sdk/client-s3'")
            && said.contains("node.hooks.modules_dir"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn files_in_tmp_stay_with_the_isolate_and_nothing_else_can_be_written() {
    // LE-345, NC-25, NC-26
    let origin = Origin::saying("x").await;
    let code = "const fs = require('fs');
        exports.handler = async () => {
          fs.appendFileSync('/tmp/visits', '.');
          let refused; try { fs.writeFileSync('/var/task/index.js', ''); } catch (e) { refused = e.code; }
          return { status: '200', body: `${fs.readFileSync('/tmp/visits', 'utf8').length} ${refused} ${fs.existsSync('/etc/passwd')}` };
        };";
    let edge = Edge::new()
        .threads(1, 1)
        .function("count", code)
        .behavior("on: { viewer-request: count }")
        .start(&origin)
        .await;
    assert_eq!(edge.get("/").await.text(), "1 EROFS false");
    assert_eq!(edge.get("/").await.text(), "2 EROFS false");
}
