//! The pending effects of a batch: what a find would see if its operations had already been applied.
//!
//! Pure memory over a base index. Operations are planned against it in order; nothing is written and the base is not
//! touched, so that dropping an overlay undoes everything. A call of several that is refused is undone by itself, back
//! to a [`Savepoint`].

use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::error::Result;
use crate::index::Index;
use crate::log::source::Source;
use crate::matching::Selector;
use crate::token::{Column, Token};

/// Order of a row: base rows by their number, new rows after all of them.
pub(crate) type Row = u64;

/// What becomes of a row.
enum Change {
    Put(Arc<Token>),
    Deleted,
}

type Changes = HashMap<Row, Change, foldhash::fast::RandomState>;
/// Rows by the number of a column and the hash of a key.
type Keys = HashMap<(usize, u64), Rows, foldhash::fast::RandomState>;

/// A base index and what is to happen to it.
pub(crate) struct Overlay<'a> {
    index: &'a Index,
    source: &'a Source,
    /// No base row counts any more.
    cleared: bool,
    /// What was put or deleted here.
    changed: Changes,
    next_row: Row,
    keys: Keys,
    hash: foldhash::quality::RandomState,
    /// What undoes the changes since the last savepoint, oldest first.
    undo: Vec<Undo>,
}

/// A state of an overlay to which it can go back: the last one that was asked for.
pub(crate) struct Savepoint {
    next_row: Row,
}

/// How a change is undone.
enum Undo {
    /// The row read so; `None` if it was not changed here.
    Changed(Row, Option<Change>),
    /// Everything was there.
    Cleared { cleared: bool, changed: Changes, keys: Keys },
}

/// Rows with one key: most often a single one.
enum Rows {
    One(Row),
    Many(BTreeSet<Row>),
}

impl Rows {
    fn insert(&mut self, row: Row) {
        match self {
            Self::One(other) => *self = Self::Many([*other, row].into()),
            Self::Many(rows) => drop(rows.insert(row)),
        }
    }

    /// Returns whether none is left.
    fn remove(&mut self, row: Row) -> bool {
        match self {
            Self::One(other) => *other == row,
            Self::Many(rows) => {
                rows.remove(&row);
                rows.is_empty()
            }
        }
    }

    /// The oldest for which `f` holds.
    fn find(&self, mut f: impl FnMut(Row) -> bool) -> Option<Row> {
        match self {
            Self::One(row) => Some(*row).filter(|row| f(*row)),
            Self::Many(rows) => rows.iter().copied().find(|row| f(*row)),
        }
    }
}

impl<'a> Overlay<'a> {
    pub(crate) fn new(index: &'a Index, source: &'a Source) -> Self {
        Self {
            index,
            source,
            cleared: false,
            changed: Changes::default(),
            next_row: index.rows_end().into(),
            keys: Keys::default(),
            hash: foldhash::quality::RandomState::default(),
            undo: Vec::new(),
        }
    }

    /// Makes what was done so far stay.
    pub(crate) fn savepoint(&mut self) -> Savepoint {
        self.undo.clear();
        Savepoint { next_row: self.next_row }
    }

    /// Undoes everything since the savepoint.
    pub(crate) fn roll_back(&mut self, to: &Savepoint) {
        while let Some(undo) = self.undo.pop() {
            match undo {
                Undo::Changed(row, before) => {
                    self.forget_keys(row);
                    match before {
                        Some(Change::Put(token)) => self.set(row, token),
                        Some(Change::Deleted) => drop(self.changed.insert(row, Change::Deleted)),
                        None => drop(self.changed.remove(&row)),
                    }
                }
                Undo::Cleared { cleared, changed, keys } => {
                    (self.cleared, self.changed, self.keys) = (cleared, changed, keys);
                }
            }
        }
        self.next_row = to.next_row;
    }

    /// Whether so many rows more can be numbered.
    pub(crate) fn check_room(&self, count: usize) -> Result<()> {
        let added = usize::try_from(self.next_row - Row::from(self.index.rows_end())).unwrap_or(usize::MAX);
        self.index.check_room(added.saturating_add(count))
    }

    /// The oldest row that a selector means, and its content.
    pub(crate) fn select(&self, selector: Selector<'_>) -> Result<Option<(Row, Arc<Token>)>> {
        let row = match selector {
            Selector::Nothing => None,
            Selector::Column(column, key) => self.oldest(column, key)?,
            Selector::GrantOrRefresh { grant, refresh } => {
                let mut oldest = None;
                for (column, key) in [(Column::GrantToken, grant), (Column::RefreshToken, refresh)] {
                    let row = key.map_or(Ok(None), |key| self.oldest(column, key))?;
                    oldest = oldest.into_iter().chain(row).min();
                }
                oldest
            }
        };
        row.map_or(Ok(None), |row| Ok(Some((row, self.read(row)?))))
    }

