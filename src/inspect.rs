//! What the tools tell of a log: its frames, what a salvage saved and lost, what an adoption accepted. Plain values,
//! without any secret.

use std::ops::{Range, RangeInclusive};

use crate::stats::{Damage, RecoveredTail};

/// A readable frame of a log: one append, one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrameInfo<'a> {
    /// Where it begins in the log, in bytes.
    pub offset: u64,
    /// Its number, from 1 in each log file.
    pub sequence: u64,
    /// Why it was written.
    pub kind: FrameKind,
    /// Length of its operations, in bytes.
    pub body_len: u64,
    /// What it did, in order.
    pub operations: Vec<OperationInfo<'a>>,
}

/// Why a frame was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FrameKind {
    /// Somebody saved or deleted.
    Commit,
    /// A compaction carried rows over.
    Base,
    /// The file was complete here when it got its name.
    Seal,
    /// An open cut a torn tail here.
    Recovered,
}

impl FrameKind {
    /// Its name, as FORMAT.md has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Base => "base",
            Self::Seal => "seal",
            Self::Recovered => "recovered",
        }
    }
}

/// One operation of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OperationInfo<'a> {
    /// What it did.
    pub kind: OperationKind,
    /// The row's id, of a put or a delete.
    pub id: Option<&'a str>,
    /// Whether it is a put that holds the present version of its row, as far as the log can be read. `None` for a put that
    /// only the store's key tells.
    pub live: Option<bool>,
    /// Where it begins in the log, in bytes.
    pub offset: u64,
    /// Its length, in bytes.
    pub len: u64,
}

/// What an operation did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OperationKind {
    /// A row reads so from here on.
    Put,
    /// A row is gone.
    Delete,
    /// All rows are gone.
    Clear,
    /// Counts the rows of a sealed file.
    Sealed,
    /// Says how much a recovery cut.
    Recovered,
}

impl OperationKind {
    /// Its name, as FORMAT.md has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Delete => "delete",
            Self::Clear => "clear",
            Self::Sealed => "sealed",
            Self::Recovered => "recovered",
        }
    }
}

/// What a salvage wrote, and what it could not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SalvageReport {
    /// Rows in the new store.
    pub tokens: u64,
    /// Parts of the log, by offset, whose content is lost. It may have been rows, or their deletion.
    pub lost: Vec<Range<u64>>,
    /// Numbers of frames that are gone or not whole. Of these, single operations may have been saved.
    pub missing_sequences: Vec<RangeInclusive<u64>>,
    /// Ids of saved rows that a lost part may have changed or deleted, oldest row first.
    pub maybe_stale: Vec<String>,
    /// Why the log is not the one that the lock file knows: then anything may be missing behind its end.
    pub copied: Option<&'static str>,
    /// No watermark of this log could be read: if its end is lost, nothing here tells.
    pub end_unproved: bool,
    /// What was left out because nobody was ever told that it was saved.
    pub torn_tail: Option<Damage>,
}

/// What an adoption accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdoptReport {
    /// Why the store was `Copied`; `None` if it was not, and nothing was done.
    pub reason: Option<&'static str>,
    /// Rows in the store.
    pub tokens: u64,
    /// Number of the log file in the store's life.
    pub generation: u64,
    /// A torn tail that was cut.
    pub recovered: Option<RecoveredTail>,
}
