//! Ranges of objects that are not stored whole (CF-532..544).
//!
//! A range of something of which nothing is stored goes to the origin as whole slices ([`wanted`]). A part that the origin sends
//! becomes an object in segments, some of which are there ([`Edge::take_part`]), and so does a whole body that is too
//! long for memory; a shorter one is one object, and cheaper to answer from. From then on every request for it is a hit, whose missing segments are fetched while it is answered; the
//! first of them before, so that a failure can still be told ([`prepare`]). Parts are joined under a strong validator
//! alone. [`fetch`] brings them.
//!
//! What cannot be stored in parts is asked for once more, whole or exactly as the viewer wants it, and that is remembered for a
//! while ([`Unsliced`]).
//!
//! Functions at the origin's triggers see one request and one response for what a viewer asks. The origin-request function's
//! result holds for all parts that are fetched for the viewer; the access record names the call when it was made before the
//! answer began. The origin-response function is shown the first answer about an object, as a 206 where that is what it is.
//! The answers with its other parts bring nothing but bytes.
//!
//! Several ranges are fetched as slices too, where CloudFront would pass them on as they are: at most a hundred slices, and they
//! answer later.

mod fetch;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use fourfront_cache::{
    Refusal,
    key::CacheKey,
    policy::{ByteRange, ContentRange, RequestFacts, StrongValidator, aligned_range},
    segments::Layout,
};
use fourfront_model::HeaderLine;
use fourfront_origin::request::RangeSent;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use parking_lot::Mutex;
use pingora::{
    Error, Result,
    cache::{CacheMeta, ForcedFreshness, key::CacheHashKey as _, storage::HitHandler},
    http::ResponseHeader,
    proxy::{RangeType, Session},
};

use super::{
    Edge, REFETCH,
    context::Ctx,
    hook::Decision,
    storage::{Plan, SegmentedHit, StoredFacts, Unfetched, run_of},
    store::{self, Fetched},
};
use crate::flow::{Fetch, Flow, Lookup, Store};
pub(super) use fetch::Source;

/// How long it is remembered that something cannot be stored in parts.
const REMEMBERED: Duration = Duration::from_secs(300);

/// And of how much. What is forgotten costs one request to an origin.
const MOST_REMEMBERED: usize = 4096;

/// How else a range is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instead {
    /// The whole object: its parts cannot be joined.
    Whole,
    /// As the viewer wants it: nothing of it is stored.
    Exactly,
}

/// What cannot be stored in parts, by key, and until when that is remembered.
#[derive(Debug, Default)]
pub(super) struct Unsliced(Mutex<HashMap<CacheKey, (Instead, SystemTime)>>);

impl Unsliced {
    fn get(&self, key: &CacheKey, now: SystemTime) -> Option<Instead> {
        let (instead, until) = *self.0.lock().get(key)?;
        (now < until).then_some(instead)
    }

    fn put(&self, key: CacheKey, instead: Instead, now: SystemTime) {
        let mut table = self.0.lock();
        if table.len() >= MOST_REMEMBERED {
            table.retain(|_, (_, until)| now < *until);
        }
        if table.len() >= MOST_REMEMBERED {
            table.clear();
        }
        table.insert(key, (instead, now + REMEMBERED));
    }
}

/// What of the viewer's `Range` is sent, and the slices that are asked for in its place (CF-533, CF-538).
pub(super) fn wanted(
    edge: &Edge,
    session: &Session,
    lookup: &Lookup,
) -> (RangeSent, Option<ByteRange>) {
    if !session.cache.enabled() {
        return (RangeSent::Forward, None);
    }
    let request = session.req_header();
    if request.method != Method::GET || !request.headers.contains_key(header::RANGE) {
        return (RangeSent::Strip, None);
    }
    let stored = session.cache.maybe_cache_meta().and_then(StoredFacts::of);
    if stored.is_some_and(|stored| stored.layout.is_none()) {
        // It is there as a whole, and stays so when it is fetched anew.
        return (RangeSent::Strip, None);
    }
    let route = &lookup.exchange.route;
    let Some(slice) = route.distribution().range_slice.bytes() else {
        return (RangeSent::Forward, None);
    };
    let key = key_of(session);
    match edge
        .node()
        .cache()
        .unsliced()
        .get(&key, edge.node().clock().now())
    {
        Some(Instead::Whole) => return (RangeSent::Strip, None),
        Some(Instead::Exactly) => return (RangeSent::Forward, None),
        None => {}
    }
    sliced(&request.headers, slice)
}

