//! From a file store's text to tokens: which column is which, what is a header, and which rows can be trusted.
//!
//! Does no I/O but the caller's reader, and changes no value.

use std::collections::HashMap;
use std::io::{ErrorKind, Read};

use tokcask::{Token, TokenBuilder};
use zeroize::Zeroizing;

use crate::cells::{Cell, LineEnd, Record, Records, lines_in};
use crate::{Error, Import, Reason, Row, Skipped};

/// The columns by position; files of older SDKs lack the last. The headers differ between SDKs and are not looked at.
const SETTERS: [fn(TokenBuilder, String) -> TokenBuilder; 10] = [
    TokenBuilder::id,
    TokenBuilder::user_name,
    TokenBuilder::client_id,
    TokenBuilder::client_secret,
    TokenBuilder::refresh_token,
    TokenBuilder::access_token,
    TokenBuilder::grant_token,
    TokenBuilder::expiry_time,
    TokenBuilder::redirect_url,
    TokenBuilder::api_domain,
];
const COLUMNS_MIN: usize = 9;
const COLUMNS_MAX: usize = SETTERS.len();
const ID: usize = 0;
const TOKENS: [usize; 3] = [4, 5, 6];
const REDIRECT_URL: usize = 8;

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
    let bytes = read_all(reader)?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|error| Error::NotUtf8 { line: 1 + lines_in(&bytes[..error.valid_up_to()]) })?;
    let text = text.trim_start_matches('\u{feff}');
    let Some(first) = Records::new(text, true).next() else { return Ok(Import::default()) };
    let file = Shape::of(&first);

    let mut import = Import::default();
    let mut lines_by_id = HashMap::new();
    for record in Records::new(text, !file.is_node).skip(usize::from(file.has_header)) {
        match file.check(&record, &mut lines_by_id) {
            Ok(()) => import.rows.push(Row { line: record.line, token: token(&record.cells) }),
            Err(reason) => import.skipped.push(Skipped { line: record.line, reason }),
        }
    }
    Ok(import)
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
        let columns = first.cells.len();
        Self {
            has_header: first.cells[ID].value() == "id",
            // Python, writing to such a file, keeps the header, but ends lines in CRLF.
            is_node: first.end == LineEnd::Lf
                && first.cells.get(REDIRECT_URL).is_some_and(|name| name.value() == "redirect_url"),
            columns: if (COLUMNS_MIN..=COLUMNS_MAX).contains(&columns) { columns } else { COLUMNS_MAX },
            all_rows_end: first.end == LineEnd::CrLf,
        }
    }

    fn check(&self, record: &Record<'_>, lines_by_id: &mut HashMap<String, u64>) -> Result<(), Reason> {
        let found = record.cells.len();
        if record.end == LineEnd::Missing && (self.all_rows_end || found < self.columns) {
            return Err(Reason::Torn);
        }
        if found < COLUMNS_MIN {
            return Err(Reason::TooFewColumns { found });
        }
        if found > self.columns {
            return Err(Reason::TooManyColumns { found });
        }
        if TOKENS.iter().all(|column| record.cells[*column].is_empty()) {
            return Err(Reason::NoToken);
        }
        let id = record.cells[ID].value();
        if let Some(first_line) = lines_by_id.get(&id) {
            return Err(Reason::DuplicateId { first_line: *first_line });
        }
        if !id.is_empty() {
            lines_by_id.insert(id, record.line);
        }
        Ok(())
    }
}

fn token(cells: &[Cell<'_>]) -> Token {
    let columns = SETTERS.iter().zip(cells).filter(|(_, cell)| !cell.is_empty());
    columns.fold(Token::builder(), |builder, (set, cell)| set(builder, cell.value())).build()
}

fn read_all(mut reader: impl Read) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut bytes = Zeroizing::new(vec![0; 1 << 16]);
    let mut len = 0;
    loop {
        match reader.read(&mut bytes[len..]) {
            Ok(0) => break,
            Ok(read) => len += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(source) => return Err(Error::Io { source }),
        }
        if len == bytes.len() {
            // A second buffer instead of a longer one: growing in place would leave an unwiped copy behind.
            let mut longer = Zeroizing::new(vec![0; 2 * len]);
            longer[..len].copy_from_slice(&bytes);
            bytes = longer;
        }
    }
    bytes.truncate(len);
    Ok(bytes)
}
