//! Invalidations as operators ask for them: requests of the admin API, held against the configuration (CF section 7,
//! CP section 3.5), and what is told of them. What they do is [`fourfront_cache::purge`]'s, in both tiers and before the
//! call is answered (CF-802). Viewers have no method for it.

use std::{sync::Arc, time::SystemTime};

use fourfront_cache::purge::{
    Batch, CreateError, Created, Invalidation, Item, ItemError, Tag, TagLimits, Target,
};
use fourfront_control::Quotas;
pub use fourfront_control::api::plane::{Problem, PurgeAnswer, PurgeCall};
use fourfront_model::{Compat, Distribution, Shield};
use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::{
    node::{Node, Snapshot},
    observe::access::rfc3339,
    origins::Order,
};

/// Longest caller reference: what is kept is bounded.
const MOST_REFERENCE: usize = 1_024;
/// Invalidations on one page at most (CP-044).
const MOST_LISTED: usize = 100;

/// Answers a call about a node's invalidations, at the time `now`.
pub fn answer(node: &Node, call: PurgeCall, now: SystemTime) -> PurgeAnswer {
    let answered = match call {
        PurgeCall::Create(body) => create(node, &body, now, true),
        PurgeCall::List(query) => list(node, &query),
        PurgeCall::Get(id) => get(node, &id),
    };
    answered.unwrap_or_else(Problem::answer)
}

/// Does what an edge asks of this node as its shield (CF-415). Waits for the disk.
pub(crate) fn invalidate_here(node: &Node, body: &[u8], now: SystemTime) -> PurgeAnswer {
    create(node, body, now, false).unwrap_or_else(Problem::answer)
}

/// `and_shields`: whether those that stand between this node and the distribution's origins are told before, as else what they have
/// would be fetched from them again.
fn create(
    node: &Node,
    body: &[u8],
    now: SystemTime,
    and_shields: bool,
) -> Result<PurgeAnswer, Problem> {
    let snapshot = node.snapshot();
    let quotas = &snapshot.settings().quotas;
    let asked = Asked::read(body, quotas)?;
    let distributions = snapshot.site().distributions();
    let distribution = match (&asked.distribution, &asked.host) {
        (Some(_), Some(_)) => {
            return Err(Problem::invalid(
                "host",
                "give `distribution` or `host`, not both",
            ));
        }
        (Some(id), None) => by_id(distributions, id)?,
        (None, Some(host)) => snapshot.site().distribution_for(host).ok_or_else(|| {
            let detail = format!("no distribution answers for host `{host}`");
            Problem::new(StatusCode::NOT_FOUND, "NoSuchDistribution", detail)
        })?,
        (None, None) => only(distributions)?,
    };
    let reference = asked
        .caller_reference
        .unwrap_or_else(|| format!("node-{:032x}", rand::random::<u128>()));
    let mut items = asked.items;
    // What an edge has accepted has grown on its way by what the edge adds.
    if distribution.compat == Compat::Strict && and_shields {
        check_size(&items, quotas)?;
    }
    // CF-657: who names `/` means the object that is served for it.
    if let Some(object) = &distribution.default_root_object
        && items.contains(&Item::Path(Target::new(b"/", None)))
    {
        let object = Item::Path(Target::new(format!("/{object}").as_bytes(), None));
        if !items.contains(&object) {
            items.push(object);
        }
    }
    let batch = Batch {
        distribution: distribution.id.clone(),
        items,
        tag_header: distribution.cache_tags.as_ref().map(|t| t.header.clone()),
        soft: asked.soft,
        caller_reference: reference,
        created: now,
    };
    let soft = batch.soft;
    let untold = match and_shields {
        true => tell_shields(node, &snapshot, &batch, now),
        false => Ok(()),
    };
    match node.cache().invalidations().create(batch) {
        Ok(created) => {
            let invalidation = match created {
                Created::New(new) => {
                    node.metrics().invalidation(&distribution.id, soft);
                    new
                }
                Created::Earlier(earlier) => earlier,
            };
            untold?;
            Ok(PurgeAnswer {
                // CP-142: the earlier one is answered the same way.
                status: StatusCode::CREATED,
                location: Some(format!("/_fourfront/v1/purge/{}", invalidation.id)),
                body: shown(&invalidation),
            })
        }
        Err(e) => Err(refused(e)),
    }
}

