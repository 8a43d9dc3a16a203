//! `grpc_config`: what a behaviour needs so that gRPC calls can pass it (CF-076, CF-410).

use fourfront_model::{
    AllowedMethods, FunctionAssociations, HttpVersions, Origin, OriginKind, OriginProtocol,
};

use super::Context;
use crate::{
    raw::RawBehavior,
    report::{At, Report},
};

/// Whether gRPC calls pass a behaviour, as it says itself. What they need is asked for where it is switched on: calls go over
/// HTTP/2 and TLS from end to end. `origin` is the one that they go to, which is the primary of a group: there is no failover
/// for calls.
pub(crate) fn lower(
    raw: &RawBehavior,
    http_versions: HttpVersions,
    origin: Option<&Origin>,
    context: &Context<'_>,
) -> bool {
    let Some(enabled) = raw.grpc.as_ref().filter(|enabled| enabled.value) else {
        return false;
    };
    let (at, report) = (&enabled.at, context.report);
    if raw.allowed_methods != AllowedMethods::All {
        report.error_help(
            at,
            "InvalidArgument: gRPC calls need all methods to be allowed",
            "add `allowed_methods: all`".to_owned(),
        );
    }
    if http_versions != HttpVersions::Http2 {
        report.error_help(
            at,
            "InvalidArgument: gRPC calls come over HTTP/2, which viewers of this distribution may not speak",
            "write `http_version: http2` for the distribution".to_owned(),
        );
    }
    if !context.has_https {
        report.error_help(
            at,
            "viewers cannot come by HTTPS, as gRPC calls do: the node has no certificate",
            "add one under `node.certificates`".to_owned(),
        );
    }
    if let Some(origin) = origin {
        check_origin(origin, at, report);
    }
    true
}

/// Calls pass Lambda@Edge functions by, and it is the viewer who says what is a call: whoever guards a behaviour with one has to
/// know (LE-012, LE-048).
pub(crate) fn warn_of_functions(functions: &FunctionAssociations, at: &At, report: &Report) {
    let mut lambda = functions
        .iter()
        .filter(|(_, association)| association.function.cloudfront().is_none());
    if let Some((event, association)) = lambda.next() {
        let message = format!(
            "gRPC calls pass `{}` at {event} by, as all Lambda@Edge functions: only CloudFront Functions run for them",
            association.function.name
        );
        report.warn(at, "LE-012", message);
    }
}

fn check_origin(origin: &Origin, at: &At, report: &Report) {
    // Calls come by HTTPS, so `match-viewer` will do (CF-421).
    let kind = origin.secure.as_ref().map_or(&origin.kind, |o| &o.kind);
    match kind {
        OriginKind::Custom(custom) if custom.protocol == OriginProtocol::Https => {}
        OriginKind::Custom(_) => report.error_help(
            at,
            format!(
                "InvalidArgument: gRPC calls go to origins by HTTPS, and `{}` is asked by plain HTTP",
                origin.id
            ),
            "write `origin_protocol_policy: https-only` there, or an `https://` URL".to_owned(),
        ),
        OriginKind::S3(_) | OriginKind::Dir(_) => report.error(
            at,
            format!(
                "InvalidArgument: gRPC calls go to origins of one's own, and `{}` is a bucket or a directory",
                origin.id
            ),
        ),
    }
}
