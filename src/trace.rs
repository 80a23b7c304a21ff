//! Events for the `tracing` crate; nothing without that feature. Paths and numbers only, never a token.

#![cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "the events are compiled out"))]

use std::path::Path;

use crate::error::Error;
use crate::stats::{CompactReport, CompactionReason, OpenReport};

pub(crate) fn opened(path: &Path, report: &OpenReport) {
    #[cfg(feature = "tracing")]
    {
        let (path, frames, operations) = (path.display(), report.frames, report.operations);
        tracing::info!(%path, frames, operations, created = report.created, "store opened");
        if let Some(tail) = &report.recovered {
            let quarantine = tail.quarantine.as_deref().map(Path::display).map(tracing::field::display);
            let (offset, bytes_cut) = (tail.offset, tail.bytes_cut);
            tracing::warn!(%path, offset, bytes_cut, reason = %tail.reason, quarantine, "torn tail cut");
        }
        if report.header_copy_damaged {
            tracing::warn!(%path, "one copy of the file header is damaged");
        }
    }
}

pub(crate) fn committed(path: &Path, operations: usize, end: u64) {
    #[cfg(feature = "tracing")]
    tracing::debug!(path = %path.display(), operations, end, "commit");
}

pub(crate) fn poisoned(path: &Path) {
    #[cfg(feature = "tracing")]
    tracing::error!(path = %path.display(), "sync failed: writes are refused until a compaction or a reopening");
}

pub(crate) fn compaction_failed(path: &Path, reason: CompactionReason, error: &Error) {
    #[cfg(feature = "tracing")]
    tracing::warn!(path = %path.display(), %reason, %error, "compaction in the background failed; it is tried again");
}

pub(crate) fn compacted(path: &Path, report: &CompactReport) {
    #[cfg(feature = "tracing")]
    {
        let (tokens, before, after) = (report.tokens, report.log_bytes_before, report.log_bytes_after);
        tracing::info!(path = %path.display(), tokens, before, after, "compacted");
    }
}