/// The slices of so many bytes that are asked for in the place of a viewer's range.
pub(super) fn sliced(headers: &HeaderMap, slice: u32) -> (RangeSent, Option<ByteRange>) {
    let asked = aligned_range(headers, u64::from(slice), run_of(slice))
        .and_then(|range| Some((range, field(range)?)));
    match asked {
        Some((range, field)) => (RangeSent::Replace(field), Some(range)),
        // CF-537: the field is ignored.
        None => (RangeSent::Strip, None),
    }
}

/// The key of the response a request is for.
fn key_of(session: &Session) -> CacheKey {
    CacheKey::from_bytes(session.cache.cache_key().combined_bin())
}

/// Makes a request that was decided before ask for what is wanted now.
pub(super) fn wants(fetch: &mut Fetch, session: &Session, range: RangeSent) {
    let lines = &mut fetch.request.lines;
    lines.retain(|l| l.name != header::RANGE && l.name != header::IF_RANGE);
    fetch.range = range.clone();
    match range {
        RangeSent::Strip => {}
        RangeSent::Forward => lines.extend(viewers_range(session)),
        RangeSent::Replace(field) => lines.push(fetch::line(header::RANGE, field)),
    }
}

fn viewers_range(session: &Session) -> impl Iterator<Item = HeaderLine> {
    let lines = super::headers::lines(session.req_header());
    lines
        .into_iter()
        .filter(|l| l.name == header::RANGE || l.name == header::IF_RANGE)
}

/// A range as the field that asks for it.
fn field(range: ByteRange) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("bytes={}-{}", range.start, range.end)).ok()
}

/// `cache_hit_filter` of an object in segments that may answer: has the first wanted segment fetched when it is missing. What is
/// said of the hit is `freshness`, unless that shows that the object cannot answer.
pub(super) async fn prepare(
    edge: &Arc<Edge>,
    session: &Session,
    meta: &CacheMeta,
    hit: &mut HitHandler,
    freshness: Option<ForcedFreshness>,
    ctx: &mut Ctx,
) -> Option<ForcedFreshness> {
    // Of what was found before a wait for the key's lock.
    ctx.keeps_stored = None;
    ctx.lacks_parts = false;
    ctx.decided = None;
    let Some(hit) = hit.as_any_mut().downcast_mut::<SegmentedHit>() else {
        return freshness;
    };
    if matches!(freshness, Some(ForcedFreshness::ForceMiss)) {
        return freshness;
    }
    let (Some(validator), Some(stored), Ok(lookup)) = (
        StrongValidator::of(meta.headers()),
        StoredFacts::of(meta),
        ctx.flow.lookup(),
    ) else {
        edge.node()
            .cache()
            .lead_all_the_same(session.cache.cache_key());
        return Some(ForcedFreshness::ForceMiss);
    };
    let (only_if_cached, is_stale) = (lookup.asked.only_if_cached, lookup.grace.is_some());
    let source = match &ctx.source {
        Some(source) => source.renewed(validator.clone()),
        None => Source::of_hit(edge, session, lookup, validator.clone()),
    };
    ctx.source = Some(source.clone());
    hit.fetch_by(source.clone());
    let Some((at, end)) = bytes_wanted(session, meta) else {
        return freshness;
    };
    if !matches!(freshness, Some(ForcedFreshness::ForceFresh)) {
        // The origin is asked about it first, and may have another.
        ctx.lacks_parts = !hit.has_all(at, end);
        return freshness;
    }
    if only_if_cached && !hit.has_all(at, end) {
        // CF-829
        edge.node()
            .cache()
            .lead_all_the_same(session.cache.cache_key());
        return Some(ForcedFreshness::ForceMiss);
    }
    if hit.has(at) {
        return freshness;
    }
    let mut failed = source.ask(&mut ctx.record).await.err();
    // Twice: another request may have been about to bring it, and have failed.
    for _ in 0..2 {
        if failed.is_some() {
            break;
        }
        match hit.begin(at, end).await {
            Ok(brings) => {
                ctx.completed = brings && !is_stale;
                return freshness;
            }
            Err(None) => {}
            Err(Some(why)) => {
                if matches!(*why, Unfetched::Changed) {
                    hit.object().discard();
                    return Some(ForcedFreshness::ForceMiss);
                }
                break;
            }
        }
    }
    // The request goes on as a miss, and its viewer gets what the origin says to it. What is stored stays.
    edge.node()
        .cache()
        .lead_all_the_same(session.cache.cache_key());
    ctx.keeps_stored = Some((stored, validator));
    ctx.decided = match failed.take() {
        Some(Unfetched::Answered(Some(answer))) => Some(Ok(Decision::Respond(*answer))),
        // An origin that failed is asked again, or another one is.
        Some(Unfetched::Fault(fault)) if !matches!(fault, crate::flow::Fault::Origin(_)) => {
            Some(Err(fault))
        }
        _ => None,
    };
    Some(ForcedFreshness::ForceMiss)
}

