//! `fourfront doctor` (CP-205, CP-615): what is wrong between here and a node, and on its machine, where that is this one.

use std::{
    fs, io,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use clap::Args;
use http::Method;
use serde_json::{Value, json};
use tokio::net::UnixStream;

use super::{
    Exit,
    address::{self, NodeAddress, NodeArgs, text},
    env::resolves,
    output::{self, OutputArgs},
    status::size,
};
use crate::clock::{Clock as _, SystemClock};

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// The node's site file, for the ports that it listens on.
    #[arg(short, long, default_value = "fourfront.yaml")]
    config: PathBuf,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    node: NodeArgs,
}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grade {
    Good,
    /// Worth a look.
    Doubtful,
    Bad,
}

struct Finding {
    grade: Grade,
    what: &'static str,
    text: String,
}

/// Signatures are accepted for 15 minutes around (CP-412); clocks that are a minute apart will get there.
const CLOCK_BAD: Duration = Duration::from_secs(900);
const CLOCK_DOUBTFUL: Duration = Duration::from_secs(60);
/// A store with less room than this, in bytes, may soon be one that cannot be written.
const LITTLE_ROOM: u64 = 1 << 30;
/// A node with viewers and origins needs two files for each request.
const FEW_FILES: u64 = 8_192;
/// How long a port may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn run(args: &DoctorArgs) -> Exit {
    let mut bad = false;
    let mut reached = true;
    let ended = address::talk(async {
        let node = NodeAddress::at(&args.node)?;
        let mut found = Vec::new();
        reached = reachable(&node, &mut found).await;
        if reached {
            clock(&node, &mut found).await;
            admitted(&node, &mut found).await;
        }
        ports(&args.config, reached, &mut found);
        bad = found.iter().any(|f| f.grade == Grade::Bad);
        let items: Vec<Value> = found.iter().map(Finding::json).collect();
        args.output.show(&json!({ "items": items }), |_| {
            let rows: Vec<Vec<String>> = found.iter().map(Finding::row).collect();
            output::table(&["", "CHECK", "FOUND"], &rows)
        })
    });
    match ended {
        Exit::Ok if !reached => Exit::Unreachable,
        Exit::Ok if bad => Exit::Failed,
        ended => ended,
    }
}

impl Finding {
    const fn word(&self) -> &'static str {
        match self.grade {
            Grade::Good => "ok",
            Grade::Doubtful => "look",
            Grade::Bad => "bad",
        }
    }

    fn json(&self) -> Value {
        json!({ "check": self.what, "grade": self.word(), "text": self.text })
    }

    fn row(&self) -> Vec<String> {
        vec![
            self.word().to_owned(),
            self.what.to_owned(),
            self.text.clone(),
        ]
    }
}

fn push(found: &mut Vec<Finding>, grade: Grade, what: &'static str, text: impl Into<String>) {
    found.push(Finding {
        grade,
        what,
        text: text.into(),
    });
}

async fn reachable(node: &NodeAddress, found: &mut Vec<Finding>) -> bool {
    match node.look("/ready").await {
        Ok((status, _)) if status.is_success() => {
            push(found, Grade::Good, "node", format!("{node} is ready"));
            true
        }
        Ok((status, told)) => {
            let text = format!("{node} answers {status}: {told}");
            push(found, Grade::Bad, "node", text);
            true
        }
        Err((_, message)) => {
            push(found, Grade::Bad, "node", message);
            false
        }
    }
}

async fn clock(node: &NodeAddress, found: &mut Vec<Finding>) {
    let Ok(fields) = node.fields("/health").await else {
        return;
    };
    let date = fields.get(http::header::DATE);
    let date = date.and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
    if let Some(theirs) = date {
        let (grade, text) = apart(SystemClock::start().now(), theirs);
        push(found, grade, "clock", text);
    }
}

fn apart(ours: SystemTime, theirs: SystemTime) -> (Grade, String) {
    let apart = ours
        .duration_since(theirs)
        .unwrap_or_else(|earlier| earlier.duration());
    let grade = match apart {
        apart if apart > CLOCK_BAD => Grade::Bad,
        apart if apart > CLOCK_DOUBTFUL => Grade::Doubtful,
        _ => Grade::Good,
    };
    let text = format!(
        "{} s from the node's; signatures allow for 900 s",
        apart.as_secs()
    );
    (grade, text)
}

/// What can be looked at by who is let in.
async fn admitted(node: &NodeAddress, found: &mut Vec<Finding>) {
    let status = match node.ask(Method::GET, "/_fourfront/v1/status", None).await {
        Ok(status) => status,
        Err((_, message)) => {
            push(found, Grade::Bad, "key", message);
            return;
        }
    };
    push(found, Grade::Good, "key", "the node lets this user in");
    let control = &status["control"];
    if !control.is_object() {
        let text = "the node keeps none: `node.data_dir` is not set, so nothing can be deployed";
        push(found, Grade::Doubtful, "store", text);
        return;
    }
    room(Path::new(text(control, "data_dir")), found);
    master_key(control, found);
    socket(Path::new(text(control, "socket")), found).await;
    let account = text(control, "account");
    let name = format!("{account}.localhost");
    let text = resolves(&name, account);
    let grade = match text.contains("does not") {
        true => Grade::Doubtful,
        false => Grade::Good,
    };
    push(found, grade, "kvs host", format!("{name}: {text}"));
}

