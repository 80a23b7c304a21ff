//! What can go wrong, so that a caller can decide what to do. Never carries token material.

mod decode;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

pub use decode::DecodeError;

/// The result of every operation of a store.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation of a store failed. Absence is not an error, but for an id that the caller takes to be there.
///
/// Unless a variant says otherwise, nothing was changed: not the files, not the rows, not the counters.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused something.
    Io {
        /// What was tried.
        operation: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// The system's answer.
        source: Arc<io::Error>,
    },
    /// Bytes on disk fail a check that a crash alone cannot explain.
    ///
    /// [`Options::verify`](crate::Options::verify) lists every such place.
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// Where the damaged part begins, in bytes.
        offset: u64,
        /// What is wrong there.
        reason: DecodeError,
    },
    /// The log is older than what the lock file beside it knows, or of another store: somebody put an old log back,
    /// removed it, or copied it while it was written.
    Copied {
        /// The log.
        path: PathBuf,
        /// What shows it.
        reason: &'static str,
    },
    /// Another handle has the store open and does not share it, or this one is not to share it and others have it open.
    Locked {
        /// The file whose lock was refused.
        path: PathBuf,
    },
    /// Somebody else held the store's write lock, or another of its locks, for longer than the lock timeout. Worth trying
    /// again.
    Busy {
        /// The file with the lock.
        path: PathBuf,
        /// How long was waited.
        waited: Duration,
    },
    /// Somebody removed or replaced a file of the store while it was open; opening or writing would make two owners.
    LockReplaced {
        /// The file that is not the one that was opened.
        path: PathBuf,
    },
    /// The sync of this write failed. It is not visible, and whether it is there after a power loss or the next open
    /// is unknown. Later writes are [`Poisoned`](Self::Poisoned). (Also, without the poison: the write is durable, and
    /// reading failed right then, so that it could not be shown; it shows as soon as reading works.)
    OutcomeUnknown {
        /// The log.
        path: PathBuf,
        /// The system's answer.
        source: Arc<io::Error>,
    },
    /// An earlier sync failed, of this process or another, or a write of this handle panicked. Finds go on; writes work again
    /// after [`compact`](crate::LogStore::compact) of any process, which moves to a new file, or after reopening.
    Poisoned {
        /// The log.
        path: PathBuf,
    },
    /// There is no room for this write: on the device, for this user, or in a file of this process. It works again when there
    /// is; deletes have a reserve of their own.
    NoSpace {
        /// The file that could not grow.
        path: PathBuf,
        /// The system's answer.
        source: Arc<io::Error>,
    },
    /// No row has this id.
    UnknownId {
        /// The id.
        id: String,
    },
    /// A new row needs at least one non-empty access, refresh or grant token.
    TooLittle,
    /// An id may not be empty.
    EmptyId,
    /// Rows with these ids are there already, or came earlier in the same import, which was to be refused then.
    IdTaken {
        /// The first of them.
        id: String,
        /// How many there are.
        count: u64,
    },
    /// The row is not at the revision that the caller compared with.
    Conflict {
        /// The caller's revision.
        expected: u64,
        /// The row's; `None` if there is no such row.
        found: Option<u64>,
    },
    /// Something is longer than the store's limits.
    TooLarge {
        /// What: a column, the record, or the batch.
        what: &'static str,
        /// Its length in bytes.
        len: u64,
        /// The longest allowed.
        limit: u64,
    },
    /// There is no store at this path, or something else.
    NotAStore {
        /// The path.
        path: PathBuf,
        /// What was found.
        reason: &'static str,
    },
    /// The store was written by a version with features that this one lacks.
    Unsupported {
        /// The log.
        path: PathBuf,
        /// The feature.
        reason: DecodeError,
    },
    /// The store is encrypted, and this is not its key, or none was given; or a handle that is open has not the key that
    /// the store has now.
    WrongKey {
        /// The log.
        path: PathBuf,
        /// Which of these.
        reason: &'static str,
    },
    /// The store is not encrypted, and was to be opened with a key.
    NotEncrypted {
        /// The log.
        path: PathBuf,
    },
    /// Somebody else could read or replace the store's files.
    Insecure {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it, and how to mend it.
        reason: &'static str,
    },
    /// The store lies on a network, cluster or user-space file system, where locks may not hold between machines and maps
    /// may not be shared. A single process may use it there all the same, if it is opened with [`Options::network`](crate::Options::network).
    NetworkFileSystem {
        /// The store's directory.
        path: PathBuf,
        /// The file system: `"NFS"`, `"FUSE"` and the like.
        kind: &'static str,
    },
    /// The handle was opened for reading only.
    ReadOnly {
        /// The store's directory.
        path: PathBuf,
    },
    /// The handle was opened by a process that this one was forked from. Open the store anew after a fork.
    Forked,
    /// The handle was closed.
    Closed,
}

/// The kind of an [`Error`], without its details.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each names the variant of `Error` that describes it")]
pub enum ErrorKind {
    Io,
    Corrupt,
    Copied,
    Locked,
    Busy,
    LockReplaced,
    OutcomeUnknown,
    Poisoned,
    NoSpace,
    UnknownId,
    TooLittle,
    EmptyId,
    IdTaken,
    Conflict,
    TooLarge,
    NotAStore,
    Unsupported,
    WrongKey,
    NotEncrypted,
    Insecure,
    NetworkFileSystem,
    ReadOnly,
    Forked,
    Closed,
}

