//! What a reader of `GET /_fourfront/v1/logs` asks for (CP-608, CP-620). Lines and records are the node's; this knows which
//! of them are meant.

use std::time::{Duration, SystemTime};

use super::{named::Named, plane::Problem, time};
use crate::LogLevel;

/// Longest text to look for, in bytes, and most names of functions.
const MOST_TEXT: usize = 256;
const MOST_NAMES: usize = 32;

/// Which lines of functions and which records of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogQuery {
    /// Whether lines of functions are told.
    pub hook: bool,
    /// Whether access records are told.
    pub access: bool,
    /// Names of functions: their lines, and records of requests that ran one of them. Empty for all.
    pub functions: Vec<String>,
    /// A version: lines alone, for records do not say versions.
    pub version: Option<u32>,
    /// A distribution by its id: its records, and lines of the functions that it has.
    pub distribution: Option<String>,
    /// The lowest and the highest status of a record.
    pub status: Option<(u16, u16)>,
    /// Lines this grave or graver.
    pub level: Option<LogLevel>,
    /// What the text of a line or a record contains.
    pub grep: Option<String>,
    /// Lines from then on that are still kept.
    pub since: Option<SystemTime>,
    /// Whether it goes on.
    pub follow: bool,
    /// Lines for people in the place of JSON.
    pub text: bool,
}

impl Default for LogQuery {
    /// Everything that is kept.
    fn default() -> Self {
        Self {
            hook: true,
            access: true,
            functions: Vec::new(),
            version: None,
            distribution: None,
            status: None,
            level: None,
            grep: None,
            since: None,
            follow: false,
            text: false,
        }
    }
}

impl LogQuery {
    /// Reads a query. `version` and `level` are about lines of functions and `status` about records: where neither `hook` nor
    /// `access` is said, they also say which of the two are meant.
    ///
    /// # Errors
    /// Which parameter is wrong, and why.
    pub fn parse(query: &str, now: SystemTime) -> Result<Self, Problem> {
        let pairs = fourfront_aws::pairs(query)
            .map_err(|_| Problem::invalid("", "the query is not percent-encoded UTF-8"))?;
        let mut asked = Self::default();
        let (mut hook, mut access) = (None, None);
        for (name, value) in &pairs {
            let wrong = |wanted: &str| Problem::invalid(name, format!("`{value}` is not {wanted}"));
            match name.as_str() {
                "function" if asked.functions.len() < MOST_NAMES && !value.is_empty() => {
                    asked.functions.push(value.clone());
                }
                "function" => return Err(wrong("one of at most 32 names")),
                "version" => {
                    asked.version = Some(value.parse().map_err(|_| wrong("a number"))?);
                }
                "distribution" if !value.is_empty() => asked.distribution = Some(value.clone()),
                "distribution" => return Err(wrong("an id")),
                "status" => {
                    let range = status(value);
                    asked.status =
                        Some(range.ok_or_else(|| wrong("a status such as 404, 5xx or 400-499"))?);
                }
                "level" => {
                    let level = level(value);
                    asked.level =
                        Some(level.ok_or_else(|| wrong("error, warn, info, debug or trace"))?);
                }
                "grep" if value.len() <= MOST_TEXT => {
                    asked.grep = Some(value.clone()).filter(|text| !text.is_empty());
                }
                "grep" => return Err(wrong("a text of at most 256 bytes")),
                "since" => {
                    let at = since(value, now);
                    let wanted = "a time such as 10m, 2h or milliseconds since 1970";
                    asked.since = Some(at.ok_or_else(|| wrong(wanted))?);
                }
                "hook" => hook = Some(flag(value).ok_or_else(|| wrong("0 or 1"))?),
                "access" => access = Some(flag(value).ok_or_else(|| wrong("0 or 1"))?),
                "follow" => asked.follow = flag(value).ok_or_else(|| wrong("0 or 1"))?,
                "format" if value == "text" || value == "json" => asked.text = value == "text",
                "format" => return Err(wrong("text or json")),
                _ => {
                    let known = "function, version, distribution, status, hook, access, level, grep, since, follow, format";
                    return Err(Problem::invalid(
                        name,
                        format!("logs are asked for with {known}"),
                    ));
                }
            }
        }
        let of_lines = asked.version.is_some() || asked.level.is_some();
        let of_records = asked.status.is_some();
        (asked.hook, asked.access) = match (hook, access) {
            (None, None) if of_lines != of_records => (of_lines, of_records),
            (None, None) => (true, true),
            (Some(hook), None) => (hook, !hook),
            (None, Some(access)) => (!access, access),
            (Some(hook), Some(access)) => (hook, access),
        };
        if !asked.hook && !asked.access {
            let detail = "neither lines of functions nor access records are asked for";
            return Err(Problem::invalid("hook", detail));
        }
        if of_lines && !asked.hook {
            let detail = "only lines of functions have it, and those are not asked for";
            let field = if asked.level.is_some() {
                "level"
            } else {
                "version"
            };
            return Err(Problem::invalid(field, detail));
        }
        if of_records && !asked.access {
            let detail = "only access records have it, and those are not asked for";
            return Err(Problem::invalid("status", detail));
        }
        if !asked.hook && !asked.follow {
            let detail =
                "access records are not kept: they are told as requests end, with `follow=1`";
            return Err(Problem::invalid("follow", detail));
        }
        Ok(asked)
    }
}

