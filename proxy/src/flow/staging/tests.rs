use std::time::Duration;

use super::*;

const SESSIONS: Sessions = Sessions {
    idle: 300,
    maximum: 1000,
};
const BEGAN: u64 = 1_700_000_000;

fn rule(traffic: Traffic) -> StagingRule {
    StagingRule {
        policy: "p".into(),
        staging: "S".into(),
        traffic,
        sessions_since: 7,
    }
}

fn weight(weight: f64, sessions: Option<Sessions>) -> StagingRule {
    rule(Traffic::Weight {
        share: Share::of(weight).unwrap(),
        sessions,
    })
}

fn with(name: &'static str, values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(name, value.parse().unwrap());
    }
    headers
}

fn decide(
    rule: &StagingRule,
    headers: &HeaderMap,
    after: u64,
    key: &SessionKey,
    draw: fn() -> u32,
) -> Decision {
    let asked = Asked {
        rule,
        primary: "P",
        headers,
        is_https: false,
        now: UNIX_EPOCH + Duration::from_secs(BEGAN + after),
    };
    asked.decide(Some(key), draw)
}

/// What a viewer sends back of a cookie that was set.
fn sent(decision: &Decision) -> HeaderMap {
    let set = decision.cookie.as_ref().unwrap().to_str().unwrap();
    let pair = set.split(';').next().unwrap();
    with("cookie", &[&format!("a=b; {pair}; c=d")])
}

const LOW: fn() -> u32 = || 0;
const HIGH: fn() -> u32 = || Share::WHOLE - 1;
const NEVER: fn() -> u32 = || panic!("nothing is drawn");

#[test]
fn the_header_decides_by_its_one_exact_value() {
    // CF-452
    let key = SessionKey::random();
    let rule = rule(Traffic::Header {
        name: "aws-cf-cd-trial".parse().unwrap(),
        value: "yes".into(),
    });
    for (values, staged) in [
        (&["yes"][..], true),
        (&["Yes"], false),
        (&["yes "], true),
        (&["yes, yes"], false),
        (&["yes", "yes"], false),
        (&["no", "yes"], false),
        (&[], false),
    ] {
        let values: Vec<_> = values.iter().map(|v| v.trim()).collect();
        let decision = decide(&rule, &with("aws-cf-cd-trial", &values), 0, &key, NEVER);
        assert_eq!(
            (decision.staged, decision.by, decision.sticky),
            (staged, By::Header, false),
            "{values:?}"
        );
        assert_eq!(decision.cookie, None);
    }
}

#[test]
fn each_request_is_drawn_without_sessions() {
    // CF-453
    let key = SessionKey::random();
    let none = HeaderMap::new();
    for (share, draw, staged) in [
        (0.0, LOW, false),
        (0.15, LOW, true),
        (0.15, || 149_999, true),
        (0.15, || 150_000, false),
        (1.0, HIGH, true),
    ] {
        let decision = decide(&weight(share, None), &none, 0, &key, draw);
        assert_eq!(
            (decision.staged, decision.by),
            (staged, By::Weight),
            "{share}"
        );
        assert_eq!((decision.sticky, decision.cookie), (false, None));
    }
    let draws = (0..20_000).filter(|_| draw() < 150_000).count();
    // The chance to be outside is below one in a billion.
    assert!((2_680..3_320).contains(&draws), "{draws} of 20000");
}

#[test]
fn a_session_stays_where_it_began_until_it_ends() {
    // CF-454
    let key = SessionKey::random();
    let half = weight(0.5, Some(SESSIONS));
    for (first, other) in [(LOW, HIGH), (HIGH, LOW)] {
        let began = decide(&half, &HeaderMap::new(), 0, &key, first);
        assert!(began.sticky && began.by == By::Weight);
        let staged = began.staged;
        let set = began.cookie.as_ref().unwrap().to_str().unwrap();
        assert!(
            set.ends_with("; Path=/; Max-Age=300; HttpOnly") && set.starts_with("FFCDSession="),
            "{set}"
        );
        // In the same second nothing is said again.
        let again = decide(&half, &sent(&began), 0, &key, NEVER);
        assert_eq!(
            (again.staged, again.by, &again.cookie),
            (staged, By::Session, &None)
        );
        // Not idle for long enough, each time: until the session is as old as it gets.
        let mut cookie = sent(&began);
        for after in [299, 598, 897] {
            let next = decide(&half, &cookie, after, &key, NEVER);
            assert_eq!((next.staged, next.by), (staged, By::Session), "{after}");
            let set = next.cookie.as_ref().unwrap().to_str().unwrap();
            let rest = 300.min(1000 - after);
            assert!(set.contains(&format!("; Max-Age={rest};")), "{set}");
            cookie = sent(&next);
        }
        let over = decide(&half, &cookie, 1000, &key, other);
        assert_eq!((over.staged, over.by), (!staged, By::Weight));
        // Idle.
        let idle = decide(&half, &sent(&began), 300, &key, other);
        assert_eq!((idle.staged, idle.by), (!staged, By::Weight));
    }
}

