//! The stores whose speed is compared, each behind the same verbs: open, find, insert, refresh.
//!
//! Each is used as those who know it would: what is prepared once is, reads see all that was saved before them, a commit
//! is durable by the engine's own setting for that, caches have a gibibyte where there is one to set. All keep the same
//! rows, and find them by id and through three indexes: user name, access token and refresh token. (tokcask has a fifth,
//! which the others are spared.)

mod fjall;
mod lmdb;
mod map;
mod redb;
mod rows;
mod sled;
mod sqlite;
mod tokcask;

use std::hint::black_box;
use std::path::Path;

use super::plain::PlainToken;
use super::work::By;
use crate::Result;

pub use tokcask::{Facts, facts};

/// Memory for caches, where an engine has one of its own: enough for all of a hundred thousand tokens, and for most of a
/// million. It is what redb and sled take if not told otherwise.
const CACHE_LEN: u32 = 1 << 30;

/// What a find makes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A token of its own, with all fields: what is compared.
    Owned,
    /// One field is read in place, and nothing copied.
    InPlace,
    /// The row's bytes are copied as they are, and no field is decoded.
    Block,
    /// A token of its own, out of a snapshot that is held from find to find, and so does not see what is saved meanwhile.
    Held,
}

/// A kind of store.
pub trait Engine: Sync {
    /// What tables call it.
    fn title(&self) -> &'static str;

    /// The ways of finding that it offers, the one that is compared first.
    fn ways(&self) -> &'static [Way];

    /// Whether it keeps anything on a disk.
    fn is_durable(&self) -> bool {
        true
    }

    /// Opens the store in a directory that is there, or makes an empty one in it.
    ///
    /// # Errors
    /// Whatever the engine names.
    fn open(&self, directory: &Path) -> Result<Box<dyn Store>>;
}

/// An open store, for any number of threads.
pub trait Store: Sync {
    /// For finding in one thread.
    ///
    /// # Errors
    /// Whatever the engine names; a way that it has not.
    fn reader(&self, way: Way) -> Result<Box<dyn Reader + '_>>;

    /// For saving in one thread.
    ///
    /// # Errors
    /// Whatever the engine names.
    fn writer(&self) -> Result<Box<dyn Writer + '_>>;

    /// Waits for what the engine does by itself after many saves.
    ///
    /// # Errors
    /// Whatever the engine names, or that it takes too long.
    fn settle(&self) -> Result<()> {
        Ok(())
    }

    /// Gives back what replaced rows take, by the engine's own verb for that, if there is one here.
    ///
    /// # Errors
    /// Whatever the engine names.
    fn compact(&self) -> Result<()> {
        Ok(())
    }
}

/// Finds.
pub trait Reader {
    /// The row with this value.
    ///
    /// # Errors
    /// Whatever the engine names. Absence is none.
    fn token(&mut self, by: By, value: &str) -> Result<Option<PlainToken>>;

    /// What is timed: the row is found, what the reader's way makes of it is made and dropped. Returns whether there is one.
    ///
    /// # Errors
    /// Whatever the engine names. Absence is none.
    fn find(&mut self, by: By, value: &str) -> Result<bool> {
        Ok(black_box(self.token(by, value)?).is_some())
    }
}

/// Saves. Each call is one commit, durable when it returns.
pub trait Writer {
    /// New rows, with the numbers that come next.
    ///
    /// # Errors
    /// Whatever the engine names.
    fn insert(&mut self, tokens: &[PlainToken]) -> Result<()>;

    /// Rows that are there, with other access tokens.
    ///
    /// # Errors
    /// Whatever the engine names.
    fn refresh(&mut self, tokens: &[PlainToken]) -> Result<()>;
}

/// All of them, tokcask first and the map last.
pub const ALL: [&dyn Engine; 7] =
    [&tokcask::Tokcask, &redb::Redb, &lmdb::Lmdb, &fjall::Fjall, &sqlite::Sqlite, &sled::Sled, &map::Map];

/// What tables call an engine that is read in this way.
#[must_use]
pub fn titled(engine: &str, way: Way) -> String {
    let suffix = match way {
        Way::Owned => "",
        Way::InPlace => ", one field read in place",
        Way::Block => ", copied and not decoded",
        Way::Held => ", out of a held snapshot",
    };
    format!("{engine}{suffix}")
}

fn no_such_way<T>(way: Way) -> Result<T> {
    Err(format!("no such way to find: {way:?}").into())
}
