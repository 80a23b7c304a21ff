//! The simulation of several processes: what it lets happen, and what it keeps from happening.
//!
//! Method: two processes do on raw files and pages what a store must not get wrong, in every order with one pause, or two.

mod sim;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sim::{Call, Fault, Plan, Schedule, Sim, interleave};
use tokcask::storage::{Access, Directory, File, Lock, Page, Storage};

const STORE: &str = "/store";
const NAME: &str = "file";
const BYTE: u64 = 0;
const WORD: usize = 0;
const WAITED_FOR: usize = 7;
const TRY_EVERY: Duration = Duration::from_millis(1);
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// A machine with one file, and two processes.
fn machine() -> (Sim, Sim, Sim) {
    let sim = Sim::new();
    let directory = sim.create_dir(Path::new(STORE)).unwrap();
    directory.create(NAME).unwrap().write_at(&[0; 64], 0).unwrap();
    let (first, second) = (sim.process(), sim.process());
    (sim, first, second)
}

fn directory(process: &Sim) -> Arc<dyn Directory> {
    process.open_dir(Path::new(STORE)).unwrap().unwrap()
}

fn file(process: &Sim) -> Arc<dyn File> {
    directory(process).open(NAME).unwrap().unwrap()
}

fn page(process: &Sim) -> Arc<dyn Page> {
    file(process).page(64, Access::Write).unwrap()
}

fn number(sim: &Sim) -> u64 {
    page(sim).load(WORD)
}

/// Takes the lock as an engine would; says how long that took, or that it took too long.
fn lock(process: &Sim, file: &dyn File, page: &dyn Page) -> Result<Duration, Duration> {
    let start = process.clock();
    loop {
        let waited = process.clock().saturating_sub(start);
        if file.try_lock(BYTE, Lock::Exclusive).map_err(|_| waited)? {
            return Ok(waited);
        }
        if waited >= LOCK_TIMEOUT {
            return Err(waited);
        }
        page.wait(WAITED_FOR, 0, TRY_EVERY);
    }
}

/// Adds one in three calls, and has the file locked if asked to; says how long it waited.
fn add_one(process: &Sim, locked: bool) -> impl FnOnce() -> Result<Duration, Duration> + Send + 'static {
    let process = process.clone();
    move || {
        let (file, page) = (file(&process), page(&process));
        let waited = if locked { lock(&process, file.as_ref(), page.as_ref())? } else { Duration::ZERO };
        page.store(WORD, page.load(WORD) + 1);
        if locked {
            file.try_lock(BYTE, Lock::Unlocked).map_err(|_| waited)?;
        }
        Ok(waited)
    }
}

/// The same on the file's bytes, which is read, add, write.
fn append_one(process: &Sim, locked: bool) -> impl FnOnce() + Send + 'static {
    let process = process.clone();
    move || {
        let (file, page) = (file(&process), page(&process));
        if locked {
            lock(&process, file.as_ref(), page.as_ref()).unwrap();
        }
        let mut bytes = [0; 8];
        file.read_at(&mut bytes, 8).unwrap();
        file.write_at(&(u64::from_le_bytes(bytes) + 1).to_le_bytes(), 8).unwrap();
    }
}

#[test]
fn unlocked_additions_lose_one_at_exactly_one_pause_and_locked_ones_never() {
    for locked in [false, true] {
        let (mut lost, mut waited) = (Vec::new(), 0);
        for pause_at in 0.. {
            let (sim, first, second) = machine();
            let work = (add_one(&first, locked), add_one(&second, locked));
            let outcome = interleave(&sim, (&first, work.0), (&second, work.1), pause_at);
            if number(&sim) != 2 {
                lost.push(first.trace()[usize::try_from(pause_at).unwrap()]);
            }
            waited += u32::from(outcome.waited);
            if !outcome.reached {
                break;
            }
        }
        assert_eq!(lost, if locked { vec![] } else { vec![Call::Page] });
        assert_eq!(waited > 0, locked);
    }
}

#[test]
fn locks_end_with_the_opening() {
    for (locked, expected) in [(false, 1), (true, 2)] {
        let mut least = u64::MAX;
        for pause_at in 0.. {
            let (sim, first, second) = machine();
            let work = (append_one(&first, locked), append_one(&second, locked));
            let outcome = interleave(&sim, (&first, work.0), (&second, work.1), pause_at);
            let mut bytes = [0; 8];
            file(&sim).read_at(&mut bytes, 8).unwrap();
            least = least.min(u64::from_le_bytes(bytes));
            assert_eq!(first.trace().contains(&Call::Close), locked);
            if !outcome.reached {
                break;
            }
        }
        assert_eq!(least, expected);
    }
}

#[test]
fn the_same_schedule_gives_the_same_calls() {
    let run = |schedule| {
        let (sim, first, second) = machine();
        let work = (add_one(&first, true), add_one(&second, true));
        let outcome = interleave(&sim, (&first, work.0), (&second, work.1), schedule);
        (sim.trace(), first.trace(), second.trace(), sim.clock(), outcome.second_reached)
    };
    for pause_at in 0..8 {
        for then in 0..8 {
            let schedule = Schedule::at(pause_at).then(then);
            assert_eq!(run(schedule), run(schedule), "{schedule:?}");
        }
    }
    assert!(run(Schedule::at(2).then(2)).4);
}

