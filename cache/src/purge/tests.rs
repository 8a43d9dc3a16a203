use std::{
    fs,
    io::Write as _,
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
    Batch, CreateError, Created, Invalidation, InvalidationId, Invalidations, Item, JournalError,
    Kept, Limits, Page, Stamp, Standing, Target, journal::FILE, tags_of,
};

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
            assert_eq!(
                stamp.standing(),
                Standing::Gone { by: id },
                "{item} {stamp:?}"
            );
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
    assert_eq!(object.standing(), Standing::Gone { by });
    world.hard("/c");
    assert_eq!(object.standing(), Standing::Gone { by });
    // Both between two looks.
    let object = world.fetch("/a", "t");
    let by = world.hard("/a");
    world.soft("/a");
    assert_eq!(object.standing(), Standing::Gone { by });
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

fn journal_of(directory: &tempfile::TempDir) -> Vec<u8> {
    fs::read(directory.path().join(FILE)).unwrap()
}

fn encoded(stamp: &Stamp) -> Vec<u8> {
    let mut bytes = Vec::new();
    stamp.encode(&mut bytes);
    bytes
}

/// Of an object on disk.
fn read_back(bytes: &[u8], world: &World) -> Option<Standing> {
    let (stamp, length) = Stamp::decode(bytes, &world.all)?;
    assert_eq!(length, bytes.len());
    Some(stamp.standing())
}

#[test]
fn objects_on_disk_stay_invalidated_over_a_restart() {
    // CF-660, CF-661
    let dir = tempfile::tempdir().unwrap();
    let (mut world, kept) = World::on_disk(dir.path(), Limits::default());
    assert_eq!(kept, Kept::Nothing);
    let path = encoded(&world.fetch("/a", ""));
    let tagged = encoded(&world.fetch("/b?x=1", "t"));
    let left = encoded(&world.fetch("/c", "u").known_as(Target::new(b"/c0", None)));
    let stale = world.fetch("/d", "");
    let ids = [world.hard("/a"), world.hard("#t")];
    let by = world.soft("/d");
    let Standing::Stale { since, .. } = stale.standing() else {
        panic!("stale")
    };
    // One whose fetch was under way, and one that came after.
    let after = encoded(&world.fetch("/a", ""));
    let stale = encoded(&stale);
    drop(world);
    let (mut world, kept) = World::on_disk(dir.path(), Limits::default());
    assert_eq!(kept, Kept::Whole);
    let standing = |bytes, world: &World| read_back(bytes, world).unwrap();
    assert_eq!(standing(&path, &world), Standing::Gone { by: ids[0] });
    assert_eq!(standing(&tagged, &world), Standing::Gone { by: ids[1] });
    assert_eq!(standing(&left, &world), Standing::Valid);
    assert_eq!(standing(&after, &world), Standing::Valid);
    assert_eq!(standing(&stale, &world), Standing::Stale { since, by });
    assert_eq!(world.all.list("E1", None, 10).invalidations.len(), 3);
    let fourth = world.hard("/c0");
    assert_eq!(standing(&left, &world), Standing::Gone { by: fourth });
    // CP-142: references are remembered, too.
    let again = world.all.get("E1", ids[0].as_str()).unwrap().batch.clone();
    assert!(matches!(
        world.all.create(again).unwrap(),
        Created::Earlier(_)
    ));
}

#[test]
fn objects_are_not_believed_beside_another_journal() {
    // CF-660
    let dir = tempfile::tempdir().unwrap();
    let (world, _) = World::on_disk(dir.path(), Limits::default());
    let object = encoded(&world.fetch("/a", ""));
    assert_eq!(read_back(&object, &world), Some(Standing::Valid));
    for cut in 0..object.len() {
        assert!(Stamp::decode(&object[..cut], &world.all).is_none(), "{cut}");
    }
    drop(world);
    fs::remove_file(dir.path().join(FILE)).unwrap();
    let (world, kept) = World::on_disk(dir.path(), Limits::default());
    assert_eq!(kept, Kept::Nothing);
    assert_eq!(read_back(&object, &world), None);
    assert_eq!(read_back(&object, &World::new()), None);
}

