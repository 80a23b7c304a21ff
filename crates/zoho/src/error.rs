//! Why a file could not be read at all. Never carries content of the file.

use std::{fmt, io};

use crate::JsonError;

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
    /// A line is not a token in JSON.
    Json {
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        source: JsonError,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { source } => write!(f, "cannot read the token file: {source}"),
            Self::NotUtf8 { line } => write!(f, "line {line} of the token file is not UTF-8"),
            Self::Json { line, source } => write!(f, "line {line} of the token file: {source}"),
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
