//! What a handle has done since it was opened: counts and times, as plain values.

use std::time::Duration;

/// What a handle has done since it was opened; other handles and processes count for themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Activity {
    /// Finds by a key or a partial token, those of other calls included.
    pub finds: u64,
    /// Those that found nothing.
    pub misses: u64,
    /// Calls that save, delete or clear and have succeeded; a batch is one.
    pub writes: u64,
    /// Those that failed.
    pub write_failures: u64,
    /// How refreshes ended.
    pub refreshes: RefreshCounts,
    /// Refreshes that had to wait for somebody else's, counted when they end.
    pub lease_waits: u64,
    /// Batches written and synced. Many calls may share one.
    pub syncs: u64,
    /// Compactions of this handle, in the background too.
    pub compactions: u64,
    /// How long those calls took that save, delete or clear, waiting included.
    pub write_time: Histogram,
    /// How long it took to write and sync a batch.
    pub sync_time: Histogram,
    /// How long refreshes waited that had to.
    pub lease_wait_time: Histogram,
    /// How long the provider took, whatever it answered.
    pub provider_time: Histogram,
    /// How long compactions took.
    pub compaction_time: Histogram,
}

/// How refreshes ended: see [`Refreshed`](crate::Refreshed) and [`RefreshError`](crate::RefreshError).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each names the outcome that describes it")]
pub struct RefreshCounts {
    pub fresh: u64,
    pub by_us: u64,
    pub by_another: u64,
    pub unknown_key: u64,
    pub provider_failed: u64,
    pub back_off: u64,
    pub busy: u64,
    pub deleted: u64,
    pub replaced: u64,
    pub save_failed: u64,
    pub store_failed: u64,
}

/// How often something took how long, in powers of two of a microsecond.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    pub(crate) counts: [u64; Self::BUCKETS],
    pub(crate) sum: Duration,
}

impl Histogram {
    /// The last one is for everything that is longer, from about eighteen minutes.
    pub(crate) const BUCKETS: usize = 32;

    /// How many times there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All of them together.
    #[must_use]
    pub fn sum(&self) -> Duration {
        self.sum
    }

    /// How many lie below each bound and not below the one before it, shortest first. The last bound is [`Duration::MAX`].
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        self.counts.iter().enumerate().map(|(bucket, count)| (bound(bucket), *count))
    }

    /// A time which at least this part of them, from 0 to 1, is shorter than: at most twice too long. `None` if there are none.
    #[must_use]
    pub fn quantile(&self, part: f64) -> Option<Duration> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "a bound within a factor of two")]
        let needed = part.clamp(0.0, 1.0) * count as f64;
        let mut below = 0;
        let reaches = |(_, found): &(Duration, u64)| {
            below += found;
            #[expect(clippy::cast_precision_loss, reason = "the same")]
            let enough = below as f64 >= needed && below > 0;
            enough
        };
        self.buckets().find(reaches).map(|(bound, _)| bound)
    }

    /// The bucket of a time.
    pub(crate) fn bucket(time: Duration) -> usize {
        let bits = u128::BITS - time.as_micros().leading_zeros();
        usize::try_from(bits).expect("a few").min(Self::BUCKETS - 1)
    }
}

fn bound(bucket: usize) -> Duration {
    if bucket + 1 == Histogram::BUCKETS { Duration::MAX } else { Duration::from_micros(1 << bucket) }
}
