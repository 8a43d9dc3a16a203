//! What a reader types into a terminal: commands that end, and servers that go on.

use std::{
    cell::RefCell,
    ffi::OsString,
    io::{BufRead as _, BufReader, Read},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use crate::program::LIMIT;

/// How long a command may take: some install packages, or start a browser.
const PATIENCE: Duration = LIMIT.saturating_mul(5);

/// How many of the last lines of a server are shown when something fails.
const TAIL: usize = 40;

/// A shell of a reader: where it is, and its environment.
pub(crate) struct Shell {
    pub(crate) dir: PathBuf,
    pub(crate) path: OsString,
    /// The address that examples have here.
    pub(crate) address: String,
}

impl Shell {
    fn command(&self, text: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", text]);
        // What the one who runs the tests uses for nodes and accounts of their own is no reader's business.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("AWS_") || name.starts_with("FOURFRONT_") {
                command.env_remove(&*name);
            }
        }
        // Proxies are for registries.
        for name in ["no_proxy", "NO_PROXY"] {
            let others = std::env::var(name).unwrap_or_default();
            command.env(name, format!("{},{others}", self.address));
        }
        command
            .current_dir(&self.dir)
            .env("PATH", &self.path)
            .env("FOURFRONT_NODE", format!("http://{}:9400", self.address))
            .env("npm_config_prefer_offline", "true")
            .env("npm_config_audit", "false")
            .env("npm_config_fund", "false")
            .env("npm_config_update_notifier", "false")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // So that all that it starts ends with it.
            .process_group(0);
        command
    }

    /// Runs a command to its end; both its outputs in one, as a terminal shows them.
    pub(crate) fn run(&self, text: &str) -> Outcome {
        let mut group = Group::start(&mut self.command(&format!("exec 2>&1\n{text}")));
        let (sender, pieces) = channel();
        let mut pipe = group.0.stdout.take().expect("a pipe was asked for");
        thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(read @ 1..) = pipe.read(&mut buffer) {
                if sender.send(buffer[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        let begun = Instant::now();
        let mut output = Vec::new();
        let status = loop {
            match pieces.recv_timeout(PATIENCE.saturating_sub(begun.elapsed())) {
                Ok(piece) => output.extend(piece),
                Err(RecvTimeoutError::Timeout) => break None,
                Err(RecvTimeoutError::Disconnected) => break group.0.wait().ok(),
            }
        };
        Outcome {
            status,
            output: String::from_utf8_lossy(&output).into_owned(),
        }
    }

    /// Starts what may be a server, and waits until it is ready or has ended.
    pub(crate) fn start(&self, text: &str) -> Server {
        let mut group = Group::start(&mut self.command(text));
        let (sender, lines) = channel();
        let stdout = group.0.stdout.take().expect("a pipe was asked for");
        let stderr = group.0.stderr.take().expect("a pipe was asked for");
        tell(Stream::Out, stdout, sender.clone());
        tell(Stream::Err, stderr, sender);
        Server {
            command: text.to_owned(),
            group,
            lines,
            seen: RefCell::default(),
        }
    }
}

/// How a command ended.
pub(crate) struct Outcome {
    /// None where it did not end in time.
    pub(crate) status: Option<ExitStatus>,
    pub(crate) output: String,
}

/// Processes that end with this.
struct Group(Child);

impl Group {
    fn start(command: &mut Command) -> Self {
        Self(
            command
                .spawn()
                .unwrap_or_else(|e| panic!("{command:?}: {e}")),
        )
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The group's number is this child's, and stays taken as long as one of its processes is there.
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill")
            .args(["-KILL", "--", &group])
            .stderr(Stdio::null())
            .status();
        let _ = self.0.wait();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Out,
    Err,
}

/// Hands over what comes line by line, as fast as it comes: a server that is not read would stop.
fn tell(stream: Stream, pipe: impl Read + Send + 'static, to: Sender<(Stream, String)>) {
    thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            if to.send((stream, line)).is_err() {
                return;
            }
        }
    });
}

