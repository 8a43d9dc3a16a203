//! What stamps, tables and the journal say together; [`kept`] is about what outlives a process, [`changes`] about requests
//! that change what is stored.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use fourfront_model::TagSeparator;
use proptest::prelude::*;

use super::{
    Batch, Cause, CreateError, Created, Invalidation, InvalidationId, Invalidations, Item,
    JournalError, Kept, Limits, Page, Stamp, Standing, TagLimits, Target, journal::FILE, tag_names,
    tags_of,
};

mod changes;
mod kept;

const HEADER: &str = "cache-tag";

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
}

fn batch_of(distribution: &str, items: &[&str], soft: bool, reference: &str, now: u64) -> Batch {
    Batch {
        distribution: distribution.to_owned(),
        items: items.iter().map(|i| Item::parse(i).unwrap()).collect(),
        tag_header: Some(HEADER.to_owned()),
        soft,
        caller_reference: reference.to_owned(),
        created: at(now),
    }
}

/// Invalidations, and a count for their references.
struct World {
    all: Invalidations,
    count: u64,
}

impl World {
    fn new() -> Self {
        Self::within(Limits::default())
    }

    fn within(limits: Limits) -> Self {
        let all = Invalidations::in_memory(limits).unwrap();
        Self { all, count: 0 }
    }

    fn on_disk(directory: &Path, limits: Limits) -> (Self, Kept) {
        let (all, kept) = Invalidations::open(directory, limits).unwrap();
        // References of earlier lives do not come again.
        let count = all.newest().0;
        (Self { all, count }, kept)
    }

    fn create(&mut self, items: &[&str], soft: bool) -> Arc<Invalidation> {
        self.count = self.count.wrapping_add(1);
        let reference = self.count.to_string();
        let batch = batch_of("E1", items, soft, &reference, self.count % 1_000_000);
        match self.all.create(batch).unwrap() {
            Created::New(invalidation) => invalidation,
            Created::Earlier(_) => panic!("a new reference"),
        }
    }

    fn hard(&mut self, item: &str) -> InvalidationId {
        self.create(&[item], false).id
    }

    fn soft(&mut self, item: &str) -> InvalidationId {
        self.create(&[item], true).id
    }

    /// An object whose fetch begins now.
    fn fetch(&self, target: &str, tags: &str) -> Stamp {
        self.fetch_in("E1", target, tags)
    }

    fn fetch_in(&self, distribution: &str, target: &str, tags: &str) -> Stamp {
        let zone = self.all.zone(distribution);
        let now = zone.now();
        let tags = tags_of(HEADER, TagSeparator::Comma, [tags.as_bytes()]);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Stamp::new(
            zone,
            now,
            Target::new(path.as_bytes(), Some(query.as_bytes())),
            tags,
        )
    }
}

#[test]
fn an_invalidation_tells_which_of_its_items_name_an_object() {
    // CP-606, CF-652, CF-658, CF-672
    let mut world = World::new();
    let object = world
        .fetch("/a/b?x=1", "red, Blue")
        .known_as(Target::new(b"/alias", None));
    let items = [
        "/a/b", "/a/b?x=1", "/a/*", "/b*", "#blue", "#green", "/alias",
    ];
    let naming = |invalidation: &Invalidation| -> Vec<String> {
        let items = invalidation.items_naming(&object);
        items.map(ToString::to_string).collect()
    };
    let invalidation = world.create(&items, false);
    assert_eq!(
        naming(&invalidation),
        ["/a/b?x=1", "/a/*", "#blue", "/alias"]
    );
    assert_eq!(naming(&world.create(&["/*"], true)), ["/*"]);
    assert!(naming(&world.create(&["/c"], true)).is_empty());
    // The names that count are the ones that hashes are made of (CF-671).
    let line = [&b"red, a b, Blue,,"[..]];
    assert_eq!(
        tag_names(TagSeparator::Comma, TagLimits::default(), line),
        ["red", "Blue"]
    );
    assert_eq!(tags_of(HEADER, TagSeparator::Comma, line).len(), 2);
}

fn ended(by: InvalidationId) -> Standing {
    Standing::Gone {
        by: Cause::Invalidation(by),
    }
}

