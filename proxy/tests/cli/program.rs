//! Running the program: its files, its output line by line, its end; and both neighbours of a node.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// How long anything is waited for: enough for a busy machine, short enough to notice a hang.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Node settings of every site here: ports that are free.
pub(crate) const NODE: &str = "node: { listen: 127.0.0.1:0, admin: 127.0.0.1:0, threads: 1 }\n";

/// A directory for a site file and what it names.
pub(crate) struct Site(TempDir);

impl Site {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let site = Self(TempDir::new().expect("a temporary directory"));
        for (path, text) in files {
            site.write(path, text);
        }
        site
    }

    /// A site whose one function answers everything itself, from `f.js`.
    pub(crate) fn answering(text: &str) -> Self {
        let yaml = format!(
            "{NODE}functions: {{ f: {{ file: ./f.js }} }}\ndistributions:\n  site:\n    \
             origins: {{ app: \"http://127.0.0.1:3000\" }}\n    default_cache_behavior:\n      origin: app\n      \
             on: {{ viewer-request: f }}\n"
        );
        Self::new(&[("fourfront.yaml", &yaml), ("f.js", &answer_with(text))])
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn file(&self, path: &str) -> String {
        self.path().join(path).display().to_string()
    }

    /// Replaces a file as editors do: whole, under another name first.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        let part = path.with_extension("part");
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("a writable folder");
        fs::write(&part, text).expect("a writable file");
        fs::rename(&part, &path).expect("a file to replace");
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path().join(path)).expect("a readable file")
    }
}

/// A handler that generates a response.
pub(crate) fn answer_with(text: &str) -> String {
    format!("exports.handler = async () => ({{ status: '200', body: '{text}' }});\n")
}

/// The top of the repository, asked of cargo at run time: two clones may share a target directory.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("tests are run by cargo"))
        .parent()
        .expect("the package lies in the repository")
        .to_owned()
}

/// How a program ended and what it printed.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the program to its end.
pub(crate) fn run(args: &[&str], dir: &Path) -> Ended {
    Running::start(args, dir).ended()
}

/// A program at work. It is killed when it is dropped.
pub(crate) struct Running {
    child: Option<Child>,
    stdout: Lines,
    stderr: Lines,
}

