//! Requests that change what is stored.

use std::{
    fs::{self, OpenOptions},
    sync::atomic::AtomicU64,
};

use super::*;
use crate::purge::changes::{FILE as TABLE, SLOTS};

fn target(text: &str) -> Target {
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    Target::new(path.as_bytes(), Some(query.as_bytes()))
}

impl World {
    pub(super) fn change(&self, url: &str) {
        let marked = self.all.zone("E1").change(&target(url));
        self.all.keep_changes(&[marked]).unwrap();
    }
}

const CHANGED: Standing = Standing::Gone { by: Cause::Change };

#[test]
fn a_change_ends_all_that_is_stored_under_its_url_and_nothing_else() {
    // CF-807, CF-834, RFC 9111 section 4.4
    let world = World::new();
    let ends = [
        world.fetch("/a", ""),
        // A variant, or another key of the same URL; and one that is still being fetched.
        world.fetch("/a", "t"),
        world.fetch("/%61", ""),
        // CF-658
        world.fetch("/elsewhere", "").known_as(target("/a")),
    ];
    let stays = [
        world.fetch("/a?x=1", ""),
        world.fetch("/a/", ""),
        world.fetch("/A", ""),
        world.fetch("/", ""),
        world.fetch_in("E2", "/a", ""),
    ];
    assert!(ends.iter().all(|o| o.standing() == Standing::Valid));
    world.change("/a");
    for object in &ends {
        assert_eq!(object.standing(), CHANGED);
        assert_eq!(object.clone().standing(), CHANGED);
        assert_eq!(object.standing(), CHANGED);
    }
    for object in &stays {
        assert_eq!(object.standing(), Standing::Valid, "{object:?}");
        assert!(object.is_current());
    }
    let after = world.fetch("/a", "");
    assert_eq!(after.standing(), Standing::Valid);
    world.change("/a");
    assert_eq!(after.standing(), CHANGED);
    // Not one of the operator's.
    assert_eq!(world.all.names(), 0);
    assert_eq!(world.all.list("E1", None, 10), Page::default());
}

#[test]
fn changes_and_invalidations_leave_each_other_alone() {
    // CF-660, CF-807
    let mut world = World::new();
    let object = world.fetch("/a", "");
    let by = world.soft("/a");
    world.change("/b");
    let Standing::Stale { since, by: told } = object.standing() else {
        panic!("{:?}", object.standing())
    };
    assert_eq!(by, told);
    world.change("/c");
    assert_eq!(object.standing(), Standing::Stale { since, by });
    let other = world.fetch("/b", "");
    world.hard("/z");
    world.change("/b");
    assert_eq!(other.standing(), CHANGED);
    let third = world.fetch("/b", "");
    let by = world.hard("/b");
    assert_eq!(third.standing(), ended(by));
    world.change("/a");
    assert_eq!(object.standing(), CHANGED);
    assert_eq!(CHANGED, other.standing());
}

#[test]
fn a_stream_of_changes_takes_no_more_room_and_leaves_what_is_asked_for() {
    // CF-807: by the table in `changes.rs`, one of a hundred that nobody asks for ends for nothing, and of those asked for
    // every thousand changes one in ten million.
    let world = World::new();
    let objects = |kind: &str| -> Vec<Stamp> {
        let paths = (0..100).map(|n| format!("/{kind}/{n}"));
        paths.map(|path| world.fetch(&path, "")).collect()
    };
    let (hot, cold) = (objects("hot"), objects("cold"));
    for n in 0..100_000 {
        world.change(&format!("/posts/{n}"));
        if n % 1_000 == 0 {
            assert!(hot.iter().all(|o| o.standing() == Standing::Valid), "{n}");
        }
    }
    let ended = cold.iter().filter(|o| gone(o)).count();
    assert!(ended < 20, "{ended}");
    // The same URL again and again is no stream.
    let cold = objects("cold");
    for _ in 0..100_000 {
        world.change("/posts/1");
    }
    assert!(cold.iter().all(|o| o.standing() == Standing::Valid));
    assert_eq!(
        (world.all.names(), SLOTS * size_of::<AtomicU64>()),
        (0, 8 << 20)
    );
}

#[test]
fn whoever_asks_after_a_change_is_told_of_it() {
    // CF-807: also while others look the same object up.
    let world = World::new();
    for _ in 0..2_000 {
        let object = world.fetch("/a", "");
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| object.standing());
            }
            scope.spawn(|| {
                world.change("/a");
                assert_eq!(object.standing(), CHANGED);
            });
        });
    }
}

