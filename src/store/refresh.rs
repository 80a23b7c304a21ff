//! Refreshing through a handle.

use crate::refresh::{RefreshError, RefreshPolicy, Refreshed};
use crate::store::{Key, LogStore};
use crate::token::Token;

/// A row at the first look.
pub(super) enum Looked {
    Fresh(Token),
    Stale(Token),
}

impl LogStore {
    /// A fresh token for the oldest row with this key: the stored one if it still is, or what `provider` makes of it.
    ///
    /// Among all threads of all processes that ask for the same row meanwhile, at most one calls its `provider`; the others
    /// wait for it and return what it saved. `provider` gets the row as it stands and returns the provider's answer: a new
    /// access token and its expiry, and a new refresh token if the old one is spent. The answer is merged into the row (what it does
    /// not name stays, but for the expiry of the old access token) and is durable before anybody sees it. That there is
    /// room for it is made sure before the call.
    ///
    /// `provider` runs without any lock of the store but the row's lease: it may find and save, and it may take its time; a
    /// refresh of the same row inside it would wait for itself, and refreshes inside each other's for each other. Let it end before
    /// you close the handle: its answer has nowhere to go then (`SaveFailed`). If the process dies, the kernel lets go of the lease.
    /// Only if it dies between the provider's answer and the end of the save, the answer is lost.
    ///
    /// A token that is fresh already costs little more than a [`get`](Self::get).
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let store = tokcask::LogStore::open(dir.path().join("tokens"))?;
    /// use tokcask::{Key, RefreshPolicy, Refreshed, Token, TokenStore};
    ///
    /// store.save_token(&Token::builder().user_name("ana").refresh_token("fake-1").build())?;
    /// let refreshed = store.refresh(Key::UserName("ana"), RefreshPolicy::new(), |current| {
    ///     assert_eq!(current.refresh_token().map(|secret| secret.expose_secret()), Some("fake-1"));
    ///     // Here the provider is asked.
    ///     let answer = Token::builder().access_token("fake-access").expiry_time("4102444800000");
    ///     Ok::<_, std::io::Error>(answer.refresh_token("fake-2").build())
    /// })?;
    /// assert!(matches!(refreshed, Refreshed::ByUs(_)));
    /// let again = store.refresh(Key::UserName("ana"), RefreshPolicy::new(), |_| Err(std::io::Error::other("not asked")))?;
    /// assert!(matches!(again, Refreshed::Fresh(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// See [`RefreshError`]: each says whether the provider was asked, and what became of its answer.
    pub fn refresh<E>(
        &self,
        key: Key<'_>,
        policy: RefreshPolicy,
        provider: impl FnOnce(&Token) -> Result<Token, E>,
    ) -> Result<Refreshed, RefreshError<E>> {
        let outcome = match self.look(key, &policy) {
            Ok(Looked::Stale(row)) => self.engine.refresh(row, policy, provider),
            Ok(Looked::Fresh(row)) => Ok(Refreshed::Fresh(row)),
            Err(error) => Err(error),
        };
        self.engine.count_refresh(&outcome);
        outcome
    }

    /// The row, before anything is done about it.
    pub(super) fn look<E>(&self, key: Key<'_>, policy: &RefreshPolicy) -> Result<Looked, RefreshError<E>> {
        let (column, value) = key.parts();
        let row = self.engine.get(column, value)?.ok_or(RefreshError::UnknownKey)?;
        let is_fresh = policy.is_fresh(&row, self.engine.about_now_ms());
        Ok(if is_fresh { Looked::Fresh(row) } else { Looked::Stale(row) })
    }
}
