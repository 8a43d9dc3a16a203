//! A node with control state, as a process.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{IpAddr, Ipv4Addr, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use tempfile::TempDir;

use crate::{clients, outcomes::Outcomes};

/// How long anything is waited for: enough for a busy machine, short enough to notice a hang.
const LIMIT: Duration = Duration::from_secs(120);

/// The certificate of the node goes by an ARN, as those of AWS do (CP-117).
const SITE: &str = "\
node:
  listen: 127.0.0.1:0
  listen_https: 127.0.0.1:0
  admin: 127.0.0.1:0
  threads: 1
  data_dir: ./data
  artifacts: { bucket: ./bucket }
  certificates:
    'arn:aws:acm:us-east-1:000000000000:certificate/one': { cert: ./site.pem, key: ./site.key }
";

const OTHER_ADMIN: &str =
    "admin: { listen: 127.0.0.1:0, unknown_fields: reject, cors: https://console.example.test }";

const OTHER_QUOTAS: &str = "  quotas:
    cache_behaviors: 2
    cloudfront_functions: 1
    cloudfront_function_size: 20KiB
    store_size: 4KiB
    store_key_size: 600
    store_value_size: 2KiB
";

/// The same with an admin listener that other machines reach, which takes TLS (CP-401) and signatures (CP-400).
const FAR: &str = "{ listen: 0.0.0.0:0, certificate: { cert: ./admin.pem, key: ./admin.key } }";

/// Quotas that are reached at once.
const SMALL_QUOTAS: &str = "  quotas:
    distributions: 3
    cache_behaviors: 1
    origins: 2
    origin_groups: 1
    aliases: 1
    origin_custom_headers: 1
    trusted_key_groups: 1
    distributions_per_function: 1
    distributions_per_policy: 1
    cloudfront_functions: 1
    key_value_stores: 1
    cache_policies: 1
    origin_request_policies: 1
    response_headers_policies: 1
    origin_access_controls: 1
    headers_per_policy: 1
    cookies_per_policy: 1
    query_strings_per_policy: 1
    custom_headers_per_policy: 1
    removed_headers_per_policy: 1
";

/// A node that has served nothing yet. It is killed when it is dropped.
pub(crate) struct Node {
    child: Child,
    /// Taken by the node that comes after it.
    dir: Option<TempDir>,
    /// Where its admin listener is reached.
    admin: String,
    /// The certificate that it shows there, if it does.
    admin_ca: Option<PathBuf>,
    viewer: String,
    log: Receiver<String>,
}

impl Node {
    /// Starts one in a folder of its own.
    pub(crate) fn start() -> Self {
        Self::with(SITE)
    }

    /// The same with settings of its own: relaxed, strict about what it does not know, with small quotas, for a web page.
    pub(crate) fn start_otherwise() -> Self {
        let site = SITE.replace("admin: 127.0.0.1:0", OTHER_ADMIN);
        Self::with(&format!("compat: relaxed\n{site}{OTHER_QUOTAS}"))
    }

    /// The same with as little room as there can be.
    pub(crate) fn start_small() -> Self {
        Self::with(&format!("{SITE}{SMALL_QUOTAS}"))
    }

    /// Starts one that is administered from elsewhere: its listener is on all of this machine's addresses, and is reached by
    /// one that other machines reach as well, where there is one.
    pub(crate) fn far() -> Self {
        let mut node = Self::with(&SITE.replace("admin: 127.0.0.1:0", &format!("admin: {FAR}")));
        let (_, port) = node.admin.rsplit_once(':').expect("an address");
        node.admin = format!("{}:{port}", reached_by());
        let dir = node.dir.as_ref().expect("a node has a folder");
        node.admin_ca = Some(dir.path().join("site/admin.pem"));
        node
    }

    /// Starts one that finds other services at an address (CP-236), and has a bucket there for artifacts (CP-075).
    pub(crate) fn start_beside(services: &str) -> Self {
        let forward = ["ssm", "s3", "sqs", "sns", "ec2", "dynamodb"]
            .map(|service| format!("{service}: 'http://{services}'"))
            .join(", ");
        let site = SITE
            .replace(
                "  admin: 127.0.0.1:0\n",
                &format!("  admin: {{ listen: 127.0.0.1:0, forward: {{ {forward} }} }}\n"),
            )
            .replace(
                "{ bucket: ./bucket }",
                &format!(
                    "{{ bucket: ./bucket, releases: {{ endpoint: 'http://{services}', \
                     credentials: {{ access_key_id: a, secret_access_key: b }} }} }}"
                ),
            );
        Self::with(&site)
    }

