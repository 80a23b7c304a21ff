//! Why a run failed, and its exit code: one rule for all commands.
//!
//! 2: the command line alone is wrong. 4: the surroundings are: a store, file or lock is missing or in the way.
//! 3: bytes or rows are bad, on disk or in the input. 1: what was asked for is not there. 5: the key is.
//! A failure names places, numbers and ids; never token text, never a line of input.

use std::io;
use std::path::{Path, PathBuf};

use tokcask::{Error, ErrorKind};

use crate::holders;

/// Why a run failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) message: String,
    pub(crate) path: Option<PathBuf>,
    pub(crate) offset: Option<u64>,
    /// For a bad line of the input of `save`: its number, and how many lines before it were saved.
    pub(crate) line: Option<Line>,
}

/// A bad line of input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    pub(crate) number: u64,
    pub(crate) saved: u64,
}

/// What kind of failure, by the name that `--json` gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    NotFound,
    Usage,
    Corrupt,
    Copied,
    TooLarge,
    TooLittle,
    EmptyId,
    Conflict,
    Input,
    Clash,
    NotAStore,
    Insecure,
    Unsupported,
    Locked,
    Busy,
    LockReplaced,
    NetworkFileSystem,
    ReadOnly,
    Forked,
    Io,
    NoSpace,
    Poisoned,
    OutcomeUnknown,
    /// Something is there that would have to be overwritten.
    Exists,
    /// Standard output was closed by its reader.
    ClosedPipe,
    Key,
}

impl Kind {
    /// The name in `--json`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Usage => "usage",
            Self::Corrupt => "corrupt",
            Self::Copied => "copied",
            Self::TooLarge => "too_large",
            Self::TooLittle => "too_little",
            Self::EmptyId => "empty_id",
            Self::Conflict => "conflict",
            Self::Input => "input",
            Self::Clash => "clash",
            Self::NotAStore => "not_a_store",
            Self::Insecure => "insecure",
            Self::Unsupported => "unsupported",
            Self::Locked => "locked",
            Self::Busy => "busy",
            Self::LockReplaced => "lock_replaced",
            Self::NetworkFileSystem => "network_file_system",
            Self::ReadOnly => "read_only",
            Self::Forked => "forked",
            Self::Io | Self::ClosedPipe => "io",
            Self::NoSpace => "no_space",
            Self::Poisoned => "poisoned",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::Exists => "exists",
            Self::Key => "key",
        }
    }

    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::NotFound => 1,
            Self::Usage => 2,
            Self::Corrupt
            | Self::Copied
            | Self::TooLarge
            | Self::TooLittle
            | Self::EmptyId
            | Self::Conflict
            | Self::Input
            | Self::Clash => 3,
            Self::NotAStore
            | Self::Insecure
            | Self::Unsupported
            | Self::Locked
            | Self::Busy
            | Self::LockReplaced
            | Self::NetworkFileSystem
            | Self::ReadOnly
            | Self::Forked
            | Self::Io
            | Self::NoSpace
            | Self::Poisoned
            | Self::OutcomeUnknown
            | Self::Exists
            | Self::ClosedPipe => 4,
            Self::Key => 5,
        }
    }
}

impl Failure {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), path: None, offset: None, line: None }
    }

    /// A file that could not be read or written.
    pub(crate) fn io(operation: &str, path: &Path, source: &io::Error) -> Self {
        let full = matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        let kind = if full { Kind::NoSpace } else { Kind::Io };
        Self::new(kind, format!("{operation} {}: {source}", path.display())).at(path)
    }

    pub(crate) fn at(mut self, path: &Path) -> Self {
        self.path = Some(path.into());
        self
    }

    pub(crate) fn with_line(mut self, line: Line) -> Self {
        self.line = Some(line);
        self
    }

    pub(crate) fn is_closed_pipe(&self) -> bool {
        self.kind == Kind::ClosedPipe
    }

    /// What a person may do about it.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Corrupt => Some(
                "`tokcask verify` lists the damage, `tokcask salvage` saves what can be read; \
                 if an older log was put back, `tokcask adopt` may accept it",
            ),
            Kind::Key => Some("--key-file names the file with the key of an encrypted store, and is for no other"),
            Kind::Copied => Some("`tokcask adopt` accepts this log as the newest, if you put it there"),
            _ => None,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let mut failure = Self::new(kind_of(&error), message_of(&error));
        (failure.path, failure.offset) = match error {
            Error::Corrupt { path, offset, .. } => (Some(path), Some(offset)),
            Error::Io { path, .. }
            | Error::Copied { path, .. }
            | Error::Locked { path }
            | Error::Busy { path, .. }
            | Error::LockReplaced { path }
            | Error::NetworkFileSystem { path, .. }
            | Error::ReadOnly { path }
            | Error::OutcomeUnknown { path, .. }
            | Error::Poisoned { path }
            | Error::NoSpace { path, .. }
            | Error::NotAStore { path, .. }
            | Error::Unsupported { path, .. }
            | Error::WrongKey { path, .. }
            | Error::NotEncrypted { path }
            | Error::Insecure { path, .. } => (Some(path), None),
            _ => (None, None),
        };
        failure
    }
}

fn kind_of(error: &Error) -> Kind {
    match error.kind() {
        ErrorKind::UnknownId => Kind::NotFound,
        ErrorKind::Corrupt => Kind::Corrupt,
        ErrorKind::Copied => Kind::Copied,
        ErrorKind::TooLarge => Kind::TooLarge,
        ErrorKind::TooLittle => Kind::TooLittle,
        ErrorKind::EmptyId => Kind::EmptyId,
        ErrorKind::Conflict => Kind::Conflict,
        ErrorKind::IdTaken => Kind::Clash,
        ErrorKind::NotAStore => Kind::NotAStore,
        ErrorKind::Insecure => Kind::Insecure,
        ErrorKind::WrongKey | ErrorKind::NotEncrypted => Kind::Key,
        ErrorKind::Unsupported => Kind::Unsupported,
        ErrorKind::Locked => Kind::Locked,
        ErrorKind::Busy => Kind::Busy,
        ErrorKind::LockReplaced => Kind::LockReplaced,
        ErrorKind::NetworkFileSystem => Kind::NetworkFileSystem,
        ErrorKind::ReadOnly => Kind::ReadOnly,
        ErrorKind::Forked => Kind::Forked,
        ErrorKind::NoSpace => Kind::NoSpace,
        ErrorKind::Poisoned => Kind::Poisoned,
        ErrorKind::OutcomeUnknown => Kind::OutcomeUnknown,
        _ => Kind::Io,
    }
}

fn message_of(error: &Error) -> String {
    match error {
        // An id on the command line may be a secret in the wrong place.
        Error::UnknownId { .. } => "no token has this id".into(),
        Error::Locked { path } => format!("{} is in use: {}", path.display(), holders::describe(path)),
        error => error.to_string(),
    }
}