#[test]
fn what_was_changed_stays_so_over_a_restart() {
    // CF-807: nothing is lost when the process ends, whether in order or not.
    let dir = tempfile::tempdir().unwrap();
    let open = || World::on_disk(dir.path(), Limits::default());
    let (world, _) = open();
    let (a, b) = (
        encoded(&world.fetch("/a", "")),
        encoded(&world.fetch("/b", "")),
    );
    world.change("/a");
    let after = encoded(&world.fetch("/a", ""));
    drop(world);
    let read = |bytes: &[u8], world: &World| Stamp::decode(bytes, &world.all).unwrap().0.standing();
    for _ in 0..2 {
        let (world, kept) = open();
        assert_eq!(kept, Kept::Whole);
        assert_eq!(read(&a, &world), CHANGED);
        assert_eq!(read(&b, &world), Standing::Valid);
        assert_eq!(read(&after, &world), Standing::Valid);
    }
    // Numbers go on where they ended.
    let (world, _) = open();
    let again = encoded(&world.fetch("/c", ""));
    world.change("/c");
    world.all.sync_changes().unwrap();
    let marked = world.all.zone("E1").change(&target("/d"));
    assert!(world.all.keep_changes(&[marked]).unwrap());
    assert!(!world.all.keep_changes(&[marked]).unwrap());
    drop(world);
    let (world, _) = open();
    assert_eq!(read(&again, &world), CHANGED);
    assert_eq!(read(&b, &world), Standing::Valid);
    world.change("/b");
    assert_eq!(read(&b, &world), CHANGED);
}

#[test]
fn nothing_is_believed_beside_a_table_that_is_damaged_or_not_there() {
    // CF-807
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 6] = [
        ("a bit of the head", |bytes| bytes[40] ^= 1),
        ("a bit of the secret", |bytes| bytes[20] ^= 1),
        ("a bit of a slot", |bytes| {
            let slot = bytes[4096..].iter().position(|b| *b != 0).unwrap();
            bytes[4096 + slot] ^= 1;
        }),
        ("the end of a slot", |bytes| {
            bytes.pop();
        }),
        ("too long", |bytes| bytes.resize(4096 + 8 * SLOTS + 8, 0)),
        ("empty", Vec::clear),
    ];
    let check = |what: &str, damage: Option<Damage>| {
        let dir = tempfile::tempdir().unwrap();
        let (world, _) = World::on_disk(dir.path(), Limits::default());
        let object = encoded(&world.fetch("/a", ""));
        world.change("/b");
        drop(world);
        let path = dir.path().join(TABLE);
        match damage {
            None => fs::remove_file(&path).unwrap(),
            Some(damage) => {
                let mut bytes = fs::read(&path).unwrap();
                damage(&mut bytes);
                fs::write(&path, bytes).unwrap();
            }
        }
        let (world, kept) = World::on_disk(dir.path(), Limits::default());
        assert_eq!(kept, Kept::Damaged, "{what}");
        assert!(Stamp::decode(&object, &world.all).is_none(), "{what}");
        // It has begun anew.
        let object = encoded(&world.fetch("/a", ""));
        world.change("/a");
        drop(world);
        let (world, kept) = World::on_disk(dir.path(), Limits::default());
        assert_eq!(kept, Kept::Whole, "{what}");
        let (stamp, _) = Stamp::decode(&object, &world.all).unwrap();
        assert_eq!(stamp.standing(), CHANGED, "{what}");
    };
    check("not there", None);
    for (what, damage) in damages {
        check(what, Some(damage));
    }
}

#[test]
fn what_could_not_be_written_is_in_force_and_written_with_the_next() {
    // CF-807
    let dir = tempfile::tempdir().unwrap();
    let (world, _) = World::on_disk(dir.path(), Limits::default());
    let zone = world.all.zone("E1");
    let object = world.fetch("/a", "");
    let bytes = encoded(&object);
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let file = world.all.changes.swap_file(full);
    let marked = zone.change(&target("/a"));
    assert!(world.all.keep_changes(&[marked]).is_err());
    assert_eq!(object.standing(), CHANGED);
    world.all.changes.swap_file(file);
    world.change("/b");
    drop(world);
    let (world, _) = World::on_disk(dir.path(), Limits::default());
    let (stamp, _) = Stamp::decode(&bytes, &world.all).unwrap();
    assert_eq!(stamp.standing(), CHANGED);
}
