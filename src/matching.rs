//! Which row a find or a save means, and what a save makes of it. Pure functions over tokens.
//!
//! The rules are those of the Zoho SDKs' file store, with this project's departures: the first key that applies
//! decides and nothing falls through; bytes are compared; of several rows the oldest wins; on a save a value
//! replaces, null keeps, an empty string clears. Every store here shares this module; limits are theirs to check.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::token::{self, Column, Columns, Token, TokenView};

/// The rows that a token stands for. Of several the oldest is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Selector<'a> {
    /// None: the token names nothing to look for.
    Nothing,
    /// The row with this value in this column.
    Column(Column, &'a str),
    /// The oldest row with either.
    GrantOrRefresh { grant: Option<&'a str>, refresh: Option<&'a str> },
}

impl Selector<'_> {
    /// The columns in which the token's value is looked for, if it has one there.
    pub(crate) fn columns(self) -> Columns {
        let mut columns = Columns::default();
        match self {
            Self::Nothing => {}
            Self::Column(column, _) => columns.add(column),
            Self::GrantOrRefresh { .. } => {
                columns.add(Column::GrantToken);
                columns.add(Column::RefreshToken);
            }
        }
        columns
    }
}

/// Which row a find means.
pub(crate) fn selector_for_find(token: &Token) -> Selector<'_> {
    let by_keys = selector_by_keys(token);
    let has_key = Column::KEYS.iter().any(|key| *key != Column::Id && token.column(*key).is_some());
    match token.id() {
        // Only `revoke(id)` of the SDKs asks so, and relies on getting its own row.
        Some(id) if !has_key => selector(Column::Id, id),
        _ => by_keys,
    }
}

/// Which row a save updates.
pub(crate) fn selector_for_save(token: &Token) -> Result<Selector<'_>, Error> {
    match token.id() {
        Some("") => Err(Error::EmptyId),
        Some(id) => Ok(Selector::Column(Column::Id, id)),
        None => Ok(selector_by_keys(token)),
    }
}

/// Which row a delete means.
pub(crate) fn selector_for_delete(id: &str) -> Selector<'_> {
    selector(Column::Id, id)
}

fn selector_by_keys(token: &Token) -> Selector<'_> {
    let client = (token.client_id().is_some(), token.client_secret().is_some());
    let refresh = token.column(Column::RefreshToken);
    let grant = token.column(Column::GrantToken);
    if let Some(name) = token.user_name() {
        return selector(Column::UserName, name);
    }
    if let (Some(access), (false, false)) = (token.column(Column::AccessToken), client) {
        return selector(Column::AccessToken, access);
    }
    if refresh.is_some() || (grant.is_some() && client == (true, true)) {
        return match (filled(grant), filled(refresh)) {
            (None, None) => Selector::Nothing,
            (grant, refresh) => Selector::GrantOrRefresh { grant, refresh },
        };
    }
    Selector::Nothing
}

/// An empty key matches no row.
fn selector(column: Column, value: &str) -> Selector<'_> {
    if value.is_empty() { Selector::Nothing } else { Selector::Column(column, value) }
}

fn filled(value: Option<&str>) -> Option<&str> {
    value.filter(|text| !text.is_empty())
}

/// What a find returns: the caller's token with its null columns filled from the row, and the row's id.
pub(crate) fn fill(token: &Token, row: &TokenView<'_>) -> Token {
    let columns = Column::ALL.map(|column| match column {
        // Never another row's id beside this row's secrets.
        Column::Id => row.id(),
        _ => token.column(column).or_else(|| row.column(column)),
    });
    let mut found = token::assemble(columns, &row.extra().chain(token.extra()).collect());
    let layout = row.layout();
    found.stamp(layout.created_ms, layout.updated_ms, layout.revision);
    found
}

/// What a store adds to a row that it writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    pub(crate) now_ms: u64,
    pub(crate) revision: u64,
}

/// The row as it is to be stored: merged with the row that it updates, or new.
///
/// `new_id` is what a new row is called if its token has no id; no row of the store has it.
pub(crate) fn merge(token: &Token, row: Option<&TokenView<'_>>, new_id: u64, stamp: Stamp) -> Result<Token, Error> {
    if row.is_none() && !has_any_token(token) {
        return Err(Error::TooLittle);
    }
    let new_id = new_id.to_string();
    let columns = Column::ALL.map(|column| {
        let stored = row.and_then(|row| row.column(column));
        match column {
            Column::Id => stored.or(token.id()).or(Some(new_id.as_str())),
            _ => filled(token.column(column).or(stored)),
        }
    });
    let stored = row.into_iter().flat_map(TokenView::extra);
    Ok(stamped(columns, stored.chain(token.extra()).collect(), row, stamp))
}

/// Whether a row still is the login that it was then: not deleted and made anew, nor given other tokens to renew it by.
pub(crate) fn is_same_login(row: &Token, then: &Token) -> bool {
    let is_same = |column| row.column(column) == then.column(column);
    let by_tokens = if then.column(Column::RefreshToken).is_some() {
        is_same(Column::RefreshToken)
    } else {
        [Column::RefreshToken, Column::GrantToken, Column::AccessToken].into_iter().all(is_same)
    };
    row.created_at() == then.created_at() && by_tokens
}

/// The row as it is to be stored under this id when it is imported: nothing of a row whose place it takes is left, but
/// when that was first saved.
pub(crate) fn replace(token: &Token, id: &str, row: Option<&TokenView<'_>>, stamp: Stamp) -> Result<Token, Error> {
    if !has_any_token(token) {
        return Err(Error::TooLittle);
    }
    let columns = Column::ALL.map(|column| match column {
        Column::Id => Some(id),
        _ => filled(token.column(column)),
    });
    Ok(stamped(columns, token.extra().collect(), row, stamp))
}

fn stamped(
    columns: [Option<&str>; Column::COUNT],
    mut extra: BTreeMap<&str, &str>,
    row: Option<&TokenView<'_>>,
    stamp: Stamp,
) -> Token {
    extra.retain(|_, value| !value.is_empty());
    let mut token = token::assemble(columns, &extra);
    let before = row.map(TokenView::layout);
    let created_ms = before.map_or(stamp.now_ms, |layout| layout.created_ms);
    let updated_ms = before.map_or(stamp.now_ms, |layout| layout.updated_ms.max(stamp.now_ms)); // a clock may step back
    token.stamp(created_ms, updated_ms, stamp.revision);
    token
}

/// The id counter after a row with this id: only `[1-9][0-9]{0,17}` moves it, so that no id can exhaust it.
pub(crate) fn next_id_after(id: &str, next_id: u64) -> u64 {
    counted(id).map_or(next_id, |number| next_id.max(number + 1))
}

/// The number that an id takes from the counter, if it is one that does.
pub(crate) fn counted(id: &str) -> Option<u64> {
    if !(1..=18).contains(&id.len()) || id.starts_with('0') {
        return None;
    }
    id.bytes().try_fold(0, |number, byte| byte.is_ascii_digit().then(|| 10 * number + u64::from(byte - b'0')))
}

fn has_any_token(token: &Token) -> bool {
    [Column::RefreshToken, Column::AccessToken, Column::GrantToken]
        .into_iter()
        .any(|column| filled(token.column(column)).is_some())
}
