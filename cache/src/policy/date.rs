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

pub(super) fn parse(value: &HeaderValue) -> Option<SystemTime> {
    httpdate::parse_http_date(value.to_str().ok()?.trim()).ok()
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
    fn zero_is_not_a_date() {
        // CF-243
        let mut headers = HeaderMap::new();
        assert_eq!(date_field(&headers, &header::EXPIRES), DateField::Absent);
        headers.insert(header::EXPIRES, "0".parse().unwrap());
        assert_eq!(date_field(&headers, &header::EXPIRES), DateField::Invalid);
    }
}
