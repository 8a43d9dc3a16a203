//! CloudWatch Logs in front of what functions have logged of late, so that `aws logs tail` reads a node's hooks (CP-232).
//!
//! Groups are named as Lambda@Edge names them, `/aws/lambda/us-east-1.NAME`, and those of CloudFront Functions
//! `/aws/cloudfront/function/NAME`. A group is there when there is such a function, when one of that name has logged, or when
//! somebody has made the group, which tools do before the function. Lines are the node's and few: its memory keeps the last
//! of them, whatever a retention policy says.

mod events;
mod pattern;

use std::collections::{BTreeMap, BTreeSet};

use fourfront_aws::Service;
use fourfront_store::Kind;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    ApiError,
    page::page,
    plane::LoggedLine,
    time,
    tx::{Stored, Tx},
};

/// What names of groups begin with. Functions of Lambda@Edge live in that region, wherever they run.
const LAMBDA: &str = "/aws/lambda/us-east-1.";
const CLOUDFRONT: &str = "/aws/cloudfront/function/";
/// What one page holds where the call does not say.
const PAGE: usize = 50;
/// Days that a retention policy may say.
const RETENTIONS: [u64; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

/// What was done to a group.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct LogGroup {
    /// When it was made, in milliseconds since 1970; not at all of a group that was deleted.
    #[serde(default)]
    created: Option<u64>,
    #[serde(default)]
    retention: Option<u64>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    /// Lines before that are deleted.
    #[serde(default)]
    cleared: u64,
}

/// A group as it is told.
struct Group {
    name: String,
    /// Empty where nothing was done to it.
    kept: LogGroup,
    lines: Vec<LoggedLine>,
}

impl Group {
    fn first_time(&self) -> u64 {
        let first = self.lines.first().map(|line| time::millis(line.time));
        self.kept.created.or(first).unwrap_or(self.kept.cleared)
    }

    fn stored_bytes(&self) -> u64 {
        self.lines
            .iter()
            .map(|line| line.message.len() as u64)
            .sum()
    }
}

fn fault(code: &'static str, message: impl Into<String>) -> ApiError {
    let status = Service::Logs.status_of(code).unwrap_or(400);
    ApiError::new(status, code, message)
}

fn invalid(message: impl Into<String>) -> ApiError {
    fault("InvalidParameterException", message)
}

fn no_group() -> ApiError {
    fault(
        "ResourceNotFoundException",
        "The specified log group does not exist.",
    )
}

/// The group that a call names, by its name or its ARN.
fn named(input: &Value) -> Option<&str> {
    let given = ["logGroupName", "logGroupIdentifier", "resourceArn"]
        .into_iter()
        .find_map(|member| input[member].as_str())?;
    Some(group_of(given))
}

/// The name in an ARN, or the name itself.
fn group_of(given: &str) -> &str {
    let of_arn = given
        .strip_prefix("arn:")
        .and_then(|arn| arn.split_once(":log-group:"));
    let name = of_arn.map_or(given, |(_, name)| name);
    name.strip_suffix(":*").unwrap_or(name)
}

/// The function whose group a call names, for keys that reach some functions alone (CP-432).
pub(super) fn function_named(input: &Value) -> Option<String> {
    function_of(named(input)?).map(str::to_owned)
}

fn function_of(group: &str) -> Option<&str> {
    let name = group
        .strip_prefix(LAMBDA)
        .or_else(|| group.strip_prefix(CLOUDFRONT))?;
    (!name.is_empty()).then_some(name)
}

/// Whether the node has a function of that group's kind and name in its documents, and whether one of the other kind.
fn documents(tx: &Tx<'_>, group: &str) -> Result<(bool, bool), ApiError> {
    let Some(name) = function_of(group) else {
        return Ok((false, false));
    };
    let lambda = tx.get::<Value>(&Kind::Lambda, name)?.is_some();
    let cloudfront = tx.get::<Value>(&Kind::CloudfrontFunction, name)?.is_some();
    Ok(match group.starts_with(LAMBDA) {
        true => (lambda, cloudfront),
        false => (cloudfront, lambda),
    })
}

fn kept(tx: &Tx<'_>, name: &str) -> Result<Option<LogGroup>, ApiError> {
    let stored: Option<Stored<LogGroup>> = tx.get(&Kind::LogGroup, name)?;
    Ok(stored.map(|stored| stored.body))
}

