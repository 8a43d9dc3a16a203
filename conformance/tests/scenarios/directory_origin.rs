//! A local directory as an origin, seen through the whole node.

use std::{
    os::unix::fs::symlink,
    sync::{Mutex, PoisonError},
};

use fourfront_conformance::{Edge, handler, raw_exchange};

fn site() -> Edge {
    let edge = Edge::new().origin("files: { dir: ./files }");
    edge.write("files/index.html", "<h1>home</h1>");
    edge.write("files/style.css", "b{}");
    edge.write("files/data.json", "{}");
    edge.write("files/digits.txt", "0123456789");
    edge.write("files/unknown", "?");
    edge.write("files/sub/page.html", "sub");
    edge.write("files/.env", "SECRET=1");
    edge.write("secret.txt", "SECRET=2");
    edge
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_served_with_their_types() {
    // CF-430
    let edge = site()
        .distribution("cache_mode: cloudfront")
        .start_at("")
        .await;
    for (path, kind, text) in [
        ("/index.html", "text/html", "<h1>home</h1>"),
        ("/style.css", "text/css", "b{}"),
        ("/data.json", "application/json", "{}"),
        ("/unknown", "application/octet-stream", "?"),
        ("/sub/page.html", "text/html", "sub"),
    ] {
        let answer = edge.get(path).await;
        assert_eq!(
            (answer.status, answer.text(), answer.x_cache()),
            (200, text, "Miss"),
            "{path}"
        );
        let content_type = answer.header("content-type").unwrap_or_default();
        assert!(content_type.starts_with(kind), "{path}: {content_type}");
        assert!(
            answer.header("etag").is_some() && answer.header("last-modified").is_some(),
            "{path}"
        );
        assert_eq!(
            answer.header("content-length"),
            Some(text.len().to_string().as_str()),
            "{path}"
        );
        assert_eq!(edge.get(path).await.x_cache(), "Hit", "{path}");
        let head = edge.request("HEAD", path).send().await;
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_a_404_in_a_buckets_words() {
    // CF-290, CF-616
    let edge = site()
        .distribution("cache_mode: cloudfront")
        .start_at("")
        .await;
    for path in ["/nothing.html", "/sub", "/sub/", "/", "/INDEX.html"] {
        let answer = edge.get(path).await;
        assert_eq!((answer.status, answer.x_cache()), (404, "Error"), "{path}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/xml"),
            "{path}"
        );
        assert!(
            answer.text().contains("<Code>NoSuchKey</Code>"),
            "{path}: {}",
            answer.text()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_validated_by_its_tag_and_replaced_when_the_file_changes() {
    // CF-258, CF-280, CF-288
    let edge = site()
        .distribution("cache_mode: cloudfront")
        .behavior("cache_policy: { min_ttl: 0, default_ttl: 10, max_ttl: 100 }")
        .start_at("")
        .await;
    let first = edge.get("/style.css").await;
    edge.advance(10);
    let second = edge.get("/style.css").await;
    assert_eq!((second.text(), second.x_cache()), ("b{}", "RefreshHit"));
    assert_eq!(second.header("etag"), first.header("etag"));
    edge.rewrite("files/style.css", "i{color:red}").unwrap();
    assert_eq!(edge.get("/style.css").await.text(), "b{}");
    edge.advance(10);
    let third = edge.get("/style.css").await;
    assert_eq!((third.text(), third.x_cache()), ("i{color:red}", "Miss"));
    assert_ne!(third.header("etag"), first.header("etag"));
    let condition = third.header("etag").unwrap().to_owned();
    let fourth = edge
        .request("GET", "/style.css")
        .header("If-None-Match", &condition)
        .send()
        .await;
    assert_eq!((fourth.status, fourth.x_cache()), (304, "Hit"));
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_of_files_with_and_without_a_cache() {
    // CF-532, CF-535, CF-539
    for policy in ["Managed-CachingOptimized", "Managed-CachingDisabled"] {
        let edge = site()
            .behavior(&format!("cache_policy: {policy}"))
            .start_at("")
            .await;
        for _ in 0..2 {
            let answer = edge
                .request("GET", "/digits.txt")
                .header("Range", "bytes=2-4")
                .send()
                .await;
            assert_eq!((answer.status, answer.text()), (206, "234"), "{policy}");
            assert_eq!(
                answer.header("content-range"),
                Some("bytes 2-4/10"),
                "{policy}"
            );
            let answer = edge
                .request("GET", "/digits.txt")
                .header("Range", "bytes=20-")
                .send()
                .await;
            assert_eq!(
                (answer.status, answer.header("content-range")),
                (416, Some("bytes */10")),
                "{policy}"
            );
        }
        assert_eq!(
            edge.get("/digits.txt").await.text(),
            "0123456789",
            "{policy}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_path_leads_out_of_the_directory() {
    // CF-085
    let edge = site();
    symlink("../secret.txt", edge.dir().join("files/link.txt")).unwrap();
    symlink("style.css", edge.dir().join("files/alias.css")).unwrap();
    let edge = edge.start_at("").await;
    for path in [
        "/../secret.txt",
        "/sub/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e%2fsecret.txt",
        "//../secret.txt",
        "/..\\secret.txt",
        "/link.txt",
        "/.env",
        "/%2eenv",
        "/sub/../.env",
        "/style.css%00",
        "/%",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let received = raw_exchange(edge.address(), request.as_bytes(), b"").await;
        let text = String::from_utf8_lossy(&received).into_owned();
        assert!(text.starts_with("HTTP/1.1 4"), "{path}: {text}");
        assert!(!text.contains("SECRET"), "{path}: {text}");
    }
    assert_eq!(edge.get("/alias.css").await.text(), "b{}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_only_reads() {
    // CF-616
    let edge = site()
        .behavior("allowed_methods: [GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]")
        .start_at("")
        .await;
    for method in ["PUT", "POST", "DELETE"] {
        let answer = edge.request(method, "/style.css").body("x").send().await;
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, Some("GET, HEAD")),
            "{method}"
        );
        assert!(
            answer.text().contains("<Code>MethodNotAllowed</Code>"),
            "{method}"
        );
    }
    assert_eq!(edge.get("/style.css").await.text(), "b{}");
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_see_a_directory_as_a_bucket() {
    // LE-080, LE-104, LE-112, LE-113
    let edge = site()
        .function(
            "log",
            &handler("console.log(JSON.stringify(request.origin)); return request;"),
        )
        .behavior("on: { origin-request: log }")
        .start_at("")
        .await;
    assert_eq!(edge.get("/style.css").await.text(), "b{}");
    let shown: serde_json::Value = serde_json::from_str(&edge.logs()[0].message).unwrap();
    assert_eq!(
        shown,
        serde_json::json!({ "s3": {
            "authMethod": "none", "customHeaders": {}, "domainName": "files.s3.fourfront.localhost", "path": "",
            "readTimeout": 30, "region": "",
        } })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_directory_stops_the_start() {
    // CF-411
    let edge = Edge::new().origin("files: { dir: ./nowhere }");
    let errors = edge.load("").unwrap_err().to_string();
    assert!(errors.contains("nowhere"), "{errors}");
}

/// What Pingora logs as errors.
static COMPLAINTS: Complaints = Complaints(Mutex::new(Vec::new()));

struct Complaints(Mutex<Vec<String>>);

impl log::Log for Complaints {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Warn
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn one_file_after_another_leaves_the_log_clean() {
    // CF-397: no connection to a directory is ever found dead
    log::set_logger(&COMPLAINTS).expect("no other test sets a logger");
    log::set_max_level(log::LevelFilter::Warn);
    // One worker, so that each request would find the connection of the one before.
    let edge = site().threads(1, 1).start_at("").await;
    for path in ["/index.html", "/style.css", "/data.json", "/digits.txt"] {
        let answer = edge.get(path).await;
        assert_eq!((answer.status, answer.x_cache()), (200, "Miss"), "{path}");
    }
    // Other tests of the process may have had to do with origins that break off.
    let lines = COMPLAINTS.0.lock().unwrap_or_else(PoisonError::into_inner);
    let about_idle: Vec<_> = lines.iter().filter(|l| l.contains("Idle unix")).collect();
    assert_eq!(about_idle, Vec::<&String>::new());
}
