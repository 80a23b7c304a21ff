//! From tokens to a file store's text, byte for byte as the SDK itself would write it.
//!
//! A writer of our own, because a library's buffer cannot be wiped. Writes nothing that the SDK would misread: it
//! would take a row's value for another column's, or stop reading all rows.

use std::borrow::Borrow;
use std::fmt;
use std::io::{self, Write};

use tokcask::Token;

use crate::buffer::Buffer;
use crate::columns;

/// The bytes that go to the writer at once, or a little more.
const CHUNK_LEN: usize = 1 << 16;

/// Whose `FileStore` is to read the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialect {
    /// The Python SDKs': CRLF, quotes where they are needed.
    Python,
    /// The Node and TypeScript SDKs': LF between rows, none at the end, no quotes. Not every value can be written.
    Node,
}

/// What [`write_csv`] wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// The rows, without the header.
    pub rows: u64,
    /// The rows whose token has extra values, for which the file has no place: they are left out.
    pub with_extra: u64,
}

/// Writes tokens as a `FileStore` CSV for an SDK, with a header. `None` and `""` both become an empty cell.
///
/// Takes tokens or references to tokens, each with the error of whoever reads them, such as the items of
/// `LogStore::iter()`; only one is held at a time. `out` gets large pieces and needs no buffer of its own, which would
/// not be wiped. A CRLF inside a value is kept; Python's reader makes LF of it.
///
/// # Errors
/// [`WriteError::Source`] passes on the first error among the tokens, [`WriteError::Io`] one of `out`, and
/// [`WriteError::Value`] names a value that the SDK could not read. `out` then holds the rows before, or some of them.
///
/// ```
/// use std::convert::Infallible;
/// use tokcask::Token;
/// use tokcask_zoho::{Dialect, write_csv};
///
/// let ana = Token::builder().id("1").user_name("ana, the elder").refresh_token("fake-refresh").build();
/// let mut file = Vec::new();
/// let written = write_csv(Dialect::Python, [Ok::<_, Infallible>(&ana)], &mut file)?;
/// assert_eq!(written.rows, 1);
/// assert!(file.ends_with(b"\r\n1,\"ana, the elder\",,,fake-refresh,,,,,\r\n"));
///
/// let error = write_csv(Dialect::Node, [Ok::<_, Infallible>(&ana)], &mut file).unwrap_err();
/// assert_eq!(error.to_string(), "row 1, id \"1\": user_name holds a comma, which the Node SDK cannot read");
/// # Ok::<(), tokcask_zoho::WriteError<Infallible>>(())
/// ```
pub fn write_csv<T, E>(
    dialect: Dialect,
    tokens: impl IntoIterator<Item = Result<T, E>>,
    mut out: impl Write,
) -> Result<Written, WriteError<E>>
where
    T: Borrow<Token>,
{
    let mut written = Written::default();
    let mut text = Buffer::with_capacity(2 * CHUNK_LEN);
    dialect.push_header(&mut text);
    for token in tokens {
        let token = token.map_err(WriteError::Source)?;
        let token = token.borrow();
        written.rows += 1;
        written.with_extra += u64::from(token.extra().next().is_some());
        dialect.push_row(token, &mut text).map_err(|(column, fault)| WriteError::Value {
            row: written.rows,
            // An id that is itself at fault would be the value that no error may show.
            id: token.id().filter(|_| column != columns::ID).map(str::to_owned),
            column: columns::NAMES[column],
            fault,
        })?;
        if text.as_bytes().len() >= CHUNK_LEN {
            out.write_all(text.as_bytes()).map_err(|source| WriteError::Io { source })?;
            text.clear();
        }
    }
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|source| WriteError::Io { source })?;
    Ok(written)
}

impl Dialect {
    fn push_header(self, text: &mut Buffer) {
        for (column, name) in columns::NAMES.iter().enumerate() {
            text.push(if column == 0 { "" } else { "," });
            text.push(if self == Self::Python && column == columns::REDIRECT_URL { "redirect_uri" } else { name });
        }
        text.push(if self == Self::Python { "\r\n" } else { "" });
    }

