//! Building an index from a whole log.
//!
//! While frames go by, only the ids are looked up; of the other keys just their hashes are kept, by row. At the end each
//! table is filled segment by segment, which stays in the processor's cache: half the time of filling all of them as
//! the rows come.

use std::cell::Cell;

use super::Index;
use crate::error::{DecodeError, Error, Result};
use crate::format::operation::{Located, Operation};
use crate::log::Location;
use crate::log::source::Source;
use crate::token::{Column, TokenView};

/// Columns whose tables are filled at the end.
const LATER: [Column; 4] = [Column::UserName, Column::AccessToken, Column::RefreshToken, Column::GrantToken];
/// No key. (`Index::hash` never gives it.)
const NONE: u32 = 0;

/// An index in the making.
pub(crate) struct IndexBuilder {
    /// With ids alone.
    index: Index,
    /// Hashes of the other keys, by row.
    hashes: Vec<[u32; LATER.len()]>,
}

impl IndexBuilder {
    pub(crate) fn new() -> Self {
        Self { index: Index::new(), hashes: Vec::new() }
    }

    /// Takes up the operations of a good frame, whose bytes `source` can already read.
    ///
    /// # Errors
    /// A seal that counts other rows, or a record in the way that cannot be read.
    pub(crate) fn apply(&mut self, source: &Source, operations: &[Located<'_>]) -> Result<()> {
        for located in operations {
            match &located.operation {
                Operation::Put(view) => {
                    self.put(source, source.place(located.offset, located.len)?, view)?;
                }
                Operation::Delete(id) => self.delete(source, id)?,
                Operation::Clear => {
                    self.index.clear();
                    self.hashes.clear();
                }
                Operation::Sealed { rows } if *rows != self.index.len() => {
                    let (expected, found) = (self.index.len(), *rows);
                    let reason = DecodeError::Mismatch { field: "row count", expected, found };
                    return Err(Error::Corrupt { path: source.path().into(), offset: located.offset, reason });
                }
                Operation::Sealed { .. } | Operation::Recovered { .. } => {}
                Operation::Locked { .. } => return Err(super::locked(source, located)),
            }
        }
        Ok(())
    }

    /// The same for a log of which parts are missing: what a seal counts is not looked at.
    ///
    /// # Errors
    /// A record in the way that cannot be read.
    pub(crate) fn apply_readable(&mut self, source: &Source, operations: &[Located<'_>]) -> Result<()> {
        let mut changes = operations.iter().filter(|located| !matches!(located.operation, Operation::Sealed { .. }));
        changes.try_for_each(|located| self.apply(source, std::slice::from_ref(located)))
    }

    /// As [`Index::dead_records`].
    pub(crate) fn dead_records(&self) -> u64 {
        self.index.dead_records()
    }

    /// Places of the rows so far, oldest row first.
    pub(crate) fn locations(&self) -> impl Iterator<Item = Location> {
        self.index.locations()
    }

    fn put(&mut self, source: &Source, at: Location, view: &TokenView<'_>) -> Result<()> {
        let index = &mut self.index;
        let id = view.id().expect("a record has an id");
        let row = if let Some(row) = index.find_row(source, Column::Id, id)? {
            index.relocate(row, at);
            row
        } else {
            let row = index.push(at)?;
            index.insert_key(Column::Id, index.hash(id), row, None);
            self.hashes.push([NONE; LATER.len()]);
            row
        };
        self.hashes[row as usize] = LATER.map(|column| view.column(column).map_or(NONE, |key| index.hash(key)));
        Ok(())
    }

    fn delete(&mut self, source: &Source, id: &str) -> Result<()> {
        let Some(row) = self.index.find_row(source, Column::Id, id)? else { return Ok(()) };
        let hash = self.index.hash(id);
        self.index.remove_key(Column::Id, hash, row);
        self.index.remove_row(row);
        self.hashes[row as usize] = [NONE; LATER.len()];
        Ok(())
    }

    /// The whole index.
    ///
    /// # Errors
    /// A record that cannot be read.
    pub(crate) fn finish(self, source: &Source) -> Result<Index> {
        let Self { mut index, hashes } = self;
        for place in 0..LATER.len() {
            fill(&mut index, source, &hashes, place)?;
        }
        Ok(index)
    }
}

/// Fills one table with the rows that have a key, oldest first within each segment.
fn fill(index: &mut Index, source: &Source, hashes: &[[u32; LATER.len()]], place: usize) -> Result<()> {
    let column = LATER[place];
    let rows = || (0_u32..).zip(hashes.iter().map(|row| row[place])).filter(|(_, hash)| *hash != NONE);
    let mut counts = [0_usize; super::SEGMENTS];
    rows().for_each(|(_, hash)| counts[super::segment(hash)] += 1);
    index.reserve(column, &counts);
    let mut next = [0; super::SEGMENTS];
    let mut total = 0;
    for (start, count) in next.iter_mut().zip(counts) {
        *start = total;
        total += count;
    }
    let mut sorted = vec![(0, 0); total];
    for (row, hash) in rows() {
        let next = &mut next[super::segment(hash)];
        sorted[*next] = (row, hash);
        *next += 1;
    }
    for (row, hash) in sorted {
        let oldest = index.oldest_with_key_of(source, column, hash, row)?;
        index.insert_key(column, hash, row, oldest);
    }
    Ok(())
}

impl Index {
    /// The oldest row with the same key as `row`, which is not in the table itself.
    fn oldest_with_key_of(&self, source: &Source, column: Column, hash: u32, row: u32) -> Result<Option<u32>> {
        let failed = Cell::new(None);
        let found = self.tables[super::table(column)].oldest(hash, |candidate| {
            let same = source.read(self.location(row), |ours| {
                source.read(self.location(candidate), |theirs| ours.column(column) == theirs.column(column))
            });
            same.and_then(|same| same).unwrap_or_else(|error| {
                failed.set(Some(error));
                true
            })
        });
        failed.take().map_or(Ok(found), Err)
    }
}