/// Has the shields of a distribution's origins take note of an invalidation, before this node does (CF-415).
///
/// # Errors
/// When one of them does not. Done here it is all the same, and can be sent again.
fn tell_shields(
    node: &Node,
    snapshot: &Snapshot,
    batch: &Batch,
    now: SystemTime,
) -> Result<(), Problem> {
    let settings = &snapshot.settings().shield;
    let distributions = snapshot.site().distributions();
    let distribution = by_id(distributions, &batch.distribution)?;
    let is_asked = |shield: &&Shield| {
        let mut origins = distribution.origins.iter();
        origins.any(|origin| origin.shield.as_ref() == Some(&shield.region))
    };
    let shields: Vec<_> = settings.shields.iter().filter(is_asked).cloned().collect();
    let Some(secret) = settings.secrets.first().filter(|_| !shields.is_empty()) else {
        return Ok(());
    };
    let body = json!({
        "distribution": batch.distribution,
        "paths": batch.items.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "soft": batch.soft,
        "caller_reference": batch.caller_reference,
    });
    let order = Order {
        shields,
        secret: secret.clone(),
        body: body.to_string(),
        now,
        origin_ca: snapshot.settings().origin_ca.clone(),
    };
    node.origins().tell_shields(order).map_err(|cause| {
        let detail = format!(
            "it is invalidated here, but {cause}; what a shield has may be fetched from it again: send this once more, with `caller_reference` `{}`",
            batch.caller_reference
        );
        tracing::error!(distribution = batch.distribution, "{detail}");
        Problem::new(StatusCode::BAD_GATEWAY, "OriginShieldNotInvalidated", detail)
    })
}

fn refused(error: CreateError) -> Problem {
    let detail = error.to_string();
    match error {
        CreateError::ReferenceUsed { .. } => Problem {
            code: "InvalidationBatchAlreadyExists".to_owned(),
            ..Problem::invalid("caller_reference", detail)
        },
        CreateError::NoTags { .. } => Problem::invalid("tags", detail),
        CreateError::Empty => Problem::invalid("paths", detail),
        CreateError::NotDurable { .. } => {
            tracing::error!("{detail}");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "NotDurable", detail)
        }
        other => Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalError",
            other.to_string(),
        ),
    }
}

/// The limits of tags among a node's (CF-671).
pub(crate) const fn tag_limits(quotas: &Quotas) -> TagLimits {
    TagLimits {
        count: quotas.max_cache_tags,
        length: quotas.max_cache_tag_length,
    }
}

/// CP-140.
fn check_size(items: &[Item], quotas: &Quotas) -> Result<(), Problem> {
    let most_items = quotas.max_invalidation_items;
    let most_wildcards = quotas.max_invalidation_wildcards;
    let wildcards = items
        .iter()
        .filter(|i| matches!(i, Item::Prefix(_) | Item::All))
        .count();
    let (count, what, most) = match items.len() > most_items {
        true => (items.len(), "paths and tags", most_items),
        false if wildcards > most_wildcards => (wildcards, "paths with a wildcard", most_wildcards),
        false => return Ok(()),
    };
    let detail = format!(
        "{count} {what}; at most {most} are allowed in one batch, unless the distribution has `compat: relaxed` (CP-140)"
    );
    Err(Problem {
        field: Some("paths".to_owned()),
        ..Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "BatchTooLarge", detail)
    })
}

fn by_id<'d>(all: &'d [Arc<Distribution>], id: &str) -> Result<&'d Arc<Distribution>, Problem> {
    all.iter().find(|d| d.id == id).ok_or_else(|| {
        let detail = format!("there is no distribution `{id}`; there {}", names(all));
        Problem::new(StatusCode::NOT_FOUND, "NoSuchDistribution", detail)
    })
}

pub(crate) fn only(all: &[Arc<Distribution>]) -> Result<&Arc<Distribution>, Problem> {
    match all {
        [only] => Ok(only),
        _ => {
            let detail = format!("say which distribution: there {}", names(all));
            Err(Problem::invalid("distribution", detail))
        }
    }
}

