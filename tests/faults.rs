//! What failing calls do: nothing half-visible, nothing falsely acknowledged, and writable again when it passes.
//!
//! Method: a history runs on the simulated storage while every call in turn fails with every error number, once or
//! from then on. After each operation the store must equal a plain list that saw only the acknowledged ones. Then the
//! fault passes; what is there after reopening, and after a power loss, must be what was acknowledged, or that and an
//! operation whose error said that its outcome is unknown.

mod sim;

use std::path::Path;
use std::sync::Arc;

use sim::{Call, Damage, Fault, Plan, Sim};
use tokcask::{Error, ErrorKind, Key, ListStore, LogStore, Options, ReadMode, Result, Token, TokenStore, open_on};

const STORE: &str = "/store";
const EIO: i32 = 5;
const ENOSPC: i32 = 28;
const FAULTS: [Fault; 6] = [
    Fault::Errno(EIO),
    Fault::Errno(ENOSPC),
    Fault::Errno(122), // EDQUOT
    Fault::Errno(30),  // EROFS
    Fault::Errno(24),  // EMFILE
    Fault::Short(ENOSPC),
];

fn open(sim: &Sim) -> Result<LogStore> {
    open_on(&Options::new().background(false).read_mode(ReadMode::Copy), Arc::new(sim.clone()), Path::new(STORE))
}

fn token(number: usize) -> Token {
    // Long ones, so that few of them need an extension of the log.
    let len = if (10..90).contains(&number) { 6000 } else { 20 };
    let access_token = format!("fake-{number}-{}", "x".repeat(len));
    Token::builder().user_name(format!("user{number}")).access_token(access_token).build()
}

/// Rows, but for times.
fn rows(store: &impl TokenStore) -> Vec<(Token, Option<u64>)> {
    store.get_tokens().unwrap().into_iter().map(|token| (token.clone(), token.revision())).collect()
}

