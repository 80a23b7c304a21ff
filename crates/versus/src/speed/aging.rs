//! What stores take on the disk when every token was refreshed again and again, and how fast they save then.

use std::path::PathBuf;

use super::stock::{Stock, measure_disk};
use super::stores::{ALL, Engine, Facts, facts};
use super::table::{OURS, quotient};
use super::{COMPACTED, LOADED, LOG, Measured, OfSize, REFRESHED, REFRESHES, SINGLY, save, work};
use crate::Result;

impl OfSize<'_> {
    /// Refreshes all tokens of stores that are closed, measures them, and saves to them.
    pub(super) fn age(
        &self,
        closed: &[(&'static dyn Engine, PathBuf)],
        measured: &mut Measured,
        say: &impl Fn(&str),
    ) -> Result<()> {
        let (plan, tokens, table) = (&self.settings.plan, self.tokens, &mut measured.disk);
        let ours = self.directory.join(OURS);
        let by_token = |facts: Facts| quotient(facts.log_bytes, facts.tokens);
        measure_disk(closed, tokens, LOADED, table)?;
        table.set(LOG, LOADED, by_token(facts(&ours)?));

        say("refreshing");
        let mut stock = Stock::reopen(tokens, closed)?;
        stock.refresh(REFRESHES, plan.load_limit)?;
        measure_disk(&stock.close(), tokens, REFRESHED, table)?;
        table.set(LOG, REFRESHED, by_token(facts(&ours)?));

        let ours_alone: Vec<_> = closed.iter().filter(|(engine, _)| engine.title() == OURS).cloned().collect();
        for item in &Stock::reopen(tokens, &ours_alone)?.items {
            item.store.compact()?;
        }
        measure_disk(&ours_alone, tokens, COMPACTED, table)?;
        table.set(LOG, COMPACTED, by_token(facts(&ours)?));

        let singly = [(ALL[0], self.directory.join("singly"))];
        std::fs::create_dir(&singly[0].1)?;
        {
            let stock = Stock::reopen(plan.singles, &singly)?;
            let mut writer = stock.items[0].store.writer()?;
            (0..plan.singles).try_for_each(|number| writer.insert(&[work::token(number, 0)]))?;
        }
        measure_disk(&singly, plan.singles, SINGLY, table)?;
        table.set(LOG, SINGLY, by_token(facts(&singly[0].1)?));

        say("saving");
        measured.saves = save::save(&Stock::reopen(tokens, closed)?, self.directory, plan, self.settings.seed)?;
        Ok(())
    }
}
