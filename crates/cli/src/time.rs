//! Instants for people: how far off, and which day.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;

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
    use super::{date, expiry};
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
}
