//! Callers that write at the same time: one of them leads and does the work of all who wait, then hands over.
//!
//! Knows nothing of what a call is or does. Whoever arrives while nobody leads, leads; whoever arrives later takes a seat,
//! and gets either its answer or the lead. A leader that gives up, by an error or a panic, hands over all the same.
//!
//! All who are answered together wait at one gate, and are woken by one call of the system: one after the other they would
//! keep the processors busy for longer than the next leader's sync takes. Whoever comes first, and so is to lead next, has a
//! gate of its own; so has, from then on, who was woken for nothing: else each of many leaders that give up would wake all.

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
    /// Where all wait who come now, but for the first.
    gate: Arc<Gate>,
}

/// A call that waits.
pub(super) struct Seat<C, A> {
    pub(super) call: C,
    lot: Mutex<Lot<A>>,
}

/// What becomes of a call, and where its caller waits to be told.
struct Lot<A> {
    /// `None`: not decided, or told.
    fate: Option<Fate<A>>,
    gate: Arc<Gate>,
}

/// What callers wait at. It says nothing of their fate, so that it may be opened for some of them alone.
#[derive(Default)]
struct Gate {
    crowd: Mutex<()>,
    opened: Condvar,
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
        Self { line: Mutex::new(Line { seats: VecDeque::new(), is_led: false, gate: Arc::default() }) }
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
        let seat = {
            let mut line = self.line.lock();
            let gate = if line.seats.is_empty() { Arc::default() } else { line.gate.clone() };
            let seat = Arc::new(Seat { call, lot: Mutex::new(Lot { fate: None, gate }) });
            if !line.is_led {
                line.is_led = true;
                return Place::Leads(Leader { queue: self }, seat);
            }
            line.seats.push_back(seat.clone());
            seat
        };
        match seat.wait() {
            Fate::Answered(answer) => Place::Answered(answer),
            Fate::Lead => Place::Leads(Leader { queue: self }, seat),
        }
    }
}

/// Answers calls, and wakes those who wait for them.
pub(super) fn answer<C, A>(answers: impl Iterator<Item = (Arc<Seat<C, A>>, A)>) {
    let mut gates: Vec<Arc<Gate>> = Vec::new();
    for (seat, answer) in answers {
        let gate = seat.decide(Fate::Answered(answer));
        if gates.last().is_none_or(|last| !Arc::ptr_eq(last, &gate)) {
            gates.push(gate);
        }
    }
    for gate in gates {
        gate.open();
    }
}

impl<C, A> Seat<C, A> {
    fn wait(&self) -> Fate<A> {
        let mut gate = self.lot.lock().gate.clone();
        loop {
            let crowd = gate.crowd.lock();
            if let Some(fate) = self.lot.lock().fate.take() {
                return fate;
            }
            drop(gate.opened.wait(crowd));
            let mut lot = self.lot.lock();
            if let Some(fate) = lot.fate.take() {
                return fate;
            }
            lot.gate = Arc::default();
            gate = lot.gate.clone();
        }
    }

    /// Says what becomes of the call; returns the gate to open.
    fn decide(&self, fate: Fate<A>) -> Arc<Gate> {
        let mut lot = self.lot.lock();
        lot.fate = Some(fate);
        lot.gate.clone()
    }
}

impl Gate {
    /// Wakes all who wait, to see whether their fate is decided.
    fn open(&self) {
        // Whoever has looked and is about to wait holds this: without it the call would come too early.
        drop(self.crowd.lock());
        self.opened.notify_all();
    }
}

impl<C, A> Leader<'_, C, A> {
    /// All who wait now, in the order in which they came. They have to be answered, or put back.
    pub(super) fn take(&self) -> VecDeque<Arc<Seat<C, A>>> {
        let mut line = self.queue.line.lock();
        line.gate = Arc::default();
        std::mem::take(&mut line.seats)
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
            next.decide(Fate::Lead).open();
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::thread;

    use super::*;

    /// Answers come from whoever leads, or from oneself; a leader may give up before it takes anybody, or put some back.
    #[test]
    fn everybody_gets_an_answer_or_the_lead_whatever_leaders_do() {
        let queue = Queue::<u32, u32>::new();
        let call = |number: u32| {
            let (leader, own) = match queue.try_lead() {
                Some(leader) => (leader, number),
                None => match queue.wait(number) {
                    Place::Answered(answer) => return answer,
                    Place::Leads(leader, seat) => (leader, seat.call),
                },
            };
            // Others come meanwhile.
            thread::yield_now();
            let taken = match number % 3 {
                0 => return own + 1,
                part => part as usize,
            };
            let mut seats = leader.take();
            leader.put_back(seats.drain(seats.len() / taken..));
            drop(leader);
            answer(seats.into_iter().map(|seat| (seat.clone(), seat.call + 1)));
            own + 1
        };
        thread::scope(|scope| {
            for thread in 0..16 {
                scope.spawn(move || {
                    for number in 500 * thread..500 * (thread + 1) {
                        assert_eq!(call(number), number + 1);
                    }
                });
            }
        });
        assert!(queue.try_lead().is_some(), "nobody has kept the lead");
    }
}
