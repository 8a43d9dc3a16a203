//! `GET /_fourfront/v1/logs`: lines of functions and access records as server-sent events, live (CP-534, CP-608, CP-620).
//!
//! Events are `function` and `access`, each with one line as JSON or as text; `missed`, with how many lines the reader was too
//! slow for or that were more than it is told in a second; and `end`, when the node ends. Comments keep quiet connections
//! alive. All work is the reader's: what is logged is formatted here, once it is known that it is wanted.

use std::{
    collections::HashSet,
    convert::Infallible,
    fmt::Write as _,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use fourfront_control::{LogLevel, api::log_query::LogQuery};
use fourfront_hooks::log;
use http::{HeaderValue, Method, Response, StatusCode, header};
use hyper::body::{Body, Frame};
use serde_json::json;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};

use super::{
    access::{AccessRecord, rfc3339},
    admin::Admin,
    logs,
    tap::{Entry, FunctionLine, LogTap, MOST_READERS, Reader},
};
use crate::purge::Problem;

/// Entries that are looked at, and bytes, before others have their turn.
const BATCH: usize = 256;
const BATCH_BYTES: usize = 256 << 10;

/// How readers are served.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// After how long a quiet connection is told that it is alive.
    keep_alive: Duration,
    /// How long a reader may take nothing.
    patience: Duration,
    /// How long lines may wait for others to come with them.
    gather: Duration,
    /// Lines that a reader is told in a second.
    most: u32,
}

const PACE: Pace = Pace {
    keep_alive: Duration::from_secs(15),
    patience: Duration::from_secs(60),
    gather: Duration::from_millis(20),
    most: 1_000,
};

/// Names and versions of the functions that a distribution has now.
type FunctionsOf = Box<dyn Fn(&str) -> HashSet<(String, u32)> + Send>;

