//! Behaviours in legacy mode: policies derived from `forwarded_values` and the TTLs beside it (CF-068, CF-069).
//!
//! What such a behaviour forwards it also keys, but for query parameters that are only forwarded (CF-186); beyond that the
//! origin gets what CloudFront has always passed on, the "legacy" column of CF section 4.2
//! ([`OriginHeaders::Legacy`]). So nothing after the loader has to know of a third kind of behaviour.

use std::sync::Arc;

use fourfront_model::{
    CachePolicy, GeneratedHeaders, OriginHeaders, OriginRequestPolicy, Selection, Ttl, Wildcard,
};

use super::{headers, policy};
use crate::{
    cursor::shorten,
    raw::{RawLegacy, RawLegacyCookies, RawSelection, RawTtls},
    report::{At, Report, Spanned},
};

/// Both policies of a behaviour in legacy mode. `None` means that errors were reported.
pub(crate) fn lower(
    raw: RawLegacy,
    ttls: &RawTtls,
    report: &Report,
) -> Option<(Arc<CachePolicy>, Arc<OriginRequestPolicy>)> {
    let forwards_all = forwards_all_headers(&raw.headers, ttls, report);
    let (keyed_query, sent_query) = query_strings(raw.query_string, raw.query_keys, report)?;
    let cookies = cookies(raw.cookies, report);
    let (ttl, keyed, sent) = if forwards_all {
        // CF-216: nothing is stored, so there is no key to put all headers into.
        (
            Ttl::new(0, Some(0), Some(0)).ok()?,
            Vec::new(),
            OriginHeaders::AllViewer,
        )
    } else {
        let names = headers::key_names(raw.headers, report);
        (ttl(ttls, &raw.at, report)?, names, OriginHeaders::Legacy)
    };
    let cache_policy = CachePolicy {
        name: None,
        ttl,
        headers: keyed,
        cookies,
        query_strings: keyed_query,
        // CF-210, and CF-332 where the behaviour does not compress: what an origin compresses for some viewers must not
        // reach the others, so whatever is sent of this header is keyed.
        accept_encoding_gzip: !forwards_all,
        accept_encoding_brotli: false,
    };
    let origin_request_policy = OriginRequestPolicy {
        name: None,
        headers: sent,
        // Those that are listed are in the cache policy, as all that is.
        generated: GeneratedHeaders::NONE,
        cookies: Selection::None,
        query_strings: sent_query,
    };
    Some((Arc::new(cache_policy), Arc::new(origin_request_policy)))
}

/// `*`: all of them, which leaves nothing to be cached (CF-068).
fn forwards_all_headers(names: &[Spanned<String>], ttls: &RawTtls, report: &Report) -> bool {
    let Some(all) = names.iter().find(|n| n.value == "*") else {
        return false;
    };
    if names.len() > 1 {
        let message = "InvalidArgument: `*` stands for all headers, and others are listed with it";
        report.error(&all.at, message);
    }
    if let Some(min) = ttls.min.as_ref().filter(|t| t.value > 0) {
        let message = "InvalidTTLOrder: with all headers forwarded nothing is cached, so the minimum TTL has to be 0";
        report.error(&min.at, message);
    }
    true
}

/// CF-069, CF-111..113
fn ttl(ttls: &RawTtls, at: &At, report: &Report) -> Option<Ttl> {
    let value = |ttl: &Option<Spanned<u64>>| ttl.as_ref().map(|t| t.value);
    let ttl = Ttl::new(
        value(&ttls.min).unwrap_or(0),
        value(&ttls.default),
        value(&ttls.max),
    );
    ttl.map_err(|e| {
        let at = ttls.any().map_or(at, |t| &t.at);
        report.error(at, format!("InvalidTTLOrder: {e}"));
    })
    .ok()
}

/// What of the query is keyed, and what is sent beyond that (CF-186).
fn query_strings(
    forwarded: Option<Spanned<bool>>,
    keys: Vec<Spanned<String>>,
    report: &Report,
) -> Option<(Selection, Selection)> {
    let forwarded = forwarded?;
    if !forwarded.value && !keys.is_empty() {
        let message =
            "InvalidQueryStringParameters: parameters are to be keyed and none is forwarded";
        report.error(&forwarded.at, message);
        return None;
    }
    Some(match (forwarded.value, keys.is_empty()) {
        (false, _) => (Selection::None, Selection::None),
        (true, true) => (Selection::All, Selection::None),
        (true, false) => {
            let keys = policy::query_strings(RawSelection::Whitelist(keys), report);
            (keys, Selection::All)
        }
    })
}

/// CF-196
fn cookies(raw: RawLegacyCookies, report: &Report) -> Selection {
    let names = match raw {
        RawLegacyCookies::None => return Selection::None,
        RawLegacyCookies::All => return Selection::All,
        RawLegacyCookies::Whitelist(names) => names,
    };
    let mut patterns: Vec<Wildcard> = Vec::with_capacity(names.len());
    for name in names {
        // `*` is a character of a token, `?` is none.
        if !headers::is_token(&name.value.replace('?', "*")) {
            let message = format!("`{}` is not the name of a cookie", shorten(&name.value));
            report.error(&name.at, message);
            continue;
        }
        let pattern = Wildcard::new(name.value);
        if !patterns.contains(&pattern) {
            patterns.push(pattern);
        }
    }
    Selection::Wildcards(patterns)
}
