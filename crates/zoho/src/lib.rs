//! Reading the token files of the Zoho CRM SDKs, for moving to tokcask.
//!
//! [`read_csv`] reads the `FileStore` CSV of the Python and Node SDKs of all versions, whole or damaged: every row of
//! the file is either among [`Import::rows`] or among [`Import::skipped`], with its line and a reason. Nothing here
//! opens a file or a store; saving the rows is the caller's, so that a caller decides what a second import does.
//!
//! ```no_run
//! use tokcask::{LogStore, TokenStore};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let import = tokcask_zoho::read_csv(std::fs::File::open("sdk_tokens.txt")?)?;
//! for skipped in &import.skipped {
//!     eprintln!("{skipped}"); // "line 26: the file ends inside this row"
//! }
//! let store = LogStore::open("tokens")?;
//! for token in import.tokens() {
//!     store.save_token(token)?;
//! }
//! # Ok(())
//! # }
//! ```

mod cells;
mod read;

use std::{fmt, io};

use tokcask::Token;

pub use read::read_csv;

/// What a file held.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Import {
    /// The rows that can be used, in the order of the file.
    pub rows: Vec<Row>,
    /// The rows that were kept out, in the order of the file.
    pub skipped: Vec<Skipped>,
}

impl Import {
    /// The tokens in an order that is safe to save one after the other: those with an id first.
    ///
    /// A row without an id gets one from the store, and were it saved early, that could be the id of a later row, which
    /// would then be merged into it.
    ///
    /// ```
    /// let import = tokcask_zoho::read_csv(&b",ana,,,fake-1,,,,\n1,bob,,,fake-2,,,,\n"[..])?;
    /// let names: Vec<_> = import.tokens().filter_map(|token| token.user_name()).collect();
    /// assert_eq!(names, ["bob", "ana"]);
    /// # Ok::<(), tokcask_zoho::Error>(())
    /// ```
    pub fn tokens(&self) -> impl Iterator<Item = &Token> {
        let tokens = || self.rows.iter().map(|row| &row.token);
        tokens().filter(|token| token.id().is_some()).chain(tokens().filter(|token| token.id().is_none()))
    }
}

/// A row that can be used.
#[derive(Debug)]
#[non_exhaustive]
pub struct Row {
    /// The line that it begins on, from 1.
    pub line: u64,
    /// The token, with at least one of an access, a refresh and a grant token. An empty cell is `None`.
    ///
    /// The id is `None` if the cell is empty; no two rows have the same one.
    pub token: Token,
}

/// A row that was kept out. Displays as its line and the reason, never its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Skipped {
    /// The line that it begins on, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: Reason,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

/// Why a row was kept out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The file ends inside this row: its writer was killed, or the disk was full. Its last value may be cut short.
    ///
    /// If the row is known to be whole, a line end after it makes it readable.
    Torn,
    /// Fewer columns than the nine of the oldest SDKs.
    TooFewColumns {
        /// How many there are.
        found: usize,
    },
    /// More columns than the file has: a value with a comma, written by an SDK that does not quote.
    TooManyColumns {
        /// How many there are.
        found: usize,
    },
    /// No access, refresh or grant token, so that nobody could use the row.
    NoToken,
    /// An earlier row has the same id, and is the one that the SDK finds.
    DuplicateId {
        /// The line of the earlier row.
        first_line: u64,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Torn => f.write_str("the file ends inside this row"),
            Self::TooFewColumns { found } => write!(f, "{found} columns are too few"),
            Self::TooManyColumns { found } => write!(f, "{found} columns are too many"),
            Self::NoToken => f.write_str("no access, refresh or grant token"),
            Self::DuplicateId { first_line } => write!(f, "the same id as line {first_line}"),
        }
    }
}

/// Why a file could not be read at all.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The reader failed.
    Io {
        /// Its answer.
        source: io::Error,
    },
    /// The text is not UTF-8. The Python SDK writes the encoding of its machine: on Windows often another one.
    NotUtf8 {
        /// The line of the first byte that does not fit, from 1.
        line: u64,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { source } => write!(f, "cannot read the token file: {source}"),
            Self::NotUtf8 { line } => write!(f, "line {line} of the token file is not UTF-8"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source } => Some(source),
            Self::NotUtf8 { .. } => None,
        }
    }
}
