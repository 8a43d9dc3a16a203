use super::*;
use crate::{RELEASES, ReleaseDraft};

fn deploy(
    store: &Store,
    id: &str,
    stack: &str,
    changes: Vec<Change>,
) -> Result<Committed, WriteError> {
    store.write(Batch {
        release: Some(ReleaseDraft {
            id: id.into(),
            stack: stack.into(),
            message: "said".into(),
        }),
        ..batch(changes)
    })
}

#[test]
fn a_release_is_activated_again_in_one_write() {
    // CP-513, CP-609: a release is one write, and can be activated again whole, deletions too.
    let mut store = Temporary::new();
    put(&store, Kind::CachePolicy, "old", "{}");
    // As the user sent it: members in no order, a number that floating point would change.
    let sent = "{\"b\": 1.10, \"a\":1e400 }";
    let first = deploy(
        &store,
        "r1",
        "app",
        vec![
            change(Kind::Distribution, "D", Expected::Absent, Some(sent)),
            change(Kind::CachePolicy, "old", Expected::Any, None),
        ],
    )
    .unwrap();
    deploy(
        &store,
        "r2",
        "app",
        vec![
            change(Kind::Distribution, "D", Expected::Any, Some("2")),
            change(Kind::CachePolicy, "old", Expected::Absent, Some("back")),
        ],
    )
    .unwrap();
    store.reopen();
    let release = store.release("r1").unwrap().unwrap();
    assert_eq!(release.members[0].revision, first.revisions[0]);
    assert_eq!(
        (&*release.message, &*release.author, release.created),
        ("said", "FFTEST", NOW)
    );
    let back = deploy(&store, "r3", "app", release.changes()).unwrap();
    assert_eq!(body(&store, &Kind::Distribution, "D").unwrap(), sent);
    assert!(store.get(&Kind::CachePolicy, "old").is_none());
    assert_eq!(
        store.get(&Kind::Release, "r3").unwrap().revision,
        back.release.unwrap()
    );
    let ids: Vec<String> = store
        .releases(Some("app"))
        .iter()
        .map(|(_, release)| release.id.to_string())
        .collect();
    assert_eq!(ids, ["r3", "r2", "r1"]);
    assert_eq!(store.release("absent").unwrap(), None);
}

#[test]
fn old_releases_of_the_stack_go() {
    // CP-609: the last sixteen of each stack.
    let store = Temporary::new();
    deploy(&store, "other", "other", vec![]).unwrap();
    for n in 0..20 {
        let body = n.to_string();
        let change = change(Kind::Site, "s", Expected::Any, Some(&body));
        deploy(&store, &format!("r{n}"), "app", vec![change]).unwrap();
    }
    let ids: Vec<String> = store
        .releases(Some("app"))
        .iter()
        .map(|(_, release)| release.id.to_string())
        .collect();
    assert_eq!(ids.len(), RELEASES);
    assert_eq!((ids[0].as_str(), ids[RELEASES - 1].as_str()), ("r19", "r4"));
    assert_eq!(store.releases(None).len(), RELEASES + 1);
}

#[test]
fn a_release_that_is_refused_writes_no_member() {
    // CP-513: what cannot be a release leaves nothing.
    let store = Temporary::new();
    deploy(&store, "r", "app", vec![]).unwrap();
    let member = || change(Kind::Site, "s", Expected::Any, Some("1"));
    assert!(matches!(
        deploy(&store, "r", "app", vec![member()]),
        Err(WriteError::Conflict { .. })
    ));
    let binary = Change {
        body: Some(Bytes::from_static(&[0xff])),
        ..member()
    };
    assert!(matches!(
        deploy(&store, "r2", "app", vec![binary]),
        Err(WriteError::NotText { .. })
    ));
    let conflict = change(Kind::Site, "t", Expected::Revision(1), Some("1"));
    assert!(matches!(
        deploy(&store, "r2", "app", vec![member(), conflict]),
        Err(WriteError::Conflict { .. })
    ));
    assert!(store.get(&Kind::Site, "s").is_none());
    assert_eq!(store.releases(None).len(), 1);
}
