use std::collections::BTreeMap;

use pingora_error::{Error, ErrorType};

use super::*;
use crate::resolve::{Answer, Lifetimes, LookupError};

const SECOND: Duration = Duration::from_secs(1);

/// Names whose addresses a test changes; one without addresses is gone.
#[derive(Clone, Default)]
struct Zone(Arc<Mutex<BTreeMap<String, Vec<&'static str>>>>);

impl Zone {
    fn set(&self, name: &str, addresses: &[&'static str]) {
        self.0
            .lock()
            .unwrap()
            .insert(name.to_owned(), addresses.to_vec());
    }
}

impl Lookup for Zone {
    async fn lookup(&self, name: &str, _: IpAddressType) -> Result<Answer, LookupError> {
        let addresses = self.0.lock().unwrap().get(name).cloned();
        match addresses {
            Some(addresses) => Ok(Answer {
                addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
                // The resolver's own bound of a second is all that is left.
                ttl: Duration::ZERO,
            }),
            None => std::future::pending().await,
        }
    }
}

/// Finds down what a test says, and counts.
#[derive(Clone, Default)]
struct Scripted {
    down: Arc<Mutex<BTreeSet<SocketAddr>>>,
    count: Arc<AtomicU32>,
}

impl Scripted {
    fn down(&self, addresses: &[&str]) {
        *self.down.lock().unwrap() = addresses.iter().map(|a| a.parse().unwrap()).collect();
    }
}

#[async_trait]
impl Probe for Scripted {
    async fn check(&self, target: &Backend) -> pingora_error::Result<()> {
        self.count.fetch_add(1, Ordering::Relaxed);
        let address = target.addr.as_inet().unwrap();
        match self.down.lock().unwrap().contains(address) {
            true => Err(Error::new(ErrorType::ConnectRefused)),
            false => Ok(()),
        }
    }

    fn health_threshold(&self, success: bool) -> usize {
        if success { 2 } else { 3 }
    }
}

fn config(members: &[(&str, Option<u16>, u32)], choice: PoolChoice) -> Arc<model::Pool> {
    let member = |(host, port, weight): &(&str, Option<u16>, u32)| model::PoolMember {
        host: (*host).to_owned(),
        port: *port,
        weight: *weight,
    };
    Arc::new(model::Pool {
        members: members.iter().map(member).collect(),
        choice,
        health_check: Some(model::HealthCheck::default()),
        ejection: model::Ejection::default(),
    })
}

fn pool(config: Arc<model::Pool>, zone: &Zone, probe: &Scripted) -> Arc<Pool> {
    let defaults = Defaults {
        port: 80,
        kinds: IpAddressType::Dualstack,
    };
    let resolver = Resolver::new(zone.clone(), Lifetimes::default());
    let probe = Box::new(probe.clone());
    Arc::new(Pool::new(config, defaults, Arc::new(resolver), Some(probe)))
}

/// Two servers by address.
async fn pair(choice: PoolChoice) -> (Arc<Pool>, Scripted) {
    let probe = Scripted::default();
    let members = [("10.0.0.1", None, 1), ("10.0.0.2", Some(81), 1)];
    let pool = pool(config(&members, choice), &Zone::default(), &probe);
    pool.look().await;
    (pool, probe)
}

const ONE: &str = "10.0.0.1:80";
const TWO: &str = "10.0.0.2:81";

async fn chosen(pool: &Arc<Pool>, key: &str, now: Instant) -> Result<Vec<String>, OriginFault> {
    let found = pool.choose(key.as_bytes(), None, SECOND, now).await?;
    Ok(found.iter().map(|s| s.address().to_string()).collect())
}

/// The servers there are, with their weights.
fn servers(pool: &Pool) -> Vec<String> {
    let standings = pool.standings(Instant::now());
    standings
        .iter()
        .map(|s| format!("{} {}", s.address, s.weight))
        .collect()
}

fn states(pool: &Pool, now: Instant) -> Vec<State> {
    pool.standings(now).iter().map(|s| s.state).collect()
}

#[tokio::test]
async fn each_address_of_a_name_is_a_server() {
    // CF-808
    let zone = Zone::default();
    zone.set("a.test", &["192.0.2.1", "192.0.2.2", "2001:db8::1"]);
    zone.set("b.test", &["192.0.2.2"]);
    let members = [
        ("a.test", Some(81), 2),
        ("b.test", Some(81), 3),
        ("10.0.0.1", None, 1),
    ];
    let config = config(&members, PoolChoice::LeastLoaded);
    let pool = pool(config, &zone, &Scripted::default());
    pool.look().await;
    let mut all = servers(&pool);
    all.sort();
    // One that goes by two names is there once, with the weight of both.
    assert_eq!(
        all,
        [
            "10.0.0.1:80 1",
            "192.0.2.1:81 2",
            "192.0.2.2:81 5",
            "[2001:db8::1]:81 2"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn members_that_move_are_followed_and_the_others_keep_what_is_known_of_them() {
    // CF-398, CF-808
    let zone = Zone::default();
    zone.set("a.test", &["192.0.2.1"]);
    zone.set("b.test", &["192.0.2.9"]);
    let members = [("a.test", None, 1), ("b.test", None, 1)];
    let pool = pool(
        config(&members, PoolChoice::LeastLoaded),
        &zone,
        &Scripted::default(),
    );
    pool.look().await;
    let now = Instant::now();
    let all = pool.choose(b"", None, SECOND, now).await.unwrap();
    let stays = all
        .iter()
        .find(|s| s.address().to_string() == "192.0.2.9:80");
    let lease = pool.enter(stays.unwrap().clone());
    zone.set("a.test", &["192.0.2.2"]);
    // The last answer is good for a second.
    tokio::time::advance(SECOND).await;
    pool.look().await;
    assert_eq!(servers(&pool), ["192.0.2.2:80 1", "192.0.2.9:80 1"]);
    let standings = pool.standings(now);
    assert_eq!(standings[1].in_flight, 1);
    drop(lease);
    assert_eq!(pool.standings(now)[1].in_flight, 0);
}

#[tokio::test]
async fn servers_that_probes_find_down_get_nothing() {
    // CF-808
    let (pool, probe) = pair(PoolChoice::LeastLoaded).await;
    let now = Instant::now();
    probe.down(&[ONE]);
    for _ in 0..2 {
        pool.probe().await;
    }
    assert_eq!(
        states(&pool, now),
        [State::Up, State::Up],
        "two are not three"
    );
    pool.probe().await;
    assert_eq!(states(&pool, now), [State::Down, State::Up]);
    for _ in 0..20 {
        assert_eq!(chosen(&pool, "", now).await.unwrap(), [TWO]);
    }
    probe.down(&[]);
    pool.probe().await;
    assert_eq!(states(&pool, now), [State::Down, State::Up]);
    pool.probe().await;
    assert_eq!(chosen(&pool, "", now).await.unwrap().len(), 2);
}

#[tokio::test]
async fn all_down_is_a_connection_that_cannot_be_made() {
    // CF-808, CF-447
    let (pool, probe) = pair(PoolChoice::LeastLoaded).await;
    probe.down(&[ONE, TWO]);
    for _ in 0..3 {
        pool.probe().await;
    }
    let fault = chosen(&pool, "", Instant::now()).await.unwrap_err();
    assert!(matches!(fault, OriginFault::Connect { .. }), "{fault}");
    assert!(fault.to_string().contains("10.0.0.1, 10.0.0.2"), "{fault}");
}

#[tokio::test]
async fn failing_requests_take_a_server_out_unless_it_is_the_last() {
    // CF-808
    let (pool, _) = pair(PoolChoice::LeastLoaded).await;
    let now = Instant::now();
    let all = pool.choose(b"", None, SECOND, now).await.unwrap();
    let lease = |address: &str| {
        let server = all.iter().find(|s| s.address().to_string() == address);
        pool.enter(server.unwrap().clone())
    };
    for _ in 0..3 {
        lease(ONE).failed(now);
    }
    assert_eq!(states(&pool, now), [State::Ejected, State::Up]);
    assert_eq!(chosen(&pool, "", now).await.unwrap(), [TWO]);
    assert_eq!(pool.ejections(), 1);
    for _ in 0..3 {
        lease(TWO).failed(now);
    }
    // Rather both than none.
    assert_eq!(chosen(&pool, "", now).await.unwrap().len(), 2);
    let later = now + 10 * SECOND;
    assert_eq!(states(&pool, later), [State::Up, State::Up]);
    lease(ONE).succeeded(later);
    lease(TWO).failed(later);
    assert_eq!(states(&pool, later), [State::Up, State::Ejected]);
}

#[tokio::test]
async fn one_that_probes_find_up_again_is_not_left_alone_any_longer() {
    // CF-808
    let (pool, probe) = pair(PoolChoice::LeastLoaded).await;
    let now = Instant::now();
    let all = pool.choose(b"", None, SECOND, now).await.unwrap();
    let one = all.iter().find(|s| s.address().to_string() == ONE).unwrap();
    for _ in 0..3 {
        pool.enter(one.clone()).failed(now);
    }
    pool.probe().await;
    assert_eq!(
        states(&pool, now),
        [State::Ejected, State::Up],
        "it was not down"
    );
    probe.down(&[ONE]);
    for _ in 0..3 {
        pool.probe().await;
    }
    probe.down(&[]);
    for state in [State::Down, State::Up] {
        pool.probe().await;
        assert_eq!(states(&pool, now)[0], state);
    }
}

#[tokio::test]
async fn a_server_that_has_just_failed_comes_last() {
    // CF-808, CF-391
    for choice in [PoolChoice::LeastLoaded, PoolChoice::Consistent] {
        let (pool, _) = pair(choice).await;
        for _ in 0..20 {
            let avoid = Some(ONE.parse().unwrap());
            let order = pool.choose(b"/a", avoid, SECOND, Instant::now()).await;
            let last = order.unwrap().last().map(|s| s.address().to_string());
            assert_eq!(last.as_deref(), Some(ONE));
        }
    }
}

#[tokio::test]
async fn the_idle_one_of_two_is_chosen() {
    // CF-808
    let (pool, _) = pair(PoolChoice::LeastLoaded).await;
    let now = Instant::now();
    let first = pool.choose(b"", None, SECOND, now).await.unwrap().remove(0);
    let busy = first.address();
    let _lease = pool.enter(first);
    for _ in 0..20 {
        let next = pool.choose(b"", None, SECOND, now).await.unwrap().remove(0);
        assert_ne!(next.address(), busy);
    }
}

#[tokio::test]
async fn the_consistent_choice_moves_only_what_has_to_move() {
    // CF-808
    let probe = Scripted::default();
    let members = ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map(|host| (host, None, 1));
    let pool = pool(
        config(&members, PoolChoice::Consistent),
        &Zone::default(),
        &probe,
    );
    pool.look().await;
    let now = Instant::now();
    let mut before = Vec::new();
    for key in 0..300 {
        let order = chosen(&pool, &format!("/{key}"), now).await.unwrap();
        assert_eq!(order.len(), 3, "{order:?}");
        assert_eq!(order, chosen(&pool, &format!("/{key}"), now).await.unwrap());
        before.push(order);
    }
    for server in ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"] {
        let share = before.iter().filter(|order| order[0] == server).count();
        assert!((50..=160).contains(&share), "{server}: {share} of 300");
    }
    probe.down(&["10.0.0.2:80"]);
    for _ in 0..3 {
        pool.probe().await;
    }
    for (key, before) in before.iter().enumerate() {
        let order = chosen(&pool, &format!("/{key}"), now).await.unwrap();
        let expected: Vec<_> = before.iter().filter(|s| *s != "10.0.0.2:80").collect();
        assert_eq!(order.iter().collect::<Vec<_>>(), expected, "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_request_waits_for_the_members_and_not_for_ever() {
    // CF-808, CF-390
    let zone = Zone::default();
    let config = config(&[("silent.test", None, 1)], PoolChoice::LeastLoaded);
    let probe = Scripted::default();
    let pool = pool(config, &zone, &probe);
    let task = tokio::spawn(Pool::run(Arc::downgrade(&pool)));
    let now = Instant::now();
    assert_eq!(
        chosen(&pool, "", now).await,
        Err(OriginFault::ConnectTimeout)
    );
    let looking = pool.choose(b"", None, 60 * SECOND, now).await;
    assert!(
        matches!(looking, Err(OriginFault::Dns { .. })),
        "{looking:?}"
    );
    drop(pool);
    tokio::time::timeout(60 * SECOND, task)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn members_are_probed_again_and_again_until_the_pool_is_gone() {
    // CF-808
    let probe = Scripted::default();
    let members = config(&[("10.0.0.1", None, 1)], PoolChoice::LeastLoaded);
    let pool = pool(members, &Zone::default(), &probe);
    let task = tokio::spawn(Pool::run(Arc::downgrade(&pool)));
    tokio::time::sleep(Duration::from_millis(20_500)).await;
    // At once, and every five seconds.
    assert_eq!(probe.count.load(Ordering::Relaxed), 5);
    drop(pool);
    tokio::time::timeout(6 * SECOND, task)
        .await
        .unwrap()
        .unwrap();
}
