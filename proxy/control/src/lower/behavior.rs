//! Behaviours: the pattern, the origin it targets, its policies and its functions (CF section 1.3, LE
//! section 7).

use std::sync::Arc;

use fourfront_model::{
    AllowedMethods, CacheBehavior, CacheMode, CachePolicy, CachedMethods, Compat, EventType,
    Failover, FunctionAssociation, FunctionAssociations, HttpVersions, OnError, Origin,
    OriginHeaders, OriginKind, OriginRequestPolicy, PathPattern, PathPatternSlot,
};

use super::{
    Context, Shared,
    behavior_policies::Policies,
    function::{Functions, Lookup},
    grpc,
    origin_group::OriginGroup,
    tls,
};
use crate::{
    cursor::shorten,
    raw::{NamedBy, RawAssociation, RawBehavior},
    report::{At, Report, Spanned},
    spelling::nearest,
};

/// What behaviours of one distribution share.
pub(crate) struct Surroundings<'a> {
    /// Origins in file order; `None` for one with errors of its own.
    pub(crate) origins: &'a [(String, Option<Arc<Origin>>)],
    /// Origin groups in file order.
    pub(crate) groups: &'a [OriginGroup],
    pub(crate) shared: &'a Shared<'a>,
    pub(crate) compat: Compat,
    pub(crate) cache_mode: CacheMode,
    /// What viewers may speak.
    pub(crate) http_versions: HttpVersions,
}

/// The patterns of listed behaviours, each held against those before it (CF-080, CF-088).
///
/// `written_default` says that the file has a default behaviour, which a pattern for all paths would cut off.
pub(crate) fn patterns(
    behaviors: &[RawBehavior],
    written_default: Option<&At>,
    report: &Report,
) -> Vec<Option<PathPattern>> {
    let mut taken: Vec<(PathPattern, &At)> = Vec::new();
    let mut all = Vec::with_capacity(behaviors.len());
    for behavior in behaviors {
        let Some(path) = &behavior.path else {
            all.push(None);
            continue;
        };
        let pattern = match path.value.parse::<PathPattern>() {
            Ok(pattern) => pattern,
            Err(e) => {
                report.error(&path.at, e.to_string());
                all.push(None);
                continue;
            }
        };
        if let Some((_, first)) = taken.iter().find(|(t, _)| *t == pattern) {
            let message = format!(
                "`{pattern}` is already the pattern of the behaviour on line {}",
                first.line
            );
            report.error(&path.at, message);
        } else if let Some((cover, first)) = taken.iter().find(|(t, _)| covers(t, &pattern)) {
            report.error_help(
                &path.at,
                format!(
                    "`{pattern}` can never be reached: `{cover}` on line {} takes all its paths",
                    first.line
                ),
                format!(
                    "move this behaviour above line {}, or remove it",
                    first.line
                ),
            );
        } else if takes_all(&pattern)
            && let Some(default) = written_default
        {
            report.error_help(
                &path.at,
                format!(
                    "`{pattern}` takes all paths, so the default behaviour on line {} can never be reached",
                    default.line
                ),
                "write these settings into `default_cache_behavior`".to_owned(),
            );
        }
        taken.push((pattern.clone(), &path.at));
        all.push(Some(pattern));
    }
    all
}

fn covers(earlier: &PathPattern, later: &PathPattern) -> bool {
    takes_all(earlier) || earlier.covers(later)
}

/// Every path begins with a slash, so these two are one (CF-081).
fn takes_all(pattern: &PathPattern) -> bool {
    matches!(pattern.as_str(), "*" | "/*")
}

