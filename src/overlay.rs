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
use crate::index::{Index, Standing};
use crate::log::source::Source;
use crate::matching::Selector;
use crate::token::{Column, Columns, Token, TokenView};

/// Order of a row: base rows by their number, new rows after all of them.
pub(crate) type Row = u64;

/// A row and its content.
pub(crate) type Selected = (Row, Arc<Token>);

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
    /// Of rows that were put here, at least those keys that they do not have in the base.
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
                        Some(Change::Put(token)) => self.set(row, token, None),
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
    pub(crate) fn select(&self, selector: Selector<'_>) -> Result<Option<Selected>> {
        match selector {
            Selector::Nothing => Ok(None),
            Selector::Column(column, key) => self.oldest(column, key),
            Selector::GrantOrRefresh { grant, refresh } => {
                let mut oldest = None;
                for (column, key) in [(Column::GrantToken, grant), (Column::RefreshToken, refresh)] {
                    let found = key.map_or(Ok(None), |key| self.oldest(column, key))?;
                    oldest = older(oldest, found);
                }
                Ok(oldest)
            }
        }
    }

    /// Where a selected row stands, if it is one of the base and was not changed here.
    pub(crate) fn standing(&self, row: Row) -> Option<Standing> {
        let row = u32::try_from(row).ok().filter(|row| *row < self.index.rows_end())?;
        (!self.changed.contains_key(&Row::from(row))).then(|| Standing { row, at: self.index.location(row) })
    }

    /// Whether a row has this id.
    pub(crate) fn has_id(&self, id: &str) -> Result<bool> {
        Ok(self.oldest(Column::Id, id)?.is_some())
    }

    /// Reads whatever shares a key with this row that it did not have before, so that damage shows before anything is
    /// written and not when the row is already durable. Returns columns whose key certainly no row has. Of those that are
    /// `free` the caller knows that already, having looked for a row with that key.
    pub(crate) fn check_keys(&self, before: Option<&Token>, row: &Token, mut free: Columns) -> Result<Columns> {
        for column in Column::KEYS {
            let key =
                row.column(column).filter(|_| before.is_none_or(|before| before.column(column) != row.column(column)));
            if let Some(key) = key.filter(|_| !free.has(column))
                && self.index.find_row(self.source, column, key)?.is_none()
                && !self.may_have(column, key)
            {
                free.add(column);
            }
        }
        Ok(free)
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

    /// The row that was selected, or a new one, reads so from now on. Returns which row it is.
    pub(crate) fn put(&mut self, selected: Option<Selected>, token: Arc<Token>) -> Row {
        let Some((row, before)) = selected else {
            let row = self.next_row;
            self.next_row += 1;
            self.undo.push(Undo::Changed(row, None));
            self.set(row, token, None);
            return row;
        };
        self.forget_keys(row);
        let changed = self.changed.remove(&row);
        let in_base = changed.is_none().then_some(before);
        self.undo.push(Undo::Changed(row, changed));
        self.set(row, token, in_base.as_deref());
        row
    }

    /// The keys that `in_base` has are found there.
    fn set(&mut self, row: Row, token: Arc<Token>, in_base: Option<&Token>) {
        for column in Column::KEYS {
            let known = in_base.and_then(|in_base| in_base.column(column));
            if let Some(key) = token.column(column).filter(|key| known != Some(key)) {
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

    /// Whether a row that was put here may have this key.
    fn may_have(&self, column: Column, key: &str) -> bool {
        !self.keys.is_empty() && self.keys.contains_key(&(column as usize, self.hash.hash_one(key)))
    }

    fn oldest(&self, column: Column, key: &str) -> Result<Option<Selected>> {
        let base = if self.cleared { None } else { self.oldest_in_base(column, key)? };
        if self.keys.is_empty() {
            return Ok(base);
        }
        let rows = self.keys.get(&(column as usize, self.hash.hash_one(key)));
        let row = rows.and_then(|rows| rows.find(|row| self.put_with(row, column, key).is_some()));
        Ok(older(base, row.and_then(|row| Some((row, self.put_with(row, column, key)?)))))
    }

    /// The oldest row that has the key in the base and still has it.
    fn oldest_in_base(&self, column: Column, key: &str) -> Result<Option<Selected>> {
        let read =
            |row: Row, view: &TokenView<'_>| (!self.changed.contains_key(&row)).then(|| Arc::new(view.to_token()));
        let found = self.index.find(self.source, column, key, |row, _, view| (row, read(row.into(), view)))?;
        let Some((oldest, unchanged)) = found else { return Ok(None) };
        if let Some(token) = unchanged.or_else(|| self.put_with(oldest.into(), column, key)) {
            return Ok(Some((oldest.into(), token)));
        }
        for row in self.index.younger(column, oldest) {
            if !self.changed.contains_key(&Row::from(row)) {
                let token = self.source.token(self.index.location(row))?;
                return Ok(Some((row.into(), Arc::new(token))));
            }
            if let Some(token) = self.put_with(row.into(), column, key) {
                return Ok(Some((row.into(), token)));
            }
        }
        Ok(None)
    }

    /// What was put into a row here, if that has the key.
    fn put_with(&self, row: Row, column: Column, key: &str) -> Option<Arc<Token>> {
        match self.changed.get(&row) {
            Some(Change::Put(token)) if token.column(column) == Some(key) => Some(token.clone()),
            _ => None,
        }
    }
}

fn older(one: Option<Selected>, other: Option<Selected>) -> Option<Selected> {
    one.into_iter().chain(other).min_by_key(|(row, _)| *row)
}
