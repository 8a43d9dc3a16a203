use std::future::poll_fn;

use super::*;
use crate::observe::{
    access::tests::record,
    tap::tests::{say, tap},
};

/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);
const QUICK: Pace = Pace {
    keep_alive: LIMIT,
    patience: LIMIT,
    gather: Duration::ZERO,
    most: 1_000,
};

fn ask(query: &str) -> LogQuery {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
    LogQuery::parse(query, now).unwrap()
}

/// A reader of a tap, in which the distribution `E1` has version 1 of `f`.
fn read_at(tap: &Arc<LogTap>, query: &str, pace: Pace) -> Events {
    let functions_of = |id: &str| match id {
        "E1" => HashSet::from([("f".to_owned(), 1)]),
        _ => HashSet::new(),
    };
    open(tap, ask(query), Box::new(functions_of), pace).unwrap()
}

fn read(tap: &Arc<LogTap>, query: &str) -> Events {
    read_at(tap, query, QUICK)
}

impl Events {
    async fn next(&mut self) -> Option<String> {
        let next = poll_fn(|context| Pin::new(&mut *self).poll_frame(context));
        let next = timeout(LIMIT, next).await.expect("an event or the end");
        let frame = next.map(|frame| frame.unwrap().into_data().unwrap());
        frame.map(|bytes| String::from_utf8(bytes.into()).unwrap())
    }

    /// All that is told until something is among it.
    async fn until(&mut self, wanted: &str) -> String {
        let mut told = String::new();
        while !told.contains(wanted) {
            told.push_str(&self.next().await.expect("more"));
        }
        told
    }

    /// All that is told until the end.
    async fn rest(&mut self) -> String {
        let mut told = String::new();
        while let Some(more) = self.next().await {
            told.push_str(&more);
        }
        told
    }
}

fn messages(told: &str) -> Vec<String> {
    let data = told.lines().filter_map(|line| line.strip_prefix("data: "));
    let values = data.map(|data| serde_json::from_str::<serde_json::Value>(data).unwrap());
    let message = |value: serde_json::Value| match &value["message"] {
        serde_json::Value::String(message) => message.clone(),
        _ => value["sc-status"].to_string(),
    };
    values.map(message).collect()
}

#[tokio::test]
async fn what_is_kept_is_told_and_the_answer_ends() {
    // CP-608, CP-620
    let tap = tap();
    for n in 0..BATCH + 10 {
        say(&tap, "i", 900 + n as u64 / 10, &n.to_string());
    }
    let told = read(&tap, "").rest().await;
    assert!(
        told.starts_with(": here\n\nevent: function\ndata: {"),
        "{}",
        &told[..60]
    );
    assert_eq!(messages(&told).len(), BATCH + 10);
    // 990 is ten seconds ago.
    assert_eq!(messages(&read(&tap, "since=10s").rest().await).len(), 0);
    assert_eq!(messages(&read(&tap, "since=920000").rest().await)[0], "200");
    assert_eq!(read(&tap, "function=g").rest().await, ": here\n\n");
}

#[tokio::test]
async fn both_kinds_are_followed_until_the_node_ends() {
    // CP-608, CP-534
    let tap = tap();
    say(&tap, "i", 0, "before");
    let mut reader = read(&tap, "follow");
    assert_eq!(reader.next().await.unwrap(), ": here\n\n");
    say(&tap, "i", 0, "one");
    tap.access(Arc::new(record()));
    let told = reader.until("event: access").await;
    assert_eq!(messages(&told), ["one", "503"]);
    // A reader who comes with a time is told what is kept, and goes on.
    let mut since = read(&tap, "follow&since=1d&hook");
    assert_eq!(messages(&since.until("one").await), ["before", "one"]);
    say(&tap, "i", 0, "two");
    assert_eq!(messages(&since.until("two").await), ["two"]);
    tap.end();
    let told = reader.rest().await;
    assert_eq!(messages(&told)[0], "two");
    assert!(
        told.ends_with("event: end\ndata: {\"reason\":\"the node ends\"}\n\n"),
        "{told}"
    );
}

