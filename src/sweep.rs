//! Which rows a sweep means, and what it tells. Plain values and a pure function: no I/O, no clock. The deletes are in
//! `engine::sweep`.

use std::time::{Duration, SystemTime};

use crate::error::Error;
use crate::token::TokenView;

/// Which rows [`LogStore::sweep`](crate::LogStore::sweep) deletes.
///
/// Any of the three conditions is enough for a row. Without any, as by default, nothing is swept.
///
/// Times are the store's own, to the millisecond, and compared with the clock of the machine when the sweep begins. What
/// lies ahead of that clock, as after it was set back, meets no condition.
///
/// A row with a grant token and neither an access nor a refresh token is a login that was not exchanged yet. It has no
/// access token that could have ended, so `expired_for` never means it. `age_max` and `idle_max` do: providers take a
/// grant token for minutes, and a login that was given up would stay for ever.
///
/// ```
/// use std::time::Duration;
/// use tokcask::SweepPolicy;
///
/// let day = Duration::from_secs(24 * 3600);
/// let policy = SweepPolicy { expired_for: Some(30 * day), dry_run: true, ..SweepPolicy::default() };
/// assert_eq!((policy.age_max, policy.idle_max, policy.with_refresh_token), (None, None, false));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepPolicy {
    /// Rows whose access token ended at least this long ago. One without an access token, or without an expiry that can be
    /// read, is not expired.
    pub expired_for: Option<Duration>,
    /// Rows that were first saved at least this long ago: the absolute limit of a session. Somebody who logs in again
    /// meanwhile keeps their row, and its age.
    pub age_max: Option<Duration>,
    /// Rows that were last saved at least this long ago: the limit of an idle session. Finds leave no trace, so a row is
    /// in use when its token is refreshed.
    pub idle_max: Option<Duration>,
    /// Whether rows with a refresh token go as well. If not, as by default, they are never touched: the refresh token is
    /// the login, and only the user can make another.
    pub with_refresh_token: bool,
    /// Whether only to say what would go.
    pub dry_run: bool,
}

/// What a sweep found and did. Holds no secrets.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SweepReport {
    /// Rows that were looked at: all that there were.
    pub examined: u64,
    /// Rows that are gone, or with [`dry_run`](SweepPolicy::dry_run) would be; oldest row first.
    pub swept: Vec<Swept>,
    /// Rows that met a condition and were spared for their refresh token.
    pub spared: u64,
    /// Rows that met a condition, and that somebody had saved or deleted, or was [refreshing](crate::LogStore::refresh), when
    /// it was their turn. They were left alone.
    pub moved_on: u64,
    /// Why it ended before all of them were gone. Those in `swept` are; another sweep goes on with the rest.
    pub stopped: Option<Error>,
}

/// A row that a sweep deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swept {
    /// The row's id.
    pub id: String,
    /// Whose token it was.
    pub user_name: Option<String>,
    /// Which condition it met: of several, the first in the order of [`SweepReason`].
    pub reason: SweepReason,
    /// Whether it had a refresh token.
    pub had_refresh_token: bool,
}

/// The condition of a [`SweepPolicy`] that a row met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SweepReason {
    /// Its access token ended long enough ago.
    Expired,
    /// It was first saved long enough ago.
    Age,
    /// It was last saved long enough ago.
    Idle,
}

impl SweepPolicy {
    /// The condition that a row meets, if it meets one. Refresh tokens are not asked for here.
    pub(crate) fn reason(&self, row: &TokenView<'_>, now: SystemTime) -> Option<SweepReason> {
        let ended_at = row.access_token().and(row.expires_at());
        let conditions = [
            (SweepReason::Expired, ended_at, self.expired_for),
            (SweepReason::Age, row.created_at(), self.age_max),
            (SweepReason::Idle, row.updated_at(), self.idle_max),
        ];
        let is_met = |since: Option<SystemTime>, limit: Option<Duration>| {
            // What lies ahead of the clock has no duration, and does not count as just now: a limit may be zero.
            since.zip(limit).is_some_and(|(since, limit)| now.duration_since(since).is_ok_and(|passed| passed >= limit))
        };
        conditions.into_iter().find(|(_, since, limit)| is_met(*since, *limit)).map(|(reason, ..)| reason)
    }
}
