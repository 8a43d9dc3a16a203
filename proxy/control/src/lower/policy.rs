//! Policies: managed ones looked up, inline ones checked (CF section 1.6).

use std::{collections::HashMap, sync::Arc};

use fourfront_model::{
    CachePolicy, GeneratedHeaders, MANAGED_CACHE_POLICIES, MANAGED_ORIGIN_REQUEST_POLICIES,
    OriginHeaders, OriginRequestPolicy, Selection, Ttl, managed_cache_policy,
    managed_origin_request_policy,
};

use super::headers;
use crate::{
    cursor::shorten,
    raw::{RawCachePolicy, RawHeaders, RawOriginRequestPolicy, RawPolicy, RawSelection},
    report::{Report, Spanned},
    spelling::nearest,
};

/// The cache policy a behaviour gets when it names none: a behaviour must have one (CF-065), and this is
/// what CloudFront's console proposes (CF-135).
const DEFAULT_CACHE_POLICY: &str = "Managed-CachingOptimized";

/// Managed cache policies of Amplify hosting, whose contents AWS does not publish (CF-142).
const AMPLIFY_HOSTING: &[&str] = &[
    "4d1d2f1d-3a71-49ad-9e08-7ea5d843a556",
    "a6bad946-36c3-4c33-aa98-362c74a7fb13",
    "1c6db51a-a33f-469a-8245-dae26771f530",
    "7e5fad67-ee98-4ad0-b05a-394999eefc1a",
];

pub(crate) fn cache_policy(
    raw: Option<RawPolicy<RawCachePolicy>>,
    report: &Report,
) -> Option<Arc<CachePolicy>> {
    match raw {
        None => managed_cache_policy(DEFAULT_CACHE_POLICY),
        Some(RawPolicy::Inline(raw)) => inline_cache_policy(raw, report).map(Arc::new),
        Some(RawPolicy::Named(name)) => {
            let found = managed_cache_policy(&name.value);
            if found.is_none() {
                let known = MANAGED_CACHE_POLICIES.iter().map(|m| m.name);
                if AMPLIFY_HOSTING.contains(&name.value.as_str()) {
                    report.error(
                        &name.at,
                        "this managed policy of Amplify hosting is not supported: AWS does not publish its contents",
                    );
                } else {
                    unknown("NoSuchCachePolicy", &name, known, report);
                }
            }
            found
        }
    }
}

pub(crate) fn origin_request_policy(
    raw: RawPolicy<RawOriginRequestPolicy>,
    report: &Report,
) -> Option<Arc<OriginRequestPolicy>> {
    match raw {
        RawPolicy::Inline(raw) => Some(Arc::new(inline_origin_request_policy(raw, report))),
        RawPolicy::Named(name) => {
            let found = managed_origin_request_policy(&name.value);
            if found.is_none() {
                let known = MANAGED_ORIGIN_REQUEST_POLICIES.iter().map(|m| m.name);
                unknown("NoSuchOriginRequestPolicy", &name, known, report);
            }
            found
        }
    }
}

pub(super) fn inline_origin_request_policy(
    raw: RawOriginRequestPolicy,
    report: &Report,
) -> OriginRequestPolicy {
    let mut generated = GeneratedHeaders::NONE;
    OriginRequestPolicy {
        name: raw.name.map(|n| n.value),
        headers: match raw.headers {
            RawHeaders::None => OriginHeaders::None,
            RawHeaders::AllViewer => OriginHeaders::AllViewer,
            RawHeaders::AllViewerAnd(names) => {
                generated = headers::generated_names(names, report);
                OriginHeaders::AllViewer
            }
            RawHeaders::Whitelist(names) => {
                OriginHeaders::Whitelist(headers::forwarded_names(names, report))
            }
            RawHeaders::AllExcept(names) => {
                OriginHeaders::AllExcept(headers::excepted_names(names, report))
            }
        },
        generated,
        cookies: cookies(raw.cookies, report),
        query_strings: query_strings(raw.query_strings, report),
    }
}

fn unknown(
    code: &str,
    name: &Spanned<String>,
    known: impl Iterator<Item = &'static str>,
    report: &Report,
) {
    let help = match nearest(bare(&name.value), known) {
        Some(near) => format!("did you mean `Managed-{near}`?"),
        None => {
            "declare it at the top of the file, name a managed policy, or write the policy in place"
                .to_owned()
        }
    };
    let message = format!("{code}: there is no policy `{}`", shorten(&name.value));
    report.error_help(&name.at, message, help);
}

fn bare(name: &str) -> &str {
    name.strip_prefix("Managed-").unwrap_or(name)
}

pub(super) fn inline_cache_policy(raw: RawCachePolicy, report: &Report) -> Option<CachePolicy> {
    let names = match raw.headers {
        RawHeaders::Whitelist(names) => headers::key_names(names, report),
        // `all but` and `all viewer` do not leave stage two in a cache policy.
        RawHeaders::None
        | RawHeaders::AllViewer
        | RawHeaders::AllViewerAnd(_)
        | RawHeaders::AllExcept(_) => Vec::new(),
    };
    let value = |ttl: &Option<Spanned<u64>>| ttl.as_ref().map(|t| t.value);
    // CF-110 asks for the minimum; a hand-written policy that gives none means none.
    let ttl = Ttl::new(
        value(&raw.min_ttl).unwrap_or(0),
        value(&raw.default_ttl),
        value(&raw.max_ttl),
    );
    if let Err(e) = &ttl {
        // CF-113
        let at = [&raw.max_ttl, &raw.default_ttl, &raw.min_ttl]
            .into_iter()
            .flatten()
            .map(|t| &t.at)
            .next()
            .unwrap_or(&raw.at);
        report.error(at, format!("InvalidTTLOrder: {e}"));
    }
    Some(CachePolicy {
        name: raw.name.map(|n| n.value),
        headers: names,
        cookies: cookies(raw.cookies, report),
        query_strings: query_strings(raw.query_strings, report),
        accept_encoding_gzip: raw.accept_encoding_gzip,
        accept_encoding_brotli: raw.accept_encoding_brotli,
        ttl: ttl.ok()?.with_heuristic(raw.heuristic),
    })
}

fn cookies(raw: RawSelection, report: &Report) -> Selection {
    selection(raw, report, "cookie", headers::is_token)
}

/// Any text can be the name of a parameter; it is compared as sent.
pub(super) fn query_strings(raw: RawSelection, report: &Report) -> Selection {
    selection(raw, report, "query parameter", |name| {
        !name.is_empty() && !name.contains(['&', '='])
    })
}

fn selection(raw: RawSelection, report: &Report, what: &str, valid: fn(&str) -> bool) -> Selection {
    let list = |names: Vec<Spanned<String>>| {
        let mut first: HashMap<String, usize> = HashMap::new();
        let mut kept = Vec::with_capacity(names.len());
        for name in names {
            if !valid(&name.value) {
                let message = format!("`{}` is not the name of a {what}", shorten(&name.value));
                report.error(&name.at, message);
            } else if let Some(line) = first.get(&name.value) {
                let message = format!("{what} `{}` is already listed on line {line}", name.value);
                report.error(&name.at, message);
            } else {
                first.insert(name.value.clone(), name.at.line);
                kept.push(name.value);
            }
        }
        kept
    };
    match raw {
        RawSelection::None => Selection::None,
        RawSelection::All => Selection::All,
        RawSelection::Whitelist(names) => Selection::Whitelist(list(names)),
        RawSelection::AllExcept(names) => Selection::AllExcept(list(names)),
    }
}
