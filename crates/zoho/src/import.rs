//! What a file held: the rows that can be used, and those that were kept out, with the reason.
//!
//! The checks that do not depend on the format are made here, so that all formats agree about them.

use std::fmt;

use tokcask::Token;

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
    /// The tokens, in the order of the file: what `LogStore::import` takes.
    ///
    /// ```
    /// use tokcask::{Key, LogStore, OnClash};
    ///
    /// # let dir = tempfile::tempdir()?;
    /// let store = LogStore::open(dir.path().join("tokens"))?;
    /// let import = tokcask_zoho::read_csv(&b"7,ana,,,fake-1,,,,\n,bob,,,fake-2,,,,\n"[..])?;
    /// store.import(&import.into_tokens(), OnClash::Refuse)?;
    /// assert_eq!(store.get(Key::UserName("bob"))?.unwrap().id(), Some("8"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn into_tokens(self) -> Vec<Token> {
        self.rows.into_iter().map(|row| row.token).collect()
    }
}

/// A row that can be used.
#[derive(Debug)]
#[non_exhaustive]
pub struct Row {
    /// The line that it begins on, from 1. In a database, the number of the row, from 1.
    pub line: u64,
    /// The token, with at least one of an access, a refresh and a grant token. An empty cell is `None`.
    ///
    /// The id is `None` if the cell is empty. Several rows may have the same one: two threads of an SDK can give it twice.
    pub token: Token,
}

/// A row that was kept out. Displays as its line and the reason, never its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Skipped {
    /// The line that it begins on, from 1. In a database, the number of the row, from 1.
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
    /// A database holds something else than text or a whole number there. Guessing a text could give a wrong token.
    NotText {
        /// The name of the column.
        column: &'static str,
        /// What is there, in words.
        found: &'static str,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Torn => {
                f.write_str("the file ends inside this row; if it is whole, a line end after it makes it readable")
            }
            Self::TooFewColumns { found } => write!(f, "too few columns: {found}"),
            Self::TooManyColumns { found } => write!(f, "too many columns: {found}"),
            Self::NoToken => f.write_str("no access, refresh or grant token"),
            Self::NotText { column, found } => write!(f, "{column} holds {found}"),
        }
    }
}

/// An import in the making.
#[derive(Default)]
pub(crate) struct Rows {
    import: Import,
}

impl Rows {
    /// Adds a row of a token without empty values, unless nobody could use it.
    pub(crate) fn add(&mut self, line: u64, token: Token) {
        if token.refresh_token().is_none() && token.access_token().is_none() && token.grant_token().is_none() {
            self.skip(line, Reason::NoToken);
        } else {
            self.import.rows.push(Row { line, token });
        }
    }

    pub(crate) fn skip(&mut self, line: u64, reason: Reason) {
        self.import.skipped.push(Skipped { line, reason });
    }

    pub(crate) fn finish(self) -> Import {
        self.import
    }
}