/// Whether the node's master key opens the keys that it keeps (CP-430).
fn master_key(control: &Value, found: &mut Vec<Finding>) {
    // Who may not look at keys is not told.
    let Some(unopened) = control["unopened_keys"].as_array() else {
        return;
    };
    let ids = unopened.iter().filter_map(Value::as_str);
    let ids: Vec<&str> = ids.collect();
    let (grade, text) = match ids.is_empty() {
        true => (
            Grade::Good,
            "it opens all keys; no backup holds it: keep a copy apart".to_owned(),
        ),
        false => (
            Grade::Bad,
            format!(
                "another one sealed {}: put that back, or make new keys",
                ids.join(", ")
            ),
        ),
    };
    push(found, grade, "master key", text);
}

/// How much the store's disk has left, where that is on this machine.
fn room(data_dir: &Path, found: &mut Vec<Finding>) {
    let Ok(left) = rustix::fs::statvfs(data_dir) else {
        let text = format!(
            "{} is not on this machine, or not ours to see",
            data_dir.display()
        );
        push(found, Grade::Good, "store", text);
        return;
    };
    let left = left.f_bavail.saturating_mul(left.f_frsize);
    let grade = match left < LITTLE_ROOM {
        true => Grade::Doubtful,
        false => Grade::Good,
    };
    let text = format!("{}, {} left", data_dir.display(), size(left));
    push(found, grade, "store", text);
}

/// Whether the socket answers, and how many files its owner may open.
async fn socket(path: &Path, found: &mut Vec<Finding>) {
    if !path.exists() {
        let text = format!("{} is not on this machine", path.display());
        push(found, Grade::Good, "socket", text);
        return;
    }
    let stream = match UnixStream::connect(path).await {
        Ok(stream) => stream,
        Err(e) => {
            let text = format!("{}: {e}", path.display());
            push(found, Grade::Doubtful, "socket", text);
            return;
        }
    };
    push(found, Grade::Good, "socket", path.display().to_string());
    let id = stream.peer_cred().ok().and_then(|peer| peer.pid());
    let limits = id.and_then(|id| fs::read_to_string(format!("/proc/{id}/limits")).ok());
    if let Some(files) = limits.as_deref().and_then(open_files) {
        let grade = match files < FEW_FILES {
            true => Grade::Doubtful,
            false => Grade::Good,
        };
        let text = format!("the node may have {files} open at a time");
        push(found, grade, "files", text);
    }
}

/// The soft limit of open files in `/proc/ID/limits`.
fn open_files(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|l| l.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        soft => soft.parse().ok(),
    }
}

/// The ports of a site file that is here: taken by the node if there is one, free if there is none.
fn ports(config: &Path, is_running: bool, found: &mut Vec<Finding>) {
    if !config.exists() {
        return;
    }
    let loaded = match fourfront_control::load(config, &|name| std::env::var(name).ok()) {
        Ok(loaded) => loaded,
        Err(errors) => {
            let first = errors
                .0
                .first()
                .map(ToString::to_string)
                .unwrap_or_default();
            push(found, Grade::Bad, "site file", first);
            return;
        }
    };
    push(
        found,
        Grade::Good,
        "site file",
        config.display().to_string(),
    );
    let settings = &loaded.node;
    let listeners = [
        Some(settings.listen),
        settings.viewers.listen_https,
        Some(settings.admin),
    ];
    for address in listeners.into_iter().flatten().filter(|a| a.port() != 0) {
        let (grade, text) = port(address, is_running);
        push(found, grade, "port", text);
    }
}

fn port(address: SocketAddr, is_running: bool) -> (Grade, String) {
    if is_running {
        let mut local = address;
        if address.ip().is_unspecified() {
            local.set_ip(match address {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        return match TcpStream::connect_timeout(&local, PATIENCE) {
            Ok(_) => (Grade::Good, format!("{address} answers")),
            Err(e) => (Grade::Bad, format!("{address} does not answer: {e}")),
        };
    }
    match TcpListener::bind(address) {
        Ok(_) => (Grade::Good, format!("{address} is free")),
        Err(e) if e.kind() == io::ErrorKind::AddrInUse => {
            (Grade::Bad, format!("{address} is taken by something else"))
        }
        Err(e) => (Grade::Bad, format!("{address} cannot be listened on: {e}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_may_differ_a_little() {
        // CP-412, CP-615
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(apart(at(1_000), at(1_030)).0, Grade::Good);
        assert_eq!(apart(at(1_100), at(1_000)).0, Grade::Doubtful);
        assert_eq!(apart(at(1_000), at(3_000)).0, Grade::Bad);
    }

    #[test]
    fn limits_are_read_from_the_system() {
        // CP-615
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max open files            1024                 524288               files     \n";
        assert_eq!(open_files(text), Some(1_024));
        assert_eq!(
            open_files("Max open files unlimited unlimited files"),
            Some(u64::MAX)
        );
        assert_eq!(open_files(""), None);
    }

    #[test]
    fn a_port_is_free_or_answers() {
        // CP-615
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(port(address, true).0, Grade::Good);
        assert_eq!(port(address, false).0, Grade::Bad);
        drop(listener);
        assert_eq!(port(address, true).0, Grade::Bad);
    }
}