#[test]
fn dead_process_has_no_locks_and_changes_nothing_and_the_other_goes_on() {
    let (mut died_holding, mut calls) = (0, 0..);
    for call in &mut calls {
        let (sim, first, second) = machine();
        first.set_plan(Some(Plan::at(call, Fault::Crash)));
        let work = (add_one(&first, true), add_one(&second, true));
        let died = catch(work.0);
        let before = number(&sim);
        if first.tripped().is_none() {
            assert_eq!((died, before), (Some(Ok(Duration::ZERO)), 1));
            break;
        }
        assert!(!matches!(died, Some(Ok(_))), "call {call}");
        died_holding += u32::from(first.trace().iter().filter(|call| **call == Call::Lock).count() == 1);
        assert_eq!(work.1(), Ok(Duration::ZERO));
        assert_eq!(number(&sim), before + 1);
    }
    assert!(died_holding > 0);
}

/// What it returns, unless it panics because a call fails.
fn catch<R>(work: impl FnOnce() -> R) -> Option<R> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).ok()
}

#[test]
fn process_may_die_under_another_that_waits_for_it() {
    let (sim, first, second) = machine();
    // Its calls are: directory, file, directory, file, lock, load, store, unlock.
    first.set_plan(Some(Plan::at(7, Fault::Crash)));
    let work = (add_one(&first, true), add_one(&second, true));
    let outcome = interleave(&sim, (&first, work.0), (&second, work.1), 6);
    assert!(outcome.reached && outcome.waited && outcome.first.is_err());
    assert_eq!(outcome.second, Ok(TRY_EVERY));
    assert_eq!(number(&sim), 2);
    assert!(file(&first.process()).try_lock(BYTE, Lock::Exclusive).unwrap());
}

#[test]
fn killing_a_paused_process_frees_its_locks_at_once() {
    let (sim, first, second) = machine();
    let (killed, add) = (first.clone(), add_one(&second, true));
    let work = move || {
        killed.die();
        add()
    };
    let outcome = interleave(&sim, (&first, add_one(&first, true)), (&second, work), 6);
    assert!(outcome.reached && !outcome.waited && outcome.first.is_err());
    assert_eq!(outcome.second, Ok(Duration::ZERO));
    assert_eq!(number(&sim), 1);
}

#[test]
fn who_waits_for_a_stopped_process_sees_time_pass() {
    let (sim, first, second) = machine();
    let work = (add_one(&first, true), add_one(&second, true));
    let outcome = interleave(&sim, (&first, work.0), (&second, work.1), Schedule::at(6).stopped());
    assert!(outcome.reached && outcome.waited);
    assert_eq!(outcome.second, Err(LOCK_TIMEOUT));
    assert_eq!(outcome.first, Ok(Duration::ZERO));
    assert_eq!(number(&sim), 1);
}

#[test]
fn two_who_wait_for_each_other_see_time_pass() {
    let (sim, first, second) = machine();
    let cross = |process: &Sim, own: u64, other: u64, patience: Duration| {
        let process = process.clone();
        move || {
            let file = file(&process);
            assert!(file.try_lock(own, Lock::Exclusive).unwrap());
            let start = process.clock();
            while process.clock().saturating_sub(start) < patience {
                if file.try_lock(other, Lock::Exclusive).unwrap() {
                    return true;
                }
                process.sleep(TRY_EVERY);
            }
            false
        }
    };
    // The first pauses with its own lock taken.
    let work = (cross(&first, 8, 9, LOCK_TIMEOUT), cross(&second, 9, 8, 2 * LOCK_TIMEOUT));
    let outcome = interleave(&sim, (&first, work.0), (&second, work.1), 3);
    assert!(outcome.reached && outcome.waited);
    assert_eq!((outcome.first, outcome.second), (false, true), "who gives up frees the other");
    assert!(sim.clock() >= LOCK_TIMEOUT);
}

#[test]
fn plan_of_a_process_leaves_the_others_alone() {
    let (_, first, second) = machine();
    first.set_plan(Some(Plan { call: 0, only: Some(Call::Write), fault: Fault::Errno(5), sticky: true }));
    assert!(file(&first).write_at(&[1], 0).is_err());
    assert!(file(&second).write_at(&[1], 0).is_ok());
    assert_eq!((first.tripped(), second.tripped()), (Some(Call::Write), None));
    assert_eq!(first.calls(), second.calls());
}

#[test]
fn write_of_a_dying_process_may_be_cut_short() {
    for (fault, expected) in [(Fault::Crash, [0, 0]), (Fault::CrashHalfway, [1, 0])] {
        let (sim, first, _) = machine();
        first.set_plan(Some(Plan::next(Call::Write, fault)));
        let inherited = file(&first);
        assert!(inherited.write_at(&[1, 1], 0).is_err());
        let mut bytes = [9; 2];
        file(&sim).read_at(&mut bytes, 0).unwrap();
        assert_eq!(bytes, expected);
        assert!(inherited.write_at(&[1, 1], 0).is_err() && inherited.try_lock(BYTE, Lock::Exclusive).is_err());
    }
}

#[test]
fn power_loss_ends_all_processes() {
    let (sim, first, second) = machine();
    let (ours, theirs) = (file(&first), file(&second));
    sim.set_plan(Some(Plan::next(Call::Sync, Fault::Crash)));
    assert!(ours.sync().is_err());
    assert!(theirs.write_at(&[1], 0).is_err() && theirs.is_locked(BYTE..BYTE + 1).is_err());
}

#[test]
fn opening_to_lock_is_never_mapped() {
    let (_, first, _) = machine();
    let file = directory(&first).open_to_lock(NAME, Access::Write).unwrap().unwrap();
    assert!(file.page(64, Access::Write).is_err() && file.map(64).is_err());
}
