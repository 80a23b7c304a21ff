//! Instants for people: how far off, and which day.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

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
    let seconds = instant.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (year, month, day) = civil(seconds / DAY_S);
    let (hour, minute, second) = (seconds % DAY_S / HOUR_S, seconds % HOUR_S / MINUTE_S, seconds % MINUTE_S);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
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

/// Year, month and day of a day since 1970.
fn civil(days: u64) -> (u64, u64, u64) {
    // In cycles of 400 years, and in years that begin in March, so that a leap day comes last.
    const CYCLE_DAYS: u64 = 146_097;
    const DAYS_0000_03_01_TO_1970: u64 = 719_468;
    let days = days + DAYS_0000_03_01_TO_1970;
    let day_of_cycle = days % CYCLE_DAYS;
    let year_of_cycle = (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36_524 - day_of_cycle / 146_096) / 365;
    let day_of_year = day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_cycle + 400 * (days / CYCLE_DAYS) + u64::from(month <= 2);
    (year, month, day)
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
