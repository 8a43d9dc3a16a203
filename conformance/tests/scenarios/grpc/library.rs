//! A real service and a real client: Python's `grpcio`, which is C++ below, on either side of a node.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use super::{ALL_VIEWER, World};

/// A Python that has what the requirements say, made once.
fn python() -> PathBuf {
    let source =
        PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("tests are run by cargo"))
            .join("grpc");
    let requirements = source.join("requirements.txt");
    let wanted = fs::read(&requirements).expect("requirements");
    let version = wanted.iter().fold(0u64, |hash, b| {
        hash.wrapping_mul(31).wrapping_add(u64::from(*b))
    });
    let home = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let place = home.join(format!("grpc-{version:016x}"));
    if !place.exists() {
        // Made aside and then renamed, so that tests in other processes find all of it or nothing. Its own Python is named by
        // where it was made, so it is the machine's that runs, with these packages.
        let aside = tempfile::TempDir::new_in(home).expect("a temporary directory");
        let ran = Command::new("python3")
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ])
            .args(["--no-compile", "--target"])
            .arg(aside.path())
            .arg("--requirement")
            .arg(&requirements)
            .output()
            .expect("python3, which `scripts/setup.sh test` installs");
        assert!(
            ran.status.success(),
            "pip install: {}",
            String::from_utf8_lossy(&ran.stderr)
        );
        // Another process may have been faster; its directory is as good.
        let _ = fs::rename(aside.path(), &place);
    }
    place
}

fn run(packages: &Path, script: &str) -> Command {
    let source =
        PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("tests are run by cargo"))
            .join("grpc");
    let mut command = Command::new("python3");
    command
        .env("PYTHONPATH", packages)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(source.join(script));
    command
}

/// A service that runs, until it is dropped.
struct Service {
    child: Child,
    port: u16,
}

impl Service {
    fn start(packages: &Path, certificate: &Path, key: &Path) -> Self {
        let mut child = run(packages, "service.py")
            .args([certificate, key])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3");
        let mut line = String::new();
        let out = child.stdout.take().expect("a pipe");
        BufReader::new(out).read_line(&mut line).expect("a line");
        let port = line.trim().parse().expect("a port");
        Self { child, port }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_library_finds_all_that_it_knows() {
    // CF-410, CF-704: all four kinds, metadata, deadlines, cancelling, statuses with details, 10 MiB, 1,000 calls on a connection
    let world = World::new();
    let packages = tokio::task::spawn_blocking(python).await.expect("packages");
    let dir = tempfile::TempDir::new().expect("a temporary directory");
    let pair = world.authority.pem_pair(&["localhost", "127.0.0.1"]);
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).expect("a writable directory");
        path
    };
    let certificate = file("service.pem", &pair.cert);
    let key = file("service.key", &pair.key);
    let roots = file("roots.pem", world.authority.pem());
    let service = Service::start(&packages, &certificate, &key);
    let edge = world
        .edge()
        .behavior(ALL_VIEWER)
        .start_at(&format!("https://localhost:{}", service.port))
        .await;
    let port = edge.secure_address().port().to_string();
    let client = tokio::task::spawn_blocking(move || {
        run(&packages, "client.py").arg(port).arg(roots).output()
    });
    let ran = client.await.expect("no panic").expect("python3");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(
        ran.status.success() && said.trim() == "well",
        "{said}{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    let records = edge.recorded(1_000 + 17).await;
    assert!(records.iter().all(|r| r.scheme() == "grpcs"));
    let results = |result: &str| {
        let is = |r: &&fourfront::observe::access::AccessRecord| {
            r.to_json()["x-edge-result-type"] == result
        };
        records.iter().filter(is).count()
    };
    // All but those that were given up before an answer: the cancelled one, and the one whose deadline passes, unless the
    // service, which has the same deadline, says so first.
    let (answered, given_up) = (results("Miss"), results("Error"));
    assert_eq!(answered + given_up, 1_000 + 17);
    assert!(matches!(given_up, 1 | 2), "{given_up}");
}
