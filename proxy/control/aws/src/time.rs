//! Moments as text and as seconds (CP-025, CP-032). No clock here.

/// Seconds since 1970 as `2026-11-22T23:58:11.990Z`. `None` for what is no year of four digits.
pub(crate) fn iso(seconds: f64) -> Option<String> {
    const FIRST: f64 = -62_135_596_800.0;
    const LAST: f64 = 253_402_300_799.999;
    if !(FIRST..=LAST).contains(&seconds) {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "within the bounds checked above"
    )]
    let millis = (seconds * 1000.0).round() as i64;
    let (days, rest) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    let (year, month, day) = civil(days);
    let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
    let (second, milli) = (rest / 1000 % 60, rest % 1000);
    Some(format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z"
    ))
}

/// Seconds since 1970 of `2026-11-22T23:58:11.990Z`, with or without a fraction, with `Z` or an offset.
pub(crate) fn seconds(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    let shape =
        |index: usize, wanted: &[u8]| bytes.get(index).is_some_and(|byte| wanted.contains(byte));
    if !(shape(4, b"-")
        && shape(7, b"-")
        && shape(10, b"Tt ")
        && shape(13, b":")
        && shape(16, b":"))
    {
        return None;
    }
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = text.get(from..to)?;
        let all = digits.bytes().all(|byte| byte.is_ascii_digit());
        if all { digits.parse().ok() } else { None }
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let fits = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 61;
    if !fits {
        return None;
    }
    let rest = text.get(19..)?;
    let digits = rest.strip_prefix('.').map_or(0, |after| {
        1 + after.bytes().take_while(u8::is_ascii_digit).count()
    });
    let fraction: f64 = match digits {
        0 => 0.0,
        count => format!("0{}", rest.get(..count)?).parse().ok()?,
    };
    let offset = offset(rest.get(digits..)?)?;
    let whole = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset;
    #[expect(
        clippy::cast_precision_loss,
        reason = "years have four digits, so that seconds stay far below 2^52"
    )]
    let whole = whole as f64;
    Some(whole + fraction)
}

fn offset(text: &str) -> Option<i64> {
    if matches!(text, "Z" | "z") {
        return Some(0);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits: String = text.get(1..)?.split(':').collect();
    let all = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let value: i64 = if all {
        digits.parse().ok()?
    } else {
        return None;
    };
    Some(sign * (value / 100 * 3600 + value % 100 * 60))
}

/// Days since 1970 of a date; counts years from March, so that the leap day is the last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The date that is so many days from 1970.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_moments() {
        // CP-025, CP-032.
        for (text, number) in [
            ("1970-01-01T00:00:00.000Z", 0.0),
            ("2000-02-29T12:00:00.000Z", 951_825_600.0),
            ("2026-11-22T23:58:11.990Z", 1_795_391_891.99),
            ("1969-12-31T23:59:59.500Z", -0.5),
        ] {
            assert_eq!(seconds(text), Some(number));
            assert_eq!(iso(number).as_deref(), Some(text));
        }
        assert_eq!(seconds("2026-11-22T23:58:11+0100"), Some(1_795_388_291.0));
        assert_eq!(seconds("2026-11-22T23:58:11-01:00"), Some(1_795_395_491.0));
    }

    // What is no moment is not taken for one.
    #[test]
    fn no_moments() {
        for text in [
            "",
            "2026",
            "2026-13-01T00:00:00Z",
            "2026-11-22T23:58:11",
            "2026-11-22T23:58:1\u{e9}Z",
            "2026-11-22T2x:58:11Z",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
        assert_eq!(iso(f64::NAN), None);
        assert_eq!(iso(1e20), None);
    }

    proptest! {
        #[test]
        fn moments_return(millis in -62_135_596_800_000_i64..253_402_300_799_999) {
            // CP-025: to text and back.
            #[expect(clippy::cast_precision_loss, reason = "below 2^52")]
            let number = millis as f64 / 1000.0;
            let text = iso(number).expect("within four digits of years");
            let back = seconds(&text).expect("as written");
            prop_assert!((back - number).abs() < 0.001);
        }
    }
}
