//! Getting rid of what was replaced or deleted, now: a compaction, and then nobody has an old file open any more.

use super::Engine;
use super::locks::POLL;
use crate::error::{Error, Result};
use crate::stats::CompactReport;

impl Engine {
    /// Compacts, and waits until everybody has let go of all files that were left behind, by this compaction or an
    /// earlier one: views and iterators of this handle, too.
    pub(crate) fn purge(&self) -> Result<CompactReport> {
        let lock = self.writing_lock()?;
        let report = self.compact()?;
        let start = self.storage.clock();
        while lock.is_earlier_open(report.generation)? {
            self.check_usable()?;
            let waited = self.storage.clock().saturating_sub(start);
            if waited >= self.lock_timeout {
                return Err(Error::Busy { path: self.log_path.clone(), waited });
            }
            self.storage.sleep(POLL);
        }
        Ok(report)
    }
}