/// A group, if it is there. A line does not say which kind of function it is from: where only one kind has that name, it
/// is that one's, and a function of the site file has Lambda's.
fn find(tx: &Tx<'_>, name: &str) -> Result<Option<Group>, ApiError> {
    let (own, other) = documents(tx, name)?;
    let kept = kept(tx, name)?.unwrap_or_default();
    let may_have = own || (name.starts_with(LAMBDA) && !other);
    let lines = match function_of(name).filter(|_| may_have) {
        Some(function) => tx.plane.logged(Some(function)),
        None => Vec::new(),
    };
    let cleared = time::of_millis(kept.cleared);
    let lines: Vec<_> = lines
        .into_iter()
        .filter(|line| line.time >= cleared)
        .collect();
    let is_there = own || kept.created.is_some() || !lines.is_empty();
    Ok(is_there.then(|| Group {
        name: name.to_owned(),
        kept,
        lines,
    }))
}

fn existing(tx: &Tx<'_>, input: &Value) -> Result<Group, ApiError> {
    let name =
        named(input).ok_or_else(|| invalid("logGroupName or logGroupIdentifier is required."))?;
    find(tx, name)?.ok_or_else(no_group)
}

/// Answers an operation of CloudWatch Logs.
pub(super) fn call(tx: &mut Tx<'_>, operation: &str, input: &Value) -> Result<Value, ApiError> {
    match operation {
        "DescribeLogGroups" => describe_groups(tx, input),
        "DescribeLogStreams" => describe_streams(tx, input),
        "FilterLogEvents" => events::filter(&existing(tx, input)?, input),
        "GetLogEvents" => events::get(&existing(tx, input)?, input),
        "ListTagsForResource" => {
            let group = existing(tx, input)?;
            Ok(json!({ "tags": group.kept.tags }))
        }
        "CreateLogGroup" => create(tx, input),
        "DeleteLogGroup" => {
            let group = existing(tx, input)?;
            // What was logged until now is gone with it; what is logged from now on makes it anew.
            let cleared = LogGroup {
                cleared: tx.caller.now,
                ..LogGroup::default()
            };
            tx.put(Kind::LogGroup, &group.name, &cleared)?;
            Ok(json!({}))
        }
        "PutRetentionPolicy" => {
            let Group { name, mut kept, .. } = existing(tx, input)?;
            let days = input["retentionInDays"].as_u64().unwrap_or_default();
            if !RETENTIONS.contains(&days) {
                return Err(invalid(format!(
                    "retentionInDays: {days} is none of the numbers of days that there are."
                )));
            }
            kept.retention = Some(days);
            kept.created = kept.created.or(Some(tx.caller.now));
            tx.put(Kind::LogGroup, &name, &kept)?;
            Ok(json!({}))
        }
        _ => Err(fault(
            "InvalidOperationException",
            format!("{operation} is not available (CP-016)"),
        )),
    }
}

fn create(tx: &mut Tx<'_>, input: &Value) -> Result<Value, ApiError> {
    let name = input["logGroupName"].as_str().unwrap_or_default();
    let before = kept(tx, name)?.unwrap_or_default();
    if before.created.is_some() {
        return Err(fault(
            "ResourceAlreadyExistsException",
            "The specified log group already exists",
        ));
    }
    let tags = input["tags"].as_object().into_iter().flatten();
    let group = LogGroup {
        created: Some(tx.caller.now),
        retention: None,
        tags: tags
            .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect(),
        cleared: before.cleared,
    };
    tx.put(Kind::LogGroup, name, &group)?;
    Ok(json!({}))
}

fn arn(tx: &Tx<'_>, group: &str) -> String {
    let account = &tx.settings.account;
    format!(
        "arn:aws:logs:{}:{}:log-group:{group}",
        account.region, account.id
    )
}

fn limit(input: &Value) -> usize {
    let limit = input["limit"]
        .as_u64()
        .and_then(|limit| usize::try_from(limit).ok());
    limit.unwrap_or(PAGE).clamp(1, PAGE)
}

