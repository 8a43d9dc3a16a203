//! Compression at the edge, where answers come from the origin (CF section 6.6).

use bytes::Bytes;
use fourfront_model::HeaderLine;
use http::header;
use pingora::proxy::Session;

use super::Edge;
use crate::flow::{
    BodyPlan, Exchange, Generated, Route,
    compression::{self, Answer, Asked, Choice, Coding, Compressed, Compressor, Levels},
    hook::ResponseParts,
};

/// A body longer than this is compressed on a thread of its own when all of it is at hand: it takes milliseconds. One that
/// arrives is compressed piece by piece.
const AT_ONCE: usize = 64 * 1024;

impl Edge {
    /// What becomes of a body that is about to be passed on as it arrives, and of its head. The length it was announced with is
    /// not in the head.
    pub(super) fn compress_relayed(
        &self,
        session: &Session,
        background: bool,
        route: &Route,
        parts: &mut ResponseParts,
        length: Option<&HeaderLine>,
    ) -> (BodyPlan, Option<Compressed>) {
        let length = length.and_then(|line| line.value.to_str().ok()?.trim().parse().ok());
        let choice = choose(
            session,
            background,
            route,
            parts.status,
            &parts.lines,
            length,
        );
        let coding = match choice {
            Choice::AsItIs => return (BodyPlan::Relay, None),
            Choice::Varies => {
                compression::vary(&mut parts.lines);
                return (BodyPlan::Relay, None);
            }
            Choice::Compress(coding) => coding,
        };
        let compressed = compression::relabel(&mut parts.lines, coding);
        let compressor = Compressor::new(coding, levels(route), length.unwrap_or_default());
        (BodyPlan::Compress(Box::new(compressor)), Some(compressed))
    }

    /// The same of a body that takes the place of the origin's.
    pub(super) async fn compress_replacement(
        &self,
        session: &Session,
        background: bool,
        route: &Route,
        parts: &mut ResponseParts,
        body: Bytes,
    ) -> (BodyPlan, Option<Compressed>) {
        let done = compress(
            session,
            background,
            route,
            parts.status,
            &mut parts.lines,
            body,
        )
        .await;
        (BodyPlan::Replace(done.0), done.1)
    }

    /// The same of an answer that a function made in the origin's place (LE-170).
    pub(super) async fn compress_whole(
        &self,
        session: &Session,
        background: bool,
        exchange: &Exchange,
        generated: &mut Generated,
    ) -> Option<Compressed> {
        let body = std::mem::take(&mut generated.body);
        let lines = &mut generated.lines;
        let compressed;
        (generated.body, compressed) = compress(
            session,
            background,
            &exchange.route,
            generated.status,
            lines,
            body,
        )
        .await;
        compressed
    }
}

async fn compress(
    session: &Session,
    background: bool,
    route: &Route,
    status: u16,
    lines: &mut Vec<HeaderLine>,
    body: Bytes,
) -> (Bytes, Option<Compressed>) {
    let length = body.len() as u64;
    let coding = match choose(session, background, route, status, lines, Some(length)) {
        Choice::AsItIs => return (body, None),
        Choice::Varies => {
            compression::vary(lines);
            return (body, None);
        }
        Choice::Compress(coding) => coding,
    };
    let Some(smaller) = whole(coding, levels(route), body.clone()).await else {
        compression::vary(lines);
        return (body, None);
    };
    let compressed = compression::relabel(lines, coding);
    (smaller, Some(compressed))
}

/// `None` when the runtime is shutting down.
async fn whole(coding: Coding, levels: Levels, body: Bytes) -> Option<Bytes> {
    let length = body.len();
    let work = move || Compressor::new(coding, levels, length as u64).push(&body, true);
    match length {
        ..=AT_ONCE => Some(work()),
        _ => tokio::task::spawn_blocking(work).await.ok(),
    }
}

fn choose(
    session: &Session,
    background: bool,
    route: &Route,
    status: u16,
    lines: &[HeaderLine],
    length: Option<u64>,
) -> Choice {
    let request = session.req_header();
    let asked = Asked {
        method: &request.method,
        headers: &request.headers,
        version: request.version,
        // Nobody waits for what a refresh brings.
        ranged: !background && request.headers.contains_key(header::RANGE),
    };
    let answer = Answer {
        status,
        lines,
        length,
    };
    compression::choose(route.behavior(), asked, answer)
}

fn levels(route: &Route) -> Levels {
    let settings = &route.snapshot().settings().compression;
    Levels {
        gzip: settings.gzip_level,
        brotli: settings.brotli_level,
    }
}
