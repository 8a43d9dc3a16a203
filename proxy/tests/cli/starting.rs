//! What stops a start and what does not, and what the operator is told (CP-600, CP-604, CP-616).

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Output, Stdio},
};

use tempfile::TempDir;

/// A directory with a site file and what it names.
fn site(files: &[(&str, &str)]) -> TempDir {
    let dir = TempDir::new().expect("a temporary directory");
    for (name, text) in files {
        fs::write(dir.path().join(name), text).expect("a writable file");
    }
    dir
}

fn fourfront(dir: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fourfront"));
    command.args(arguments).current_dir(dir.path());
    command
}

/// What a start that has to fail says; the same as `check` says where the fault is in the files.
fn refused(dir: &TempDir, arguments: &[&str]) -> String {
    let Output { status, stderr, .. } =
        fourfront(dir, arguments).output().expect("the binary runs");
    let told = String::from_utf8(stderr).expect("text");
    assert_eq!(status.code(), Some(1), "{told}");
    told
}

/// What it is about, the files, and what has to be told.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [&'a str]);

#[test]
fn what_is_wrong_with_the_files_stops_the_start_and_is_shown_where_it_stands() {
    // CP-600, CP-604, CP-616, LE-305, LE-308
    const HEAD: &str = "functions: { tag: { file: ./tag.js } }\ndistributions:\n  site:\n    origins: { app: 'http://127.0.0.1:1' }\n";
    let using = format!("{HEAD}    default_cache_behavior: {{ on: {{ viewer-request: tag }} }}\n");
    let with_dir = using.replace("file: ./tag.js", "dir: ., handler: tag.handler");
    let rows: [Case<'_>; 6] = [
        (
            "malformed YAML",
            &[("fourfront.yaml", "distributions:\n  site: [\n")],
            &["fourfront.yaml:3:1"],
        ),
        (
            "another thing than a map",
            &[("fourfront.yaml", "just words\n")],
            &["fourfront.yaml:1:1"],
        ),
        (
            "no handler file",
            &[("fourfront.yaml", &using)],
            &["fourfront.yaml:1:27", "functions.tag.file", "./tag.js"],
        ),
        (
            "no handler file in a directory",
            &[("fourfront.yaml", &with_dir), ("tug.js", "")],
            &["fourfront.yaml:1", "tag.handler", "tag.js"],
        ),
        (
            "no such export",
            &[
                ("fourfront.yaml", &using),
                ("tag.js", "exports.other = 1;\n"),
            ],
            &["functions.tag", "handler"],
        ),
        (
            "syntax error in a handler",
            &[
                ("fourfront.yaml", &using),
                (
                    "tag.js",
                    "exports.handler = async () => {\n  return {;\n};\n",
                ),
            ],
            &[
                "fourfront.yaml:1",
                "functions.tag",
                "SyntaxError",
                "tag.js:2",
            ],
        ),
    ];
    for (name, files, expected) in rows {
        let dir = site(files);
        for arguments in [&["serve"][..], &["check"]] {
            let told = refused(&dir, arguments);
            for words in expected {
                assert!(told.contains(words), "{name}, {arguments:?}: {told}");
            }
        }
    }
    let told = refused(&site(&[]), &["serve", "-c", "missing.yaml"]);
    assert!(told.contains("missing.yaml"), "{told}");
}

#[test]
fn a_port_in_use_stops_the_start_and_is_named() {
    // CP-600, CP-616
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("a bound listener has an address");
    for (setting, other) in [("listen", "admin"), ("admin", "listen")] {
        let yaml = format!(
            "node: {{ {setting}: '{address}', {other}: '127.0.0.1:0' }}\ndistributions: {{ site: {{ origins: {{ app: 'http://127.0.0.1:1' }} }} }}\n"
        );
        let told = refused(&site(&[("fourfront.yaml", &yaml)]), &["serve"]);
        assert!(
            told.contains(&format!("node.{setting}: cannot listen on {address}")),
            "{told}"
        );
    }
}

/// A node that was started; it is killed when dropped.
struct Started {
    child: Child,
    address: String,
}

impl Started {
    fn new(dir: &TempDir) -> Self {
        let mut child = fourfront(dir, &["serve"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let stderr = child.stderr.take().expect("asked for above");
        let mut said = String::new();
        let mut lines = BufReader::new(stderr);
        let address = loop {
            let before = said.len();
            if lines.read_line(&mut said).unwrap_or(0) == 0 {
                panic!("the node ended: {said}");
            }
            let line = &said[before..];
            if let Some((_, rest)) = line.split_once("serving on http://") {
                break rest.split(',').next().unwrap_or_default().to_owned();
            }
        };
        Self { child, address }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_origin_that_cannot_be_reached_does_not_stop_the_start() {
    // CP-600, CF-772
    let yaml = "node: { listen: '127.0.0.1:0', admin: '127.0.0.1:0' }\ndistributions: { site: { origins: { app: 'http://origin.invalid' } } }\n";
    let dir = site(&[("fourfront.yaml", yaml)]);
    let node = Started::new(&dir);
    let mut viewer = TcpStream::connect(&node.address).expect("a listening node");
    viewer
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .expect("the node reads");
    let mut answer = String::new();
    viewer.read_to_string(&mut answer).expect("a whole answer");
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    assert!(answer.contains("OriginDnsError"), "{answer}");
}
