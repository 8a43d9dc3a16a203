//! Ranges of objects that are not stored whole: fetched in slices, stored as segments, joined (CF section 6.4).

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use fourfront_conformance::{Answer, Edge, Origin, Reply, Running, Seen};
use tempfile::TempDir;

/// The smallest slice, of which objects here have many.
pub(super) const SLICE: usize = 64 * 1024;

/// Bytes that tell where they stand.
pub(super) fn pattern(length: usize, seed: u8) -> Bytes {
    let word = |i: u64| (i << 8 | u64::from(seed)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let bytes = (0..).flat_map(|i| word(i).rotate_left(29).to_le_bytes());
    bytes.take(length).collect()
}

/// The bytes of a range in the form `bytes=a-b`, both given.
fn bounds(range: &str, length: usize) -> Option<(usize, usize)> {
    let (start, end) = range.strip_prefix("bytes=")?.split_once('-')?;
    let end = end.parse().unwrap_or(length - 1).min(length - 1);
    start.parse().ok().map(|start| (start, end))
}

/// An answer of an origin that knows ranges and conditions.
pub(super) fn part_of(request: &Seen, body: &Bytes, etag: &str) -> Reply {
    let condition = request.header("if-match");
    if condition.is_some_and(|wanted| wanted != etag) {
        return Reply::status(412);
    }
    let described = |reply: Reply| {
        reply
            .header("ETag", etag)
            .header("Accept-Ranges", "bytes")
            .header("Content-Type", "video/mp4")
            .header("Cache-Control", "max-age=600")
    };
    if request.header("if-none-match") == Some(etag) {
        return described(Reply::status(304));
    }
    let Some(range) = request.header("range") else {
        return described(Reply::ok(body.clone()));
    };
    match bounds(range, body.len()) {
        Some((start, _)) if start >= body.len() => Reply::status(416)
            .header("Content-Range", &format!("bytes */{}", body.len()))
            .header("Cache-Control", "max-age=600"),
        Some((start, end)) => described(Reply::status(206))
            .body(body.slice(start..=end))
            .header(
                "Content-Range",
                &format!("bytes {start}-{end}/{}", body.len()),
            ),
        None => Reply::status(400),
    }
}

pub(super) async fn origin_of(body: &Bytes) -> Origin {
    let body = body.clone();
    Origin::start(move |request| part_of(request, &body, "\"v1\"")).await
}

pub(super) async fn edge(origin: &Origin) -> Running {
    Edge::new()
        .distribution("range_slice: 64KiB")
        .start(origin)
        .await
}

pub(super) async fn get(edge: &Running, range: &str) -> Answer {
    edge.request("GET", "/film")
        .header("Range", range)
        .send()
        .await
}

pub(super) fn ranges(origin: &Origin) -> Vec<String> {
    let range = |seen: &Seen| seen.header("range").unwrap_or("all").to_owned();
    origin.seen().iter().map(range).collect()
}

/// Bytes that the origin sent in parts.
pub(super) fn sent(origin: &Origin, length: usize) -> usize {
    let of = |range: &String| {
        let (start, end) = bounds(range, length).expect("a part");
        end + 1 - start
    };
    ranges(origin).iter().map(of).sum()
}

pub(super) fn assert_part(answer: &Answer, body: &Bytes, start: usize, end: usize) {
    assert_eq!(answer.status, 206, "{start}-{end}: {:?}", answer.headers);
    let range = format!("bytes {start}-{end}/{}", body.len());
    assert_eq!(answer.header("content-range"), Some(range.as_str()));
    let length = (end + 1 - start).to_string();
    assert_eq!(answer.header("content-length"), Some(length.as_str()));
    assert!(answer.body == body.slice(start..=end), "{start}-{end}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_misses_fetches_the_slices_it_lies_in_and_they_answer_later() {
    // CF-532, CF-533, CF-534, CF-543, CF-607
    let body = pattern(20 * SLICE + 77, 0);
    let origin = origin_of(&body).await;
    let edge = edge(&origin).await;

    let first = get(&edge, "bytes=70000-70009").await;
    assert_part(&first, &body, 70_000, 70_009);
    assert_eq!(first.x_cache(), "Miss");
    assert_eq!(first.header("content-type"), Some("video/mp4"));
    assert_eq!(ranges(&origin), ["bytes=65536-131071"]);

    edge.advance(30);
    let inside = get(&edge, "bytes=65536-131071").await;
    assert_part(&inside, &body, 65_536, 131_071);
    assert_eq!(
        (inside.x_cache(), inside.header("age")),
        ("Hit", Some("30"))
    );
    assert_eq!(origin.count(), 1);

    // Three slices, of which the middle one is there.
    let wider = get(&edge, "bytes=65000-131072").await;
    assert_part(&wider, &body, 65_000, 131_072);
    assert_eq!(wider.x_cache(), "Miss");
    assert!(
        wider
            .header("cache-status")
            .is_some_and(|s| s.contains("fwd=partial")),
        "{:?}",
        wider.header("cache-status")
    );
    let asked = ranges(&origin);
    assert_eq!(asked[1..], ["bytes=0-65535", "bytes=131072-196607"]);
    let conditions: Vec<_> = origin
        .seen()
        .iter()
        .map(|s| s.header("if-match").map(str::to_owned))
        .collect();
    assert_eq!(
        conditions,
        [None, Some("\"v1\"".into()), Some("\"v1\"".into())]
    );

    // The whole body takes the rest, and no byte twice.
    let all = edge.get("/film").await;
    assert_eq!((all.status, all.body == body), (200, true));
    assert_eq!(sent(&origin, body.len()), body.len());
    let again = edge.get("/film").await;
    assert_eq!((again.x_cache(), again.body == body), ("Hit", true));
    let suffix = get(&edge, "bytes=-78").await;
    assert_part(&suffix, &body, body.len() - 78, body.len() - 1);
    assert_eq!(sent(&origin, body.len()), body.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_readers_of_different_ranges_cost_one_transfer() {
    // CF-400, CF-406, CF-533
    let body = pattern(64 * SLICE + 1, 0);
    let origin = origin_of(&body).await;
    let edge = edge(&origin).await;
    let readers = (0..40).map(|i| {
        let start = (i * 7919 * 977) % body.len();
        let end = (start + (i % 7 + 1) * 100_000).min(body.len() - 1);
        let request = edge
            .request("GET", "/film")
            .header("Range", &format!("bytes={start}-{end}"));
        let body = body.clone();
        tokio::spawn(async move { assert_part(&request.send().await, &body, start, end) })
    });
    for reader in readers.collect::<Vec<_>>() {
        reader.await.unwrap();
    }
    let all = edge.get("/film").await;
    assert!(all.body == body);
    assert_eq!(
        sent(&origin, body.len()),
        body.len(),
        "{:?}",
        ranges(&origin)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_object_that_comes_as_one_part_is_stored_whole() {
    // CF-533, CF-535
    let body = pattern(1000, 0);
    let origin = origin_of(&body).await;
    let edge = edge(&origin).await;
    assert_part(&get(&edge, "bytes=10-19").await, &body, 10, 19);
    assert_eq!(ranges(&origin), ["bytes=0-65535"]);
    let whole = edge.get("/film").await;
    assert_eq!((whole.status, whole.x_cache()), (200, "Hit"));
    assert!(whole.body == body);
    assert_part(&get(&edge, "bytes=-1").await, &body, 999, 999);
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_from_the_end_of_something_unknown_takes_the_first_slice_for_its_length() {
    // CF-533, CF-537
    let body = pattern(3 * SLICE + 5, 0);
    let origin = origin_of(&body).await;
    let edge = edge(&origin).await;
    let last = get(&edge, "bytes=-3").await;
    assert_part(&last, &body, body.len() - 3, body.len() - 1);
    assert_eq!(ranges(&origin), ["bytes=0-65535", "bytes=196608-196612"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_past_the_end_is_416_and_leaves_what_is_stored() {
    // CF-539, CF-767
    let body = pattern(3 * SLICE, 0);
    let origin = origin_of(&body).await;
    let edge = edge(&origin).await;
    for count in [1, 2] {
        let beyond = get(&edge, "bytes=196608-").await;
        assert_eq!(beyond.status, 416);
        assert_eq!(beyond.header("content-range"), Some("bytes */196608"));
        assert_eq!(origin.count(), count, "never kept");
    }
    assert_part(&get(&edge, "bytes=0-9").await, &body, 0, 9);
    assert_eq!(get(&edge, "bytes=196608-").await.status, 416);
    assert_eq!(origin.count(), 3, "the length is known");
}

/// Parts of a body of which only the first answers are those of the first version.
pub(super) async fn changing(first: usize) -> (Origin, Bytes, Bytes) {
    let (old, new) = (pattern(20 * SLICE, 1), pattern(20 * SLICE, 2));
    let asked = AtomicUsize::new(0);
    let bodies = (old.clone(), new.clone());
    let origin = Origin::start(
        move |request| match asked.fetch_add(1, Ordering::SeqCst) < first {
            true => part_of(request, &bodies.0, "\"v1\""),
            false => part_of(request, &bodies.1, "\"v2\""),
        },
    );
    (origin.await, old, new)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_knows_no_ranges_fills_with_the_whole() {
    // CF-535, CF-536
    let body = pattern(3 * SLICE, 0);
    let all = body.clone();
    let origin = Origin::start(move |_| {
        Reply::ok(all.clone())
            .header("ETag", "\"v1\"")
            .header("Cache-Control", "max-age=600")
    });
    let origin = origin.await;
    let edge = edge(&origin).await;
    assert_part(
        &get(&edge, "bytes=70000-70009").await,
        &body,
        70_000,
        70_009,
    );
    assert_part(&get(&edge, "bytes=0-9").await, &body, 0, 9);
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn off_leaves_ranges_to_the_origin() {
    // CF-533
    let body = pattern(3 * SLICE, 0);
    let origin = origin_of(&body).await;
    let edge = Edge::new()
        .distribution("range_slice: off")
        .start(&origin)
        .await;
    for _ in 0..2 {
        assert_part(
            &get(&edge, "bytes=70000-70009").await,
            &body,
            70_000,
            70_009,
        );
    }
    assert_eq!(ranges(&origin), ["bytes=70000-70009"; 2]);
    edge.get("/film").await;
    assert_part(
        &get(&edge, "bytes=70000-70009").await,
        &body,
        70_000,
        70_009,
    );
    assert_eq!(origin.count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_object_in_parts_is_validated_and_keeps_them() {
    // CF-280, CF-282, CF-543
    let body = pattern(20 * SLICE, 0);
    let origin = origin_of(&body).await;
    let edge = edge(&origin).await;
    assert_part(&get(&edge, "bytes=0-9").await, &body, 0, 9);
    edge.advance(700);
    let stale = get(&edge, "bytes=20-29").await;
    assert_part(&stale, &body, 20, 29);
    assert_eq!(stale.x_cache(), "RefreshHit");
    let beyond = get(&edge, "bytes=70000-70009").await;
    assert_part(&beyond, &body, 70_000, 70_009);
    assert_part(
        &get(&edge, "bytes=65530-65540").await,
        &body,
        65_530,
        65_540,
    );
    let seen = origin.seen();
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[1].header("if-none-match"), Some("\"v1\""));
    assert_eq!(seen[2].header("range"), Some("bytes=65536-131071"));
}

#[tokio::test(flavor = "multi_thread")]
async fn invalidation_takes_all_parts() {
    // CF-543, CF-660
    let (origin, old, new) = changing(2).await;
    let edge = edge(&origin).await;
    assert_part(&get(&edge, "bytes=0-9").await, &old, 0, 9);
    assert_part(&get(&edge, "bytes=65536-65537").await, &old, 65_536, 65_537);
    edge.invalidate(&["/film"], false);
    assert_part(&get(&edge, "bytes=65536-65537").await, &new, 65_536, 65_537);
    assert_part(&get(&edge, "bytes=0-9").await, &new, 0, 9);
    assert_eq!(origin.count(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_body_is_stored_in_segments_and_what_has_come_stays() {
    // CF-222, CF-534, CF-544
    let body = pattern(40 * SLICE, 0);
    let (pieces, receiver) = tokio::sync::mpsc::unbounded_channel();
    let receiver = std::sync::Mutex::new(Some(receiver));
    let parts = body.clone();
    let origin = Origin::start(move |request| {
        match receiver.lock().unwrap().take() {
            // Breaks off before its end.
            Some(receiver) => Reply::stream(receiver)
                .header("Content-Length", &parts.len().to_string())
                .header("ETag", "\"v1\"")
                .header("Accept-Ranges", "bytes")
                .header("Cache-Control", "max-age=600"),
            None => part_of(request, &parts, "\"v1\""),
        }
    });
    let origin = origin.await;
    let dir = TempDir::new().unwrap();
    // Too long for memory.
    let edge = Edge::new()
        .node("cache_memory: 4MiB")
        .node("cache_disk: 128MiB")
        .node(&format!("data_dir: {}", dir.path().display()))
        .distribution("range_slice: 64KiB")
        .start(&origin)
        .await;
    let opened = tokio::spawn(edge.request("GET", "/film").open());
    pieces.send(body.slice(..5 * SLICE + 10)).unwrap();
    let mut opened = opened.await.unwrap().unwrap();
    opened.received(5 * SLICE + 10).await;
    // Somebody else reads what has come, and then something that is far from it.
    assert_part(&get(&edge, "bytes=100-200000").await, &body, 100, 200_000);
    assert_part(
        &get(&edge, "bytes=2000000-2000009").await,
        &body,
        2_000_000,
        2_000_009,
    );
    assert_eq!(origin.count(), 2);
    drop(pieces);
    while let Ok(Some(_)) = opened.piece().await {}
    assert!(opened.so_far().body.len() < body.len());
    let all = edge.get("/film").await;
    assert_eq!((all.status, all.body == body), (200, true));
    let asked = ranges(&origin);
    assert_eq!(
        asked[..3],
        ["all", "bytes=1966080-2031615", "bytes=327680-851967"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_are_kept_on_disk_and_outlive_the_process() {
    // CF-534, CF-544, CF-661
    let body = pattern(100 * SLICE, 0);
    let origin = origin_of(&body).await;
    let dir = TempDir::new().unwrap();
    let node = || async {
        Edge::new()
            .node("cache_memory: 1MiB")
            .node("max_object_size: 1MiB")
            .node("cache_disk: 128MiB")
            .node(&format!("data_dir: {}", dir.path().display()))
            .distribution("id: EDISTRIBUTION")
            .distribution("range_slice: 64KiB")
            .start(&origin)
            .await
    };
    let first = node().await;
    // Larger than an object may be, and than memory is: by parts it is stored all the same.
    let all = get(&first, "bytes=0-").await;
    assert_part(&all, &body, 0, body.len() - 1);
    assert_eq!(sent(&origin, body.len()), body.len());
    assert_part(&get(&first, "bytes=0-").await, &body, 0, body.len() - 1);
    assert_eq!(sent(&origin, body.len()), body.len());
    drop(first);
    let second = node().await;
    let again = get(&second, "bytes=0-").await;
    assert_part(&again, &body, 0, body.len() - 1);
    assert_eq!(again.x_cache(), "Hit");
    assert_eq!(sent(&origin, body.len()), body.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn head_and_conditions_need_no_part() {
    // CF-284, CF-328, CF-540
    let body = pattern(20 * SLICE, 0);
    let origin = origin_of(&body).await;
    let edge = edge(&origin).await;
    assert_part(&get(&edge, "bytes=0-9").await, &body, 0, 9);
    let head = edge.request("HEAD", "/film").send().await;
    let length = body.len().to_string();
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, Some(length.as_str()))
    );
    let matches = edge
        .request("GET", "/film")
        .header("If-None-Match", "\"v1\"")
        .send()
        .await;
    assert_eq!(matches.status, 304);
    assert_eq!(origin.count(), 1);
    let other = edge
        .request("GET", "/film")
        .header("Range", "bytes=0-9")
        .header("If-Range", "\"v0\"")
        .send()
        .await;
    assert_eq!((other.status, other.body == body), (200, true));
    assert_eq!(sent(&origin, body.len()), body.len());
}

/// The bodies in a `multipart/byteranges`, in order.
fn bodies(answer: &Answer) -> Vec<Bytes> {
    assert_eq!(answer.status, 206);
    let kind = answer.header("content-type").unwrap_or_default();
    let boundary = kind
        .strip_prefix("multipart/byteranges; boundary=")
        .expect("several parts");
    let end = format!("\r\n--{boundary}");
    let find = |text: &[u8], what: &[u8]| text.windows(what.len()).position(|w| w == what);
    let mut rest = answer.body.clone();
    let mut parts = Vec::new();
    loop {
        let at = find(&rest, end.as_bytes()).expect("a boundary") + end.len();
        rest = rest.slice(at..);
        if rest.starts_with(b"--") {
            return parts;
        }
        let head = find(&rest, b"\r\n\r\n").expect("a head") + 4;
        let next = find(&rest[head..], end.as_bytes()).expect("an end") + head;
        parts.push(rest.slice(head..next));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_ranges_fetch_the_slices_of_each() {
    // CF-538, CF-533
    let body = pattern(20 * SLICE, 0);
    let origin = origin_of(&body).await;
    let edge = edge(&origin).await;
    for _ in 0..2 {
        let answer = get(&edge, "bytes=10-19,70000-70009,-5").await;
        let wanted = [10..20, 70_000..70_010, body.len() - 5..body.len()];
        assert_eq!(bodies(&answer), wanted.map(|range| body.slice(range)));
    }
    let slices = [
        "bytes=0-65535",
        "bytes=65536-131071",
        "bytes=1245184-1310719",
    ];
    assert_eq!(ranges(&origin), slices);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_beyond_the_limits_is_validated_and_keeps_its_parts() {
    // CF-544, CF-282
    let body = pattern(40 * SLICE, 0);
    let origin = origin_of(&body).await;
    let edge = Edge::new()
        .node("cache_memory: 8MiB")
        .distribution("range_slice: 64KiB")
        .start(&origin)
        .await;
    assert_part(&get(&edge, "bytes=0-9").await, &body, 0, 9);
    edge.advance(700);
    let stale = get(&edge, "bytes=10-19").await;
    assert_part(&stale, &body, 10, 19);
    assert_eq!(stale.x_cache(), "RefreshHit");
    let head = edge.request("HEAD", "/film").send().await;
    assert_eq!(head.x_cache(), "Hit");
    let fresh = get(&edge, "bytes=20-29").await;
    assert_part(&fresh, &body, 20, 29);
    assert_eq!((fresh.x_cache(), origin.count()), ("Hit", 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_another_object_that_has_shrunk_is_all_of_the_new_one() {
    // CF-540, RFC 9110 section 13.1.5
    let body = pattern(1000, 0);
    let whole = body.clone();
    let origin = Origin::start(move |request| match request.header("if-range") {
        Some(_) => part_of(request, &whole, "\"v1\"").header("X-Whole", "1"),
        None => part_of(request, &whole, "\"v1\""),
    });
    let origin = origin.await;
    // This origin does not know If-Range itself; what matters is that it is asked.
    let edge = edge(&origin).await;
    edge.request("GET", "/film")
        .header("Range", "bytes=70000-70009")
        .header("If-Range", "\"v0\"")
        .send()
        .await;
    let seen = origin.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[1].header("range"), Some("bytes=70000-70009"));
    assert_eq!(seen[1].header("if-range"), Some("\"v0\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_if_cached_is_answered_where_all_of_the_part_is_there() {
    // CF-829
    let body = pattern(20 * SLICE, 0);
    let origin = origin_of(&body).await;
    let edge = Edge::new()
        .distribution("range_slice: 64KiB")
        .distribution("request_cc: honour")
        .start(&origin)
        .await;
    assert_part(&get(&edge, "bytes=0-9").await, &body, 0, 9);
    for (range, status) in [("bytes=10-19", 206), ("bytes=65530-65540", 504)] {
        let answer = edge
            .request("GET", "/film")
            .header("Range", range)
            .header("Cache-Control", "only-if-cached")
            .send()
            .await;
        assert_eq!(answer.status, status, "{range}");
    }
    assert_eq!(origin.count(), 1);
}
