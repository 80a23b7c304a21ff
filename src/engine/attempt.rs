//! One call that wants a fresh row: it looks, takes the lease or waits, and looks again with the lease in hand.
//!
//! Written as steps that wait for nothing, so that a thread and a future can both walk them.

use std::sync::Arc;
use std::time::Duration;

use super::Engine;
#[cfg(feature = "tokio")]
use super::lease::Leases;
use super::lease::{Claim, Lease};
use super::meters::{Count, Timed};
use super::refresh::{Failure, Leased};
use crate::error::Result;
use crate::refresh::{RefreshPolicy, Refreshed, has_access_token};
use crate::token::{Column, Token};

/// Between two tries for a lease of another process, at first; later a part of the time waited so far.
const POLL_MIN: Duration = Duration::from_millis(1);
const POLL_MAX: Duration = Duration::from_millis(20);
const POLL_PART: u32 = 16;
/// Whoever waits for a thread of its own handle is woken; this is for a handle that is closed meanwhile.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A call that wants a fresh row, and has not got one yet.
pub(crate) struct Attempt {
    engine: Arc<Engine>,
    policy: RefreshPolicy,
    start: Duration,
    id: String,
    byte: u64,
    /// The row as the call found it.
    seen: Token,
    hold: Hold,
    has_waited: bool,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if self.has_waited {
            self.engine.meters.count(Count::LeaseWaits);
            self.engine.meters.time(Timed::LeaseWait, self.engine.storage.clock().saturating_sub(self.start));
        }
    }
}

enum Hold {
    Nothing,
    Claim(Claim),
    /// And whether what the last holder may have left is cleared up.
    Lease(Lease, bool),
}

/// What an attempt comes to.
pub(crate) enum Step {
    Settled(Refreshed),
    /// The provider is to be asked.
    Leased(Leased),
    /// It was, and its answer is to be saved; then the next step.
    Unsaved(Leased),
    /// [`Attempt::make_room`], then the next step.
    MakeRoom,
    Wait(Wait),
}

/// What to wait for before the next step.
pub(crate) enum Wait {
    /// A thread of the same handle, for at most this long.
    Thread(u64, Duration),
    /// Another process: look again after this long.
    Process(Duration),
}

impl Attempt {
    /// For a row that was found and is not fresh.
    pub(crate) fn new(engine: Arc<Engine>, seen: Token, policy: RefreshPolicy) -> Result<Self> {
        engine.writing_lock()?;
        let (start, id) = (engine.storage.clock(), seen.id().unwrap_or_default().to_owned());
        let byte = engine.refreshes.leases.byte(&id);
        Ok(Self { engine, policy, start, id, byte, seen, hold: Hold::Nothing, has_waited: false })
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn leases(&self) -> Arc<Leases> {
        self.engine.refreshes.leases.clone()
    }

    /// Goes as far as it can without waiting, neither for others nor for the disk.
    pub(crate) fn step(&mut self) -> Result<Step, Failure> {
        let engine = self.engine.clone();
        let leases = &engine.refreshes.leases;
        loop {
            let epoch = leases.epoch();
            let row = engine.get(Column::Id, &self.id)?.ok_or(Failure::Deleted { answer: None })?;
            if let Some(refreshed) = self.settled(&row) {
                return Ok(Step::Settled(refreshed));
            }
            let now_ms = engine.storage.now_ms();
            if let Some(unsaved) = engine.take_unsaved(&self.id) {
                return Ok(Step::Unsaved(unsaved));
            }
            if let Some(retry_in) = engine.backoff(&row, &self.policy).remaining(now_ms) {
                return Err(Failure::BackOff { token: row.into(), retry_in });
            }
            match std::mem::replace(&mut self.hold, Hold::Nothing) {
                Hold::Nothing => match leases.claim(self.byte) {
                    Some(claim) => self.hold = Hold::Claim(claim),
                    None => return self.wait(row, |_| Wait::Thread(epoch, LOOK_AGAIN)),
                },
                Hold::Claim(claim) => match claim.try_lease()? {
                    Ok(lease) => {
                        engine.writing_lock()?.check_current()?;
                        self.hold = Hold::Lease(lease, false);
                        return Ok(Step::MakeRoom);
                    }
                    Err(claim) => {
                        self.hold = Hold::Claim(claim);
                        return self.wait(row, |waited| Wait::Process((waited / POLL_PART).clamp(POLL_MIN, POLL_MAX)));
                    }
                },
                Hold::Lease(lease, false) => {
                    self.hold = Hold::Lease(lease, false);
                    return Ok(Step::MakeRoom);
                }
                // The row was read with the lease in hand, and nothing of the last holder can come up any more.
                Hold::Lease(lease, true) => {
                    return Ok(Step::Leased(Leased { lease, policy: self.policy, current: row, answer: None }));
                }
            }
        }
    }

    /// With the lease in hand: sees that the store can be written to and that the answer will have room, before the old
    /// refresh token is spent. Whoever held the lease before may have died with its answer durable and not shown: taking a
    /// turn shows it, or undoes it for good.
    pub(crate) fn make_room(&mut self) -> Result<()> {
        self.engine.make_room_for_answer(&self.seen)?;
        if let Hold::Lease(_, is_cleared) = &mut self.hold {
            *is_cleared = true;
        }
        Ok(())
    }

    /// A row that needs no refresh, or has had one since this call began: its answer is ours too, however long it is good.
    fn settled(&self, row: &Token) -> Option<Refreshed> {
        let is_same = row.revision() == self.seen.revision();
        if self.policy.is_fresh(row, self.engine.storage.now_ms()) {
            return Some(if is_same { Refreshed::Fresh(row.clone()) } else { Refreshed::ByAnother(row.clone()) });
        }
        let is_another = row.column(Column::AccessToken) != self.seen.column(Column::AccessToken);
        (row.revision() > self.seen.revision() && is_another && has_access_token(row))
            .then(|| Refreshed::ByAnother(row.clone()))
    }

    fn wait(&mut self, row: Token, wait: impl FnOnce(Duration) -> Wait) -> Result<Step, Failure> {
        self.engine.check_usable()?;
        let waited = self.engine.storage.clock().saturating_sub(self.start);
        let left = self.policy.wait_max.saturating_sub(waited);
        if left.is_zero() {
            return Err(Failure::Busy { token: row.into(), waited });
        }
        self.has_waited = true;
        Ok(Step::Wait(match wait(waited) {
            Wait::Thread(epoch, time) => Wait::Thread(epoch, time.min(left)),
            Wait::Process(time) => Wait::Process(time.min(left)),
        }))
    }
}
