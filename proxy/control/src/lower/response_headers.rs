//! Response headers policies: managed ones looked up, others checked, and all values made (CF-132, CF-555..559, CF-607..610).

use std::{collections::HashMap, sync::Arc};

use fourfront_model::{
    ALL_METHODS, AllowHeaders, AllowOrigins, CorsPolicy, MANAGED_RESPONSE_HEADERS_POLICIES,
    OriginPattern, PolicyField, ResponseHeadersPolicy, SamplingRate,
    managed_response_headers_policy,
};
use http::{HeaderName, HeaderValue};

use super::headers;
use crate::{
    cursor::shorten,
    raw::{
        Named, RawCors, RawHeaderField, RawPolicy, RawProtection, RawResponseHeadersPolicy,
        RawSecurity, RawTransport,
    },
    report::{At, Report, Spanned},
    spelling::nearest,
};

/// Names that no policy can remove (CF-555). `*` at the end is any rest.
const NOT_REMOVABLE: &[&str] = &[
    "connection",
    "content-encoding",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "warning",
    "x-accel-buffering",
    "x-accel-charset",
    "x-accel-limit-rate",
    "x-accel-redirect",
    "x-amz-cf-*",
    "x-amzn-auth",
    "x-amzn-cf-billing",
    "x-amzn-cf-id",
    "x-amzn-cf-xff",
    "x-amzn-errortype",
    "x-amzn-fle-profile",
    "x-amzn-header-count",
    "x-amzn-header-order",
    "x-amzn-lambda-integration-tag",
    "x-amzn-requestid",
    "x-edge-*",
    "x-forwarded-proto",
    "x-real-ip",
];

/// Names that no policy can set beside those: the node's own.
const NOT_CUSTOM: &[&str] = &["age", "date", "x-cache"];

/// CF-557
const MOST_CUSTOM: usize = 10;
const MOST_REMOVED: usize = 10;
/// Characters of a value (CF-556, CF-607).
const MOST_VALUE: usize = 1_783;

/// The policies that the file defines under names of its own.
#[derive(Debug, Default)]
pub(crate) struct ResponseHeadersPolicies {
    /// By id and by name; `None` for one with errors of its own.
    by_name: HashMap<String, Option<Arc<ResponseHeadersPolicy>>>,
}

impl ResponseHeadersPolicies {
    pub(crate) fn lower(raw: Vec<Named<RawResponseHeadersPolicy>>, report: &Report) -> Self {
        let mut by_name = HashMap::new();
        let mut declared: HashMap<String, usize> = HashMap::new();
        for Named { name: id, value } in raw {
            let mut names = vec![id.clone()];
            let given = value.as_ref().map(|v| [v.id.clone(), v.name.clone()]);
            for name in given.into_iter().flatten().flatten() {
                if !names.iter().any(|n| n.value == name.value) {
                    names.push(name);
                }
            }
            let policy = value
                .and_then(|raw| lower(raw, Some(&id.value), report))
                .map(Arc::new);
            for name in names {
                let line = name.at.line;
                let message = if managed_response_headers_policy(&name.value).is_some() {
                    format!(
                        "ResponseHeadersPolicyAlreadyExists: `{}` is a managed policy",
                        shorten(&name.value)
                    )
                } else if let Some(first) = declared.insert(name.value.clone(), line) {
                    format!(
                        "ResponseHeadersPolicyAlreadyExists: `{}` is taken on line {first}",
                        shorten(&name.value)
                    )
                } else {
                    by_name.insert(name.value, policy.clone());
                    continue;
                };
                report.error(&name.at, message);
            }
        }
        Self { by_name }
    }

    /// The policy of a behaviour.
    pub(crate) fn of(
        &self,
        raw: RawPolicy<RawResponseHeadersPolicy>,
        report: &Report,
    ) -> Option<Arc<ResponseHeadersPolicy>> {
        let name = match raw {
            RawPolicy::Inline(raw) => return lower(raw, None, report).map(Arc::new),
            RawPolicy::Named(name) => name,
        };
        if let Some(own) = self.by_name.get(&name.value) {
            return own.clone();
        }
        let found = managed_response_headers_policy(&name.value);
        if found.is_none() {
            let bare = name.value.strip_prefix("Managed-").unwrap_or(&name.value);
            let managed = MANAGED_RESPONSE_HEADERS_POLICIES.iter().map(|m| m.name);
            let own = self.by_name.keys().map(String::as_str);
            let help = if let Some(near) = nearest(&name.value, own) {
                format!("did you mean `{near}`?")
            } else if let Some(near) = nearest(bare, managed) {
                format!("did you mean `Managed-{near}`?")
            } else {
                "declare it under `response_headers_policies:`, name a managed policy, or write the policy in place".to_owned()
            };
            let message = format!(
                "NoSuchResponseHeadersPolicy: there is no policy `{}`",
                shorten(&name.value)
            );
            report.error_help(&name.at, message, help);
        }
        found
    }
}

