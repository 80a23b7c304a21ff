//! Saving, deleting, clearing: the calls of all who wait, planned against an overlay, become one frame; it is written,
//! synced, shown, and then everybody is told.
//!
//! Nothing is shown before it is durable, and a call that fails has changed nothing: not the rows, not the counters.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::meters::{Count, Timed};
use super::plan::{Outcome, Plan, Planned, Request};
use super::queue::{self, Leader, Place, Seat};
use super::turn::Turn;
use super::{Engine, Shared};
use crate::error::{Error, Result};
use crate::format::frame::Kind;
use crate::index::Index;
use crate::log::Location;
use crate::log::append::{AppendError, FrameHead, Room, refused};
use crate::overlay::Overlay;
use crate::trace;

/// What a call is told.
pub(super) type Answer = Result<Vec<Outcome>>;
pub(super) type Call = Vec<Request<'static>>;

impl Engine {
    /// Does all of the requests, in order, or none. Durable and visible when it returns.
    pub(crate) fn commit(&self, requests: &[Request<'_>]) -> Answer {
        let start = self.storage.clock();
        let answer = self.commit_from(requests, start);
        self.meters.count(if answer.is_ok() { Count::Writes } else { Count::WriteFailures });
        self.meters.time(Timed::Write, self.storage.clock().saturating_sub(start));
        if answer.is_ok() {
            self.forget_obsolete();
        }
        answer
    }

    fn commit_from(&self, requests: &[Request<'_>], start: Duration) -> Answer {
        self.check_usable()?;
        requests.iter().try_for_each(Request::check_limits)?;
        if let Some(leader) = self.queue.try_lead() {
            return self.lead(leader, requests, start);
        }
        match self.queue.wait(requests.iter().map(Request::to_static).collect()) {
            Place::Answered(answer) => answer,
            Place::Leads(leader, seat) => self.lead(leader, &seat.call, start),
        }
    }

    /// Does the leader's own call and those of all who wait by then.
    fn lead(&self, leader: Leader<'_, Call, Answer>, own: &[Request<'_>], start: Duration) -> Answer {
        let mut turn = self.take_turn_to_append(start, None)?;
        let mut waiting = Waiting { engine: self, seats: leader.take() };
        let others = waiting.seats.iter().map(|seat| seat.call.as_slice());
        let calls: Vec<_> = std::iter::once(own).chain(others).collect();
        let Batch { mut answers, done, poisoned, plan } = turn.commit_calls(&calls);
        drop(calls);
        drop(turn);
        let own = answers.pop_front().expect("the first call is never put off");
        leader.put_back(waiting.seats.drain(answers.len()..));
        // The next one's write goes on while we wake those who are done.
        drop(leader);
        // It shares the answers, which are handed out as they are by whoever has them alone.
        drop(plan);
        queue::answer(waiting.seats.drain(..answers.len()).zip(answers));
        if let Some((operations, end)) = done {
            trace::committed(&self.log_path, operations, end);
        }
        if poisoned {
            trace::poisoned(&self.log_path);
        }
        own
    }
}

/// Calls that somebody has taken on. Whatever happens to them, they are answered.
struct Waiting<'a> {
    engine: &'a Engine,
    seats: VecDeque<Arc<Seat<Call, Answer>>>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        // Only a panic leaves any.
        let poisoned = || Err(Error::Poisoned { path: self.engine.log_path.clone() });
        queue::answer(self.seats.drain(..).map(|seat| (seat, poisoned())));
    }
}

/// Answers to as many calls as were done, in order; what was written last; whether a sync has failed.
struct Batch {
    answers: VecDeque<Answer>,
    done: Option<(usize, u64)>,
    poisoned: bool,
    /// What was carried out: letting go of it takes a while, and need not be waited for by the next leader.
    plan: Option<Plan>,
}

impl Batch {
    fn of(answers: VecDeque<Answer>) -> Self {
        Self { answers, done: None, poisoned: false, plan: None }
    }
}

/// A plan for several calls.
struct Planning {
    plan: Plan,
    /// As many as there was room for.
    calls: Vec<PlannedCall>,
}

