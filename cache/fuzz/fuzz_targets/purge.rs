//! An invalidation ends what it names and nothing else, and a stamp is read back as it was written, or not at all.
#![no_main]

use std::time::SystemTime;

use fourfront_cache::purge::{
    Batch, Invalidations, Item, Limits, MAX_TARGETS, Stamp, Standing, Target, tags_of,
};
use fourfront_cache_fuzz::Input;
use fourfront_model::TagSeparator;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let invalidations =
        Invalidations::in_memory(Limits::default()).expect("there are random bytes");
    // A stamp that no node wrote.
    let _ = Stamp::decode(data, &invalidations);
    let mut with_era = vec![2];
    with_era.extend_from_slice(&invalidations.era().to_le_bytes());
    with_era.extend_from_slice(data);
    if let Some((stamp, length)) = Stamp::decode(&with_era, &invalidations) {
        assert!(length <= with_era.len() && (1..=MAX_TARGETS).contains(&stamp.targets().len()));
        let (_, _) = (stamp.standing(), stamp.weight());
        let mut again = Vec::new();
        stamp.encode(&mut again);
        assert!(Stamp::decode(&again, &invalidations).is_some());
    }

    let item = Item::parse(&String::from_utf8_lossy(input.line()));
    let path = [b"/", input.line()].concat();
    let target = Target::new(&path, Some(input.line()));
    let tags = tags_of("x-tags", TagSeparator::Comma, [input.line()]);
    assert!(target.as_str().is_ascii());
    let Ok(item) = item else {
        return;
    };
    // As it is listed, it names the same; unless that completes an escape.
    if let Item::Tag(_) | Item::All = item {
        assert_eq!(Item::parse(&item.to_string()).as_ref(), Ok(&item));
    }

    let zone = invalidations.zone("D1");
    let stamp = Stamp::new(zone.clone(), zone.now(), target.clone(), tags.clone());
    let mut before = Vec::new();
    stamp.encode(&mut before);
    let named = match &item {
        Item::All => true,
        Item::Path(path) => *path == target,
        Item::Prefix(start) => target.as_str().starts_with(start.as_str()),
        Item::Tag(tag) => {
            let text = format!("{}", Item::Tag(tag.clone()));
            let hash = tags_of("x-tags", TagSeparator::Comma, [&text.as_bytes()[1..]]);
            hash.iter().any(|hash| tags.contains(hash))
        }
    };
    let soft = input.byte() % 2 > 0;
    let batch = Batch {
        distribution: "D1".to_owned(),
        items: vec![item],
        tag_header: Some("X-Tags".to_owned()),
        soft,
        caller_reference: "r".to_owned(),
        created: SystemTime::UNIX_EPOCH,
    };
    invalidations
        .create(batch)
        .expect("there is no journal that could fail");
    match stamp.standing() {
        Standing::Valid => assert!(!named),
        Standing::Stale { .. } => assert!(named && soft),
        Standing::Gone { .. } => assert!(named && !soft),
    }
    // What was written before is judged the same.
    let (kept, _) = Stamp::decode(&before, &invalidations).expect("it is of this journal");
    assert_eq!(kept.standing(), stamp.standing());
    assert_eq!(kept.targets(), [target]);
});