enum Step {
    Save(usize),
    Batch(usize, usize),
    Delete(&'static str),
    Clear,
    Compact,
    Backup,
}

fn apply(list: &ListStore, step: &Step) {
    match step {
        Step::Save(number) => drop(list.save_token(&token(*number)).unwrap()),
        Step::Batch(from, to) => drop(list.save_tokens(&(*from..*to).map(token).collect::<Vec<_>>()).unwrap()),
        Step::Delete(id) => drop(list.delete(id).unwrap()),
        Step::Clear => list.delete_tokens().unwrap(),
        Step::Compact | Step::Backup => {}
    }
}

fn perform(store: &LogStore, step: &Step) -> Result<()> {
    match step {
        Step::Save(number) => store.save_token(&token(*number)).map(drop),
        Step::Batch(from, to) => store.save_tokens(&(*from..*to).map(token).collect::<Vec<_>>()).map(drop),
        Step::Delete(id) => store.delete(id).map(drop),
        Step::Clear => store.delete_tokens(),
        Step::Compact => store.compact().map(drop),
        Step::Backup => store.backup("/backup").map(drop),
    }
}

fn history() -> Vec<Step> {
    use Step::{Backup, Batch, Clear, Compact, Delete, Save};
    vec![Save(1), Batch(2, 5), Save(1), Delete("2"), Batch(10, 40), Compact, Save(6), Backup, Clear, Save(7), Compact]
}

/// Where the store may be after a fault: acknowledged operations, and those whose outcome is unknown.
struct Outcome {
    acknowledged: Vec<usize>,
    unknown: Option<usize>,
}

fn states(steps: &[Step], outcome: &Outcome) -> Vec<Vec<(Token, Option<u64>)>> {
    let state = |with_unknown: bool| {
        let list = ListStore::new();
        for (number, step) in steps.iter().enumerate() {
            if outcome.acknowledged.contains(&number) || (with_unknown && outcome.unknown == Some(number)) {
                apply(&list, step);
            }
        }
        rows(&list)
    };
    vec![state(false), state(true)]
}

#[test]
fn every_call_can_fail_and_nothing_is_lost_or_half_visible() {
    let steps = history();
    let dry = Sim::new();
    let store = open(&dry).unwrap();
    for step in &steps {
        perform(&store, step).unwrap();
    }
    let (calls, trace) = (dry.calls(), dry.trace());
    drop(store);
    let mut runs = 0;
    let mut refused = std::collections::BTreeMap::new();
    for call in 0..calls {
        if trace[usize::try_from(call).unwrap()] == Call::Page {
            continue; // memory does not fail
        }
        for fault in FAULTS {
            for sticky in [false, true] {
                runs += 1;
                let kinds = fail_at(&steps, Plan { call, only: None, fault, sticky });
                for kind in kinds {
                    *refused.entry(format!("{kind:?}")).or_insert(0) += 1;
                }
            }
        }
    }
    println!("{runs} runs over {calls} calls, refusals {refused:?}");
    assert!(runs > 1000, "{runs} runs");
    for kind in ["Io", "NoSpace", "OutcomeUnknown", "Poisoned"] {
        assert!(refused.contains_key(kind), "no {kind} among {refused:?}");
    }
}

fn fail_at(steps: &[Step], plan: Plan) -> Vec<ErrorKind> {
    let sim = Sim::new();
    sim.set_plan(Some(plan));
    let mut kinds = Vec::new();
    let mut outcome = Outcome { acknowledged: Vec::new(), unknown: None };
    let list = ListStore::new();
    if let Ok(store) = open(&sim) {
        for (number, step) in steps.iter().enumerate() {
            match perform(&store, step) {
                Ok(()) => {
                    outcome.acknowledged.push(number);
                    apply(&list, step);
                }
                Err(error) => {
                    kinds.push(error.kind());
                    if error.kind() == ErrorKind::OutcomeUnknown {
                        outcome.unknown = outcome.unknown.or(Some(number));
                    }
                }
            }
            if outcome.unknown == Some(number) && sim.tripped() == Some(Call::Read) {
                break; // durable, and shown as soon as reading works
            }
            assert_eq!(sim.paused(|| rows(&store)), rows(&list), "{plan:?} after step {number}");
        }
        // The fault passes; the handle recovers by itself, or by a compaction.
        sim.set_plan(None);
        if store.save_token(&token(8)).is_err() {
            store.compact().unwrap_or_else(|error| panic!("{plan:?}: {error}"));
            store.save_token(&token(8)).unwrap_or_else(|error| panic!("{plan:?}: {error}"));
        }
        assert!(store.get(Key::UserName("user8")).unwrap().is_some());
        drop(store);
    }
    sim.set_plan(None);
    let allowed = states(steps, &outcome);
    let without_last = |mut rows: Vec<(Token, Option<u64>)>| {
        rows.retain(|(token, _)| token.user_name() != Some("user8"));
        rows
    };
    for image in [sim.kill(), sim.power_loss(Damage::Old, 1), sim.power_loss(Damage::Mixed, plan.call)] {
        let store = open(&image).unwrap_or_else(|error| panic!("{plan:?}: does not open: {error}"));
        let found = without_last(rows(&store));
        assert!(allowed.contains(&found), "{plan:?}: {found:?}, allowed {allowed:?}");
        store.save_token(&token(9)).unwrap();
    }
    kinds
}

#[test]
fn failed_sync_poisons_and_a_compaction_mends() {
    let sim = Sim::new();
    let store = open(&sim).unwrap();
    store.save_token(&token(1)).unwrap();
    store.save_token(&token(2)).unwrap();
    sim.set_plan(Some(Plan::next(Call::Sync, Fault::Errno(EIO))));

    let failed = store.save_token(&token(3)).unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::OutcomeUnknown);
    assert_eq!(store.get(Key::UserName("user3")).unwrap(), None, "not durable, so not visible");
    assert_eq!(store.save_token(&token(4)).unwrap_err().kind(), ErrorKind::Poisoned);
    assert_eq!(store.delete("1").unwrap_err().kind(), ErrorKind::Poisoned);
    assert_eq!(store.get_tokens().unwrap().len(), 2, "finds go on");

    store.compact().unwrap();
    assert_eq!(store.save_token(&token(4)).unwrap().id(), Some("3"), "the failed save took no id");
    let after = sim.power_loss(Damage::Old, 0);
    drop(store);
    let names: Vec<_> =
        open(&after).unwrap().get_tokens().unwrap().iter().map(|row| row.user_name().unwrap().to_owned()).collect();
    assert_eq!(names, ["user1", "user2", "user4"]);
}