    fn with(text: &str) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let site = dir.path().join("site");
        fs::create_dir_all(site.join("bucket")).expect("a writable folder");
        let signed_for = |names: Vec<String>| {
            let certified = rcgen::generate_simple_self_signed(names).expect("a certificate");
            let key = certified.signing_key.serialize_pem();
            (certified.cert.pem(), key)
        };
        let (viewers, admins) = (
            signed_for(vec!["*.example.test".to_owned()]),
            signed_for(vec![
                reached_by().to_string(),
                // Where clients find the data of key-value stores (CP-205).
                "000000000000.localhost".to_owned(),
            ]),
        );
        for (file, text) in [
            ("fourfront.yaml", text.to_owned()),
            ("site.pem", viewers.0),
            ("site.key", viewers.1),
            ("admin.pem", admins.0),
            ("admin.key", admins.1),
        ] {
            fs::write(site.join(file), text).expect("a writable folder");
        }
        Self::serve(dir)
    }

    /// Kills it, and starts it again with what it kept.
    pub(crate) fn again(mut self) -> Self {
        self.child.kill().expect("it runs");
        self.child.wait().expect("a child that was started");
        let dir = self.dir.take().expect("a node has a folder");
        Self::serve(dir)
    }

    fn serve(dir: TempDir) -> Self {
        // Named from elsewhere: paths of the file are seen from its folder, and what is stored is found all the same.
        let mut child = Command::new(env!("CARGO_BIN_EXE_conformance-node"))
            .args(["serve", "-c", "site/fourfront.yaml"])
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the node starts");
        let stderr = BufReader::new(child.stderr.take().expect("a pipe was asked for"));
        let (tell, log) = channel();
        // Read to its end, so that the node never waits for a reader.
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        let mut said = String::new();
        let line = loop {
            let line = log.recv_timeout(LIMIT);
            let line = line.unwrap_or_else(|e| panic!("the node does not serve ({e}):\n{said}"));
            if line.contains("serving on ") {
                break line;
            }
            said.push_str(&line);
            said.push('\n');
        };
        let after = |sign: &str, word: &str| {
            let (_, rest) = line.split_once(word).expect("the line names it");
            let (_, rest) = rest.split_once(sign).expect("the line has URLs");
            let end = rest.find([' ', ',']).unwrap_or(rest.len());
            rest[..end].to_owned()
        };
        Self {
            child,
            admin: after("://", "admin on "),
            admin_ca: None,
            viewer: after("://", "serving on "),
            dir: Some(dir),
            log,
        }
    }

    /// Where its admin listener and that of viewers are, and the file with its first key.
    pub(crate) fn told(&self) -> [String; 3] {
        let dir = self.dir.as_ref().expect("a node has a folder").path();
        let keys = dir.join("site/data/bootstrap-credentials");
        [&self.admin, &self.viewer, &keys.display().to_string()].map(Clone::clone)
    }

    /// Runs a file of `conformance/aws/contract` against it, which has to end well.
    pub(crate) fn run(&self, script: &str) {
        self.run_with(&[script], "");
    }

    /// The same with arguments, and with something on standard input. What its clients saw is held against the table of
    /// outcomes and against the shapes of the models.
    pub(crate) fn run_with(&self, script: &[&str], input: &str) {
        let (contract, packages) = (clients::contract(), clients::installed());
        let join = |parts: &[PathBuf]| std::env::join_paths(parts).expect("paths without colons");
        let (name, arguments) = script.split_first().expect("a script");
        let mut paths = vec![packages.join("bin")];
        let path = std::env::var_os("PATH").unwrap_or_default();
        paths.extend(std::env::split_paths(&path));
        let mut command = Command::new(clients::python());
        command
            .arg(contract.join(name))
            .args(arguments)
            .env("PYTHONPATH", join(&[contract.join("site"), packages]))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PATH", join(&paths));
        let seen = self.home().join("seen");
        fs::write(&seen, "").expect("a writable folder");
        command.env("FOURFRONT_SEEN", &seen);
        self.drive(command, input);
        let told = fs::read_to_string(&seen).expect("a file of this process");
        let faults = Outcomes::read().faults_of_run(name, &told);
        assert!(faults.is_empty(), "{name}:\n{}", faults.join("\n"));
    }

    /// Runs the program of the AWS SDK for JavaScript against it.
    pub(crate) fn run_javascript(&self) {
        let mut command = Command::new("node");
        command.arg("--no-warnings").arg(clients::javascript());
        self.drive(command, "");
    }

    fn home(&self) -> &Path {
        self.dir.as_ref().expect("a node has a folder").path()
    }

    /// Runs a client of the node, which has to end well.
    fn drive(&self, mut command: Command, input: &str) {
        let home = self.home();
        let site = home.join("site");
        // Nothing of who runs the tests: neither their keys nor their settings.
        let theirs = std::env::vars_os().map(|(name, _)| name);
        for name in theirs.filter(|name| name.to_string_lossy().starts_with("AWS_")) {
            command.env_remove(name);
        }
        let mut child = command
            .env("HOME", home)
            .env(
                "AWS_SHARED_CREDENTIALS_FILE",
                site.join("data/bootstrap-credentials"),
            )
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_PAGER", "")
            .env("FOURFRONT_ADMIN", &self.admin)
            .env("FOURFRONT_VIEWER", &self.viewer)
            .env("FOURFRONT_DIR", &site)
            .env("FOURFRONT_PROGRAM", env!("CARGO_BIN_EXE_conformance-node"))
            .envs(self.admin_ca.iter().map(|ca| ("FOURFRONT_ADMIN_CA", ca)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a program that `scripts/setup.sh test` installs");
        let mut stdin = child.stdin.take().expect("a pipe was asked for");
        // Whoever ends before it has read everything says why below.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let ended = child.wait_with_output().expect("a child that was started");
        let (out, err) = (
            String::from_utf8_lossy(&ended.stdout),
            String::from_utf8_lossy(&ended.stderr),
        );
        println!("{out}");
        let log: Vec<String> = self.log.try_iter().collect();
        assert!(
            ended.status.success(),
            "{command:?}:\n{err}\nthe node's log:\n{}",
            log.join("\n")
        );
    }
}

/// An address of this machine that others reach as well, or else the one that it has itself.
fn reached_by() -> IpAddr {
    // Nothing is sent: only the way is looked up.
    let way = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect("192.0.2.200:9")?;
        socket.local_addr()
    });
    way.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |address| address.ip())
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
