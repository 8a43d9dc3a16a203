//! Buckets whose server wants signed requests (CF section 5.3): s3s, a server that speaks S3's protocol over a directory.

use std::{fs, io, net::SocketAddr, path::Path, time::SystemTime};

use fourfront_conformance::{ALL_METHODS, Edge, Running, handler};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use s3s::{auth::SimpleAuth, host::SingleDomain, service::S3ServiceBuilder};
use tempfile::TempDir;
use tokio::net::TcpListener;

pub(crate) const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
/// Where a node's clock begins: 3 March 2026, 09:00 UTC.
const NODES_TIME: u64 = 1_772_528_400;
pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// A server with two buckets, `media` and `copy`, that answers who signs with the key above and nobody else.
pub(crate) async fn server() -> (SocketAddr, TempDir) {
    server_of(None).await
}

/// The same; with a domain, buckets are told apart by host.
async fn server_of(domain: Option<&str>) -> (SocketAddr, TempDir) {
    let served = serve().await.expect("a directory and a port");
    let (listener, mut builder, dir) = served;
    if let Some(domain) = domain {
        builder.set_host(SingleDomain::new(domain).expect("a domain"));
    }
    let address = listener
        .local_addr()
        .expect("a bound listener has an address");
    let service = builder.build();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                let builder = Builder::new(TokioExecutor::new());
                let _ = builder
                    .serve_connection(TokioIo::new(socket), service)
                    .await;
            });
        }
    });
    (address, dir)
}

async fn serve() -> io::Result<(TcpListener, S3ServiceBuilder, TempDir)> {
    let dir = TempDir::new()?;
    for name in ["media", "copy"] {
        let bucket = dir.path().join(name);
        fs::create_dir(&bucket)?;
        fs::write(bucket.join("a.txt"), format!("0123456789 in {name}"))?;
        fs::write(bucket.join("a b+c (d).txt"), "odd")?;
    }
    let files =
        s3s_fs::FileSystem::new(dir.path()).map_err(|e| io::Error::other(format!("{e:?}")))?;
    let mut builder = S3ServiceBuilder::new(files);
    builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
    Ok((TcpListener::bind("127.0.0.1:0").await?, builder, dir))
}

/// A node in front of the bucket `media`, with these settings of its access control, or none.
fn edge(server: SocketAddr, control: &str) -> Edge {
    let origin = |name: &str| {
        format!(
            "{name}: {{ domain_name: 127.0.0.1, origin_path: /{name}, origin_access_control_id: '{}',
            s3_origin_config: {{ endpoint: 'http://{server}' }} }}",
            if control.is_empty() { "" } else { "control" }
        )
    };
    let edge = match control {
        "" => Edge::new(),
        _ => Edge::new().top(&format!(
            "origin_access_controls: {{ control: {{ {control} }} }}"
        )),
    };
    edge.origin(&origin("media"))
        .origin(&origin("copy"))
        .behavior("origin: media")
}

fn keys(secret: &str) -> String {
    format!("credentials: {{ access_key_id: {KEY}, secret_access_key: {secret} }}")
}

/// The server's clock is the machine's, and it takes no signature that is much older.
pub(crate) fn at_the_servers_time(edge: &Running) {
    let now = SystemTime::UNIX_EPOCH
        .elapsed()
        .expect("a clock after 1970");
    edge.advance(now.as_secs().saturating_sub(NODES_TIME));
}

async fn get(edge: &Running, target: &str) -> (u16, String) {
    let answer = edge.get(target).await;
    (answer.status, answer.text().to_owned())
}