fn gone(stamp: &Stamp) -> bool {
    matches!(stamp.standing(), Standing::Gone { .. })
}

#[test]
fn what_an_item_takes_away() {
    // CF-652, CF-653, CF-656, CF-662, CF-671, CF-673
    let rows: &[(&str, &[&str], &[&str])] = &[
        ("/a", &["/a"], &["/a/", "/A", "/ab", "/a?x=1", "/b"]),
        ("/a?x=1", &["/a?x=1"], &["/a", "/a?x=1&y=2", "/a?x=2"]),
        (
            "/a*",
            &["/a", "/a/", "/ab", "/a/b/c", "/a?x=1"],
            &["/A", "/b", "/"],
        ),
        ("/a/*", &["/a/", "/a/b", "/a/?x"], &["/a", "/ab"]),
        ("/a?x*", &["/a?x", "/a?x=1"], &["/a", "/a?y=1"]),
        ("/a*b", &["/a*b"], &["/ab", "/axb"]),
        ("/*", &["/", "/a", "/a/b?c"], &[]),
        ("/", &["/"], &["/a"]),
        ("/%61", &["/a", "/%61"], &["/A"]),
        (
            "#red",
            &["/a #red", "/b #blue,RED", "/c?x #Red"],
            &["/red", "/a #reddish", "/a #blue"],
        ),
    ];
    for (item, taken, left) in rows {
        let mut world = World::new();
        let object = |world: &World, text: &str| {
            let (target, tags) = text.split_once(" #").unwrap_or((text, ""));
            world.fetch(target, tags)
        };
        let taken: Vec<_> = taken.iter().map(|o| object(&world, o)).collect();
        let left: Vec<_> = left.iter().map(|o| object(&world, o)).collect();
        let elsewhere = world.fetch_in("E2", "/a", "red");
        let id = world.hard(item);
        for stamp in &taken {
            assert_eq!(stamp.standing(), ended(id), "{item} {stamp:?}");
        }
        for stamp in left.iter().chain([&elsewhere]) {
            assert_eq!(stamp.standing(), Standing::Valid, "{item} {stamp:?}");
            // The look-up is remembered.
            assert!(stamp.is_current());
        }
    }
}

#[test]
fn a_fetch_counts_from_its_beginning() {
    // CF-660, CP-144
    let mut world = World::new();
    let before = world.fetch("/a", "");
    world.hard("/a");
    let after = world.fetch("/a", "");
    assert!(gone(&before) && !gone(&after));
    world.hard("/b");
    assert!(gone(&before) && !gone(&after));
    world.hard("/a");
    assert!(gone(&after));
}

#[test]
fn prefixes_of_prefixes_are_all_found() {
    // CF-652
    let mut world = World::new();
    let object = world.fetch("/a/b/c/d", "");
    for other in [
        "/a/b/c/d/e*",
        "/a/b/c/x*",
        "/a/bb*",
        "/a/b/c/d0*",
        "/b*",
        "/a/b/c/D*",
    ] {
        world.hard(other);
        assert!(!gone(&object), "{other}");
    }
    // An older and shorter one is not hidden by newer and longer ones that lie between.
    let short = world.fetch("/a/b/c/d", "");
    world.hard("/a*");
    world.soft("/a/b*");
    world.hard("/a/b/c/c*");
    assert!(gone(&short));
}

#[test]
fn soft_makes_stale_once_and_hard_ends() {
    // CF-660
    let mut world = World::new();
    let object = world.fetch("/a", "t");
    let by = world.soft("#t");
    let since = at(1);
    assert_eq!(object.standing(), Standing::Stale { since, by });
    // Others change nothing, nor does a second one: the object has been stale since the first.
    world.soft("/b");
    assert_eq!(object.standing(), Standing::Stale { since, by });
    world.soft("/a");
    assert_eq!(object.standing(), Standing::Stale { since, by });
    // A copy, as a new head gets it, is no less stale.
    assert_eq!(object.clone().standing(), Standing::Stale { since, by });
    // What is fetched now is not.
    assert_eq!(world.fetch("/a", "t").standing(), Standing::Valid);
    let by = world.hard("/a");
    assert_eq!(object.standing(), ended(by));
    world.hard("/c");
    assert_eq!(object.standing(), ended(by));
    // Both between two looks.
    let object = world.fetch("/a", "t");
    let by = world.hard("/a");
    world.soft("/a");
    assert_eq!(object.standing(), ended(by));
}