impl Running {
    pub(crate) fn start(args: &[&str], dir: &Path) -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_fourfront"));
        Self::start_program(program, args, dir)
    }

    /// The program with a variable of its environment set.
    pub(crate) fn start_in(variable: (&str, &str), args: &[&str], dir: &Path) -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_fourfront"));
        Self::start_command(Command::new(program).env(variable.0, variable.1), args, dir)
    }

    pub(crate) fn start_program(program: &Path, args: &[&str], dir: &Path) -> Self {
        Self::start_command(&mut Command::new(program), args, dir)
    }

    pub(crate) fn start_command(command: &mut Command, args: &[&str], dir: &Path) -> Self {
        let mut child = command
            .args(args)
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let stdout = Lines::of(child.stdout.take().expect("a pipe was asked for"));
        let stderr = Lines::of(child.stderr.take().expect("a pipe was asked for"));
        Self {
            child: Some(child),
            stdout,
            stderr,
        }
    }

    /// The lines on standard error up to and including the one that contains `wanted`.
    pub(crate) fn stderr_until(&self, wanted: &str) -> Vec<String> {
        self.stderr.until(wanted)
    }

    /// The same on standard output.
    pub(crate) fn stdout_until(&self, wanted: &str) -> Vec<String> {
        self.stdout.until(wanted)
    }

    /// Where it says it listens: the address after `word` on a line of standard error.
    pub(crate) fn address(&self, word: &str) -> (SocketAddr, String) {
        let line = self.stderr.until(word).pop().unwrap_or_default();
        (address_after(&line, word), line)
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.as_ref().map(Child::id).expect("it runs");
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -{name} {id}")])
            .status();
        assert!(sent.expect("a shell").success(), "kill -{name}");
    }

    /// Reads all that it prints and waits for its end.
    pub(crate) fn ended(mut self) -> Ended {
        // Borrowed alone, so that another thread may have it.
        let stdout = &mut self.stdout;
        let (stdout, stderr) = thread::scope(|scope| {
            let stdout = scope.spawn(move || stdout.rest());
            let stderr = self.stderr.rest();
            (stdout.join().expect("a reader"), stderr)
        });
        Ended {
            code: self.wait(),
            stdout,
            stderr,
        }
    }

    /// Waits for its end; what it prints is not read.
    pub(crate) fn ended_unread(mut self) -> Option<i32> {
        self.wait()
    }

    fn wait(&mut self) -> Option<i32> {
        let mut child = self.child.take()?;
        let id = child.id();
        let (ended, status) = channel();
        thread::spawn(move || ended.send(child.wait()));
        match status.recv_timeout(LIMIT) {
            Ok(status) => status.expect("a child is waited for once").code(),
            Err(_) => panic!("process {id} does not end"),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The address that follows `word` on a line.
pub(crate) fn address_after(line: &str, word: &str) -> SocketAddr {
    let (_, rest) = line.split_once(word).expect("the word is on the line");
    let text = rest.trim_start_matches("http://");
    let end = text
        .find(|c: char| c == ',' || c.is_whitespace())
        .unwrap_or(text.len());
    text[..end]
        .parse()
        .unwrap_or_else(|e| panic!("{line}: {e}"))
}

/// Lines of a pipe, read only as fast as they are asked for: who does not ask is a reader that has stopped.
struct Lines(Receiver<String>);

impl Lines {
    fn of(pipe: impl Read + Send + 'static) -> Self {
        let (sender, lines) = sync_channel(0);
        thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self(lines)
    }

    fn until(&self, wanted: &str) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            match self.0.recv_timeout(LIMIT) {
                Ok(line) => {
                    let found = line.contains(wanted);
                    seen.push(line);
                    if found {
                        return seen;
                    }
                }
                Err(e) => panic!("no `{wanted}` ({e}) in: {}", seen.join("\n")),
            }
        }
    }

    fn rest(&self) -> String {
        let mut text = String::new();
        loop {
            match self.0.recv_timeout(LIMIT) {
                Ok(line) => {
                    text.push_str(&line);
                    text.push('\n');
                }
                Err(RecvTimeoutError::Disconnected) => return text,
                Err(RecvTimeoutError::Timeout) => panic!("it neither prints nor ends: {text}"),
            }
        }
    }
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// A field's value, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// Asks once, on a connection of its own.
pub(crate) fn get(address: SocketAddr, target: &str, headers: &[&str]) -> Answer {
    let mut stream = TcpStream::connect(address).expect("a listener");
    stream
        .set_read_timeout(Some(LIMIT))
        .expect("a limit above zero");
    let fields: String = headers.iter().map(|h| format!("{h}\r\n")).collect();
    write!(
        stream,
        "GET {target} HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n{fields}\r\n"
    )
    .expect("a reader");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("an answer");
    let text = String::from_utf8(bytes).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok());
    Answer {
        status: status.expect("a status"),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

/// Asks the admin listener for its metrics; the value of one line.
pub(crate) fn metric(admin: SocketAddr, name: &str) -> u64 {
    let text = get(admin, "/metrics", &[]).body;
    let line = text.lines().find_map(|l| l.strip_prefix(name));
    line.and_then(|value| value.trim().parse().ok())
        .unwrap_or_default()
}

/// Waits until something is so.
pub(crate) fn wait_until(what: &str, so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < LIMIT, "not within the limit: {what}");
        thread::yield_now();
    }
}

/// An origin whose one answer waits until it is let go. Says first that it was asked.
pub(crate) fn gated_origin(body: &'static str) -> (SocketAddr, Receiver<()>, Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let (asked, was_asked) = channel();
    let (let_go, gate) = channel();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut reader = BufReader::new(stream.try_clone().expect("another handle"));
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
            line.clear();
        }
        let _ = asked.send(());
        let _ = gate.recv_timeout(LIMIT);
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
        .expect("a reader");
    });
    (address, was_asked, let_go)
}
