//! Sweeping: all rows are looked at first, then those that the policy means are deleted, a batch at a time.
//!
//! So a row that cannot be read ends the sweep before anything is deleted. Each delete is for the version of the row that
//! was looked at: one that somebody saves meanwhile stays. It is done under the row's lease: one that somebody is refreshing
//! stays too, and nobody asks the provider for a row that goes.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use super::Engine;
use super::lease::Lease;
use super::plan::{Outcome, Request};
use crate::error::{ErrorKind, Result};
use crate::format::operation::OPERATION_HEADER_LEN;
use crate::sweep::{SweepPolicy, SweepReport, Swept};

/// Operations of a batch, at most: some 600 rows with ids that are numbers. Saves of others wait for one batch, and on a
/// full disk a few of them fit into the room that is kept for deletes.
const BATCH_LEN_MAX: usize = 16 << 10;

/// A row that is to go, if it still is what it was.
struct Found {
    row: Swept,
    revision: u64,
}

impl Engine {
    /// Deletes what the policy means.
    pub(crate) fn sweep(&self, policy: &SweepPolicy) -> Result<SweepReport> {
        if !policy.dry_run {
            self.writing_lock()?;
        }
        // Before the look: what is saved from here on is younger.
        let now = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(self.storage.now_ms()));
        // A clock that is past all time says nothing.
        let (mut report, found) = self.look_for(policy, now.unwrap_or(SystemTime::UNIX_EPOCH))?;
        if policy.dry_run {
            report.swept = found.into_iter().map(|found| found.row).collect();
        } else {
            self.delete_found(found, &mut report)?;
        }
        Ok(report)
    }

    fn look_for(&self, policy: &SweepPolicy, now: SystemTime) -> Result<(SweepReport, VecDeque<Found>)> {
        let (source, places) = self.places()?;
        let mut meter = self.progress.start(places.iter().map(|at| at.len()).sum());
        let mut report = SweepReport::default();
        let mut all = VecDeque::new();
        for at in places {
            let found = source.read(at, |row| {
                let reason = policy.reason(row, now)?;
                // A record has both.
                let (id, revision) = (row.id()?.to_owned(), row.revision()?);
                let (user_name, had_refresh_token) =
                    (row.user_name().map(str::to_owned), row.refresh_token().is_some());
                Some(Found { row: Swept { id, user_name, reason, had_refresh_token }, revision })
            })?;
            report.examined += 1;
            match found {
                Some(found) if found.row.had_refresh_token && !policy.with_refresh_token => report.spared += 1,
                found => all.extend(found),
            }
            meter.step_by(at.len());
        }
        Ok((report, all))
    }

    fn delete_found(&self, mut found: VecDeque<Found>, report: &mut SweepReport) -> Result<()> {
        while !found.is_empty() {
            let len = batch_len(&found);
            match self.delete_batch(found.drain(..len).collect()) {
                Ok(swept) => {
                    report.moved_on += (len - swept.len()) as u64;
                    report.swept.extend(swept);
                }
                // An error is for a sweep that has changed nothing.
                Err(error) if report.swept.is_empty() => return Err(error),
                Err(error) => {
                    report.stopped = Some(error);
                    break;
                }
            }
        }
        Ok(())
    }

    /// Deletes what still is as it was found, and returns that.
    fn delete_batch(&self, mut batch: Vec<Found>) -> Result<Vec<Swept>> {
        let leases = self.lease_batch(&mut batch)?;
        let requests: Vec<_> = batch.iter().map(|found| Request::delete(&found.row.id, Some(found.revision))).collect();
        let outcomes = self.commit(&requests)?;
        drop(leases);
        let deleted = batch.into_iter().zip(outcomes).filter(|(_, outcome)| matches!(outcome, Outcome::Deleted(true)));
        Ok(deleted.map(|(found, _)| found.row).collect())
    }

    /// Takes the rows out of a batch that somebody is refreshing, and returns what keeps others from beginning to.
    fn lease_batch(&self, batch: &mut Vec<Found>) -> Result<Vec<Lease>> {
        let (mut leases, mut failed) = (Vec::with_capacity(batch.len()), Ok(()));
        batch.retain(|found| match self.refreshes.leases.try_lease(&found.row.id) {
            Ok(lease) => {
                let is_ours = lease.is_some();
                leases.extend(lease);
                is_ours
            }
            // Without room for the file of leases nobody has one.
            Err(error) if error.kind() == ErrorKind::NoSpace => true,
            Err(error) => {
                failed = Err(error);
                false
            }
        });
        failed.map(|()| leases)
    }
}

/// How many of them, from the first, make a batch: one at least.
fn batch_len(found: &VecDeque<Found>) -> usize {
    let mut len = 0;
    let fits = |found: &&Found| {
        len += OPERATION_HEADER_LEN + found.row.id.len();
        len <= BATCH_LEN_MAX
    };
    found.iter().take_while(fits).count().max(1)
}