#[test]
fn softly_everything() {
    // CF-662
    let mut world = World::new();
    let object = world.fetch("/a", "");
    world.soft("/*");
    assert!(matches!(object.standing(), Standing::Stale { .. }));
    assert_eq!(world.fetch("/a", "").standing(), Standing::Valid);
}

#[test]
fn one_batch_may_name_anything() {
    // CF-650, CF-672
    let mut world = World::new();
    let objects = ["/a", "/b/1", "/c"].map(|t| world.fetch(t, if t == "/c" { "t" } else { "" }));
    let other = world.fetch("/d", "");
    world.create(&["/a", "/b/*", "#t"], false);
    assert!(objects.iter().all(gone) && !gone(&other));
}

#[test]
fn what_viewers_called_it_counts_as_its_name() {
    // CF-658
    let mut world = World::new();
    let alias = |path: &str| Target::new(path.as_bytes(), None);
    let object = world.fetch("/en/a", "").known_as(alias("/a"));
    world.hard("/a");
    assert!(gone(&object));
    // A refresh for another viewer keeps the name, and names do not add up without end.
    let mut object = world.fetch("/en/a", "").known_as(alias("/a"));
    for i in 0..2 {
        let refreshed = world.fetch("/en/a", "").known_as(alias(&format!("/{i}")));
        object = refreshed.known_as_is(&object);
    }
    let names: Vec<_> = object.targets().iter().map(Target::as_str).collect();
    assert_eq!(names, ["/en/a", "/a", "/0", "/1"]);
    let refreshed = world.fetch("/en/a", "").known_as(alias("/2"));
    let names = refreshed.known_as_is(&object);
    let names: Vec<_> = names.targets().iter().map(Target::as_str).collect();
    assert_eq!(names, ["/en/a", "/0", "/1", "/2"]);
}

#[test]
fn tags_of_another_field_are_not_evaluated() {
    // CF-674
    let mut world = World::new();
    let object = world.fetch("/a", "t");
    world.count += 1;
    let batch = Batch {
        tag_header: Some("surrogate-key".to_owned()),
        ..batch_of("E1", &["#t"], false, "other", 0)
    };
    world.all.create(batch.clone()).unwrap();
    assert!(!gone(&object));
    let none = Batch {
        tag_header: None,
        caller_reference: "none".to_owned(),
        ..batch
    };
    // CP-141
    assert!(matches!(
        world.all.create(none),
        Err(CreateError::NoTags { .. })
    ));
}

#[test]
fn a_reference_stands_for_one_batch() {
    // CF-650, CP-142
    let world = World::new();
    let create = |items: &[&str], soft, reference: &str| {
        world.all.create(batch_of("E1", items, soft, reference, 0))
    };
    let Created::New(first) = create(&["/a", "/b"], false, "r").unwrap() else {
        panic!("a new one")
    };
    let object = world.fetch("/a", "");
    assert_eq!(
        create(&["/b", "/%61"], false, "r").unwrap(),
        Created::Earlier(first.clone())
    );
    assert!(!gone(&object));
    for (items, soft) in [(&["/a"][..], false), (&["/a", "/b"][..], true)] {
        let Err(CreateError::ReferenceUsed { id, .. }) = create(items, soft, "r") else {
            panic!("{items:?}")
        };
        assert_eq!(id, first.id);
    }
    // Another distribution has references of its own.
    let other = world.all.create(batch_of("E2", &["/z"], false, "r", 0));
    assert!(matches!(other.unwrap(), Created::New(_)));
    // CP-140
    assert!(matches!(create(&[], false, "s"), Err(CreateError::Empty)));
}

