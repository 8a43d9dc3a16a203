//! Any file is a journal of invalidations or is not believed; a second look finds what the first one left.
#![no_main]

use std::{hash::Hasher, path::Path, time::SystemTime};

use fourfront_cache::purge::{
    Batch, Created, Invalidations, Item, JournalError, Kept, Limits, Target,
};
use libfuzzer_sys::fuzz_target;
use siphasher::sip::SipHasher13;

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let mut file = Vec::new();
    if first & 1 > 0 {
        record(br#"{"begin":{"version":1,"epoch":5}}"#, &mut file);
    }
    match first & 2 {
        0 => file.extend_from_slice(rest),
        // With the checksums that they ought to have.
        _ => rest
            .split(|b| *b == b'\n')
            .for_each(|text| record(&line(text), &mut file)),
    }
    if first & 4 > 0 {
        file.truncate(file.len().saturating_sub(usize::from(first >> 3)));
    }
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("invalidations.journal"), &file).expect("a file");
    let Some((found, _)) = open(directory.path(), 1 << 20) else {
        return;
    };
    let era = found.era();
    let zone = found.zone("D1");
    let before = zone.now().generation();
    let batch = |reference: &str| Batch {
        distribution: "D1".to_owned(),
        items: vec![Item::Path(Target::new(b"/a", None))],
        tag_header: None,
        soft: false,
        caller_reference: reference.to_owned(),
        created: SystemTime::UNIX_EPOCH,
    };
    // The reference may be in what was read.
    let created = ["one", "two"].map(|reference| found.create(batch(reference)));
    if let Ok(Created::New(new)) = &created[1] {
        assert!(new.generation > before && zone.now().generation() == new.generation);
    }
    drop((found, zone));
    let (again, kept) = open(directory.path(), 0).expect("it was opened a moment ago");
    assert_eq!((kept, again.era()), (Kept::Whole, era));
    if let Ok(Created::New(new)) = &created[1] {
        assert_eq!(again.zone("D1").now().generation(), new.generation);
        assert!(again.get("D1", new.id.as_str()).is_some());
        // So many more that it is written anew, and says the same then; not always, since it takes its time.
        let many = if first & 8 > 0 { 20 } else { 1 };
        let further: Vec<_> = (0..many)
            .map(|n| again.create(batch(&n.to_string())))
            .collect();
        let names = again.names();
        drop(again);
        let (last, kept) = open(directory.path(), 0).expect("it was opened a moment ago");
        assert_eq!((kept, last.names(), last.era()), (Kept::Whole, names, era));
        if let Some(Ok(Created::New(new))) = further.last() {
            assert_eq!(last.zone("D1").now().generation(), new.generation);
            assert!(last.get("D1", new.id.as_str()).is_some());
        }
    }
});

fn open(directory: &Path, short_journal: u64) -> Option<(Invalidations, Kept)> {
    let limits = Limits {
        short_journal,
        ..Limits::default()
    };
    match Invalidations::open(directory, limits) {
        Ok(opened) => Some(opened),
        Err(JournalError::Version { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

/// What a line says: JSON, or what a letter stands for, with numbers and a name from the rest.
fn line(text: &[u8]) -> Vec<u8> {
    let Some((letter, rest)) = text.split_first() else {
        return Vec::new();
    };
    let mut numbers = rest.iter().map(|b| match b {
        // The ends of the numbers, and small ones.
        b'm' => u64::MAX,
        b'l' => (1 << 62) + 1,
        // As far as any will be believed that comes after it.
        b'k' => (1 << 62) - (1 << 24),
        small => u64::from(*small),
    });
    let mut number = || numbers.next().unwrap_or(0);
    let (a, b, c, d) = (number(), number(), number(), number());
    let name = String::from_utf8_lossy(rest.get(4..).unwrap_or_default());
    let name = name.escape_default();
    let json = match letter {
        b'P' => format!(r#"{{"passed":{{"generation":{a}}}}}"#),
        b'B' | b'O' => format!(
            r#"{{"{}":{{"generation":{a},"distribution":"D1","items":["{name}"],"tag_header":"x","soft":{},"caller_reference":"{b}","created":{c}}}}}"#,
            if *letter == b'B' { "batch" } else { "past" },
            d % 2 > 0,
        ),
        b'N' => format!(
            r#"{{"names":{{"distribution":"D1","old":{},"newest":{a},"paths":[[{b},[{c},{d},0]]],"tags":[[{b},[{d},{c},{a}]]],"prefixes":[["{name}",[{a},{b},{c}]]]}}}}"#,
            d % 2 > 0,
        ),
        b'Z' => format!(r#"{{"zone":{{"distribution":"D1","current":{a},"all":[{b},{c},{d}]}}}}"#),
        _ => return text.to_vec(),
    };
    json.into_bytes()
}

/// A line of the journal.
fn record(json: &[u8], out: &mut Vec<u8>) {
    let mut hasher = SipHasher13::new();
    hasher.write(json);
    out.extend_from_slice(format!("{:016x} ", hasher.finish()).as_bytes());
    out.extend_from_slice(json);
    out.push(b'\n');
}
