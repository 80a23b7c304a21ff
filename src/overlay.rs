//! The pending effects of a batch: what a find would see if its operations had already been applied.
//!
//! Pure memory over a base index. Operations are planned against it in order; nothing is written and the base is not
//! touched, so that dropping an overlay undoes everything.

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
        }
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
        for column in Column::KEYS {
            if let Some(key) = token.column(column) {
                let key = (column as usize, self.hash.hash_one(key));
                self.keys.entry(key).or_default().insert(row);
            }
        }
        self.changed.insert(row, Some(token));
        row
    }

    /// The row is gone from now on.
    pub(crate) fn delete(&mut self, row: Row) {
        self.forget_keys(row);
        self.changed.insert(row, None);
    }

    /// All rows are gone from now on.
    pub(crate) fn clear(&mut self) {
        self.cleared = true;
        self.changed.clear();
        self.keys.clear();
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
