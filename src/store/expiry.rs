//! Tokens that end: which do so next, and the deletion of those that have.

use std::time::SystemTime;

use super::LogStore;
use crate::error::Result;
use crate::sweep::{SweepPolicy, SweepReport};
use crate::token::Token;

impl LogStore {
    /// The rows whose access token ends before `instant`, the soonest first. Rows without a readable expiry are left
    /// out. Reads all rows.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let store = tokcask::LogStore::open(dir.path().join("tokens"))?;
    /// use std::time::{Duration, SystemTime};
    /// use tokcask::{Token, TokenStore};
    ///
    /// store.save_token(&Token::builder().user_name("ana").access_token("fake").expiry_time("1600000000000").build())?;
    /// let soon = store.expiring_before(SystemTime::now() + Duration::from_secs(600))?;
    /// assert_eq!(soon[0].user_name(), Some("ana"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `Corrupt` if any record is damaged.
    pub fn expiring_before(&self, instant: SystemTime) -> Result<Vec<Token>> {
        let mut expiring = Vec::new();
        for token in self {
            let token = token?;
            if let Some(expires_at) = token.expires_at().filter(|expires_at| *expires_at < instant) {
                expiring.push((expires_at, token));
            }
        }
        expiring.sort_by_key(|(expires_at, _)| *expires_at);
        Ok(expiring.into_iter().map(|(_, token)| token).collect())
    }

    /// Deletes the rows that are expired, too old or unused, as the policy says; or, as a dry run, tells which they are.
    ///
    /// Looks at all rows first, and then deletes them in batches, between which others save. A row that is saved after it
    /// was looked at is left alone, and so is one that somebody is [refreshing](Self::refresh) when it is its turn. What is
    /// deleted is durably gone, and gone for every process, when the call returns. Works on a full disk, as far as the room that
    /// is kept for deletes goes. The bytes stay in the log until the next compaction. A dry run writes nothing, and also works
    /// on a read-only handle.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let store = tokcask::LogStore::open(dir.path().join("tokens"))?;
    /// use std::time::Duration;
    /// use tokcask::{SweepPolicy, SweepReason, Token, TokenStore};
    ///
    /// let long_ago = "1600000000000";
    /// let ana = Token::builder().user_name("ana").access_token("fake-1").expiry_time(long_ago);
    /// store.save_token(&ana.build())?;
    /// let bob = Token::builder().user_name("bob").access_token("fake-2").expiry_time(long_ago);
    /// store.save_token(&bob.refresh_token("fake-refresh").build())?;
    ///
    /// let month = Duration::from_secs(30 * 24 * 3600);
    /// let report = store.sweep(&SweepPolicy { expired_for: Some(month), ..SweepPolicy::default() })?;
    /// assert_eq!((report.examined, report.spared, report.swept.len()), (2, 1, 1));
    /// assert_eq!((report.swept[0].id.as_str(), report.swept[0].reason), ("1", SweepReason::Expired));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `Corrupt` if any record is damaged, and those of [`delete`](Self::delete). Then nothing was deleted; once something
    /// was, an error is in [`SweepReport::stopped`].
    pub fn sweep(&self, policy: &SweepPolicy) -> Result<SweepReport> {
        self.engine.sweep(policy)
    }
}
