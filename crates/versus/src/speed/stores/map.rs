//! The yardstick: maps in memory behind one lock, as an application writes them that needs no store.
//!
//! Rows in a vector, and for each key a map to their places. The standard library's map, hash and lock; a token that is
//! found is cloned, for the lock is let go.

use std::collections::HashMap;
use std::hint::black_box;
use std::path::Path;
use std::sync::{PoisonError, RwLock};

use super::{Engine, Reader, Store, Way, Writer, no_such_way};
use crate::Result;
use crate::speed::plain::PlainToken;
use crate::speed::work::{By, indexed};

/// No store at all.
pub(super) struct Map;

#[derive(Default)]
struct Rows {
    tokens: Vec<PlainToken>,
    ids: HashMap<String, usize>,
    indexes: [HashMap<String, usize>; 3],
}

impl Engine for Map {
    fn title(&self) -> &'static str {
        "map"
    }

    fn ways(&self) -> &'static [Way] {
        &[Way::Owned, Way::InPlace]
    }

    fn is_durable(&self) -> bool {
        false
    }

    fn open(&self, _directory: &Path) -> Result<Box<dyn Store>> {
        Ok(Box::new(RwLock::<Rows>::default()))
    }
}

impl Rows {
    fn row(&self, by: By, value: &str) -> Option<&PlainToken> {
        let places = by.index().map_or(&self.ids, |index| &self.indexes[index]);
        places.get(value).map(|place| &self.tokens[*place])
    }

    fn insert(&mut self, token: &PlainToken) {
        let place = self.tokens.len();
        self.ids.extend(token.id.clone().map(|id| (id, place)));
        for (map, key) in self.indexes.iter_mut().zip(indexed(&token.fields())) {
            map.extend(key.map(|key| (key.to_owned(), place)));
        }
        self.tokens.push(token.clone());
    }

    fn refresh(&mut self, token: &PlainToken) -> Result<()> {
        let id = token.id.as_deref().ok_or("a token without an id")?;
        let place = *self.ids.get(id).ok_or("no row has this id")?;
        let old = std::mem::replace(&mut self.tokens[place], token.clone());
        let keys = indexed(&old.fields()).into_iter().zip(indexed(&token.fields()));
        for (map, (old, new)) in self.indexes.iter_mut().zip(keys).filter(|(_, (old, new))| old != new) {
            old.and_then(|key| map.remove(key));
            map.extend(new.map(|key| (key.to_owned(), place)));
        }
        Ok(())
    }
}

impl Store for RwLock<Rows> {
    fn reader(&self, way: Way) -> Result<Box<dyn Reader + '_>> {
        match way {
            Way::Owned => Ok(Box::new(Cloned(self))),
            Way::InPlace => Ok(Box::new(Touched(self))),
            Way::Block | Way::Held => no_such_way(way),
        }
    }

    fn writer(&self) -> Result<Box<dyn Writer + '_>> {
        Ok(Box::new(Saves(self)))
    }
}

struct Cloned<'a>(&'a RwLock<Rows>);
struct Touched<'a>(&'a RwLock<Rows>);
struct Saves<'a>(&'a RwLock<Rows>);

impl Reader for Cloned<'_> {
    fn token(&mut self, by: By, value: &str) -> Result<Option<PlainToken>> {
        Ok(self.0.read().unwrap_or_else(PoisonError::into_inner).row(by, value).cloned())
    }
}

impl Reader for Touched<'_> {
    fn token(&mut self, by: By, value: &str) -> Result<Option<PlainToken>> {
        Cloned(self.0).token(by, value)
    }

    fn find(&mut self, by: By, value: &str) -> Result<bool> {
        let rows = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Ok(black_box(rows.row(by, value).map(|token| token.access_token.as_deref().map(str::len))).is_some())
    }
}

impl Writer for Saves<'_> {
    fn insert(&mut self, tokens: &[PlainToken]) -> Result<()> {
        let mut rows = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for token in tokens {
            rows.insert(token);
        }
        Ok(())
    }

    fn refresh(&mut self, tokens: &[PlainToken]) -> Result<()> {
        let mut rows = self.0.write().unwrap_or_else(PoisonError::into_inner);
        tokens.iter().try_for_each(|token| rows.refresh(token))
    }
}
