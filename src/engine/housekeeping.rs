//! What a handle does by itself, on a thread of its own, about once a second: follow others to a new generation and let
//! the old file go, make the watermark of an idle store durable, compact when the policy says so.
//!
//! Nothing here is needed for any promise but the age of dead secrets; without the thread, the next call does the rest.

use std::mem;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::{Engine, Mode, policy};
use crate::error::{Error, ErrorKind, Result};
use crate::storage::fork;
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Condvar, Mutex};
use crate::trace;

const EVERY: Duration = Duration::from_secs(1);
/// After a compaction that failed, the next one is tried after this long, then after twice as long, and so on.
const RETRY_MIN: Duration = Duration::from_secs(30);
const RETRY_MAX: Duration = Duration::from_secs(3600);

/// The thread, from outside.
pub(super) struct Housekeeper {
    orders: Arc<Orders>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Of the process that the thread is in.
    forks: u64,
}

#[derive(Default)]
struct Orders {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    stop: bool,
    wake: bool,
    /// The last compaction's, if it failed, and when another one is worth a try.
    failure: Option<(Error, Duration)>,
    retry_after: Option<Duration>,
}

impl Housekeeper {
    pub(super) fn new() -> Self {
        Self { orders: Arc::default(), thread: Mutex::new(None), forks: fork::count() }
    }

    /// Why the last compaction in the background failed.
    pub(super) fn failure(&self) -> Option<String> {
        self.orders.state.lock().failure.as_ref().map(|(error, _)| error.to_string())
    }

    /// Ends the thread, and waits for it.
    pub(super) fn stop(&self) {
        self.orders.state.lock().stop = true;
        self.orders.changed.notify_all();
        let thread = self.thread.lock().take();
        // The last one to let go of a store may be the thread itself.
        if let Some(thread) = thread.filter(|housekeeper| housekeeper.thread().id() != thread::current().id()) {
            let _ = thread.join();
        }
    }
}

impl Drop for Housekeeper {
    fn drop(&mut self) {
        if self.forks != fork::count() {
            // The thread is the parent's. Here the system may have given its number to another one, which dropping would
            // detach.
            mem::forget(self.thread.get_mut().take());
        }
    }
}

impl Engine {
    pub(super) fn start_housekeeper(self: &Arc<Self>) -> Result<()> {
        let (orders, engine) = (self.housekeeper.orders.clone(), Arc::downgrade(self));
        let thread = thread::Builder::new().name("tokcask".into()).spawn(move || keep_house(&orders, &engine));
        let thread = thread.map_err(|error| Error::io("start the housekeeping thread for", self.path(), error))?;
        *self.housekeeper.thread.lock() = Some(thread);
        Ok(())
    }

    /// There is something to do now.
    pub(super) fn wake_housekeeper(&self) {
        self.housekeeper.orders.state.lock().wake = true;
        self.housekeeper.orders.changed.notify_all();
    }

    /// Does what is to be done. What fails is tried again next time.
    fn keep_house(&self) {
        if self.check_usable().is_err() || self.catch_up().is_err() {
            return;
        }
        let _ = self.renew();
        self.let_go_of_old_file();
        if self.mode == Mode::ReadOnly {
            return;
        }
        self.save_unsaved();
        #[cfg(feature = "metrics")]
        self.record();
        let page = &self.lock_file.page;
        if self.lock_file.is_sync_due(self.storage.now_ms()) && !page.sync_failed() {
            let turn = self.take_turn(self.storage.clock());
            if turn.is_ok() {
                self.lock_file.sync_now_and_then(self.storage.now_ms());
            }
        }
        if page.state().1.pending().is_some() && !page.sync_failed() {
            // Whoever makes that generation has the right to; if nobody does any more, its maker has died.
            let _ = self.end_doubt(None);
        }
        self.compact_if_due();
    }

    /// The one to which this handle would have appended, if it has not since it followed others to a new one.
    fn let_go_of_old_file(&self) {
        let Some(mut writer) = self.writer.try_lock() else { return };
        let tip = self.tip.lock();
        if writer.appender.file().identity() != tip.file.identity()
            && let Ok(appender) = tip.appender(&self.log_path)
        {
            writer.appender = appender;
        }
    }

    fn compact_if_due(&self) {
        let now = self.storage.clock();
        if self.housekeeper.orders.state.lock().failure.as_ref().is_some_and(|(_, retry_at)| now < *retry_at) {
            return;
        }
        let due = || {
            let tip = self.tip.lock();
            let shared = self.shared()?;
            Ok::<_, Error>(policy::due(&self.policy, tip.end, &shared, self.storage.now_ms()))
        };
        let Ok(Some(reason)) = due() else { return };
        // Somebody else may be at it, and have done it by the time it is our turn.
        let compacted = self.try_compact(|| Ok(due()?.is_some()));
        let mut state = self.housekeeper.orders.state.lock();
        match compacted {
            Ok(_) => (state.failure, state.retry_after) = (None, None),
            Err(error) if matches!(error.kind(), ErrorKind::Busy | ErrorKind::Closed) => {}
            Err(error) => {
                let after = state.retry_after.map_or(RETRY_MIN, |after| (after * 2).min(RETRY_MAX));
                trace::compaction_failed(&self.log_path, reason, &error);
                state.retry_after = Some(after);
                state.failure = Some((error, now + after));
            }
        }
    }
}

fn keep_house(orders: &Orders, engine: &Weak<Engine>) {
    loop {
        {
            let mut state = orders.state.lock();
            if !state.stop && !state.wake {
                state = orders.changed.wait_for(state, EVERY);
            }
            if state.stop {
                return;
            }
            state.wake = false;
        }
        let Some(engine) = engine.upgrade() else { return };
        engine.keep_house();
    }
}