/// Answers a reader who may read.
///
/// # Errors
/// What is wrong with the request, or that there are [`MOST_READERS`] already.
pub(super) fn answer(
    method: &Method,
    query: &str,
    tap: &Arc<LogTap>,
    node: &Arc<dyn Admin>,
) -> Result<Response<Events>, Problem> {
    if method != Method::GET {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        return Err(Problem::new(status, "MethodNotAllowed", "GET `logs`"));
    }
    let query = LogQuery::parse(query, node.now())?;
    let of_node = Arc::clone(node);
    let functions_of = Box::new(move |id: &str| of_node.functions_of(id));
    let events = open(tap, query, functions_of, PACE).ok_or_else(|| {
        let detail = format!("{MOST_READERS} read logs already");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "TooManyReaders", detail)
    })?;
    let mut response = Response::new(events);
    for (name, value) in [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

/// Serves a reader from a task of its own. `None` when there are too many already.
fn open(
    tap: &Arc<LogTap>,
    query: LogQuery,
    functions_of: FunctionsOf,
    pace: Pace,
) -> Option<Events> {
    let since = query.since;
    let since = since.or_else(|| (!query.follow).then_some(SystemTime::UNIX_EPOCH));
    let until = (!query.follow).then(|| tap.next_number());
    // Records are not kept for who does not wait for them.
    let reader = tap.read(query.hook, query.access && query.follow, since)?;
    let filter = Filter {
        query,
        functions_of,
        of_distribution: HashSet::new(),
    };
    // One waits while one is sent.
    let (out, events) = mpsc::channel(1);
    tokio::spawn(tell(reader, filter, until, pace, out));
    Some(Events(events))
}

/// A body of events.
#[derive(Debug)]
pub(super) struct Events(mpsc::Receiver<Bytes>);

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.0.poll_recv(context);
        next.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

async fn tell(
    mut reader: Reader,
    mut filter: Filter,
    until: Option<u64>,
    pace: Pace,
    out: mpsc::Sender<Bytes>,
) {
    let tap = Arc::clone(reader.tap());
    let mut budget = Budget::new(pace.most, Instant::now());
    let mut said_at = Instant::now();
    let mut missed = 0;
    // What was kept before the reader came is told whole, as fast as it reads.
    let mut is_live = false;
    // So that the reader knows that nothing escapes it from here on.
    let mut text = ": here\n\n".to_owned();
    loop {
        // Before anything is taken: what comes after that ends it.
        let mut news = pin!(tap.news());
        news.as_mut().enable();
        let has_ended = tap.has_ended();
        let batch = reader.take(BATCH, BATCH_BYTES);
        let is_all = batch.entries.is_empty();
        missed += batch.missed;
        let now = Instant::now();
        budget.renew(now);
        if missed > 0 && !budget.is_spent() {
            event(&mut text, "missed", &json!({ "count": missed }).to_string());
            missed = 0;
        }
        filter.renew();
        for entry in &batch.entries {
            if !filter.fits(entry) {
                continue;
            }
            if is_live && !budget.spend() {
                missed += 1;
                continue;
            }
            filter.append(entry, &mut text);
        }
        let is_done = is_all || until.is_some_and(|until| passes(&batch.entries, until));
        let is_last = is_done && (has_ended || until.is_some());
        if is_last && until.is_none() {
            event(
                &mut text,
                "end",
                &json!({ "reason": "the node ends" }).to_string(),
            );
        }
        if text.is_empty() && now.duration_since(said_at) >= pace.keep_alive {
            text.push_str(":\n\n");
        }
        if !text.is_empty() {
            said_at = now;
            let sent = out.send(std::mem::take(&mut text).into());
            // Who has left, or takes nothing, makes room for others.
            if !matches!(timeout(pace.patience, sent).await, Ok(Ok(()))) {
                return;
            }
        }
        if is_last {
            // It is written when the connection has its turn, which comes before who waits for readers may end the process.
            drop(out);
            tokio::task::yield_now().await;
            return;
        }
        if !is_all {
            continue;
        }
        is_live = true;
        let wait = match missed {
            0 => pace.keep_alive.saturating_sub(said_at.elapsed()),
            _ => budget.left(Instant::now()),
        };
        tokio::select! {
            () = news => if !tap.has_ended() {
                sleep(pace.gather).await;
            },
            () = sleep(wait) => {}
            () = out.closed() => return,
        }
    }
}

/// Whether lines go past a number.
fn passes(entries: &[Entry], number: u64) -> bool {
    let last = entries.last();
    last.is_some_and(|entry| matches!(entry, Entry::Function(line) if line.number + 1 >= number))
}

/// How many lines a reader is still told in this second.
struct Budget {
    most: u32,
    left: u32,
    began: Instant,
}

const SECOND: Duration = Duration::from_secs(1);

impl Budget {
    const fn new(most: u32, now: Instant) -> Self {
        Self {
            most,
            left: most,
            began: now,
        }
    }

    fn renew(&mut self, now: Instant) {
        if now.duration_since(self.began) >= SECOND {
            (self.left, self.began) = (self.most, now);
        }
    }

    const fn is_spent(&self) -> bool {
        self.left == 0
    }

    const fn spend(&mut self) -> bool {
        let may = self.left > 0;
        self.left = self.left.saturating_sub(1);
        may
    }

    /// For how long it stays as it is.
    fn left(&self, now: Instant) -> Duration {
        SECOND.saturating_sub(now.duration_since(self.began))
    }
}

/// Which entries a reader wants, and how.
struct Filter {
    query: LogQuery,
    functions_of: FunctionsOf,
    /// Of the distribution that is asked for.
    of_distribution: HashSet<(String, u32)>,
}

impl Filter {
    /// What belongs to a distribution changes while it is followed.
    fn renew(&mut self) {
        if let Some(id) = self
            .query
            .distribution
            .as_deref()
            .filter(|_| self.query.hook)
        {
            self.of_distribution = (self.functions_of)(id);
        }
    }

    fn fits(&self, entry: &Entry) -> bool {
        match entry {
            Entry::Function(line) => self.fits_line(line),
            Entry::Access(record) => self.fits_record(record),
        }
    }

    fn fits_line(&self, line: &FunctionLine) -> bool {
        let query = &self.query;
        let of_distribution = || {
            self.of_distribution
                .contains(&(line.function.clone(), line.version))
        };
        (query.functions.is_empty() || query.functions.contains(&line.function))
            && query.version.is_none_or(|version| version == line.version)
            // From the gravest to the least.
            && query.level.is_none_or(|level| gravity(line.level) <= level)
            && query.since.is_none_or(|since| line.time >= since)
            && (query.distribution.is_none() || of_distribution())
            && query.grep.as_ref().is_none_or(|grep| line.message.contains(grep.as_str()))
    }

    fn fits_record(&self, record: &AccessRecord) -> bool {
        let query = &self.query;
        let ran = |name: &String| record.hooks.iter().any(|hook| hook.function == *name);
        let of = |id: &String| record.route.as_ref().is_some_and(|(of, _)| of == id);
        (query.functions.is_empty() || query.functions.iter().any(ran))
            && query.distribution.as_ref().is_none_or(of)
            && query
                .status
                .is_none_or(|(first, last)| (first..=last).contains(&record.status))
            && query
                .grep
                .as_ref()
                .is_none_or(|grep| record.to_text().contains(grep.as_str()))
    }

    fn append(&self, entry: &Entry, text: &mut String) {
        match (entry, self.query.text) {
            (Entry::Function(line), true) => event(text, "function", &line_text(line)),
            (Entry::Function(line), false) => event(text, "function", &line_json(line)),
            (Entry::Access(record), true) => event(text, "access", &record.to_text()),
            // Whatever else a log has of cookies, nobody is sent them.
            (Entry::Access(record), false) => {
                event(text, "access", &record.to_json_with(false).to_string());
            }
        }
    }
}

const fn gravity(level: log::LogLevel) -> LogLevel {
    match level {
        log::LogLevel::Trace => LogLevel::Trace,
        log::LogLevel::Debug => LogLevel::Debug,
        log::LogLevel::Info => LogLevel::Info,
        log::LogLevel::Warn => LogLevel::Warn,
        log::LogLevel::Error => LogLevel::Error,
    }
}

fn line_text(line: &FunctionLine) -> String {
    logs::line(
        line.time,
        &line.invocation_id,
        line.level,
        (&line.function, line.version),
        &line.request_id,
        &line.message,
    )
}

/// The members are those of the node's own log as JSON.
fn line_json(line: &FunctionLine) -> String {
    json!({
        "timestamp": rfc3339(line.time),
        "level": line.level.as_str(),
        "id": line.invocation_id,
        "request_id": line.request_id,
        "function": line.function,
        "version": line.version,
        "message": line.message,
    })
    .to_string()
}

/// Appends an event. Its data may have several lines; a carriage return ends one, too, and what a function logs must not
/// become an event of its own.
fn event(text: &mut String, name: &str, data: &str) {
    let _ = writeln!(text, "event: {name}");
    let lines = data
        .split('\n')
        .map(|line| line.strip_suffix('\r').unwrap_or(line));
    for line in lines.flat_map(|line| line.split('\r')) {
        let _ = writeln!(text, "data: {line}");
    }
    text.push('\n');
}

#[cfg(test)]
mod tests;
