//! Which rows there are, in order, and where the log holds them; five hash tables from keys to rows.
//!
//! Memory only, and always rebuildable from the log. Keys are not kept: they are compared in the log, by the caller's
//! [`Source`], and every record that is compared is checked first, so that damage is an error and never a miss.

mod build;
mod flat;
mod rows;
mod table;

use std::hash::{BuildHasher, Hasher};

pub(crate) use self::build::IndexBuilder;
use self::rows::Rows;
use self::table::{KeyTable, SEGMENTS, segment};
use crate::error::{DecodeError, Error, Result};
use crate::format::operation::{Located, Operation};
use crate::log::Location;
use crate::log::source::{Row, Source};
use crate::matching;
use crate::token::{Column, Columns, TokenView};

/// Rows that one generation can have seen; a compaction numbers them anew.
const ROWS_MAX: u64 = u32::MAX as u64;

/// The rows of a log and the ways to find them.
pub(crate) struct Index {
    rows: Rows,
    /// By how much ids are above row numbers, as long as all of them are numbers that come one after the other, as a store
    /// gives them: then an id says which row is meant, and no table need be asked.
    ids_from: Option<u64>,
    live_rows: u64,
    /// Of operations that hold a present row, headers and padding included.
    live_bytes: u64,
    /// Records whose row was replaced or deleted since.
    dead_records: u64,
    tables: [KeyTable; Column::KEYS.len()],
    hash: foldhash::quality::RandomState,
}

/// A row's number and place. Both mean the same row, unchanged, for as long as its generation or the next one is shown;
/// another index of the same rows may number them otherwise.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    pub(crate) row: u32,
    pub(crate) at: Location,
}

impl Index {
    pub(crate) fn new() -> Self {
        Self {
            rows: Rows::default(),
            ids_from: None,
            live_rows: 0,
            live_bytes: 0,
            dead_records: 0,
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

    /// How many records of the log hold what is no row any more.
    pub(crate) fn dead_records(&self) -> u64 {
        self.dead_records
    }

    /// Row numbers given so far, deleted ones included: every row is below.
    pub(crate) fn rows_end(&self) -> u32 {
        u32::try_from(self.rows.len()).expect("`put` refuses more rows")
    }

    /// Whether so many rows more can be numbered; asked before they are written.
    pub(crate) fn check_room(&self, count: usize) -> Result<()> {
        let len = (self.rows.len() as u64).saturating_add(count as u64);
        if len > ROWS_MAX {
            return Err(Error::TooLarge { what: "number of rows since the last compaction", len, limit: ROWS_MAX });
        }
        Ok(())
    }

    /// Places of all rows, oldest row first.
    pub(crate) fn locations(&self) -> impl Iterator<Item = Location> {
        self.rows.iter().filter(|at| *at != Location::NONE)
    }

    /// Numbers of all rows, oldest row first.
    pub(crate) fn rows(&self) -> impl Iterator<Item = u32> {
        (0_u32..).zip(self.rows.iter()).filter(|(_, at)| *at != Location::NONE).map(|(row, _)| row)
    }

    pub(crate) fn location(&self, row: u32) -> Location {
        self.rows.get(row)
    }

    /// Whether a row is the one that stood there, with the same content.
    pub(crate) fn still_stands(&self, standing: Standing) -> bool {
        self.location(standing.row) == standing.at
    }

    /// Reads the oldest row with this key into `read`; returns its number and its place. What else is read is another row.
    pub(crate) fn find_into<'a>(
        &self,
        source: &'a Source,
        column: Column,
        key: &str,
        read: &mut Row<'a>,
    ) -> Result<Option<(u32, Location)>> {
        let (numbered, listed) = match self.ids_from {
            Some(_) if column == Column::Id => (self.numbered(key), None),
            _ => (None, Some(self.tables[table(column)].oldest(self.hash(key)))),
        };
        for row in numbered.into_iter().chain(listed.into_iter().flatten()) {
            let at = self.location(row);
            // An error ends the search: what cannot be read is not "another key".
            source.read_into(at, read)?;
            if read.view(|view| view.column(column) == Some(key)) {
                return Ok(Some((row, at)));
            }
        }
        Ok(None)
    }

    /// The row with this id, if there is one. Asked only while all ids tell their rows.
    #[inline]
    fn numbered(&self, id: &str) -> Option<u32> {
        let number = matching::counted(id)?.checked_sub(self.ids_from?)?;
        u32::try_from(number).ok().filter(|row| self.location(*row) != Location::NONE)
    }

    /// Hands the oldest row with this key to `f`: its number, its place, its content.
    pub(crate) fn find<R>(
        &self,
        source: &Source,
        column: Column,
        key: &str,
        f: impl FnOnce(u32, Location, &TokenView<'_>) -> R,
    ) -> Result<Option<R>> {
        let mut read = Row::default();
        let found = self.find_into(source, column, key, &mut read)?;
        Ok(found.map(|(row, at)| read.view(|view| f(row, at, view))))
    }

    /// The oldest row with this key.
    pub(crate) fn find_row(&self, source: &Source, column: Column, key: &str) -> Result<Option<u32>> {
        self.find(source, column, key, |row, _, _| row)
    }

    /// The other rows with the key of its oldest row, oldest first.
    pub(crate) fn younger(&self, column: Column, oldest: u32) -> impl Iterator<Item = u32> {
        self.tables[table(column)].younger(oldest)
    }

    /// Does what an operation of the log says. Returns what is left over of a clear: large, and nobody should wait for it
    /// to be let go.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub(crate) fn apply(&mut self, source: &Source, located: &Located<'_>) -> Result<Option<Self>> {
        match &located.operation {
            Operation::Put(view) => {
                let at = source.place(located.offset, located.len)?;
                self.put(source, at, view, Columns::default()).map(|()| None)
            }
            Operation::Delete(id) => self.delete(source, id).map(|_| None),
            Operation::Clear => {
                let empty = self.cleared();
                Ok(Some(std::mem::replace(self, empty)))
            }
            Operation::Sealed { .. } | Operation::Recovered { .. } => Ok(None),
            Operation::Locked { .. } => Err(locked(source, located)),
        }
    }

    /// A row with this record: in the place of the row with its id, or at the end. No row has the keys of the columns that
    /// are `free`.
    ///
    /// # Errors
    /// A record in the way that cannot be read: the index is then of no more use.
    pub(crate) fn put(&mut self, source: &Source, at: Location, view: &TokenView<'_>, mut free: Columns) -> Result<()> {
        let id = view.id().expect("a record has an id");
        let found = if free.has(Column::Id) {
            None
        } else {
            self.find(source, Column::Id, id, |row, _, before| (row, before.to_token()))?
        };
        if let Some((row, before)) = found {
            return self.replace(source, at, view, row, &before.view(), free);
        }
        let row = self.push(at, matching::counted(id))?;
        // Nobody had the id, and from here on its number means this row, which is in no table yet.
        free.add(Column::Id);
        self.insert_keys(source, row, view, None, free)
    }

    /// A row with this record, in the place of a row that reads `before`.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub(crate) fn replace(
        &mut self,
        source: &Source,
        at: Location,
        view: &TokenView<'_>,
        row: u32,
        before: &TokenView<'_>,
        free: Columns,
    ) -> Result<()> {
        for column in Column::KEYS {
            if let Some(key) = before.column(column).filter(|key| view.column(column) != Some(key)) {
                self.remove_key(column, self.hash(key), row);
            }
        }
        self.relocate(row, at);
        self.insert_keys(source, row, view, Some(before), free)
    }

