//! Sweeps that cannot be done whole: on a full disk, over a damaged row, with calls that fail or a process that dies. What
//! the report names is gone, and nothing else is.
//!
//! Method: stores on the simulated storage; every call of a sweep goes wrong once, in several ways.

mod sim;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sim::{Call, Fault, Plan, Sim};
use tokcask::{
    Error, ErrorKind, LogStore, OnClash, Options, ReadMode, SweepPolicy, SweepReport, Token, TokenStore, open_on,
};

const STORE: &str = "/store";
const EIO: i32 = 5;
const ENOSPC: i32 = 28;
/// What happens to a call, and whether to later ones of its kind as well.
const FAULTS: [(Fault, bool); 4] = [
    (Fault::Errno(EIO), true),
    (Fault::Errno(EIO), false),
    (Fault::Errno(ENOSPC), true),
    (Fault::Short(ENOSPC), false),
];
const EXPIRED: SweepPolicy = SweepPolicy {
    expired_for: Some(Duration::ZERO),
    age_max: None,
    idle_max: None,
    with_refresh_token: false,
    dry_run: false,
};

fn open(sim: &Sim) -> LogStore {
    let options = Options::new().background(false).read_mode(ReadMode::Copy);
    open_on(&options, Arc::new(sim.clone()), Path::new(STORE)).unwrap()
}

/// A row whose token ended long ago.
fn over(number: u32) -> Token {
    let id = format!("over{number}");
    Token::builder().id(id).access_token(format!("fake-{number}")).expiry_time("1").build()
}

/// The same with an id of this length.
fn over_long(number: u32, id_len: usize) -> Token {
    over(number).to_builder().id(format!("{number:0>id_len$}")).build()
}

/// A row whose token goes on.
fn lasting() -> Token {
    Token::builder().id("lasting").access_token("fake-lasting").expiry_time("9999999999999").build()
}

fn ids(store: &LogStore) -> Vec<String> {
    store.get_tokens().unwrap().iter().map(|row| row.id().unwrap().to_owned()).collect()
}

fn gone(report: &SweepReport) -> Vec<String> {
    report.swept.iter().map(|row| row.id.clone()).collect()
}

#[test]
fn deletes_go_in_batches_of_bounded_length() {
    let sim = Sim::new();
    let store = open(&sim);
    let rows: Vec<_> = (0..2_000).map(over).chain((1..=3).map(|number| over_long(number, 60_000))).collect();
    store.import(&rows, OnClash::Refuse).unwrap();
    let before = store.stats().unwrap();
    assert_eq!(store.sweep(&EXPIRED).unwrap().swept.len(), 2_003);
    let after = store.stats().unwrap();
    assert_eq!((after.tokens, after.next_revision - before.next_revision), (0, 2_003), "each once");
    let frames = after.sequence - before.sequence;
    assert!((6..=9).contains(&frames), "three or so of many rows, and one for each long id: {frames}");
}

#[test]
fn on_a_full_disk_rows_go_as_far_as_the_reserve_reaches_and_the_report_says_so() {
    let sim = Sim::new();
    let store = open(&sim);
    // Ids that are long enough for the reserve to end among them.
    let rows: Vec<_> = (0..400).map(|number| over_long(number, 300)).collect();
    store.import(&rows, OnClash::Refuse).unwrap();
    sim.set_quota(Some(sim.used()));
    let full = loop {
        let filler = Token::builder().id("filler").access_token("x".repeat(900)).build();
        if let Err(error) = store.save_token(&filler) {
            break error;
        }
    };
    assert_eq!(full.kind(), ErrorKind::NoSpace);
    let before = ids(&store);
    let report = store.sweep(&EXPIRED).unwrap();
    assert_eq!(report.stopped.as_ref().map(Error::kind), Some(ErrorKind::NoSpace));
    assert!((100..400).contains(&report.swept.len()), "{} swept", report.swept.len());
    assert_eq!([gone(&report), ids(&store)].concat(), before, "the rest is there");
    assert_eq!(store.sweep(&EXPIRED).unwrap_err().kind(), ErrorKind::NoSpace, "nothing went this time");
    sim.set_quota(None);
    let rest = store.sweep(&EXPIRED).unwrap();
    assert_eq!((report.swept.len() + rest.swept.len(), rest.stopped.is_none()), (400, true));
    assert_eq!(ids(&store), ["filler"]);
}