/// The first byte of the body that the answer needs, and where it ends; `None` when it needs no body.
fn bytes_wanted(session: &Session, meta: &CacheMeta) -> Option<(u64, u64)> {
    let request = session.req_header();
    let mut head = meta.response_header_copy();
    if request.method != Method::GET || store::not_modified(request, &head) {
        return None;
    }
    let total = StoredFacts::of(meta)?.layout?.total;
    match store::range(request, &mut head) {
        RangeType::None => Some((0, total)),
        RangeType::Single(range) => Some((range.start as u64, range.end as u64)),
        // The first of them; a failure to bring the others ends the transfer.
        RangeType::Multi(several) => several
            .ranges
            .first()
            .map(|range| (range.start as u64, range.end as u64)),
        RangeType::Invalid => None,
    }
}

impl Edge {
    /// What becomes of the 206 that answers for slices: the first part of an object in segments, or all of a short one.
    /// `None` when it is an answer like any other.
    ///
    /// # Errors
    /// The one that leads to another request, when parts of this cannot be stored (CF-534).
    #[expect(clippy::too_many_arguments, reason = "all that is known of the answer")]
    pub(super) fn take_part(
        &self,
        session: &Session,
        head: &mut ResponseHeader,
        ctx: &mut Ctx,
        fetch: Fetch,
        store: impl FnOnce(Fetch) -> Store,
        slice: ByteRange,
        validator: Option<StrongValidator>,
    ) -> Result<()> {
        let part = ContentRange::of(&head.headers).filter(|part| answers(*part, slice));
        let joinable = validator.filter(|v| v.is_of(&head.headers));
        let (Some(range), Some(total), Some(validator)) = (
            part.map(|part| part.range),
            part.and_then(|part| part.complete),
            joinable,
        ) else {
            let total = part.and_then(|part| part.complete);
            let instead = match total.is_some_and(|total| self.node().cache().fits(head, total)) {
                true => Instead::Whole,
                false => Instead::Exactly,
            };
            return Err(self.ask_otherwise(session, ctx, fetch, instead, true));
        };
        head.set_status(StatusCode::OK)?;
        head.set_reason_phrase(None)?;
        head.remove_header(&header::CONTENT_RANGE);
        head.insert_header(header::CONTENT_LENGTH, total)?;
        if range.start == 0 && range.len() == total {
            ctx.flow = Flow::Store(Box::new(store(fetch)));
            return Ok(());
        }
        let again = fetch.again();
        let state = store(again);
        let now = self.node().clock().now();
        let request = RequestFacts {
            method: &session.req_header().method,
            authorization: state.authorization,
        };
        let fetched = Fetched {
            requested: ctx.requested.unwrap_or(now),
            now,
            shielded: ctx.shielded,
        };
        let slice = u64::from(self.slice_of(&fetch).unwrap_or_default());
        let judged = match state.unhooked {
            true => Err(Refusal::Unhooked),
            false => {
                let exchange = &state.exchange;
                self.judge_length(
                    session,
                    exchange,
                    &request,
                    head,
                    state.varies,
                    fetched,
                    slice,
                )
            }
        };
        let meta = match judged {
            Ok(meta) => meta,
            Err(refusal) => {
                // Those are this request's, and say nothing of others.
                let its = matches!(refusal, Refusal::Unhooked | Refusal::Authorization);
                return Err(self.ask_otherwise(session, ctx, fetch, Instead::Exactly, !its));
            }
        };
        // The same as one that is there: its segments stay. Another request may have stored its head since this one found
        // none: between the look-up and the key's lock there is time for that.
        let stored = ctx
            .keeps_stored
            .take()
            .or_else(|| self.stored_parts(session))
            .and_then(|(facts, of)| Some((facts.layout.filter(|_| !facts.is_gone())?, of)));
        let same = stored.filter(|(layout, of)| {
            *of == validator && layout.total == total && u64::from(layout.segment) == slice
        });
        let layout = match same {
            Some((layout, _)) => Some(layout),
            None => self.layout_of(&fetch, total),
        };
        let parts = fetch.again();
        let meta =
            layout.and_then(|layout| self.in_segments(meta, layout, range, parts, validator));
        let Some(meta) = meta else {
            return Err(self.ask_otherwise(session, ctx, fetch, Instead::Exactly, false));
        };
        ctx.prepared = Some(meta);
        ctx.flow = Flow::Store(Box::new(state));
        Ok(())
    }