fn ok(text: &str) -> (u16, String) {
    (200, text.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_wants_signatures_takes_the_nodes() {
    // CF-432, CF-434, CF-435, CF-436, CF-439
    let (server, _dir) = server().await;
    let always = format!("signing_behavior: always, {}", keys(SECRET));
    let edge = edge(server, &always).start_at("").await;
    at_the_servers_time(&edge);
    assert_eq!(get(&edge, "/a.txt").await, ok("0123456789 in media"));
    // However a viewer writes the name.
    for path in [
        "/a%20b%2Bc%20%28d%29.txt",
        "/a%20b+c%20(d).txt",
        "/%61%20b%2bc%20(d).txt",
    ] {
        assert_eq!(get(&edge, path).await, ok("odd"), "{path}");
    }
    let part = edge.request("GET", "/a.txt").header("Range", "bytes=2-4");
    let part = part.send().await;
    assert_eq!((part.status, part.text()), (206, "234"));
    // What a viewer says of itself is not the bucket's affair.
    let request = edge.request("GET", "/other.txt");
    let other = request.header("Authorization", "Basic dTpw").send().await;
    assert_eq!(other.status, 404);
    assert_eq!(other.header("x-amz-request-id"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_of_other_makes_go_by_host_as_well() {
    // CF-436, CF-434
    let (server, _dir) = server_of(Some("s3.example.test")).await;
    let edge = Edge::new()
        .top(&format!(
            "origin_access_controls: {{ control: {{ signing_behavior: always, {} }} }}",
            keys(SECRET)
        ))
        .origin(&format!(
            "media: {{ domain_name: media.s3.example.test, origin_access_control_id: control,
             s3_origin_config: {{ endpoint: 'http://{server}', region: eu-central-1 }} }}"
        ))
        .behavior("origin: media")
        .start_at("")
        .await;
    at_the_servers_time(&edge);
    assert_eq!(get(&edge, "/a.txt").await, ok("0123456789 in media"));
    assert_eq!(edge.get("/other.txt").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_refuses_what_is_not_signed_or_signed_with_another_key() {
    // CF-430, CF-432
    let (server, _dir) = server().await;
    let wrong = format!("signing_behavior: always, {}", keys("another"));
    let never = format!("signing_behavior: never, {}", keys(SECRET));
    for (control, code) in [
        ("", "AccessDenied"),
        (&*wrong, "SignatureDoesNotMatch"),
        (&*never, "AccessDenied"),
    ] {
        let edge = edge(server, control).start_at("").await;
        at_the_servers_time(&edge);
        let (status, text) = get(&edge, "/a.txt").await;
        assert_eq!(status, 403, "{control}");
        assert!(text.contains(code), "{control}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_go_on_unsigned() {
    // CF-434
    let (server, dir) = server().await;
    let always = format!("signing_behavior: always, {}", keys(SECRET));
    let edge = edge(server, &always)
        .behavior(ALL_METHODS)
        .start_at("")
        .await;
    at_the_servers_time(&edge);
    let put = edge.request("PUT", "/new.txt").body("what is new");
    assert_eq!(put.send().await.status, 200);
    let written = Path::new("media").join("new.txt");
    let written = fs::read_to_string(dir.path().join(written)).unwrap();
    assert_eq!(written, "what is new");
    assert_eq!(get(&edge, "/new.txt").await, ok("what is new"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_may_choose_another_bucket() {
    // LE-112, LE-113, LE-115, LE-118
    let (server, _dir) = server().await;
    let choose = handler(
        "request.origin.s3.path = '/copy'; console.log(request.origin.s3.authMethod); return request;",
    );
    let always = format!("signing_behavior: always, {}", keys(SECRET));
    let edge = edge(server, &always)
        .function("choose", &choose)
        .behavior("on: { origin-request: choose }")
        .start_at("")
        .await;
    at_the_servers_time(&edge);
    assert_eq!(get(&edge, "/a.txt").await, ok("0123456789 in copy"));
    let logged = edge.logged(1).await;
    assert_eq!(logged[0].message, "origin-access-identity");
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_that_are_named_as_aws_names_them_lie_where_the_node_says() {
    // CP-320, CF-434, CF-435, CF-436, CF-437: by path and by host, each with keys of its own, and a directory
    let (by_path, _dir) = server().await;
    let (by_host, second) = server_of(Some("s3.eu-west-1.amazonaws.com")).await;
    let wrong = keys("another");
    let edge = Edge::new()
        .node(&format!(
            "origins: {{ s3: {{
              media: {{ endpoint: 'http://{by_path}', {} }},
              copy: {{ endpoint: 'http://{by_host}', path_style: false, {} }},
              shut: {{ endpoint: 'http://{by_path}', {wrong} }},
              here: {{ dir: ./here }} }} }}",
            keys(SECRET),
            keys(SECRET),
        ))
        .top("origin_access_controls: { control: { signing_behavior: always } }")
        .origin("media: { domain_name: media.s3.us-east-1.amazonaws.com, s3_origin_config: {}, origin_access_control_id: control }")
        .origin("copy: { domain_name: copy.s3.eu-west-1.amazonaws.com, s3_origin_config: {}, origin_access_control_id: control }")
        .origin("old: { domain_name: media.s3.amazonaws.com, s3_origin_config: { origin_access_identity: origin-access-identity/cloudfront/E1 } }")
        .origin("shut: { domain_name: shut.s3.amazonaws.com, s3_origin_config: {}, origin_access_control_id: control }")
        .origin("here: { domain_name: here.s3.amazonaws.com, s3_origin_config: {}, origin_access_control_id: control }")
        .function(
            "choose",
            &handler(
                "request.origin.s3.domainName = 'copy.s3.eu-west-1.amazonaws.com'; request.origin.s3.region = 'eu-west-1';
                 request.headers.host = [{ key: 'Host', value: 'copy.s3.eu-west-1.amazonaws.com' }]; request.uri = '/a.txt'; return request;",
            ),
        )
        .behavior("origin: media")
        .path("/chosen", "origin: shut, on: { origin-request: choose }")
        .path("/copied/*", "origin: copied")
        .path("/b.txt", "origin: here")
        .path("/a?20b*", "origin: old")
        .origin("copied: { domain_name: copy.s3.eu-west-1.amazonaws.com, origin_path: /sub, s3_origin_config: {}, origin_access_control_id: control }");
    edge.write("here/b.txt", "from a directory");
    fs::create_dir_all(second.path().join("copy/sub/copied")).unwrap();
    fs::write(second.path().join("copy/sub/copied/x"), "below").unwrap();
    let edge = edge.start_at("").await;
    at_the_servers_time(&edge);
    assert_eq!(get(&edge, "/a.txt").await, ok("0123456789 in media"));
    assert_eq!(get(&edge, "/copied/x").await, ok("below"));
    assert_eq!(get(&edge, "/b.txt").await, ok("from a directory"));
    assert_eq!(get(&edge, "/a%20b+c%20(d).txt").await, ok("odd"));
    // What a function names is read with the keys of the bucket it names.
    assert_eq!(get(&edge, "/chosen").await, ok("0123456789 in copy"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_may_choose_a_bucket_that_a_directory_stands_for() {
    // LE-113, LE-118, CP-320, CF-436: of two directories, and from a server to a directory
    let (server, _dir) = server().await;
    let choose = |uri: &str| {
        handler(&format!(
            "request.origin.s3.domainName = 'new.s3.us-east-1.amazonaws.com';
             request.headers.host = [{{ key: 'Host', value: 'new.s3.us-east-1.amazonaws.com' }}]; request.uri = '{uri}'; return request;"
        ))
    };
    let edge = Edge::new()
        .node(&format!(
            "origins: {{ s3: {{ old: {{ dir: ./old }}, new: {{ dir: ./new }}, media: {{ endpoint: 'http://{server}', {} }} }} }}",
            keys(SECRET)
        ))
        .top("origin_access_controls: { control: { signing_behavior: always } }")
        .origin("old: { domain_name: old.s3.us-east-1.amazonaws.com, s3_origin_config: {} }")
        .origin("new: { domain_name: new.s3.us-east-1.amazonaws.com, s3_origin_config: {} }")
        .origin("media: { domain_name: media.s3.us-east-1.amazonaws.com, s3_origin_config: {}, origin_access_control_id: control }")
        .function("choose", &choose("/a.txt"))
        .behavior("origin: old")
        .path("/moved", "origin: old, on: { origin-request: choose }")
        .path("/copied", "origin: media, on: { origin-request: choose }");
    edge.write("old/a.txt", "in the old one");
    edge.write("new/a.txt", "in the new one");
    let edge = edge.start_at("").await;
    at_the_servers_time(&edge);
    assert_eq!(get(&edge, "/a.txt").await, ok("in the old one"));
    assert_eq!(get(&edge, "/moved").await, ok("in the new one"));
    assert_eq!(get(&edge, "/copied").await, ok("in the new one"));
}