#[test]
fn a_journal_cut_anywhere_is_read_up_to_there() {
    // CP-564
    let dir = tempfile::tempdir().unwrap();
    let (mut world, _) = World::on_disk(dir.path(), Limits::default());
    let begin = journal_of(&dir).len();
    let object = encoded(&world.fetch("/a", ""));
    let ids = [world.hard("/x"), world.hard("/a"), world.hard("/y")];
    drop(world);
    let whole = journal_of(&dir);
    let ends: Vec<_> = (0..whole.len()).filter(|i| whole[*i] == b'\n').collect();
    for cut in begin..=whole.len() {
        let other = tempfile::tempdir().unwrap();
        fs::write(other.path().join(FILE), &whole[..cut]).unwrap();
        let (world, kept) = World::on_disk(other.path(), Limits::default());
        // Beside the first line and the one of the start.
        let lines = ends.iter().filter(|e| **e < cut).count() - 1;
        let clean = cut == begin || ends.contains(&(cut - 1));
        assert_eq!(kept, if clean { Kept::Whole } else { Kept::Torn }, "{cut}");
        let listed = world.all.list("E1", None, 10).invalidations;
        assert_eq!(listed.len(), lines - 1, "{cut}");
        let standing = read_back(&object, &world).unwrap();
        assert_eq!(
            standing == Standing::Gone { by: ids[1] },
            lines > 2,
            "{cut}"
        );
        drop(world);
        // What is appended now is read the next time.
        let (mut world, _) = World::on_disk(other.path(), Limits::default());
        world.hard("/z");
        drop(world);
        let (world, kept) = World::on_disk(other.path(), Limits::default());
        assert_eq!(kept, Kept::Whole, "{cut}");
        assert_eq!(world.all.list("E1", None, 10).invalidations.len(), lines);
    }
}

#[test]
fn damage_in_the_middle_ends_the_epoch() {
    // CF-660
    let dir = tempfile::tempdir().unwrap();
    let (mut world, _) = World::on_disk(dir.path(), Limits::default());
    let object = encoded(&world.fetch("/a", ""));
    world.hard("/x");
    world.hard("/a");
    world.hard("/y");
    drop(world);
    let whole = journal_of(&dir);
    let last = whole[..whole.len() - 1]
        .iter()
        .rposition(|b| *b == b'\n')
        .unwrap();
    for place in (0..last).step_by(7) {
        let other = tempfile::tempdir().unwrap();
        let mut damaged = whole.clone();
        damaged[place] ^= 1;
        fs::write(other.path().join(FILE), &damaged).unwrap();
        let (mut world, kept) = World::on_disk(other.path(), Limits::default());
        assert_eq!(kept, Kept::Damaged, "{place}");
        assert_eq!(read_back(&object, &world), None, "{place}");
        let listed = world.all.list("E1", None, 10).invalidations.len();
        assert!((2..=3).contains(&listed), "{place}: {listed}");
        world.hard("/z");
        drop(world);
        let (world, kept) = World::on_disk(other.path(), Limits::default());
        assert_eq!(kept, Kept::Whole, "{place}");
        assert_eq!(
            world.all.list("E1", None, 10).invalidations.len(),
            listed + 1
        );
    }
}