    /// Whether a row has this id.
    pub(crate) fn has_id(&self, id: &str) -> Result<bool> {
        Ok(self.oldest(Column::Id, id)?.is_some())
    }

    /// Reads whatever shares a key with this row that it did not have before, so that damage shows before anything is
    /// written and not when the row is already durable.
    pub(crate) fn check_keys(&self, before: Option<&Token>, row: &Token) -> Result<()> {
        for column in Column::KEYS {
            let key =
                row.column(column).filter(|_| before.is_none_or(|before| before.column(column) != row.column(column)));
            if let Some(key) = key {
                self.index.find_row(self.source, column, key)?;
            }
        }
        Ok(())
    }

    /// Whether there is any row.
    pub(crate) fn is_empty(&self) -> bool {
        let base = if self.cleared { 0 } else { self.index.len() };
        let base_changed = |row: &Row| *row < self.index.rows_end().into() && !self.cleared;
        let is_put = |change: &Change| matches!(change, Change::Put(_));
        let added = self.changed.iter().filter(|(row, change)| is_put(change) && !base_changed(row)).count() as u64;
        let removed = self.changed.iter().filter(|(row, change)| !is_put(change) && base_changed(row)).count() as u64;
        base + added == removed
    }

    /// The row reads so from now on; a new one if `row` is `None`. Returns which row it is.
    pub(crate) fn put(&mut self, row: Option<Row>, token: Arc<Token>) -> Row {
        let row = row.unwrap_or_else(|| {
            self.next_row += 1;
            self.next_row - 1
        });
        self.forget_keys(row);
        self.undo.push(Undo::Changed(row, self.changed.remove(&row)));
        self.set(row, token);
        row
    }

    fn set(&mut self, row: Row, token: Arc<Token>) {
        for column in Column::KEYS {
            if let Some(key) = token.column(column) {
                let key = (column as usize, self.hash.hash_one(key));
                self.keys.entry(key).and_modify(|rows| rows.insert(row)).or_insert(Rows::One(row));
            }
        }
        self.changed.insert(row, Change::Put(token));
    }

    /// The row is gone from now on.
    pub(crate) fn delete(&mut self, row: Row) {
        self.forget_keys(row);
        self.undo.push(Undo::Changed(row, self.changed.insert(row, Change::Deleted)));
    }

    /// All rows are gone from now on.
    pub(crate) fn clear(&mut self) {
        let (changed, keys) = (std::mem::take(&mut self.changed), std::mem::take(&mut self.keys));
        self.undo.push(Undo::Cleared { cleared: std::mem::replace(&mut self.cleared, true), changed, keys });
    }

    fn forget_keys(&mut self, row: Row) {
        let Some(Change::Put(token)) = self.changed.get(&row) else { return };
        for column in Column::KEYS {
            if let Some(key) = token.column(column) {
                let key = (column as usize, self.hash.hash_one(key));
                if self.keys.get_mut(&key).is_some_and(|rows| rows.remove(row)) {
                    self.keys.remove(&key);
                }
            }
        }
    }

    fn oldest(&self, column: Column, key: &str) -> Result<Option<Row>> {
        let base = if self.cleared { None } else { self.oldest_in_base(column, key)? };
        if self.keys.is_empty() {
            return Ok(base);
        }
        let has_key =
            |row: Row| matches!(self.changed.get(&row), Some(Change::Put(token)) if token.column(column) == Some(key));
        let changed = self.keys.get(&(column as usize, self.hash.hash_one(key))).and_then(|rows| rows.find(has_key));
        Ok(base.into_iter().chain(changed).min())
    }

    fn oldest_in_base(&self, column: Column, key: &str) -> Result<Option<Row>> {
        let mut rows = self.index.find_rows(self.source, column, key)?.map(Row::from);
        Ok(rows.find(|row| !self.changed.contains_key(row)))
    }

    fn read(&self, row: Row) -> Result<Arc<Token>> {
        if let Some(Change::Put(token)) = self.changed.get(&row) {
            return Ok(token.clone());
        }
        let row = u32::try_from(row).expect("a row that is not changed here is a base row");
        self.source.token(self.index.location(row)).map(Arc::new)
    }
}
