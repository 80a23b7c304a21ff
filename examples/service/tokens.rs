//! What the service does with tokens: log in, hand out a fresh one, save, delete. Knows nothing of HTTP towards callers.
//!
//! `fresh` is for async code and holds no thread while it waits. The others may wait for the disk or the provider, so
//! async code goes through `blocking`. A token is saved before it is handed out: a crash in between costs a refresh, never
//! a login.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokcask::{Key, LogStore, RefreshError, RefreshPolicy, Stats, Token, TokenStore};

use crate::oauth::{Grant, OAuthClient};

pub(crate) struct Tokens {
    store: Arc<LogStore>,
    provider: OAuthClient,
}

/// Why a request was not done.
#[derive(Debug)]
pub(crate) enum TokenError {
    Store(tokcask::Error),
    Provider(ureq::Error),
    /// The provider refuses, or there is no refresh token: the user must log in again.
    LoginNeeded,
    /// Nothing is wrong with the request, and the same one may be done in a moment: why it was not.
    TryAgain(String),
    /// The worker thread is gone: a panic, which has been reported where it happened.
    Panicked,
}

/// Runs what waits for the disk or the provider beside the threads that serve.
pub(crate) async fn blocking<T: Send + 'static>(
    tokens: Arc<Tokens>,
    work: impl FnOnce(&Tokens) -> Result<T, TokenError> + Send + 'static,
) -> Result<T, TokenError> {
    tokio::task::spawn_blocking(move || work(&tokens)).await.unwrap_or(Err(TokenError::Panicked))
}

impl Tokens {
    pub(crate) fn new(store: Arc<LogStore>, provider: OAuthClient) -> Self {
        Self { store, provider }
    }

    pub(crate) fn log_in(&self, user: &str) -> Result<Token, TokenError> {
        let grant = self.provider.log_in(user)?.ok_or(TokenError::LoginNeeded)?;
        self.save(&granted(&grant).to_builder().user_name(user).build())
    }

    /// The user's token, with an access token that is good now; `None` for a user who never logged in.
    ///
    /// However many ask for it at once, here or in other processes, the provider is asked once.
    pub(crate) async fn fresh(self: Arc<Self>, user: &str) -> Result<Option<Token>, TokenError> {
        let tokens = Arc::clone(&self);
        let ask = move |current: Token| blocking(tokens, move |tokens| tokens.renew(&current));
        match self.store.refresh_async(Key::UserName(user), RefreshPolicy::new(), ask).await {
            Ok(refreshed) => Ok(Some(refreshed.into_token())),
            Err(RefreshError::UnknownKey | RefreshError::Deleted { .. }) => Ok(None),
            Err(RefreshError::Provider(error)) => Err(error),
            Err(RefreshError::Store(error) | RefreshError::SaveFailed { source: error, .. }) => Err(error.into()),
            // The provider has failed a moment ago, somebody else is still waiting for it, or the user has logged in anew.
            Err(other) => Err(TokenError::TryAgain(other.to_string())),
        }
    }

    /// Asks the provider; what it answers is saved by whoever called this.
    fn renew(&self, current: &Token) -> Result<Token, TokenError> {
        let refresh_token = current.refresh_token().ok_or(TokenError::LoginNeeded)?;
        let grant = self.provider.refresh(refresh_token.expose_secret())?.ok_or(TokenError::LoginNeeded)?;
        Ok(granted(&grant))
    }

    pub(crate) fn save(&self, token: &Token) -> Result<Token, TokenError> {
        Ok(self.store.save_token(token)?)
    }

    pub(crate) fn delete(&self, id: &str) -> Result<bool, TokenError> {
        Ok(self.store.delete(id)?)
    }

    pub(crate) fn stats(&self) -> Result<Stats, TokenError> {
        Ok(self.store.stats()?)
    }
}

/// What the provider granted. What it does not name stays as it is in the row.
fn granted(grant: &Grant) -> Token {
    let builder = Token::builder().access_token(&grant.access_token).expiry_time(&grant.expiry_time);
    match &grant.refresh_token {
        Some(refresh_token) => builder.refresh_token(refresh_token).build(),
        None => builder.build(),
    }
}

/// The `expiry_time` of an access token that lasts this long. A provider may name any number of seconds.
pub(crate) fn expiry_time(asked_at: SystemTime, lifetime: Duration) -> String {
    let since_1970 = asked_at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.saturating_add(lifetime).as_millis()).unwrap_or(u64::MAX).to_string()
}

impl From<tokcask::Error> for TokenError {
    fn from(error: tokcask::Error) -> Self {
        Self::Store(error)
    }
}

impl From<ureq::Error> for TokenError {
    fn from(error: ureq::Error) -> Self {
        Self::Provider(error)
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Provider(error) => write!(f, "the provider: {error}"),
            Self::LoginNeeded => f.write_str("the user must log in again"),
            Self::TryAgain(why) => f.write_str(why),
            Self::Panicked => f.write_str("the request was not finished"),
        }
    }
}
