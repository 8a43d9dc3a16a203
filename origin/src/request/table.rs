//! The table CF-330..351: what becomes of each of the viewer's header lines. Its "policy" column is [`fate`], and
//! [`passes_in_legacy_mode`] is what its "legacy" column adds.

/// What becomes of a viewer's header line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Sent when the cache policy, the origin request policy or an all-viewer policy names it.
    IfNamed,
    /// Never sent.
    Removed,
    /// Describes the body and goes with it (CF-336).
    WithBody,
    /// Decided by the method unless a policy names it (CF-309, CF-333).
    Authorization,
    /// A precondition on the origin's current state (CF-341).
    Precondition,
    /// Goes where `Range` goes: a range without it could join parts of two objects (CF-341, CF-344).
    IfRange,
    /// CF-344.
    Range,
    /// The node writes this field itself, from the viewer's value or from its own.
    Written,
}

/// The row for a name in lower case.
pub(super) fn fate(name: &str) -> Fate {
    match name {
        // CF-332, CF-337, CF-340, CF-348, CF-349, CF-353, CF-356
        "accept-encoding" | "cookie" | "host" | "user-agent" | "via" | "x-forwarded-for"
        | "cdn-loop" => Fate::Written,
        // CF-333
        "authorization" => Fate::Authorization,
        // CF-336
        "content-length" | "content-type" | "content-md5" | "content-encoding" => Fate::WithBody,
        // CF-335, CF-339, CF-343, CF-346, CF-347, and CF-357 for the rest of the hop-by-hop fields
        "expect" => Fate::Removed,
        _ if crate::names::is_hop_by_hop(name) => Fate::Removed,
        // CF-341
        "if-match" | "if-modified-since" | "if-none-match" | "if-unmodified-since" => {
            Fate::Precondition
        }
        "if-range" => Fate::IfRange,
        // CF-344
        "range" => Fate::Range,
        // CF-350
        "x-forwarded-proto" | "x-real-ip" => Fate::Removed,
        _ if name.starts_with("x-edge-") => Fate::Removed,
        // CF-358: only the node may write these
        _ if is_node_field(name) => Fate::Removed,
        // CF-330, CF-331, CF-334, CF-338, CF-342, CF-345, CF-351
        _ => Fate::IfNamed,
    }
}

/// The "legacy" column where it differs from the "policy" column: what is sent although nothing names it (CF-068). All
/// that is no row of its own (CF-330), and of the rows `Cache-Control` and `Pragma` (CF-334), `Date`, `From`, `Warning` and
/// `Max-Forwards` (CF-338), `Origin` (CF-342) and `Request-Range` (CF-345). Of what has another fate than
/// [`Fate::IfNamed`], only those are asked about that can be named.
pub(super) fn passes_in_legacy_mode(name: &str) -> bool {
    !matches!(
        name,
        // CF-331
        "accept" | "accept-charset" | "accept-language" | "referer"
        // CF-332, CF-333, CF-337, CF-340, CF-348, CF-351
        | "accept-encoding" | "authorization" | "cookie" | "host" | "user-agent"
        | "x-http-method-override"
    )
}

/// Fields a viewer could forge to speak in the node's name (CF-358).
fn is_node_field(name: &str) -> bool {
    ["cloudfront-", "x-amz-cf-", "x-amzn-cf-", "client-cert"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}