    /// The record of an object of which a part is about to arrive.
    fn in_segments(
        &self,
        mut meta: CacheMeta,
        layout: Layout,
        arriving: ByteRange,
        fetch: Fetch,
        validator: StrongValidator,
    ) -> Option<CacheMeta> {
        let facts = StoredFacts::of(&meta)?.with_layout(Some(layout));
        let rest = Source::of_fetch(self.shared()?, fetch, validator);
        meta.extensions_mut().insert(facts);
        meta.extensions_mut().insert(Plan { arriving, rest });
        Some(meta)
    }

    /// What is in memory under the key.
    fn stored_parts(&self, session: &Session) -> Option<(StoredFacts, StrongValidator)> {
        let stored = self.node().cache().stored(&key_of(session))?;
        let validator = StrongValidator::of(&stored.head().headers())?;
        Some((stored.head().facts().clone(), validator))
    }

    /// A new object's.
    fn layout_of(&self, fetch: &Fetch, total: u64) -> Option<Layout> {
        Some(Layout {
            id: rand::random(),
            total,
            segment: self.slice_of(fetch)?,
        })
    }

    fn slice_of(&self, fetch: &Fetch) -> Option<u32> {
        fetch.exchange.route.distribution().range_slice.bytes()
    }

    /// What a whole body can be fetched in parts by, if it is long enough to be stored in segments, and its origin gives parts.
    pub(super) fn long_body(
        &self,
        session: &Session,
        head: &ResponseHeader,
        fetch: &Fetch,
    ) -> Option<Box<Fetch>> {
        self.slice_of(fetch).filter(|_| session.cache.enabled())?;
        let gives_parts = head
            .headers
            .get(header::ACCEPT_RANGES)
            .is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"bytes"));
        let length = store::length(head)?;
        let cache = self.node().cache();
        let now = self.node().clock().now();
        // Its parts were found not to be joined.
        let whole = cache.unsliced().get(&key_of(session), now) == Some(Instead::Whole)
            || cache.fits_memory(head, length);
        let long = session.req_header().method == Method::GET
            && head.status == StatusCode::OK
            && gives_parts
            && !whole;
        long.then(|| Box::new(fetch.again()))
    }

    /// The record of a whole body that is to be stored in segments; what was made of it without that, when it cannot be.
    pub(super) fn cut(&self, meta: CacheMeta, ctx: &mut Ctx) -> CacheMeta {
        let Some((fetch, validator)) = ctx.long.take() else {
            return meta;
        };
        let length = store::length(meta.response_header()).filter(|length| *length > 0);
        let (Some(length), true) = (length, validator.is_of(meta.headers())) else {
            return meta;
        };
        let all = ByteRange {
            start: 0,
            end: length - 1,
        };
        let copy = super::storage::record(
            meta.created(),
            meta.response_header_copy(),
            match StoredFacts::of(&meta) {
                Some(facts) => facts,
                None => return meta,
            },
        );
        let layout = self.layout_of(&fetch, length);
        layout
            .and_then(|layout| self.in_segments(copy, layout, all, *fetch, validator))
            .unwrap_or(meta)
    }

    /// Asks once more, without slices; remembers to do so where that is to hold for others.
    pub(super) fn ask_otherwise(
        &self,
        session: &Session,
        ctx: &mut Ctx,
        mut fetch: Fetch,
        instead: Instead,
        for_others: bool,
    ) -> Box<Error> {
        if for_others {
            let now = self.node().clock().now();
            let unsliced = self.node().cache().unsliced();
            unsliced.put(key_of(session), instead, now);
        }
        let range = match instead {
            Instead::Whole => RangeSent::Strip,
            Instead::Exactly => RangeSent::Forward,
        };
        wants(&mut fetch, session, range);
        ctx.flow = Flow::Fetch(Box::new(fetch));
        Error::new(REFETCH).into_up()
    }
}

