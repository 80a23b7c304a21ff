//! Work that is divided among the processors of the machine.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// More would wait for the one that takes up what they have done.
const CORES_MAX: usize = 8;

/// How many there are to use. To ask takes some microseconds.
pub(crate) fn count() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).min(CORES_MAX)
}

/// What `work` makes of each part, in order. So many threads take one part after the other, each with a state of its own.
pub(crate) fn on_cores<T: Send, S: Default, R: Send>(
    cores: usize,
    parts: impl Iterator<Item = T> + Send,
    work: impl Fn(&mut S, T) -> R + Sync,
) -> Vec<R> {
    let parts = Mutex::new(parts.enumerate());
    let next = || parts.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        let (mut state, mut done) = (S::default(), Vec::new());
        while let Some((number, part)) = next() {
            done.push((number, work(&mut state, part)));
        }
        done
    };
    let mut done = thread::scope(|scope| {
        // A thread that the system refuses is not needed: this one goes on until nothing is left to do.
        let spawn = |_| thread::Builder::new().spawn_scoped(scope, work).ok();
        let others: Vec<_> = (1..cores).filter_map(spawn).collect();
        let ours = work();
        let joined = others.into_iter().flat_map(|other| other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        ours.into_iter().chain(joined).collect::<Vec<_>>()
    });
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
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
}
