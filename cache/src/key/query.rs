//! Query strings in the key and toward the origin (CF-180..185).
//!
//! Nothing is decoded, sorted or folded: parameters are raw bytes between `&` (CF-180, CF-181).

use std::borrow::Cow;

use fourfront_model::{CachePolicy, OriginRequestPolicy, Selection};

use super::{
    Signatures,
    walk::{Part, Sink},
};

/// Feeds the selected part of the query; nothing when nothing is selected (CF-182..185).
pub(super) fn feed<S: Sink>(
    policy: &CachePolicy,
    signatures: Signatures,
    query: Option<&[u8]>,
    sink: &mut S,
) {
    // CF-184: a bare `?` is no query.
    let Some(query) = query.filter(|q| !q.is_empty()) else {
        return;
    };
    let selection = &policy.query_strings;
    match selection {
        Selection::None => return,
        Selection::All if signatures == Signatures::Ordinary => sink.bytes(query),
        Selection::All
        | Selection::Whitelist(_)
        | Selection::AllExcept(_)
        | Selection::Wildcards(_) => {
            let wanted =
                |name: &[u8]| selects(selection, name) && signatures.leaves_parameter(name);
            let mut kept = kept(query, wanted).peekable();
            let mut empty = true;
            let mut separator: &[u8] = b"";
            while let Some(parameter) = kept.next() {
                empty &= parameter.is_empty() && kept.peek().is_none();
                sink.bytes(separator);
                sink.bytes(parameter);
                separator = b"&";
            }
            if empty {
                return;
            }
        }
    }
    sink.end(Part::Query);
}

/// The query the origin is sent: the parameters of the cache policy and of the origin request policy,
/// in request order (CF-120, CF-127, CF-182), but for those of signed URLs where they are taken (CF-185). `None` for no
/// query; borrows when nothing can be dropped.
pub fn forwarded_query<'q>(
    policy: &CachePolicy,
    origin_request: Option<&OriginRequestPolicy>,
    signatures: Signatures,
    query: Option<&'q [u8]>,
) -> Option<Cow<'q, [u8]>> {
    let query = query.filter(|q| !q.is_empty())?;
    let keyed = &policy.query_strings;
    let further = origin_request.map_or(&Selection::None, |p| &p.query_strings);
    let all = *keyed == Selection::All || *further == Selection::All;
    if all && signatures == Signatures::Ordinary {
        return Some(query.into());
    }
    if keyed.is_none() && further.is_none() {
        return None;
    }
    let wanted = |name: &[u8]| {
        (selects(keyed, name) || selects(further, name)) && signatures.leaves_parameter(name)
    };
    let mut sent = Vec::with_capacity(query.len());
    for (i, parameter) in kept(query, wanted).enumerate() {
        if i > 0 {
            sent.push(b'&');
        }
        sent.extend_from_slice(parameter);
    }
    (!sent.is_empty()).then_some(Cow::Owned(sent))
}

/// The parameters whose name, the raw bytes before `=`, is wanted (CF-182).
fn kept(query: &[u8], wanted: impl Fn(&[u8]) -> bool) -> impl Iterator<Item = &[u8]> {
    query.split(|b| *b == b'&').filter(move |parameter| {
        let end = parameter.iter().position(|b| *b == b'=');
        wanted(&parameter[..end.unwrap_or(parameter.len())])
    })
}

/// [`Selection::selects`] for raw bytes.
pub(super) fn selects(selection: &Selection, name: &[u8]) -> bool {
    let listed = |names: &[String]| names.iter().any(|n| n.as_bytes() == name);
    match selection {
        Selection::None => false,
        Selection::Whitelist(names) => listed(names),
        Selection::AllExcept(names) => !listed(names),
        Selection::Wildcards(all) => all.iter().any(|w| w.matches(name)),
        Selection::All => true,
    }
}
