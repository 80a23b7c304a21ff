//! A source that many threads keep alive at once, without writing to one count of references.
//!
//! A view holds on to the file and the map that it reads. One count for all of them would be written by every view on
//! every processor; so there are several, each for some of the threads.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_utils::CachePadded;

use crate::log::source::Source;

/// Counts of references, and of whatever else each thread counts without the others.
pub(super) const COUNTS: usize = 16;

/// The source that finds read from.
pub(super) struct Pinned {
    source: Arc<Source>,
    pins: [Pin; COUNTS],
}

/// Keeps a source alive. Its count shares no cache line with another one.
pub(super) type Pin = Arc<CachePadded<Arc<Source>>>;

impl Pinned {
    /// Holds on to it for whoever does not do so all the time.
    pub(super) fn share(&self) -> Arc<Source> {
        self.source.clone()
    }

    /// Holds on to it on behalf of this thread.
    pub(super) fn pin(&self) -> Pin {
        self.pins[of_this_thread()].clone()
    }
}

/// Which of the counts is this thread's.
pub(super) fn of_this_thread() -> usize {
    thread_local! {
        static COUNT: usize = {
            static THREADS: AtomicUsize = AtomicUsize::new(0);
            THREADS.fetch_add(1, Ordering::Relaxed) % COUNTS
        };
    }
    // A thread that is about to end has no number any more.
    COUNT.try_with(|count| *count).unwrap_or_default()
}

impl From<Arc<Source>> for Pinned {
    fn from(source: Arc<Source>) -> Self {
        let pins = std::array::from_fn(|_| Arc::new(CachePadded::new(source.clone())));
        Self { source, pins }
    }
}

impl From<Source> for Pinned {
    fn from(source: Source) -> Self {
        Arc::new(source).into()
    }
}

impl Deref for Pinned {
    type Target = Source;

    fn deref(&self) -> &Source {
        &self.source
    }
}
