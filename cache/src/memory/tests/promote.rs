//! What an older tier gives, and what is passed on without being kept.

use super::*;

/// As [`MemoryTier::promote`] is called, with a body of its version.
fn promote(
    tier: &MemoryTier<Head>,
    ticket: Ticket,
    version: u32,
) -> Result<Arc<Object<Head>>, Head> {
    let body = format!("promoted {version}");
    tier.promote(ticket, key(1), head(version), body.into())
}

fn promoted(version: u32) -> Option<(u32, Vec<u8>)> {
    Some((version, format!("promoted {version}").into_bytes()))
}

#[test]
fn a_promoted_object_answers_in_segments() {
    // CF-532
    let tier = tier();
    let body = Bytes::from(pattern(10 * KIB + 7));
    let ticket = tier.ticket(&key(1));
    let object = tier.promote(ticket, key(1), head(1), body.clone()).unwrap();
    assert_eq!(found(&tier, key(1)), Some((1, body.to_vec())));
    let lengths: Vec<_> = object.body().read().map(|b| b.len()).collect();
    assert_eq!(lengths, [4 * KIB, 4 * KIB, 2 * KIB + 7]);
    tier.settle();
    let weight = 100 + body.len() as u64 + object::ENTRY_OVERHEAD;
    assert_eq!((tier.entry_count(), tier.weighed_bytes()), (1, weight));
    assert_eq!(tier.filling_bytes(), 0);
    // An empty body and one of exactly a segment.
    for (n, len) in [(2, 0), (3, 4 * KIB), (4, 8 * KIB)] {
        let ticket = tier.ticket(&key(n));
        let body = pattern(len);
        let object = tier.promote(ticket, key(n), head(1), body.clone().into());
        assert_eq!(object.unwrap().body().read().count(), len / (4 * KIB));
        assert_eq!(found(&tier, key(n)), Some((1, body)));
    }
}

#[test]
fn a_body_that_is_kept_holds_nothing_but_itself() {
    // CF-221: what it weighs is what it takes.
    let tier = MemoryTier::new(MemoryLimits::of_capacity(1024 * 1024)).unwrap();
    for (n, len) in [(1, KIB), (2, 100 * KIB)] {
        let record = Bytes::from(pattern(KIB + len));
        let body = record.slice(KIB..);
        let ticket = tier.ticket(&key(n));
        let object = tier.promote(ticket, key(n), head(1), body.clone()).unwrap();
        let kept = object.body().contiguous().unwrap();
        assert_eq!(*kept, body);
        assert_ne!(kept.as_ptr(), body.as_ptr());
    }
}

#[test]
fn of_two_that_promote_at_once_both_get_the_first_ones_object() {
    let tier = tier();
    let (first, second) = (tier.ticket(&key(1)), tier.ticket(&key(1)));
    let object = promote(&tier, first, 1).unwrap();
    let same = promote(&tier, second, 2).unwrap();
    assert!(Arc::ptr_eq(&object, &same));
    assert_eq!(found(&tier, key(1)), promoted(1));
}

#[test]
fn a_promotion_loses_against_a_fill_that_is_under_way() {
    // CF-259, CF-407
    let tier = tier();
    let before = tier.ticket(&key(1));
    let fill = tier.begin_fill(key(1), head(1), None).unwrap();
    let during = tier.ticket(&key(1));
    assert_eq!(promote(&tier, before, 2).unwrap_err(), head(2));
    assert_eq!(promote(&tier, during, 3).unwrap_err(), head(3));
    assert_eq!(follow(&tier, key(1)).head().version, 1);
    // A fill that came to nothing has changed nothing.
    drop(fill);
    promote(&tier, before, 4).unwrap();
    assert_eq!(found(&tier, key(1)), promoted(4));
}

