use std::{
    collections::VecDeque,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const BOTH: IpAddressType = IpAddressType::Dualstack;

/// Answers one after the other and counts the questions; nothing comes where there is no answer left.
#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<Result<Answer, LookupError>>>,
    asked: AtomicUsize,
}

impl Lookup for Script {
    async fn lookup(&self, _: &str, _: IpAddressType) -> Result<Answer, LookupError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
        let next = self.answers.lock().unwrap().pop_front();
        match next {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }
}

fn answer(addresses: &[&str], seconds: u64) -> Result<Answer, LookupError> {
    Ok(Answer {
        addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
        ttl: Duration::from_secs(seconds),
    })
}

fn failed() -> Result<Answer, LookupError> {
    Err(LookupError::Failed {
        cause: "SERVFAIL".to_owned(),
    })
}

fn gone(ttl: Option<Duration>) -> Result<Answer, LookupError> {
    Err(LookupError::NoAddress {
        cause: "no such name".to_owned(),
        ttl,
    })
}

fn resolver(answers: impl IntoIterator<Item = Result<Answer, LookupError>>) -> Resolver<Script> {
    let script = Script {
        answers: Mutex::new(answers.into_iter().collect()),
        asked: AtomicUsize::new(0),
    };
    let lifetimes = Lifetimes {
        most: 1000 * SECOND,
        stale: 60 * SECOND,
    };
    Resolver::new(script, lifetimes)
}

/// What is found for `a.test`, as text.
async fn found(resolver: &Resolver<Script>, now: Instant) -> String {
    let found = resolver.resolve("a.test", 80, BOTH, 10 * SECOND, now).await;
    match found {
        Ok(all) => all
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" "),
        Err(fault) => fault.to_string(),
    }
}

fn asked(resolver: &Resolver<Script>) -> usize {
    resolver.lookup.asked.load(Ordering::Relaxed)
}

#[tokio::test]
async fn ipv4_comes_first_and_requests_take_turns() {
    // CF-398
    let resolver = resolver([answer(&["2001:db8::1", "192.0.2.1", "192.0.2.2"], 60)]);
    let now = Instant::now();
    assert_eq!(
        found(&resolver, now).await,
        "192.0.2.1:80 192.0.2.2:80 [2001:db8::1]:80"
    );
    assert_eq!(
        found(&resolver, now).await,
        "192.0.2.2:80 192.0.2.1:80 [2001:db8::1]:80"
    );
    assert_eq!(asked(&resolver), 1);
}