fn names(all: &[Arc<Distribution>]) -> String {
    match all {
        [] => "is none".to_owned(),
        [one] => format!("is `{}`", one.id),
        many => {
            let ids: Vec<_> = many
                .iter()
                .take(20)
                .map(|d| format!("`{}`", d.id))
                .collect();
            format!("are {}", ids.join(", "))
        }
    }
}

fn list(node: &Node, query: &str) -> Result<PurgeAnswer, Problem> {
    let mut distribution = None;
    let mut marker = None;
    let mut most = MOST_LISTED;
    for parameter in query.split('&').filter(|p| !p.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match name {
            "distribution" => distribution = Some(value),
            "marker" => marker = Some(value),
            "max_items" => {
                most = value
                    .parse::<usize>()
                    .ok()
                    .filter(|n| *n > 0)
                    .ok_or_else(|| Problem::invalid("max_items", "a number from 1 to 100"))?
                    .min(MOST_LISTED);
            }
            _ => {
                let detail = "a list takes `distribution`, `marker` and `max_items`";
                return Err(Problem::invalid(name, detail));
            }
        }
    }
    let snapshot = node.snapshot();
    let distributions = snapshot.site().distributions();
    let distribution = match distribution {
        Some(id) => by_id(distributions, id)?,
        None => only(distributions)?,
    };
    let page = node
        .cache()
        .invalidations()
        .list(&distribution.id, marker, most);
    let mut body = json!({
        "distribution": distribution.id,
        "invalidations": page.invalidations.iter().map(|i| shown(i)).collect::<Vec<_>>(),
    });
    if let Some(last) = page.invalidations.last().filter(|_| page.more) {
        body["next_marker"] = json!(last.id.as_str());
    }
    Ok(ok(body))
}

fn get(node: &Node, id: &str) -> Result<PurgeAnswer, Problem> {
    let snapshot = node.snapshot();
    let found = snapshot
        .site()
        .distributions()
        .iter()
        .find_map(|d| node.cache().invalidations().get(&d.id, id));
    match found {
        Some(invalidation) => Ok(ok(shown(&invalidation))),
        None => Err(Problem::new(
            StatusCode::NOT_FOUND,
            "NoSuchInvalidation",
            "no invalidation with that id is remembered (CP-142)",
        )),
    }
}

const fn ok(body: Value) -> PurgeAnswer {
    PurgeAnswer {
        status: StatusCode::OK,
        body,
        location: None,
    }
}