/// A call, and what it is to be told if the plan can be carried out.
struct PlannedCall {
    answer: Answer,
    has_operations: bool,
}

impl Turn<'_> {
    /// Does as many calls, from the first, as there is room for in a frame.
    fn commit_calls(&mut self, calls: &[&[Request<'_>]]) -> Batch {
        let planned = match self.plan(calls) {
            Ok(planned) => planned,
            Err(error) => return Batch::of(calls.iter().map(|_| Err(error.clone())).collect()),
        };
        let Planning { plan, calls: planned } = planned;
        let Err(error) = self.carry_out(&plan) else {
            let done = (!plan.operations.is_empty()).then(|| (plan.operations.len(), self.writer.appender.end()));
            let answers = planned.into_iter().map(|call| call.answer).collect();
            return Batch { done, plan: Some(plan), ..Batch::of(answers) };
        };
        let poisoned = self.engine.lock_file.page.sync_failed();
        // Also durable, and not to be shown just now: in both cases it may be there, and is not done again.
        if poisoned || matches!(error, Error::OutcomeUnknown { .. }) {
            let answer = |(planned, call): (PlannedCall, &&[Request<'_>])| match planned.answer {
                Ok(_) if planned.has_operations => Err(error.clone()),
                Ok(_) => self.answer_alone(call),
                refused => refused,
            };
            return Batch { poisoned, ..Batch::of(planned.into_iter().zip(calls).map(answer).collect()) };
        }
        if let [_] = planned.as_slice() {
            return Batch::of([planned.into_iter().next().expect("one").answer.and(Err(error))].into());
        }
        // Nothing has happened. Each by itself, so that an error reaches the one whom it concerns: on a full disk those
        // who delete have room of their own.
        let mut all = Batch::of(VecDeque::with_capacity(planned.len()));
        for call in &calls[..planned.len()] {
            if all.poisoned {
                // A sync has failed meanwhile: nothing more is written.
                all.answers.push_back(self.answer_alone(call));
                continue;
            }
            let Batch { answers, done, poisoned, .. } = self.commit_calls(std::slice::from_ref(call));
            all.answers.extend(answers);
            all.done = done.or(all.done);
            all.poisoned |= poisoned;
        }
        all
    }

    /// What a call would be told that finds nothing to write; nothing may be written any more.
    fn answer_alone(&self, call: &[Request<'_>]) -> Answer {
        let Planning { plan, mut calls } = self.plan(&[call])?;
        if plan.operations.is_empty() {
            return calls.pop().expect("one call").answer;
        }
        Err(Error::Poisoned { path: self.engine.log_path.clone() })
    }

    fn plan(&self, calls: &[&[Request<'_>]]) -> Result<Planning> {
        let engine = self.engine;
        let shared = engine.shared()?;
        let mut overlay = Overlay::new(&shared.index, &shared.source);
        let count = calls.iter().copied().map(<[_]>::len).sum();
        let mut plan = Plan::new(self.writer.appender.link(), count, engine.storage.now_ms());
        let mut planned = Vec::with_capacity(calls.len());
        for call in calls {
            let operations = plan.operations.len();
            let answer = match plan.call(&mut overlay, call) {
                Ok(None) => break,
                Ok(Some(outcomes)) => Ok(outcomes),
                Err(error) => Err(error),
            };
            planned.push(PlannedCall { answer, has_operations: plan.operations.len() > operations });
        }
        Ok(Planning { plan, calls: planned })
    }

    /// Makes the plan durable, in one frame, and shows it.
    pub(super) fn carry_out(&mut self, plan: &Plan) -> Result<()> {
        if plan.operations.is_empty() {
            return Ok(());
        }
        // Until this has ended well, a panic leaves a handle that nobody may trust.
        self.writer.poisoned = true;
        let written = self.write(plan);
        self.writer.poisoned = false;
        if matches!(written, Err((_, Trust::Lost))) {
            self.engine.lock_file.page.set_sync_failed(true);
        }
        written.map_err(|(error, _)| error)
    }

    fn write(&mut self, plan: &Plan) -> Result<(), (Error, Trust)> {
        let kept = |error| (error, Trust::Kept);
        let engine = self.engine;
        let page = &engine.lock_file.page;
        let appender = &mut self.writer.appender;
        let mut frame =
            appender.frame(engine.storage.as_ref(), usize::try_from(plan.frame_len()).unwrap_or(0)).map_err(kept)?;
        let source = engine.shared().map_err(kept)?.source.share();
        let mut places = Vec::with_capacity(plan.operations.len());
        for planned in &plan.operations {
            let place = planned.with_operation(|operation| frame.push(operation));
            let (offset, len) = place.map_err(|error| kept(refused(error)))?;
            places.push(source.place(offset, len).map_err(kept)?);
        }
        let is_ordinary = |planned: &Planned| matches!(planned, Planned::Put { room: Room::Ordinary, .. });
        let room = if plan.operations.iter().any(is_ordinary) { Room::Ordinary } else { Room::Reserve };
        let head = FrameHead {
            kind: Kind::Commit,
            time_ms: plan.now_ms,
            next_id: plan.next_id,
            next_revision: plan.next_revision,
        };
        appender.make_room(frame.len(), room).map_err(trust)?;
        page.set_intent_end(appender.end() + frame.len());
        let start = engine.storage.clock();
        let committed = appender.commit(frame, head);
        engine.meters.count(Count::Syncs);
        engine.meters.time(Timed::Sync, engine.storage.clock().saturating_sub(start));
        if let Err(error) = committed {
            let (error, trust) = trust(error);
            if trust == Trust::Kept {
                page.set_intent_end(appender.end());
            }
            return Err((error, trust));
        }
        // Durable from here on; it only remains to say so.
        let mut tip = engine.tip.lock();
        (tip.end, tip.link) = (appender.end(), appender.link());
        engine.lock_file.write_slot(&tip.slot());
        let state = tip.state(page.state().1.swap);
        // If a record in the way could not be read just now: the log has all that is needed, now or at the next call.
        let mut cleared = Vec::new();
        let shown = engine.publish(|shared| {
            let applied = shared.apply(plan, &places, tip.end, &mut cleared);
            shared.version = page.publish(&state);
            applied
        });
        let shown = shown.or_else(|_| engine.rebuild(&tip));
        drop(tip);
        engine.lock_file.sync_now_and_then(plan.now_ms);
        shown.map_err(|error| {
            let (path, source) = (engine.log_path.clone(), Arc::new(io::Error::other(error)));
            kept(Error::OutcomeUnknown { path, source })
        })
    }
}

impl Shared {
    /// `cleared` is large, and nobody should wait for it to be let go.
    fn apply(&mut self, plan: &Plan, places: &[Location], end: u64, cleared: &mut Vec<Index>) -> Result<()> {
        if let Some(longer) = self.source.publish(end)? {
            self.source = longer.into();
        }
        for (planned, at) in plan.operations.iter().zip(places) {
            match planned {
                // Another thread may have put a newer generation's index in place of the one that this was planned on.
                Planned::Put { row, replaces: Some((standing, before)), free, .. }
                    if self.index.still_stands(*standing) =>
                {
                    self.index.replace(&self.source, *at, &row.view(), standing.row, &before.view(), *free)?;
                }
                Planned::Put { row, free, .. } => self.index.put(&self.source, *at, &row.view(), *free)?,
                Planned::Delete(id) => drop(self.index.delete(&self.source, id)?),
                Planned::Clear => {
                    let empty = self.index.cleared();
                    cleared.push(std::mem::replace(&mut self.index, empty));
                }
            }
        }
        self.note_dead(plan.now_ms);
        Ok(())
    }
}

/// Whether the log may be appended to after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    Kept,
    Lost,
}

pub(super) fn trust(error: AppendError) -> (Error, Trust) {
    match error {
        AppendError::Undone(error) => (error, Trust::Kept),
        AppendError::Unknown(error) => (error, Trust::Lost),
    }
}
