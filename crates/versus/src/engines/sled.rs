//! sled: the default tree, with a flush after each insert.

use std::path::Path;

use sled::Db;

use super::{Engine, Store, version_of};
use crate::Result;

/// The last release that is no alpha.
pub(super) struct Sled;

impl Engine for Sled {
    fn name(&self) -> &'static str {
        "sled"
    }

    fn title(&self) -> &'static str {
        "sled"
    }

    fn version(&self) -> String {
        version_of("sled").into()
    }

    fn part(&self, file: &str) -> Option<&'static str> {
        (file == "db" || file.starts_with("blobs/")).then_some("db, blobs")
    }

    fn create(&self, directory: &Path) -> Result<Box<dyn Store>> {
        Ok(Box::new(sled::open(directory)?))
    }

    fn open(&self, directory: &Path) -> Result<Box<dyn Store>> {
        self.create(directory)
    }
}

impl Store for Db {
    fn save(&self, user_name: &str, record: &str) -> Result<()> {
        self.insert(user_name, record)?;
        self.flush()?;
        Ok(())
    }

    fn get(&self, user_name: &str) -> Result<Option<Vec<u8>>> {
        Ok(sled::Tree::get(self, user_name)?.map(|value| value.to_vec()))
    }
}