#[test]
fn a_damaged_row_ends_a_sweep_before_anything_goes() {
    let sim = Sim::new();
    let store = open(&sim);
    store.save_tokens(&[over(1), over(2)]).unwrap();
    let damaged_at = usize::try_from(store.stats().unwrap().log_bytes).unwrap() + 100;
    store.save_token(&lasting()).unwrap();
    let mut log = sim.content(Path::new(STORE), "store.log").unwrap();
    log[damaged_at] ^= 1;
    sim.set_content(Path::new(STORE), "store.log", &log);
    for dry_run in [true, false] {
        let error = store.sweep(&SweepPolicy { dry_run, ..EXPIRED }).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
    }
    assert_eq!(store.stats().unwrap().tokens, 3);
    log[damaged_at] ^= 1;
    sim.set_content(Path::new(STORE), "store.log", &log);
    assert_eq!(gone(&store.sweep(&EXPIRED).unwrap()), ["over1", "over2"]);
}

/// A store where a sweep takes several batches, and what is there.
fn before_a_sweep() -> (Sim, LogStore, Vec<String>) {
    let sim = Sim::new();
    let store = open(&sim);
    // Each of them nearly a batch.
    let rows: Vec<_> = (1..=4).map(|number| over_long(number, 9_000)).chain([lasting()]).collect();
    store.import(&rows, OnClash::Refuse).unwrap();
    let before = ids(&store);
    (sim, store, before)
}

/// Whether `after` is `before` without some of the first rows, and those are at least `swept`.
fn is_cut(before: &[String], after: &[String], swept: usize) -> bool {
    before.ends_with(after) && after.ends_with(&["lasting".to_owned()]) && after.len() <= before.len() - swept
}

#[test]
fn without_room_for_the_file_of_leases_rows_go_all_the_same() {
    let (sim, store, before) = before_a_sweep();
    sim.set_plan(Some(Plan { sticky: true, ..Plan::next(Call::Create, Fault::Errno(ENOSPC)) }));
    assert_eq!(gone(&store.sweep(&EXPIRED).unwrap()), before[..4]);
    assert_eq!(sim.tripped(), Some(Call::Create));
}

#[test]
fn whatever_call_fails_the_report_names_what_is_gone() {
    let (sim, store, before) = before_a_sweep();
    let first = sim.calls();
    assert_eq!(gone(&store.sweep(&EXPIRED).unwrap()), before[..4]);
    let trace = sim.trace();
    let mut stopped = 0;
    for (call, kind) in (first..).zip(&trace[usize::try_from(first).unwrap()..]) {
        for (fault, sticky) in FAULTS {
            let (sim, store, _) = before_a_sweep();
            sim.set_plan(Some(Plan { call, only: None, fault, sticky }));
            let report = store.sweep(&EXPIRED);
            let name = format!("call {call}, {kind:?} fails by {fault:?}, sticky {sticky}: {report:?}");
            sim.set_plan(None);
            let (swept, error) = match &report {
                Ok(report) => (gone(report), report.stopped.as_ref()),
                Err(error) => (Vec::new(), Some(error)),
            };
            stopped += usize::from(report.as_ref().is_ok_and(|report| report.stopped.is_some()));
            // What could not be undone, or not be shown right then, may have happened all the same.
            let is_unknown = error.is_some_and(|error| error.kind() == ErrorKind::OutcomeUnknown);
            for store in [store, open(&sim.kill())] {
                let after = ids(&store);
                let is_exact = [swept.clone(), after.clone()].concat() == before;
                assert!(is_exact || (is_unknown && is_cut(&before, &after, swept.len())), "{name}: {after:?}");
            }
        }
    }
    assert!(stopped > 0, "no fault came after something was gone");
}

#[test]
fn a_process_that_dies_in_a_sweep_leaves_whole_batches_and_all_that_was_not_to_go() {
    let mut lens = Vec::new();
    for call in 0.. {
        let (sim, store, before) = before_a_sweep();
        let first = sim.calls();
        sim.set_plan(Some(Plan::at(first + call, Fault::CrashHalfway)));
        let report = store.sweep(&EXPIRED);
        if sim.tripped().is_none() {
            assert_eq!(gone(&report.unwrap()), before[..4]);
            break;
        }
        let after = ids(&open(&sim.kill()));
        assert!(is_cut(&before, &after, 0), "call {call}: {after:?}");
        lens.push(after.len());
    }
    lens.dedup();
    assert_eq!(lens, [5, 4, 3, 2, 1], "one by one");
}
