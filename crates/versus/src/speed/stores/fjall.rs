//! fjall: a keyspace of rows by number and three keyspaces from keys to numbers.
//!
//! A commit is a batch, atomic across keyspaces, that asks for `SyncData`: all that a file of a known length needs to be
//! durable, and less than `SyncAll`. Two threads that save the same token at a time would need a lock beside that; here no
//! two do. Blocks get a hash index, which its documentation names for point reads out of memory.

use std::path::Path;

use fjall::config::HashRatioPolicy;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::rows::{Change, Rows, reader, row_id};
use super::{CACHE_LEN, Engine, Reader, Store, Way, Writer};
use crate::Result;
use crate::speed::plain::PlainToken;
use crate::speed::work::By;

/// A log-structured merge tree.
pub(super) struct Fjall;

struct Open {
    database: Database,
    rows: Keyspace,
    indexes: [Keyspace; 3],
}

impl Engine for Fjall {
    fn title(&self) -> &'static str {
        "fjall"
    }

    fn ways(&self) -> &'static [Way] {
        &[Way::Owned, Way::Block]
    }

    fn open(&self, directory: &Path) -> Result<Box<dyn Store>> {
        let database = Database::builder(directory).cache_size(CACHE_LEN.into()).open()?;
        let options = || KeyspaceCreateOptions::default().data_block_hash_ratio_policy(HashRatioPolicy::all(0.75));
        let keyspace = |name| database.keyspace(name, options);
        let indexes = [keyspace("user_name")?, keyspace("access_token")?, keyspace("refresh_token")?];
        let rows = keyspace("tokens")?;
        Ok(Box::new(Open { database, rows, indexes }))
    }
}

impl Store for Open {
    fn reader(&self, way: Way) -> Result<Box<dyn Reader + '_>> {
        Ok(reader(Finds(self), way))
    }

    fn writer(&self) -> Result<Box<dyn Writer + '_>> {
        Ok(Box::new(Saves(self)))
    }
}

struct Finds<'a>(&'a Open);

impl Rows for Finds<'_> {
    fn row<R>(&mut self, by: By, value: &str, take: impl FnOnce(&[u8]) -> R) -> Result<Option<R>> {
        let Open { rows, indexes, .. } = self.0;
        let row = match by.index() {
            None => row_id(value).map(|id| rows.get(id.to_be_bytes())).transpose()?.flatten(),
            Some(index) => indexes[index].get(value)?.map(|id| rows.get(id)).transpose()?.flatten(),
        };
        Ok(row.map(|row| take(&row)))
    }
}

struct Saves<'a>(&'a Open);

impl Saves<'_> {
    fn save(&self, tokens: &[PlainToken], is_new: bool) -> Result<()> {
        let Open { database, rows, indexes } = self.0;
        let mut batch = database.batch().durability(Some(PersistMode::SyncData));
        for token in tokens {
            let old = if is_new { None } else { rows.get(token.row_id()?.to_be_bytes())? };
            let change = Change::new(token, old.as_deref())?;
            for (index, old, new) in change.keys {
                if let Some(old) = old {
                    batch.remove(&indexes[index], old);
                }
                if let Some(new) = new {
                    batch.insert(&indexes[index], new, change.id.to_be_bytes());
                }
            }
            batch.insert(rows, change.id.to_be_bytes(), change.row);
        }
        batch.commit()?;
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
