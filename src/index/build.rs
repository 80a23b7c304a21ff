//! Building an index from a whole log.
//!
//! While frames go by, of the keys just their hashes are kept, by row. At the end the tables are filled, each by one thread and
//! segment by segment, which stays in the processor's cache: a quarter of the time of filling all of them as the rows come.
//! Only ids are looked up on the way, to see which row a record is of, and those seldom: an id that is a number is a new one if
//! it is above all that were there, and while the ids of all rows come one after the other it says which row it is.

use super::Index;
use super::rows::Rows;
use super::table::KeyTable;
use crate::cores;
use crate::error::{DecodeError, Error, Result};
use crate::format::operation::{Located, Operation};
use crate::log::Location;
use crate::log::source::{Row, Source};
use crate::matching;
use crate::token::{Column, TokenView};

/// From so many rows on the tables are filled by as many threads as there are processors.
const ROWS_TO_SHARE: usize = 1 << 15;
/// No key. (`Index::hash` never gives it.)
const NONE: u32 = 0;
/// Where the id stands among the keys.
const ID: usize = 0;

/// Hashes of the keys of one column, by row; for each column of `Column::KEYS`.
type Hashes = [Vec<u32>; Column::KEYS.len()];

/// Hashes of one row's keys.
pub(crate) type KeyHashes = [u32; Column::KEYS.len()];

/// Hashes keys as one index wants them, on any thread.
pub(crate) struct KeyHasher(foldhash::quality::RandomState);

impl KeyHasher {
    /// Of a row that is put; of nothing else.
    pub(crate) fn hash(&self, located: &Located<'_>) -> KeyHashes {
        let Operation::Put(view) = &located.operation else { return [NONE; Column::KEYS.len()] };
        Column::KEYS.map(|column| view.column(column).map_or(NONE, |key| super::hash(&self.0, key)))
    }
}

/// An index in the making.
pub(crate) struct IndexBuilder {
    /// The rows; of the tables, that of the ids, as far as they are listed.
    index: Index,
    hashes: Hashes,
    /// Ids of the rows below are in their table.
    listed: u32,
    /// Above all ids so far that are numbers.
    next_number: u64,
}

impl IndexBuilder {
    pub(crate) fn new() -> Self {
        Self { index: Index::new(), hashes: Hashes::default(), listed: 0, next_number: 0 }
    }

    /// What [`apply_hashed`](Self::apply_hashed) wants hashed by.
    pub(crate) fn hasher(&self) -> KeyHasher {
        KeyHasher(self.index.hash.clone())
    }

