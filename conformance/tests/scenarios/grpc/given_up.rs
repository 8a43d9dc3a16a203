//! Calls that are given up, by the hundred, and a node that is.

use std::future::poll_fn;

use h2::Reason;
use tokio::sync::watch;

use super::super::http2_abuse::cut_off;
use super::{
    Bytes, Duration, H2Call, H2Origin, World, call, echo, head_of_answer, piece, rest, send, soon,
    text, trailers,
};

/// Messages for as long as somebody takes them.
async fn endless(mut call: H2Call) {
    if call.head.uri.path() == "/long" {
        return echo(call).await;
    }
    let out = call.respond.send_response(head_of_answer(), false);
    let mut out = out.expect("an open stream");
    loop {
        out.reserve_capacity(1000);
        while out.capacity() < 1000 {
            match poll_fn(|cx| out.poll_capacity(cx)).await {
                Some(Ok(_)) => {}
                _ => return,
            }
        }
        if out
            .send_data(Bytes::from_static(&[b'x'; 1000]), false)
            .is_err()
        {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_gives_up_answers_that_came_hurts_nobody() {
    // CF-410: what an origin has sent before it hears of it is no fault of its own, and its connection is shared
    let world = World::new();
    let origin = H2Origin::start(world.tls(), endless).await;
    let edge = world.edge().start_at(&origin.url()).await;
    let mut other = world.connect(&edge).await;
    let (response, mut out) = send(&mut other, call("/long"));
    let mut long = soon(response).await.unwrap().into_body();
    let mut sender = world.connect(&edge).await;
    for _ in 0..40 {
        let calls: Vec<_> = (0..50)
            .map(|_| send(&mut sender, call("/endless")))
            .collect();
        let mut open = Vec::new();
        for (response, out) in calls {
            let mut body = soon(response).await.unwrap().into_body();
            piece(&mut body).await;
            open.push((body, out));
        }
        for (_, out) in &mut open {
            out.send_reset(Reason::CANCEL);
        }
    }
    // Of 2,000 calls on one connection none was answered to its end, which is how such calls are used.
    let (response, mut last) = send(&mut sender, call("/long"));
    last.send_data(Bytes::from("m"), true).unwrap();
    let mut body = soon(response).await.unwrap().into_body();
    assert_eq!(soon(rest(&mut body)).await.unwrap().0, b"m");
    out.send_data(Bytes::from("still here"), true).unwrap();
    let (all, end) = soon(rest(&mut long)).await.unwrap();
    assert_eq!(
        (&all[..], text(&end.unwrap(), "grpc-status")),
        (&b"still here"[..], Some("0"))
    );
    assert_eq!(origin.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_gives_calls_up_before_they_are_answered_is_cut_off() {
    // CF-410, CVE-2023-44487
    let world = World::new();
    let origin = H2Origin::start(world.tls(), |mut call: H2Call| async move {
        let _ = poll_fn(|cx| call.respond.poll_reset(cx)).await;
    })
    .await;
    let edge = world.edge().start_at(&origin.url()).await;
    let mut sender = world.connect(&edge).await;
    let mut begun = 0;
    let resetting = async {
        while begun < 1_000 {
            let request = call("/a").body(()).unwrap();
            let Ok((response, mut out)) = sender.send_request(request, false) else {
                return;
            };
            begun += 1;
            // Seen by the origin, so that it is more than a frame that nobody has looked at.
            tokio::select! {
                () = origin.received(begun) => out.send_reset(Reason::CANCEL),
                _ = response => return,
            }
            sender = match sender.clone().ready().await {
                Ok(sender) => sender,
                Err(_) => return,
            };
        }
    };
    soon(resetting).await;
    assert!((100..200).contains(&begun), "{begun}");
    cut_off(&edge, "h2_resets").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_carries_its_calls_to_their_end_or_cuts_them_off() {
    // CP-620, CF-410, CF-704
    let world = World::new();
    for in_time in [true, false] {
        let (open, gate) = watch::channel(false);
        let origin = H2Origin::start(world.tls(), move |mut call: H2Call| {
            let mut gate = gate.clone();
            async move {
                let mut out = call.respond.send_response(head_of_answer(), false).unwrap();
                out.send_data(Bytes::from("begun"), false).unwrap();
                gate.wait_for(|open| *open).await.unwrap();
                let _ = out.send_trailers(trailers("0"));
            }
        })
        .await;
        let mut edge = world.edge().start_at(&origin.url()).await;
        let mut sender = world.connect(&edge).await;
        let (response, _out) = send(&mut sender, call("/a"));
        let mut body = soon(response).await.unwrap().into_body();
        assert_eq!(piece(&mut body).await, "begun");
        let grace = if in_time { 60 } else { 1 };
        let stopped = edge.stop(Duration::from_secs(grace));
        if in_time {
            // It is told that the connection ends, and its call goes on.
            soon(poll_fn(|cx| {
                sender.poll_ready(cx).map(|ready| ready.is_err())
            }))
            .await;
            open.send_replace(true);
        }
        let ended = soon(rest(&mut body)).await;
        assert_eq!(ended.is_ok(), in_time, "{ended:?}");
        soon(tokio::task::spawn_blocking(move || stopped.join().unwrap()))
            .await
            .unwrap();
        let record = edge.recorded(1).await.remove(0);
        assert_eq!(
            (record.status, record.bytes, record.scheme()),
            (200, 5, "grpcs")
        );
    }
}
