//! Times as the API writes them. Documents hold milliseconds since 1970; the clock is the caller's.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fourfront_model::rfc3339;

/// Milliseconds since 1970.
pub(crate) fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The time so many milliseconds after 1970.
pub(crate) fn of_millis(millis: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(millis)
}

/// `2026-11-22T23:58:11.990Z` (CP-025).
pub(crate) fn iso(millis: u64) -> String {
    rfc3339(of_millis(millis))
}

/// `2026-11-22T23:58:11.990+0000`, as Lambda writes it (CP-032).
pub(crate) fn lambda(millis: u64) -> String {
    format!("{}+0000", iso(millis).trim_end_matches('Z'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_each_service_writes_them() {
        // CP-025, CP-032
        assert_eq!(iso(1_795_391_891_990), "2026-11-22T23:58:11.990Z");
        assert_eq!(lambda(951_782_400_000), "2000-02-29T00:00:00.000+0000");
        assert_eq!(millis(of_millis(1_234)), 1_234);
    }
}