/// What is told of an invalidation. It is complete by the time anybody can see it (CF-661, CP-143).
fn shown(invalidation: &Invalidation) -> Value {
    let batch = &invalidation.batch;
    json!({
        "id": invalidation.id.as_str(),
        "distribution": batch.distribution,
        "status": "Completed",
        "create_time": rfc3339(batch.created),
        "caller_reference": batch.caller_reference,
        "soft": batch.soft,
        "paths": batch.items.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

/// A request to invalidate, read.
#[derive(Debug, Default)]
struct Asked {
    distribution: Option<String>,
    host: Option<String>,
    items: Vec<Item>,
    soft: bool,
    caller_reference: Option<String>,
}

impl Asked {
    fn read(body: &[u8], quotas: &Quotas) -> Result<Self, Problem> {
        let limits = tag_limits(quotas);
        let malformed =
            |detail: String| Problem::new(StatusCode::BAD_REQUEST, "MalformedInput", detail);
        let fields: Map<String, Value> = serde_json::from_slice(body)
            .map_err(|e| malformed(format!("not a JSON object: {e}")))?;
        let mut asked = Self::default();
        for (name, value) in &fields {
            match name.as_str() {
                "distribution" => asked.distribution = Some(text(name, value)?.to_owned()),
                "host" => asked.host = Some(text(name, value)?.to_owned()),
                "caller_reference" => {
                    let reference = text(name, value)?;
                    if reference.is_empty() || reference.len() > MOST_REFERENCE {
                        let detail = format!("1 to {MOST_REFERENCE} bytes");
                        return Err(Problem::invalid(name, detail));
                    }
                    asked.caller_reference = Some(reference.to_owned());
                }
                "soft" => asked.soft = boolean(name, value)?,
                "all" => {
                    if boolean(name, value)? {
                        asked.items.push(Item::All);
                    }
                }
                "paths" => asked.add(name, value, |path| Item::parse_within(path, &limits))?,
                "tags" => asked.add(name, value, |tag| {
                    let tag = tag.strip_prefix('#').unwrap_or(tag);
                    Tag::parse_within(tag, &limits).map(Item::Tag)
                })?,
                _ => {
                    let detail = "a purge has `paths`, `tags`, `all`, `soft`, `distribution`, `host` and `caller_reference`";
                    return Err(Problem::invalid(name, detail));
                }
            }
        }
        if asked.items.is_empty() {
            return Err(refused(CreateError::Empty));
        }
        Ok(asked)
    }

    fn add(
        &mut self,
        name: &str,
        value: &Value,
        parse: impl Fn(&str) -> Result<Item, ItemError>,
    ) -> Result<(), Problem> {
        let list = value
            .as_array()
            .ok_or_else(|| Problem::invalid(name, "a list of texts"))?;
        for (i, item) in list.iter().enumerate() {
            let field = format!("{name}[{i}]");
            let item = parse(text(&field, item)?);
            let item = item.map_err(|e| Problem::invalid(&field, e.to_string()))?;
            self.items.push(item);
        }
        Ok(())
    }
}

pub(crate) fn text<'v>(field: &str, value: &'v Value) -> Result<&'v str, Problem> {
    value
        .as_str()
        .ok_or_else(|| Problem::invalid(field, "a text"))
}

fn boolean(field: &str, value: &Value) -> Result<bool, Problem> {
    value
        .as_bool()
        .ok_or_else(|| Problem::invalid(field, "true or false"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(body: &str) -> Vec<String> {
        let asked = Asked::read(body.as_bytes(), &Quotas::default()).unwrap();
        asked.items.iter().map(ToString::to_string).collect()
    }

    fn problem(body: &str) -> (u16, String, String) {
        let answer = Asked::read(body.as_bytes(), &Quotas::default())
            .unwrap_err()
            .answer();
        let member = |name: &str| answer.body[name].as_str().unwrap_or("-").to_owned();
        assert_eq!(answer.body["status"], answer.status.as_u16());
        (answer.status.as_u16(), member("code"), member("field"))
    }

    #[test]
    fn a_request_names_paths_tags_or_all() {
        // CP-140, CP-141, CF-672
        assert_eq!(
            items(r##"{"paths":["/a","b*","#T"]}"##),
            ["/a", "/b*", "#t"]
        );
        assert_eq!(items(r##"{"tags":["x","#y"]}"##), ["#x", "#y"]);
        assert_eq!(items(r#"{"all":true,"soft":true}"#), ["/*"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        // CP-140, CP-621, CF-651, CF-671
        let invalid = |field: &str| (400, "InvalidArgument".to_owned(), field.to_owned());
        let malformed = (400, "MalformedInput".to_owned(), "-".to_owned());
        for (body, expected) in [
            ("", malformed.clone()),
            ("[]", malformed),
            ("{}", invalid("paths")),
            (r#"{"paths":[]}"#, invalid("paths")),
            (r#"{"all":false}"#, invalid("paths")),
            (r#"{"paths":"/a"}"#, invalid("paths")),
            (r#"{"paths":["/a",1]}"#, invalid("paths[1]")),
            (r#"{"paths":["/a b"]}"#, invalid("paths[0]")),
            (r#"{"tags":["a,b"]}"#, invalid("tags[0]")),
            (r#"{"all":true,"soft":"yes"}"#, invalid("soft")),
            (
                r#"{"all":true,"caller_reference":""}"#,
                invalid("caller_reference"),
            ),
            (r#"{"pathz":["/a"]}"#, invalid("pathz")),
        ] {
            assert_eq!(problem(body), expected, "{body}");
        }
    }

    #[test]
    fn a_batch_is_no_larger_than_on_aws() {
        // CP-140
        let many = |text: &str, count: usize| {
            let items = vec![Item::parse(text).unwrap(); count];
            check_size(&items, &Quotas::default()).map_err(|p| (p.status.as_u16(), p.code))
        };
        let large = Err((413, "BatchTooLarge".to_owned()));
        assert_eq!(many("/a", 3_000), Ok(()));
        assert_eq!(many("/a", 3_001), large.clone());
        assert_eq!(many("/a*", 15), Ok(()));
        assert_eq!(many("/a*", 16), large.clone());
        assert_eq!(many("/*", 16), large);
    }
}
