//! A node with control state, as a process.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
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
    admin: String,
    viewer: String,
    log: Receiver<String>,
}

impl Node {
    /// Starts one in a folder of its own.
    pub(crate) fn start() -> Self {
        Self::start_with(SITE)
    }

    /// The same with settings of its own: relaxed, strict about what it does not know, with small quotas, for a web page.
    pub(crate) fn start_otherwise() -> Self {
        let site = SITE.replace("admin: 127.0.0.1:0", OTHER_ADMIN);
        Self::start_with(&format!("compat: relaxed\n{site}{OTHER_QUOTAS}"))
    }

    /// The same with as little room as there can be.
    pub(crate) fn start_small() -> Self {
        Self::start_with(&format!("{SITE}{SMALL_QUOTAS}"))
    }

    fn start_with(site_file: &str) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let site = dir.path().join("site");
        fs::create_dir_all(site.join("bucket")).expect("a writable folder");
        let certified = rcgen::generate_simple_self_signed(["*.example.test".to_owned()]);
        let certified = certified.expect("a certificate");
        for (file, text) in [
            ("fourfront.yaml", site_file.to_owned()),
            ("site.pem", certified.cert.pem()),
            ("site.key", certified.signing_key.serialize_pem()),
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
        let after = |word: &str| {
            let (_, rest) = line.split_once(word).expect("the line names it");
            let end = rest.find([' ', ',']).unwrap_or(rest.len());
            rest[..end].to_owned()
        };
        Self {
            child,
            admin: after("admin on http://"),
            viewer: after("serving on http://"),
            dir: Some(dir),
            log,
        }
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

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