/// What a query is about, if it is about one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Function(String),
    Distribution(String),
}

impl Subject {
    pub(super) fn named(&self) -> Named {
        match self {
            Self::Function(name) => Named::Function(name.clone()),
            Self::Distribution(id) => Named::Distribution(id.clone()),
        }
    }
}

/// What a query is about, for keys that are restricted (CP-432). A distribution is it for access records alone: a line of a
/// function that two distributions have does not say for which of them it ran.
pub(super) fn subject(query: &str) -> Option<Subject> {
    // A query that is wrong is refused by who answers it.
    let mut asked = LogQuery::parse(query, SystemTime::UNIX_EPOCH).ok()?;
    match (asked.functions.len(), asked.distribution) {
        (1, _) => asked.functions.pop().map(Subject::Function),
        (0, Some(id)) if !asked.hook => Some(Subject::Distribution(id)),
        _ => None,
    }
}

fn flag(value: &str) -> Option<bool> {
    match value {
        "" | "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}

fn level(value: &str) -> Option<LogLevel> {
    use LogLevel::{Debug, Error, Info, Trace, Warn};
    [Error, Warn, Info, Debug, Trace]
        .into_iter()
        .find(|level| level.as_str().eq_ignore_ascii_case(value))
}

/// `404`, `5xx` or `400-499`; 0 is that of a viewer who left before any byte.
fn status(value: &str) -> Option<(u16, u16)> {
    let code = |text: &str| text.parse::<u16>().ok().filter(|code| *code <= 999);
    if let Some(class) = value.strip_suffix("xx") {
        let class = code(class).filter(|class| (1..=9).contains(class))?;
        return Some((class * 100, class * 100 + 99));
    }
    let (first, last) = value.split_once('-').unwrap_or((value, value));
    let (first, last) = (code(first)?, code(last)?);
    (first <= last).then_some((first, last))
}

/// So long before now, or milliseconds since 1970.
fn since(value: &str, now: SystemTime) -> Option<SystemTime> {
    let Some(unit) = value.chars().last().filter(char::is_ascii_alphabetic) else {
        let millis = value.parse::<u64>().ok()?;
        // Later than any clock will say.
        return (millis < 1 << 50).then(|| time::of_millis(millis));
    };
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let count = value[..value.len() - 1].parse::<u64>().ok()?;
    let ago = Duration::from_secs(count.checked_mul(seconds)?);
    // Longer ago than 1970 is all there is.
    let at = now.checked_sub(ago).unwrap_or(SystemTime::UNIX_EPOCH);
    Some(at.max(SystemTime::UNIX_EPOCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_391_891_990;

    fn parse(query: &str) -> Result<LogQuery, Option<String>> {
        LogQuery::parse(query, time::of_millis(NOW)).map_err(|problem| problem.field)
    }

    #[test]
    fn a_query_says_which_lines_and_records_are_meant() {
        // CP-608, CP-620
        assert_eq!(parse(""), Ok(LogQuery::default()));
        let asked = parse(
            "function=a&function=b&version=3&distribution=E1&level=WARN&grep=a+b%26&since=10m&follow=1&format=text",
        );
        let expected = LogQuery {
            access: false,
            functions: vec!["a".to_owned(), "b".to_owned()],
            version: Some(3),
            distribution: Some("E1".to_owned()),
            level: Some(LogLevel::Warn),
            grep: Some("a b&".to_owned()),
            since: Some(time::of_millis(NOW - 600_000)),
            follow: true,
            text: true,
            ..LogQuery::default()
        };
        assert_eq!(asked, Ok(expected));
        for (query, range) in [
            ("status=5xx", (500, 599)),
            ("status=404", (404, 404)),
            ("status=400-499", (400, 499)),
            ("status=0", (0, 0)),
        ] {
            let asked = parse(&format!("{query}&follow")).unwrap();
            assert_eq!(asked.status, Some(range), "{query}");
        }
        for (query, at) in [
            ("since=90s", NOW - 90_000),
            ("since=2h", NOW - 7_200_000),
            ("since=1d", NOW - 86_400_000),
            ("since=99999999d", 0),
            ("since=1234", 1_234),
        ] {
            assert_eq!(
                parse(query).unwrap().since,
                Some(time::of_millis(at)),
                "{query}"
            );
        }
    }

    #[test]
    fn filters_of_one_kind_choose_it_where_nothing_else_does() {
        // CP-608
        for (query, hook, access) in [
            ("", true, true),
            ("hook", true, false),
            ("access=1", false, true),
            ("hook=1&access=1", true, true),
            ("hook=0", false, true),
            ("access=false", true, false),
            ("status=5xx", false, true),
            ("level=error", true, false),
            ("version=1", true, false),
            ("status=5xx&level=error", true, true),
            ("status=5xx&hook=1&access=1", true, true),
            ("function=f", true, true),
        ] {
            let asked = parse(&format!("follow&{query}")).unwrap();
            assert_eq!((asked.hook, asked.access), (hook, access), "{query}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        // CP-621
        for (query, field) in [
            ("follow&status=6", None),
            ("status=six", Some("status")),
            ("status=0xx", Some("status")),
            ("status=500-400", Some("status")),
            ("status=70000", Some("status")),
            ("level=loud", Some("level")),
            ("version=-1", Some("version")),
            ("since=10", None),
            ("since=10y", Some("since")),
            ("since=m", Some("since")),
            ("since=99999999999999999999d", Some("since")),
            ("since=18446744073709551615", Some("since")),
            ("since=1\u{e9}", Some("since")),
            ("follow=maybe", Some("follow")),
            ("format=xml", Some("format")),
            ("function=", Some("function")),
            ("colour=red", Some("colour")),
            ("hook=0&access=0", Some("hook")),
            ("access=1", Some("follow")),
            ("status=5xx&follow=0", Some("follow")),
            ("hook=1&status=5xx", Some("status")),
            ("access=1&level=warn", Some("level")),
        ] {
            let named = parse(query).err().flatten();
            assert_eq!(named.as_deref(), field, "{query}");
        }
        assert_eq!(
            parse(&"&function=f".repeat(33)).err().flatten().as_deref(),
            Some("function")
        );
        let long = format!("grep={}", "x".repeat(257));
        assert_eq!(parse(&long).err().flatten().as_deref(), Some("grep"));
    }

    #[test]
    fn a_restricted_key_is_held_against_the_one_thing_that_a_query_names() {
        // CP-432
        let function = |name: &str| Some(Subject::Function(name.to_owned()));
        let distribution = |id: &str| Some(Subject::Distribution(id.to_owned()));
        for (query, named) in [
            ("function=f", function("f")),
            ("function=f&distribution=E1", function("f")),
            ("function=f&function=g", None),
            ("distribution=E1", None),
            ("distribution=E1&access=1&follow=1", distribution("E1")),
            ("distribution=E1&status=5xx&follow=1", distribution("E1")),
            ("distribution=E1&access=1&hook=1", None),
            ("", None),
            ("function=f&colour=red", None),
        ] {
            assert_eq!(subject(query), named, "{query}");
        }
    }
}
