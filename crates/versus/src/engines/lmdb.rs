//! LMDB through heed: the unnamed database, each save a transaction, synced as by default.

use std::path::Path;

use heed::types::{Bytes, Str};
use heed::{Database, Env, EnvOpenOptions};

use super::{Engine, Store, version_of};
use crate::Result;

/// Room for 200 rows many times over: the map is as long, the file is not.
const MAP_LEN: usize = 16 << 20;

/// A copy-on-write B-tree in a file that is mapped.
pub(super) struct Lmdb;

struct Open {
    environment: Env,
    tokens: Database<Str, Bytes>,
}

impl Engine for Lmdb {
    fn name(&self) -> &'static str {
        "lmdb"
    }

    fn title(&self) -> &'static str {
        "LMDB"
    }

    fn version(&self) -> String {
        let version = heed::lmdb_version();
        format!("{}.{}.{} (heed {})", version.major, version.minor, version.patch, version_of("heed"))
    }

    fn part(&self, file: &str) -> Option<&'static str> {
        (file == "data.mdb").then_some("data.mdb")
    }

    fn create(&self, directory: &Path) -> Result<Box<dyn Store>> {
        std::fs::create_dir(directory)?;
        let environment = open(directory)?;
        let mut transaction = environment.write_txn()?;
        let tokens = environment.create_database(&mut transaction, None)?;
        transaction.commit()?;
        Ok(Box::new(Open { environment, tokens }))
    }

    fn open(&self, directory: &Path) -> Result<Box<dyn Store>> {
        let environment = open(directory)?;
        let transaction = environment.read_txn()?;
        let tokens = environment.open_database(&transaction, None)?.ok_or("the database is gone")?;
        drop(transaction);
        Ok(Box::new(Open { environment, tokens }))
    }
}

#[expect(unsafe_code, reason = "heed has no other way to open")]
fn open(directory: &Path) -> Result<Env> {
    let mut options = EnvOpenOptions::new();
    options.map_size(MAP_LEN);
    // SAFETY: nobody else has the directory, so that nothing is changed under the map. A damaged file may lead LMDB to
    // anywhere all the same: that is what is measured, in a process that is there for nothing else.
    Ok(unsafe { options.open(directory) }?)
}

impl Store for Open {
    fn save(&self, user_name: &str, record: &str) -> Result<()> {
        let mut transaction = self.environment.write_txn()?;
        self.tokens.put(&mut transaction, user_name, record.as_bytes())?;
        transaction.commit()?;
        Ok(())
    }

    fn get(&self, user_name: &str) -> Result<Option<Vec<u8>>> {
        let transaction = self.environment.read_txn()?;
        Ok(self.tokens.get(&transaction, user_name)?.map(<[u8]>::to_vec))
    }
}
