//! The public face: the trait of the six operations, and the two stores.

mod expiry;
mod list_store;
mod log_store;
mod refresh;
#[cfg(feature = "tokio")]
mod refresh_async;

pub use list_store::ListStore;
pub use log_store::{LogStore, Tokens};

use crate::error::{Error, Result};
use crate::format::record;
use crate::log::append::refused;
use crate::token::{Column, Token};

/// The six operations that the Zoho SDKs ask of a token store, for code that works with any.
///
/// Which row a token stands for: on a find the user name decides, if there is one; else the access token, if client id
/// and secret are both missing; else the grant or refresh token, whichever row is older (a grant token alone needs the
/// client's id and secret beside it); else the id. Nothing falls through to the next key, bytes are compared, and an
/// empty key matches nothing. On a save the id decides alone, if there is one.
pub trait TokenStore: Send + Sync {
    /// The oldest row that the partial token means, laid under it: what the caller's token has stays, what it lacks is
    /// filled from the row, and the id is the row's. `None` if there is no such row.
    ///
    /// # Errors
    /// Whatever keeps the store from telling. Absence is no error.
    fn find_token(&self, partial: &Token) -> Result<Option<Token>>;

    /// The row with this id.
    ///
    /// # Errors
    /// `UnknownId` if there is none.
    fn find_token_by_id(&self, id: &str) -> Result<Token>;

    /// Updates the row that the token means, or adds one; returns the row as stored.
    ///
    /// In an update a value replaces, `None` keeps, `""` clears. A new row without an id gets the next number; numbers
    /// are never given twice. The caller's token is not changed; the one that is returned carries the id.
    ///
    /// # Errors
    /// `TooLittle` if it would be a new row and has no access, refresh or grant token; `EmptyId`; `TooLarge`. A failed
    /// save has changed nothing.
    fn save_token(&self, token: &Token) -> Result<Token>;

    /// Deletes the row with this id.
    ///
    /// # Errors
    /// `UnknownId` if there is none.
    fn delete_token(&self, id: &str) -> Result<()>;

    /// All rows, oldest first. An update keeps a row's place.
    ///
    /// # Errors
    /// Whatever keeps the store from telling.
    fn get_tokens(&self) -> Result<Vec<Token>>;

    /// Deletes all rows. The id counter goes on.
    ///
    /// # Errors
    /// Whatever keeps the store from writing.
    fn delete_tokens(&self) -> Result<()>;
}

/// A value to find a row by. Bytes are compared; the empty value matches nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key<'a> {
    /// The row's id.
    Id(&'a str),
    /// The user name.
    UserName(&'a str),
    /// The access token.
    AccessToken(&'a str),
    /// The refresh token.
    RefreshToken(&'a str),
    /// The grant token.
    GrantToken(&'a str),
}

impl<'a> Key<'a> {
    fn parts(self) -> (Column, &'a str) {
        match self {
            Self::Id(value) => (Column::Id, value),
            Self::UserName(value) => (Column::UserName, value),
            Self::AccessToken(value) => (Column::AccessToken, value),
            Self::RefreshToken(value) => (Column::RefreshToken, value),
            Self::GrantToken(value) => (Column::GrantToken, value),
        }
    }
}

impl std::fmt::Debug for Key<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (column, value) = self.parts();
        if column.is_secret() { write!(f, "{column:?}(redacted)") } else { write!(f, "{column:?}({value:?})") }
    }
}

impl Token {
    /// Whether a store can hold this token: keys are at most 64 KiB long, all of it is at most 1 MiB, an id is not empty.
    ///
    /// Every save asks this by itself; asked beforehand, it tells which of many rows it is.
    ///
    /// # Errors
    /// `TooLarge`, which names the column; `EmptyId`.
    pub fn check_limits(&self) -> Result<()> {
        if self.id() == Some("") {
            return Err(Error::EmptyId);
        }
        record::checked_len(&self.view()).map(drop).map_err(refused)
    }
}
