//! From a file store's text to tokens: which column is which, what is a header, and which rows can be trusted.
//!
//! Does no I/O but the caller's reader, and changes no value. What makes a row usable is `import`'s.

use std::io::Read;

use tokcask::Token;

use super::cells::{Cell, LineEnd, Record, Records};
use crate::buffer::read_text;
use crate::import::Rows;
use crate::{Error, Import, Reason, columns};

/// Files of older SDKs lack the last column. The headers differ between SDKs and are not looked at.
const COLUMNS_MIN: usize = 9;
const COLUMNS_MAX: usize = columns::COUNT;

/// Reads a `FileStore` CSV of a Zoho CRM SDK, Python's or Node's.
///
/// Columns go by position; the first row is a header only if its first cell is `id`. Lines end in CRLF or LF, blank
/// ones are passed over. Values are kept byte for byte, line ends inside quotes and the digits of `expiry_time`
/// included. A file without rows is fine.
///
/// Where lines end in CRLF, as Python writes them, a last row without a line end is [`Reason::Torn`] however many columns
/// it has. Node writes no last line end, so that a file of Node's that is cut inside its very last value looks whole.
///
/// The text is wiped from memory when this returns, except what `reader` buffers itself.
///
/// # Errors
/// [`Error::Io`] if `reader` fails, [`Error::NotUtf8`] if the text is in another encoding. A bad row is no error, but
/// one of [`Import::skipped`].
///
/// ```
/// use tokcask_zoho::{Reason, read_csv};
///
/// let text = "id,user_name,client_id,client_secret,refresh_token,access_token,grant_token,expiry_time,redirect_uri,\
///             api_domain\r\n\
///             1,ana,,,fake-refresh,fake-access,,1760000061001,,\r\n\
///             2,bob,,,fake-ref";
/// let import = read_csv(text.as_bytes())?;
/// assert_eq!(import.rows[0].token.user_name(), Some("ana"));
/// assert_eq!((import.skipped[0].line, import.skipped[0].reason), (3, Reason::Torn));
/// # Ok::<(), tokcask_zoho::Error>(())
/// ```
pub fn read_csv(reader: impl Read) -> Result<Import, Error> {
    let text = read_text(reader)?;
    let text = text.trim_start_matches('\u{feff}');
    let Some(first) = Records::new(text, true).next() else { return Ok(Import::default()) };
    let file = Shape::of(&first);

    let mut rows = Rows::default();
    for record in Records::new(text, !file.is_node).skip(usize::from(file.has_header)) {
        match file.check(&record) {
            Ok(()) => rows.add(record.line, token(&record.cells)),
            Err(reason) => rows.skip(record.line, reason),
        }
    }
    Ok(rows.finish())
}

/// What the first row says about the file.
struct Shape {
    has_header: bool,
    /// Written by the Node SDK, which quotes nothing. A file of Node's without its header counts as Python's.
    is_node: bool,
    columns: usize,
    /// Whether every row ends with a line end, as with Python.
    all_rows_end: bool,
}

impl Shape {
    fn of(first: &Record<'_>) -> Self {
        let columns = first.cell_count;
        Self {
            has_header: first.cells[columns::ID].value() == "id",
            // Python, writing to such a file, keeps the header, but ends lines in CRLF.
            is_node: first.end == LineEnd::Lf
                && first.cells.get(columns::REDIRECT_URL).is_some_and(|name| name.value() == "redirect_url"),
            columns: if (COLUMNS_MIN..=COLUMNS_MAX).contains(&columns) { columns } else { COLUMNS_MAX },
            all_rows_end: first.end == LineEnd::CrLf,
        }
    }

    fn check(&self, record: &Record<'_>) -> Result<(), Reason> {
        let found = record.cell_count;
        if record.end == LineEnd::Missing && (self.all_rows_end || found < self.columns) {
            return Err(Reason::Torn);
        }
        if found < COLUMNS_MIN {
            return Err(Reason::TooFewColumns { found });
        }
        if found > self.columns {
            return Err(Reason::TooManyColumns { found });
        }
        Ok(())
    }
}

fn token(cells: &[Cell<'_>]) -> Token {
    let present = cells.iter().enumerate().filter(|(_, cell)| !cell.is_empty());
    present.fold(Token::builder(), |builder, (column, cell)| columns::set(builder, column, cell.value())).build()
}
