//! Invalidations as the admin API takes and tells them (CP-140..143, CP-610, CP-620).

use fourfront::purge::PurgeCall;
use fourfront_conformance::{Edge, Origin};
use serde_json::{Value, json};
use tempfile::TempDir;

fn member<'v>(document: &'v Value, name: &str) -> &'v str {
    document[name].as_str().unwrap_or("-")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalidation_is_complete_when_it_is_told() {
    // CF-650, CF-661, CP-142, CP-143
    let origin = Origin::saying("x").await;
    let edge = Edge::new().distribution("id: E1").start(&origin).await;
    let body = r#"{"paths":["/a","b*"],"caller_reference":"r1"}"#;
    let (status, first) = edge.purge(body);
    assert_eq!(status, 201);
    assert_eq!(first["paths"], json!(["/a", "/b*"]));
    assert_eq!(member(&first, "status"), "Completed");
    assert_eq!(member(&first, "distribution"), "E1");
    assert_eq!(member(&first, "create_time"), "2026-03-03T09:00:00.000Z");
    let id = member(&first, "id");
    assert!(id.len() == 14 && id.starts_with('I'), "{id}");
    // The same again, and the same reference for something else.
    let objects = edge.get("/a").await;
    assert_eq!(objects.x_cache(), "Miss");
    assert_eq!(edge.purge(body), (201, first.clone()));
    assert_eq!(edge.get("/a").await.x_cache(), "Hit");
    let (status, refused) = edge.purge(r#"{"paths":["/c"],"caller_reference":"r1"}"#);
    assert_eq!(
        (status, member(&refused, "code")),
        (400, "InvalidationBatchAlreadyExists")
    );
    assert_eq!(member(&refused, "field"), "caller_reference");
    assert!(member(&refused, "detail").contains(id), "{refused}");

    let get = |id: &str| edge.purge_call(PurgeCall::Get(id.to_owned()));
    assert_eq!(get(id), (200, first.clone()));
    assert_eq!(member(&get("I0").1, "code"), "NoSuchInvalidation");
    let second = edge
        .purge(r#"{"host":"site.fourfront.localhost","all":true,"soft":true}"#)
        .1;
    assert_eq!(
        (&second["soft"], &second["paths"]),
        (&json!(true), &json!(["/*"]))
    );
    let list = |query: &str| edge.purge_call(PurgeCall::List(query.to_owned())).1;
    assert_eq!(list("")["invalidations"], json!([second, first]));
    let page = list("distribution=E1&max_items=1");
    assert_eq!(page["invalidations"], json!([second]));
    let marker = member(&page, "next_marker");
    let page = list(&format!("marker={marker}&max_items=1"));
    assert_eq!(
        (&page["invalidations"], &page["next_marker"]),
        (&json!([first]), &Value::Null)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_is_refused_by_name() {
    // CP-140, CP-141, CP-621
    let origin = Origin::saying("x").await;
    let wildcards = json!({ "paths": vec!["/a*"; 16] }).to_string();
    let edge = Edge::new().distribution("id: E1").start(&origin).await;
    for (body, status, code, field, detail) in [
        (
            r#"{"paths":["/a"],"distribution":"E2"}"#,
            404,
            "NoSuchDistribution",
            "-",
            "`E1`",
        ),
        (
            r#"{"paths":["/a"],"host":"a","distribution":"E1"}"#,
            400,
            "InvalidArgument",
            "host",
            "both",
        ),
        (
            r#"{"tags":["a"]}"#,
            400,
            "InvalidArgument",
            "tags",
            "cache_tag_config",
        ),
        (
            r#"{"paths":["/a b"]}"#,
            400,
            "InvalidArgument",
            "paths[0]",
            "%20",
        ),
        (&wildcards, 413, "BatchTooLarge", "paths", "15"),
        ("{", 400, "MalformedInput", "-", "JSON"),
    ] {
        let (got, problem) = edge.purge(body);
        assert_eq!(
            (got, member(&problem, "code"), member(&problem, "field")),
            (status, code, field),
            "{body}"
        );
        assert!(member(&problem, "detail").contains(detail), "{problem}");
    }
    for (query, field) in [("max_items=0", "max_items"), ("maker=x", "maker")] {
        let problem = edge.purge_call(PurgeCall::List(query.to_owned())).1;
        assert_eq!(member(&problem, "field"), field);
    }
    // Only AWS has this limit.
    let edge = Edge::new()
        .distribution("compat: relaxed")
        .start(&origin)
        .await;
    assert_eq!(edge.purge(&wildcards).0, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn invalidations_are_remembered_over_a_restart() {
    // CF-661, CP-142, CP-564
    let origin = Origin::saying("x").await;
    let data = TempDir::new().unwrap();
    let start = async || {
        Edge::new()
            .node(&format!(
                "data_dir: {}",
                data.path().join("state").display()
            ))
            .distribution("id: E1")
            .start(&origin)
            .await
    };
    let body = r#"{"paths":["/a"],"caller_reference":"r1"}"#;
    let edge = start().await;
    let (_, first) = edge.purge(body);
    // One process at a time.
    let second = Edge::new()
        .node(&format!(
            "data_dir: {}",
            data.path().join("state").display()
        ))
        .try_start(&origin.url())
        .await;
    let refused = second.err().unwrap();
    assert!(
        refused[0].to_string().starts_with("node.data_dir: "),
        "{refused:?}"
    );
    assert!(refused[0].to_string().contains("in use"), "{refused:?}");
    // A restart: this one's journal is let go of with all that holds it.
    let (_, later) = edge.purge(r#"{"paths":["/b*"]}"#);
    fs_copy(&data.path().join("state"), &data.path().join("copy"));
    drop(edge);
    let edge = Edge::new()
        .node(&format!("data_dir: {}", data.path().join("copy").display()))
        .distribution("id: E1")
        .start(&origin)
        .await;
    let list = edge.purge_call(PurgeCall::List(String::new())).1;
    assert_eq!(list["invalidations"], json!([later, first]));
    assert_eq!(edge.purge(body), (201, first));
    assert_ne!(edge.purge(r#"{"paths":["/c"]}"#).1["id"], later["id"]);
}

/// What a killed process leaves.
fn fs_copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir(to).expect("a new directory");
    for file in std::fs::read_dir(from).expect("a directory") {
        let file = file.expect("an entry");
        std::fs::copy(file.path(), to.join(file.file_name())).expect("a copy");
    }
}