/// Something that was started. It is killed when it is dropped.
pub(crate) struct Server {
    command: String,
    group: Group,
    lines: Receiver<(Stream, String)>,
    seen: RefCell<Vec<String>>,
}

/// How a start went.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Started {
    /// It says where it listens.
    Ready,
    /// It ended well: it was no server.
    Ended,
}

impl Server {
    /// Waits for a line with one of these on a standard output, or for its end.
    ///
    /// # Errors
    /// Neither comes in time, or it fails.
    pub(crate) fn wait(&mut self, on_stderr: bool, words: &[&str]) -> Result<Started, String> {
        let wanted = if on_stderr { Stream::Err } else { Stream::Out };
        let begun = Instant::now();
        loop {
            match self
                .lines
                .recv_timeout(PATIENCE.saturating_sub(begun.elapsed()))
            {
                Ok((stream, line)) => {
                    let is_ready = stream == wanted && words.iter().any(|w| line.contains(w));
                    self.seen.borrow_mut().push(line);
                    if is_ready {
                        return Ok(Started::Ready);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    let words = words.join("` or `");
                    return Err(format!("it neither ends nor prints a line with `{words}`"));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.group.0.wait().map_err(|e| e.to_string())?;
                    return match status.success() {
                        true => Ok(Started::Ended),
                        false => Err(status.to_string()),
                    };
                }
            }
        }
    }

    /// What it printed last, and how it is.
    pub(crate) fn told(&self) -> String {
        let mut seen = self.seen.borrow_mut();
        seen.extend(self.lines.try_iter().map(|(_, line)| line));
        let tail = &seen[seen.len().saturating_sub(TAIL)..];
        format!("--- {}\n{}\n", self.command, tail.join("\n"))
    }
}

/// A folder with the program under its name, and nothing else.
pub(crate) fn path_with(program: &Path, folder: &Path) -> OsString {
    std::fs::create_dir_all(folder).expect("a writable folder");
    std::os::unix::fs::symlink(program, folder.join("fourfront")).expect("a writable folder");
    let others = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&others));
    std::env::join_paths(folders).expect("folders without a colon in their names")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::wait_until;

    fn shell() -> Shell {
        Shell {
            dir: std::env::temp_dir(),
            path: std::env::var_os("PATH").unwrap_or_default(),
            address: "127.1.1.1".to_owned(),
        }
    }

    #[test]
    fn both_outputs_come_in_one_in_their_order() {
        let outcome = shell().run("echo one; echo two >&2; echo three; exit 3");
        assert_eq!(outcome.output, "one\ntwo\nthree\n");
        assert_eq!(outcome.status.and_then(|s| s.code()), Some(3));
    }

    #[test]
    fn a_server_is_ready_when_it_says_where_it_listens_and_ends_with_its_group() {
        let mut server =
            shell().start("echo starting; echo on 127.1.1.1:9411; sleep 600 & echo $!; wait");
        assert_eq!(server.wait(false, &["127.1.1.1"]), Ok(Started::Ready));
        assert_eq!(server.wait(false, &[""]), Ok(Started::Ready));
        let sleeper = server.seen.borrow().last().cloned().expect("a line");
        assert!(
            server.told().contains("starting\non 127.1.1.1"),
            "{}",
            server.told()
        );
        drop(server);
        // Gone, or not yet buried by who inherits it.
        let stat = format!("/proc/{sleeper}/stat");
        wait_until("the end of the group", || {
            std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "))
        });
    }

    #[test]
    fn what_ends_is_no_server() {
        let wait = |command: &str| shell().start(command).wait(false, &["127.1.1.1"]);
        assert_eq!(wait("echo written"), Ok(Started::Ended));
        assert_eq!(wait("exit 3"), Err("exit status: 3".to_owned()));
    }
}