#[test]
fn a_journal_is_for_one_process_and_one_format() {
    let dir = tempfile::tempdir().unwrap();
    let (world, _) = World::on_disk(dir.path(), Limits::default());
    let second = Invalidations::open(dir.path(), Limits::default());
    assert!(matches!(second, Err(JournalError::InUse { .. })));
    drop(world);
    let text = String::from_utf8(journal_of(&dir)).unwrap();
    assert!(text.contains(r#"{"begin":{"version":1,"#), "{text}");
    let file = dir.path().join("plain");
    fs::write(&file, "").unwrap();
    let plain = Invalidations::open(&file, Limits::default());
    assert!(matches!(plain, Err(JournalError::Io { .. })));
}

#[test]
fn a_disk_that_does_not_take_it_is_told_and_made_up_for() {
    // CP-564
    let dir = tempfile::tempdir().unwrap();
    let (mut world, _) = World::on_disk(dir.path(), Limits::default());
    let swap = |world: &World, file| {
        let mut writer = world.all.writer.lock().unwrap();
        writer.journal.as_mut().unwrap().swap_file(file)
    };
    let object = world.fetch("/a", "");
    let on_disk = encoded(&object);
    let full = || {
        fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap()
    };
    let file = swap(&world, full());
    let refused = world.all.create(batch_of("E1", &["/a"], false, "r", 0));
    let Err(CreateError::NotDurable { id, cause }) = refused else {
        panic!("{refused:?}")
    };
    assert!(cause.to_string().contains(FILE), "{cause}");
    // In force all the same.
    assert_eq!(object.standing(), Standing::Gone { by: id });
    swap(&world, file);
    world.hard("/b");
    drop(world);
    let (world, kept) = World::on_disk(dir.path(), Limits::default());
    assert_eq!(kept, Kept::Whole);
    assert_eq!(read_back(&on_disk, &world), Some(Standing::Gone { by: id }));
    // When too much is owed, the journal is written anew as soon as that can be done.
    let file = swap(&world, full());
    drop(file);
    let long = format!("/{}", "x".repeat(3_000));
    let many: Vec<_> = (0..500).map(|i| format!("{long}{i}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let refused = world.all.create(batch_of("E1", &many, false, "many", 0));
    assert!(matches!(refused, Err(CreateError::NotDurable { .. })));
    let taken = world.all.create(batch_of("E1", &["/c"], false, "c", 0));
    assert!(matches!(taken, Ok(Created::New(_))), "{taken:?}");
    drop(world);
    let (world, kept) = World::on_disk(dir.path(), Limits::default());
    assert_eq!(kept, Kept::Whole);
    assert_eq!(world.all.list("E1", None, 10).invalidations.len(), 4);
}

#[test]
fn generations_a_journal_does_not_know_are_not_given_out_again() {
    // CF-660: a process could not write its journal, went on, and ended.
    let dir = tempfile::tempdir().unwrap();
    let (world, _) = World::on_disk(dir.path(), Limits::default());
    {
        let mut writer = world.all.writer.lock().unwrap();
        let full = fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        writer.journal.as_mut().unwrap().swap_file(full);
    }
    let refused = world.all.create(batch_of("E1", &["/x"], false, "r", 0));
    assert!(matches!(refused, Err(CreateError::NotDurable { .. })));
    let object = encoded(&world.fetch("/a", ""));
    drop(world);
    let (mut world, _) = World::on_disk(dir.path(), Limits::default());
    assert_eq!(read_back(&object, &world), None);
    let by = world.hard("/a");
    assert_eq!(read_back(&object, &world), Some(Standing::Gone { by }));
}

#[test]
fn a_long_journal_is_written_anew_and_says_the_same() {
    // CP-142
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits {
        names: 100,
        history: 3,
        short_journal: 4_096,
        ..Limits::default()
    };
    let (mut world, _) = World::on_disk(dir.path(), limits);
    let objects: Vec<_> = (0..6)
        .map(|i| encoded(&world.fetch(&format!("/{i}"), &format!("t{i}"))))
        .collect();
    world.soft("/0");
    world.hard("#t1");
    world.hard("/2*");
    let mut longest = 0;
    for i in 0..300 {
        // The same 20 names, so that nothing is let go of.
        world.hard(&format!("/other/{}", i % 20));
        longest = longest.max(journal_of(&dir).len());
    }
    assert!(longest < 30_000, "{longest}");
    let before: Vec<_> = objects
        .iter()
        .map(|o| read_back(o, &world).unwrap())
        .collect();
    let listed = world.all.list("E1", None, 10);
    drop(world);
    let (world, kept) = World::on_disk(dir.path(), limits);
    assert_eq!(kept, Kept::Whole);
    let after: Vec<_> = objects
        .iter()
        .map(|o| read_back(o, &world).unwrap())
        .collect();
    assert_eq!(before, after);
    assert!(matches!(after[0], Standing::Stale { .. }));
    assert!(matches!(
        after[1..3],
        [Standing::Gone { .. }, Standing::Gone { .. }]
    ));
    assert!(
        after[3..].iter().all(|s| *s == Standing::Valid),
        "{after:?}"
    );
    assert_eq!(world.all.list("E1", None, 10), listed);
    // What a crash leaves of a new file is in nobody's way.
    drop(world);
    let left = dir.path().join("invalidations.journal.new");
    fs::File::create(left).unwrap().write_all(b"half").unwrap();
    let (_, kept) = World::on_disk(dir.path(), limits);
    assert_eq!(kept, Kept::Whole);
}

/// One step of the model test.
#[derive(Clone, Debug)]
enum Op {
    Fetch { target: usize, tags: u8 },
    Invalidate { items: Vec<usize>, soft: bool },
    Look { object: usize },
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

    /// Tables, generations and the journal say what a scan of all invalidations does (CF-652, CF-653, CF-660, CF-673).
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
