//! redb: one table; a commit syncs unless told otherwise.

use std::path::Path;

use redb::{Database, ReadableDatabase, TableDefinition};

use super::{Engine, Store, version_of};
use crate::Result;

const TOKENS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("tokens");
const FILE: &str = "tokens.redb";

/// A copy-on-write B-tree in one file.
pub(super) struct Redb;

impl Engine for Redb {
    fn name(&self) -> &'static str {
        "redb"
    }

    fn title(&self) -> &'static str {
        "redb"
    }

    fn version(&self) -> String {
        version_of("redb").into()
    }

    fn part(&self, file: &str) -> Option<&'static str> {
        (file == FILE).then_some("file")
    }

    fn create(&self, directory: &Path) -> Result<Box<dyn Store>> {
        std::fs::create_dir(directory)?;
        Ok(Box::new(Database::create(directory.join(FILE))?))
    }

    fn open(&self, directory: &Path) -> Result<Box<dyn Store>> {
        Ok(Box::new(Database::open(directory.join(FILE))?))
    }
}

impl Store for Database {
    fn save(&self, user_name: &str, record: &str) -> Result<()> {
        let transaction = self.begin_write()?;
        transaction.open_table(TOKENS)?.insert(user_name, record.as_bytes())?;
        transaction.commit()?;
        Ok(())
    }

    fn get(&self, user_name: &str) -> Result<Option<Vec<u8>>> {
        let table = self.begin_read()?.open_table(TOKENS)?;
        Ok(table.get(user_name)?.map(|value| value.value().to_vec()))
    }
}
