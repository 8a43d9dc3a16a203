//! Distributions: names that are free, ids, and which one answers for unknown hosts (CF section 1.2).

use std::{collections::HashMap, sync::Arc};

use fourfront_model::{
    CacheMode, CacheTags, CdnCc, Compat, Distribution, HostName, PathPatternSlot, Rollout,
};

use super::{
    Context, Shared,
    behavior::{self, Surroundings},
    error_response, geo, headers, logging, origin, origin_group, quotas,
    rollout::RawPart,
    tls,
};
use crate::{
    cursor::shorten,
    raw::{RawBehavior, RawCacheTags, RawCdnCc, RawDistribution, RawModes, RawVary},
    report::{At, Report, Spanned},
};

/// A distribution and where what others may clash with stands.
pub(crate) struct Placed {
    pub(crate) distribution: Distribution,
    /// The name of its entry.
    pub(crate) name: String,
    id_at: At,
    domain_at: At,
    pub(super) alias_at: Vec<At>,
    pub(super) default: Option<Spanned<bool>>,
    pub(super) part: RawPart,
    /// Whether the policy that it names is there.
    pub(super) has_policy: bool,
}

impl Placed {
    /// Lowers one distribution. `None` means that errors were reported.
    pub(crate) fn lower(
        name: &Spanned<String>,
        raw: RawDistribution,
        site: &RawModes,
        shared: &Shared<'_>,
        context: &Context<'_>,
    ) -> Option<Self> {
        let report = context.report;
        quotas::distribution(&raw, report);
        let named = check_name(name, report);
        let id = distribution_id(name, raw.id.as_ref(), report);
        let domain = domain_name(name, named, raw.domain_name.as_ref(), report);
        let mut aliases = Vec::new();
        let mut alias_at = Vec::new();
        for alias in raw.aliases {
            match alias.value.parse::<HostName>() {
                Ok(host) => {
                    aliases.push(host);
                    alias_at.push(alias.at);
                }
                Err(e) => report.error(&alias.at, e.to_string()),
            }
        }
        let root = raw.default_root_object.and_then(|o| root_object(o, report));
        let cache_tags = raw.cache_tags.and_then(|tags| cache_tags(tags, report));
        // What was made for CloudFront is taken to rely on its ways.
        let default_mode = if raw.is_imported {
            CacheMode::Cloudfront
        } else {
            CacheMode::default()
        };
        let cache_mode = raw.modes.cache_mode.or(site.cache_mode);
        let cache_mode = cache_mode.unwrap_or(default_mode);
        let cdn_cc = raw.cdn_cc.map(|c| cdn_cc(c, cache_mode, report));
        let max_variants = raw.vary.and_then(|v| max_variants(&v, cache_mode, report));
        let error_responses = error_response::lower(raw.error_responses, report);

        let logging = raw.logging.and_then(|l| logging::lower(l, context));
        let geo_restriction = raw.geo_restriction.and_then(|g| geo::lower(g, context));

        let origins: Vec<_> = raw
            .origins
            .into_iter()
            .map(|named| {
                let origin = named
                    .value
                    .and_then(|o| origin::lower(&named.name, o, shared.access_controls, context));
                (named.name.value, origin.map(Arc::new))
            })
            .collect();
        let modes = raw.modes;
        let compat = modes.compat.or(site.compat).unwrap_or_default();
        let groups = origin_group::lower(raw.origin_groups, &origins, report);
        let around = Surroundings {
            origins: &origins,
            groups: &groups,
            shared,
            compat,
            cache_mode,
            http_versions: raw.http_versions.unwrap_or_default(),
        };
        let default_at = raw.default_behavior.as_ref().map(|b| &b.at);
        let patterns = behavior::patterns(&raw.behaviors, default_at, report);
        let mtls = raw.viewer_mtls;
        let behaviors: Vec<_> = raw
            .behaviors
            .into_iter()
            .zip(patterns)
            .map(|(b, pattern)| {
                let slot = pattern.map(PathPatternSlot::Pattern);
                behavior::lower(b, slot, &around, context)
            })
            .collect();
        let default = raw.default_behavior.unwrap_or_else(|| {
            // With one origin there is nothing the default behaviour would have to say.
            RawBehavior::unwritten(raw.at.member("default_cache_behavior"))
        });
        let default = behavior::lower(default, Some(PathPatternSlot::Default), &around, context);

        let policies = behaviors.iter().chain([&default]).flatten();
        let certificate = raw.viewer_certificate;
        let certificate = certificate.map(|c| tls::viewer_certificate(c, context));
        let certificate = certificate.unwrap_or_default();
        if raw.at.file.is_deployed() && compat == Compat::Strict {
            let aliases: Vec<_> = aliases.iter().zip(&alias_at).collect();
            tls::check_aliases(&aliases, certificate.certificate.as_deref(), context);
        }
        let viewer_mtls = mtls.and_then(|m| tls::viewer_mtls(m, policies, context));

        Some(Self {
            distribution: Distribution {
                id: id?,
                domain_name: domain?,
                aliases,
                enabled: raw.enabled,
                default_root_object: root,
                behaviors: behaviors
                    .into_iter()
                    .map(|b| b.map(Arc::new))
                    .collect::<Option<_>>()?,
                default_behavior: Arc::new(default?),
                origins: origins.into_iter().map(|(_, o)| o).collect::<Option<_>>()?,
                cache_mode,
                request_cc: modes.request_cc.or(site.request_cc).unwrap_or_default(),
                compat,
                strict_header_keys: modes
                    .strict_header_keys
                    .or(site.strict_header_keys)
                    .unwrap_or_default(),
                strip_set_cookie_on_hit: modes
                    .strip_set_cookie_on_hit
                    .or(site.strip_set_cookie_on_hit)
                    .unwrap_or(cache_mode == CacheMode::Rfc9111),
                range_slice: modes.range_slice.or(site.range_slice).unwrap_or_default(),
                finish_fetch: modes.finish_fetch.or(site.finish_fetch).unwrap_or_default(),
                collapse_wait: modes.collapse_wait.or(site.collapse_wait),
                identity: modes
                    .identity
                    .or_else(|| site.identity.clone())
                    .unwrap_or_default(),
                cache_tags,
                cdn_cc: cdn_cc.unwrap_or_default(),
                max_variants: max_variants.unwrap_or(Distribution::MAX_VARIANTS),
                geo_restriction,
                error_responses,
                viewer_certificate: certificate,
                http_versions: raw.http_versions.unwrap_or_default(),
                viewer_mtls,
                logging,
                rollout: Rollout::None,
            },
            name: name.value.clone(),
            id_at: raw.id.map_or_else(|| name.at.clone(), |i| i.at),
            domain_at: raw.domain_name.map_or_else(|| name.at.clone(), |d| d.at),
            alias_at,
            default: raw.default,
            part: RawPart {
                staging: raw.staging,
                policy: raw.rollout,
            },
            has_policy: false,
        })
    }
}

