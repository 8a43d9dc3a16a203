//! Lines as events: `FilterLogEvents` and `GetLogEvents` (CP-232).

use serde_json::{Value, json};

use super::{ApiError, Group, fault, invalid, pattern::Pattern, stream_of};
use crate::api::{plane::LoggedLine, time};

/// What one answer holds at most.
const MOST_EVENTS: usize = 10_000;
const MOST_BYTES: usize = 1 << 20;
/// What an event weighs beside its message.
const EVENT_WEIGHT: usize = 26;

/// A line as Lambda's text format has it (LE-351).
fn message(line: &LoggedLine) -> String {
    let id = match line.invocation_id.as_str() {
        "" => "-",
        id => id,
    };
    let at = time::iso(time::millis(line.time));
    format!("{at}\t{id}\t{}\t{}\n", line.level, line.message)
}

fn limit(input: &Value) -> usize {
    let limit = input["limit"]
        .as_u64()
        .and_then(|limit| usize::try_from(limit).ok());
    limit.unwrap_or(MOST_EVENTS).clamp(1, MOST_EVENTS)
}

/// So many of the lines as one answer holds.
fn fitting<'l>(lines: impl Iterator<Item = &'l LoggedLine>, most: usize) -> Vec<&'l LoggedLine> {
    let mut bytes = 0;
    lines
        .take(most)
        .take_while(|line| {
            let is_first = bytes == 0;
            bytes += line.message.len() + EVENT_WEIGHT;
            is_first || bytes <= MOST_BYTES
        })
        .collect()
}

/// `FilterLogEvents`: of all streams, or of some.
pub(super) fn filter(group: &Group, input: &Value) -> Result<Value, ApiError> {
    let names = input["logStreamNames"].as_array();
    let prefix = input["logStreamNamePrefix"].as_str();
    if names.is_some() && prefix.is_some() {
        return Err(invalid(
            "logStreamNames and logStreamNamePrefix cannot be given together.",
        ));
    }
    let pattern = Pattern::parse(input["filterPattern"].as_str().unwrap_or_default())?;
    let start = input["startTime"].as_u64().unwrap_or(0);
    let end = input["endTime"].as_u64().unwrap_or(u64::MAX);
    let from = match input["nextToken"].as_str() {
        None => 0,
        Some(token) => token
            .parse::<u64>()
            .map_err(|_| invalid("The specified nextToken is invalid."))?,
    };
    let is_meant = |line: &&LoggedLine| {
        let at = time::millis(line.time);
        let of_stream = || match (names, prefix) {
            (None, None) => true,
            (names, prefix) => {
                let stream = stream_of(line);
                names.is_none_or(|names| names.iter().any(|n| n.as_str() == Some(&stream)))
                    && prefix.is_none_or(|prefix| stream.starts_with(prefix))
            }
        };
        line.number >= from
            && (start..=end).contains(&at)
            && of_stream()
            && pattern.fits(&line.message)
    };
    let mut all = group.lines.iter().filter(is_meant);
    let told = fitting(all.by_ref(), limit(input));
    let last = told.last().map(|line| line.number);
    let goes_on = last.is_some_and(|last| {
        let mut later = group.lines.iter().filter(is_meant);
        later.any(|line| line.number > last)
    });
    let events: Vec<Value> = told
        .iter()
        .map(|line| {
            let at = time::millis(line.time);
            json!({
                "logStreamName": stream_of(line),
                "timestamp": at,
                "message": message(line),
                "ingestionTime": at,
                // The time is in it, for numbers begin anew when a node does.
                "eventId": format!("{at:020}{:020}", line.number),
            })
        })
        .collect();
    let mut told = json!({ "events": events, "searchedLogStreams": [] });
    if let (true, Some(last)) = (goes_on, last) {
        told["nextToken"] = json!((last + 1).to_string());
    }
    Ok(told)
}

/// A place in a stream: lines from a number on, or those before it.
#[derive(Clone, Copy)]
enum Place {
    From(u64),
    Before(u64),
}

impl Place {
    fn parse(token: &str) -> Option<Self> {
        let (direction, number) = token.split_once('/')?;
        let number = number.parse().ok()?;
        match direction {
            "f" => Some(Self::From(number)),
            "b" => Some(Self::Before(number)),
            _ => None,
        }
    }
}

/// `GetLogEvents`: one stream, forwards or backwards. At the end the token stays what it is.
pub(super) fn get(group: &Group, input: &Value) -> Result<Value, ApiError> {
    let stream = input["logStreamName"].as_str().unwrap_or_default();
    let lines: Vec<&LoggedLine> = group
        .lines
        .iter()
        .filter(|l| stream_of(l) == stream)
        .collect();
    if lines.is_empty() {
        let message = "The specified log stream does not exist.";
        return Err(fault("ResourceNotFoundException", message));
    }
    let place = match input["nextToken"].as_str() {
        Some(token) => {
            Place::parse(token).ok_or_else(|| invalid("The specified nextToken is invalid."))?
        }
        None if input["startFromHead"].as_bool() == Some(true) => Place::From(0),
        None => Place::Before(u64::MAX),
    };
    let start = input["startTime"].as_u64().unwrap_or(0);
    let end = input["endTime"].as_u64().unwrap_or(u64::MAX);
    let in_time = |line: &&LoggedLine| (start..end).contains(&time::millis(line.time));
    let (told, at) = match place {
        Place::From(number) => {
            let later = lines
                .iter()
                .copied()
                .filter(|l| l.number >= number)
                .filter(in_time);
            (fitting(later, limit(input)), number)
        }
        Place::Before(number) => {
            let earlier = lines
                .iter()
                .rev()
                .copied()
                .filter(|l| l.number < number)
                .filter(in_time);
            let mut told = fitting(earlier, limit(input));
            told.reverse();
            let newest = lines.last().map_or(0, |line| line.number + 1);
            (told, number.min(newest))
        }
    };
    let forward = told.last().map_or(at, |line| line.number + 1);
    let backward = told.first().map_or(at, |line| line.number);
    let events: Vec<Value> = told
        .iter()
        .map(|line| {
            let at = time::millis(line.time);
            json!({ "timestamp": at, "message": message(line), "ingestionTime": at })
        })
        .collect();
    Ok(json!({
        "events": events,
        "nextForwardToken": format!("f/{forward}"),
        "nextBackwardToken": format!("b/{backward}"),
    }))
}
