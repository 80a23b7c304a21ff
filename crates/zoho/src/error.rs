//! Why a file could not be read at all. Never carries content of the file.

use std::{fmt, io};

use crate::JsonError;

/// Why a file could not be read at all.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The reader failed, or the file cannot be opened.
    Io {
        /// Its answer.
        source: io::Error,
    },
    /// The text is not UTF-8. The Python SDK writes the encoding of its machine: on Windows often another one.
    NotUtf8 {
        /// The line of the first byte that does not fit, from 1.
        line: u64,
    },
    /// A line is not a token in JSON.
    Json {
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        source: JsonError,
    },
    /// The file is not an SQLite database, or an encrypted one.
    NotSqlite,
    /// The database has no table `oauthtoken`.
    NoTable,
    /// The table has another number of columns than the nine or ten that the SDKs know.
    Columns {
        /// How many it has.
        found: usize,
    },
    /// The database's last writer was killed in the middle of a transaction. Only a program that may write can take
    /// back the half that is in the file, with the `-journal` file beside it; the `sqlite3` shell does on any query.
    HalfWritten,
    /// SQLite failed: the database is damaged, or locked for too long.
    Sqlite {
        /// SQLite's extended result code.
        code: i32,
        /// SQLite's words for the code. Its message is left out, since it can quote the database.
        meaning: &'static str,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { source } => write!(f, "cannot read the token file: {source}"),
            Self::NotUtf8 { line } => write!(f, "line {line} of the token file is not UTF-8"),
            Self::Json { line, source } => write!(f, "line {line} of the token file: {source}"),
            Self::NotSqlite => f.write_str("the token file is not an SQLite database"),
            Self::NoTable => f.write_str("the database has no table oauthtoken"),
            Self::Columns { found } => write!(f, "the table oauthtoken has {found} columns instead of 9 or 10"),
            Self::HalfWritten => f.write_str(
                "the database is half written, since its last writer was killed; query it with sqlite3 once, and try again",
            ),
            Self::Sqlite { code, meaning } => write!(f, "cannot read the database: {meaning} (SQLite code {code})"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source } => Some(source),
            _ => None,
        }
    }
}
