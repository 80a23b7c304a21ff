//! fjall: 200 rows stay in its journal; each save asks for `SyncAll`.

use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::{Engine, Store, version_of};
use crate::Result;

const TOKENS: &str = "tokens";

/// A log-structured merge tree.
pub(super) struct Fjall;

struct Open {
    database: Database,
    tokens: Keyspace,
}

impl Engine for Fjall {
    fn name(&self) -> &'static str {
        "fjall"
    }

    fn title(&self) -> &'static str {
        "fjall"
    }

    fn version(&self) -> String {
        version_of("fjall").into()
    }

    fn part(&self, file: &str) -> Option<&'static str> {
        Path::new(file).extension().is_some_and(|extension| extension == "jnl").then_some("journal")
    }

    fn create(&self, directory: &Path) -> Result<Box<dyn Store>> {
        let database = Database::builder(directory).open()?;
        let tokens = database.keyspace(TOKENS, KeyspaceCreateOptions::default)?;
        Ok(Box::new(Open { database, tokens }))
    }

    fn open(&self, directory: &Path) -> Result<Box<dyn Store>> {
        let database = Database::builder(directory).open()?;
        if !database.keyspace_exists(TOKENS) {
            return Err("the keyspace is gone".into());
        }
        let tokens = database.keyspace(TOKENS, KeyspaceCreateOptions::default)?;
        Ok(Box::new(Open { database, tokens }))
    }
}

impl Store for Open {
    fn save(&self, user_name: &str, record: &str) -> Result<()> {
        self.tokens.insert(user_name, record)?;
        self.database.persist(PersistMode::SyncAll)?;
        Ok(())
    }

    fn get(&self, user_name: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.tokens.get(user_name)?.map(|value| value.to_vec()))
    }
}
