//! The stores that are compared, each behind the same four verbs: create, save durably, open, get by user name.
//!
//! Each is used as its own documentation begins, with the strongest durability that it offers in everyday use: a save
//! that returned is synced. Opening asks for a store that is there, wherever there is such a call, so that no loss is
//! held against an engine because our own code made an empty table in its place.

mod fjall;
mod lmdb;
mod redb;
mod sled;
mod sqlite;
mod tokcask;

use std::path::Path;

use crate::Result;

/// A kind of store.
pub trait Engine: Sync {
    /// What the command line calls it.
    fn name(&self) -> &'static str;

    /// What the table calls it.
    fn title(&self) -> &'static str;

    /// Which version this program was built with.
    fn version(&self) -> String;

    /// Which part of a store a file is, for the table; `None` for files that hold no data and are not hit.
    fn part(&self, file: &str) -> Option<&'static str>;

    /// Makes an empty store in a directory that is not there yet.
    ///
    /// # Errors
    /// Whatever the engine names.
    fn create(&self, directory: &Path) -> Result<Box<dyn Store>>;

    /// Opens a store, damaged or not.
    ///
    /// # Errors
    /// Whatever the engine names.
    fn open(&self, directory: &Path) -> Result<Box<dyn Store>>;
}

/// An open store.
pub trait Store {
    /// Saves a row in a commit of its own, which is durable when this returns.
    ///
    /// # Errors
    /// Whatever the engine names.
    fn save(&self, user_name: &str, record: &str) -> Result<()>;

    /// The row of a user.
    ///
    /// # Errors
    /// Whatever the engine names. Absence is none.
    fn get(&self, user_name: &str) -> Result<Option<Vec<u8>>>;

    /// Whether opening told that it had given something up.
    fn told_of_loss(&self) -> bool {
        false
    }
}

/// All of them, tokcask first.
pub const ALL: [&dyn Engine; 7] = [
    &tokcask::Tokcask,
    &redb::Redb,
    &sqlite::Sqlite { is_checkpointed: false },
    &sqlite::Sqlite { is_checkpointed: true },
    &fjall::Fjall,
    &sled::Sled,
    &lmdb::Lmdb,
];

/// The engine of this name.
///
/// # Errors
/// If there is none.
pub fn find<'a>(engines: &[&'a dyn Engine], name: &str) -> Result<&'a dyn Engine> {
    let found = engines.iter().find(|engine| engine.name() == name);
    found.copied().ok_or_else(|| {
        let names: Vec<_> = engines.iter().map(|engine| engine.name()).collect();
        format!("there is no engine {name}; there are {}", names.join(", ")).into()
    })
}

/// The version of a crate in this repository's lock file.
fn version_of(package: &str) -> &'static str {
    let lock = include_str!("../../../../Cargo.lock");
    let entry = lock.split("[[package]]").find(|entry| entry.contains(&format!("\nname = \"{package}\"\n")));
    entry.and_then(|entry| entry.split("\nversion = \"").nth(1)?.split('"').next()).unwrap_or("of unknown version")
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn every_engine_gives_back_what_it_was_given_and_knows_its_version() {
        for engine in ALL {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("store");
            let store = engine.create(&path).unwrap();
            for record in ["a\nb\nc\nd\ne\nf", "A\nB\nC\nD\nE\nF"] {
                store.save("ana", record).unwrap();
                assert_eq!(store.get("ana").unwrap().unwrap(), record.as_bytes(), "{}", engine.name());
            }
            store.save("ben", "1\n2\n3\n4\n5\n6").unwrap();
            drop(store);
            let store = engine.open(&path).unwrap();
            assert_eq!(store.get("ana").unwrap().unwrap(), b"A\nB\nC\nD\nE\nF", "{}", engine.name());
            assert_eq!(store.get("eve").unwrap(), None, "{}", engine.name());
            assert!(!store.told_of_loss());
            assert!(engine.version().starts_with(|letter: char| letter.is_ascii_digit()), "{}", engine.version());
        }
    }
}
