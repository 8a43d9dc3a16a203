//! A node with control state, as a process.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use tempfile::TempDir;

use crate::clients;

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
        Self::start_on(SITE)
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
        Self::start_on(&site)
    }

    fn start_on(text: &str) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let site = dir.path().join("site");
        fs::create_dir_all(site.join("bucket")).expect("a writable folder");
        let certified = rcgen::generate_simple_self_signed(["*.example.test".to_owned()]);
        let certified = certified.expect("a certificate");
        for (file, text) in [
            ("fourfront.yaml", text.to_owned()),
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

    /// The same with arguments, and with something on standard input.
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
        self.drive(command, input);
    }

    /// Runs the program of the AWS SDK for JavaScript against it.
    pub(crate) fn run_javascript(&self) {
        let mut command = Command::new("node");
        command.arg("--no-warnings").arg(clients::javascript());
        self.drive(command, "");
    }

    /// Runs a client of the node, which has to end well.
    fn drive(&self, mut command: Command, input: &str) {
        let home = self.dir.as_ref().expect("a node has a folder").path();
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
