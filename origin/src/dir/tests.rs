//! Directories over real streams and real files.

use std::{
    fs,
    os::unix::fs::{FileExt, symlink},
    time::{Duration, SystemTime},
};

use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, client::conn::http1::SendRequest};
use tempfile::TempDir;

use super::*;

/// A directory with some files, and a connection to it.
struct Site {
    dir: TempDir,
    connection: SendRequest<Empty<Bytes>>,
}

/// A response with its body read to the end.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }
}

async fn connect(root: &Path) -> SendRequest<Empty<Bytes>> {
    let root = Arc::new(DirRoot::open(root).unwrap());
    // Small, so that a server cannot run far ahead of its reader.
    let (near, far) = tokio::io::duplex(1024);
    tokio::spawn(serve_connection(far, root));
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(near))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

async fn site(files: &[(&str, &str)]) -> Site {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    fs::create_dir(&root).unwrap();
    for (name, content) in files {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let connection = connect(&root).await;
    Site { dir, connection }
}

impl Site {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("root").join(name)
    }

    async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Response<Incoming> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "site");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.connection.ready().await.unwrap();
        self.connection
            .send_request(request.body(Empty::new()).unwrap())
            .await
            .unwrap()
    }

    async fn ask(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let (parts, body) = self.send(method, path, headers).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: String::from_utf8(body.into()).unwrap(),
        }
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, &[]).await
    }

    fn set_modified(&self, name: &str, time: SystemTime) {
        let file = fs::File::options()
            .write(true)
            .open(self.path(name))
            .unwrap();
        file.set_modified(time).unwrap();
    }
}

fn second(n: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(n)
}

#[tokio::test]
async fn files_are_served_with_validators_on_one_connection() {
    let mut site = site(&[("a/b.css", "body{}"), ("empty", "")]).await;
    site.set_modified("a/b.css", second(1_767_225_600));
    let got = site.get("/a/b.css?v=1").await;
    assert_eq!((got.status, got.body.as_str()), (200, "body{}"));
    assert_eq!(got.header("content-type"), "text/css; charset=utf-8");
    assert_eq!(got.header("content-length"), "6");
    assert_eq!(got.header("last-modified"), "Thu, 01 Jan 2026 00:00:00 GMT");
    assert_eq!(got.header("accept-ranges"), "bytes");
    assert!(
        got.header("etag").starts_with('"'),
        "{}",
        got.header("etag")
    );

    let head = site.ask("HEAD", "/a/b.css", &[]).await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    for name in [
        "content-type",
        "content-length",
        "last-modified",
        "etag",
        "accept-ranges",
    ] {
        assert_eq!(head.header(name), got.header(name), "{name}");
    }
    let empty = site.get("/empty").await;
    assert_eq!((empty.status, empty.header("content-length")), (200, "0"));
    assert_eq!(empty.header("content-type"), "application/octet-stream");
}

#[tokio::test]
async fn names_are_percent_decoded() {
    let mut site = site(&[
        ("café x.txt", "1"),
        ("a/b", "2"),
        ("%2e", "3"),
        (".well-known/x", "4"),
    ])
    .await;
    for (path, body) in [
        ("/caf%C3%A9%20x.txt", "1"),
        ("/a%2fb", "2"),
        ("/%252e", "3"),
        ("/.well-known/x", "4"),
    ] {
        let got = site.get(path).await;
        assert_eq!((got.status, got.body.as_str()), (200, body), "{path}");
    }
}

#[tokio::test]
async fn missing_keys_look_like_a_buckets() {
    // CF-040: no index document here
    let mut site = site(&[
        ("index.html", "home"),
        ("a/index.html", "a"),
        (".env", "secret"),
    ])
    .await;
    for path in [
        "/",
        "/a",
        "/a/",
        "/b",
        "//index.html",
        "/index.html/",
        "/index.html/x",
        "/.env",
        "/%2eenv",
    ] {
        let got = site.get(path).await;
        assert_eq!(got.status, 404, "{path}");
        assert_eq!(got.header("content-type"), "application/xml");
        assert!(
            got.body.contains("<Error><Code>NoSuchKey</Code>"),
            "{}",
            got.body
        );
    }
    let long = format!("/{}", "n".repeat(300));
    assert_eq!(site.get(&long).await.status, 404);
    let head = site.ask("HEAD", "/b", &[]).await;
    assert_eq!((head.status, head.body.as_str()), (404, ""));
}

#[tokio::test]
async fn malformed_paths_are_refused() {
    let mut site = site(&[("a", "1")]).await;
    for path in ["/%", "/%zz", "/a%00"] {
        let got = site.get(path).await;
        assert_eq!(got.status, 400, "{path}");
        assert!(got.body.contains("InvalidURI"));
    }
}

