//! HTTP dates (RFC 9110 section 5.6.7) and the fields that carry one.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue};

/// A date field: not there, not a date, or a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DateField {
    Absent,
    Invalid,
    At(SystemTime),
}

/// Reads the first line of a date field, in any of the three formats recipients must accept.
pub(super) fn date_field(headers: &HeaderMap, name: &HeaderName) -> DateField {
    headers
        .get(name)
        .map_or(DateField::Absent, |value| match parse(value) {
            Some(at) => DateField::At(at),
            None => DateField::Invalid,
        })
}

/// The date, when the field is there and valid.
pub(super) fn date(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    headers.get(name).and_then(parse)
}

/// In any of the three formats, and in any case: a cache should not mind it (RFC 9111 section 4.2). Nor does it mind
/// the name of another weekday, which says nothing that the rest of the date does not.
pub(super) fn parse(value: &HeaderValue) -> Option<SystemTime> {
    let text = value.to_str().ok()?.trim();
    let read = |text: &str| httpdate::parse_http_date(text).ok();
    read(text).or_else(|| {
        // As rare as it is wrong, so it may cost a few more attempts.
        let text = usual_case(text);
        read(&text).or_else(|| {
            let rest = text.get(3..)?;
            let days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
            if !days.contains(&text.get(..3)?) || rest.starts_with(char::is_alphabetic) {
                return None;
            }
            days.iter().find_map(|day| read(&format!("{day}{rest}")))
        })
    })
}

/// Words with a capital letter first and small ones after it, and `GMT`.
fn usual_case(text: &str) -> String {
    let mut inside = false;
    let words: String = text
        .chars()
        .map(|c| {
            let cased = if inside {
                c.to_ascii_lowercase()
            } else {
                c.to_ascii_uppercase()
            };
            inside = c.is_ascii_alphabetic();
            cased
        })
        .collect();
    match words.strip_suffix("Gmt") {
        Some(date) => format!("{date}GMT"),
        None => words,
    }
}

/// The first second of the year 10000, which the format cannot write.
const END_OF_TIME: u64 = 253_402_300_800;

/// A field value for `at`; `None` for times the format cannot write.
pub(super) fn value(at: SystemTime) -> Option<HeaderValue> {
    let since_epoch = at.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    (since_epoch.as_secs() < END_OF_TIME)
        .then(|| HeaderValue::try_from(httpdate::HttpDate::from(at).to_string()).ok())?
}

/// Whole seconds from `earlier` to `later`; zero when the order is the other way round.
pub(super) fn seconds_between(earlier: SystemTime, later: SystemTime) -> u64 {
    later
        .duration_since(earlier)
        .unwrap_or(Duration::ZERO)
        .as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header;

    #[test]
    fn the_three_formats_are_read() {
        // CF-243
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::EXPIRES, text.parse().unwrap());
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
            assert_eq!(date_field(&headers, &header::EXPIRES), DateField::At(at));
            assert_eq!(value(at).unwrap(), "Sun, 06 Nov 1994 08:49:37 GMT");
        }
    }

    #[test]
    fn case_and_weekday_do_not_matter() {
        // CF-243, RFC 9111 section 4.2
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let rows = [
            ("SUN, 06 Nov 1994 08:49:37 GMT", true),
            ("Sun, 06 nOV 1994 08:49:37 gmt", true),
            ("sunday, 06-nov-94 08:49:37 gmt", true),
            ("sun nov  6 08:49:37 1994", true),
            ("Thu, 06 Nov 1994 08:49:37 GMT", true),
            ("Thu Nov  6 08:49:37 1994", true),
            ("Moonday, 06-Nov-94 08:49:37 GMT", false),
            ("Thx, 06 Nov 1994 08:49:37 GMT", false),
            ("Sun, 06 Nov 1994 08:49:37 UTC", false),
            ("Sun, 06 Nov 1994 08:49:37 AEST", false),
            ("Sun, 06 Nov 94 08:49:37 GMT", false),
            ("Sun 06 Nov 1994 08:49:37 GMT", false),
            ("Sun, 6 Nov 1994 08:49:37 GMT", false),
            ("Sun, 06 Nov 1994 8:49:37 GMT", false),
            ("Sun, 06-Nov-1994 08:49:37 GMT", false),
            ("Sun, 31 Nov 1994 08:49:37 GMT", false),
            ("\u{e9}un, 06 Nov 1994 08:49:37 GMT", false),
            ("0", false),
            ("", false),
        ];
        for (text, valid) in rows {
            let value = HeaderValue::from_bytes(text.as_bytes()).unwrap();
            assert_eq!(parse(&value), valid.then_some(at), "{text}");
        }
    }

    #[test]
    fn zero_is_not_a_date() {
        // CF-243
        let mut headers = HeaderMap::new();
        assert_eq!(date_field(&headers, &header::EXPIRES), DateField::Absent);
        headers.insert(header::EXPIRES, "0".parse().unwrap());
        assert_eq!(date_field(&headers, &header::EXPIRES), DateField::Invalid);
    }
}
