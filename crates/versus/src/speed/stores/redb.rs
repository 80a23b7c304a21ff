//! redb: a table of rows by number and three tables from keys to numbers.
//!
//! A find begins a read transaction and opens the two tables that it needs: it has to see what was saved before it, and a
//! transaction sees only what was committed before its own beginning. A commit is durable unless told otherwise.

use std::path::Path;

use redb::{Database, ReadOnlyTable, ReadableDatabase, ReadableTable, TableDefinition};

use super::rows::{Change, Rows, reader, row_id};
use super::{CACHE_LEN, Engine, Reader, Store, Way, Writer};
use crate::Result;
use crate::speed::plain::PlainToken;
use crate::speed::work::By;

const ROWS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("tokens");
const INDEXES: [TableDefinition<'_, &str, u64>; 3] =
    [TableDefinition::new("user_name"), TableDefinition::new("access_token"), TableDefinition::new("refresh_token")];

/// A copy-on-write B-tree in one file.
pub(super) struct Redb;

impl Engine for Redb {
    fn title(&self) -> &'static str {
        "redb"
    }

    fn ways(&self) -> &'static [Way] {
        &[Way::Owned, Way::InPlace, Way::Block, Way::Held]
    }

    fn open(&self, directory: &Path) -> Result<Box<dyn Store>> {
        let path = directory.join("tokens.redb");
        let is_new = !path.exists();
        let database = Database::builder().set_cache_size(usize::try_from(CACHE_LEN)?).create(path)?;
        if is_new {
            // Readers fail on tables that nobody has made.
            let transaction = database.begin_write()?;
            transaction.open_table(ROWS)?;
            for index in INDEXES {
                transaction.open_table(index)?;
            }
            transaction.commit()?;
        }
        Ok(Box::new(database))
    }
}

impl Store for Database {
    fn reader(&self, way: Way) -> Result<Box<dyn Reader + '_>> {
        if way != Way::Held {
            return Ok(reader(Fresh(self), way));
        }
        let transaction = self.begin_read()?;
        let [user_name, access_token, refresh_token] = INDEXES.map(|index| transaction.open_table(index));
        let indexes = [user_name?, access_token?, refresh_token?];
        Ok(reader(Held { rows: transaction.open_table(ROWS)?, indexes }, way))
    }

    fn writer(&self) -> Result<Box<dyn Writer + '_>> {
        Ok(Box::new(Saves(self)))
    }
}

struct Fresh<'a>(&'a Database);

impl Rows for Fresh<'_> {
    fn row<R>(&mut self, by: By, value: &str, take: impl FnOnce(&[u8]) -> R) -> Result<Option<R>> {
        let transaction = self.0.begin_read()?;
        let id = match by.index() {
            None => row_id(value),
            Some(index) => transaction.open_table(INDEXES[index])?.get(value)?.map(|id| id.value()),
        };
        let Some(id) = id else { return Ok(None) };
        Ok(transaction.open_table(ROWS)?.get(id)?.map(|row| take(row.value())))
    }
}

struct Held {
    rows: ReadOnlyTable<u64, &'static [u8]>,
    indexes: [ReadOnlyTable<&'static str, u64>; 3],
}

impl Rows for Held {
    fn row<R>(&mut self, by: By, value: &str, take: impl FnOnce(&[u8]) -> R) -> Result<Option<R>> {
        let id = match by.index() {
            None => row_id(value),
            Some(index) => self.indexes[index].get(value)?.map(|id| id.value()),
        };
        let Some(id) = id else { return Ok(None) };
        Ok(self.rows.get(id)?.map(|row| take(row.value())))
    }
}

struct Saves<'a>(&'a Database);

impl Saves<'_> {
    fn save(&self, tokens: &[PlainToken], is_new: bool) -> Result<()> {
        let transaction = self.0.begin_write()?;
        {
            let mut rows = transaction.open_table(ROWS)?;
            let [user_name, access_token, refresh_token] = INDEXES.map(|index| transaction.open_table(index));
            let mut indexes = [user_name?, access_token?, refresh_token?];
            for token in tokens {
                let old = if is_new { None } else { rows.get(token.row_id()?)? };
                let change = Change::new(token, old.as_ref().map(redb::AccessGuard::value))?;
                drop(old);
                for (index, old, new) in change.keys {
                    if let Some(old) = old {
                        indexes[index].remove(old.as_str())?;
                    }
                    if let Some(new) = new {
                        indexes[index].insert(new.as_str(), change.id)?;
                    }
                }
                rows.insert(change.id, change.row.as_slice())?;
            }
        }
        transaction.commit()?;
        Ok(())
    }
}

impl Writer for Saves<'_> {
    fn insert(&mut self, tokens: &[PlainToken]) -> Result<()> {
        self.save(tokens, true)
    }

    fn refresh(&mut self, tokens: &[PlainToken]) -> Result<()> {
        self.save(tokens, false)
    }
}