/// Checks a policy. `None` means that errors were reported.
fn lower(
    raw: RawResponseHeadersPolicy,
    id: Option<&str>,
    report: &Report,
) -> Option<ResponseHeadersPolicy> {
    if let Some(comment) = raw.comment.filter(|c| c.value.chars().count() > 128) {
        // CF-132
        let length = comment.value.chars().count();
        let message = format!(
            "InvalidArgument: the comment is {length} characters long, at most 128 are allowed"
        );
        report.error(&comment.at, message);
    }
    let is_empty = raw.cors.is_none()
        && raw.security.is_empty()
        && raw.custom.is_empty()
        && raw.remove.is_empty()
        && raw.server_timing.is_none();
    if is_empty {
        report.error(
            &raw.at,
            "InvalidArgument: the policy neither adds nor removes anything",
        );
    }
    let cors = match raw.cors {
        Some(raw) => Some(cors(&raw, report)?),
        None => None,
    };
    let fields = fields(raw.security, raw.custom, &raw.custom_at, report)?;
    let remove = removed(raw.remove, &raw.remove_at, report);
    let server_timing = match raw.server_timing {
        None => None,
        Some(rate) => Some(sampling_rate(&rate, report)?),
    };
    let name = raw.name.map(|n| n.value).or_else(|| id.map(str::to_owned));
    let mut policy = ResponseHeadersPolicy::new(name, fields);
    policy.cors = cors;
    policy.remove = remove;
    policy.server_timing = server_timing;
    Some(policy)
}

fn cors(raw: &RawCors, report: &Report) -> Option<CorsPolicy> {
    let origins = origins(&raw.origins, report);
    let mut allowed = Vec::new();
    for name in &raw.headers {
        match AllowHeaders::new(std::slice::from_ref(&name.value)) {
            Ok(_) => allowed.push(name.value.clone()),
            Err(name_of) => {
                let message = format!("`{}` is not a header name", shorten(&name_of));
                report.error(&name.at, message);
            }
        }
    }
    let expose = raw.expose.iter().filter_map(|name| {
        let is_name = name.value == "*" || headers::is_token(&name.value);
        if !is_name {
            let message = format!("`{}` is not a header name", shorten(&name.value));
            report.error(&name.at, message);
        }
        is_name.then_some(name.value.as_str())
    });
    let expose: Vec<&str> = expose.collect();
    let values = [
        ("access_control_allow_origins", joined(&raw.origins)),
        ("access_control_allow_headers", joined(&raw.headers)),
        ("access_control_expose_headers", joined(&raw.expose)),
    ];
    for (setting, value) in values {
        // CF-607
        let length = value.chars().count();
        if length > MOST_VALUE {
            let message = format!(
                "InvalidArgument: the value is {length} characters long, at most {MOST_VALUE} are allowed"
            );
            report.error(&raw.at.member(setting), message);
        }
    }
    Some(CorsPolicy {
        origins: origins?,
        allow_headers: AllowHeaders::new(&allowed).ok()?,
        allow_methods: methods(&raw.methods, report),
        allow_credentials: raw.credentials,
        expose_headers: value(&expose.join(", ")),
        max_age: raw.max_age.map(HeaderValue::from),
        origin_override: raw.origin_override,
    })
}

fn joined(texts: &[Spanned<String>]) -> String {
    let texts: Vec<&str> = texts.iter().map(|t| t.value.as_str()).collect();
    texts.join(", ")
}

/// What a viewer can be sent as it is written.
fn is_value(text: &str) -> bool {
    text.is_ascii() && headers::is_field_value(text)
}