/// Lowers one behaviour. `None` means that errors were reported.
pub(crate) fn lower(
    mut raw: RawBehavior,
    slot: Option<PathPatternSlot>,
    around: &Surroundings<'_>,
    context: &Context<'_>,
) -> Option<CacheBehavior> {
    let report = context.report;
    let (target, failover) = target(&raw, around, report);
    require_in_document(&raw, report);
    let primary = target.and_then(|t| around.origins.get(t)?.1.as_deref());
    let grpc = grpc::lower(&raw, around.http_versions, primary, context);
    let policies = Policies::take(&mut raw, context);
    let key_groups = around.shared.key_groups;
    let trusted_key_groups = key_groups.of_behavior(&raw.trusted_key_groups, report);
    let response_headers_policy = match raw.response_headers_policy {
        Some(raw) => context.response_headers.of(raw, report).map(Some),
        None => Some(None),
    };
    let protocol_policy = tls::protocol_policy(raw.viewer_protocol_policy, context);
    let functions = associations(raw.on, around, context);
    if grpc {
        grpc::warn_of_functions(&functions, &raw.at, report);
    }

    if let Some(cached) = raw.cached_methods.as_ref().filter(|c| {
        c.value == CachedMethods::GetHeadOptions && raw.allowed_methods == AllowedMethods::GetHead
    }) {
        // CF-063
        report.error_help(
            &cached.at,
            "OPTIONS is cached but not allowed",
            "add OPTIONS to `allowed_methods`".to_owned(),
        );
    }
    let members = [target, failover.as_ref().map(|f| f.secondary)];
    let origins = members.into_iter().flatten();
    let origins: Vec<&Origin> = origins
        .filter_map(|o| around.origins.get(o)?.1.as_deref())
        .collect();
    policies.warn(&raw.at, around.cache_mode, &origins, report);
    let Policies {
        cache: cache_policy,
        origin_request: origin_request_policy,
    } = policies;
    for origin in origins {
        refuse_host_for_s3(
            origin,
            cache_policy.as_deref(),
            origin_request_policy.as_ref().and_then(|p| p.as_deref()),
            &raw.at,
            report,
        );
    }
    Some(CacheBehavior {
        path_pattern: slot?,
        target_origin: target?,
        failover,
        viewer_protocol_policy: protocol_policy,
        allowed_methods: raw.allowed_methods,
        cached_methods: raw.cached_methods.map(|c| c.value).unwrap_or_default(),
        compress: raw.compress,
        grpc,
        cache_policy: cache_policy?,
        origin_request_policy: origin_request_policy?,
        response_headers_policy: response_headers_policy?,
        functions,
        trusted_key_groups: trusted_key_groups?,
    })
}

/// What CloudFront's API has no default for (CF-060, CF-061).
fn require_in_document(raw: &RawBehavior, report: &Report) {
    if !raw.at.file.is_document() {
        return;
    }
    let missing = [
        (!raw.names_origin, "TargetOriginId"),
        (raw.viewer_protocol_policy.is_none(), "ViewerProtocolPolicy"),
    ];
    for (_, member) in missing.iter().filter(|(missing, _)| *missing) {
        let message = format!("InvalidArgument: the behaviour has no `{member}`");
        report.error(&raw.at, message);
    }
}

/// The origin, or both of a group (CF-060, CF-442).
fn target(
    raw: &RawBehavior,
    around: &Surroundings<'_>,
    report: &Report,
) -> (Option<usize>, Option<Arc<Failover>>) {
    let named = raw.origin.as_ref();
    match named.and_then(|name| around.groups.iter().find(|g| g.id == name.value)) {
        Some(group) => group
            .members
            .clone()
            .map_or((None, None), |(primary, failover)| {
                (Some(primary), Some(failover))
            }),
        None => (target_origin(raw, around, report), None),
    }
}

/// CF-060. A distribution with one origin need not say which.
fn target_origin(raw: &RawBehavior, around: &Surroundings<'_>, report: &Report) -> Option<usize> {
    let groups = around.groups.iter().map(|group| group.id.as_str());
    let ids = || around.origins.iter().map(|(id, _)| id.as_str());
    match &raw.origin {
        Some(name) => {
            let found = ids().position(|id| id == name.value);
            if found.is_none() {
                report.error_help(
                    &name.at,
                    format!(
                        "NoSuchOrigin: there is no origin `{}`",
                        shorten(&name.value)
                    ),
                    suggestion(&name.value, ids().chain(groups)),
                );
            }
            found
        }
        None if raw.names_origin => None,
        None if around.origins.len() == 1 => Some(0),
        None => {
            // Without any origin that has been said already.
            if !around.origins.is_empty() {
                let known: Vec<&str> = ids().collect();
                report.error_help(
                    &raw.at,
                    "the behaviour names no origin and there are several",
                    format!("add `origin:` with one of {}", known.join(", ")),
                );
            }
            None
        }
    }
}

fn suggestion<'k>(name: &str, known: impl Iterator<Item = &'k str> + Clone) -> Option<String> {
    let all: Vec<&str> = known.clone().collect();
    match nearest(name, known) {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None if all.is_empty() => None,
        None => Some(format!("known are {}", all.join(", "))),
    }
}

/// CF-121, CF-340, CF-440: a bucket finds itself by `Host`, so the viewer's cannot be passed on to it.
fn refuse_host_for_s3(
    origin: &Origin,
    cache_policy: Option<&CachePolicy>,
    origin_request_policy: Option<&OriginRequestPolicy>,
    at: &At,
    report: &Report,
) {
    if matches!(origin.kind, OriginKind::Custom(_)) {
        return;
    }
    let keyed = cache_policy.is_some_and(|p| p.headers.iter().any(|h| h == "host"));
    let listed = origin_request_policy.is_some_and(
        |p| matches!(&p.headers, OriginHeaders::Whitelist(names) if names.iter().any(|n| n == "host")),
    );
    for (is, setting) in [(keyed, "cache_policy"), (listed, "origin_request_policy")] {
        if is {
            let message = format!(
                "InvalidHeadersForS3Origin: the policy passes `Host` on, which the bucket or directory `{}` cannot take",
                origin.id
            );
            report.error(&at.member(setting), message);
        }
    }
}

