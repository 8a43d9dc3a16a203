//! The journal, and objects that outlive a process.

use std::{fs, hash::Hasher as _, io::Write as _};

use siphasher::sip::SipHasher13;

use super::*;
use crate::purge::changes::FILE as TABLE;

fn journal_of(directory: &tempfile::TempDir) -> Vec<u8> {
    fs::read(directory.path().join(FILE)).unwrap()
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
    assert_eq!(standing(&path, &world), ended(ids[0]));
    assert_eq!(standing(&tagged, &world), ended(ids[1]));
    assert_eq!(standing(&left, &world), Standing::Valid);
    assert_eq!(standing(&after, &world), Standing::Valid);
    assert_eq!(standing(&stale, &world), Standing::Stale { since, by });
    assert_eq!(world.all.list("E1", None, 10).invalidations.len(), 3);
    let fourth = world.hard("/c0");
    assert_eq!(standing(&left, &world), ended(fourth));
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
        fs::copy(dir.path().join(TABLE), other.path().join(TABLE)).unwrap();
        let (world, kept) = World::on_disk(other.path(), Limits::default());
        // Beside the first line and the one of the start.
        let lines = ends.iter().filter(|e| **e < cut).count() - 1;
        let clean = cut == begin || ends.contains(&(cut - 1));
        assert_eq!(kept, if clean { Kept::Whole } else { Kept::Torn }, "{cut}");
        let listed = world.all.list("E1", None, 10).invalidations;
        assert_eq!(listed.len(), lines - 1, "{cut}");
        let standing = read_back(&object, &world).unwrap();
        assert_eq!(standing == ended(ids[1]), lines > 2, "{cut}");
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
        fs::copy(dir.path().join(TABLE), other.path().join(TABLE)).unwrap();
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

/// A line with the checksum it ought to have.
fn record(json: &str) -> String {
    let mut hasher = SipHasher13::new();
    hasher.write(json.as_bytes());
    format!("{:016x} {json}\n", hasher.finish())
}

#[test]
fn what_no_process_can_have_written_is_damage() {
    // CF-660, CP-564: the end of the numbers does not end the process, and an invalidation that says nothing that is
    // understood may have been of anything.
    const BATCH: &str = r##"{"batch":{"generation":G,"distribution":"E1","items":["I"],"tag_header":"x","caller_reference":"r","created":C}}"##;
    let batch = |generation: u64, item: &str, created: u64| {
        BATCH
            .replace('G', &generation.to_string())
            .replace('I', item)
            .replace('C', &created.to_string())
    };
    let zone = |current| {
        format!(r#"{{"zone":{{"distribution":"E1","current":{current},"all":[0,0,0]}}}}"#)
    };
    let passed = |generation| format!(r#"{{"passed":{{"generation":{generation}}}}}"#);
    let lines = [
        (batch(7, "/a", 0), Kept::Whole),
        (batch(7, "#t", 0), Kept::Whole),
        (batch(7, "#t,t", 0), Kept::Damaged),
        (batch(u64::MAX, "/a", 0), Kept::Damaged),
        (batch(7, "/a", u64::MAX), Kept::Damaged),
        (zone(7), Kept::Whole),
        (zone(u64::MAX), Kept::Damaged),
        (passed(7), Kept::Whole),
        (passed(u64::MAX), Kept::Damaged),
        (r#"{"later":{}}"#.to_owned(), Kept::Damaged),
        (String::new(), Kept::Damaged),
    ];
    for (line, want) in lines {
        let begin = r#"{"begin":{"version":1,"epoch":5}}"#;
        let whole = [begin, &line, &passed(8)].map(record);
        // Also at the end: it is no line that a crash cut off.
        for lines in [&whole[..2], &whole[..]] {
            let dir = tempfile::tempdir().unwrap();
            drop(World::on_disk(dir.path(), Limits::default()));
            fs::write(dir.path().join(FILE), lines.concat()).unwrap();
            let (mut world, kept) = World::on_disk(dir.path(), Limits::default());
            assert_eq!(kept, want, "{line}");
            assert_eq!(world.all.epoch == 5, want == Kept::Whole, "{line}");
            world.hard("/z");
        }
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
    assert_eq!(object.standing(), ended(id));
    swap(&world, file);
    world.hard("/b");
    drop(world);
    let (world, kept) = World::on_disk(dir.path(), Limits::default());
    assert_eq!(kept, Kept::Whole);
    assert_eq!(read_back(&on_disk, &world), Some(ended(id)));
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
    assert_eq!(read_back(&object, &world), Some(ended(by)));
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
