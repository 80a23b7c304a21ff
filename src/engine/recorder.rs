//! What the `metrics` crate is told: every time as it is taken, counts and sizes about once a second.
//!
//! Each carries the label `store`, the directory. Counts are handed over as they stand, so none is lost when a recorder is
//! installed late.

use std::time::Duration;

use metrics::{Label, SharedString, counter, gauge, histogram};

use super::Engine;
use super::meters::{Meters, Timed};
use crate::stats::Stats;

pub(super) fn time(meters: &Meters, what: Timed, time: Duration) {
    let name = match what {
        Timed::Write => "tokcask_write_seconds",
        Timed::Sync => "tokcask_sync_seconds",
        Timed::LeaseWait => "tokcask_lease_wait_seconds",
        Timed::Provider => "tokcask_provider_seconds",
        Timed::Compaction => "tokcask_compaction_seconds",
    };
    histogram!(name, labels(meters)).record(time);
}

impl Engine {
    /// Counts at every call, sizes now and then: the next expiry may take reading all rows.
    pub(super) fn record(&self) {
        const SIZES_EVERY: Duration = Duration::from_secs(30);
        self.record_counts();
        let now = self.storage.clock();
        let is_due = {
            let mut sized_at = self.meters.sized_at.lock();
            let is_due = sized_at.is_none_or(|at| now.saturating_sub(at) >= SIZES_EVERY);
            if is_due {
                *sized_at = Some(now);
            }
            is_due
        };
        if is_due {
            // It records what it finds; if it fails, the next call that counts will say so.
            let _ = self.stats();
        }
    }

    /// Hands over the counts.
    pub(super) fn record_counts(&self) {
        let (labels, activity) = (labels(&self.meters), self.meters.read());
        let counts = [
            ("tokcask_finds_total", activity.finds),
            ("tokcask_misses_total", activity.misses),
            ("tokcask_writes_total", activity.writes),
            ("tokcask_write_failures_total", activity.write_failures),
            ("tokcask_lease_waits_total", activity.lease_waits),
            ("tokcask_syncs_total", activity.syncs),
            ("tokcask_compactions_total", activity.compactions),
        ];
        for (name, count) in counts {
            counter!(name, labels.clone()).absolute(count);
        }
        let refreshes = activity.refreshes;
        let outcomes = [
            ("fresh", refreshes.fresh),
            ("by_us", refreshes.by_us),
            ("by_another", refreshes.by_another),
            ("unknown_key", refreshes.unknown_key),
            ("provider_failed", refreshes.provider_failed),
            ("back_off", refreshes.back_off),
            ("busy", refreshes.busy),
            ("deleted", refreshes.deleted),
            ("replaced", refreshes.replaced),
            ("save_failed", refreshes.save_failed),
            ("store_failed", refreshes.store_failed),
        ];
        for (outcome, count) in outcomes {
            let labels = [labels.clone(), vec![Label::new("outcome", outcome)]].concat();
            counter!("tokcask_refreshes_total", labels).absolute(count);
        }
    }

    /// Hands over what `stats` has found.
    #[expect(clippy::cast_precision_loss, reason = "gauges are floating-point numbers")]
    pub(super) fn record_sizes(&self, stats: &Stats) {
        let labels = labels(&self.meters);
        let sizes = [
            ("tokcask_tokens", stats.tokens),
            ("tokcask_log_bytes", stats.log_bytes),
            ("tokcask_dead_bytes", stats.dead_bytes),
            ("tokcask_index_bytes", stats.index_bytes),
            ("tokcask_sync_failed", stats.sync_failed.into()),
        ];
        for (name, size) in sizes {
            gauge!(name, labels.clone()).set(size as f64);
        }
        // No number says "never"; infinity is what a recorder shows as such.
        let next = stats
            .next_expiry_ms
            .map_or(f64::INFINITY, |expiry_ms| expiry_ms.saturating_sub(self.storage.now_ms()) as f64 / 1000.0);
        gauge!("tokcask_next_expiry_seconds", labels).set(next);
    }
}

fn labels(meters: &Meters) -> Vec<Label> {
    vec![Label::new("store", SharedString::from_shared(meters.store.clone()))]
}