#[test]
fn a_promotion_loses_against_whatever_happened_since_its_ticket() {
    // CF-282, CF-802
    let tier = tier();
    let ticket = tier.ticket(&key(1));
    store(&tier, key(1), 1, b"fetched");
    assert!(promote(&tier, ticket, 2).is_err());
    assert_eq!(found(&tier, key(1)), Some((1, b"fetched".to_vec())));

    let ticket = tier.ticket(&key(1));
    tier.update_head(&key(1), |_| Some(head(3))).unwrap();
    assert!(promote(&tier, ticket, 4).is_err());
    assert_eq!(found(&tier, key(1)), Some((3, b"fetched".to_vec())));

    let ticket = tier.ticket(&key(1));
    assert!(tier.remove(&key(1)));
    assert!(promote(&tier, ticket, 5).is_err());
    // Nor when there was nothing to remove: what the older tier had was meant, too.
    let ticket = tier.ticket(&key(1));
    assert!(!tier.remove(&key(1)));
    assert!(promote(&tier, ticket, 6).is_err());
    assert!(matches!(tier.lookup(&key(1)), Lookup::Absent));

    // A refresh that was not carried out is no change.
    let ticket = tier.ticket(&key(1));
    assert!(tier.update_head(&key(1), |_| Some(head(7))).is_none());
    promote(&tier, ticket, 8).unwrap();
    let ticket = tier.ticket(&key(1));
    assert!(tier.update_head(&key(1), |_| None).is_none());
    promote(&tier, ticket, 9).unwrap();
    assert_eq!(found(&tier, key(1)), promoted(8));
}

#[test]
fn what_happens_to_keys_of_other_shards_is_no_change() {
    let tier = tier();
    let ticket = tier.ticket(&key(1));
    for n in (0..=u8::MAX).filter(|n| usize::from(*n) % SHARDS != 1) {
        store(&tier, key(n), 1, b"other");
        tier.remove(&key(n));
    }
    assert!(promote(&tier, ticket, 1).is_ok());
}

#[test]
fn what_is_too_large_for_memory_is_not_promoted() {
    // CF-221
    let limits = MemoryLimits::of_capacity(8 * 64 * 1024);
    let tier = MemoryTier::new(limits).unwrap();
    let promote = |n, len, weight| {
        let head = Head { version: 1, weight };
        tier.promote(tier.ticket(&key(n)), key(n), head, pattern(len).into())
    };
    assert!(promote(1, 64 * KIB + 1, 100).is_err());
    assert!(promote(2, 1, 8 * 64 * KIB).is_err());
    assert!(matches!(tier.lookup(&key(1)), Lookup::Absent));
    assert!(promote(1, 64 * KIB, 100).is_ok());
}

#[test]
fn a_promoted_object_is_refreshed_and_replaced_like_any_other() {
    // CF-282, CF-404
    let tier = tier();
    let object = promote(&tier, tier.ticket(&key(1)), 1).unwrap();
    let refreshed = tier.replace_head(&key(1), &object, head(2)).unwrap();
    assert!(refreshed.has_body_of(&object));
    let fill = tier.begin_fill(key(1), head(3), None).unwrap();
    assert_eq!(follow(&tier, key(1)).head().version, 3);
    drop(fill);
    assert_eq!(found(&tier, key(1)).unwrap().0, 2);
    // Another promotion of the same bytes is another object.
    tier.remove(&key(1));
    let again = promote(&tier, tier.ticket(&key(1)), 1).unwrap();
    assert!(!again.has_body_of(&object));
    assert!(tier.replace_head(&key(1), &object, head(4)).is_none());
}

