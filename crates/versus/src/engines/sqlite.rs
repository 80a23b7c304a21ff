//! SQLite in WAL mode, with every commit synced (`synchronous = FULL`): as it is used, where 200 commits stay in the WAL,
//! and with a checkpoint after every commit, which is how a file stands that was closed or has grown.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::{Engine, Store, version_of};
use crate::Result;

const FILE: &str = "tokens.db";
const WAL: &str = "tokens.db-wal";

/// The build that rusqlite brings along.
pub(super) struct Sqlite {
    pub(super) is_checkpointed: bool,
}

impl Engine for Sqlite {
    fn name(&self) -> &'static str {
        if self.is_checkpointed { "sqlite-checkpointed" } else { "sqlite" }
    }

    fn title(&self) -> &'static str {
        if self.is_checkpointed { "SQLite, checkpointed" } else { "SQLite" }
    }

    fn version(&self) -> String {
        format!("{} (rusqlite {})", rusqlite::version(), version_of("rusqlite"))
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
        if self.is_checkpointed {
            connection.pragma_update(None, "wal_autocheckpoint", 1)?; // pages
        }
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