#[test]
fn the_history_is_listed_newest_first_and_is_bounded() {
    // CP-142, CP-048
    let limits = Limits {
        history: 5,
        ..Limits::default()
    };
    let mut world = World::within(limits);
    let mut ids: Vec<_> = (0..7).map(|i| world.hard(&format!("/{i}"))).collect();
    ids.reverse();
    let listed = |page: &Page| page.invalidations.iter().map(|i| i.id).collect::<Vec<_>>();
    let page = world.all.list("E1", None, 3);
    assert_eq!((listed(&page), page.more), (ids[..3].to_vec(), true));
    let page = world.all.list("E1", Some(ids[2].as_str()), 3);
    assert_eq!((listed(&page), page.more), (ids[3..5].to_vec(), false));
    assert_eq!(world.all.list("E2", None, 3), Page::default());
    assert!(world.all.get("E1", ids[6].as_str()).is_none());
    assert_eq!(world.all.get("E1", ids[0].as_str()).unwrap().id, ids[0]);
    let shape = |id: &InvalidationId| {
        let text = id.as_str();
        text.len() == 14
            && text.starts_with('I')
            && text
                .bytes()
                .all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
    };
    assert!(ids.iter().all(shape), "{ids:?}");
    let distinct: std::collections::HashSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len());
    // After 90 days.
    world.count += 91 * 24 * 3_600;
    world.count %= 1_000_000_000;
    let batch = batch_of("E1", &["/late"], false, "late", 91 * 24 * 3_600);
    world.all.create(batch).unwrap();
    assert_eq!(world.all.list("E1", None, 10).invalidations.len(), 1);
}

#[test]
fn a_full_table_lets_go_of_the_oldest_and_errs_on_the_safe_side() {
    // CF-662
    let limits = Limits {
        names: 100,
        ..Limits::default()
    };
    let mut world = World::within(limits);
    let object = world.fetch("/object", "");
    let asked_for = world.fetch("/asked-for", "");
    world.hard("/object");
    for i in 0..1_000 {
        world.hard(&format!("/{i}"));
        // Whoever is asked for now and then is confirmed each time.
        assert!(!gone(&asked_for), "{i}");
        assert!(world.all.names() <= 100);
    }
    assert!(gone(&object));
    // Saying the same again takes no room.
    let fresh = world.fetch("/fresh", "");
    for _ in 0..1_000 {
        world.hard("/same");
    }
    assert!(!gone(&fresh));
}

#[test]
fn an_acknowledged_invalidation_holds_in_every_thread() {
    // CF-660, CF-661
    let world = World::new();
    for round in 0..200_u64 {
        let object = world.fetch("/a", "t");
        let acknowledged = AtomicBool::new(false);
        let reference = format!("round {round}");
        let batch = batch_of(
            "E1",
            &[["/a", "/*", "#t", "/b"][(round % 4) as usize]],
            false,
            &reference,
            0,
        );
        // The last kind names something else: then it stays valid.
        let named = round % 4 != 3;
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    loop {
                        let after = acknowledged.load(Ordering::Acquire);
                        let is_gone = gone(&object);
                        assert!(named || !is_gone, "{round}");
                        if after {
                            assert_eq!(is_gone, named, "{round}");
                            return;
                        }
                    }
                });
            }
            world.all.create(batch).unwrap();
            acknowledged.store(true, Ordering::Release);
        });
    }
}

fn encoded(stamp: &Stamp) -> Vec<u8> {
    let mut bytes = Vec::new();
    stamp.encode(&mut bytes);
    bytes
}

/// One step of the model test.
#[derive(Clone, Debug)]
enum Op {
    Fetch { target: usize, tags: u8 },
    Invalidate { items: Vec<usize>, soft: bool },
    Look { object: usize },
    Change { target: usize },
    Restart,
}

const TARGETS: [&str; 8] = ["/", "/a", "/a/", "/a/b", "/a/b?x=1", "/ab", "/b", "/b?x=1"];
const ITEMS: [&str; 14] = [
    "/", "/a", "/a/b", "/a*", "/a/*", "/a/b?*", "/ab*", "/b*", "/b?x=1", "/zz*", "/*", "#t0",
    "#t1", "#t2",
];

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => (0..TARGETS.len(), 0_u8..8).prop_map(|(target, tags)| Op::Fetch { target, tags }),
        3 => (proptest::collection::vec(0..ITEMS.len(), 1..3), any::<bool>())
            .prop_map(|(items, soft)| Op::Invalidate { items, soft }),
        6 => (0_usize..100).prop_map(|object| Op::Look { object }),
        2 => (0..TARGETS.len()).prop_map(|target| Op::Change { target }),
        1 => Just(Op::Restart),
    ];
    proptest::collection::vec(op, 1..80)
}