#[tokio::test]
async fn each_reader_is_told_what_it_asked_for() {
    // CP-608
    let told_of = async |query: &str| {
        let tap = tap();
        let mut reader = read(&tap, &format!("follow&{query}"));
        reader.next().await;
        say(&tap, "i", 0, "a needle");
        say(&tap, "i", 0, "hay");
        tap.access(Arc::new(record()));
        tap.access(Arc::new(AccessRecord {
            status: 200,
            hooks: Vec::new(),
            route: Some(("E1".to_owned(), "*".to_owned())),
            uri: "/needle".to_owned(),
            ..record()
        }));
        tap.end();
        // The last event says why it ends.
        let mut messages = messages(&reader.rest().await);
        assert_eq!(messages.pop().as_deref(), Some("null"));
        messages
    };
    for (query, expected) in [
        ("", &["a needle", "hay", "503", "200"][..]),
        ("hook", &["a needle", "hay"]),
        ("access", &["503", "200"]),
        ("status=5xx", &["503"]),
        ("status=200-299", &["200"]),
        ("grep=needle", &["a needle", "200"]),
        ("hook&grep=needle", &["a needle"]),
        ("function=f", &["a needle", "hay"]),
        ("function=auth", &["503"]),
        ("function=f&function=auth&access", &["503"]),
        ("version=1", &["a needle", "hay"]),
        ("version=2", &[]),
        ("level=info", &["a needle", "hay"]),
        ("level=warn", &[]),
        ("distribution=E1", &["a needle", "hay", "200"]),
        ("distribution=D1", &["503"]),
    ] {
        assert_eq!(told_of(query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn lines_for_people_are_no_events_of_their_own() {
    // CP-608
    let tap = tap();
    say(&tap, "", 0, "one\r\nevent: end\rdata: x\n\n: y");
    let told = read(&tap, "format=text").rest().await;
    let expected = ": here\n\nevent: function\ndata: 1970-01-01T00:00:00.000Z\t-\tINFO\tf:1\t-\tone\n\
                    data: event: end\ndata: data: x\ndata: \ndata: : y\n\n";
    assert_eq!(told, expected);
    let mut reader = read(&tap, "follow&access&format=text");
    reader.next().await;
    tap.access(Arc::new(record()));
    let told = reader.next().await.unwrap();
    let expected = "event: access\ndata: 2026-03-03T09:00:00.123Z 503 GET /api/x";
    assert!(told.starts_with(expected), "{told}");
}

#[tokio::test]
async fn cookies_are_told_to_nobody() {
    // CF-706
    let tap = tap();
    let mut reader = read(&tap, "follow");
    reader.next().await;
    let fields = crate::observe::access::ViewerFields {
        cookie: Some(b"secret=1".as_slice().into()),
        user_agent: Some(b"curl".as_slice().into()),
        ..Default::default()
    };
    tap.access(Arc::new(AccessRecord {
        viewer_fields: Some(Box::new(fields)),
        ..record()
    }));
    let told = reader.next().await.unwrap();
    assert!(told.contains("curl") && !told.contains("secret"), "{told}");
}

#[tokio::test]
async fn who_reads_slowly_or_too_much_is_told_how_much_it_missed() {
    // CP-534
    let tap = tap();
    let mut slow = read(&tap, "follow&hook");
    assert_eq!(slow.next().await.unwrap(), ": here\n\n");
    // More than is kept, before the reader has its turn.
    let long = "x".repeat(1 << 20);
    for _ in 0..20 {
        say(&tap, "i", 0, &long);
    }
    let told = slow.until("event: missed").await;
    assert!(
        told.contains("event: missed\ndata: {\"count\":13}\n\n"),
        "{}",
        &told[..90]
    );

    let few = Pace { most: 3, ..QUICK };
    let mut capped = read_at(&tap, "follow&hook&grep=short", few);
    assert_eq!(capped.next().await.unwrap(), ": here\n\n");
    for n in 0..5 {
        say(&tap, "i", 0, &format!("short {n}"));
    }
    let told = capped.until("short 2").await;
    let told = told + capped.until("event: missed").await.as_str();
    assert!(
        !told.contains("short 3") && told.contains("{\"count\":2}"),
        "{told}"
    );
    // The next second is a new one.
    say(&tap, "i", 0, "short again");
    assert_eq!(
        messages(&capped.until("short again").await),
        ["short again"]
    );
}

#[tokio::test]
async fn quiet_connections_are_kept_alive_and_dead_ones_are_given_up() {
    // CP-534
    let tap = tap();
    let often = Pace {
        keep_alive: Duration::from_millis(1),
        ..QUICK
    };
    let mut quiet = read_at(&tap, "follow", often);
    assert_eq!(quiet.until(":\n\n").await, ": here\n\n:\n\n");
    drop(quiet);
    let gone = async || {
        while tap.wants_access() {
            tokio::task::yield_now().await;
        }
    };
    timeout(LIMIT, gone())
        .await
        .expect("who has left is noticed");
    // One that takes nothing holds its place for as long as is waited for it.
    let impatient = Pace {
        patience: Duration::from_millis(1),
        ..often
    };
    let stuck = read_at(&tap, "follow", impatient);
    assert!(tap.wants_access());
    timeout(LIMIT, gone())
        .await
        .expect("who takes nothing is given up");
    drop(stuck);
}

#[test]
fn a_budget_is_for_a_second() {
    // CP-534
    let now = Instant::now();
    let mut budget = Budget::new(2, now);
    assert!(budget.spend() && budget.spend() && !budget.spend());
    let later = now + Duration::from_millis(400);
    budget.renew(later);
    assert!(budget.is_spent());
    assert_eq!(budget.left(later), Duration::from_millis(600));
    budget.renew(now + SECOND);
    assert!(budget.spend());
}
