//! The plain list in memory: every find walks it. For tests of applications, and what [`LogStore`](super::LogStore) is
//! compared with in ours.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::sync::Mutex;

use super::{Key, TokenStore};
use crate::error::{Error, Result};
use crate::format::record;
use crate::log::append::refused;
use crate::matching::{self, Selector, Stamp};
use crate::options::OnClash;
use crate::stats::ImportReport;
use crate::token::{Column, Token};

/// A token store that is a list in memory, and nothing more. Answers exactly as [`LogStore`](super::LogStore) does.
///
/// ```
/// use tokcask::{ListStore, Token, TokenStore};
///
/// let store = ListStore::new();
/// let saved = store.save_token(&Token::builder().user_name("ana").access_token("fake").build())?;
/// assert_eq!(saved.id(), Some("1"));
/// # Ok::<(), tokcask::Error>(())
/// ```
pub struct ListStore {
    list: Mutex<List>,
}

#[derive(Clone)]
struct List {
    rows: Vec<Token>,
    next_id: u64,
    next_revision: u64,
}

impl ListStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self { list: Mutex::new(List { rows: Vec::new(), next_id: 1, next_revision: 1 }) }
    }

    /// See [`LogStore::get`](super::LogStore::get).
    ///
    /// # Errors
    /// None.
    pub fn get(&self, key: Key<'_>) -> Result<Option<Token>> {
        let (column, value) = key.parts();
        let list = self.list.lock();
        let row = list.row(Selector::Column(column, value)).filter(|_| !value.is_empty());
        Ok(row.map(|row| list.rows[row].clone()))
    }

    /// See [`LogStore::save_tokens`](super::LogStore::save_tokens).
    ///
    /// # Errors
    /// Those of `save_token`; then nothing was saved.
    pub fn save_tokens(&self, tokens: &[Token]) -> Result<Vec<Token>> {
        // Of several reasons to refuse a batch the log tells those first that need no look at the rows.
        tokens.iter().try_for_each(|token| record::checked_len(&token.view()).map(drop).map_err(refused))?;
        let mut list = self.list.lock();
        let mut changed = list.clone();
        let saved = tokens.iter().map(|token| changed.save(token, None)).collect::<Result<_>>()?;
        *list = changed;
        Ok(saved)
    }

    /// See [`LogStore::compare_and_save`](super::LogStore::compare_and_save).
    ///
    /// # Errors
    /// `Conflict`, and those of `save_token`.
    pub fn compare_and_save(&self, token: &Token, revision: u64) -> Result<Token> {
        self.list.lock().save(token, Some(revision))
    }

    /// See [`LogStore::import`](super::LogStore::import).
    ///
    /// # Errors
    /// The same; then nothing was imported.
    pub fn import(&self, tokens: &[Token], on_clash: OnClash) -> Result<ImportReport> {
        let mut list = self.list.lock();
        let mut changed = list.clone();
        let report = changed.import(tokens, on_clash)?;
        *list = changed;
        Ok(report)
    }

    /// See [`LogStore::delete`](super::LogStore::delete).
    ///
    /// # Errors
    /// None.
    pub fn delete(&self, id: &str) -> Result<bool> {
        let mut list = self.list.lock();
        let row = list.row(matching::selector_for_delete(id));
        if let Some(row) = row {
            list.rows.remove(row);
            list.next_revision += 1;
        }
        Ok(row.is_some())
    }
}

impl TokenStore for ListStore {
    fn find_token(&self, partial: &Token) -> Result<Option<Token>> {
        let list = self.list.lock();
        let row = list.row(matching::selector_for_find(partial));
        Ok(row.map(|row| matching::fill(partial, &list.rows[row].view())))
    }

    fn find_token_by_id(&self, id: &str) -> Result<Token> {
        self.get(Key::Id(id))?.ok_or_else(|| Error::UnknownId { id: id.to_owned() })
    }

    fn save_token(&self, token: &Token) -> Result<Token> {
        self.list.lock().save(token, None)
    }