/// What an object is, to whoever reads the whole list of invalidations each time.
struct Naive {
    target: &'static str,
    tags: u8,
    /// How many there were when its fetch began.
    base: usize,
    stamp: Stamp,
}

impl Naive {
    fn is_named(&self, item: &str) -> bool {
        if let Some(tag) = item.strip_prefix("#t") {
            return self.tags >> tag.parse::<u8>().unwrap() & 1 == 1;
        }
        match item.strip_suffix('*') {
            Some(start) => self.target.starts_with(start),
            None => self.target == item,
        }
    }

    /// 2: gone, 1: stale, 0: valid.
    fn verdict(&self, past: &[(Vec<&str>, bool)]) -> u8 {
        let since = past.iter().skip(self.base);
        let named = since.filter(|(items, _)| items.iter().any(|i| self.is_named(i)));
        named
            .map(|(_, soft)| if *soft { 1 } else { 2 })
            .max()
            .unwrap_or(0)
    }
}

fn class(standing: Standing) -> u8 {
    match standing {
        Standing::Valid => 0,
        Standing::Stale { .. } => 1,
        Standing::Gone { .. } => 2,
    }
}

fn run(ops: Vec<Op>, limits: Limits, exact: bool) -> Result<(), TestCaseError> {
    let dir = tempfile::tempdir().unwrap();
    let (mut world, _) = World::on_disk(dir.path(), limits);
    let mut past: Vec<(Vec<&str>, bool)> = Vec::new();
    let mut objects: Vec<Naive> = Vec::new();
    for op in ops {
        match op {
            Op::Fetch { target, tags } => {
                let names: Vec<_> = (0..3)
                    .filter(|i| tags >> i & 1 == 1)
                    .map(|i| format!("t{i}"))
                    .collect();
                objects.push(Naive {
                    target: TARGETS[target],
                    tags,
                    base: past.len(),
                    stamp: world.fetch(TARGETS[target], &names.join(",")),
                });
            }
            Op::Invalidate { items, soft } => {
                let items: Vec<_> = items.iter().map(|i| ITEMS[*i]).collect();
                world.create(&items, soft);
                past.push((items, soft));
            }
            Op::Look { object } => {
                let count = objects.len();
                if count > 0 {
                    let object = &objects[object % count];
                    let (model, real) = (object.verdict(&past), class(object.stamp.standing()));
                    let agree = if exact { real == model } else { real >= model };
                    prop_assert!(agree, "{real} for {model}: {:?}", object.stamp);
                }
            }
            Op::Change { target } => {
                // As if that path were invalidated (CF-807).
                world.change(TARGETS[target]);
                past.push((vec![TARGETS[target]], false));
            }
            Op::Restart => {
                let kept: Vec<_> = objects.iter().map(|o| encoded(&o.stamp)).collect();
                for object in &mut objects {
                    // Lets go of the journal.
                    object.stamp = World::new().fetch("/", "");
                }
                drop(world);
                let opened = World::on_disk(dir.path(), limits);
                prop_assert_eq!(opened.1, Kept::Whole);
                world = opened.0;
                for (object, bytes) in objects.iter_mut().zip(kept) {
                    object.stamp = Stamp::decode(&bytes, &world.all).unwrap().0;
                }
            }
        }
    }
    for object in &objects {
        let (model, real) = (object.verdict(&past), class(object.stamp.standing()));
        let agree = if exact { real == model } else { real >= model };
        prop_assert!(agree, "{real} for {model}: {:?}", object.stamp);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Tables, generations, changes and what is kept of them say what a scan of all does (CF-652, CF-653, CF-660, CF-673,
    /// CF-807).
    #[test]
    fn stamps_agree_with_a_list_of_all_invalidations(ops in ops()) {
        let limits = Limits { short_journal: 600, ..Limits::default() };
        run(ops, limits, true)?;
    }

    /// A table that lets go of names never lets an object answer that was invalidated (CF-660).
    #[test]
    fn a_small_table_only_takes_more_away(ops in ops()) {
        let limits = Limits { names: 4, short_journal: 600, ..Limits::default() };
        run(ops, limits, false)?;
    }
}
