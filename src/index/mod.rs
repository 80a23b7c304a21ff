//! Which rows there are, in order, and where the log holds them; five hash tables from keys to rows.
//!
//! Memory only, and always rebuildable from the log. Keys are not kept: they are compared in the log, by the caller's
//! [`Source`], and every record that is compared is checked first, so that damage is an error and never a miss.

mod table;

use std::hash::{BuildHasher, Hasher};

use self::table::KeyTable;
use crate::error::{Error, Result};
use crate::format::operation::{Located, Operation};
use crate::log::source::Source;
use crate::log::{Location, append};
use crate::token::{Column, TokenView};

/// Rows that one generation can have seen; a compaction numbers them anew.
const ROWS_MAX: u64 = u32::MAX as u64;

/// The rows of a log and the ways to find them.
pub(crate) struct Index {
    /// By row number, which is the order of first insertion; `Location::NONE` where a row was deleted.
    rows: Vec<Location>,
    live_rows: u64,
    /// Of operations that hold a present row, headers and padding included.
    live_bytes: u64,
    tables: [KeyTable; Column::KEYS.len()],
    hash: foldhash::quality::RandomState,
}

impl Index {
    pub(crate) fn new() -> Self {
        Self {
            rows: Vec::new(),
            live_rows: 0,
            live_bytes: 0,
            tables: std::array::from_fn(|_| KeyTable::new()),
            hash: foldhash::quality::RandomState::default(),
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.live_rows
    }

    pub(crate) fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    /// Row numbers given so far, deleted ones included: every row is below.
    pub(crate) fn rows_end(&self) -> u32 {
        u32::try_from(self.rows.len()).expect("`put` refuses more rows")
    }

    /// Places of all rows, oldest row first.
    pub(crate) fn locations(&self) -> impl Iterator<Item = Location> {
        self.rows.iter().copied().filter(|at| *at != Location::NONE)
    }

    pub(crate) fn location(&self, row: u32) -> Location {
        self.rows.get(row as usize).copied().unwrap_or(Location::NONE)
    }

    /// Hands the oldest row with this key to `f`: its number, its place, its content.
    pub(crate) fn find<R>(
        &self,
        source: &Source,
        column: Column,
        key: &str,
        f: impl FnOnce(u32, Location, &TokenView<'_>) -> R,
    ) -> Result<Option<R>> {
        let mut f = Some(f);
        let mut found = Ok(None);
        self.tables[table(column)].oldest(self.hash(key), |row| {
            let at = self.location(row);
            let read = source.read(at, |view| {
                let f = f.take_if(|_| view.column(column) == Some(key))?;
                Some(f(row, at, view))
            });
            match read {
                Ok(None) => false,
                // An error ends the search too: what cannot be read is not "another key".
                hit_or_error => {
                    found = hit_or_error;
                    true
                }
            }
        });
        found
    }

    /// The oldest row with this key.
    pub(crate) fn find_row(&self, source: &Source, column: Column, key: &str) -> Result<Option<u32>> {
        self.find(source, column, key, |row, _, _| row)
    }

    /// All rows with this key, oldest first.
    pub(crate) fn find_rows(&self, source: &Source, column: Column, key: &str) -> Result<impl Iterator<Item = u32>> {
        let oldest = self.find_row(source, column, key)?;
        let younger = move |oldest| self.tables[table(column)].younger(oldest);
        Ok(oldest.into_iter().chain(oldest.into_iter().flat_map(younger)))
    }

    /// Takes up the operations of a good frame, whose bytes `source` can already read.
    ///
    /// # Errors
    /// A seal that counts other rows, or a record in the way that cannot be read: the index is then of no more use.
    pub(crate) fn apply(&mut self, source: &Source, operations: &[Located<'_>]) -> Result<()> {
        for located in operations {
            let damaged = |reason| Error::Corrupt { path: source.path().into(), offset: located.offset, reason };
            match &located.operation {
                Operation::Put(view) => {
                    let at = Location::new(located.offset, located.len);
                    self.put(source, at.ok_or_else(|| append::log_full(located.offset))?, view)?;
                }
                Operation::Delete(id) => drop(self.delete(source, id)?),
                Operation::Clear => self.clear(),
                Operation::Sealed { rows } if *rows != self.live_rows => {
                    let (expected, found) = (self.live_rows, *rows);
                    return Err(damaged(crate::error::DecodeError::Mismatch { field: "row count", expected, found }));
                }
                Operation::Sealed { .. } | Operation::Recovered { .. } => {}
            }
        }
        Ok(())
    }

    /// A row with this record: in the place of the row with its id, or at the end.
    pub(crate) fn put(&mut self, source: &Source, at: Location, view: &TokenView<'_>) -> Result<()> {
        let id = view.id().expect("a record has an id");
        match self.find(source, Column::Id, id, |row, before, old| (row, before, old.to_token()))? {
            None => {
                let row = u32::try_from(self.rows.len()).ok().filter(|row| u64::from(*row) < ROWS_MAX);
                let row = row.ok_or(Error::TooLarge { what: "number of rows", len: ROWS_MAX, limit: ROWS_MAX })?;
                self.rows.push(at);
                self.live_rows += 1;
                self.live_bytes += at.len();
                self.insert_keys(source, row, view, |_, _| true)
            }
            Some((row, before, old)) => {
                let changed = |column, key: &str| old.column(column) != Some(key);
                for column in Column::KEYS {
                    if let Some(key) = old.column(column).filter(|_| old.column(column) != view.column(column)) {
                        let hash = self.hash(key);
                        self.tables[table(column)].remove(hash, row);
                    }
                }
                self.rows[row as usize] = at;
                self.live_bytes = self.live_bytes - before.len() + at.len();
                self.insert_keys(source, row, view, changed)
            }
        }
    }

    fn insert_keys(
        &mut self,
        source: &Source,
        row: u32,
        view: &TokenView<'_>,
        wanted: impl Fn(Column, &str) -> bool,
    ) -> Result<()> {
        for column in Column::KEYS {
            let Some(key) = view.column(column).filter(|key| wanted(column, key)) else { continue };
            let oldest = self.find_row(source, column, key)?;
            let hash = self.hash(key);
            self.tables[table(column)].insert(hash, row, oldest);
        }
        Ok(())
    }

    /// Takes out the row with this id; returns whether there was one.
    pub(crate) fn delete(&mut self, source: &Source, id: &str) -> Result<bool> {
        let found = self.find(source, Column::Id, id, |row, at, old| (row, at, old.to_token()))?;
        let Some((row, at, old)) = found else { return Ok(false) };
        for column in Column::KEYS {
            if let Some(key) = old.column(column) {
                let hash = self.hash(key);
                self.tables[table(column)].remove(hash, row);
            }
        }
        self.rows[row as usize] = Location::NONE;
        self.live_rows -= 1;
        self.live_bytes -= at.len();
        Ok(true)
    }

    /// Takes out all rows.
    pub(crate) fn clear(&mut self) {
        self.rows = Vec::new();
        self.live_rows = 0;
        self.live_bytes = 0;
        self.tables = std::array::from_fn(|_| KeyTable::new());
    }

    /// Memory, about, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let tables = self.tables.iter().map(KeyTable::memory).sum::<usize>();
        (tables + self.rows.capacity() * size_of::<Location>() + size_of::<Self>()) as u64
    }

    fn hash(&self, key: &str) -> u32 {
        let mut hasher = self.hash.build_hasher();
        hasher.write(key.as_bytes());
        let hash = hasher.finish();
        u32::try_from(hash >> u32::BITS).expect("half of the bits")
    }
}

fn table(column: Column) -> usize {
    match column {
        Column::Id => 0,
        Column::UserName => 1,
        Column::AccessToken => 2,
        Column::RefreshToken => 3,
        Column::GrantToken => 4,
        _ => unreachable!("only key columns are looked up"),
    }
}
