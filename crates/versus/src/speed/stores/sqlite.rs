//! SQLite: one table with a column for each field and three unique indexes, through statements that are prepared once.
//!
//! WAL with `synchronous = FULL`, by which every commit is synced. Connections for reading are kept and lent, one a
//! thread, as pools do, with the file mapped. One connection writes for all threads, behind a lock of our own: SQLite lets
//! one write at a time anyway, and makes those who compete for it sleep in growing steps.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};

use super::{CACHE_LEN, Engine, Reader, Store, Way, Writer, no_such_way};
use crate::Result;
use crate::speed::plain::{FIELDS, PlainToken};
use crate::speed::work::By;

const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS tokens (
        id INTEGER PRIMARY KEY, user_name TEXT, client_id TEXT, client_secret TEXT, refresh_token TEXT,
        access_token TEXT, grant_token TEXT, expiry_time TEXT, redirect_url TEXT, api_domain TEXT);
    CREATE UNIQUE INDEX IF NOT EXISTS by_user_name ON tokens (user_name);
    CREATE UNIQUE INDEX IF NOT EXISTS by_access_token ON tokens (access_token);
    CREATE UNIQUE INDEX IF NOT EXISTS by_refresh_token ON tokens (refresh_token);";
const INSERT: &str = "INSERT INTO tokens VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
/// What a refresh changes, and no more: so no index is touched but that of access tokens.
const REFRESH: &str = "UPDATE tokens SET access_token = ?1, expiry_time = ?2 WHERE id = ?3";

/// The build that rusqlite brings along.
pub(super) struct Sqlite;

struct Open {
    path: PathBuf,
    writing: Mutex<Connection>,
    reading: Mutex<Vec<Connection>>,
}

impl Engine for Sqlite {
    fn title(&self) -> &'static str {
        "SQLite"
    }

    fn ways(&self) -> &'static [Way] {
        &[Way::Owned]
    }

    fn open(&self, directory: &Path) -> Result<Box<dyn Store>> {
        let path = directory.join("tokens.db");
        let connection = connect(&path)?;
        connection.execute_batch(TABLE)?;
        Ok(Box::new(Open { path, writing: Mutex::new(connection), reading: Mutex::default() }))
    }
}

fn connect(path: &Path) -> Result<Connection> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "mmap_size", 2 * i64::from(CACHE_LEN))?;
    connection.pragma_update(None, "cache_size", -i64::from(CACHE_LEN / 1024))?; // KiB, if less than 0
    Ok(connection)
}

impl Store for Open {
    fn reader(&self, way: Way) -> Result<Box<dyn Reader + '_>> {
        if way != Way::Owned {
            return no_such_way(way);
        }
        let kept = self.reading.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = kept.map_or_else(|| connect(&self.path), Ok)?;
        Ok(Box::new(Lent { connection: Some(connection), home: &self.reading }))
    }

    fn writer(&self) -> Result<Box<dyn Writer + '_>> {
        Ok(Box::new(Saves(&self.writing)))
    }
}

struct Lent<'a> {
    connection: Option<Connection>,
    home: &'a Mutex<Vec<Connection>>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.home.lock().unwrap_or_else(PoisonError::into_inner).extend(self.connection.take());
    }
}

impl Reader for Lent<'_> {
    fn token(&mut self, by: By, value: &str) -> Result<Option<PlainToken>> {
        let connection = self.connection.as_ref().ok_or("the connection was given back")?;
        let mut statement = connection.prepare_cached(match by {
            By::Id => "SELECT * FROM tokens WHERE id = ?1",
            By::UserName => "SELECT * FROM tokens WHERE user_name = ?1",
            By::AccessToken => "SELECT * FROM tokens WHERE access_token = ?1",
            By::RefreshToken => "SELECT * FROM tokens WHERE refresh_token = ?1",
        })?;
        Ok(match (by, value.parse::<i64>()) {
            (By::Id, Err(_)) => None,
            (By::Id, Ok(id)) => statement.query_row([id], token).optional()?,
            _ => statement.query_row([value], token).optional()?,
        })
    }
}

fn token(row: &Row<'_>) -> rusqlite::Result<PlainToken> {
    let mut fields = [const { None }; FIELDS];
    fields[0] = row.get::<_, Option<i64>>(0)?.map(|id| id.to_string());
    for (column, field) in fields.iter_mut().enumerate().skip(1) {
        *field = row.get(column)?;
    }
    Ok(PlainToken::from_fields(fields))
}

struct Saves<'a>(&'a Mutex<Connection>);

impl Saves<'_> {
    fn commit(&self, save: impl FnOnce(&Connection) -> Result<()>) -> Result<()> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.unchecked_transaction()?;
        save(&transaction)?;
        transaction.commit()?;
        Ok(())
    }
}

impl Writer for Saves<'_> {
    fn insert(&mut self, tokens: &[PlainToken]) -> Result<()> {
        self.commit(|connection| {
            let mut statement = connection.prepare_cached(INSERT)?;
            tokens.iter().try_for_each(|token| {
                // An id that is text becomes the integer that the column asks for.
                statement.execute(params_from_iter(token.fields()))?;
                Ok(())
            })
        })
    }

    fn refresh(&mut self, tokens: &[PlainToken]) -> Result<()> {
        self.commit(|connection| {
            let mut statement = connection.prepare_cached(REFRESH)?;
            tokens.iter().try_for_each(|token| {
                let id = i64::try_from(token.row_id()?)?;
                statement.execute((token.access_token.as_deref(), token.expiry_time.as_deref(), id))?;
                Ok(())
            })
        })
    }
}