    fn push_row(self, token: &Token, text: &mut Buffer) -> Result<(), (usize, Fault)> {
        text.push(if self == Self::Node { "\n" } else { "" });
        for (column, value) in columns::values(token).into_iter().enumerate() {
            let value = value.unwrap_or_default();
            self.check(value).map_err(|fault| (column, fault))?;
            text.push(if column == 0 { "" } else { "," });
            if value.contains([',', '"', '\r', '\n']) {
                push_quoted(value, text);
            } else {
                text.push(value);
            }
        }
        text.push(if self == Self::Python { "\r\n" } else { "" });
        Ok(())
    }

    fn check(self, value: &str) -> Result<(), Fault> {
        let holds = |fault: Fault, chars: &[char]| if value.contains(chars) { Err(fault) } else { Ok(()) };
        match self {
            Self::Python if value.len() > VALUE_CHARS_MAX && value.chars().count() > VALUE_CHARS_MAX => {
                Err(Fault::TooLong { chars_max: VALUE_CHARS_MAX })
            }
            Self::Python => holds(Fault::Nul, &['\0']),
            Self::Node => holds(Fault::Comma, &[','])
                .and_then(|()| holds(Fault::Quote, &['"']))
                .and_then(|()| holds(Fault::LineEnd, &['\r', '\n'])),
        }
    }
}

/// The limit of Python's csv module, in characters. One value past it, and `FileStore` reads no row at all.
const VALUE_CHARS_MAX: usize = 131_072;

fn push_quoted(value: &str, text: &mut Buffer) {
    text.push("\"");
    for (at, part) in value.split('"').enumerate() {
        text.push(if at == 0 { "" } else { "\"\"" });
        text.push(part);
    }
    text.push("\"");
}

/// Why a value cannot be in a file for an SDK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// A comma: the Node SDK would begin the next column there.
    Comma,
    /// A quote: other readers of the Node SDK's files take it for the start of a quoted value.
    Quote,
    /// A CR or LF: the Node SDK would begin the next row there.
    LineEnd,
    /// A NUL: Python before 3.11 refuses the whole file.
    Nul,
    /// More characters than Python's csv module reads; it refuses the whole file.
    TooLong {
        /// How many it reads.
        chars_max: usize,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Comma => f.write_str("holds a comma, which the Node SDK cannot read"),
            Self::Quote => f.write_str("holds a quote, which files of the Node SDK cannot mark"),
            Self::LineEnd => f.write_str("holds a line end, which the Node SDK cannot read"),
            Self::Nul => f.write_str("holds a NUL, which the Python SDK cannot read"),
            Self::TooLong { chars_max } => write!(f, "is longer than the {chars_max} characters that Python reads"),
        }
    }
}

/// Why a file could not be written whole. `E` is the error of whoever reads the tokens.
#[derive(Debug)]
#[non_exhaustive]
pub enum WriteError<E> {
    /// A token could not be read. Shown as it is.
    Source(E),
    /// The writer failed.
    Io {
        /// Its answer.
        source: io::Error,
    },
    /// The SDK could not read this value.
    Value {
        /// Which of the tokens, from 1.
        row: u64,
        /// The token's id. `None` if there is none, or if it is the id that cannot be written.
        id: Option<String>,
        /// The name of the column.
        column: &'static str,
        /// What is wrong with it.
        fault: Fault,
    },
}

impl<E: fmt::Display> fmt::Display for WriteError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(error) => error.fmt(f),
            Self::Io { source } => write!(f, "cannot write the token file: {source}"),
            Self::Value { row, id: Some(id), column, fault } => write!(f, "row {row}, id {id:?}: {column} {fault}"),
            Self::Value { row, id: None, column, fault } => write!(f, "row {row}: {column} {fault}"),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for WriteError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // `Source` displays as the error itself, so what follows it is that error's own source.
            Self::Source(error) => error.source(),
            Self::Io { source } => Some(source),
            Self::Value { .. } => None,
        }
    }
}