#[test]
fn a_failed_save_leaves_counter_argument_and_rows_alone() {
    let sim = Sim::new();
    let store = open(&sim).unwrap();
    let first = store.save_token(&token(1)).unwrap();
    let argument = token(2);
    for fault in [Fault::Errno(EIO), Fault::Short(EIO), Fault::Errno(ENOSPC), Fault::Short(ENOSPC)] {
        sim.set_plan(Some(Plan::next(Call::Write, fault)));
        let error = store.save_token(&argument).unwrap_err();
        assert!(matches!(error, Error::Io { .. } | Error::NoSpace { .. }), "{error}");
        assert_eq!(sim.tripped(), Some(Call::Write));
    }
    assert_eq!(argument, token(2));
    assert_eq!(store.get_tokens().unwrap(), [first]);
    sim.set_plan(None);
    assert_eq!(store.save_token(&argument).unwrap().id(), Some("2"));
}

#[test]
fn full_disk_refuses_puts_takes_deletes_and_passes() {
    let sim = Sim::new();
    let store = open(&sim).unwrap();
    sim.set_quota(Some(sim.used()));
    let mut saved = 0;
    let full = loop {
        match store
            .save_token(&Token::builder().user_name(format!("user{saved}")).access_token("x".repeat(900)).build())
        {
            Ok(_) => saved += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(full.kind(), ErrorKind::NoSpace);
    assert!(saved > 50, "{saved} saved");
    assert_eq!(store.compact().unwrap_err().kind(), ErrorKind::NoSpace);
    assert_eq!(store.backup("/backup").unwrap_err().kind(), ErrorKind::NoSpace);
    assert_eq!(store.get_tokens().unwrap().len(), saved);
    for id in 1..=saved {
        assert!(store.delete(&id.to_string()).unwrap(), "delete {id} on a full disk");
    }
    // Also for whoever opens it then.
    drop(store);
    let store = open(&sim).unwrap();
    assert_eq!(store.save_token(&token(1)).unwrap_err().kind(), ErrorKind::NoSpace);
    store.delete_tokens().unwrap();
    sim.set_quota(None);
    assert_eq!(store.save_token(&token(1)).unwrap().id(), Some(&*(saved + 1).to_string()));
}

#[test]
fn failed_directory_sync_after_a_compaction_is_mended_by_the_next_open() {
    let sim = Sim::new();
    let store = open(&sim).unwrap();
    store.save_tokens(&[token(1), token(2)]).unwrap();
    sim.set_plan(Some(Plan::next(Call::SyncDirectory, Fault::Errno(EIO))));
    store.compact().unwrap_err();
    assert_eq!(sim.tripped(), Some(Call::SyncDirectory));
    assert_eq!(store.save_token(&token(3)).unwrap_err().kind(), ErrorKind::Poisoned);
    drop(store);

    // The process dies; the name shows and is not durable. The next one must not build on it.
    let killed = sim.kill();
    let store = open(&killed).unwrap();
    assert!(store.open_report().moved_after_failed_sync);
    store.save_token(&token(3)).unwrap();
    drop(store);
    let store = open(&killed.power_loss(Damage::Old, 0)).unwrap();
    assert_eq!(store.get_tokens().unwrap().len(), 3);
}

#[test]
fn a_failed_sync_moves_the_next_process_to_a_new_file_whether_the_first_was_killed_or_closed() {
    for closes in [false, true] {
        let sim = Sim::new();
        let store = open(&sim).unwrap();
        store.save_token(&token(1)).unwrap();
        sim.set_plan(Some(Plan::next(Call::Sync, Fault::Errno(EIO))));
        assert_eq!(store.save_token(&token(2)).unwrap_err().kind(), ErrorKind::OutcomeUnknown);
        // Nothing but the mark in the lock file tells of it, for the bytes read as they were written.
        let _alive = (!closes).then_some(store);
        let killed = sim.kill();
        let store = open(&killed).unwrap();
        assert!(store.open_report().moved_after_failed_sync);
        assert_eq!(store.stats().unwrap().generation, 2);
        let before = rows(&store);
        assert_eq!(before.len(), 2);
        drop(store);
        assert_eq!(rows(&open(&killed.power_loss(Damage::Old, 0)).unwrap()), before);
    }
}

#[test]
fn a_failed_directory_sync_leaves_nothing_that_a_power_loss_makes_unreadable() {
    for (step, created) in [(false, true), (true, false)] {
        let sim = Sim::new();
        let store = (!created).then(|| open(&sim).unwrap());
        if let Some(store) = &store {
            store.save_tokens(&[token(1), token(2)]).unwrap();
        }
        // The last one of a creation is that after the rename; a compaction has one.
        let skip = u64::from(created);
        let calls = {
            let dry = sim.kill();
            let store = open(&dry).unwrap();
            if step {
                store.compact().unwrap();
            }
            dry.trace()
                .iter()
                .enumerate()
                .filter(|(_, call)| **call == Call::SyncDirectory)
                .map(|(at, _)| at as u64)
                .collect::<Vec<_>>()
        };
        assert!(calls.len() as u64 > skip);
        for call in calls {
            let sim = sim.kill();
            let base = sim.calls();
            sim.set_plan(Some(Plan::at(call.max(base), Fault::Errno(EIO))));
            let attempt = open(&sim).and_then(|store| store.compact());
            drop(attempt);
            let killed = sim.kill();
            let expected = if created { 0 } else { 2 };
            let dry = killed.kill();
            drop(open(&dry).unwrap());
            for crash in killed.calls()..dry.calls() {
                let crashing = killed.kill();
                crashing.set_plan(Some(Plan::at(crash, Fault::Crash)));
                drop(open(&crashing));
                for damage in [Damage::Old, Damage::New, Damage::Mixed] {
                    let store = open(&crashing.power_loss(damage, crash))
                        .unwrap_or_else(|error| panic!("call {call}, crash {crash}: {error}"));
                    assert_eq!(store.get_tokens().unwrap().len(), expected);
                }
            }
        }
    }
}

#[test]
fn a_failed_write_leaves_zeros_behind() {
    let sim = Sim::new();
    let store = open(&sim).unwrap();
    store.save_token(&token(1)).unwrap();
    let end = usize::try_from(store.stats().unwrap().log_bytes).unwrap();
    sim.set_plan(Some(Plan::next(Call::Write, Fault::Short(EIO))));
    store.save_token(&token(2)).unwrap_err();
    let log = sim.content(Path::new(STORE), "store.log").unwrap();
    assert!(log[end..].iter().all(|byte| *byte == 0));
}

#[test]
fn room_is_synced_before_it_is_used() {
    let sim = Sim::new();
    let store = open(&sim).unwrap();
    let large = Token::builder().user_name("ana").access_token("fake").extra("x", "x".repeat(200_000)).build();
    let from = usize::try_from(sim.calls()).unwrap();
    store.save_token(&large).unwrap();
    let calls: Vec<_> =
        sim.trace()[from..].iter().copied().filter(|call| matches!(call, Call::Write | Call::Sync)).collect();
    // Zeros, their sync, the frame, its sync; then perhaps the lock file's.
    let frame = calls.iter().rposition(|call| *call == Call::Write).unwrap();
    assert!(frame > 1);
    assert_eq!((calls[frame - 1], calls[frame + 1]), (Call::Sync, Call::Sync));
}

#[test]
fn a_slot_survives_whatever_a_power_loss_does_to_the_one_being_written() {
    let mut with_slot = 0;
    for seed in 0..100 {
        let sim = Sim::new();
        let store = open(&sim).unwrap();
        store.save_token(&token(1)).unwrap(); // syncs the lock file
        store.save_token(&token(2)).unwrap();
        let sim = sim.kill();
        let store = open(&sim).unwrap();
        store.save_token(&token(3)).unwrap();
        store.save_token(&token(4)).unwrap();
        let after = sim.power_loss(Damage::Mixed, seed);
        // Without its log a store is "lost" only if a slot is left to say so.
        after.remove(Path::new(STORE), "store.log");
        with_slot += usize::from(open(&after).is_err_and(|error| error.kind() == ErrorKind::Copied));
    }
    assert_eq!(with_slot, 100);
}
