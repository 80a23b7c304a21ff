//! Saving, deleting, clearing: plan against an overlay, write one frame, sync, show it, acknowledge.
//!
//! Nothing is shown before it is durable, and a call that fails has changed nothing: not the rows, not the counters.

use std::io;
use std::sync::Arc;

use parking_lot::MutexGuard;

use super::lock_file::State;
use super::plan::{Outcome, Plan, Planned, Request};
use super::{Engine, Writer};
use crate::error::{Error, Result};
use crate::format::frame::Kind;
use crate::format::slot::Slot;
use crate::index::Index;
use crate::log::append::{AppendError, FrameHead, Room, refused};
use crate::log::{Location, append};
use crate::overlay::Overlay;
use crate::trace;

impl Engine {
    /// Does all of the requests, in order, or none. Durable and visible when it returns.
    pub(crate) fn commit(&self, requests: &[Request<'_>]) -> Result<Vec<Outcome>> {
        let mut writer = self.trusted_writer()?;
        let plan = self.plan(&writer, requests)?;
        self.carry_out(&mut writer, plan)
    }

    /// The writer, if what it appends can be trusted.
    pub(super) fn trusted_writer(&self) -> Result<MutexGuard<'_, Writer>> {
        let writer = self.writer()?;
        if writer.poisoned {
            return Err(Error::Poisoned { path: self.log_path.clone() });
        }
        self.heal(&writer)?;
        Ok(writer)
    }

    /// Makes the plan durable, in one frame, and shows it.
    pub(super) fn carry_out(&self, writer: &mut Writer, plan: Plan) -> Result<Vec<Outcome>> {
        if plan.operations.is_empty() {
            return Ok(plan.outcomes);
        }
        // Until this has ended well, a panic leaves a writer that nobody may trust.
        writer.poisoned = true;
        let written = self.write(writer, plan);
        writer.poisoned = matches!(written, Err((_, Trust::Lost)));
        if writer.poisoned {
            writer.lock_file.set_sync_failed(true);
            trace::poisoned(&self.log_path);
        }
        written.map_err(|(error, _)| error)
    }

    fn plan(&self, writer: &Writer, requests: &[Request<'_>]) -> Result<Plan> {
        let shared = self.shared()?;
        shared.index.check_room(requests.len())?;
        let mut overlay = Overlay::new(&shared.index, &shared.source);
        let mut plan = Plan::new(writer, requests.len(), self.storage.now_ms());
        for request in requests {
            let outcome = match request {
                Request::Save(token, expected) => plan.save(&mut overlay, token, *expected)?,
                Request::Delete(id) => plan.delete(&mut overlay, id)?,
                Request::Clear => plan.clear(&mut overlay),
            };
            plan.outcomes.push(outcome);
        }
        Ok(plan)
    }

    fn write(&self, writer: &mut Writer, plan: Plan) -> Result<Vec<Outcome>, (Error, Trust)> {
        let kept = |error| (error, Trust::Kept);
        writer.check_current(self).map_err(kept)?;
        let body_len: u64 = plan.operations.iter().map(Planned::len_max).sum();
        let mut frame = writer.appender.frame(usize::try_from(body_len).unwrap_or(0));
        let mut places = Vec::with_capacity(plan.operations.len());
        for planned in &plan.operations {
            let place = planned.with_operation(|operation| frame.push(operation));
            let (offset, len) = place.map_err(|error| kept(refused(error)))?;
            places.push(Location::new(offset, len).ok_or_else(|| kept(append::log_full(offset)))?);
        }
        let room = if plan.operations.iter().any(|planned| matches!(planned, Planned::Put(_))) {
            Room::Ordinary
        } else {
            Room::Reserve
        };
        let head = FrameHead {
            kind: Kind::Commit,
            time_ms: plan.now_ms,
            next_id: plan.next_id,
            next_revision: plan.next_revision,
        };
        let appender = &mut writer.appender;
        appender.make_room(frame.len(), room).map_err(trust)?;
        writer.lock_file.set_intent_end(appender.end() + frame.len());
        appender.commit(frame, head).map_err(trust)?;
        // Durable from here on; it only remains to say so.
        writer.lock_file.write_slot(&writer.slot());
        let shown = self.show(writer, &plan, &places);
        // If a record in the way could not be read just now: the log has all that is needed, now or at the next call.
        shown.or_else(|_| self.rebuild(writer)).map_err(|error| {
            let (path, source) = (self.log_path.clone(), Arc::new(io::Error::other(error)));
            kept(Error::OutcomeUnknown { path, source })
        })?;
        trace::committed(&self.log_path, plan.operations.len(), writer.appender.end());
        writer.lock_file.publish(&writer.state());
        writer.lock_file.sync_now_and_then(plan.now_ms);
        Ok(plan.outcomes)
    }

    fn show(&self, writer: &Writer, plan: &Plan, places: &[Location]) -> Result<()> {
        let end = writer.appender.end();
        // Large, and nobody should wait for it to be let go.
        let mut cleared = Vec::new();
        self.publish(|shared| {
            if let Some(longer) = shared.source.publish(end)? {
                shared.source = Arc::new(longer);
            }
            for (planned, at) in plan.operations.iter().zip(places) {
                match planned {
                    Planned::Put(token) => shared.index.put(&shared.source, *at, &token.view())?,
                    Planned::Delete(id) => drop(shared.index.delete(&shared.source, id)?),
                    Planned::Clear => cleared.push(std::mem::replace(&mut shared.index, Index::new())),
                }
            }
            Ok(())
        })
    }
}

/// Whether the log may be appended to after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    Kept,
    Lost,
}

fn trust(error: AppendError) -> (Error, Trust) {
    match error {
        AppendError::Undone(error) => (error, Trust::Kept),
        AppendError::Unknown(error) => (error, Trust::Lost),
    }
}

impl Writer {
    /// Whether the files are still the ones that were opened: what is written to a removed file is lost.
    pub(super) fn check_current(&self, engine: &Engine) -> Result<()> {
        let directory = engine.directory.as_ref();
        self.log_lock.check_current(directory)?;
        self.open_lock.as_ref().map_or(Ok(()), |lock| lock.check_current(directory))
    }

    /// What the last sync of the log proved.
    pub(super) fn slot(&self) -> Slot {
        let link = self.appender.link();
        Slot {
            uuid: self.header.uuid,
            generation: self.header.generation,
            watermark: self.appender.end(),
            next_id: link.next_id,
            next_revision: link.next_revision,
        }
    }

    /// What the other processes see.
    pub(super) fn state(&self) -> State {
        let link = self.appender.link();
        State {
            generation: self.header.generation,
            durable_end: self.appender.end(),
            next_sequence: link.sequence + 1,
            next_id: link.next_id,
            next_revision: link.next_revision,
        }
    }
}