#[tokio::test]
async fn an_answer_is_used_as_long_as_it_is_good() {
    // CF-398
    let resolver = resolver([
        answer(&["192.0.2.1"], 30),
        answer(&["192.0.2.2"], 0),
        answer(&["192.0.2.3"], 5000),
        answer(&["192.0.2.4"], 5),
    ]);
    let start = Instant::now();
    let rows = [
        (0, "192.0.2.1:80", 1),
        (29, "192.0.2.1:80", 1),
        (30, "192.0.2.2:80", 2),
        // Nothing is asked for more often than once in a second.
        (30, "192.0.2.2:80", 2),
        (31, "192.0.2.3:80", 3),
        // Nor believed for longer than the operator says.
        (1030, "192.0.2.3:80", 3),
        (1031, "192.0.2.4:80", 4),
    ];
    for (seconds, expected, questions) in rows {
        let now = start + seconds * SECOND;
        assert_eq!(found(&resolver, now).await, expected, "{seconds}");
        assert_eq!(asked(&resolver), questions, "{seconds}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_answer_stands_in_for_a_bounded_time() {
    // CF-398
    let resolver = resolver([answer(&["192.0.2.1"], 10), failed()]);
    let start = Instant::now();
    let at = |seconds: u32| found(&resolver, start + seconds * SECOND);
    assert_eq!(at(0).await, "192.0.2.1:80");
    // The name server fails, and is left alone for a moment.
    assert_eq!(at(10).await, "192.0.2.1:80");
    assert_eq!(at(14).await, "192.0.2.1:80");
    assert_eq!(asked(&resolver), 2);
    // It says nothing any more: the request waits no longer than a second.
    let began = tokio::time::Instant::now();
    assert_eq!(at(15).await, "192.0.2.1:80");
    assert_eq!(began.elapsed(), STALE_AFTER);
    assert_eq!(asked(&resolver), 3);
    // Until an hour, here a minute, has passed since it was good.
    assert_eq!(at(69).await, "192.0.2.1:80");
    assert!(at(75).await.contains("longer than the connection timeout"));
}

/// Answers with one address after the other, each after two seconds.
#[derive(Default)]
struct Slow(AtomicUsize);

impl Lookup for Slow {
    async fn lookup(&self, _: &str, _: IpAddressType) -> Result<Answer, LookupError> {
        let n = self.0.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(2 * SECOND).await;
        answer(&[&format!("192.0.2.{}", n + 1)], 30)
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_server_that_is_always_slow_is_heard() {
    // CF-398, RFC 8767 section 5
    let lifetimes = Lifetimes {
        most: 1000 * SECOND,
        stale: 600 * SECOND,
    };
    let resolver = Resolver::new(Slow::default(), lifetimes);
    let start = Instant::now();
    let found = async |now| {
        let found = resolver.resolve("a.test", 80, BOTH, 10 * SECOND, now).await;
        found.unwrap()[0].to_string()
    };
    assert_eq!(found(start).await, "192.0.2.1:80");
    // Nobody waits two seconds while there is an answer to stand in.
    let later = start + 40 * SECOND;
    assert_eq!(found(later).await, "192.0.2.1:80");
    tokio::time::sleep(2 * SECOND).await;
    assert_eq!(found(later + 3 * SECOND).await, "192.0.2.2:80");
    assert_eq!(resolver.lookup.0.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn that_a_name_is_gone_is_an_answer() {
    // CF-398, CF-772
    let resolver = resolver([
        answer(&["192.0.2.1"], 10),
        gone(Some(20 * SECOND)),
        failed(),
        gone(Some(1000 * SECOND)),
        answer(&["192.0.2.2"], 10),
    ]);
    let start = Instant::now();
    let at = |seconds: u32| found(&resolver, start + seconds * SECOND);
    assert_eq!(at(0).await, "192.0.2.1:80");
    let told = at(10).await;
    assert!(told.contains("no such name"), "{told}");
    at(29).await;
    assert_eq!(asked(&resolver), 2);
    // What was known before that does not come back.
    let told = at(30).await;
    assert!(told.contains("SERVFAIL"), "{told}");
    at(31).await;
    at(60).await;
    assert_eq!(asked(&resolver), 4);
    assert_eq!(at(61).await, "192.0.2.2:80");
}

#[tokio::test]
async fn failures_are_asked_again_and_name_the_cause() {
    // CF-772, CF-774, CF-391
    let resolver = resolver([failed(), answer(&[], 10), answer(&["192.0.2.1"], 10)]);
    let now = Instant::now();
    let told = found(&resolver, now).await;
    assert_eq!(told, "cannot resolve origin name `a.test`: SERVFAIL");
    let told = found(&resolver, now).await;
    assert_eq!(
        told,
        "cannot resolve origin name `a.test`: the name has no address"
    );
    assert_eq!(found(&resolver, now + SECOND).await, "192.0.2.1:80");
}

#[tokio::test(start_paused = true)]
async fn a_resolver_that_says_nothing_takes_no_longer_than_it_may() {
    // CF-390, CF-774
    let resolver = resolver([]);
    let found = resolver
        .resolve("a.test", 80, BOTH, SECOND, Instant::now())
        .await;
    assert_eq!(found, Err(OriginFault::ConnectTimeout));
}

#[tokio::test]
async fn requests_wait_for_one_question() {
    // CF-398
    let resolver = resolver([answer(&["192.0.2.1"], 10), failed()]);
    let now = Instant::now();
    let all = tokio::join!(
        found(&resolver, now),
        found(&resolver, now),
        found(&resolver, now)
    );
    assert_eq!(
        [all.0, all.1, all.2],
        ["192.0.2.1:80", "192.0.2.1:80", "192.0.2.1:80"]
    );
    assert_eq!(asked(&resolver), 1);
    // Failures are shared, too.
    let later = now + 1000 * SECOND;
    let all = tokio::join!(found(&resolver, later), found(&resolver, later));
    assert!(all.0.contains("SERVFAIL") && all.0 == all.1, "{all:?}");
    assert_eq!(asked(&resolver), 2);
}

#[tokio::test]
async fn kinds_of_addresses_are_different_questions() {
    // CF-398
    let resolver = resolver([answer(&["192.0.2.1"], 10), answer(&["2001:db8::1"], 10)]);
    let now = Instant::now();
    for (kinds, expected) in [
        (IpAddressType::Ipv4, "192.0.2.1:80"),
        (IpAddressType::Ipv6, "[2001:db8::1]:80"),
        (IpAddressType::Ipv4, "192.0.2.1:80"),
    ] {
        let found = resolver.resolve("a.test", 80, kinds, SECOND, now).await;
        assert_eq!(found, Ok(vec![expected.parse().unwrap()]));
    }
}

#[tokio::test]
async fn addresses_need_no_question() {
    // CF-411
    let resolver = resolver([]);
    let found = resolver
        .resolve("::1", 81, IpAddressType::Ipv4, SECOND, Instant::now())
        .await;
    assert_eq!(found, Ok(vec!["[::1]:81".parse().unwrap()]));
    assert_eq!(asked(&resolver), 0);
}

#[tokio::test]
async fn the_number_of_names_is_bounded() {
    // CF-398
    let resolver = resolver((0..MAX_NAMES + 2).map(|_| answer(&["192.0.2.1"], 10)));
    let now = Instant::now();
    for i in 0..=MAX_NAMES {
        let name = format!("{i}.test");
        resolver
            .resolve(&name, 80, BOTH, SECOND, now)
            .await
            .unwrap();
    }
    let names = || resolver.known.read().unwrap()[BOTH as usize].len();
    assert_eq!(names(), MAX_NAMES);
    resolver
        .resolve("new.test", 80, BOTH, SECOND, now + 10 * SECOND)
        .await
        .unwrap();
    assert_eq!(names(), 1);
}
