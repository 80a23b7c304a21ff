//! Refreshing a row: one call of the provider among all threads of all processes that ask meanwhile.
//!
//! Look, take the lease or wait, make room for the answer, look again ([`attempt`](super::attempt)); ask the provider; save.
//! The lease is held from the second look to the save, and beyond if the answer could not be saved: nobody else may spend
//! the refresh token that it has replaced.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use super::Engine;
use super::attempt::{Attempt, Step, Wait};
use super::backoff::BackOff;
use super::commit::{Trust, trust};
use super::lease::{Lease, Leases};
use super::meters::Timed;
use super::plan::Request;
use crate::error::{ErrorKind, Result};
use crate::format::record;
use crate::log::append::Room;
use crate::matching::{self, Stamp};
use crate::refresh::{RefreshError, RefreshPolicy, Refreshed, has_access_token};
use crate::sync::Mutex;
use crate::token::{Column, Token};

/// The least that has to be left for an answer, reserve included.
const ROOM_MIN: u64 = 32 << 10;

/// Everything that refreshes of a handle share.
pub(super) struct Refreshes {
    pub(super) leases: Arc<Leases>,
    /// Answers that could not be saved, by id.
    pub(super) unsaved: Mutex<BTreeMap<String, Leased>>,
    /// How many of them there are: read at every write.
    pub(super) unsaved_count: AtomicUsize,
}

impl Refreshes {
    pub(super) fn new(leases: Leases) -> Self {
        Self { leases: Arc::new(leases), unsaved: Mutex::default(), unsaved_count: AtomicUsize::new(0) }
    }

    /// Lets go of answers that could not be saved.
    pub(super) fn close(&self) {
        let unsaved = std::mem::take(&mut *self.unsaved.lock());
        drop(unsaved);
    }
}

/// How a step ends that has nothing to do with the provider.
pub(crate) type Failure = RefreshError<std::convert::Infallible>;

/// The right to ask the provider for a row, and to save the answer.
#[must_use]
pub(crate) struct Leased {
    pub(super) lease: Lease,
    pub(super) policy: RefreshPolicy,
    /// The row as it stands.
    pub(super) current: Token,
    /// What the provider said, once it has and it could not be saved.
    pub(super) answer: Option<Token>,
}

#[cfg(feature = "tokio")]
impl Leased {
    /// The row as it stands.
    pub(crate) fn current(&self) -> &Token {
        &self.current
    }
}

impl Engine {
    /// Walks all steps on this thread.
    pub(crate) fn refresh<E>(
        self: &Arc<Self>,
        seen: Token,
        policy: RefreshPolicy,
        provider: impl FnOnce(&Token) -> Result<Token, E>,
    ) -> Result<Refreshed, RefreshError<E>> {
        let leased = match self.take_lease(seen, policy).map_err(Failure::widen)? {
            Ok(leased) => leased,
            Err(refreshed) => return Ok(refreshed),
        };
        let start = self.storage.clock();
        let said = provider(&leased.current);
        self.provider_took(start);
        match said {
            Ok(answer) => self.save_answer(leased, answer).map_err(Failure::widen),
            Err(error) => self.provider_failed(leased).ok_or(RefreshError::Provider(error)),
        }
    }

    /// Sees that the answer for this row will have room, also on a full disk.
    pub(super) fn make_room_for_answer(&self, row: &Token) -> Result<()> {
        // What the provider adds is small; what it leaves out stays.
        let room = ROOM_MIN.max(2 * record::encoded_len(&row.view()) + 4096);
        let mut turn = self.take_turn_to_append(self.storage.clock(), None)?;
        turn.writer.appender.make_room(room, Room::Reserve).map_err(trust).map_err(|(error, trust)| {
            if trust == Trust::Lost {
                self.lock_file.page.set_sync_failed(true);
            }
            error
        })
    }

    /// The lease, or a row that needs none any more.
    fn take_lease(self: &Arc<Self>, seen: Token, policy: RefreshPolicy) -> Result<Result<Leased, Refreshed>, Failure> {
        let mut attempt = Attempt::new(self.clone(), seen, policy)?;
        loop {
            match attempt.step()? {
                Step::Settled(refreshed) => return Ok(Err(refreshed)),
                Step::Leased(leased) => return Ok(Ok(leased)),
                Step::MakeRoom => attempt.make_room()?,
                Step::Unsaved(unsaved) => self.save_again(unsaved)?,
                Step::Wait(Wait::Thread(epoch, time)) => self.refreshes.leases.wait(epoch, time),
                Step::Wait(Wait::Process(time)) => self.storage.sleep(time),
            }
        }
    }

    /// Since `start`, by the clock of time limits.
    pub(crate) fn provider_took(&self, start: Duration) {
        self.meters.time(Timed::Provider, self.storage.clock().saturating_sub(start));
    }

