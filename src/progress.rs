//! Telling a caller how far long work has come. Plain values; says nothing of what the work is.

use std::fmt;
use std::sync::Arc;

use crate::stats::Progress;

/// Bytes between two calls, unless the work is short.
const EVERY: u64 = 4 << 20;
/// Calls that even short work makes, if it has so many steps.
const CALLS_MIN: u64 = 64;

/// Whom to tell, if anybody.
#[derive(Clone, Default)]
pub(crate) struct Listener {
    tell: Option<Arc<dyn Fn(Progress) + Send + Sync>>,
}

impl Listener {
    pub(crate) fn new(tell: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self { tell: Some(Arc::new(tell)) }
    }

    /// Work on so many bytes begins.
    pub(crate) fn start(&self, bytes_total: u64) -> Meter<'_> {
        let every = (bytes_total / CALLS_MIN).clamp(1, EVERY);
        Meter { listener: self, every, told: 0, now: Progress::new(0, bytes_total, 0) }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("set", &self.tell.is_some()).finish()
    }
}

/// One piece of work.
pub(crate) struct Meter<'a> {
    listener: &'a Listener,
    every: u64,
    told: u64,
    now: Progress,
}

impl Meter<'_> {
    /// The work has come to this byte, by one more frame or row.
    pub(crate) fn step_to(&mut self, bytes_done: u64) {
        self.now.bytes_done = bytes_done.min(self.now.bytes_total);
        self.now.frames += 1;
        if self.now.bytes_done >= self.told + self.every {
            self.told = self.now.bytes_done;
            if let Some(tell) = &self.listener.tell {
                tell(self.now);
            }
        }
    }

    /// The same, by so many bytes more.
    pub(crate) fn step_by(&mut self, bytes: u64) {
        self.step_to(self.now.bytes_done.saturating_add(bytes));
    }
}