#[tokio::test]
async fn no_path_leaves_the_root() {
    let mut site = site(&[("in/real.txt", "inside")]).await;
    let outside = site.dir.path().join("secret.txt");
    fs::write(&outside, "secret").unwrap();
    symlink(&outside, site.path("absolute")).unwrap();
    symlink("../secret.txt", site.path("relative")).unwrap();
    symlink("..", site.path("up")).unwrap();
    symlink(site.dir.path(), site.path("dir")).unwrap();
    symlink("in/../../secret.txt", site.path("zigzag")).unwrap();
    symlink("loop", site.path("loop")).unwrap();
    symlink("in/real.txt", site.path("link")).unwrap();

    for path in [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/in/../../secret.txt",
        "/in/%2e%2e%2f%2e%2e%2fsecret.txt",
        "/absolute",
        "/relative",
        "/up/secret.txt",
        "/dir/secret.txt",
        "/zigzag",
        "/loop",
        "/up/root/in/real.txt",
    ] {
        let got = site.get(path).await;
        assert!(matches!(got.status, 403 | 404), "{path} {}", got.status);
        assert!(got.header("content-type").contains("xml"), "{path}");
    }
    assert_eq!(site.get("/link").await.body, "inside");
}

#[tokio::test]
async fn only_regular_files_are_objects() {
    let mut site = site(&[]).await;
    let _socket = std::os::unix::net::UnixListener::bind(site.path("socket")).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(site.path("fifo"))
        .status()
        .unwrap();
    assert!(made.success());
    for path in ["/socket", "/fifo"] {
        assert_eq!(site.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn other_methods_are_not_allowed() {
    let mut site = site(&[("a", "1")]).await;
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let got = site.ask(method, "/a", &[]).await;
        assert_eq!(
            (got.status, got.header("allow")),
            (405, "GET, HEAD"),
            "{method}"
        );
    }
    assert_eq!(fs::read_to_string(site.path("a")).unwrap(), "1");
}

#[tokio::test]
async fn preconditions_are_answered() {
    // CF-280, CF-284, CF-285
    let mut site = site(&[("a", "content")]).await;
    let first = site.get("/a").await;
    let (etag, date) = (first.header("etag"), first.header("last-modified"));
    for header in [("if-none-match", etag), ("if-modified-since", date)] {
        let got = site.ask("GET", "/a", &[header]).await;
        assert_eq!((got.status, got.body.as_str()), (304, ""), "{header:?}");
        assert_eq!(
            (got.header("etag"), got.header("last-modified")),
            (etag, date)
        );
    }
    let failed = site.ask("GET", "/a", &[("if-match", "\"other\"")]).await;
    assert_eq!(failed.status, 412);
    assert!(failed.body.contains("PreconditionFailed"));
}

#[tokio::test]
async fn one_range_is_served() {
    // CF-532, CF-539, CF-540
    let mut site = site(&[("a", "0123456789")]).await;
    let etag = site.get("/a").await.header("etag").to_owned();

    let part = site.ask("GET", "/a", &[("range", "bytes=2-4")]).await;
    assert_eq!((part.status, part.body.as_str()), (206, "234"));
    assert_eq!(part.header("content-range"), "bytes 2-4/10");
    assert_eq!(
        (part.header("content-length"), part.header("etag")),
        ("3", etag.as_str())
    );

    let past = site.ask("GET", "/a", &[("range", "bytes=10-")]).await;
    assert_eq!(
        (past.status, past.header("content-range")),
        (416, "bytes */10")
    );
    assert!(past.body.contains("InvalidRange"));

    for headers in [
        vec![("range", "bytes=2-4"), ("if-range", "\"other\"")],
        vec![("range", "bytes=0-1,4-5")],
        vec![("range", "bytes=4-2")],
    ] {
        let whole = site.ask("GET", "/a", &headers).await;
        assert_eq!(
            (whole.status, whole.body.as_str()),
            (200, "0123456789"),
            "{headers:?}"
        );
    }
    let same = site
        .ask("GET", "/a", &[("range", "bytes=-1"), ("if-range", &etag)])
        .await;
    assert_eq!((same.status, same.body.as_str()), (206, "9"));
    let head = site.ask("HEAD", "/a", &[("range", "bytes=2-4")]).await;
    assert_eq!((head.status, head.header("content-length")), (200, "10"));
}

#[tokio::test]
async fn large_files_are_streamed_in_pieces() {
    let mut site = site(&[("big", "")]).await;
    let content: Vec<u8> = (0..1_000_003_u32).map(|i| (i % 251) as u8).collect();
    fs::write(site.path("big"), &content).unwrap();
    let whole = site
        .send("GET", "/big", &[])
        .await
        .into_body()
        .collect()
        .await
        .unwrap();
    assert!(whole.to_bytes() == content);

    let sparse = fs::File::create(site.path("sparse")).unwrap();
    let size = 1_u64 << 40;
    sparse.set_len(size).unwrap();
    sparse.write_all_at(b"end", size - 3).unwrap();
    let part = site.ask("GET", "/sparse", &[("range", "bytes=-3")]).await;
    assert_eq!((part.status, part.body.as_str()), (206, "end"));
    let head = site.ask("HEAD", "/sparse", &[]).await;
    assert_eq!(head.header("content-length"), size.to_string());
}

#[tokio::test]
async fn the_tag_changes_with_the_file() {
    // RFC 9110 section 8.8.1
    let mut site = site(&[("a", "one")]).await;
    site.set_modified("a", second(1_000));
    let mut tags = vec![site.get("/a").await.header("etag").to_owned()];
    assert_eq!(site.get("/a").await.header("etag"), tags[0]);

    fs::write(site.path("a"), "two").unwrap();
    tags.push(site.get("/a").await.header("etag").to_owned());
    // Replaced by rename, same size and time as before.
    fs::write(site.path("b"), "six").unwrap();
    site.set_modified("b", second(1_000));
    fs::rename(site.path("b"), site.path("a")).unwrap();
    let replaced = site.get("/a").await;
    assert_eq!(replaced.body, "six");
    tags.push(replaced.header("etag").to_owned());

    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 3, "{tags:?}");
}

#[tokio::test]
async fn a_file_older_than_http_dates_has_no_date() {
    let mut site = site(&[("old", "1")]).await;
    site.set_modified("old", SystemTime::UNIX_EPOCH - Duration::from_secs(1));
    let since = ("if-modified-since", "Thu, 01 Jan 2026 00:00:00 GMT");
    let got = site.ask("GET", "/old", &[since]).await;
    assert_eq!((got.status, got.header("last-modified")), (200, ""));
}

fn assert_is_broken_off(error: &hyper::Error) {
    let cause = std::error::Error::source(error).and_then(|e| e.downcast_ref::<io::Error>());
    assert_eq!(
        cause.map(io::Error::kind),
        Some(io::ErrorKind::UnexpectedEof),
        "{error:?}"
    );
}

/// Begins to read a file of 4 MiB, changes it, and reads on to the end.
async fn changed_in_between(change: impl FnOnce(&Path)) -> Result<usize, hyper::Error> {
    let mut site = site(&[("big", "")]).await;
    fs::write(site.path("big"), vec![b'x'; 4 << 20]).unwrap();
    site.set_modified("big", second(1_000));
    let mut body = site.send("GET", "/big", &[]).await.into_body();
    let first = body.frame().await.unwrap()?.into_data().unwrap().len();
    change(&site.path("big"));
    Ok(first + body.collect().await?.to_bytes().len())
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_read_ends_the_connection() {
    let cut = changed_in_between(|path| {
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_len(1 << 20).unwrap();
    })
    .await;
    assert_is_broken_off(&cut.unwrap_err());

    let rewritten = changed_in_between(|path| fs::write(path, vec![b'y'; 4 << 20]).unwrap()).await;
    assert_is_broken_off(&rewritten.unwrap_err());
}

#[tokio::test]
async fn a_file_that_is_replaced_or_removed_while_it_is_read_is_sent_whole() {
    let unchanged = changed_in_between(|_| {}).await;
    assert_eq!(unchanged.unwrap(), 4 << 20);
    let removed = changed_in_between(|path| fs::remove_file(path).unwrap()).await;
    assert_eq!(removed.unwrap(), 4 << 20);
    let replaced = changed_in_between(|path| {
        let next = path.with_extension("next");
        fs::write(&next, "next").unwrap();
        fs::rename(next, path).unwrap();
    })
    .await;
    assert_eq!(replaced.unwrap(), 4 << 20);
}

#[tokio::test]
async fn the_root_may_be_replaced_while_it_is_served() {
    let mut site = site(&[("a", "old")]).await;
    assert_eq!(site.get("/a").await.body, "old");
    let root = site.path("");
    fs::remove_dir_all(&root).unwrap();
    let gone = site.get("/a").await;
    assert_eq!(gone.status, 404);
    assert!(gone.body.contains("NoSuchBucket"), "{}", gone.body);
    fs::create_dir(&root).unwrap();
    fs::write(root.join("a"), "new").unwrap();
    assert_eq!(site.get("/a").await.body, "new");
}

#[test]
fn only_directories_can_be_roots() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [file, dir.path().join("missing")] {
        let error = DirRoot::open(&path).unwrap_err().to_string();
        assert!(error.contains(path.to_str().unwrap()), "{error}");
    }
    assert!(DirRoot::open(dir.path()).unwrap().path().is_absolute());
}