    /// Counts how a refresh ended.
    pub(crate) fn count_refresh<E>(&self, outcome: &Result<Refreshed, RefreshError<E>>) {
        self.meters.refreshed(outcome);
    }

    /// What [`provider_took`](Self::provider_took) goes by.
    #[cfg(feature = "tokio")]
    pub(crate) fn clock(&self) -> Duration {
        self.storage.clock()
    }

    /// Merges the answer into the row, durably; then lets go of the lease.
    pub(crate) fn save_answer(&self, leased: Leased, answer: Token) -> Result<Refreshed, Failure> {
        let current = &leased.current;
        let row = answer_for_row(&answer, current);
        let error = match self.commit(&[Request::renew(&row, current)]) {
            Ok(outcomes) => {
                let token = outcomes.into_iter().next().expect("one outcome for each request").into_token();
                if !leased.policy.is_fresh(&token, self.storage.now_ms()) {
                    // Asking again at once would bring the same.
                    self.backoff(&token, &leased.policy).note(self.storage.now_ms());
                }
                return Ok(Refreshed::ByUs(token));
            }
            Err(error) => error,
        };
        if error.kind() == ErrorKind::UnknownId {
            return Err(Failure::Deleted { answer: Some(answer.into()) });
        }
        let stamp = Stamp { now_ms: self.storage.now_ms(), revision: 0 };
        let token = matching::merge(&row, Some(&current.view()), 0, stamp).unwrap_or(row);
        if error.kind() == ErrorKind::Conflict {
            return match self.get(Column::Id, current.id().unwrap_or_default()) {
                Ok(Some(row)) if leased.policy.is_fresh(&row, self.storage.now_ms()) => Ok(Refreshed::ByAnother(row)),
                Ok(Some(row)) => Err(Failure::Replaced { token: row.into(), answer: answer.into() }),
                Ok(None) => Err(Failure::Deleted { answer: Some(answer.into()) }),
                Err(source) => Err(Failure::SaveFailed { token: token.into(), source }),
            };
        }
        if may_pass(error.kind()) {
            // Its lease is what holds the others back.
            self.keep_unsaved(Leased { answer: Some(answer), ..leased });
        } else {
            self.backoff(current, &leased.policy).note(self.storage.now_ms());
        }
        Err(Failure::SaveFailed { token: token.into(), source: error })
    }

    /// The provider's error is not believed if the row is fresh by now: then it was about a refresh token of the past.
    pub(crate) fn provider_failed(&self, leased: Leased) -> Option<Refreshed> {
        let now_ms = self.storage.now_ms();
        let row = self.get(Column::Id, leased.current.id().unwrap_or_default()).ok().flatten();
        if let Some(row) = row.filter(|row| leased.policy.is_fresh(row, now_ms)) {
            return Some(Refreshed::ByAnother(row));
        }
        // A child that was forked off inside the call has no say.
        if self.check_process().is_ok() {
            self.backoff(&leased.current, &leased.policy).note(now_ms);
        }
        // Not before: whoever has waited for it is to see the back-off.
        drop(leased.lease);
        None
    }

    pub(super) fn backoff<'a>(&'a self, row: &Token, policy: &'a RefreshPolicy) -> BackOff<'a> {
        let (id, revision) = (row.id().unwrap_or_default(), row.revision().unwrap_or_default());
        BackOff::new(&self.lock_file.page, self.refreshes.leases.hash_at_revision(id, revision), policy)
    }
}

impl Failure {
    /// The same where the provider may fail.
    pub(crate) fn widen<E>(self) -> RefreshError<E> {
        match self {
            Self::UnknownKey => RefreshError::UnknownKey,
            Self::Provider(never) => match never {},
            Self::BackOff { token, retry_in } => RefreshError::BackOff { token, retry_in },
            Self::Busy { token, waited } => RefreshError::Busy { token, waited },
            Self::Deleted { answer } => RefreshError::Deleted { answer },
            Self::Replaced { token, answer } => RefreshError::Replaced { token, answer },
            Self::SaveFailed { token, source } => RefreshError::SaveFailed { token, source },
            Self::Store(error) => RefreshError::Store(error),
        }
    }
}

/// The answer as a save of this row and no other. An empty token is none: it would take the stored one away. A new access
/// token does not inherit the expiry of the old one.
fn answer_for_row(answer: &Token, current: &Token) -> Token {
    let mut row = answer.to_builder().id(current.id().unwrap_or_default());
    for column in [Column::RefreshToken, Column::AccessToken] {
        if answer.column(column) == Some("") {
            row = row.column(column, None);
        }
    }
    if answer.expiry_time().is_none() && has_access_token(answer) { row.expiry_time("").build() } else { row.build() }
}

/// Whether the same answer could be saved later on by the same handle.
fn may_pass(kind: ErrorKind) -> bool {
    !matches!(
        kind,
        ErrorKind::TooLarge | ErrorKind::Closed | ErrorKind::Forked | ErrorKind::ReadOnly | ErrorKind::LockReplaced
    )
}
