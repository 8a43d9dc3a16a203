//! Judging an origin object: the values a function changed.

use std::net::IpAddr;

use fourfront_model::{Compat, S3AuthMethod, may_be_custom_header};

use super::{PORTS, field, violation};
use crate::{
    event::{OriginObject, OriginObjectKind},
    headers::is_disallowed,
    validate::{Input, header_map::lower, violation::Violation},
};

/// Judges what a function changed.
pub(super) struct Judge<'a> {
    pub(super) input: &'a Input<'a>,
    pub(super) object: &'a OriginObject,
    /// The origin that was shown, if it is of the same kind: its values are not judged again.
    pub(super) like: Option<&'a OriginObject>,
}

impl Judge<'_> {
    pub(super) fn check(&self) -> Result<(), Violation> {
        let (object, at) = (self.object, self.object.kind_name());
        if !self.is_known() {
            let kept = |l: &OriginObject| l.domain_name.eq_ignore_ascii_case(&object.domain_name);
            if !self.like.is_some_and(kept) {
                self.domain()?;
            }
            self.port()?;
        }
        if !self.kept(|o| &o.path) {
            self.path()?;
        }
        self.timeouts(at)?;
        self.identity()?;
        self.custom_headers(at)
    }

    /// Whether the function left a field as it was shown.
    fn kept<T: PartialEq>(&self, of: fn(&OriginObject) -> &T) -> bool {
        self.like.is_some_and(|l| of(l) == of(self.object))
    }

    /// Relaxed mode lets a function name any configured origin, whatever its address and port (LE-A42).
    fn is_known(&self) -> bool {
        let is = |o: &OriginObject| {
            o.same_kind(self.object)
                && o.domain_name.eq_ignore_ascii_case(&self.object.domain_name)
                && port_of(o) == port_of(self.object)
        };
        self.input.compat == Compat::Relaxed
            && (self.input.known_origins.iter().any(is)
                || self.input.configured_origin.is_some_and(is))
    }

    /// LE-103, LE-104.
    fn domain(&self) -> Result<(), Violation> {
        let (name, at) = (&*self.object.domain_name, self.object.kind_name());
        let (rule, most) = match self.object.kind {
            OriginObjectKind::Custom { .. } => ("LE-103", 253),
            OriginObjectKind::S3 { .. } => ("LE-104", 128),
        };
        let refuse = |message: &str| Err(field(at, "domainName", rule, message).with_value(name));
        if name.is_empty() {
            return refuse("may not be empty");
        }
        if name.len() > most {
            return refuse(&format!("may have {most} characters"));
        }
        if is_address(name) {
            return refuse("must be a DNS name, not an IP address");
        }
        if name.contains(':') {
            return refuse("may not contain `:`; the port has a field of its own");
        }
        let label = |l: &str| {
            (1..=63).contains(&l.len())
                && l.bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if !name.split('.').all(label) {
            return refuse("must be a DNS name");
        }
        if matches!(self.object.kind, OriginObjectKind::S3 { .. })
            && name.bytes().any(|b| b.is_ascii_uppercase())
        {
            return refuse("must be all lower case");
        }
        Ok(())
    }

    /// LE-106.
    fn port(&self) -> Result<(), Violation> {
        match port_of(self.object) {
            None | Some(80 | 443 | 1024..) => Ok(()),
            port if self.like.and_then(port_of) == port => Ok(()),
            Some(port) => {
                Err(field("custom", "port", "LE-106", PORTS).with_value(port.to_string()))
            }
        }
    }

    /// LE-105.
    fn path(&self) -> Result<(), Violation> {
        let (path, at) = (&*self.object.path, self.object.kind_name());
        let refuse = |message: &str| Err(field(at, "path", "LE-105", message).with_value(path));
        if path.is_empty() {
            return Ok(());
        }
        if !path.starts_with('/') || path.ends_with('/') {
            return refuse("must be empty, or start with `/` and not end with `/`");
        }
        if path
            .bytes()
            .any(|b| b <= b' ' || matches!(b, 0x7f | b'?' | b'#'))
        {
            return refuse("may not contain spaces, control characters, `?` or `#`");
        }
        if matches!(self.object.kind, OriginObjectKind::Custom { .. }) {
            if path.len() > 255 {
                return refuse("may have 255 characters");
            }
            if !is_url_encoded(path) {
                return refuse("must be URL-encoded");
            }
        }
        Ok(())
    }

    /// LE-108, LE-109, LE-110.
    fn timeouts(&self, at: &str) -> Result<(), Violation> {
        let object = self.object;
        let range = |name: &str, rule: &'static str, value: u32| {
            if (1..=120).contains(&value) {
                Ok(())
            } else {
                Err(field(at, name, rule, "must be from 1 to 120 seconds")
                    .with_value(value.to_string()))
            }
        };
        let keepalive_of = |o: &OriginObject| match o.kind {
            OriginObjectKind::Custom {
                keepalive_timeout, ..
            } => Some(keepalive_timeout),
            OriginObjectKind::S3 { .. } => None,
        };
        if let Some(keepalive) = keepalive_of(object)
            && self.like.and_then(keepalive_of) != Some(keepalive)
        {
            range("keepaliveTimeout", "LE-108", keepalive)?;
        }
        let same_read = self.kept(|o| &o.read_timeout);
        if !same_read {
            range("readTimeout", "LE-109", object.read_timeout)?;
        }
        let same_total = same_read && self.kept(|o| &o.response_completion_timeout);
        match object.response_completion_timeout {
            Some(total) if total < object.read_timeout && !same_total => Err(field(
                at,
                "responseCompletionTimeout",
                "LE-110",
                format!("may not be below `readTimeout` ({})", object.read_timeout),
            )
            .with_value(total.to_string())),
            _ => Ok(()),
        }
    }

    /// LE-113, LE-114: signing is done with the credentials of the configured origin (LE-118), so there must
    /// be some.
    fn identity(&self) -> Result<(), Violation> {
        let OriginObjectKind::S3 {
            auth_method,
            region,
        } = &self.object.kind
        else {
            return Ok(());
        };
        if !region
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-')
        {
            return Err(
                field("s3", "region", "LE-113", "must be the name of a region").with_value(region),
            );
        }
        if *auth_method == S3AuthMethod::None {
            return Ok(());
        }
        if region.is_empty() {
            return Err(field(
                "s3",
                "region",
                "LE-113",
                "`origin-access-identity` needs the bucket's region",
            ));
        }
        let signed = |o: &OriginObject| {
            matches!(
                o.kind,
                OriginObjectKind::S3 {
                    auth_method: S3AuthMethod::OriginAccessIdentity,
                    ..
                }
            )
        };
        let before = self.input.configured_origin.or(self.input.request.origin);
        if before.is_some_and(signed) {
            return Ok(());
        }
        Err(field(
            "s3",
            "authMethod",
            "LE-114",
            "`origin-access-identity` keeps the identity of the configured origin, which has none",
        ))
    }

    /// LE-102, LE-186, LE-226.
    fn custom_headers(&self, at: &str) -> Result<(), Violation> {
        let headers = &self.object.custom_headers;
        let before = self
            .input
            .request
            .origin
            .map_or(&[][..], |o| &o.custom_headers[..]);
        if headers == before {
            return Ok(());
        }
        let at = format!("origin.{at}.customHeaders");
        let mut total = 0;
        for (key, value) in headers {
            let name = lower(key);
            let configured = before.iter().any(|(k, _)| k.eq_ignore_ascii_case(key));
            let rule = if is_disallowed(&name) {
                Some("LE-208")
            } else if !may_be_custom_header(&name) {
                Some("LE-186")
            } else {
                None
            };
            if let Some(rule) = rule.filter(|_| !configured) {
                return Err(violation(
                    rule,
                    format!("{at}.{name}"),
                    "invalid origin configuration: this header cannot be a custom header",
                ));
            }
            if key.len() > 256 || value.len() > 1783 {
                return Err(violation(
                    "LE-226",
                    format!("{at}.{name}"),
                    "a custom header may have 256 characters of name and 1783 of value",
                )
                .with_value(format!("{} and {}", key.len(), value.len())));
            }
            total += key.len() + value.len();
        }
        if total > 10_240 {
            return Err(violation(
                "LE-226",
                at,
                "custom headers may have 10240 characters together",
            )
            .with_value(total.to_string()));
        }
        Ok(())
    }
}

/// The port of a custom origin.
const fn port_of(origin: &OriginObject) -> Option<u16> {
    match origin.kind {
        OriginObjectKind::Custom { port, .. } => Some(port),
        OriginObjectKind::S3 { .. } => None,
    }
}

/// Whether a name is an IP address, also in the forms that only resolvers read as one (`127.1`,
/// `0x7f.0.0.1`, `2130706433`).
fn is_address(name: &str) -> bool {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<IpAddr>().is_ok() {
        return true;
    }
    let last = name.trim_end_matches('.').rsplit('.').next().unwrap_or("");
    let hex = last
        .strip_prefix("0x")
        .or_else(|| last.strip_prefix("0X"))
        .is_some_and(|h| h.bytes().all(|b| b.is_ascii_hexdigit()));
    !last.is_empty() && (hex || last.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether a path is ASCII and every `%` begins an escape.
fn is_url_encoded(path: &str) -> bool {
    let bytes = path.as_bytes();
    path.is_ascii()
        && bytes.iter().enumerate().all(|(i, &b)| {
            b != b'%'
                || bytes
                    .get(i + 1..i + 3)
                    .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
        })
}