    /// Keys that the row did not have before.
    fn insert_keys(
        &mut self,
        source: &Source,
        row: u32,
        view: &TokenView<'_>,
        before: Option<&TokenView<'_>>,
        free: Columns,
    ) -> Result<()> {
        for column in Column::KEYS {
            let known = before.and_then(|before| before.column(column));
            if let Some(key) = view.column(column).filter(|key| known != Some(key)) {
                let oldest = if free.has(column) { None } else { self.find_row(source, column, key)? };
                self.insert_key(column, self.hash(key), row, oldest);
            }
        }
        Ok(())
    }

    /// Takes out the row with this id; returns whether there was one.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub(crate) fn delete(&mut self, source: &Source, id: &str) -> Result<bool> {
        let found = self.find(source, Column::Id, id, |row, _, old| (row, old.to_token()))?;
        let Some((row, old)) = found else { return Ok(false) };
        for column in Column::KEYS {
            if let Some(key) = old.column(column) {
                self.remove_key(column, self.hash(key), row);
            }
        }
        self.remove_row(row);
        Ok(true)
    }

    /// A row behind all others, whose id is this number, if it is one.
    fn push(&mut self, at: Location, id: Option<u64>) -> Result<u32> {
        let row = u32::try_from(self.rows.len()).ok().filter(|row| u64::from(*row) < ROWS_MAX);
        let row = row.ok_or(Error::TooLarge { what: "number of rows", len: ROWS_MAX, limit: ROWS_MAX })?;
        let from = id.and_then(|id| id.checked_sub(row.into()));
        self.ids_from = from.filter(|_| row == 0 || from == self.ids_from);
        self.rows.push(at);
        self.live_rows += 1;
        self.live_bytes += at.len();
        Ok(row)
    }

    /// The row's record is elsewhere now.
    fn relocate(&mut self, row: u32, at: Location) {
        let before = self.rows.set(row, at);
        self.live_bytes = self.live_bytes - before.len() + at.len();
        self.dead_records += 1;
    }

    fn remove_row(&mut self, row: u32) {
        let before = self.rows.set(row, Location::NONE);
        self.live_rows -= 1;
        self.live_bytes -= before.len();
        self.dead_records += 1;
    }

    fn insert_key(&mut self, column: Column, hash: u32, row: u32, oldest: Option<u32>) {
        self.tables[table(column)].insert(hash, row, oldest);
    }

    fn remove_key(&mut self, column: Column, hash: u32, row: u32) {
        self.tables[table(column)].remove(hash, row);
    }

    /// An index without rows, of the same log.
    pub(crate) fn cleared(&self) -> Self {
        Self { dead_records: self.dead_records + self.live_rows, ..Self::new() }
    }

    /// Takes out all rows.
    pub(crate) fn clear(&mut self) {
        self.dead_records += self.live_rows;
        self.rows = Rows::default();
        self.ids_from = None;
        self.live_rows = 0;
        self.live_bytes = 0;
        self.tables = std::array::from_fn(|_| KeyTable::new());
    }

    /// Memory, about, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let tables = self.tables.iter().map(KeyTable::memory).sum::<usize>();
        (tables + self.rows.memory() + size_of::<Self>()) as u64
    }

    #[inline]
    fn hash(&self, key: &str) -> u32 {
        hash(&self.hash, key)
    }
}

#[inline]
fn hash(state: &foldhash::quality::RandomState, key: &str) -> u32 {
    let mut hasher = state.build_hasher();
    hasher.write(key.as_bytes());
    // 0 stands for "no key" while an index is built.
    u32::try_from(hasher.finish() >> u32::BITS).expect("half of the bits").max(1)
}

/// Rows that nobody can read here are not to be missed silently.
fn locked(source: &Source, located: &Located<'_>) -> Error {
    Error::Corrupt { path: source.path().into(), offset: located.offset, reason: DecodeError::Locked }
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
