//! What engines that keep bytes have in common: a way to a row's bytes, and what is made of them there.

use std::hint::black_box;

use super::{Reader, Way};
use crate::Result;
use crate::speed::plain::{ACCESS_TOKEN, PlainToken, view};
use crate::speed::work::{By, indexed};

/// A way to rows.
pub(super) trait Rows {
    /// Hands the row's bytes to `take`, where they lie.
    fn row<R>(&mut self, by: By, value: &str, take: impl FnOnce(&[u8]) -> R) -> Result<Option<R>>;
}

/// A reader that makes of rows what the way says.
pub(super) fn reader<'a>(rows: impl Rows + 'a, way: Way) -> Box<dyn Reader + 'a> {
    match way {
        Way::Owned | Way::Held => Box::new(Owned(rows)),
        Way::Block => Box::new(Block(rows)),
        Way::InPlace => Box::new(InPlace(rows)),
    }
}

struct Owned<T>(T);
struct Block<T>(T);
struct InPlace<T>(T);

impl<T: Rows> Reader for Owned<T> {
    fn token(&mut self, by: By, value: &str) -> Result<Option<PlainToken>> {
        self.0.row(by, value, PlainToken::decode)?.transpose()
    }
}

impl<T: Rows> Reader for Block<T> {
    fn token(&mut self, by: By, value: &str) -> Result<Option<PlainToken>> {
        self.0.row(by, value, <[u8]>::to_vec)?.map(|row| PlainToken::decode(&row)).transpose()
    }

    fn find(&mut self, by: By, value: &str) -> Result<bool> {
        Ok(black_box(self.0.row(by, value, <[u8]>::to_vec)?).is_some())
    }
}

impl<T: Rows> Reader for InPlace<T> {
    fn token(&mut self, by: By, value: &str) -> Result<Option<PlainToken>> {
        self.0.row(by, value, PlainToken::decode)?.transpose()
    }

    fn find(&mut self, by: By, value: &str) -> Result<bool> {
        let access_len = |row: &[u8]| view(row).map(|fields| fields[ACCESS_TOKEN].map(str::len));
        Ok(black_box(self.0.row(by, value, access_len)?.transpose()?).is_some())
    }
}

/// A row to be written, and what its further indexes have to forget and to learn.
pub(super) struct Change {
    pub(super) id: u64,
    pub(super) row: Vec<u8>,
    /// By [`By::index`]: the old value, if there is one that is none any more, and the new one, if it is new.
    pub(super) keys: Vec<(usize, Option<String>, Option<String>)>,
}

impl Change {
    /// A token in the place of the row `old`, or in no one's. Keys that stay are left alone.
    pub(super) fn new(token: &PlainToken, old: Option<&[u8]>) -> Result<Self> {
        let old = old.map(view).transpose()?.map_or([None; 3], |fields| indexed(&fields));
        let new = indexed(&token.fields());
        let changed = (0..3).filter(|index| old[*index] != new[*index]);
        let keys = changed.map(|index| (index, old[index].map(str::to_owned), new[index].map(str::to_owned)));
        Ok(Self { id: token.row_id()?, row: token.encode()?, keys: keys.collect() })
    }
}

/// The row number that an id stands for, if it is one.
pub(super) fn row_id(value: &str) -> Option<u64> {
    value.parse().ok()
}
