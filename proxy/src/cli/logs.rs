//! `fourfront logs` (CP-608): what functions log and which requests end on a node, live and in one place.
//!
//! Lines go to standard output, one line each; whatever else there is to say goes to standard error, so that a pipe gets
//! nothing but lines.

use std::io::{self, IsTerminal as _, Write as _};

use bytes::Buf as _;
use clap::Args;
use http::Method;
use http_body_util::BodyExt as _;
use serde_json::Value;

use super::{
    Exit,
    address::{self, Call, NodeAddress, NodeArgs},
    output, say,
};

/// What `fourfront logs` is called with.
#[derive(Debug, Args)]
pub(super) struct LogsArgs {
    /// Go on with what comes: lines of functions from now on, unless `--since` is given, and access records.
    #[arg(short, long)]
    follow: bool,
    /// Lines that functions log.
    #[arg(long)]
    hook: bool,
    /// Requests as they end; with `--follow`, for the node keeps none.
    #[arg(long)]
    access: bool,
    /// Lines of this function, and requests that ran it. May be given again.
    #[arg(long = "function", value_name = "NAME")]
    functions: Vec<String>,
    /// Lines of this version of functions.
    #[arg(long, value_name = "NUMBER")]
    version: Option<u32>,
    /// Requests to this distribution, and lines of functions that it has.
    #[arg(long, value_name = "ID")]
    distribution: Option<String>,
    /// Requests that ended with such a status: `404`, `5xx`, `400-499`.
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    /// Lines this grave or graver: error, warn, info, debug, trace.
    #[arg(long, value_name = "LEVEL")]
    level: Option<String>,
    /// What contains this text.
    #[arg(long, value_name = "TEXT")]
    grep: Option<String>,
    /// Lines from so long ago on, as in `10m` or `2h`, as far as the node has kept them.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// One JSON document a line: those with `message` are of functions, those with `sc-status` are requests.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    node: NodeArgs,
}

pub(super) fn run(args: &LogsArgs) -> Exit {
    address::talk(async {
        let node = NodeAddress::at(&args.node)?;
        let path = path(args);
        let response = node.open(Call::new(Method::GET, &path)).await?;
        let mut body = response.into_body();
        let mut events = Events::default();
        while let Some(frame) = body.frame().await {
            let broken = |e: hyper::Error| (Exit::Failed, format!("the connection broke: {e}"));
            let Ok(mut data) = frame.map_err(broken)?.into_data() else {
                continue;
            };
            let data = data.copy_to_bytes(data.remaining());
            for event in events.push(&data) {
                match show(&event) {
                    Ok(()) => {}
                    // Who reads has seen enough, as `head` does.
                    Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                    Err(e) => return Err((Exit::Failed, format!("standard output: {e}"))),
                }
            }
        }
        Ok(())
    })
}

/// What is asked for, as the node takes it; it also says what is wrong with it.
fn path(args: &LogsArgs) -> String {
    let mut path = "/_fourfront/v1/logs?format=".to_owned();
    path.push_str(if args.json { "json" } else { "text" });
    for (name, is_set) in [
        ("follow", args.follow),
        ("hook", args.hook),
        ("access", args.access),
    ] {
        if is_set {
            path.push_str(&format!("&{name}=1"));
        }
    }
    let version = args.version.map(|version| version.to_string());
    let values = [
        ("version", &version),
        ("distribution", &args.distribution),
        ("status", &args.status),
        ("level", &args.level),
        ("grep", &args.grep),
        ("since", &args.since),
    ];
    let values = values
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_ref()?)));
    let functions = args.functions.iter().map(|name| ("function", name));
    for (name, value) in functions.chain(values) {
        path.push_str(&format!("&{name}={}", encoded(value)));
    }
    path
}

/// A value of a query.
fn encoded(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

fn show(event: &Event) -> io::Result<()> {
    let document = || serde_json::from_str::<Value>(&event.data).unwrap_or_default();
    match event.name.as_str() {
        "function" | "access" => {
            let mut out = io::stdout().lock();
            // Functions and viewers write what they like into these.
            let data = match out.is_terminal() {
                true => output::visible_lines(&event.data),
                false => event.data.as_str().into(),
            };
            writeln!(out, "{data}")?;
            out.flush()
        }
        "missed" => {
            say(&format!(
                "{} lines were too many to be shown",
                document()["count"]
            ));
            Ok(())
        }
        "end" => {
            say(&output::visible_lines(address::text(&document(), "reason")));
            Ok(())
        }
        // Newer nodes may have more to tell.
        _ => Ok(()),
    }
}

/// An event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Event {
    name: String,
    data: String,
}

/// Events as they come, whatever they are cut into on their way.
#[derive(Debug, Default)]
struct Events {
    /// The line that has not ended yet.
    line: Vec<u8>,
    next: Event,
    has_data: bool,
}

impl Events {
    fn push(&mut self, data: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for part in data.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if self.line.last() != Some(&b'\n') {
                break;
            }
            let line = String::from_utf8_lossy(&self.line[..self.line.len() - 1]).into_owned();
            self.line.clear();
            events.extend(self.take(&line));
        }
        events
    }

    /// Takes a line; an empty one ends an event.
    fn take(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            let event = std::mem::take(&mut self.next);
            return std::mem::take(&mut self.has_data).then_some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.next.name),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.next.data.push('\n');
                }
                self.next.data.push_str(value);
            }
            // Comments have no name.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: LogsArgs,
    }

    #[test]
    fn what_is_asked_for_is_in_the_query() {
        // CP-608
        let path_of = |args: &[&str]| {
            let args = ["logs"].iter().chain(args);
            path(&Command::try_parse_from(args).unwrap().args)
        };
        let base = "/_fourfront/v1/logs?format=";
        assert_eq!(path_of(&[]), format!("{base}text"));
        assert_eq!(
            path_of(&["-f", "--json", "--hook"]),
            format!("{base}json&follow=1&hook=1")
        );
        assert_eq!(
            path_of(&[
                "--function",
                "a",
                "--function",
                "b",
                "--status",
                "5xx",
                "--grep",
                "a&b c",
                "--access"
            ]),
            format!("{base}text&access=1&function=a&function=b&status=5xx&grep=a%26b%20c")
        );
        assert_eq!(
            path_of(&[
                "--version",
                "3",
                "--distribution",
                "E1",
                "--level",
                "warn",
                "--since",
                "10m"
            ]),
            format!("{base}text&version=3&distribution=E1&level=warn&since=10m")
        );
    }

    #[test]
    fn events_are_put_together_from_pieces() {
        // CP-608, CP-620
        let text = ": here\n\nevent: function\ndata: one\ndata:  two\n\n:\n\nevent: later\n\nevent: access\ndata: \u{e9}\n\n";
        let event = |name: &str, data: &str| Event {
            name: name.to_owned(),
            data: data.to_owned(),
        };
        let expected = [event("function", "one\n two"), event("access", "\u{e9}")];
        for size in [1, 2, 7, text.len()] {
            let mut events = Events::default();
            let pieces = text.as_bytes().chunks(size);
            let told: Vec<Event> = pieces.flat_map(|piece| events.push(piece)).collect();
            assert_eq!(told, expected, "in pieces of {size}");
        }
    }
}