/// Whether a part is what was asked for: from its first byte to its last, or to the end of the body.
fn answers(part: ContentRange, slice: ByteRange) -> bool {
    part.range.start == slice.start
        && part
            .complete
            .is_some_and(|total| part.range.end == slice.end.min(total.saturating_sub(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_cut_is_remembered_for_a_while_and_within_bounds() {
        // CF-533
        let key =
            |n: u64| CacheKey::from_bytes((u128::from(n) << 64 | u128::from(n)).to_le_bytes());
        let unsliced = Unsliced::default();
        let now = SystemTime::UNIX_EPOCH;
        unsliced.put(key(0), Instead::Whole, now);
        assert_eq!(unsliced.get(&key(0), now), Some(Instead::Whole));
        assert_eq!(unsliced.get(&key(1), now), None);
        assert_eq!(unsliced.get(&key(0), now + REMEMBERED), None);
        for n in 1..3 * MOST_REMEMBERED as u64 {
            unsliced.put(key(n), Instead::Exactly, now);
            assert_eq!(unsliced.get(&key(n), now), Some(Instead::Exactly));
        }
        assert!(unsliced.0.lock().len() <= MOST_REMEMBERED);
    }

    #[test]
    fn a_part_answers_for_its_slices_alone() {
        // CF-534
        let part = |start, end, complete| ContentRange {
            range: ByteRange { start, end },
            complete,
        };
        let slice = ByteRange { start: 10, end: 19 };
        for (given, so) in [
            (part(10, 19, Some(100)), true),
            (part(10, 14, Some(15)), true),
            (part(10, 14, Some(100)), false),
            (part(9, 19, Some(100)), false),
            (part(10, 20, Some(100)), false),
            (part(10, 19, None), false),
        ] {
            assert_eq!(answers(given, slice), so, "{given:?}");
        }
    }
}
