//! What a store tells of itself: plain values.

use std::fmt;
use std::path::PathBuf;

use crate::activity::Activity;
use crate::error::DecodeError;

/// How far reading a log has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Bytes of the log read.
    pub bytes_done: u64,
    /// Length of the file.
    pub bytes_total: u64,
    /// Frames read.
    pub frames: u64,
}

impl Progress {
    pub(crate) fn new(bytes_done: u64, bytes_total: u64, frames: u64) -> Self {
        Self { bytes_done, bytes_total, frames }
    }
}

/// What opening a store found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct OpenReport {
    /// The store was made by this open.
    pub created: bool,
    /// Others had it open, so there was nothing to recover.
    pub joined: bool,
    /// Good frames read.
    pub frames: u64,
    /// Operations in them.
    pub operations: u64,
    /// A torn tail that was cut.
    pub recovered: Option<RecoveredTail>,
    /// One copy of the file header is damaged; the other served. A compaction mends it.
    pub header_copy_damaged: bool,
    /// An earlier sync had failed, so the store was moved to a new file.
    pub moved_after_failed_sync: bool,
    /// There was no room to extend the log or to note a recovery: puts fail until there is, deletes work. (Where a power loss
    /// has taken the proof that the last commit is on the device, and there is no room to write it again, all writes fail
    /// until there is: finds work.)
    pub full: bool,
}

/// Bytes of writes that were never acknowledged, cut off by a recovery.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecoveredTail {
    /// Where they began.
    pub offset: u64,
    /// How many there were, up to the last that was not zero.
    pub bytes_cut: u64,
    /// Why the first of them were no frame.
    pub reason: DecodeError,
    /// Where they are kept; `None` if there was no room, if there are too many such files already, or in an adoption.
    pub quarantine: Option<PathBuf>,
}

/// Numbers about an open store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The store's identity.
    pub uuid: [u8; 16],
    /// Number of the current log file in the store's life.
    pub generation: u64,
    /// Number of the last frame.
    pub sequence: u64,
    /// Rows.
    pub tokens: u64,
    /// What the next new row is called.
    pub next_id: u64,
    /// What the next operation is numbered.
    pub next_revision: u64,
    /// Length of the log that is in use, headers included.
    pub log_bytes: u64,
    /// Length of the file: the log and its extension.
    pub file_bytes: u64,
    /// Bytes of the log that hold the present rows.
    pub live_bytes: u64,
    /// Bytes of the log that a compaction would save.
    pub dead_bytes: u64,
    /// Records in the log whose row was replaced or deleted; they may hold secrets. A torn tail that is kept aside counts
    /// as one.
    pub dead_records: u64,
    /// When the first of them was, in milliseconds since 1970.
    pub dead_since_ms: Option<u64>,
    /// Why the store is to be compacted now, if it is. A handle with a background thread does so within seconds.
    pub compaction: Option<CompactionReason>,
    /// Why the last compaction in this handle's background failed. It is tried again.
    pub compaction_failed: Option<String>,
    /// A sync failed: writes are refused until a compaction succeeds.
    pub sync_failed: bool,
    /// Memory of the indexes, about.
    pub index_bytes: u64,
    /// When the next access token ends that has not ended yet, in milliseconds since 1970. To find out reads all rows, unless
    /// nothing was saved since it was last asked for.
    pub next_expiry_ms: Option<u64>,
    /// What this handle has done.
    pub activity: Activity,
}

/// Why a log is worth compacting. See [`CompactionPolicy`](crate::CompactionPolicy).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompactionReason {
    /// Enough of it is dead.
    DeadBytes,
    /// The oldest dead record is too old.
    DeadAge,
}

impl fmt::Display for CompactionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DeadBytes => "enough of the log is dead",
            Self::DeadAge => "the oldest dead record is too old",
        })
    }
}

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImportReport {
    /// Rows that were added or replaced.
    pub imported: u64,
    /// Rows whose id was taken, whatever was done about it.
    pub clashes: u64,
}

/// What a compaction did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompactReport {
    /// Rows carried over.
    pub tokens: u64,
    /// Length of the log before.
    pub log_bytes_before: u64,
    /// Length of the log after.
    pub log_bytes_after: u64,
    /// The new generation.
    pub generation: u64,
}

impl CompactReport {
    pub(crate) fn new(tokens: u64, log_bytes_before: u64, log_bytes_after: u64, generation: u64) -> Self {
        Self { tokens, log_bytes_before, log_bytes_after, generation }
    }
}

/// What reading a log through found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyReport {
    /// The verdict.
    pub status: VerifyStatus,
    /// Good frames.
    pub frames: u64,
    /// Operations in them.
    pub operations: u64,
    /// Every damaged place.
    pub damage: Vec<Damage>,
}

/// Verdict on a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VerifyStatus {
    /// Every byte is as it should be.
    Clean,
    /// The end was never acknowledged; the next open cuts it.
    TornTail,
    /// Bytes that were durable are damaged or gone.
    Corrupt,
}

/// One damaged place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Damage {
    /// Where it begins in the log, in bytes.
    pub offset: u64,
    /// What is wrong there.
    pub reason: DecodeError,
}
