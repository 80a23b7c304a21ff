//! Numbers about an open store.

use super::{Engine, policy};
use crate::error::{Error, Result};
use crate::stats::Stats;

impl Engine {
    pub(crate) fn stats(&self) -> Result<Stats> {
        let sizes = self.sizes()?;
        let stats = Stats { next_expiry_ms: self.next_expiry_ms().unwrap_or_default(), ..sizes };
        #[cfg(feature = "metrics")]
        {
            self.record_counts();
            self.record_sizes(&stats);
        }
        Ok(stats)
    }

    /// All but the next expiry.
    fn sizes(&self) -> Result<Stats> {
        self.check_usable()?;
        let mut tip = self.tip.lock();
        self.follow(&mut tip)?;
        let shared = self.shared()?;
        let file_len = tip.file.file_len().map_err(|error| Error::io("stat", &self.log_path, error))?;
        Ok(Stats {
            uuid: tip.head.uuid,
            generation: tip.head.generation,
            sequence: tip.link.sequence,
            tokens: shared.index.len(),
            next_id: tip.link.next_id,
            next_revision: tip.link.next_revision,
            log_bytes: tip.end,
            file_bytes: file_len,
            live_bytes: shared.index.live_bytes(),
            dead_bytes: policy::dead_bytes(tip.end, &shared.index),
            dead_records: shared.index.dead_records(),
            dead_since_ms: shared.dead_since_ms,
            compaction: policy::due(&self.policy, tip.end, &shared, self.storage.now_ms()),
            compaction_failed: self.housekeeper.failure(),
            sync_failed: self.lock_file.page.sync_failed(),
            index_bytes: shared.index.memory(),
            next_expiry_ms: None,
            activity: self.meters.read(),
        })
    }

    /// The soonest expiry of an access token that is still to come, in milliseconds since 1970. Reads all rows, unless
    /// nothing was saved since the last time; leaves out what cannot be read.
    fn next_expiry_ms(&self) -> Result<Option<u64>> {
        let now_ms = self.storage.now_ms();
        let (version, source, places) = {
            let shared = self.readable()?;
            let known = self.next_expiry.lock().filter(|(version, _)| *version == shared.version);
            if let Some((_, expiry_ms)) = known.filter(|(_, expiry)| expiry.is_none_or(|expiry_ms| expiry_ms > now_ms))
            {
                return Ok(expiry_ms);
            }
            (shared.version, shared.source.share(), shared.index.locations().collect::<Vec<_>>())
        };
        #[expect(
            clippy::redundant_closure_for_method_calls,
            reason = "the method is not general enough in its lifetime"
        )]
        let expiry_ms = |at| source.read(at, |row| row.expiry_ms()).ok().flatten();
        let next = places.into_iter().filter_map(expiry_ms).filter(|expiry_ms| *expiry_ms > now_ms).min();
        *self.next_expiry.lock() = Some((version, next));
        Ok(next)
    }
}
