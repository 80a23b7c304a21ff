//! Accepting a log that the lock file does not know: somebody put an older one back, and means it.
//!
//! Ends in a new generation above every slot, with counters above theirs, and both slots say so. Until then nothing is
//! written to the log or the slots, so that a crash leaves a store that is still to be adopted.

use std::path::Path;
use std::sync::Arc;

use super::Engine;
use super::open::{Accept, Contradiction, open_log};
use super::rewrite::Rewrite;
use crate::error::Result;
use crate::inspect::AdoptReport;
use crate::options::Options;
use crate::storage::Storage;
use crate::trace;

/// Adopts the log at `path`, if that is needed.
pub(crate) fn adopt(options: &Options, storage: &Arc<dyn Storage>, path: &Path) -> Result<AdoptReport> {
    let options = options.clone().create(false).background(false);
    let (engine, contradiction) = open_log(&options, storage, path, Accept::AnyLog)?;
    if let Some(contradiction) = &contradiction {
        engine.take_over(contradiction)?;
    }
    let stats = engine.stats()?;
    let report = AdoptReport {
        reason: contradiction.map(|contradiction| contradiction.reason),
        tokens: stats.tokens,
        generation: stats.generation,
        recovered: engine.report().recovered.clone(),
    };
    engine.close()?;
    Ok(report)
}

impl Engine {
    /// Goes on above everything that the slots speak of.
    fn take_over(&self, Contradiction { slots, counters, .. }: &Contradiction) -> Result<()> {
        let _compacting = self.take_compactor(self.lock_timeout)?;
        let mut turn = self.take_turn(self.storage.clock())?;
        let uuid = self.tip.lock().head.uuid;
        let mut rewrite = Rewrite::nothing(self);
        rewrite.counters.raise(counters.next_id, counters.next_revision);
        for slot in slots.iter().filter(|slot| slot.uuid == uuid) {
            rewrite.generation = rewrite.generation.max(slot.generation.saturating_add(1));
            rewrite.counters.raise_by_slot(slot);
        }
        let compacted = self.rewrite(&mut turn, &rewrite)?;
        // CRASH: the new generation is above the slots of this store, which mean nothing from then on; those of another
        // store still say that this log is to be adopted.
        self.lock_file.sync()?;
        let slot = self.tip.lock().slot();
        self.lock_file.write_slot(&slot);
        self.lock_file.sync()?;
        drop(turn);
        trace::compacted(&self.log_path, &compacted);
        Ok(())
    }
}
