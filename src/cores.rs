//! Work that is divided among the processors of the machine.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// More would wait for the one that takes up what they have done.
const CORES_MAX: usize = 8;

/// How many there are to use. To ask takes some microseconds.
pub(crate) fn count() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).min(CORES_MAX)
}

/// What `work` makes of each part, in order.
pub(crate) fn on_cores<T: Send, S: Default, R: Send>(
    cores: usize,
    parts: impl Iterator<Item = T> + Send,
    work: impl Fn(&mut S, T) -> R + Sync,
) -> Vec<R> {
    let mut all = Vec::new();
    let taken = in_order(cores, parts, work, |result| {
        all.push(result);
        Ok::<_, Infallible>(())
    });
    let Ok(()) = taken;
    all
}

/// Hands what `work` makes of each part to `take`, in order and on this thread, while others are at the next parts. So many
/// threads, this one among them, work at one part after the other, each with a state of its own.
///
/// # Errors
/// The first one of `take`; it gets nothing more then.
pub(crate) fn in_order<T: Send, S: Default, R: Send, E>(
    cores: usize,
    parts: impl Iterator<Item = T> + Send,
    work: impl Fn(&mut S, T) -> R + Sync,
    mut take: impl FnMut(R) -> Result<(), E>,
) -> Result<(), E> {
    let parts = Mutex::new(parts.enumerate().fuse());
    let is_over = AtomicBool::new(false);
    let next =
        || parts.lock().unwrap_or_else(PoisonError::into_inner).next().filter(|_| !is_over.load(Ordering::Relaxed));
    let (done, results) = mpsc::channel();
    let work_at_all = |done: Sender<_>| {
        let mut state = S::default();
        while let Some((number, part)) = next() {
            // Nobody waits for it any more once there was an error.
            let _ = done.send((number, work(&mut state, part)));
        }
    };
    thread::scope(|scope| {
        let spawn = |_| {
            let done = done.clone();
            // A thread that the system refuses is not needed: this one goes on until nothing is left to do.
            thread::Builder::new().spawn_scoped(scope, || work_at_all(done)).ok()
        };
        let others: Vec<_> = (1..cores).filter_map(spawn).collect();
        drop(done);
        let (mut state, mut early, mut taken) = (S::default(), BTreeMap::new(), 0);
        let outcome = loop {
            if let Some(result) = early.remove(&taken) {
                taken += 1;
                if let Err(error) = take(result) {
                    is_over.store(true, Ordering::Relaxed);
                    break Err(error);
                }
            } else if let Ok((number, result)) = results.try_recv() {
                early.insert(number, result);
            } else if let Some((number, part)) = next() {
                early.insert(number, work(&mut state, part));
            } else if let Ok((number, result)) = results.recv() {
                early.insert(number, result);
            } else {
                break Ok(());
            }
        };
        for other in others {
            other.join().unwrap_or_else(|panic| resume_unwind(panic));
        }
        outcome
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_done_once_and_answered_in_its_place() {
        for cores in [1, 2, 3, 8] {
            let done = on_cores(cores, 0..1000_u32, |before: &mut u32, part| {
                *before += 1;
                (part, *before)
            });
            assert_eq!(done.iter().map(|(part, _)| *part).collect::<Vec<_>>(), (0..1000).collect::<Vec<_>>());
            let states = done.iter().filter(|(_, number)| *number == 1).count();
            assert!((1..=cores).contains(&states), "{states} states of {cores} threads");
        }
        assert!(on_cores(2, std::iter::empty::<()>(), |(), ()| ()).is_empty());
    }

    #[test]
    fn nothing_is_taken_behind_an_error() {
        for cores in [1, 2, 8] {
            let mut taken = Vec::new();
            let work = |(): &mut (), part: u32| part * 2;
            let outcome = in_order(cores, 0..1000, work, |done| {
                taken.push(done);
                if done == 20 { Err("full") } else { Ok(()) }
            });
            assert_eq!(outcome, Err("full"));
            assert_eq!(taken, (0..=10).map(|part| part * 2).collect::<Vec<_>>());
        }
    }

    #[test]
    #[should_panic(expected = "part 7")]
    fn a_panic_of_any_thread_is_the_callers() {
        on_cores(4, 0..100, |(): &mut (), part| assert!(part != 7, "part {part}"));
    }
}
