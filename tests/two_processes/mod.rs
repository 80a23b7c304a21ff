//! What two processes may do to one store, and what it may hold afterwards.

#![allow(dead_code, reason = "each test program uses a part")]

use std::path::Path;
use std::sync::Arc;

use tokcask::{Key, LogStore, OnClash, Options, ReadMode, Result, Token, TokenStore, open_on};

use super::sim::{Call, Fault, Plan, Sim};

pub(crate) const STORE: &str = "/store";

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Save,
    Update,
    Batch,
    Delete,
    Clear,
    Compact,
    Find,
    /// Opens a store that it does not have open yet.
    Open,
    /// The same, and saves.
    OpenAndSave,
    Close,
    Import,
}

fn options() -> Options {
    Options::new().background(false).read_mode(ReadMode::Copy)
}

pub(crate) fn open(process: &Sim) -> Result<LogStore> {
    open_on(&options(), Arc::new(process.clone()), Path::new(STORE))
}

pub(crate) fn token(user: &str, version: u32) -> Token {
    Token::builder().user_name(user).access_token(format!("fake-{user}-{version}")).build()
}

/// Users and the versions of their tokens, oldest row first.
pub(crate) type Rows = Vec<(String, String)>;

pub(crate) fn rows(store: &LogStore) -> Rows {
    let tokens = store.get_tokens().unwrap();
    let mut ids: Vec<_> = tokens.iter().map(|row| row.id().unwrap().to_owned()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), tokens.len(), "an id twice");
    let row =
        |row: &Token| (row.user_name().unwrap().to_owned(), row.access_token().unwrap().expose_secret().to_owned());
    tokens.iter().map(row).collect()
}

/// How the last one who had the store open left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    Closed,
    /// Killed in the middle of a write.
    Torn,
    /// Killed after a sync had failed: whoever comes next moves to a new file.
    Doubtful,
}

/// A store with three rows, which nobody has open.
pub(crate) fn machine(left: Left) -> Sim {
    let sim = Sim::new();
    let process = sim.process();
    let store = open(&process).unwrap();
    store.save_tokens(&[token("ann", 1), token("bob", 1), token("cid", 1)]).unwrap();
    process.set_plan(match left {
        Left::Closed => return sim,
        Left::Torn => Some(Plan::next(Call::Write, Fault::CrashHalfway)),
        Left::Doubtful => Some(Plan::next(Call::Sync, Fault::Errno(5))),
    });
    store.save_token(&token("dan", 1)).unwrap_err();
    assert!(process.tripped().is_some());
    sim.kill()
}

/// Does it; `player` tells the two processes' rows apart.
pub(crate) fn act(process: &Sim, store: Option<LogStore>, verb: Verb, player: &str) -> (Option<LogStore>, Result<()>) {
    let opened = matches!(verb, Verb::Open | Verb::OpenAndSave).then(|| open(process));
    let store = match opened {
        Some(Err(error)) => return (None, Err(error)),
        Some(Ok(opened)) => Some(opened),
        None => store,
    };
    let ours = store.as_ref().expect("opened before or just now");
    let new = |part: &str| token(&format!("{player}{part}"), 1);
    let done = match verb {
        Verb::Save | Verb::OpenAndSave => ours.save_token(&new("")).map(drop),
        Verb::Update => ours.save_token(&token("bob", if player == "x" { 2 } else { 3 })).map(drop),
        Verb::Batch => ours.save_tokens(&[new(""), new("-2")]).map(drop),
        Verb::Delete => ours.delete("3").map(drop),
        Verb::Clear => ours.delete_tokens(),
        Verb::Compact => ours.compact().map(drop),
        Verb::Find => ours.get(Key::UserName("ann")).map(|row| assert!(row.is_some(), "a find never misses")),
        Verb::Open => Ok(()),
        Verb::Import => ours.import(&[new("")], OnClash::Renumber).map(drop),
        Verb::Close => ours.close(),
    };
    (store, done)
}

/// The rows after this, if it was done whole.
fn apply(rows: &mut Rows, verb: Verb, player: &str) {
    let user = |part: &str| (format!("{player}{part}"), format!("fake-{player}{part}-1"));
    match verb {
        Verb::Save | Verb::OpenAndSave | Verb::Import => rows.push(user("")),
        Verb::Batch => rows.extend([user(""), user("-2")]),
        Verb::Update => {
            if let Some(row) = rows.iter_mut().find(|row| row.0 == "bob") {
                row.1 = format!("fake-bob-{}", if player == "x" { 2 } else { 3 });
            } else {
                rows.push(("bob".into(), format!("fake-bob-{}", if player == "x" { 2 } else { 3 })));
            }
        }
        Verb::Delete => rows.retain(|row| row.0 != "cid"),
        Verb::Clear => rows.clear(),
        Verb::Compact | Verb::Find | Verb::Open | Verb::Close => {}
    }
}

/// What may be there: both done, in either order; without what a dead process had not been told of.
pub(crate) fn allowed(left: Left, ahead: bool, verbs: [Verb; 2], done: [Done; 2]) -> Vec<Rows> {
    let base =
        |users: &[&str]| -> Rows { users.iter().map(|user| (user.to_string(), format!("fake-{user}-1"))).collect() };
    let mut bases = vec![base(&["ann", "bob", "cid"])];
    if left == Left::Doubtful {
        // Nobody was told what became of it.
        bases.push(base(&["ann", "bob", "cid", "dan"]));
    }
    if ahead {
        for rows in &mut bases {
            rows.push(("ahead".into(), "fake-ahead-1".into()));
        }
    }
    let mut all = Vec::new();
    for order in [[0, 1], [1, 0]] {
        for kept in 0..4_u8 {
            let does = |player: usize| match done[player] {
                Done::Acknowledged => true,
                Done::Refused => false,
                Done::Unknown => kept >> player & 1 == 1,
            };
            for mut rows in bases.clone() {
                for player in order.into_iter().filter(|player| does(*player)) {
                    apply(&mut rows, verbs[player], ["x", "y"][player]);
                }
                all.push(rows);
            }
        }
    }
    all
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    Acknowledged,
    Refused,
    /// Its process is dead.
    Unknown,
}
