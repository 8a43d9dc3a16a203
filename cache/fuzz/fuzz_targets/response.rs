//! Whatever an origin says of caching is decided; freshness only falls, and a viewer's own directives only make the
//! verdict stricter or use what the origin allows.
#![no_main]

use std::time::Duration;

use fourfront_cache::policy::{
    CacheControl, DELTA_SECONDS_CAP, Grace, HOP_BY_HOP, OriginFailure, RequestDirectives,
    Storability, Target, Verdict, decide_store, further_targets, strip_for_storage,
};
use fourfront_cache_fuzz::{Exchange, Input};
use fourfront_model::{CacheMode, CdnCc};
use http::header;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let exchange = Exchange::read(&mut input);
    let cc = CacheControl::of(&exchange.response);
    for seconds in [
        cc.max_age,
        cc.s_maxage,
        cc.stale_while_revalidate,
        cc.stale_if_error,
    ] {
        assert!(seconds.is_none_or(|s| s <= DELTA_SECONDS_CAP));
    }
    let place = Target {
        host: "a.test",
        path: b"/dir/file",
    };
    for path in further_targets(&place, &exchange.response) {
        assert!(path.starts_with(b"/"));
    }
    let asked = RequestDirectives::of(&exchange.request);

    let facts = exchange.response_facts(&exchange.response);
    let decided = decide_store(&exchange.rules(), &exchange.request_facts(), &facts);
    let mut stored = exchange.response.clone();
    strip_for_storage(
        exchange.mode,
        &CdnCc::FIELD,
        exchange.mode == CacheMode::Rfc9111,
        &mut stored,
        exchange.received,
    );
    assert!(
        HOP_BY_HOP
            .iter()
            .chain([&header::AGE])
            .all(|name| !stored.contains_key(name))
    );
    assert!(stored.contains_key(header::DATE));
    if exchange.mode == CacheMode::Rfc9111 {
        assert!(!stored.contains_key(header::SET_COOKIE));
    }

    let Storability::Store(freshness) = decided else {
        return;
    };
    assert_eq!(freshness.received(), exchange.received);
    let _ = (freshness.fresh_until(), freshness.ttl(exchange.requested));
    let (mut now, mut age, mut was_stale) = (exchange.received, freshness.initial_age(), false);
    for step in [0, 1, 59, 3_600, 86_400, 1 << 32, 1 << 40, 1 << 62] {
        let Some(later) = now.checked_add(Duration::from_secs(step)) else {
            break;
        };
        now = later;
        assert!(freshness.current_age(now) >= age);
        age = freshness.current_age(now);
        let verdict = freshness.judge(now);
        assert!(
            !was_stale || verdict != Verdict::Fresh,
            "{freshness:?} is fresh again"
        );
        was_stale = verdict != Verdict::Fresh;
        assert_eq!(
            freshness.ttl(now) > 0,
            age.as_secs() < freshness.lifetime().as_secs()
        );
        let _ = freshness.on_failure(exchange.mode, OriginFailure::Unreachable, now);
        let held = freshness.held_off(now, Duration::from_secs(step));
        assert_eq!(held.judge(now) == Verdict::Fresh, verdict == Verdict::Fresh);
        assert!(freshness.ended(now).judge(now) != Verdict::Fresh);

        let viewers = asked.judge(&freshness, now);
        let accepted = matches!(
            viewers,
            Verdict::Stale {
                grace: Grace::Accepted,
                ..
            }
        );
        assert!(viewers != Verdict::Fresh || verdict == Verdict::Fresh);
        assert!(!accepted || asked.max_stale.is_some());
        if asked.is_empty() {
            assert_eq!(viewers, verdict);
        }
    }
});
