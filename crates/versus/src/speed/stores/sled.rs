//! sled: a tree of rows by number and three trees from keys to numbers.
//!
//! A commit is a transaction across the trees, and a flush: a transaction alone is durable half a second later. That
//! timed flush is off, since every commit has its own. `HighThroughput` is its mode for speed.

use std::path::Path;

use sled::transaction::{ConflictableTransactionError, Transactional};
use sled::{Db, Mode, Tree};

use super::rows::{Change, Rows, reader, row_id};
use super::{CACHE_LEN, Engine, Reader, Store, Way, Writer};
use crate::speed::plain::PlainToken;
use crate::speed::work::By;
use crate::{Error, Result};

/// The last release that is no alpha.
pub(super) struct Sled;

struct Open {
    database: Db,
    rows: Tree,
    indexes: [Tree; 3],
}

impl Engine for Sled {
    fn title(&self) -> &'static str {
        "sled"
    }

    fn ways(&self) -> &'static [Way] {
        &[Way::Owned, Way::Block]
    }

    fn open(&self, directory: &Path) -> Result<Box<dyn Store>> {
        let config = sled::Config::new().path(directory).cache_capacity(CACHE_LEN.into());
        let database = config.mode(Mode::HighThroughput).flush_every_ms(None).open()?;
        let tree = |name| database.open_tree(name);
        let indexes = [tree("user_name")?, tree("access_token")?, tree("refresh_token")?];
        let rows = tree("tokens")?;
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
        let Open { database, rows, indexes: [user_name, access_token, refresh_token] } = self.0;
        (rows, user_name, access_token, refresh_token)
            .transaction(|(rows, user_name, access_token, refresh_token)| {
                let indexes = [user_name, access_token, refresh_token];
                for token in tokens {
                    let id = token.row_id().map_err(ConflictableTransactionError::Abort)?.to_be_bytes();
                    let old = if is_new { None } else { rows.get(id)? };
                    let change = Change::new(token, old.as_deref()).map_err(ConflictableTransactionError::Abort)?;
                    for (index, old, new) in change.keys {
                        if let Some(old) = old {
                            indexes[index].remove(old.as_bytes())?;
                        }
                        if let Some(new) = new {
                            indexes[index].insert(new.as_bytes(), &id)?;
                        }
                    }
                    rows.insert(&id, change.row)?;
                }
                Ok(())
            })
            .map_err(|error: sled::transaction::TransactionError<Error>| error.to_string())?;
        database.flush()?;
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