/// CF-057, CF-670.
fn cache_tags(raw: RawCacheTags, report: &Report) -> Option<CacheTags> {
    let Some(header) = raw.header else {
        report.error_help(
            &raw.at.member("header_name"),
            "the field that tags come in has no name",
            "add `header_name:`, such as `Cache-Tag`".to_owned(),
        );
        return None;
    };
    if header.value.is_empty() {
        // As in CloudFront's normal form.
        return None;
    }
    if !headers::is_token(&header.value) {
        let message = format!("`{}` is not a header name", shorten(&header.value));
        report.error(&header.at, message);
        return None;
    }
    Some(CacheTags {
        header: header.value.to_ascii_lowercase(),
        separator: raw.separator.unwrap_or_default(),
        hide: raw.hide,
    })
}

/// CF-801, CF-837.
fn cdn_cc(raw: RawCdnCc, mode: CacheMode, report: &Report) -> CdnCc {
    if mode == CacheMode::Cloudfront {
        report.error(
            &raw.at,
            "mode `cloudfront` ignores such fields, and passes them on (CF-252)",
        );
    }
    let cdn_cc = CdnCc {
        hide: raw.hide,
        ..CdnCc::default()
    };
    let Some(field) = raw.field else {
        return cdn_cc;
    };
    match cdn_cc.clone().with_field(&field.value) {
        Ok(named) => return named,
        Err(e) => report.error_help(
            &field.at,
            format!("`{}` {e}", shorten(&field.value)),
            "a targeted field is called such as `Acme-Cache-Control`".to_owned(),
        ),
    }
    cdn_cc
}

/// CF-824, CF-312.
fn max_variants(raw: &RawVary, mode: CacheMode, report: &Report) -> Option<usize> {
    if mode == CacheMode::Cloudfront {
        report.error(
            &raw.at,
            "in mode `cloudfront` responses have no variants by `Vary` (CF-312)",
        );
    }
    raw.max_variants.and_then(|most| most.try_into().ok())
}

/// A distribution's name becomes part of a host name, so it has a host label's characters.
pub(crate) fn check_name(name: &Spanned<String>, report: &Report) -> bool {
    let ok = (1..=63).contains(&name.value.len())
        && name
            .value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if !ok {
        let message = format!(
            "`{}` is not a name for a distribution: 1 to 63 characters of A-Z, a-z, 0-9, `-` and `_`",
            shorten(&name.value)
        );
        report.error(&name.at, message);
    }
    ok
}

fn distribution_id(
    name: &Spanned<String>,
    given: Option<&Spanned<String>>,
    report: &Report,
) -> Option<String> {
    let Some(id) = given else {
        return Some(derived_id(&name.value));
    };
    let ok = (1..=64).contains(&id.value.len())
        && id
            .value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if !ok {
        let message = format!(
            "`{}` is not a distribution id: 1 to 64 characters of A-Z, a-z, 0-9, `-` and `_`",
            shorten(&id.value)
        );
        report.error(&id.at, message);
        return None;
    }
    Some(id.value.clone())
}

