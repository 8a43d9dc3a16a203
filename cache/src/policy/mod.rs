//! What HTTP and CloudFront say about storing, freshness, staleness, validation, conditions and
//! ranges, as pure functions of (request, response or stored entry, now).
//!
//! There is no clock, no storage and no connection here: time is always a parameter, and a decision
//! is a value. Both cache modes live side by side (CF section 10.3). In the life of a request:
//!
//! | Step | Function |
//! | --- | --- |
//! | may the request use the cache | [`may_use_cache`] |
//! | what is a stored entry good for | [`Freshness::judge`] |
//! | the same, as the viewer asks for it | [`RequestDirectives::judge`] |
//! | conditions and ranges on a hit | [`evaluate_preconditions`], [`evaluate_range`] |
//! | parts of an object that is not stored whole | [`aligned_range`], [`ContentRange`], [`StrongValidator`] |
//! | asking the origin about a stale entry | [`revalidation`] |
//! | the origin said 304 | [`not_modified_matches`], [`merge_not_modified`] |
//! | the origin failed | [`Freshness::on_failure`], [`Freshness::held_off`], [`StoreRules::hold_off`] |
//! | the request changed something | [`invalidates`], [`further_targets`] |
//! | storing | [`decide_store`], [`strip_for_storage`], [`keep_body`] |
//! | what was shared against advice | [`stored_despite`], [`vary_is_keyed`] |

mod cache_control;
mod conditional;
mod date;
mod despite;
mod etag;
mod facts;
mod freshness;
mod invalidate;
mod part;
mod range;
mod request;
mod revalidate;
mod store;
mod stored_copy;
mod targeted;

pub(crate) use cache_control::end_of_member;
pub use cache_control::{CacheControl, DELTA_SECONDS_CAP, Scope};
pub use conditional::{
    CONDITIONALS, Precondition, evaluate_preconditions, strips_conditionals_on_miss,
};
pub use despite::{Despite, stored_despite, vary_is_keyed};
pub use facts::{
    Authorization, ErrorTtls, OriginClass, RequestFacts, ResponseFacts, StoreRules, Varies,
};
pub use freshness::{
    FailureAnswer, Freshness, Grace, LifetimeSource, OnError, OriginFailure, Reuse, Verdict,
};
pub use invalidate::{Target, further_targets, invalidates};
pub use part::{ContentRange, StrongValidator, aligned_range};
pub use range::{ByteRange, RangeAnswer, evaluate_range, unsatisfied_range};
pub use request::RequestDirectives;
pub use revalidate::{
    EdgeEncoding, HeadUpdate, OriginCookies, Revalidation, head_update, merge_not_modified,
    not_modified_matches, revalidation,
};
pub use store::{BodyEnd, Storability, answers, decide_store, keep_body, may_use_cache};
pub use stored_copy::{HOP_BY_HOP, NOT_MODIFIED_FIELDS, strip_for_storage};
pub use targeted::targets;
