//! Dates as signatures write them: `20261124T120000Z`.

use std::time::{SystemTime, UNIX_EPOCH};

use time::{
    Date, Month, OffsetDateTime, PrimitiveDateTime, Time, format_description::well_known::Rfc2822,
};

/// A time in whole seconds since 1970, which is what signatures know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(i64);

impl Moment {
    /// Reads `20261124T120000Z`. Nothing else is read, no such day as February 30 either.
    pub(crate) fn from_basic(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != 16 || bytes[8] != b'T' || bytes[15] != b'Z' {
            return None;
        }
        let number = |from: usize, to: usize| {
            bytes[from..to].iter().try_fold(0_u16, |sum, byte| {
                byte.is_ascii_digit()
                    .then(|| sum * 10 + u16::from(byte - b'0'))
            })
        };
        let small = |from: usize| u8::try_from(number(from, from + 2)?).ok();
        let month = Month::try_from(small(4)?).ok()?;
        let date = Date::from_calendar_date(i32::from(number(0, 4)?), month, small(6)?).ok()?;
        let time = Time::from_hms(small(9)?, small(11)?, small(13)?).ok()?;
        Some(Self(
            PrimitiveDateTime::new(date, time)
                .assume_utc()
                .unix_timestamp(),
        ))
    }

    /// Reads a `Date` field (RFC 9110 section 5.6.7), and the form of RFC 5322 with a numeric zone, which botocore sends.
    pub(crate) fn from_date_field(text: &str) -> Option<Self> {
        let parsed = OffsetDateTime::parse(text, &Rfc2822).ok()?;
        Some(Self(parsed.unix_timestamp()))
    }

    /// The second that `time` falls in. Times before 1970 are 1970.
    pub(crate) fn of(time: SystemTime) -> Self {
        let seconds = time
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        Self(i64::try_from(seconds).unwrap_or(i64::MAX))
    }

    /// This moment and `seconds` more.
    #[must_use]
    pub(crate) fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// `20261124T120000Z`. A moment past the calendar is its last one.
    pub(crate) fn basic(self) -> String {
        let time = OffsetDateTime::from_unix_timestamp(self.0)
            .unwrap_or_else(|_| PrimitiveDateTime::MAX.assume_utc());
        format!(
            "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
            time.year(),
            u8::from(time.month()),
            time.day(),
            time.hour(),
            time.minute(),
            time.second()
        )
    }
}

/// Times in documents: seconds since 1970.
pub(crate) mod seconds {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(time: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(
            time.duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
        )
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SystemTime, D::Error> {
        UNIX_EPOCH
            .checked_add(Duration::from_secs(u64::deserialize(from)?))
            .ok_or_else(|| D::Error::custom("a time past what the system can count"))
    }

    /// The same where there may be none.
    pub(crate) mod optional {
        use super::{
            Deserialize, Deserializer, Duration, Error, Serializer, SystemTime, UNIX_EPOCH,
        };

        pub(crate) fn serialize<S: Serializer>(
            time: &Option<SystemTime>,
            to: S,
        ) -> Result<S::Ok, S::Error> {
            match time {
                Some(time) => super::serialize(time, to),
                None => to.serialize_none(),
            }
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Option<SystemTime>, D::Error> {
            Option::<u64>::deserialize(from)?
                .map(|seconds| {
                    UNIX_EPOCH
                        .checked_add(Duration::from_secs(seconds))
                        .ok_or_else(|| D::Error::custom("a time past what the system can count"))
                })
                .transpose()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_real_moments_in_the_basic_form_are_read() {
        // CP-412
        let noon = Moment::from_basic("20261124T120000Z").unwrap();
        assert_eq!(noon, Moment(1_795_521_600));
        assert_eq!(noon.basic(), "20261124T120000Z");
        for wrong in [
            "",
            "20261124",
            "20261124T120000",
            "20261124T120000z",
            "20261324T120000Z",
            "20260230T120000Z",
            "20261124T240000Z",
            "20261124T126000Z",
            "2026-11-24T12:00Z",
            "+0261124T120000Z",
            "20261124 120000Z",
            "\u{e9}0261124T12000Z",
        ] {
            assert_eq!(Moment::from_basic(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_date_field_is_read_with_gmt_and_with_a_numeric_zone() {
        // CP-412: the fallback
        let noon = Moment::from_basic("20261124T120000Z");
        for text in [
            "Tue, 24 Nov 2026 12:00:00 GMT",
            "Tue, 24 Nov 2026 12:00:00 -0000",
            "Tue, 24 Nov 2026 13:00:00 +0100",
        ] {
            assert_eq!(Moment::from_date_field(text), noon, "{text}");
        }
        assert_eq!(Moment::from_date_field("yesterday"), None);
    }

    #[test]
    fn moments_far_away_do_not_overflow() {
        assert_eq!(Moment(i64::MAX).plus(1).basic().len(), 16);
    }
}
