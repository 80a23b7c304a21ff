//! Callers that write at the same time: one of them leads and does the work of all who wait, then hands over.
//!
//! Knows nothing of what a call is or does. Whoever arrives while nobody leads, leads; whoever arrives later takes a seat,
//! and gets either its answer or the lead. A leader that gives up, by an error or a panic, hands over all the same.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::sync::{Condvar, Mutex};

/// Calls of type `C` that are answered by an `A`.
pub(super) struct Queue<C, A> {
    line: Mutex<Line<C, A>>,
}

struct Line<C, A> {
    seats: VecDeque<Arc<Seat<C, A>>>,
    is_led: bool,
}

/// A call that waits.
pub(super) struct Seat<C, A> {
    pub(super) call: C,
    fate: Mutex<Option<Fate<A>>>,
    decided: Condvar,
}

enum Fate<A> {
    Lead,
    Answered(A),
}

/// What became of a call that waited.
pub(super) enum Place<'a, C, A> {
    /// It is to lead, and to see to itself.
    Leads(Leader<'a, C, A>, Arc<Seat<C, A>>),
    /// Somebody else has done it.
    Answered(A),
}

/// The one who works for all.
pub(super) struct Leader<'a, C, A> {
    queue: &'a Queue<C, A>,
}

impl<C, A> Queue<C, A> {
    pub(super) fn new() -> Self {
        Self { line: Mutex::new(Line { seats: VecDeque::new(), is_led: false }) }
    }

    /// The lead, if nobody has it.
    pub(super) fn try_lead(&self) -> Option<Leader<'_, C, A>> {
        let mut line = self.line.lock();
        if line.is_led {
            return None;
        }
        line.is_led = true;
        Some(Leader { queue: self })
    }

    /// Waits until the call is answered or has to lead.
    pub(super) fn wait(&self, call: C) -> Place<'_, C, A> {
        let seat = Arc::new(Seat { call, fate: Mutex::new(None), decided: Condvar::new() });
        {
            let mut line = self.line.lock();
            if !line.is_led {
                line.is_led = true;
                return Place::Leads(Leader { queue: self }, seat);
            }
            line.seats.push_back(seat.clone());
        }
        let mut fate = seat.fate.lock();
        loop {
            match fate.take() {
                Some(Fate::Answered(answer)) => return Place::Answered(answer),
                Some(Fate::Lead) => break,
                None => fate = seat.decided.wait(fate),
            }
        }
        drop(fate);
        Place::Leads(Leader { queue: self }, seat)
    }
}

impl<C, A> Seat<C, A> {
    pub(super) fn answer(&self, answer: A) {
        self.decide(Fate::Answered(answer));
    }

    fn decide(&self, fate: Fate<A>) {
        *self.fate.lock() = Some(fate);
        self.decided.notify_one();
    }
}

impl<C, A> Leader<'_, C, A> {
    /// All who wait now, in the order in which they came. They have to be answered, or put back.
    pub(super) fn take(&self) -> VecDeque<Arc<Seat<C, A>>> {
        std::mem::take(&mut self.queue.line.lock().seats)
    }

    /// They come first next time.
    pub(super) fn put_back(&self, seats: impl DoubleEndedIterator<Item = Arc<Seat<C, A>>>) {
        let mut line = self.queue.line.lock();
        seats.rev().for_each(|seat| line.seats.push_front(seat));
    }
}

impl<C, A> Drop for Leader<'_, C, A> {
    fn drop(&mut self) {
        let next = {
            let mut line = self.queue.line.lock();
            let next = line.seats.pop_front();
            line.is_led = next.is_some();
            next
        };
        if let Some(next) = next {
            next.decide(Fate::Lead);
        }
    }
}