#[test]
fn a_session_of_something_else_is_none() {
    // CF-454
    let key = SessionKey::random();
    let half = weight(0.5, Some(SESSIONS));
    let began = decide(&half, &HeaderMap::new(), 0, &key, LOW);
    let cookie = sent(&began);
    let by = |rule: &StagingRule, headers: &HeaderMap, key: &SessionKey| {
        decide(rule, headers, 1, key, HIGH).by
    };
    assert_eq!(by(&half, &cookie, &key), By::Session);
    // Another weight changes no session.
    assert_eq!(by(&weight(0.1, Some(SESSIONS)), &cookie, &key), By::Session);
    let others = [
        StagingRule {
            sessions_since: 8,
            ..half.clone()
        },
        StagingRule {
            policy: "q".into(),
            ..half.clone()
        },
        StagingRule {
            staging: "T".into(),
            ..half.clone()
        },
        weight(
            0.5,
            Some(Sessions {
                idle: 301,
                ..SESSIONS
            }),
        ),
    ];
    for other in others {
        assert_eq!(by(&other, &cookie, &key), By::Weight, "{other:?}");
    }
    assert_eq!(by(&half, &cookie, &SessionKey::random()), By::Weight);
}

#[test]
fn nobody_chooses_a_session() {
    // CF-454
    let key = SessionKey::random();
    let half = weight(0.5, Some(SESSIONS));
    let began = decide(&half, &HeaderMap::new(), 0, &key, HIGH);
    assert!(!began.staged);
    let cookie = sent(&began);
    let text = cookie["cookie"].to_str().unwrap();
    let pair = text.split("; ").nth(1).unwrap();
    let (name, value) = pair.split_once('=').unwrap();
    let mut altered: Vec<String> = vec![
        value.replacen('p', "s", 1),
        value.replacen("p.", "p.f", 1),
        value[..value.len() - 1].to_owned(),
        format!("{value}A"),
        format!("{value}.x"),
        "s.0.0.".into(),
        String::new(),
        "s".into(),
    ];
    // Every character of it, as another one.
    altered.extend((0..value.len()).map(|at| {
        let mut bytes = value.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    }));
    for value in altered {
        let headers = with("cookie", &[&format!("{name}={value}")]);
        let decision = decide(&half, &headers, 1, &key, HIGH);
        assert_eq!(
            (decision.by, decision.staged),
            (By::Weight, false),
            "{value}"
        );
    }
    // A forged one beside it takes nothing away.
    let both = with("cookie", &[&format!("{name}=s.0.0.AAAA"), text]);
    assert_eq!(decide(&half, &both, 1, &key, NEVER).by, By::Session);
}

#[test]
fn the_cookie_of_a_session_goes_no_further() {
    // CF-195
    let left = |lines: &[&str]| {
        let kept = without_session(&with("cookie", lines))?;
        Some(
            kept.iter()
                .map(|v| v.to_str().unwrap().to_owned())
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(left(&[]), None);
    assert_eq!(
        left(&["a=b; XFFCDSession=1", "FFCDSessions=2; FFCDSession"]),
        None
    );
    assert_eq!(left(&["FFCDSession=x"]), Some(vec![]));
    assert_eq!(
        left(&["a=b; FFCDSession=x;c=d", "FFCDSession=", "e=\"f\""]),
        Some(vec!["a=b; c=d".into(), "e=\"f\"".into()])
    );
}

#[test]
fn the_key_is_kept_and_for_nobody_else() {
    // CF-454
    use std::os::unix::fs::PermissionsExt as _;

    let dir = tempfile::tempdir().unwrap();
    let directory = dir.path().join("data");
    let first = SessionKey::open(&directory).unwrap();
    assert_eq!(SessionKey::open(&directory).unwrap().0, first.0);
    let path = directory.join("sessions.key");
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    fs::write(&path, b"short").unwrap();
    assert!(SessionKey::open(&directory).is_err());
}
