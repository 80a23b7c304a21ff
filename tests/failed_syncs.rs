//! A failed sync of the directory, then a crash while the next open mends it: nothing acknowledged goes, and no human is
//! needed.
//!
//! Method: on the simulated storage, where a name whose sync failed shows and is never durable, every call of the mending
//! open crashes in turn, and the power goes in several ways.

mod sim;

use std::path::Path;
use std::sync::Arc;

use sim::{Call, Damage, Fault, Plan, Sim};
use tokcask::{Key, LogStore, Options, ReadMode, Result, Token, TokenStore, open_on};

const STORE: &str = "/store";
const EIO: i32 = 5;

fn open(sim: &Sim) -> Result<LogStore> {
    open_on(&Options::new().background(false).read_mode(ReadMode::Copy), Arc::new(sim.clone()), Path::new(STORE))
}

fn token(number: usize) -> Token {
    let access_token = format!("fake-{number}-{}", "x".repeat(700));
    Token::builder().user_name(format!("user{number}")).access_token(access_token).build()
}

/// Crashes the next open at each of its calls; what a power loss leaves then must open with so many rows.
fn crash_the_mending_open(killed: &Sim, rows: usize, context: &str) {
    let dry = killed.kill();
    drop(open(&dry));
    for call in killed.calls()..dry.calls() {
        for (damage, seeds) in [(Damage::Old, 1), (Damage::New, 1), (Damage::Mixed, 8)] {
            for seed in 0..seeds {
                let crashing = killed.kill();
                crashing.set_plan(Some(Plan::at(call, Fault::Crash)));
                drop(open(&crashing));
                let context = || format!("{context}, crash at call {call}, {damage:?}, seed {seed}");
                let store = open(&crashing.power_loss(damage, seed));
                let store = store.unwrap_or_else(|error| panic!("{}: {error}", context()));
                assert_eq!(store.get_tokens().unwrap().len(), rows, "{}", context());
            }
        }
    }
}

#[test]
fn of_a_compaction() {
    let sim = Sim::new();
    let store = open(&sim).unwrap();
    store.save_tokens(&[token(1), token(2)]).unwrap();
    sim.set_plan(Some(Plan::next(Call::SyncDirectory, Fault::Errno(EIO))));
    store.compact().unwrap_err();
    drop(store);
    crash_the_mending_open(&sim.kill(), 2, "compaction");
}

/// Two rows, the slot of whose last commit was not synced: the next open writes that commit again, by way of a redo file.
fn two_rows_without_a_slot() -> Sim {
    let sim = Sim::new();
    let store = open(&sim).unwrap();
    store.save_token(&token(1)).unwrap();
    store.save_token(&token(2)).unwrap();
    sim.power_loss(Damage::Old, 0)
}

#[test]
fn of_a_redo_file() {
    let first = two_rows_without_a_slot();
    let dry = first.kill();
    let report = open(&dry).unwrap().open_report().clone();
    assert!(!report.full && !report.moved_after_failed_sync, "{report:?}");
    let syncs = dry.trace().into_iter().enumerate().skip(usize::try_from(first.calls()).unwrap());
    for (at, _) in syncs.filter(|(_, call)| *call == Call::SyncDirectory) {
        let second = first.kill();
        second.set_plan(Some(Plan::at(at as u64, Fault::Errno(EIO))));
        drop(open(&second));
        crash_the_mending_open(&second.kill(), 2, &format!("directory sync at call {at}"));
    }
}

/// Without room neither a redo file nor a new generation can be made: finds work, and nothing is built on what may go.
#[test]
fn without_room_to_write_the_last_commit_again_there_is_nothing_but_finds() {
    let sim = two_rows_without_a_slot();
    sim.set_quota(Some(sim.used()));
    let store = open(&sim).unwrap();
    assert!(store.open_report().full && !store.open_report().moved_after_failed_sync);
    assert_eq!(store.get_tokens().unwrap().len(), 2);
    store.save_token(&token(3)).unwrap_err();
    store.delete_token("1").unwrap_err();
    drop(store);
    sim.set_quota(None);
    assert!(!open(&sim.kill()).unwrap().open_report().full);
}

#[test]
fn a_poisoned_handle_that_lost_its_lock_file_overwrites_nobody() {
    let sim = Sim::new();
    let first = open(&sim).unwrap();
    first.save_token(&token(1)).unwrap();
    sim.set_plan(Some(Plan::next(Call::SyncDirectory, Fault::Errno(EIO))));
    first.compact().unwrap_err();
    sim.set_plan(None);
    sim.remove(Path::new(STORE), "store.lock");
    let second = open(&sim);
    let saved = second.as_ref().is_ok_and(|second| second.save_token(&token(2)).is_ok());
    first.compact().unwrap_err();
    drop((first, second));
    let store = open(&sim).unwrap();
    assert!(store.get(Key::UserName("user1")).unwrap().is_some());
    assert_eq!(store.get(Key::UserName("user2")).unwrap().is_some(), saved);
}
