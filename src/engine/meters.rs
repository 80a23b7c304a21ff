//! Counting what a handle does, and how long it takes.
//!
//! Finds are counted by thread, some threads to a line of memory of their own, for a line that all finds write to would cost
//! more than the find. All else is rare beside a sync. With the feature `metrics` every time is also recorded through that
//! crate, and the background hands it the counts about once a second.

use std::array;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_utils::CachePadded;

use super::pinned::{COUNTS, of_this_thread};
use crate::activity::{Activity, Histogram, RefreshCounts};
use crate::refresh::{RefreshError, Refreshed};

/// What is counted.
pub(super) struct Meters {
    finds: [CachePadded<Finds>; COUNTS],
    counts: [AtomicU64; Count::ALL.len()],
    times: [Times; Timed::ALL.len()],
    #[cfg(feature = "metrics")]
    pub(super) store: std::sync::Arc<str>,
    /// When sizes were recorded.
    #[cfg(feature = "metrics")]
    pub(super) sized_at: crate::sync::Mutex<Option<Duration>>,
}

#[derive(Default)]
struct Finds {
    all: AtomicU64,
    misses: AtomicU64,
}

/// What happens now and then.
#[derive(Clone, Copy)]
pub(super) enum Count {
    Writes,
    WriteFailures,
    Syncs,
    Compactions,
    LeaseWaits,
    Fresh,
    ByUs,
    ByAnother,
    UnknownKey,
    ProviderFailed,
    BackOff,
    Busy,
    Deleted,
    Replaced,
    SaveFailed,
    StoreFailed,
}

/// What takes a while.
#[derive(Clone, Copy)]
pub(super) enum Timed {
    Write,
    Sync,
    LeaseWait,
    Provider,
    Compaction,
}

struct Times {
    counts: [AtomicU64; Histogram::BUCKETS],
    sum_ns: AtomicU64,
}

impl Meters {
    pub(super) fn new(#[cfg(feature = "metrics")] path: &std::path::Path) -> Self {
        let times = || Times { counts: array::from_fn(|_| AtomicU64::new(0)), sum_ns: AtomicU64::new(0) };
        Self {
            finds: array::from_fn(|_| CachePadded::default()),
            counts: array::from_fn(|_| AtomicU64::new(0)),
            times: array::from_fn(|_| times()),
            #[cfg(feature = "metrics")]
            store: path.display().to_string().into(),
            #[cfg(feature = "metrics")]
            sized_at: crate::sync::Mutex::default(),
        }
    }

    pub(super) fn found<T>(&self, found: Option<&T>) {
        let finds = &self.finds[of_this_thread()];
        finds.all.fetch_add(1, Ordering::Relaxed);
        if found.is_none() {
            finds.misses.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn count(&self, what: Count) {
        self.counts[what as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn time(&self, what: Timed, time: Duration) {
        let times = &self.times[what as usize];
        times.counts[Histogram::bucket(time)].fetch_add(1, Ordering::Relaxed);
        times.sum_ns.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        #[cfg(feature = "metrics")]
        super::recorder::time(self, what, time);
    }

    pub(super) fn refreshed<E>(&self, outcome: &Result<Refreshed, RefreshError<E>>) {
        self.count(match outcome {
            Ok(Refreshed::Fresh(_)) => Count::Fresh,
            Ok(Refreshed::ByUs(_)) => Count::ByUs,
            Ok(Refreshed::ByAnother(_)) => Count::ByAnother,
            Err(RefreshError::UnknownKey) => Count::UnknownKey,
            Err(RefreshError::Provider(_)) => Count::ProviderFailed,
            Err(RefreshError::BackOff { .. }) => Count::BackOff,
            Err(RefreshError::Busy { .. }) => Count::Busy,
            Err(RefreshError::Deleted { .. }) => Count::Deleted,
            Err(RefreshError::Replaced { .. }) => Count::Replaced,
            Err(RefreshError::SaveFailed { .. }) => Count::SaveFailed,
            Err(RefreshError::Store(_)) => Count::StoreFailed,
        });
    }

    pub(super) fn read(&self) -> Activity {
        let finds = |counter: fn(&Finds) -> &AtomicU64| {
            self.finds.iter().map(|finds| counter(finds).load(Ordering::Relaxed)).sum::<u64>()
        };
        let count = |what: Count| self.counts[what as usize].load(Ordering::Relaxed);
        let time = |what: Timed| self.times[what as usize].read();
        Activity {
            finds: finds(|finds| &finds.all),
            misses: finds(|finds| &finds.misses),
            writes: count(Count::Writes),
            write_failures: count(Count::WriteFailures),
            refreshes: RefreshCounts {
                fresh: count(Count::Fresh),
                by_us: count(Count::ByUs),
                by_another: count(Count::ByAnother),
                unknown_key: count(Count::UnknownKey),
                provider_failed: count(Count::ProviderFailed),
                back_off: count(Count::BackOff),
                busy: count(Count::Busy),
                deleted: count(Count::Deleted),
                replaced: count(Count::Replaced),
                save_failed: count(Count::SaveFailed),
                store_failed: count(Count::StoreFailed),
            },
            lease_waits: count(Count::LeaseWaits),
            syncs: count(Count::Syncs),
            compactions: count(Count::Compactions),
            write_time: time(Timed::Write),
            sync_time: time(Timed::Sync),
            lease_wait_time: time(Timed::LeaseWait),
            provider_time: time(Timed::Provider),
            compaction_time: time(Timed::Compaction),
        }
    }
}

impl Times {
    fn read(&self) -> Histogram {
        Histogram {
            counts: array::from_fn(|bucket| self.counts[bucket].load(Ordering::Relaxed)),
            sum: Duration::from_nanos(self.sum_ns.load(Ordering::Relaxed)),
        }
    }
}

impl Count {
    const ALL: [Self; 16] = [
        Self::Writes,
        Self::WriteFailures,
        Self::Syncs,
        Self::Compactions,
        Self::LeaseWaits,
        Self::Fresh,
        Self::ByUs,
        Self::ByAnother,
        Self::UnknownKey,
        Self::ProviderFailed,
        Self::BackOff,
        Self::Busy,
        Self::Deleted,
        Self::Replaced,
        Self::SaveFailed,
        Self::StoreFailed,
    ];
}

impl Timed {
    const ALL: [Self; 5] = [Self::Write, Self::Sync, Self::LeaseWait, Self::Provider, Self::Compaction];
}
