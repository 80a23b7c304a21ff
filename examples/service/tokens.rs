//! What the service does with tokens: log in, hand out a fresh one, save, delete. Knows nothing of HTTP towards callers.
//!
//! Every call may wait for the disk or for the provider, so async code goes through `spawn_blocking`. A token is saved
//! before it is handed out: a crash in between costs a refresh, never a login.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{array, fmt};

use tokcask::{Key, LogStore, Token, TokenStore};

use crate::oauth::{Grant, OAuthClient};

const TURNS: usize = 64;

pub(crate) struct Tokens {
    store: Arc<LogStore>,
    provider: OAuthClient,
    /// Users take turns in refreshing by the hash of their names, so that this does not grow with their number.
    turns: [Mutex<()>; TURNS],
    pub(crate) counts: Counts,
}

/// What was done with the store.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) saves: AtomicU64,
    pub(crate) finds: AtomicU64,
    pub(crate) deletes: AtomicU64,
    pub(crate) refreshes: AtomicU64,
}

/// Why a request was not done.
#[derive(Debug)]
pub(crate) enum TokenError {
    Store(tokcask::Error),
    Provider(ureq::Error),
    /// The provider refuses, or there is no refresh token: the user must log in again.
    LoginNeeded,
}

impl Tokens {
    pub(crate) fn new(store: Arc<LogStore>, provider: OAuthClient) -> Self {
        Self { store, provider, turns: array::from_fn(|_| Mutex::default()), counts: Counts::default() }
    }

    pub(crate) fn log_in(&self, user: &str) -> Result<Token, TokenError> {
        let grant = self.provider.log_in(user)?.ok_or(TokenError::LoginNeeded)?;
        self.save(&granted(&Token::builder().user_name(user).build(), &grant))
    }

    /// The user's token, with an access token that is good now; `None` for a user who never logged in.
    pub(crate) fn fresh(&self, user: &str) -> Result<Option<Token>, TokenError> {
        match self.find(user)? {
            Some(token) if has_expired(&token) => self.refresh(user),
            found => Ok(found),
        }
    }

    fn refresh(&self, user: &str) -> Result<Option<Token>, TokenError> {
        let _turn = self.turn(user);
        loop {
            // Found again: whoever had the turn before has refreshed it, as a rule.
            let Some(token) = self.find(user)? else { return Ok(None) };
            if !has_expired(&token) {
                return Ok(Some(token));
            }
            let (Some(refresh_token), Some(revision)) = (token.refresh_token(), token.revision()) else {
                return Err(TokenError::LoginNeeded);
            };
            let grant = self.provider.refresh(refresh_token.expose_secret())?.ok_or(TokenError::LoginNeeded)?;
            match self.store.compare_and_save(&granted(&token, &grant), revision) {
                // The user was deleted or logged in anew meanwhile, and that is not to be undone.
                Err(tokcask::Error::Conflict { .. }) => {}
                saved => {
                    let saved = saved?;
                    count(&self.counts.refreshes);
                    count(&self.counts.saves);
                    return Ok(Some(saved));
                }
            }
        }
    }

    pub(crate) fn save(&self, token: &Token) -> Result<Token, TokenError> {
        let saved = self.store.save_token(token)?;
        count(&self.counts.saves);
        Ok(saved)
    }

    pub(crate) fn delete(&self, id: &str) -> Result<bool, TokenError> {
        let deleted = self.store.delete(id)?;
        if deleted {
            count(&self.counts.deletes);
        }
        Ok(deleted)
    }

    pub(crate) fn stats(&self) -> Result<tokcask::Stats, TokenError> {
        Ok(self.store.stats()?)
    }

    fn find(&self, user: &str) -> Result<Option<Token>, TokenError> {
        count(&self.counts.finds);
        Ok(self.store.get(Key::UserName(user))?)
    }

    fn turn(&self, user: &str) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        user.hash(&mut hasher);
        let turn = usize::try_from(hasher.finish() % TURNS as u64).unwrap_or(0);
        // It guards a turn and no data, so that a panic in somebody's turn has broken nothing.
        self.turns[turn].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn has_expired(token: &Token) -> bool {
    token.access_token().is_none() || token.expires_at().is_some_and(|instant| instant <= SystemTime::now())
}

fn granted(token: &Token, grant: &Grant) -> Token {
    let builder = token.to_builder().access_token(&grant.access_token).expiry_time(expiry_time(grant.lifetime));
    match &grant.refresh_token {
        Some(refresh_token) => builder.refresh_token(refresh_token).build(),
        None => builder.build(),
    }
}

/// The `expiry_time` of an access token that lasts this long from now.
pub(crate) fn expiry_time(lifetime: Duration) -> String {
    let since_1970 = (SystemTime::now() + lifetime).duration_since(UNIX_EPOCH).unwrap_or_default();
    since_1970.as_millis().to_string()
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
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
        }
    }
}