fn associations(
    raw: Vec<RawAssociation>,
    around: &Surroundings<'_>,
    context: &Context<'_>,
) -> FunctionAssociations {
    let report = context.report;
    let mut attached = FunctionAssociations::default();
    // Which kind runs at viewer events, and on which line (LE-375).
    let mut viewer_kind: Option<(bool, usize)> = None;
    let mut taken: Vec<(EventType, usize)> = Vec::new();
    for association in raw {
        let event = association.event;
        if let Some((_, line)) = taken.iter().find(|(e, _)| *e == event) {
            // CF-072, LE-374
            let message = format!(
                "{}: {event} has a function on line {line} already",
                association.named_by.code()
            );
            report.error(&association.at, message);
            continue;
        }
        taken.push((event, association.at.line));
        let on_error = on_error(&association, around.compat, report);
        let name = &association.function;
        let is_lambda = match around.shared.functions.find(&association, report) {
            Lookup::Lambda(declared) => {
                let include_body = include_body(&association, report);
                let function = declared.attach(event, &association.at, around.compat, context);
                if let Some(function) = function {
                    attached.attach(
                        event,
                        FunctionAssociation {
                            function,
                            include_body,
                            on_error,
                        },
                    );
                }
                true
            }
            Lookup::CloudFront(declared) => {
                if let Some(flag) = association.include_body.as_ref().filter(|f| f.value) {
                    // LE-411
                    let message = format!(
                        "InvalidFunctionAssociation: `{}` is a CloudFront Function, which never sees the request body",
                        name.value
                    );
                    report.error(&flag.at, message);
                }
                let function = declared.attach(event, &association.at, around.compat, context);
                if let Some(function) = function {
                    let include_body = false;
                    attached.attach(
                        event,
                        FunctionAssociation {
                            function,
                            include_body,
                            on_error,
                        },
                    );
                }
                false
            }
            Lookup::Unknown => {
                if association.named_by == NamedBy::Name {
                    unknown_function(name, around.shared.functions, report);
                }
                continue;
            }
        };
        if event.is_viewer() {
            match viewer_kind {
                Some((kind, line)) if kind != is_lambda => {
                    // LE-375
                    let message = format!(
                        "InvalidFunctionAssociation: viewer events of one behaviour are all Lambda@Edge or all CloudFront Functions; line {line} has the other kind"
                    );
                    report.error(&association.at, message);
                }
                _ => viewer_kind = Some((is_lambda, association.at.line)),
            }
        }
    }
    attached
}

/// LE-120, LE-377
fn include_body(association: &RawAssociation, report: &Report) -> bool {
    let Some(flag) = association.include_body.as_ref().filter(|f| f.value) else {
        return false;
    };
    if !association.event.is_request() {
        let events: Vec<String> = EventType::ALL
            .into_iter()
            .filter(|e| e.is_request())
            .map(|e| e.to_string())
            .collect();
        let message = format!(
            "InvalidLambdaFunctionAssociation: {} has no request body to include, only {} have",
            association.event,
            events.join(" and ")
        );
        report.error(&flag.at, message);
    }
    true
}

/// LE-281: AWS knows no such setting, and whoever guards something with a function must not lose the guard unasked.
fn on_error(association: &RawAssociation, compat: Compat, report: &Report) -> OnError {
    let Some(chosen) = &association.on_error else {
        return OnError::default();
    };
    if chosen.value == OnError::Bypass && compat == Compat::Strict {
        report.error_help(
            &chosen.at,
            "InvalidLambdaFunctionAssociation: Lambda@Edge never lets a request pass a function that failed",
            "set `compat: relaxed` for the distribution".to_owned(),
        );
    }
    chosen.value
}

fn unknown_function(name: &Spanned<String>, functions: &Functions, report: &Report) {
    if let Some((bare, _)) = name.value.rsplit_once(':') {
        // LE-371: versions are numbered by whoever publishes them, and a site file publishes none.
        let bare = bare.rsplit(':').next().unwrap_or(bare);
        report.error_help(
            &name.at,
            format!(
                "InvalidLambdaFunctionAssociation: `{}` names a version, an alias or an ARN",
                shorten(&name.value)
            ),
            format!("a site file names the function alone: `{bare}`"),
        );
        return;
    }
    let help = functions.nearest(&name.value).map_or_else(
        || "declare it under `functions:`".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    report.error_help(
        &name.at,
        format!("there is no function `{}`", shorten(&name.value)),
        help,
    );
}