fn describe_groups(tx: &Tx<'_>, input: &Value) -> Result<Value, ApiError> {
    let mut names = BTreeSet::new();
    names.extend(
        tx.list::<LogGroup>(&Kind::LogGroup)?
            .into_iter()
            .map(|g| g.id),
    );
    names.extend(
        tx.list::<Value>(&Kind::Lambda)?
            .into_iter()
            .map(|f| format!("{LAMBDA}{}", f.id)),
    );
    names.extend(
        tx.list::<Value>(&Kind::CloudfrontFunction)?
            .into_iter()
            .map(|f| format!("{CLOUDFRONT}{}", f.id)),
    );
    let logged: BTreeSet<String> = tx
        .plane
        .logged(None)
        .into_iter()
        .map(|l| l.function)
        .collect();
    names.extend(logged.into_iter().map(|name| format!("{LAMBDA}{name}")));
    let text = |member: &str| input[member].as_str();
    if text("logGroupNamePrefix").is_some() && text("logGroupNamePattern").is_some() {
        return Err(invalid(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
        ));
    }
    let prefix = text("logGroupNamePrefix").unwrap_or_default();
    let pattern = text("logGroupNamePattern").unwrap_or_default();
    let identifiers = input["logGroupIdentifiers"].as_array();
    let is_meant = |name: &str| {
        let of_list =
            |list: &Vec<Value>| list.iter().any(|i| i.as_str().map(group_of) == Some(name));
        name.starts_with(prefix) && name.contains(pattern) && identifiers.is_none_or(of_list)
    };
    let mut all = Vec::new();
    for name in names.into_iter().filter(|name| is_meant(name)) {
        let Some(group) = find(tx, &name)? else {
            continue;
        };
        let arn = arn(tx, &name);
        let mut told = json!({
            "logGroupName": name,
            "creationTime": group.first_time(),
            "metricFilterCount": 0,
            "arn": format!("{arn}:*"),
            "logGroupArn": arn,
            "storedBytes": group.stored_bytes(),
            "logGroupClass": "STANDARD",
        });
        if let Some(days) = group.kept.retention {
            told["retentionInDays"] = json!(days);
        }
        all.push((name, told));
    }
    let page = page(tx, "log-groups", all, text("nextToken"), limit(input))?;
    Ok(listed("logGroups", page.items, page.next))
}

fn listed(member: &str, items: Vec<Value>, next: Option<String>) -> Value {
    let mut told = json!({ member: items });
    if let Some(next) = next {
        told["nextToken"] = json!(next);
    }
    told
}

/// The stream that a line is in: one a day for each version, on this node.
fn stream_of(line: &LoggedLine) -> String {
    let iso = time::iso(time::millis(line.time));
    let day = iso.get(..10).unwrap_or_default().replace('-', "/");
    // Lambda has an id of the sandbox there.
    let sum = Sha256::digest(format!("{}:{}:{day}", line.function, line.version));
    let id: String = sum
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{day}/[{}]{id}", line.version)
}

fn describe_streams(tx: &Tx<'_>, input: &Value) -> Result<Value, ApiError> {
    let group = existing(tx, input)?;
    let prefix = input["logStreamNamePrefix"].as_str().unwrap_or_default();
    let by_time = input["orderBy"].as_str() == Some("LastEventTime");
    if by_time && !prefix.is_empty() {
        return Err(invalid(
            "Cannot order by LastEventTime with a logStreamNamePrefix.",
        ));
    }
    let mut streams: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for line in &group.lines {
        let at = time::millis(line.time);
        let (first, last) = streams.entry(stream_of(line)).or_insert((at, at));
        (*first, *last) = ((*first).min(at), (*last).max(at));
    }
    let arn = arn(tx, &group.name);
    let told = streams
        .into_iter()
        .filter(|(name, _)| name.starts_with(prefix))
        .map(|(name, (first, last))| {
            let position = if by_time {
                format!("{last:020} {name}")
            } else {
                name.clone()
            };
            let told = json!({
                "logStreamName": name,
                "creationTime": first,
                "firstEventTimestamp": first,
                "lastEventTimestamp": last,
                "lastIngestionTime": last,
                "uploadSequenceToken": "0",
                "arn": format!("{arn}:log-stream:{name}"),
                "storedBytes": 0,
            });
            (position, told)
        });
    let mut told: Vec<(String, Value)> = told.collect();
    if input["descending"].as_bool() == Some(true) {
        // Pages go by ascending positions, so these are turned around.
        told.sort_by(|(a, _), (b, _)| b.cmp(a));
        let numbered = told.into_iter().enumerate();
        told = numbered
            .map(|(n, (_, told))| (format!("{n:08}"), told))
            .collect();
    }
    let listing = format!(
        "log-streams {} {by_time} {}",
        group.name, input["descending"]
    );
    let page = page(
        tx,
        &listing,
        told,
        input["nextToken"].as_str(),
        limit(input),
    )?;
    Ok(listed("logStreams", page.items, page.next))
}

#[cfg(test)]
mod tests;
