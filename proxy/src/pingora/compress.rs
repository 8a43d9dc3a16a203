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
use crate::node::InFlightGuard;

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
        let (coding, at_work) = match self.spare(choice, route) {
            Spared::AsItIs => return (BodyPlan::Relay, None),
            Spared::Varies => {
                compression::vary(&mut parts.lines);
                return (BodyPlan::Relay, None);
            }
            Spared::Compress(coding, at_work) => (coding, at_work),
        };
        let compressed = compression::relabel(&mut parts.lines, coding);
        let compressor = Compressor::new(coding, levels(route), length.unwrap_or_default());
        let compressor = compressor.counted(at_work);
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
        let done = self
            .compress(
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
        (generated.body, compressed) = self
            .compress(
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

    async fn compress(
        &self,
        session: &Session,
        background: bool,
        route: &Route,
        status: u16,
        lines: &mut Vec<HeaderLine>,
        body: Bytes,
    ) -> (Bytes, Option<Compressed>) {
        let length = body.len() as u64;
        let choice = choose(session, background, route, status, lines, Some(length));
        let (coding, _at_work) = match self.spare(choice, route) {
            Spared::AsItIs => return (body, None),
            Spared::Varies => {
                compression::vary(lines);
                return (body, None);
            }
            Spared::Compress(coding, at_work) => (coding, at_work),
        };
        let Some(smaller) = whole(coding, levels(route), body.clone()).await else {
            compression::vary(lines);
            return (body, None);
        };
        let compressed = compression::relabel(lines, coding);
        (smaller, Some(compressed))
    }

    /// What is left of a choice when as many bodies are compressed as may be at the same time (CF-605): one more then is sent
    /// and stored as it is, and served so until it expires (CF-209). It varies all the same, since the next one may
    /// be compressed.
    ///
    /// The number is a measure of the processors' load that knows no other cause, and bounds what encoders hold of memory.
    fn spare(&self, choice: Choice, route: &Route) -> Spared {
        let coding = match choice {
            Choice::AsItIs => return Spared::AsItIs,
            Choice::Varies => return Spared::Varies,
            Choice::Compress(coding) => coding,
        };
        let most = route.snapshot().settings().compression.max_in_flight;
        match self.node().load().compression(most) {
            Some(at_work) => Spared::Compress(coding, at_work),
            None => {
                let distribution = &route.distribution().id;
                self.node().metrics().compression_skipped(distribution);
                Spared::Varies
            }
        }
    }
}

/// What becomes of a body once it is known whether there is a processor to spare.
enum Spared {
    AsItIs,
    Varies,
    Compress(Coding, InFlightGuard),
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
    if route.is_at_shield() {
        // Whoever compresses is who knows the viewer.
        return Choice::AsItIs;
    }
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