impl Error {
    /// The kind of this error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Io { .. } => ErrorKind::Io,
            Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::Copied { .. } => ErrorKind::Copied,
            Self::Locked { .. } => ErrorKind::Locked,
            Self::Busy { .. } => ErrorKind::Busy,
            Self::LockReplaced { .. } => ErrorKind::LockReplaced,
            Self::OutcomeUnknown { .. } => ErrorKind::OutcomeUnknown,
            Self::Poisoned { .. } => ErrorKind::Poisoned,
            Self::NoSpace { .. } => ErrorKind::NoSpace,
            Self::UnknownId { .. } => ErrorKind::UnknownId,
            Self::TooLittle => ErrorKind::TooLittle,
            Self::EmptyId => ErrorKind::EmptyId,
            Self::IdTaken { .. } => ErrorKind::IdTaken,
            Self::Conflict { .. } => ErrorKind::Conflict,
            Self::TooLarge { .. } => ErrorKind::TooLarge,
            Self::NotAStore { .. } => ErrorKind::NotAStore,
            Self::Unsupported { .. } => ErrorKind::Unsupported,
            Self::WrongKey { .. } => ErrorKind::WrongKey,
            Self::NotEncrypted { .. } => ErrorKind::NotEncrypted,
            Self::Insecure { .. } => ErrorKind::Insecure,
            Self::NetworkFileSystem { .. } => ErrorKind::NetworkFileSystem,
            Self::ReadOnly { .. } => ErrorKind::ReadOnly,
            Self::Forked => ErrorKind::Forked,
            Self::Closed => ErrorKind::Closed,
        }
    }

    /// An [`Io`](Self::Io) error, or [`NoSpace`](Self::NoSpace) where the system says so.
    pub(crate) fn io(operation: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        let (path, full, source) = (path.into(), is_full(&source), Arc::new(source));
        if full { Self::NoSpace { path, source } } else { Self::Io { operation, path, source } }
    }
}

/// Whether the system says that there is no room: on the device, for this user, or in a file of this process.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { operation, path, source } => write!(f, "{operation} {}: {source}", path.display()),
            Self::Corrupt { path, offset, reason } => {
                write!(f, "{} is damaged at offset {offset}: {reason}", path.display())
            }
            Self::Copied { path, reason } => write!(f, "{} was put back, removed or copied: {reason}", path.display()),
            Self::Locked { path } => write!(f, "{} is locked by another handle", path.display()),
            Self::Busy { path, waited } => {
                write!(f, "{} was locked by somebody else for {waited:?}; try again", path.display())
            }
            Self::LockReplaced { path } => write!(f, "{} was removed or replaced while in use", path.display()),
            Self::OutcomeUnknown { path, source } => {
                write!(f, "the outcome of this write to {} is unknown: {source}", path.display())
            }
            Self::Poisoned { path } => {
                write!(f, "writes to {} are refused since a sync failed; compact or reopen", path.display())
            }
            Self::NoSpace { path, source } => write!(f, "no room for {}: {source}", path.display()),
            Self::UnknownId { id } => write!(f, "no token has the id {id:?}"),
            Self::TooLittle => f.write_str("a new token needs an access, refresh or grant token"),
            Self::EmptyId => f.write_str("an id may not be empty"),
            Self::IdTaken { id, count: 1 } => write!(f, "the id {id:?} is taken already"),
            Self::IdTaken { id, count } => {
                write!(f, "{count} of these ids are taken already, the first is {id:?}")
            }
            Self::Conflict { expected, found: Some(found) } => {
                write!(f, "the row is at revision {found}, not {expected}")
            }
            Self::Conflict { expected, found: None } => write!(f, "there is no row at revision {expected}"),
            Self::TooLarge { what, len, limit } => write!(f, "{what} of {len} bytes, at most {limit} allowed"),
            Self::NotAStore { path, reason } => write!(f, "{} is no token store: {reason}", path.display()),
            Self::Unsupported { path, reason } => write!(f, "{} needs a newer version: {reason}", path.display()),
            Self::WrongKey { path, reason } => write!(f, "{} does not open: {reason}", path.display()),
            Self::NotEncrypted { path } => {
                write!(f, "{} is not encrypted, and was to be opened with a key", path.display())
            }
            Self::Insecure { path, reason } => write!(f, "{} is not safe: {reason}", path.display()),
            Self::NetworkFileSystem { path, kind } => {
                write!(f, "{} lies on {kind}, where locks and shared maps may not work", path.display())
            }
            Self::ReadOnly { path } => write!(f, "{} was opened for reading only", path.display()),
            Self::Forked => f.write_str("this handle is a parent process's; open the store anew after a fork"),
            Self::Closed => f.write_str("the store handle is closed"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } | Self::OutcomeUnknown { source, .. } | Self::NoSpace { source, .. } => {
                Some(source.as_ref())
            }
            Self::Corrupt { reason, .. } | Self::Unsupported { reason, .. } => Some(reason),
            _ => None,
        }
    }
}
