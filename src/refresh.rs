//! What a refresh is asked to do and how it ends: plain values.

use std::time::Duration;
use std::{error, fmt};

use crate::error::Error;
use crate::token::Token;

/// When a token counts as fresh, and how much patience a refresh has. See [`LogStore::refresh`](crate::LogStore::refresh).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshPolicy {
    /// How much longer an access token has to be good to count as fresh; 5 s if not set, as in the Zoho SDKs. To be shorter than
    /// what the provider gives: a new token that is not fresh is returned to those who waited for it, and then held back like a failure.
    pub slack: Duration,
    /// How long to wait for somebody else who is refreshing the same row; 30 s if not set. Zero: not at all.
    pub wait_max: Duration,
    /// For how long nobody asks the provider again after it failed, in any process; 1 s if not set. Twice as long after each
    /// further failure with the row unchanged.
    pub backoff_min: Duration,
    /// The longest that this becomes; 60 s if not set. Zero: no back-off.
    pub backoff_max: Duration,
    /// The [revision](Token::revision) of a row whose access token the provider refused although it looked fresh. The row
    /// counts as fresh only if it was saved since, by whomever and with whatever.
    pub rejected: Option<u64>,
}

impl RefreshPolicy {
    /// The conditions that hold if no others are set.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            slack: Duration::from_secs(5),
            wait_max: Duration::from_secs(30),
            backoff_min: Duration::from_secs(1),
            backoff_max: Duration::from_secs(60),
            rejected: None,
        }
    }

    /// Whether this token needs no refresh: it has an access token that is good for longer than the slack. One without an
    /// expiry is good until somebody says otherwise; one whose expiry is no decimal number of milliseconds is not.
    pub(crate) fn is_fresh(&self, token: &Token, now_ms: u64) -> bool {
        let is_rejected = self.rejected.is_some_and(|rejected| token.revision().is_none_or(|found| found <= rejected));
        let slack_ms = u64::try_from(self.slack.as_millis()).unwrap_or(u64::MAX);
        let is_good = match token.expiry_time() {
            None | Some("") => true,
            Some(_) => token.expiry_ms().is_some_and(|expiry_ms| expiry_ms >= now_ms.saturating_add(slack_ms)),
        };
        is_good && !is_rejected && has_access_token(token)
    }
}

impl Default for RefreshPolicy {
    fn default() -> Self {
        Self::new()
    }
}

pub(crate) fn has_access_token(token: &Token) -> bool {
    token.access_token().is_some_and(|token| !token.expose_secret().is_empty())
}

/// A row with an access token to use, and where that came from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refreshed {
    /// It was fresh.
    Fresh(Token),
    /// The provider was asked by this call, and the answer is durable.
    ByUs(Token),
    /// Somebody else, in whatever process, has refreshed the row meanwhile.
    ByAnother(Token),
}

impl Refreshed {
    /// The row as stored.
    #[must_use]
    pub fn token(&self) -> &Token {
        let (Self::Fresh(token) | Self::ByUs(token) | Self::ByAnother(token)) = self;
        token
    }

    /// The row as stored.
    #[must_use]
    pub fn into_token(self) -> Token {
        let (Self::Fresh(token) | Self::ByUs(token) | Self::ByAnother(token)) = self;
        token
    }
}

/// Why a refresh has no fresh token to give. Tokens in it are redacted in `Debug` and left out of `Display`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RefreshError<E> {
    /// No row has this key. The provider was not asked.
    UnknownKey,
    /// The provider's error; nothing was changed. For a while nobody is let to ask it for this row.
    Provider(E),
    /// The provider has failed for this row a moment ago, whoever asked it. It was not asked again.
    BackOff {
        /// The row as stored.
        token: Box<Token>,
        /// When it may be asked again.
        retry_in: Duration,
    },
    /// Somebody else was refreshing the row for longer than [`RefreshPolicy::wait_max`]. The provider was not asked.
    Busy {
        /// The row as stored.
        token: Box<Token>,
        /// How long was waited.
        waited: Duration,
    },
    /// The row was deleted meanwhile, and is not brought back.
    Deleted {
        /// The provider's answer, if it had been asked already: worth revoking.
        answer: Option<Box<Token>>,
    },
    /// Somebody has saved another refresh token for the row while the provider was asked: another login, which the answer to
    /// the old one does not replace. (If that one is fresh, it is returned instead.)
    Replaced {
        /// The row as stored.
        token: Box<Token>,
        /// The provider's answer: worth revoking.
        answer: Box<Token>,
    },
    /// The provider has answered, and the answer could not be saved. If it has rotated the refresh token, this is the only
    /// copy that works.
    ///
    /// Unless the reason is one that stays, the handle keeps the answer and the lease, so that nobody spends the old refresh
    /// token meanwhile, and saves it by the next refresh of the row, in the background, or when it is closed. What cannot be
    /// saved then is lost, and so is an answer over the limits.
    SaveFailed {
        /// The row as it was to be stored.
        token: Box<Token>,
        /// Why it could not be.
        source: Error,
    },
    /// The store failed before the provider was asked. (Also, in the async form, `Closed` if the runtime was shut down meanwhile:
    /// as if the process had died.)
    Store(Error),
}

impl<E> From<Error> for RefreshError<E> {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl<E: fmt::Display> fmt::Display for RefreshError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey => f.write_str("no token has this key"),
            Self::Provider(error) => write!(f, "the provider refused or failed: {error}"),
            Self::BackOff { retry_in, .. } => {
                write!(f, "the provider has just failed for this token; try again in {retry_in:?}")
            }
            Self::Busy { waited, .. } => write!(f, "somebody else was refreshing this token for {waited:?}; try again"),
            Self::Deleted { .. } => f.write_str("the token was deleted meanwhile"),
            Self::Replaced { .. } => f.write_str("the token was replaced by another login meanwhile"),
            Self::SaveFailed { source, .. } => write!(f, "the provider's answer could not be saved: {source}"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl<E: error::Error + 'static> error::Error for RefreshError<E> {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Provider(error) => Some(error),
            Self::SaveFailed { source, .. } => Some(source),
            Self::Store(error) => error.source(),
            _ => None,
        }
    }
}