#[test]
fn a_relay_serves_the_readers_it_has_and_nobody_else() {
    // CF-221, CF-617
    let tier = tier();
    store(&tier, key(1), 1, b"old");
    let ticket = tier.ticket(&key(1));
    let mut relay = tier.begin_relay(key(1), head(2), Some(6), Refusal::TooLarge);
    let mut reader = relay.reader();
    assert_eq!(reader.head().version, 2);
    assert_eq!(reader.complete_len(), Some(6));
    assert_eq!(relay.keeping(), Err(Refusal::TooLarge));
    // What is stored goes on answering, and others may fill and promote.
    assert_eq!(found(&tier, key(1)), Some((1, b"old".to_vec())));
    relay.append(Bytes::from_static(b"abc")).unwrap();
    assert!(promote(&tier, ticket, 3).is_ok());
    let fill = tier.begin_fill(key(1), head(4), None).unwrap();
    relay.append(Bytes::from_static(b"def")).unwrap();
    assert_eq!(follow(&tier, key(1)).head().version, 4);
    assert!(matches!(
        relay.finish().unwrap(),
        Filled::NotStored(Refusal::TooLarge)
    ));
    assert_eq!(drain(&mut reader), (b"abcdef".to_vec(), Some(Ok(()))));
    // Its end leaves the fill alone.
    assert_eq!(follow(&tier, key(1)).head().version, 4);
    drop(fill);
    assert_eq!(found(&tier, key(1)), Some((1, b"old".to_vec())));
    assert_eq!(tier.filling_bytes(), 0);
}

#[test]
fn a_relay_holds_no_more_than_its_window_and_counts_it() {
    // CF-617
    let limits = MemoryLimits {
        relay_window: 20 * KIB as u64,
        ..limits()
    };
    let tier = MemoryTier::new(limits).unwrap();
    let mut relay = tier.begin_relay(key(1), head(1), None, Refusal::TooLarge);
    // Announced bytes are not held ready, and without readers nothing is.
    relay.append(pattern(8 * KIB).into()).unwrap();
    assert_eq!((tier.filling_bytes(), relay.chunks_held()), (0, 0));
    let mut reader = relay.reader();
    reader.seek(8 * KIB as u64..u64::MAX);
    for _ in 0..2 {
        relay.append(pattern(8 * KIB).into()).unwrap();
    }
    assert_eq!(tier.filling_bytes(), 16 * KIB as u64);
    assert_eq!(drain(&mut reader).0.len(), 16 * KIB);
    for _ in 0..3 {
        relay.append(pattern(8 * KIB).into()).unwrap();
    }
    assert!(tier.filling_bytes() <= limits.relay_window);
    assert_eq!(drain(&mut reader).1, Some(Err(ReadError::Lagged)));
    drop(relay);
    assert_eq!(tier.filling_bytes(), 0);
}

#[test]
fn a_relay_of_another_length_than_announced_is_aborted() {
    // CF-222
    let tier = tier();
    let mut relay = tier.begin_relay(key(1), head(1), Some(2), Refusal::TooLarge);
    let mut reader = relay.reader();
    assert!(relay.append(Bytes::from_static(b"abc")).is_err());
    assert_eq!(drain(&mut reader), (vec![], Some(Err(ReadError::Aborted))));
    let mut relay = tier.begin_relay(key(1), head(1), Some(2), Refusal::TooLarge);
    let mut reader = relay.reader();
    relay.append(Bytes::from_static(b"a")).unwrap();
    assert!(relay.finish().is_err());
    assert_eq!(
        drain(&mut reader),
        (b"a".to_vec(), Some(Err(ReadError::Aborted)))
    );
}

/// Bodies name the version of their source, which only grows, as a purge and a new fetch make it grow.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_promotion_brings_back_what_was_removed_before_it_was_looked_up() {
    // CF-802
    let tier = tier();
    let source = Arc::new(AtomicU64::new(1));
    let mut workers = JoinSet::new();
    for worker in 0..4 {
        let (tier, source) = (tier.clone(), source.clone());
        workers.spawn(async move {
            for step in 0..3_000_u32 {
                if worker == 0 {
                    // Purges: the older tier has another version, then memory lets go.
                    let now = source.fetch_add(1, Ordering::SeqCst) + 1;
                    tier.remove(&key(1));
                    if let Some((version, _)) = found(&tier, key(1)) {
                        assert!(u64::from(version) >= now, "{version} after {now}");
                    }
                } else {
                    let ticket = tier.ticket(&key(1));
                    let version = u32::try_from(source.load(Ordering::SeqCst)).unwrap();
                    if step % 7 == 0 {
                        tokio::task::yield_now().await;
                    }
                    let _ = tier.promote(ticket, key(1), head(version), Bytes::new());
                }
            }
        });
    }
    workers.join_all().await;
}
