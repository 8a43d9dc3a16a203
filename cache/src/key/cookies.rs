//! Cookies in the key and toward the origin (CF-190..194).

use fourfront_model::{CachePolicy, OriginRequestPolicy, Selection};
use http::{HeaderMap, HeaderValue, header};
use smallvec::SmallVec;

use super::{
    Signatures,
    query::selects,
    signed::is_signed_cookie,
    walk::{Part, Sink},
};

/// One well-formed `name=value`, and its name.
struct Cookie<'a> {
    name: &'a [u8],
    pair: &'a [u8],
}

/// More cookies than this cost the key an allocation.
type Cookies<'a> = SmallVec<[Cookie<'a>; 12]>;

/// Feeds the selected cookies; nothing when none is there.
pub(super) fn feed<S: Sink>(policy: &CachePolicy, headers: &HeaderMap, sink: &mut S) {
    if policy.cookies.is_none() {
        return;
    }
    let cookies = selected(headers, |name| {
        selects(&policy.cookies, name) && !is_signed_cookie(name)
    });
    if cookies.is_empty() {
        return;
    }
    for (i, cookie) in cookies.iter().enumerate() {
        if i > 0 {
            sink.bytes(b"; ");
        }
        sink.bytes(cookie.pair);
    }
    sink.end(Part::Cookies);
}

/// The `Cookie` field the origin is sent: the cookies of the cache policy and of the origin request
/// policy, sorted (CF-120, CF-127, CF-191, CF-337), but for signed cookies where they are taken (CF-194). `None` for no such
/// field.
pub fn forwarded_cookies(
    policy: &CachePolicy,
    origin_request: Option<&OriginRequestPolicy>,
    signatures: Signatures,
    headers: &HeaderMap,
) -> Option<HeaderValue> {
    let keyed = &policy.cookies;
    let further = origin_request.map_or(&Selection::None, |p| &p.cookies);
    if keyed.is_none() && further.is_none() {
        return None;
    }
    let cookies = selected(headers, |name| {
        (selects(keyed, name) || selects(further, name)) && signatures.leaves_cookie(name)
    });
    let pairs: SmallVec<[&[u8]; 12]> = cookies.iter().map(|cookie| cookie.pair).collect();
    if pairs.is_empty() {
        return None;
    }
    // Parts of valid field values make a valid one.
    HeaderValue::from_bytes(&pairs.join(&b"; "[..])).ok()
}

/// The wanted cookies sorted by name, in request order where names are equal (CF-191). Names that
/// start with `$` and pairs that are not `name=value` are left out (CF-192, CF-193).
fn selected(headers: &HeaderMap, wanted: impl Fn(&[u8]) -> bool) -> Cookies<'_> {
    let mut cookies: Cookies<'_> = headers
        .get_all(header::COOKIE)
        .iter()
        .flat_map(|line| line.as_bytes().split(|b| *b == b';'))
        .filter_map(parse)
        .filter(|cookie| !cookie.name.starts_with(b"$") && wanted(cookie.name))
        .collect();
    // CF-190: case matters, so bytes decide. The sort is stable.
    cookies.sort_by_key(|cookie| cookie.name);
    cookies
}

fn parse(pair: &[u8]) -> Option<Cookie<'_>> {
    let pair = pair.trim_ascii();
    let equals = pair.iter().position(|b| *b == b'=')?;
    let name = &pair[..equals];
    let well_formed = !name.is_empty() && !name.iter().any(u8::is_ascii_whitespace);
    well_formed.then_some(Cookie { name, pair })
}
