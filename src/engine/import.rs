//! Importing rows as they are, by id: all of them or none, however many.
//!
//! What fits into a frame is committed as one. What does not becomes a new generation, which is complete or is not there.

use std::sync::Arc;

use super::Engine;
use super::build::Counters;
use super::plan::{Plan, Planned};
use super::rewrite::Rewrite;
use crate::error::{Error, Result};
use crate::format::{FRAME_LEN_MAX, record};
use crate::log::append::{Room, refused};
use crate::matching::{self, Selector, Stamp};
use crate::options::OnClash;
use crate::overlay::{Overlay, Row};
use crate::stats::ImportReport;
use crate::token::{Column, Columns, Token};
use crate::trace;

/// What an operation takes beside its record as the caller gave it: headers, and what the store adds.
const OPERATION_LEN_MORE: u64 = 128;

/// What an import is going to write.
struct Import {
    plan: Plan,
    /// The row of each operation.
    rows: Vec<Row>,
    report: ImportReport,
    first_clash: Option<String>,
}

impl Engine {
    /// Puts these rows in, in this order, unmerged.
    pub(crate) fn import(&self, tokens: &[Token], on_clash: OnClash) -> Result<ImportReport> {
        let len = |token: &Token| record::encoded_len(&token.view());
        let len_min = tokens.iter().map(len).sum::<u64>();
        // The right to make a new generation comes before the right to commit: taken if it may be needed.
        let may_be_long =
            len_min.saturating_add(OPERATION_LEN_MORE * tokens.len() as u64) > u64::from(FRAME_LEN_MAX) / 2;
        let compacting = if may_be_long { Some(self.take_compactor(self.lock_timeout)?) } else { None };
        if compacting.is_some() {
            self.renew_now()?;
        }
        let mut turn = self.take_turn_to_append(self.storage.clock(), compacting.as_ref())?;
        let Import { plan, rows, report, first_clash } = {
            let shared = self.shared()?;
            shared.index.check_room(tokens.len())?;
            let mut overlay = Overlay::new(&shared.index, &shared.source);
            let plan = Plan::new(turn.writer.appender.link(), tokens.len(), self.storage.now_ms());
            let mut import = Import { plan, rows: Vec::new(), report: ImportReport::default(), first_clash: None };
            import.reserve(tokens);
            for token in tokens {
                import.add(&mut overlay, token, on_clash)?;
            }
            import
        };
        // Not before: whoever is told may find, and the index was kept still until here.
        let mut meter = self.progress.start(len_min);
        for token in tokens {
            meter.step_by(len(token));
        }
        if let (OnClash::Refuse, Some(id)) = (on_clash, first_clash) {
            return Err(Error::IdTaken { id, count: report.clashes });
        }
        if compacting.is_none() || plan.frame_len() <= FRAME_LEN_MAX.into() {
            turn.carry_out(&plan)?;
            return Ok(report);
        }
        let counters = Counters { next_id: plan.next_id, next_revision: plan.next_revision };
        let puts = plan.operations.iter().filter_map(|planned| match planned {
            Planned::Put { row, .. } => Some(row.as_ref()),
            Planned::Delete(_) | Planned::Clear => None,
        });
        // Of several for one row the last one stays.
        let changed = rows.into_iter().zip(puts).collect();
        let rewrite = Rewrite { counters, changed, ..Rewrite::nothing(self) };
        let compacted = self.rewrite(&mut turn, &rewrite)?;
        drop(turn);
        trace::compacted(&self.log_path, &compacted);
        Ok(report)
    }
}

impl Import {
    /// No row that comes without an id may get one that another row brings.
    fn reserve(&mut self, tokens: &[Token]) {
        for id in tokens.iter().filter_map(Token::id) {
            self.plan.next_id = matching::next_id_after(id, self.plan.next_id);
        }
    }

    fn add(&mut self, overlay: &mut Overlay<'_>, token: &Token, on_clash: OnClash) -> Result<()> {
        token.check_limits()?;
        let occupied = match token.id() {
            Some(id) => overlay.select(Selector::Column(Column::Id, id))?,
            None => None,
        };
        if let (Some(_), Some(id)) = (&occupied, token.id()) {
            self.report.clashes += 1;
            self.first_clash.get_or_insert_with(|| id.to_owned());
        }
        let (place, id) = match (occupied, on_clash) {
            (Some(_), OnClash::Refuse | OnClash::Keep) => return Ok(()),
            (Some(_), OnClash::Renumber) => (None, None),
            (Some(occupied), OnClash::Replace) => (Some(occupied), token.id()),
            (None, _) => (None, token.id()),
        };
        let free_id = if id.is_none() { self.plan.free_id(overlay)? } else { self.plan.next_id };
        let number = free_id.to_string();
        let stamp = Stamp { now_ms: self.plan.now_ms, revision: self.plan.next_revision };
        let before = place.as_ref().map(|(_, before)| before.as_ref());
        let row = Arc::new(matching::replace(token, id.unwrap_or(&number), before.map(Token::view).as_ref(), stamp)?);
        let len = record::checked_len(&row.view()).map_err(refused)?;
        let free = overlay.check_keys(before, &row, Columns::default())?;
        self.plan.next_revision += 1;
        self.plan.next_id = match id {
            Some(id) => matching::next_id_after(id, self.plan.next_id),
            None => free_id + 1,
        };
        let replaces = place.as_ref().and_then(|(row, before)| Some((overlay.standing(*row)?, before.clone())));
        self.rows.push(overlay.put(place, row.clone()));
        self.plan.push(Planned::Put { row, replaces, free, room: Room::Ordinary }, len);
        self.report.imported += 1;
        Ok(())
    }
}