    fn delete_token(&self, id: &str) -> Result<()> {
        if self.delete(id)? { Ok(()) } else { Err(Error::UnknownId { id: id.to_owned() }) }
    }

    fn get_tokens(&self) -> Result<Vec<Token>> {
        Ok(self.list.lock().rows.clone())
    }

    fn delete_tokens(&self) -> Result<()> {
        let mut list = self.list.lock();
        if !list.rows.is_empty() {
            list.rows.clear();
            list.next_revision += 1;
        }
        Ok(())
    }
}

impl List {
    fn row(&self, selector: Selector<'_>) -> Option<usize> {
        let is = |row: &Token, column, value: Option<&str>| value.is_some() && row.column(column) == value;
        self.rows.iter().position(|row| match selector {
            Selector::Nothing => false,
            Selector::Column(column, value) => is(row, column, Some(value)),
            Selector::GrantOrRefresh { grant, refresh } => {
                is(row, Column::GrantToken, grant) || is(row, Column::RefreshToken, refresh)
            }
        })
    }

    fn save(&mut self, token: &Token, expected: Option<u64>) -> Result<Token> {
        record::checked_len(&token.view()).map_err(refused)?;
        let row = self.row(matching::selector_for_save(token)?);
        let found = row.and_then(|row| self.rows[row].revision());
        if let Some(expected) = expected.filter(|expected| *expected != found.unwrap_or(0)) {
            return Err(Error::Conflict { expected, found });
        }
        let new_id = self.free_id();
        let before = row.map(|row| self.rows[row].view());
        let merged = matching::merge(token, before.as_ref(), new_id, self.stamp())?;
        record::checked_len(&merged.view()).map_err(refused)?;
        self.next_revision += 1;
        self.next_id = matching::next_id_after(merged.id().unwrap_or_default(), self.next_id);
        if let Some(row) = row {
            self.rows[row] = merged.clone();
        } else {
            if token.id().is_none() {
                self.next_id = self.next_id.max(new_id + 1);
            }
            self.rows.push(merged.clone());
        }
        Ok(merged)
    }
}

impl List {
    fn free_id(&self) -> u64 {
        let taken = |id: u64| self.row(Selector::Column(Column::Id, &id.to_string())).is_some();
        (self.next_id..=u64::MAX).find(|id| !taken(*id)).expect("fewer rows than numbers")
    }

    fn stamp(&self) -> Stamp {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Stamp { now_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX), revision: self.next_revision }
    }

    fn import(&mut self, tokens: &[Token], on_clash: OnClash) -> Result<ImportReport> {
        let mut report = ImportReport::default();
        let mut first_clash = None;
        for id in tokens.iter().filter_map(Token::id) {
            self.next_id = matching::next_id_after(id, self.next_id);
        }
        for token in tokens {
            token.check_limits()?;
            let row = token.id().and_then(|id| self.row(Selector::Column(Column::Id, id)));
            if row.is_some() {
                report.clashes += 1;
                first_clash = first_clash.or(token.id());
            }
            let id = match (row, on_clash) {
                (Some(_), OnClash::Refuse | OnClash::Keep) => continue,
                (Some(_), OnClash::Renumber) => None,
                _ => token.id(),
            };
            let row = row.filter(|_| on_clash == OnClash::Replace);
            let free_id = self.free_id();
            let before = row.map(|row| self.rows[row].view());
            let placed = matching::replace(token, id.unwrap_or(&free_id.to_string()), before.as_ref(), self.stamp())?;
            self.next_revision += 1;
            self.next_id = id.map_or(free_id + 1, |id| matching::next_id_after(id, self.next_id));
            match row {
                Some(row) => self.rows[row] = placed,
                None => self.rows.push(placed),
            }
            report.imported += 1;
        }
        match first_clash {
            Some(id) if on_clash == OnClash::Refuse => Err(Error::IdTaken { id: id.to_owned(), count: report.clashes }),
            _ => Ok(report),
        }
    }
}

impl Default for ListStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ListStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListStore").field("tokens", &self.list.lock().rows.len()).finish_non_exhaustive()
    }
}
