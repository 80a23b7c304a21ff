//! SQLite in WAL mode, with every commit synced (`synchronous = FULL`).

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::{Engine, Store, version_of};
use crate::Result;

const FILE: &str = "tokens.db";
const WAL: &str = "tokens.db-wal";

/// The build that rusqlite brings along.
pub(super) struct Sqlite;

impl Engine for Sqlite {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn title(&self) -> String {
        format!("SQLite {} (rusqlite {})", rusqlite::version(), version_of("rusqlite"))
    }

    fn part(&self, file: &str) -> Option<&'static str> {
        match file {
            FILE => Some("main file"),
            WAL => Some("-wal"),
            _ => None, // -shm is an index of the WAL, which the first to open it makes anew
        }
    }

    fn create(&self, directory: &Path) -> Result<Box<dyn Store>> {
        std::fs::create_dir(directory)?;
        let connection = Connection::open(directory.join(FILE))?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.execute("CREATE TABLE tokens (user_name TEXT PRIMARY KEY, record BLOB NOT NULL)", ())?;
        Ok(Box::new(connection))
    }

    fn open(&self, directory: &Path) -> Result<Box<dyn Store>> {
        let connection = Connection::open_with_flags(directory.join(FILE), OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.pragma_update(None, "synchronous", "full")?;
        Ok(Box::new(connection))
    }
}

impl Store for Connection {
    fn save(&self, user_name: &str, record: &str) -> Result<()> {
        const SAVE: &str = "INSERT INTO tokens VALUES (?1, ?2) ON CONFLICT DO UPDATE SET record = excluded.record";
        self.execute(SAVE, (user_name, record.as_bytes()))?;
        Ok(())
    }

    fn get(&self, user_name: &str) -> Result<Option<Vec<u8>>> {
        let mut statement = self.prepare("SELECT record FROM tokens WHERE user_name = ?1")?;
        let mut rows = statement.query([user_name])?;
        Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
    }
}