/// The id of a distribution that gives none: `E`, up to eight letters and digits of its name in upper case,
/// and six characters from a hash of the whole name. It depends on the name alone, so cache keys and logs
/// stay the same over restarts and on every node.
fn derived_id(name: &str) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    // FNV-1a, written out because the standard library's hash may change between compilers.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    });
    let start = name.chars().filter(char::is_ascii_alphanumeric).take(8);
    let suffix = (0..6).map(|i| {
        let five_bits = usize::try_from((hash >> (i * 5)) & 31).unwrap_or(0);
        char::from(ALPHABET[five_bits])
    });
    std::iter::once('E')
        .chain(start.map(|c| c.to_ascii_uppercase()))
        .chain(suffix)
        .collect()
}

/// `<name>.fourfront.localhost` unless given: browsers resolve `*.localhost` to the machine they run on.
fn domain_name(
    name: &Spanned<String>,
    name_is_label: bool,
    given: Option<&Spanned<String>>,
    report: &Report,
) -> Option<String> {
    let Some(domain) = given else {
        let label = name.value.to_ascii_lowercase();
        return name_is_label.then(|| format!("{label}.fourfront.localhost"));
    };
    match domain.value.parse::<HostName>() {
        Ok(host) if !host.is_wildcard() => Some(host.as_str().to_owned()),
        _ => {
            let message = format!("`{}` is not a host name", shorten(&domain.value));
            report.error(&domain.at, message);
            None
        }
    }
}

/// CF-040. Empty means none, as in CloudFront's normal form.
fn root_object(object: Spanned<String>, report: &Report) -> Option<String> {
    let text = &object.value;
    let fault = if text.is_empty() {
        return None;
    } else if text.starts_with('/') {
        "begins with `/`".to_owned()
    } else if text.len() > 255 {
        format!("is {} characters long, at most 255 are allowed", text.len())
    } else if let Some(c) = text
        .chars()
        .find(|c| !c.is_ascii_alphanumeric() && !"_-.*$/~\"'&".contains(*c))
    {
        format!("contains {c:?}")
    } else {
        return Some(object.value);
    };
    let message = format!("InvalidDefaultRootObject: `{}` {fault}", shorten(text));
    report.error_help(
        &object.at,
        message,
        "name a file such as `index.html`: letters, digits and _ - . * $ / ~ \" ' &".to_owned(),
    );
    None
}

/// CF-033 over all distributions: ids, own domains and aliases are each taken once.
pub(crate) fn check_names_are_free(all: &[Placed], report: &Report) {
    let mut ids: HashMap<&str, &At> = HashMap::new();
    let mut hosts: HashMap<&str, &At> = HashMap::new();
    for placed in all {
        let d = &placed.distribution;
        if let Some(first) = ids.insert(&d.id, &placed.id_at) {
            let line = report.line(first, &placed.id_at);
            let message = format!(
                "the id `{}` is already taken by the distribution on {line}",
                d.id
            );
            report.error(&placed.id_at, message);
        }
        let own = (d.domain_name.as_str(), &placed.domain_at);
        let aliases = d.aliases.iter().map(HostName::as_str).zip(&placed.alias_at);
        for (host, at) in std::iter::once(own).chain(aliases) {
            if let Some(first) = hosts.insert(host, at) {
                let line = report.line(first, at);
                let message = format!("CNAMEAlreadyExists: `{host}` is already taken on {line}");
                report.error(at, message);
            }
        }
    }
}

/// The distribution that answers for hosts nobody names (CF-035): the one that says `default: true`. A
/// single distribution without aliases needs not say it, because there is nothing else it could be meant for.
pub(crate) fn fallback(all: &[Placed], report: &Report) -> Option<usize> {
    let mut named = all
        .iter()
        .enumerate()
        .filter_map(|(i, p)| Some((i, p.default.as_ref().filter(|d| d.value)?)));
    if let Some((index, first)) = named.next() {
        for (_, other) in named {
            let message = format!(
                "only one distribution can be the default, and line {} names one",
                first.at.line
            );
            report.error(&other.at, message);
        }
        return Some(index);
    }
    // What is tried out beside it is reached through it.
    let mut reached = (0..all.len()).filter(|at| !all[*at].part.is_staging());
    match (reached.next(), reached.next()) {
        (Some(at), None) => {
            let only = &all[at];
            let is_it = only.distribution.aliases.is_empty() && only.default.is_none();
            is_it.then_some(at)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_depend_on_the_name_alone() {
        // CF-160: the id is part of every cache key, so these values may never change
        assert_eq!(derived_id("site"), derived_id("site"));
        assert_ne!(derived_id("site"), derived_id("Site"));
        for name in ["site", "a", "my-long-distribution-name", "--"] {
            let id = derived_id(name);
            assert!((7..=15).contains(&id.len()) && id.starts_with('E'), "{id}");
            assert!(
                id.bytes()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()),
                "{id}"
            );
        }
    }
}
