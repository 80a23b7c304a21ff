//! `yup-oauth2`'s token storage on a [`LogStore`]: one row for each account and set of scopes.
//!
//! Left out: the lease of [`LogStore::refresh`]. `yup-oauth2` asks the provider itself, so several processes may do so at
//! once. That ends no login where a refresh token is good many times, as Google's are; elsewhere refresh through the store.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use async_trait::async_trait;
use serde_json::json;
use time::OffsetDateTime;
use tokcask::{Key, LogStore, Secret, Token, TokenStore};
use tokio::task;
use yup_oauth2::storage::{TokenInfo, TokenStorage, TokenStorageError};

/// The extra value that holds what has no column.
const ID_TOKEN: &str = "id_token";

/// The tokens of one account. The trait knows scopes and no accounts, so each has an authenticator and one of these;
/// all may be on one store.
pub(crate) struct TokcaskStorage {
    store: Arc<LogStore>,
    account: String,
}

impl TokcaskStorage {
    pub(crate) fn new(store: Arc<LogStore>, account: impl Into<String>) -> Self {
        Self { store, account: account.into() }
    }

    /// The row's user name: account and scopes themselves, in order and once each. A hash of them could be another set's
    /// too, and a list joined by spaces another list's.
    fn user_name(&self, scopes: &[&str]) -> String {
        json!([self.account, scopes.iter().collect::<BTreeSet<_>>()]).to_string()
    }
}

#[async_trait]
impl TokenStorage for TokcaskStorage {
    /// Durable when it returns; a save that has begun goes on if the future is dropped. A token that is an ID token and nothing else is an
    /// error: the store keeps no row without an access or a refresh token.
    async fn set(&self, scopes: &[&str], token: TokenInfo) -> Result<(), TokenStorageError> {
        let row = to_row(self.user_name(scopes), &token);
        let store = Arc::clone(&self.store);
        // A save waits for the disk, which a thread of the runtime must not.
        let saved = task::spawn_blocking(move || store.save_token(&row)).await.map_err(io::Error::other)?;
        saved.map_err(io::Error::other)?;
        Ok(())
    }

    /// The token of exactly these scopes, as the trait has it. The crate's own storages also give one of more scopes; but
    /// that one's renewal would be stored under these scopes, and the row of the others keep a refresh token that is spent.
    async fn get(&self, scopes: &[&str]) -> Option<TokenInfo> {
        // Waits for no lock and no sync, so it needs no thread.
        match self.store.get(Key::UserName(&self.user_name(scopes))) {
            Ok(row) => row.as_ref().map(to_info),
            Err(error) => {
                // All that the trait can say is "none", and the user is asked to log in. So say elsewhere what it was.
                eprintln!("reading a token: {error}");
                None
            }
        }
    }
}

/// What `set` makes of the row: what the token lacks is cleared (`""` does that), but for the refresh token. That one comes
/// with the login and often never again.
fn to_row(user_name: String, token: &TokenInfo) -> Token {
    // Whole milliseconds, and none before 1970: either way it seems to end a little too early, or is over anyhow.
    let expiry_time = token.expires_at.map(|end| (end.unix_timestamp_nanos() / 1_000_000).max(0).to_string());
    let row = Token::builder()
        .user_name(user_name)
        .access_token(token.access_token.as_deref().unwrap_or_default())
        .expiry_time(expiry_time.unwrap_or_default())
        .extra(ID_TOKEN, token.id_token.as_deref().unwrap_or_default());
    match token.refresh_token.as_deref() {
        None | Some("") => row.build(),
        Some(refresh_token) => row.refresh_token(refresh_token).build(),
    }
}

fn to_info(row: &Token) -> TokenInfo {
    let text = |secret: Secret<'_>| secret.expose_secret().to_owned();
    TokenInfo {
        access_token: row.access_token().map(text),
        refresh_token: row.refresh_token().map(text),
        // An end that is there and cannot be read is over: without one the token would seem to last for ever.
        expires_at: row.expiry_time().map(|_| end(row).unwrap_or(OffsetDateTime::UNIX_EPOCH)),
        id_token: row.extra().get(ID_TOKEN).map(str::to_owned),
    }
}

/// `None` also past the year 9999, which is as far as this clock goes.
fn end(row: &Token) -> Option<OffsetDateTime> {
    let since_1970 = row.expires_at()?.duration_since(UNIX_EPOCH).ok()?;
    OffsetDateTime::from_unix_timestamp_nanos(since_1970.as_nanos().try_into().ok()?).ok()
}
