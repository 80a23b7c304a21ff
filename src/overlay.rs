//! The pending effects of a batch: what a find would see if its operations had already been applied.
//!
//! Pure memory over a base index. Operations are planned against it in order; nothing is written and the base is not
//! touched, so that dropping an overlay undoes everything. A call of several that is refused is undone by itself, back
//! to a [`Savepoint`].

use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasher;

use crate::error::Result;
use crate::index::Index;
use crate::log::source::Source;
use crate::matching::Selector;
use crate::token::{Column, Token};

/// Order of a row: base rows by their number, new rows after all of them.
pub(crate) type Row = u64;

/// A base index and what is to happen to it.
pub(crate) struct Overlay<'a> {
    index: &'a Index,
    source: &'a Source,
    /// No base row counts any more.
    cleared: bool,
    /// Rows that were put or deleted (`None`) here.
    changed: HashMap<Row, Option<Token>>,
    next_row: Row,
    keys: HashMap<(usize, u64), BTreeSet<Row>>,
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
    Changed(Row, Option<Option<Token>>),
    /// Everything was there.
    Cleared { cleared: bool, changed: HashMap<Row, Option<Token>>, keys: HashMap<(usize, u64), BTreeSet<Row>> },
}

impl<'a> Overlay<'a> {
    pub(crate) fn new(index: &'a Index, source: &'a Source) -> Self {
        Self {
            index,
            source,
            cleared: false,
            changed: HashMap::new(),
            next_row: index.rows_end().into(),
            keys: HashMap::new(),
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
                        Some(Some(token)) => self.set(row, token),
                        Some(None) => drop(self.changed.insert(row, None)),
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
    pub(crate) fn select(&self, selector: Selector<'_>) -> Result<Option<(Row, Token)>> {
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
        let added = self.changed.iter().filter(|(row, token)| token.is_some() && !base_changed(row)).count() as u64;
        let removed = self.changed.iter().filter(|(row, token)| token.is_none() && base_changed(row)).count() as u64;
        base + added == removed
    }

    /// The row reads so from now on; a new one if `row` is `None`. Returns which row it is.
    pub(crate) fn put(&mut self, row: Option<Row>, token: Token) -> Row {
        let row = row.unwrap_or_else(|| {
            self.next_row += 1;
            self.next_row - 1
        });
        self.forget_keys(row);
        self.undo.push(Undo::Changed(row, self.changed.remove(&row)));
        self.set(row, token);
        row
    }

    fn set(&mut self, row: Row, token: Token) {
        for column in Column::KEYS {
            if let Some(key) = token.column(column) {
                let key = (column as usize, self.hash.hash_one(key));
                self.keys.entry(key).or_default().insert(row);
            }
        }
        self.changed.insert(row, Some(token));
    }

    /// The row is gone from now on.
    pub(crate) fn delete(&mut self, row: Row) {
        self.forget_keys(row);
        self.undo.push(Undo::Changed(row, self.changed.insert(row, None)));
    }

    /// All rows are gone from now on.
    pub(crate) fn clear(&mut self) {
        let (changed, keys) = (std::mem::take(&mut self.changed), std::mem::take(&mut self.keys));
        self.undo.push(Undo::Cleared { cleared: std::mem::replace(&mut self.cleared, true), changed, keys });
    }

    fn forget_keys(&mut self, row: Row) {
        let Some(Some(token)) = self.changed.get(&row) else { return };
        for column in Column::KEYS {
            if let Some(key) = token.column(column) {
                let key = (column as usize, self.hash.hash_one(key));
                if let Some(rows) = self.keys.get_mut(&key) {
                    rows.remove(&row);
                }
            }
        }
    }

    fn oldest(&self, column: Column, key: &str) -> Result<Option<Row>> {
        let base = if self.cleared { None } else { self.oldest_in_base(column, key)? };
        let rows = self.keys.get(&(column as usize, self.hash.hash_one(key))).into_iter().flatten().copied();
        let has_key = |row: &Row| {
            let token = self.changed.get(row).and_then(Option::as_ref);
            token.and_then(|token| token.column(column)) == Some(key)
        };
        Ok(base.into_iter().chain(rows.filter(has_key).take(1)).min())
    }

    fn oldest_in_base(&self, column: Column, key: &str) -> Result<Option<Row>> {
        let mut rows = self.index.find_rows(self.source, column, key)?.map(Row::from);
        Ok(rows.find(|row| !self.changed.contains_key(row)))
    }

    fn read(&self, row: Row) -> Result<Token> {
        if let Some(Some(token)) = self.changed.get(&row) {
            return Ok(token.clone());
        }
        let row = u32::try_from(row).expect("a row that is not changed here is a base row");
        self.source.token(self.index.location(row))
    }
}
