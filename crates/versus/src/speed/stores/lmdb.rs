//! LMDB through heed: rows by number (native integers, the fastest keys it has) and three databases from keys to numbers.
//!
//! A find begins a read transaction, which takes no lock once its thread has a slot in the reader table: LMDB asks for
//! short ones, since pages are not used again as long as somebody may read them, and one that is kept does not see later
//! saves. heed has no `mdb_txn_renew`. Commits sync as by default; `MDB_WRITEMAP`, with which a stray write of the
//! program is a damaged file, is left off.

use std::path::Path;

use heed::byteorder::NativeEndian;
use heed::types::{Bytes, Str, U64};
use heed::{Database, Env, EnvOpenOptions, IntegerComparator, PutFlags, RoTxn};

use super::rows::{Change, Rows, reader, row_id};
use super::{Engine, Reader, Store, Way, Writer};
use crate::Result;
use crate::speed::plain::PlainToken;
use crate::speed::work::By;

/// Addresses, not bytes: more than any store here comes to.
const MAP_LEN: usize = 64 << 30;
const INDEXES: [&str; 3] = ["user_name", "access_token", "refresh_token"];

type Id = U64<NativeEndian>;

/// A copy-on-write B-tree in a file that is mapped.
pub(super) struct Lmdb;

struct Open {
    environment: Env,
    tables: Tables,
}

#[derive(Clone, Copy)]
struct Tables {
    rows: Database<Id, Bytes, IntegerComparator>,
    indexes: [Database<Str, Id>; 3],
}

impl Engine for Lmdb {
    fn title(&self) -> &'static str {
        "LMDB"
    }

    fn ways(&self) -> &'static [Way] {
        &[Way::Owned, Way::InPlace, Way::Block, Way::Held]
    }

    fn open(&self, directory: &Path) -> Result<Box<dyn Store>> {
        let environment = open(directory)?;
        let mut transaction = environment.write_txn()?;
        let mut rows = environment.database_options().types::<Id, Bytes>().key_comparator::<IntegerComparator>();
        let rows = rows.name("tokens").create(&mut transaction)?;
        let mut index = |name| environment.create_database(&mut transaction, Some(name));
        let [user_name, access_token, refresh_token] = INDEXES;
        let indexes = [index(user_name)?, index(access_token)?, index(refresh_token)?];
        transaction.commit()?;
        Ok(Box::new(Open { environment, tables: Tables { rows, indexes } }))
    }
}

#[expect(unsafe_code, reason = "heed has no other way to open")]
fn open(directory: &Path) -> Result<Env> {
    let mut options = EnvOpenOptions::new();
    options.map_size(MAP_LEN).max_dbs(4);
    // SAFETY: nobody else has the directory, so that nothing is changed under the map.
    Ok(unsafe { options.open(directory) }?)
}

impl Store for Open {
    fn reader(&self, way: Way) -> Result<Box<dyn Reader + '_>> {
        if way == Way::Held {
            return Ok(reader(Held { transaction: self.environment.read_txn()?, tables: self.tables }, way));
        }
        Ok(reader(Fresh(self), way))
    }

    fn writer(&self) -> Result<Box<dyn Writer + '_>> {
        Ok(Box::new(Saves(self)))
    }
}

impl Tables {
    fn row<R>(self, transaction: &RoTxn<'_>, by: By, value: &str, take: impl FnOnce(&[u8]) -> R) -> Result<Option<R>> {
        let id = match by.index() {
            None => row_id(value),
            Some(index) => self.indexes[index].get(transaction, value)?,
        };
        let Some(id) = id else { return Ok(None) };
        Ok(self.rows.get(transaction, &id)?.map(take))
    }
}

struct Fresh<'a>(&'a Open);

impl Rows for Fresh<'_> {
    fn row<R>(&mut self, by: By, value: &str, take: impl FnOnce(&[u8]) -> R) -> Result<Option<R>> {
        let transaction = self.0.environment.read_txn()?;
        self.0.tables.row(&transaction, by, value, take)
    }
}

struct Held<'a> {
    transaction: RoTxn<'a, heed::WithTls>,
    tables: Tables,
}

impl Rows for Held<'_> {
    fn row<R>(&mut self, by: By, value: &str, take: impl FnOnce(&[u8]) -> R) -> Result<Option<R>> {
        self.tables.row(&self.transaction, by, value, take)
    }
}

struct Saves<'a>(&'a Open);

impl Saves<'_> {
    fn save(&self, tokens: &[PlainToken], is_new: bool) -> Result<()> {
        let Open { environment, tables } = self.0;
        let mut transaction = environment.write_txn()?;
        for token in tokens {
            let old = if is_new { None } else { tables.rows.get(&transaction, &token.row_id()?)? };
            let change = Change::new(token, old)?;
            for (index, old, new) in &change.keys {
                if let Some(old) = old {
                    tables.indexes[*index].delete(&mut transaction, old)?;
                }
                if let Some(new) = new {
                    tables.indexes[*index].put(&mut transaction, new, &change.id)?;
                }
            }
            // Rows that come in order fill their pages only if LMDB is told so.
            let flags = if is_new { PutFlags::APPEND } else { PutFlags::empty() };
            tables.rows.put_with_flags(&mut transaction, flags, &change.id, &change.row)?;
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
