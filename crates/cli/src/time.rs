//! Instants and lengths of time for people, shown and read.

use std::time::{Duration, SystemTime};

use jiff::fmt::friendly::SpanParser;
use jiff::{SpanRelativeTo, Timestamp};

const MINUTE_S: u64 = 60;
const HOUR_S: u64 = 60 * MINUTE_S;
const DAY_S: u64 = 24 * HOUR_S;

/// `in 41 min`, or `expired 3 d ago`.
pub(crate) fn expiry(expires_at: SystemTime, now: SystemTime) -> String {
    match expires_at.duration_since(now) {
        Ok(left) if !left.is_zero() => format!("in {}", rounded(left)),
        Ok(_) => "expired 0 s ago".into(),
        Err(error) => format!("expired {} ago", rounded(error.duration())),
    }
}

/// `2026-11-21 22:07:23 UTC`.
pub(crate) fn date(instant: SystemTime) -> String {
    match Timestamp::try_from(instant) {
        Ok(timestamp) => timestamp.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => "after the year 9999".into(),
    }
}

/// Reads a length of time: `90s`, `15m`, `12h`, `30d`, `1h 30m`. The text of a refusal does not repeat what was read.
pub(crate) fn duration(text: &str) -> Result<Duration, &'static str> {
    const REFUSED: &str = "a length of time reads like 90s, 15m, 12h or 30d";
    let span = SpanParser::new().parse_span(text).map_err(|_| REFUSED)?;
    // Months and years have no length of their own, and are refused.
    let signed = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| REFUSED)?;
    Duration::try_from(signed).map_err(|_| REFUSED)
}

/// Reads an instant: milliseconds since 1970, or a date as in RFC 3339, with its offset.
pub(crate) fn instant(text: &str) -> Result<SystemTime, &'static str> {
    const REFUSED: &str = "an instant reads like 2026-11-21T22:07:23Z, or is a number of milliseconds since 1970";
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse::<Timestamp>().map(SystemTime::from).map_err(|_| REFUSED);
    }
    let since = text.parse().map(Duration::from_millis).map_err(|_| REFUSED)?;
    SystemTime::UNIX_EPOCH.checked_add(since).ok_or(REFUSED)
}

/// In its largest unit, rounded down.
fn rounded(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..MINUTE_S => format!("{seconds} s"),
        MINUTE_S..HOUR_S => format!("{} min", seconds / MINUTE_S),
        HOUR_S..DAY_S => format!("{} h", seconds / HOUR_S),
        _ => format!("{} d", seconds / DAY_S),
    }
}

#[cfg(test)]
mod tests {
    use super::{date, duration, expiry, instant};
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn distances_read_in_their_largest_unit() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let ahead = |seconds| expiry(now + Duration::from_secs(seconds), now);
        let behind = |seconds| expiry(now - Duration::from_secs(seconds), now);
        assert_eq!([ahead(59), ahead(60), ahead(2519), ahead(7199)], ["in 59 s", "in 1 min", "in 41 min", "in 1 h"]);
        assert_eq!([ahead(400 * 86_400), behind(0)], ["in 400 d", "expired 0 s ago"]);
        assert_eq!([behind(3599), behind(3 * 86_400)], ["expired 59 min ago", "expired 3 d ago"]);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let at = |seconds| date(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(at(951_782_399), "2000-02-28 23:59:59 UTC");
        assert_eq!(at(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(at(1_709_251_200), "2024-03-01 00:00:00 UTC");
        assert_eq!(at(4_107_542_400), "2100-03-01 00:00:00 UTC");
    }

    #[test]
    fn lengths_of_time_are_read_in_units_that_have_a_length() {
        let seconds = |text| duration(text).map(|time| time.as_secs());
        assert_eq!(["90s", "15m", "12h", "30d", "2w"].map(seconds), [90, 900, 43_200, 2_592_000, 1_209_600].map(Ok));
        assert_eq!(["0s", "007s", "1h 30m", "1h30m", "+1.5h"].map(seconds), [0, 7, 5_400, 5_400, 5_400].map(Ok));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert!(seconds("7304484d").is_ok(), "20,000 years");
        let refused = [
            "",
            " ",
            "s",
            "90",
            "90x",
            "90 s 1",
            "9O s",
            "-1s",
            "1h ago",
            "1m1h",
            "1s 1s",
            "1M",
            "30D",
            "1mo",
            "1y",
            "P30D",
            "٣s",
            "99999999d",
            "18446744073709551616s",
            "999999999999999999999999999999h",
            "1e3s",
            "0x10s",
            "inf",
            "NaN",
            "1\0s",
        ];
        for text in refused {
            assert!(duration(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn instants_are_read_as_milliseconds_and_as_dates_with_an_offset() {
        let ms = |text| {
            instant(text)
                .map(|at| at.duration_since(UNIX_EPOCH).map_or(-1, |since| i128::try_from(since.as_millis()).unwrap()))
        };
        assert_eq!([ms("0"), ms("1600000000000"), ms("0001")], [Ok(0), Ok(1_600_000_000_000), Ok(1)]);
        assert_eq!(ms("18446744073709551615"), Ok(u64::MAX.into()));
        assert_eq!(ms("2020-09-13T12:26:40Z"), Ok(1_600_000_000_000));
        assert_eq!(ms("2020-09-13T14:26:40.5+02:00"), Ok(1_600_000_000_500));
        assert_eq!(ms("1969-12-31T23:59:59Z"), Ok(-1), "before 1970");
        let refused = [
            "",
            "soon",
            "-1",
            "+1",
            "1.5",
            " 1",
            "18446744073709551616",
            "2020-09-13",
            "2020-09-13T12:26:40",
            "2020-02-30T00:00:00Z",
            "99999-01-01T00:00:00Z",
            "1h",
        ];
        for text in refused {
            assert!(instant(text).is_err(), "{text:?}");
        }
    }
}
