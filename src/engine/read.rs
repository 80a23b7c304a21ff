//! Finding: by a key, by a partial token, all in order.
//!
//! A find hashes the key, looks into one table, checks and compares the record in the log. The lock that keeps the
//! index still is sharded by thread and held for that alone; a view's closure runs outside it.

use std::sync::Arc;

use super::{Engine, Shared};
use crate::error::{Error, Result};
use crate::log::Location;
use crate::log::source::{Row, Source};
use crate::matching::{self, Selector};
use crate::token::{Column, Token, TokenView};

impl Engine {
    /// The oldest row with this key.
    pub(crate) fn get(&self, column: Column, key: &str) -> Result<Option<Token>> {
        let shared = self.readable()?;
        let mut row = Row::default();
        let found = shared.index.find_into(&shared.source, column, key, &mut row)?;
        self.meters.found(found.as_ref());
        Ok(found.map(|_| row.into_token()))
    }

    /// Hands the oldest row with this key to `f`, outside all locks.
    pub(crate) fn view<R>(&self, column: Column, key: &str, f: impl FnOnce(TokenView<'_>) -> R) -> Result<Option<R>> {
        let shared = self.readable()?;
        let source = shared.source.pin();
        let mut row = Row::default();
        let found = shared.index.find_into(&source, column, key, &mut row)?;
        drop(shared);
        self.meters.found(found.as_ref());
        Ok(found.map(|_| row.into_view(f)))
    }

    /// The row that a partial token means.
    pub(crate) fn find(&self, partial: &Token) -> Result<Option<Token>> {
        let found = self.find_uncounted(partial)?;
        self.meters.found(found.as_ref());
        Ok(found)
    }

    fn find_uncounted(&self, partial: &Token) -> Result<Option<Token>> {
        let shared = self.readable()?;
        let fill = |view: &TokenView<'_>| matching::fill(partial, view);
        match matching::selector_for_find(partial) {
            Selector::Nothing => Ok(None),
            Selector::Column(column, key) => shared.index.find(&shared.source, column, key, |_, _, view| fill(view)),
            Selector::GrantOrRefresh { grant, refresh } => {
                let by_grant = shared.find_row(Column::GrantToken, grant)?;
                let by_refresh = shared.find_row(Column::RefreshToken, refresh)?;
                let Some(row) = by_grant.into_iter().chain(by_refresh).min() else { return Ok(None) };
                shared.source.read(shared.index.location(row), fill).map(Some)
            }
        }
    }

    /// All rows as they are now, oldest first.
    pub(crate) fn rows(&self) -> Rows {
        match self.places() {
            Ok((source, places)) => Rows::Places(source, places.into_iter()),
            Err(error) => Rows::Failed(Some(error)),
        }
    }

    /// Where all rows are now, oldest first, and what they are read from.
    pub(super) fn places(&self) -> Result<(Arc<Source>, Vec<Location>)> {
        let shared = self.readable()?;
        Ok((shared.source.share(), shared.index.locations().collect()))
    }
}

impl Shared {
    fn find_row(&self, column: Column, key: Option<&str>) -> Result<Option<u32>> {
        key.map_or(Ok(None), |key| self.index.find_row(&self.source, column, key))
    }
}

/// Rows of one moment, read one by one.
#[derive(Debug)]
pub(crate) enum Rows {
    /// They are read from here, from these places.
    Places(Arc<Source>, std::vec::IntoIter<Location>),
    /// They cannot be: said once.
    Failed(Option<Error>),
}

impl Iterator for Rows {
    type Item = Result<Token>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Places(source, places) => Some(source.token(places.next()?)),
            Self::Failed(error) => error.take().map(Err),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Places(_, places) => places.size_hint(),
            Self::Failed(error) => error.iter().size_hint(),
        }
    }
}
