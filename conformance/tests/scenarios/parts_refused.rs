//! Parts that cannot be had, may not be joined, or pass functions (CF section 6.4, LE-033).

use std::sync::{Arc, atomic::Ordering};

use fourfront_conformance::{Edge, Origin, Reply};

use super::parts::{
    SLICE, assert_part, changing, edge, get, origin_of, part_of, pattern, ranges, sent,
};

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_different_representations_are_never_joined() {
    // CF-534, RFC 9111 section 3.4
    let (origin, old, new) = changing(1).await;
    let edge = edge(&origin).await;
    assert_part(&get(&edge, "bytes=0-9").await, &old, 0, 9);
    // The missing part shows that the object is another by now: it is fetched anew, and the old part is gone.
    assert_part(
        &get(&edge, "bytes=130000-139999").await,
        &new,
        130_000,
        139_999,
    );
    assert_part(&get(&edge, "bytes=0-9").await, &new, 0, 9);
    assert_eq!(
        ranges(&origin),
        [
            "bytes=0-65535",
            "bytes=65536-196607",
            "bytes=65536-196607",
            "bytes=0-65535"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_changes_while_it_is_read_ends_the_transfer_and_not_the_truth() {
    // CF-534, CF-222
    let (origin, old, new) = changing(2).await;
    let edge = edge(&origin).await;
    // Eight slices come with the first answer, eight with the second, and the third is of another object.
    let opened = edge
        .request("GET", "/film")
        .header("Range", "bytes=0-")
        .open()
        .await;
    let mut opened = opened.unwrap();
    let broke = loop {
        match opened.piece().await {
            Ok(Some(_)) => {}
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    assert!(broke);
    let got = opened.so_far().body.clone();
    assert!(got == old.slice(..got.len()));
    let after = edge.get("/film").await;
    assert!(after.body == new);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_strong_validator_the_whole_object_is_fetched() {
    // CF-534, CF-535
    let body = pattern(3 * SLICE, 0);
    let weak = body.clone();
    let origin = Origin::start(move |request| part_of(request, &weak, "W/\"v1\"")).await;
    let edge = edge(&origin).await;
    assert_part(
        &get(&edge, "bytes=70000-70009").await,
        &body,
        70_000,
        70_009,
    );
    assert_eq!(ranges(&origin), ["bytes=65536-131071", "all"]);
    assert_part(&get(&edge, "bytes=0-9").await, &body, 0, 9);
    assert_eq!(origin.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_stored_is_asked_for_as_the_viewer_wants_it() {
    // CF-533, CF-538, CF-240
    let body = pattern(20 * SLICE, 0);
    let private = body.clone();
    let origin = Origin::start(move |request| {
        part_of(request, &private, "\"v1\"").header("Cache-Control", "private")
    });
    let origin = origin.await;
    let edge = edge(&origin).await;
    for _ in 0..2 {
        let part = get(&edge, "bytes=70000-700009").await;
        assert_part(&part, &body, 70_000, 700_009);
        assert_eq!(part.x_cache(), "Miss");
    }
    let exactly = "bytes=70000-700009";
    assert_eq!(ranges(&origin), ["bytes=65536-589823", exactly, exactly]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_fails_for_a_part_is_told_of_and_what_is_stored_stays() {
    // CF-290, CF-299
    let body = pattern(20 * SLICE, 0);
    let parts = body.clone();
    let down = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_down = down.clone();
    let origin = Origin::start(move |request| match is_down.load(Ordering::SeqCst) {
        true => Reply::status(503).body("down"),
        false => part_of(request, &parts, "\"v1\""),
    });
    let origin = origin.await;
    let edge = edge(&origin).await;
    assert_part(&get(&edge, "bytes=0-9").await, &body, 0, 9);
    down.store(true, Ordering::SeqCst);
    let failed = get(&edge, "bytes=70000-70009").await;
    assert_eq!((failed.status, failed.text()), (503, "down"));
    assert_part(&get(&edge, "bytes=10-19").await, &body, 10, 19);
    down.store(false, Ordering::SeqCst);
    let count = origin.count();
    assert_part(
        &get(&edge, "bytes=70000-70009").await,
        &body,
        70_000,
        70_009,
    );
    assert_part(&get(&edge, "bytes=0-9").await, &body, 0, 9);
    assert_eq!(origin.count(), count + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_object_stands_in_for_a_failed_origin_only_where_it_has_the_bytes() {
    // CF-268, CF-270, CF-534
    let body = pattern(20 * SLICE, 0);
    let parts = body.clone();
    let down = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_down = down.clone();
    let origin = Origin::start(move |request| match is_down.load(Ordering::SeqCst) {
        true => Reply::status(503).body("down"),
        false => part_of(request, &parts, "\"v1\"")
            .header("Cache-Control", "max-age=600, stale-if-error=6000"),
    });
    let origin = origin.await;
    let edge = edge(&origin).await;
    assert_part(&get(&edge, "bytes=0-9").await, &body, 0, 9);
    down.store(true, Ordering::SeqCst);
    edge.advance(700);
    let beyond = get(&edge, "bytes=65530-65540").await;
    assert_eq!((beyond.status, beyond.text()), (503, "down"));
    assert_part(&get(&edge, "bytes=10-19").await, &body, 10, 19);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_viewer_can_provoke_leaves_the_object() {
    // CF-299, CF-534: an origin that refuses a part, with a status that others do not get
    let body = pattern(20 * SLICE, 0);
    let parts = body.clone();
    let origin = Origin::start(move |request| match request.header("x-odd") {
        Some(_) => Reply::status(404).body("odd"),
        None => part_of(request, &parts, "\"v1\""),
    });
    let origin = origin.await;
    let edge = Edge::new()
        .distribution("range_slice: 64KiB")
        .behavior("origin_request_policy: { headers: [X-Odd] }")
        .start(&origin)
        .await;
    assert_part(&get(&edge, "bytes=0-9").await, &body, 0, 9);
    let odd = edge
        .request("GET", "/film")
        .header("Range", "bytes=70000-70009")
        .header("X-Odd", "1")
        .send()
        .await;
    assert_eq!((odd.status, odd.text()), (404, "odd"));
    let count = origin.count();
    let kept = get(&edge, "bytes=0-9").await;
    assert_part(&kept, &body, 0, 9);
    assert_eq!((kept.x_cache(), origin.count()), ("Hit", count));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_origin_request_function_decides_for_all_parts_once() {
    // LE-003, LE-033, LE-146, CF-533
    let body = pattern(20 * SLICE, 0);
    let parts = body.clone();
    let origin = Origin::start(move |request| {
        match request.target == "/moved" && request.header("x-added") == Some("1") {
            true => part_of(request, &parts, "\"v1\""),
            false => Reply::status(404),
        }
    });
    let origin = origin.await;
    let code = "request.uri = '/moved';
        request.headers['x-added'] = [{ key: 'X-Added', value: '1' }];
        console.log(request.headers.range ? request.headers.range[0].value : 'none');
        return request;";
    let edge = Edge::new()
        .distribution("range_slice: 64KiB")
        .hook("origin-request", code)
        .start(&origin)
        .await;
    assert_part(&get(&edge, "bytes=0-9").await, &body, 0, 9);
    let all = get(&edge, "bytes=10-").await;
    assert_part(&all, &body, 10, body.len() - 1);
    assert_eq!(sent(&origin, body.len()), body.len());
    assert_eq!(
        edge.logged(2).await.len(),
        2,
        "one call for a viewer's request"
    );
    // All of it is stored: nobody is asked.
    assert_part(&get(&edge, "bytes=10-").await, &body, 10, body.len() - 1);
    assert_eq!(edge.logs().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_request_function_may_answer_for_a_missing_part() {
    // LE-164, CF-533
    let body = pattern(20 * SLICE, 0);
    let origin = origin_of(&body).await;
    let code = "globalThis.calls = (globalThis.calls ?? 0) + 1;
        return globalThis.calls === 1 ? request : { status: '403', body: `no ${globalThis.calls}` };";
    let edge = Edge::new()
        .distribution("range_slice: 64KiB")
        .hook("origin-request", code)
        .start(&origin)
        .await;
    assert_part(&get(&edge, "bytes=0-9").await, &body, 0, 9);
    let refused = get(&edge, "bytes=70000-70009").await;
    assert_eq!((refused.status, refused.text()), (403, "no 2"));
    assert_part(&get(&edge, "bytes=0-9").await, &body, 0, 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_makes_a_slice_a_whole_answer_is_given_the_whole() {
    // LE-176, LE-183, CF-534
    let body = pattern(3 * SLICE, 0);
    let code = "if (response.status === '206') response.status = '200'; return response;";
    let origin = origin_of(&body).await;
    let edge = Edge::new()
        .distribution("range_slice: 64KiB")
        .hook("origin-response", code)
        .start(&origin)
        .await;
    for _ in 0..2 {
        let part = get(&edge, "bytes=70000-70009").await;
        assert_part(&part, &body, 70_000, 70_009);
    }
    assert_eq!(ranges(&origin), ["bytes=65536-131071", "all"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_past_a_failed_function_are_this_viewers_alone() {
    // LE-281, CF-534
    let body = pattern(20 * SLICE, 0);
    let origin = origin_of(&body).await;
    let code = "if (request.headers['x-fail']) throw new Error('no'); return request;";
    let edge = Edge::new()
        .distribution("range_slice: 64KiB")
        .distribution("compat: relaxed")
        .function("hook", &fourfront_conformance::handler(code))
        .behavior("on: { origin-request: { function: hook, on_error: bypass } }")
        .behavior("origin_request_policy: { headers: [X-Fail] }")
        .start(&origin)
        .await;
    assert_part(&get(&edge, "bytes=0-9").await, &body, 0, 9);
    let failed = edge
        .request("GET", "/film")
        .header("Range", "bytes=70000-70009")
        .header("X-Fail", "1")
        .send()
        .await;
    assert_part(&failed, &body, 70_000, 70_009);
    let count = origin.count();
    assert_part(&get(&edge, "bytes=10-19").await, &body, 10, 19);
    assert_eq!(origin.count(), count);
    assert_part(
        &get(&edge, "bytes=70000-70009").await,
        &body,
        70_000,
        70_009,
    );
    assert_eq!(origin.count(), count + 1, "it was not stored");
}