fn value(text: &str) -> Option<HeaderValue> {
    let value = HeaderValue::from_str(text).ok();
    value.filter(|v| !v.is_empty())
}

/// CF-607
fn origins(raw: &[Spanned<String>], report: &Report) -> Option<AllowOrigins> {
    if let [one] = raw
        && one.value == "*"
    {
        return Some(AllowOrigins::Any);
    }
    let mut listed = Vec::with_capacity(raw.len());
    for entry in raw {
        if entry.value == "*" {
            report.error(
                &entry.at,
                "InvalidArgument: `*` is all origins, and stands alone",
            );
            continue;
        }
        match entry.value.parse::<OriginPattern>() {
            Ok(pattern) => listed.push(pattern),
            Err(e) => report.error(&entry.at, format!("InvalidArgument: {e}")),
        }
    }
    (!listed.is_empty()).then_some(AllowOrigins::Listed(listed))
}

/// CF-608
fn methods(raw: &[Spanned<String>], report: &Report) -> Option<HeaderValue> {
    if let [one] = raw
        && one.value == "ALL"
    {
        return value(&ALL_METHODS.join(", "));
    }
    let known = raw.iter().filter_map(|method| {
        let known = ALL_METHODS.contains(&method.value.as_str());
        if !known {
            let message = format!(
                "InvalidArgument: `{}` is not one of {}, or `ALL` alone",
                shorten(&method.value),
                ALL_METHODS.join(", ")
            );
            report.error(&method.at, message);
        }
        known.then_some(method.value.as_str())
    });
    let known: Vec<&str> = known.collect();
    value(&known.join(", "))
}

/// The security fields and the custom ones.
fn fields(
    security: RawSecurity,
    custom: Vec<RawHeaderField>,
    custom_at: &At,
    report: &Report,
) -> Option<Vec<PolicyField>> {
    let mut fields = Vec::new();
    let mut add = |key: &str, value: &str, overrides| {
        fields.extend(PolicyField::new(key, value, overrides));
    };
    if let Some(xss) = security.xss {
        add(
            "X-XSS-Protection",
            &protection(&xss, report)?,
            xss.overrides,
        );
    }
    if let Some((value, overrides)) = security.frame_options {
        add("X-Frame-Options", value, overrides);
    }
    if let Some((value, overrides)) = security.referrer {
        add("Referrer-Policy", value, overrides);
    }
    if let Some((policy, overrides)) = security.content_security {
        add(
            "Content-Security-Policy",
            &content_security(policy, report)?,
            overrides,
        );
    }
    if let Some(overrides) = security.content_type {
        add("X-Content-Type-Options", "nosniff", overrides);
    }
    if let Some(raw) = security.transport {
        add("Strict-Transport-Security", &transport(&raw), raw.overrides);
    }
    if custom.len() > MOST_CUSTOM {
        let message = format!(
            "TooManyCustomHeadersInResponseHeadersPolicy: {} custom headers, at most {MOST_CUSTOM} are allowed",
            custom.len()
        );
        report.error(custom_at, message);
    }
    let mut lines: HashMap<HeaderName, usize> = HashMap::new();
    for header in custom {
        let field = custom_field(&header, report)?;
        if fields.iter().any(|f| f.name == field.name) && !lines.contains_key(&field.name) {
            let message = format!(
                "InvalidArgument: header `{}` is set by `security_headers_config` already",
                header.name.value
            );
            report.error(&header.name.at, message);
        } else if let Some(line) = lines.insert(field.name.clone(), header.name.at.line) {
            let message = format!(
                "InvalidArgument: header `{}` is already given on line {line}",
                header.name.value
            );
            report.error(&header.name.at, message);
        }
        fields.push(field);
    }
    Some(fields)
}

/// CF-556
fn protection(raw: &RawProtection, report: &Report) -> Option<String> {
    let block = raw.mode_block.as_ref().filter(|b| b.value);
    match (raw.protection, block, &raw.report_uri) {
        (false, None, None) => Some("0".to_owned()),
        (true, None, None) => Some("1".to_owned()),
        (true, Some(_), None) => Some("1; mode=block".to_owned()),
        (true, None, Some(uri)) if is_value(&uri.value) => Some(format!("1; report={}", uri.value)),
        (true, None, Some(uri)) => {
            report.error(
                &uri.at,
                "InvalidArgument: `report_uri` is not a header value",
            );
            None
        }
        (true, Some(_), Some(uri)) => {
            report.error(
                &uri.at,
                "InvalidArgument: `mode_block` and `report_uri` exclude each other",
            );
            None
        }
        (false, _, _) => {
            report.error(
                &raw.at,
                "InvalidArgument: `mode_block` and `report_uri` need `protection: true`",
            );
            None
        }
    }
}