    /// Takes up the operations of a good frame, whose bytes `source` can already read.
    ///
    /// # Errors
    /// A seal that counts other rows, or a record in the way that cannot be read.
    pub(crate) fn apply(&mut self, source: &Source, operations: &[Located<'_>]) -> Result<()> {
        let hasher = self.hasher();
        operations.iter().try_for_each(|located| self.apply_one(source, located, &hasher.hash(located)))
    }

    /// The same with the hashes of each.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub(crate) fn apply_hashed(
        &mut self,
        source: &Source,
        operations: &[Located<'_>],
        hashes: &[KeyHashes],
    ) -> Result<()> {
        operations.iter().zip(hashes).try_for_each(|(located, hashes)| self.apply_one(source, located, hashes))
    }

    fn apply_one(&mut self, source: &Source, located: &Located<'_>, hashes: &KeyHashes) -> Result<()> {
        match &located.operation {
            Operation::Put(view) => {
                self.put(source, source.place(located.offset, located.len)?, view, hashes)?;
            }
            Operation::Delete(id) => self.delete(source, id)?,
            Operation::Clear => {
                self.index.clear();
                self.hashes.iter_mut().for_each(Vec::clear);
                self.listed = 0;
            }
            Operation::Sealed { rows } if *rows != self.index.len() => {
                let (expected, found) = (self.index.len(), *rows);
                let reason = DecodeError::Mismatch { field: "row count", expected, found };
                return Err(Error::Corrupt { path: source.path().into(), offset: located.offset, reason });
            }
            Operation::Sealed { .. } | Operation::Recovered { .. } => {}
            Operation::Locked { .. } => return Err(super::locked(source, located)),
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

    fn put(&mut self, source: &Source, at: Location, view: &TokenView<'_>, hashes: &KeyHashes) -> Result<()> {
        let id = view.id().expect("a record has an id");
        let number = matching::counted(id);
        let is_new = number.is_some_and(|number| number >= self.next_number);
        let row = if is_new { None } else { self.find(source, id)? };
        let columns = self.hashes.iter_mut().zip(hashes);
        if let Some(row) = row {
            self.index.relocate(row, at);
            columns.for_each(|(column, hash)| column[row as usize] = *hash);
        } else {
            self.index.push(at, number)?;
            columns.for_each(|(column, hash)| column.push(*hash));
            self.next_number = number.map_or(self.next_number, |number| self.next_number.max(number + 1));
        }
        Ok(())
    }

    fn delete(&mut self, source: &Source, id: &str) -> Result<()> {
        if let Some(row) = self.find(source, id)? {
            self.index.remove_key(Column::Id, self.hashes[ID][row as usize], row);
            self.index.remove_row(row);
            self.hashes.iter_mut().for_each(|column| column[row as usize] = NONE);
        }
        Ok(())
    }

    /// The row with this id.
    fn find(&mut self, source: &Source, id: &str) -> Result<Option<u32>> {
        if self.index.ids_from.is_some() {
            return Ok(self.index.numbered(id));
        }
        self.list_ids();
        self.index.find_row(source, Column::Id, id)
    }

    fn list_ids(&mut self) {
        let rows = self.listed..self.index.rows_end();
        self.listed = rows.end;
        for row in rows {
            let hash = self.hashes[ID][row as usize];
            if hash != NONE {
                self.index.insert_key(Column::Id, hash, row, None);
            }
        }
    }

    /// The whole index.
    ///
    /// # Errors
    /// A record that cannot be read.
    pub(crate) fn finish(mut self, source: &Source) -> Result<Index> {
        if self.listed > 0 {
            self.list_ids();
        }
        let Self { mut index, hashes, listed, .. } = self;
        let Index { rows, tables, .. } = &mut index;
        let later = Later { rows, source };
        let first = if listed > 0 { ID + 1 } else { ID };
        let jobs = Column::KEYS.into_iter().zip(&hashes).zip(tables).skip(first);
        let cores = if hashes[ID].len() < ROWS_TO_SHARE { 1 } else { cores::count().min(Column::KEYS.len()) };
        let filled = cores::on_cores(cores, jobs, |sorted: &mut Vec<_>, ((column, hashes), table)| {
            later.fill(column, hashes, table, sorted)
        });
        filled.into_iter().collect::<Result<()>>()?;
        Ok(index)
    }
}

/// What tables are filled from at the end.
struct Later<'s> {
    rows: &'s Rows,
    source: &'s Source,
}

impl<'s> Later<'s> {
    /// Fills one table with the rows that have a key, oldest first within each segment.
    /// `sorted` is memory to use.
    fn fill(&self, column: Column, hashes: &[u32], table: &mut KeyTable, sorted: &mut Vec<(u32, u32)>) -> Result<()> {
        let rows = || (0_u32..).zip(hashes.iter().copied()).filter(|(_, hash)| *hash != NONE);
        let mut counts = [0_usize; super::SEGMENTS];
        rows().for_each(|(_, hash)| counts[super::segment(hash)] += 1);
        let mut next = [0; super::SEGMENTS];
        let mut total = 0;
        for (start, count) in next.iter_mut().zip(counts) {
            *start = total;
            total += count;
        }
        sorted.resize(total, (0, 0));
        for (row, hash) in rows() {
            let next = &mut next[super::segment(hash)];
            sorted[*next] = (row, hash);
            *next += 1;
        }
        let mut rest = &sorted[..];
        let mut known = Known::default();
        for (segment, count) in counts.into_iter().enumerate() {
            // Just now, so that it stays in the cache until it is full.
            table.reserve(segment, count);
            let rows;
            (rows, rest) = rest.split_at(count);
            for (row, hash) in rows {
                let mut failed = None;
                table.insert_youngest(segment, *hash, *row, |older| {
                    let same = self.have_same_key(column, older, *row, &mut known);
                    same.unwrap_or_else(|error| {
                        failed = Some(error);
                        true
                    })
                });
                if let Some(error) = failed {
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn have_same_key(&self, column: Column, older: u32, row: u32, known: &mut Known<'s>) -> Result<bool> {
        if known.row != Some(older) {
            known.row = None;
            self.source.read_into(self.rows.get(older), &mut known.read)?;
            known.row = Some(older);
        }
        self.source.read(self.rows.get(row), |row| known.read.view(|older| older.column(column) == row.column(column)))
    }
}

/// The oldest row that was read last: where many share a key, all of them are compared with the same one, which may be long.
#[derive(Default)]
struct Known<'s> {
    row: Option<u32>,
    read: Row<'s>,
}
