//! Reading an origin object: types and required fields, no judgement of values.

use fourfront_model::{OriginProtocol, S3AuthMethod, SslProtocol};
use http::HeaderName;

use super::{MOST_CUSTOM_HEADERS, PORTS, field, violation};
use crate::{
    event::{OriginObject, OriginObjectKind, grouped},
    headers::canonical_key,
    validate::{
        header_map::{control, shape_fault},
        parse::{Kind, RawHeaders, RawKey, RawOriginFields, Scalar},
        violation::Violation,
    },
};

/// Reads an origin's fields by type and presence. All are required in strict mode but `customHeaders`
/// (LE-101), `responseCompletionTimeout` (LE-110), `readTimeout` of buckets (LE-109: newer than most
/// functions) and `region` of unsigned buckets (LE-113). Relaxed mode gives every other one but `domainName`
/// CloudFront's default.
pub(super) struct Reader<'a> {
    pub(super) relaxed: bool,
    pub(super) shown: Option<&'a OriginObject>,
}

impl Reader<'_> {
    pub(super) fn custom(
        &self,
        raw: Result<RawOriginFields<'_>, Kind>,
    ) -> Result<OriginObject, Violation> {
        let at = "custom";
        let raw = object(raw, at)?;
        let protocol = match self.text(at, "protocol", "LE-107", raw.protocol.as_ref())? {
            Some("http") => OriginProtocol::Http,
            Some("https") | None => OriginProtocol::Https,
            Some(other) => {
                return Err(
                    field(at, "protocol", "LE-107", "must be `http` or `https`").with_value(other)
                );
            }
        };
        let port = match self.number(at, "port", "LE-106", raw.port.as_ref())? {
            None => protocol.default_port(),
            Some(n) => u16::try_from(n)
                .map_err(|_| field(at, "port", "LE-106", PORTS).with_value(n.to_string()))?,
        };
        let keepalive_timeout = self
            .number(
                at,
                "keepaliveTimeout",
                "LE-108",
                raw.keepalive_timeout.as_ref(),
            )?
            .unwrap_or(5);
        let read_timeout = self
            .number(at, "readTimeout", "LE-109", raw.read_timeout.as_ref())?
            .unwrap_or(30);
        Ok(OriginObject {
            domain_name: self.domain(at, "LE-103", raw.domain_name.as_ref())?,
            path: self.path(at, raw.path.as_ref())?,
            read_timeout,
            response_completion_timeout: completion(at, raw.response_completion_timeout.as_ref())?,
            kind: OriginObjectKind::Custom {
                keepalive_timeout,
                port,
                protocol,
                ssl_protocols: self.ssl_protocols(raw.ssl_protocols)?,
            },
            custom_headers: self.custom_headers(at, raw.custom_headers)?,
        })
    }

    pub(super) fn s3(
        &self,
        raw: Result<RawOriginFields<'_>, Kind>,
    ) -> Result<OriginObject, Violation> {
        let at = "s3";
        let raw = object(raw, at)?;
        let auth_method = match self.text(at, "authMethod", "LE-112", raw.auth_method.as_ref())? {
            Some("none") | None => S3AuthMethod::None,
            Some("origin-access-identity") => S3AuthMethod::OriginAccessIdentity,
            Some(other) => {
                return Err(field(
                    at,
                    "authMethod",
                    "LE-112",
                    "must be `origin-access-identity` or `none`",
                )
                .with_value(other));
            }
        };
        let region = optional_text(at, "region", "LE-113", raw.region.as_ref())?;
        let read_timeout = optional_number(at, "readTimeout", "LE-109", raw.read_timeout.as_ref())?;
        Ok(OriginObject {
            domain_name: self.domain(at, "LE-104", raw.domain_name.as_ref())?,
            path: self.path(at, raw.path.as_ref())?,
            read_timeout: read_timeout.unwrap_or(30),
            response_completion_timeout: completion(at, raw.response_completion_timeout.as_ref())?,
            kind: OriginObjectKind::S3 {
                auth_method,
                region: region.unwrap_or("").to_owned(),
            },
            custom_headers: self.custom_headers(at, raw.custom_headers)?,
        })
    }

    fn domain(
        &self,
        at: &str,
        rule: &'static str,
        given: Option<&Scalar<'_>>,
    ) -> Result<String, Violation> {
        optional_text(at, "domainName", rule, given)?
            .map(str::to_owned)
            .ok_or_else(|| missing(at, "domainName"))
    }

    fn path(&self, at: &str, given: Option<&Scalar<'_>>) -> Result<String, Violation> {
        Ok(self
            .text(at, "path", "LE-105", given)?
            .unwrap_or("")
            .to_owned())
    }

    /// A text that strict mode requires.
    fn text<'s>(
        &self,
        at: &str,
        name: &str,
        rule: &'static str,
        given: Option<&'s Scalar<'_>>,
    ) -> Result<Option<&'s str>, Violation> {
        self.require(at, name, given.is_some())?;
        optional_text(at, name, rule, given)
    }

    /// A number that strict mode requires.
    fn number(
        &self,
        at: &str,
        name: &str,
        rule: &'static str,
        given: Option<&Scalar<'_>>,
    ) -> Result<Option<u32>, Violation> {
        self.require(at, name, given.is_some())?;
        optional_number(at, name, rule, given)
    }

    fn require(&self, at: &str, name: &str, there: bool) -> Result<(), Violation> {
        if there || self.relaxed {
            Ok(())
        } else {
            Err(missing(at, name))
        }
    }

    fn ssl_protocols(
        &self,
        given: Option<Result<Vec<Scalar<'_>>, Kind>>,
    ) -> Result<Vec<SslProtocol>, Violation> {
        let refuse = |message: String| field("custom", "sslProtocols", "LE-111", message);
        self.require("custom", "sslProtocols", given.is_some())?;
        let list = match given {
            None => return Ok(vec![SslProtocol::TlsV1_2]),
            Some(Ok(list)) => list,
            Some(Err(kind)) => return Err(refuse(format!("must be an array, is {kind}"))),
        };
        let mut out = Vec::new();
        for item in &list {
            let version = item
                .text()
                .and_then(SslProtocol::from_name)
                .ok_or_else(|| {
                    refuse("each must be `TLSv1.2`, `TLSv1.1`, `TLSv1` or `SSLv3`".to_owned())
                        .with_value(item.shown())
                })?;
            if !out.contains(&version) {
                out.push(version);
            }
        }
        Ok(out)
    }

    /// The map as lines; its shape, names and characters are those of any header map (LE-101).
    fn custom_headers(
        &self,
        at: &str,
        given: Option<Result<RawHeaders<'_>, Kind>>,
    ) -> Result<Vec<(String, String)>, Violation> {
        let at = format!("origin.{at}.customHeaders");
        let raw = match given {
            None => return Ok(Vec::new()),
            Some(Ok(raw)) => raw,
            Some(Err(kind)) => {
                return Err(violation(
                    "LE-101",
                    at,
                    format!("must be an object of arrays, is {kind}"),
                ));
            }
        };
        if let Some((_, rule, field, message)) = shape_fault(&raw, &at) {
            return Err(violation(rule, field, message));
        }
        let most = self
            .shown
            .map_or(0, |s| s.custom_headers.len())
            .max(MOST_CUSTOM_HEADERS);
        if raw.elements.len() > most {
            return Err(violation(
                "LE-226",
                at,
                format!("a function may set {MOST_CUSTOM_HEADERS} custom headers"),
            )
            .with_value(raw.elements.len().to_string()));
        }
        let mut out = Vec::with_capacity(raw.elements.len());
        for entry in raw.entries.iter().filter(|e| !e.elements.is_empty()) {
            let Ok(name) = HeaderName::from_bytes(entry.name.as_bytes()) else {
                return Err(violation("LE-204", at, "a header name must be a token")
                    .with_value(&entry.name));
            };
            for element in &raw.elements[entry.elements.clone()] {
                if let Some(b) = control(&element.value) {
                    return Err(violation(
                        "LE-204",
                        format!("{at}.{name}"),
                        "the value holds a control character",
                    )
                    .with_char(b));
                }
                let key = match &element.key {
                    RawKey::Given(key) if key.eq_ignore_ascii_case(name.as_str()) => {
                        key.clone().into_owned()
                    }
                    _ => canonical_key(name.as_str()),
                };
                out.push((key, element.value.clone().into_owned()));
            }
        }
        Ok(grouped(&out))
    }
}

