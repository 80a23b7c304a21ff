//! Saving, deleting, clearing: plan against an overlay, write one frame, sync, show it, acknowledge.
//!
//! Nothing is shown before it is durable, and a call that fails has changed nothing: not the rows, not the counters.

use std::io;
use std::sync::Arc;

use super::lock_file::State;
use super::{Engine, Writer};
use crate::error::{Error, Result};
use crate::format::frame::Kind;
use crate::format::operation::Operation;
use crate::format::record;
use crate::format::slot::Slot;
use crate::index::Index;
use crate::log::append::{AppendError, FrameHead, Room, refused};
use crate::log::{Location, append};
use crate::matching::{self, Stamp};
use crate::overlay::Overlay;
use crate::token::Token;
use crate::trace;

/// What a caller asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Request<'a> {
    /// Save, if the row is at this revision (0: if there is none).
    Save(&'a Token, Option<u64>),
    /// Delete the row with this id.
    Delete(&'a str),
    /// Delete all rows.
    Clear,
}

/// What became of a request.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// The row as stored.
    Saved(Token),
    /// Whether there was something to delete.
    Deleted(bool),
}

enum Planned {
    Put(Token),
    Delete(String),
    Clear,
}

/// Operations that are to become a frame, and the counters after them.
struct Plan {
    operations: Vec<Planned>,
    outcomes: Vec<Outcome>,
    next_id: u64,
    next_revision: u64,
    now_ms: u64,
    /// Whether a later request may want to see what this one does.
    more_follow: bool,
}

impl Engine {
    /// Does all of the requests, in order, or none. Durable and visible when it returns.
    pub(crate) fn commit(&self, requests: &[Request<'_>]) -> Result<Vec<Outcome>> {
        let mut writer = self.writer()?;
        if writer.poisoned {
            return Err(Error::Poisoned { path: self.log_path.clone() });
        }
        self.heal(&writer)?;
        let plan = self.plan(&writer, requests)?;
        if plan.operations.is_empty() {
            return Ok(plan.outcomes);
        }
        // Until this has ended well, a panic leaves a writer that nobody may trust.
        writer.poisoned = true;
        let written = self.write(&mut writer, plan);
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
        let link = writer.appender.link();
        let mut plan = Plan {
            operations: Vec::with_capacity(requests.len()),
            outcomes: Vec::with_capacity(requests.len()),
            next_id: link.next_id,
            next_revision: link.next_revision,
            now_ms: self.storage.now_ms(),
            more_follow: requests.len() > 1,
        };
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

impl Plan {
    fn save(&mut self, overlay: &mut Overlay<'_>, token: &Token, expected: Option<u64>) -> Result<Outcome> {
        record::check_limits(&token.view()).map_err(refused)?;
        let selector = matching::selector_for_save(token)?;
        let row = overlay.select(selector)?;
        let found = row.as_ref().and_then(|(_, before)| before.revision());
        if let Some(expected) = expected.filter(|expected| *expected != found.unwrap_or(0)) {
            return Err(Error::Conflict { expected, found });
        }
        let mut new_id = self.next_id;
        // The counter leaves out ids of 19 digits and more that a caller chose.
        while row.is_none() && token.id().is_none() && overlay.has_id(&new_id.to_string())? {
            new_id += 1;
        }
        let stamp = Stamp { now_ms: self.now_ms, revision: self.next_revision, new_id };
        let before = row.as_ref().map(|(_, before)| before.view());
        let merged = matching::merge(token, before.as_ref(), stamp)?;
        record::check_limits(&merged.view()).map_err(refused)?;
        overlay.check_keys(row.as_ref().map(|(_, before)| before), &merged)?;
        self.next_revision += 1;
        self.next_id = matching::next_id_after(merged.id().unwrap_or_default(), self.next_id);
        if row.is_none() && token.id().is_none() {
            self.next_id = self.next_id.max(new_id + 1);
        }
        if self.more_follow {
            overlay.put(row.map(|(row, _)| row), merged.clone());
        }
        self.operations.push(Planned::Put(merged.clone()));
        Ok(Outcome::Saved(merged))
    }

    fn delete(&mut self, overlay: &mut Overlay<'_>, id: &str) -> Result<Outcome> {
        let selector = matching::selector_for_delete(id);
        let Some((row, _)) = overlay.select(selector)? else { return Ok(Outcome::Deleted(false)) };
        overlay.delete(row);
        self.next_revision += 1;
        self.operations.push(Planned::Delete(id.to_owned()));
        Ok(Outcome::Deleted(true))
    }

    fn clear(&mut self, overlay: &mut Overlay<'_>) -> Outcome {
        if overlay.is_empty() {
            return Outcome::Deleted(false);
        }
        overlay.clear();
        self.next_revision += 1;
        self.operations.push(Planned::Clear);
        Outcome::Deleted(true)
    }
}

impl Planned {
    fn with_operation<R>(&self, f: impl FnOnce(&Operation<'_>) -> R) -> R {
        match self {
            Self::Put(token) => f(&Operation::Put(token.view())),
            Self::Delete(id) => f(&Operation::Delete(id)),
            Self::Clear => f(&Operation::Clear),
        }
    }

    /// So that the frame is built without growing, which would leave copies of secrets behind.
    fn len_max(&self) -> u64 {
        const AROUND: u64 = 32;
        AROUND
            + match self {
                Self::Put(token) => record::encoded_len(&token.view()),
                Self::Delete(id) => id.len() as u64,
                Self::Clear => 0,
            }
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
