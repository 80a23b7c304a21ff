//! The SQLite file of the store that the article about custom token stores builds: the MySQL table of the SDKs'
//! `DBStore`, in a file.
//!
//! Opens read-only and leaves the folder as it was. SQLite's cache of the pages is not wiped.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Statement, ffi};
use tokcask::Token;

use crate::import::Rows;
use crate::{Error, Import, Reason, columns};

const TABLE: &str = "oauthtoken";
const COLUMNS_MIN: usize = 9;
const COLUMNS_MAX: usize = columns::COUNT;

/// What every database begins with: these bytes, how long its pages are (1 for 65,536), and how its writers keep what
/// is not in the pages yet.
const HEADER_LEN: usize = 100;
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const PAGE_LEN_AT: usize = 16;
const READ_VERSION_AT: usize = 19;
const READ_VERSION_WAL: u8 = 2;

/// Reads the table `oauthtoken` of an SQLite file, in the order in which its rows were inserted.
///
/// Columns go by position, nine or ten of them; NULL and empty text are `None`. A whole number becomes its decimal
/// digits, since SQLite keeps an expiry as one where the column's type asks for it. A row with a REAL, a BLOB, or text
/// that is not UTF-8 is [`Reason::NotText`]. [`Row::line`](crate::Row::line) is the number of the row, from 1.
///
/// The file is opened read-only, and none is created, also not beside it. (One exception: if a write-ahead log was
/// left there with rows in it, SQLite may add its index, a `-shm` file without content.) Waits up to five seconds for a
/// writer.
///
/// # Errors
/// [`Error::Io`] if there is no such file or it cannot be read; [`Error::NotSqlite`], [`Error::NoTable`] and
/// [`Error::Columns`] if it is another kind of file; [`Error::HalfWritten`] if its writer was killed; [`Error::Sqlite`]
/// for what else SQLite may say.
///
/// ```no_run
/// let import = tokcask_zoho::read_sqlite("zohooauth.db")?;
/// println!("{} tokens, {} rows kept out", import.rows.len(), import.skipped.len());
/// # Ok::<(), tokcask_zoho::Error>(())
/// ```
pub fn read_sqlite(path: impl AsRef<Path>) -> Result<Import, Error> {
    // First without SQLite, whose error does not tell a missing file from one that may not be read.
    let header = Header::read(path.as_ref()).map_err(|source| Error::Io { source })?;
    if !header.is_sqlite() {
        return Err(Error::NotSqlite);
    }
    let database = open(path.as_ref(), &header)?;
    let mut table = select(&database)?;
    // Not before SQLite has looked: a killed writer leaves such a file too, with a journal that mends it.
    if header.is_cut() {
        return Err(sqlite_error(ffi::SQLITE_CORRUPT));
    }
    let count = table.column_count();
    if !(COLUMNS_MIN..=COLUMNS_MAX).contains(&count) {
        return Err(Error::Columns { found: count });
    }

    let mut rows = Rows::default();
    let mut cursor = table.query([]).map_err(failure)?;
    let mut line = 0;
    while let Some(row) = cursor.next().map_err(failure)? {
        line += 1;
        match token(row, count)? {
            Ok(token) => rows.add(line, token),
            Err(reason) => rows.skip(line, reason),
        }
    }
    Ok(rows.finish())
}

fn token(row: &rusqlite::Row<'_>, count: usize) -> Result<Result<Token, Reason>, Error> {
    let mut builder = Token::builder();
    for column in 0..count {
        let not_text = |found| Ok(Err(Reason::NotText { column: columns::NAMES[column], found }));
        let value = match row.get_ref(column).map_err(failure)? {
            ValueRef::Null => continue,
            ValueRef::Integer(number) => number.to_string(),
            ValueRef::Text(text) => match std::str::from_utf8(text) {
                Ok("") => continue,
                Ok(text) => text.to_owned(),
                Err(_) => return not_text("text that is not UTF-8"),
            },
            ValueRef::Real(_) => return not_text("a REAL"),
            ValueRef::Blob(_) => return not_text("a BLOB"),
        };
        builder = columns::set(builder, column, value);
    }
    Ok(Ok(builder.build()))
}

/// The rows of the table, by position, in the order of insertion as far as the table knows it.
fn select(database: &Connection) -> Result<Statement<'_>, Error> {
    let kind =
        "SELECT NOT wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name = ?1 COLLATE NOCASE";
    let has_rowid = match database.query_row(kind, [TABLE], |row| row.get(0)) {
        Ok(has_rowid) => has_rowid,
        Err(rusqlite::Error::QueryReturnedNoRows) => return Err(Error::NoTable),
        Err(error) => return Err(failure(error)),
    };
    let order = if has_rowid { "ORDER BY rowid" } else { "" };
    database.prepare(&format!("SELECT * FROM {TABLE} {order}")).map_err(failure)
}

fn open(path: &Path, header: &Header) -> Result<Connection, Error> {
    // As SQLite does, since a write-ahead log stands beside the file itself, not beside a link to it.
    let path = path.canonicalize().map_err(|source| Error::Io { source })?;
    let address = address(&path, header.has_log_mode() && !has_log(&path));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(address, flags).map_err(failure)
}

/// How the file begins, and its length. A file of no bytes at all is a database without tables.
struct Header {
    bytes: Vec<u8>,
    file_len: u64,
}

impl Header {
    fn read(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let file_len = file.metadata()?.len();
        let mut bytes = Vec::with_capacity(HEADER_LEN);
        file.take(HEADER_LEN as u64).read_to_end(&mut bytes)?;
        Ok(Self { bytes, file_len })
    }

    fn is_sqlite(&self) -> bool {
        self.bytes.is_empty() || (self.bytes.starts_with(MAGIC) && self.bytes.len() == HEADER_LEN)
    }

    /// Whether the last page lacks its end. SQLite would take zeros for it, and so give tokens that are cut or empty.
    fn is_cut(&self) -> bool {
        let page_len = match self.bytes.get(PAGE_LEN_AT..PAGE_LEN_AT + 2) {
            Some([0, 1]) => 1 << 16,
            Some([high, low]) => u64::from(u16::from_be_bytes([*high, *low])),
            _ => return false,
        };
        !self.file_len.is_multiple_of(page_len)
    }

    fn has_log_mode(&self) -> bool {
        self.bytes.get(READ_VERSION_AT) == Some(&READ_VERSION_WAL)
    }
}

/// Whether a write-ahead log with rows, or an open writer's, stands beside the database.
fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    Path::new(&log).exists()
}

/// The path as a `file:` address. An absolute one: a name alone could have a meaning of its own, as `:memory:` does.
fn address(path: &Path, is_at_rest: bool) -> String {
    let mut address = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => address.push(char::from(*byte)),
            _ => write!(address, "%{byte:02x}").expect("a String takes all"),
        }
    }
    // At rest, there is no log, and a reader would create one that it cannot remove again. Where a writer may be at work
    // this must not be said: its lock and its journal would not be looked at.
    address.push_str(if is_at_rest { "?immutable=1" } else { "" });
    address
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failure(error: rusqlite::Error) -> Error {
    // What is not SQLite's own cannot happen here: every text we pass is without NUL, every column is there.
    match error.sqlite_error().map_or(ffi::SQLITE_MISUSE, |error| error.extended_code) {
        ffi::SQLITE_READONLY_ROLLBACK => Error::HalfWritten,
        code => sqlite_error(code),
    }
}

fn sqlite_error(code: i32) -> Error {
    Error::Sqlite { code, meaning: ffi::code_to_str(code) }
}