fn object<'r>(
    raw: Result<RawOriginFields<'r>, Kind>,
    at: &str,
) -> Result<RawOriginFields<'r>, Violation> {
    raw.map_err(|kind| {
        violation(
            "LE-100",
            format!("origin.{at}"),
            format!("must be an object, is {kind}"),
        )
    })
}

fn optional_text<'s>(
    at: &str,
    name: &str,
    rule: &'static str,
    given: Option<&'s Scalar<'_>>,
) -> Result<Option<&'s str>, Violation> {
    given
        .map(|s| {
            s.text()
                .ok_or_else(|| field(at, name, rule, "must be a string").with_value(s.shown()))
        })
        .transpose()
}

fn optional_number(
    at: &str,
    name: &str,
    rule: &'static str,
    given: Option<&Scalar<'_>>,
) -> Result<Option<u32>, Violation> {
    given
        .map(|s| {
            match s {
                Scalar::Integer(n) => u32::try_from(*n).ok(),
                _ => None,
            }
            .ok_or_else(|| field(at, name, rule, "must be a whole number").with_value(s.shown()))
        })
        .transpose()
}

/// 0 and absent both mean none (LE-110).
fn completion(at: &str, given: Option<&Scalar<'_>>) -> Result<Option<u32>, Violation> {
    Ok(optional_number(at, "responseCompletionTimeout", "LE-110", given)?.filter(|t| *t > 0))
}

fn missing(at: &str, name: &str) -> Violation {
    field(
        at,
        name,
        "LE-116",
        "missing; an origin is replaced as a whole",
    )
}