/// CF-556
fn content_security(policy: Spanned<String>, report: &Report) -> Option<String> {
    let length = policy.value.chars().count();
    if length > MOST_VALUE {
        let message = format!(
            "TooLongCSPInResponseHeadersPolicy: the policy is {length} characters long, at most {MOST_VALUE} are allowed"
        );
        report.error(&policy.at, message);
        return None;
    }
    if policy.value.is_empty() || !is_value(&policy.value) {
        report.error(
            &policy.at,
            "InvalidArgument: the policy is not a header value",
        );
        return None;
    }
    Some(policy.value)
}

/// CF-556
fn transport(raw: &RawTransport) -> String {
    let mut value = format!("max-age={}", raw.max_age);
    if raw.include_subdomains {
        value.push_str("; includeSubDomains");
    }
    if raw.preload {
        value.push_str("; preload");
    }
    value
}

/// CF-557
fn custom_field(raw: &RawHeaderField, report: &Report) -> Option<PolicyField> {
    let (name, value) = (&raw.name, &raw.value);
    if !headers::is_token(&name.value) {
        let message = format!("`{}` is not a header name", shorten(&name.value));
        report.error(&name.at, message);
        return None;
    }
    let lower = name.value.to_ascii_lowercase();
    if is_listed(NOT_REMOVABLE, &lower) || is_listed(NOT_CUSTOM, &lower) {
        let message = format!(
            "InvalidArgument: header `{}` is the node's to set, no policy can",
            name.value
        );
        report.error(&name.at, message);
        return None;
    }
    let length = value.value.chars().count();
    if length > MOST_VALUE {
        let message = format!(
            "InvalidArgument: the value is {length} characters long, at most {MOST_VALUE} are allowed"
        );
        report.error(&value.at, message);
        return None;
    }
    let field = PolicyField::new(&name.value, &value.value, raw.overrides).ok();
    let field = field.filter(|_| is_value(&value.value));
    if field.is_none() {
        report.error(
            &value.at,
            "a header value is ASCII text without control characters, and has no space at its ends",
        );
    }
    field
}

/// CF-555
fn removed(raw: Vec<Spanned<String>>, at: &At, report: &Report) -> Vec<HeaderName> {
    if raw.len() > MOST_REMOVED {
        let message = format!(
            "TooManyRemoveHeadersInResponseHeadersPolicy: {} headers to remove, at most {MOST_REMOVED} are allowed",
            raw.len()
        );
        report.error(at, message);
    }
    let mut lines: HashMap<HeaderName, usize> = HashMap::new();
    let mut names = Vec::with_capacity(raw.len());
    for name in raw {
        let Ok(parsed) = name.value.parse::<HeaderName>() else {
            let message = format!("`{}` is not a header name", shorten(&name.value));
            report.error(&name.at, message);
            continue;
        };
        if is_listed(NOT_REMOVABLE, parsed.as_str()) {
            let message = format!("InvalidArgument: header `{}` cannot be removed", name.value);
            report.error(&name.at, message);
        } else if let Some(line) = lines.insert(parsed.clone(), name.at.line) {
            let message = format!(
                "InvalidArgument: header `{}` is already listed on line {line}",
                name.value
            );
            report.error(&name.at, message);
        } else {
            names.push(parsed);
        }
    }
    names
}

fn is_listed(patterns: &[&str], name: &str) -> bool {
    patterns
        .iter()
        .any(|pattern| headers::matches(pattern, name))
}

/// CF-610
fn sampling_rate(rate: &Spanned<String>, report: &Report) -> Option<SamplingRate> {
    let parsed = SamplingRate::of_percent(&rate.value);
    if parsed.is_none() {
        let message = format!(
            "InvalidArgument: expected a percentage from 0 to 100 with up to four decimals, found `{}`",
            shorten(&rate.value)
        );
        report.error(&rate.at, message);
    }
    parsed
}
