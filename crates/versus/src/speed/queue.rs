//! Many threads that hand what they want written to one that writes: what an application builds in front of a store with
//! one writer, and what is left of a save if nothing is stored.
//!
//! The writer takes all that has gathered, commits it as one, and wakes those whose it was. Before it takes, it lets the
//! others run as long as more keeps coming: threads that it has just woken are about to come again, and to leave without
//! them would make two commits of one.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};

use crate::Result;

const WAITS: u8 = 0;
const WRITTEN: u8 = 1;
const FAILED: u8 = 2;

/// Loads on their way.
pub(crate) struct Queue<T> {
    line: Mutex<Line<T>>,
    changed: Condvar,
}

struct Line<T> {
    loads: Vec<T>,
    owners: Vec<Arc<Owner>>,
    is_closed: bool,
}

struct Owner {
    fate: AtomicU8,
    thread: Thread,
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        let line = Line { loads: Vec::new(), owners: Vec::new(), is_closed: false };
        Self { line: Mutex::new(line), changed: Condvar::new() }
    }

    /// Returns when the load is written.
    pub(crate) fn hand_over(&self, load: T) -> Result<()> {
        let owner = Arc::new(Owner { fate: AtomicU8::new(WAITS), thread: thread::current() });
        {
            let mut line = self.line();
            if line.is_closed {
                return Err("nobody writes any more".into());
            }
            line.loads.push(load);
            line.owners.push(owner.clone());
            if line.loads.len() == 1 {
                self.changed.notify_one();
            }
        }
        loop {
            match owner.fate.load(Ordering::Acquire) {
                WAITS => thread::park(),
                WRITTEN => return Ok(()),
                _ => return Err("the writer failed".into()),
            }
        }
    }

    /// Writes until the queue is closed, or a commit fails.
    pub(crate) fn serve(&self, mut commit: impl FnMut(Vec<T>) -> Result<()>) -> Result<()> {
        loop {
            let (loads, owners) = self.take();
            if loads.is_empty() {
                return Ok(());
            }
            let written = commit(loads);
            if written.is_err() {
                self.close();
            }
            let fate = if written.is_ok() { WRITTEN } else { FAILED };
            for owner in owners {
                owner.fate.store(fate, Ordering::Release);
                owner.thread.unpark();
            }
            written?;
        }
    }

    /// No more loads. What is under way is written.
    pub(crate) fn close(&self) {
        self.line().is_closed = true;
        self.changed.notify_one();
    }

    fn take(&self) -> (Vec<T>, Vec<Arc<Owner>>) {
        let mut line = self.line();
        while line.loads.is_empty() && !line.is_closed {
            line = self.changed.wait(line).unwrap_or_else(PoisonError::into_inner);
        }
        loop {
            let gathered = line.loads.len();
            drop(line);
            thread::yield_now();
            line = self.line();
            if line.loads.len() == gathered {
                let Line { loads, owners, .. } = &mut *line;
                return (std::mem::take(loads), std::mem::take(owners));
            }
        }
    }

    fn line(&self) -> MutexGuard<'_, Line<T>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::Queue;

    #[test]
    fn every_load_is_written_once_and_a_failure_is_everybodys() {
        let queue = Queue::new();
        let mut written = Vec::new();
        thread::scope(|scope| {
            let writer = scope.spawn(|| {
                queue.serve(|loads| {
                    let fails = loads.contains(&99);
                    written.extend(loads);
                    if fails { Err("99".into()) } else { Ok(()) }
                })
            });
            let hand_over = |from: u32| (from..from + 8).try_for_each(|load| queue.hand_over(load));
            let threads: Vec<_> = (0..8).map(|number| scope.spawn(move || hand_over(8 * number))).collect();
            assert!(threads.into_iter().all(|thread| thread.join().unwrap().is_ok()));
            assert!(queue.hand_over(99).is_err() && queue.hand_over(100).is_err());
            assert!(writer.join().unwrap().is_err());
        });
        written.sort_unstable();
        assert_eq!(written, (0..64).chain([99]).collect::<Vec<_>>());
    }
}
