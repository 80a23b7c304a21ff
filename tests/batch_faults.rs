//! What becomes of a batch in whose middle something fails: no call is done twice, and nothing is written after a failed
//! sync.
//!
//! Method: three saves become one batch (`one_batch`) while a fault waits for it, at one place after the other, since
//! threads do not come to the same place twice; what was answered is compared with what is there.

mod one_batch;
mod sim;

use std::thread;

use sim::{Call, Fault, Plan, Sim};
use tokcask::{ErrorKind, LogStore, TokenStore};

use one_batch::{at_once_after, kinds, open, options, token};

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// What three saves at once were told, and how many of them are there for who opens the store then.
struct Outcome {
    answers: Vec<Result<(), ErrorKind>>,
    there: usize,
    sync_failed: bool,
}

fn run(set_faults: impl Fn(&Sim, &Sim)) -> Outcome {
    let sim = Sim::new();
    let process = sim.process();
    let store = open(&process, &options());
    for user in 0..3 {
        store.save_token(&token(&format!("user{user}"), "first")).unwrap();
    }
    let save = |user: usize| -> one_batch::Call<'_> {
        Box::new(move |store: &LogStore| kinds(store.save_token(&token(&format!("user{user}"), "second"))))
    };
    let answers = at_once_after(&sim, &store, (0..3).map(save).collect(), || set_faults(&sim, &process));
    sim.set_plan(None);
    process.set_plan(None);
    let sync_failed = store.stats().is_ok_and(|stats| stats.sync_failed);
    drop(store);
    let rows = open(&sim.kill(), &options()).get_tokens().unwrap();
    let there = rows.iter().filter(|row| row.access_token().unwrap().expose_secret() == "second").count();
    Outcome { answers, there, sync_failed }
}

/// Goes on to later places until one was met: how far calls get while others wait differs from run to run.
fn met(first: u64, set_faults: impl Fn(u64, &Sim, &Sim) + Sync, is_met: impl Fn(&Outcome) -> bool) -> Vec<Outcome> {
    const PLACES: u64 = 400;
    let mut outcomes = Vec::new();
    for block in 0..10 {
        let from = first + block * PLACES;
        outcomes.extend(sweep((from..from + PLACES).step_by(4), &set_faults));
        if outcomes.iter().any(&is_met) {
            return outcomes;
        }
    }
    panic!("no run came to what is tested here");
}

/// Runs them side by side, for they mostly wait.
fn sweep(places: impl Iterator<Item = u64>, set_faults: impl Fn(u64, &Sim, &Sim) + Sync) -> Vec<Outcome> {
    let places: Vec<_> = places.collect();
    thread::scope(|scope| {
        let runs: Vec<_> = places
            .chunks(10)
            .map(|some| {
                let set_faults = &set_faults;
                let one = move |place: u64| run(|sim, process| set_faults(place, sim, process));
                scope.spawn(move || some.iter().map(|place| one(*place)).collect::<Vec<_>>())
            })
            .collect();
        runs.into_iter().flat_map(|run| run.join().unwrap()).collect()
    })
}

fn from(call: u64, only: Call, fault: Fault, sticky: bool) -> Plan {
    Plan { call, only: Some(only), fault, sticky }
}

#[test]
fn nothing_more_of_a_batch_is_written_after_a_failed_sync() {
    // The frame of all three cannot be written, so they are done one by one; then a sync fails.
    let set_faults = |place: u64, sim: &Sim, process: &Sim| {
        process.set_plan(Some(from(process.calls(), Call::Write, Fault::Short(ENOSPC), false)));
        sim.set_plan(Some(from(sim.calls() + place, Call::Sync, Fault::Errno(EIO), false)));
    };
    let unknown = |outcome: &Outcome| {
        outcome
            .answers
            .iter()
            .position(|answer| *answer == Err(ErrorKind::OutcomeUnknown))
            .filter(|_| outcome.sync_failed)
    };
    // Somebody behind the one whose sync failed.
    for outcome in met(20, set_faults, |outcome| unknown(outcome).is_some_and(|first| first < 2)) {
        if let Some(first) = unknown(&outcome) {
            assert!(outcome.answers[first..].iter().all(Result::is_err), "{:?}", outcome.answers);
        }
    }
}

#[test]
fn a_batch_that_is_durable_and_cannot_be_shown_is_not_done_again() {
    let set_faults = |place: u64, _: &Sim, process: &Sim| {
        process.set_plan(Some(from(process.calls() + place, Call::Read, Fault::Errno(EIO), true)));
    };
    let is_met = |outcome: &Outcome| outcome.there > 0 && outcome.answers.contains(&Err(ErrorKind::OutcomeUnknown));
    for Outcome { answers, there, .. } in met(40, set_faults, is_met) {
        let refused =
            |answer: &&Result<(), ErrorKind>| matches!(answer, Err(kind) if *kind != ErrorKind::OutcomeUnknown);
        assert!(there + answers.iter().filter(refused).count() <= 3, "{answers:?}, and {there} are there");
    }
}
