//! An import that is killed at any moment leaves the state before it or the state after it, complete.
//!
//! Method: one import is timed; then the same is started again and again on a copy of the store and killed after a
//! growing part of that time; the store is opened by the library, and its rows compared with both states.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tokcask::{LogStore, Options, Token, TokenStore};

use crate::fixture::Fixture;
use crate::run::PROGRAM;

const KILLS: u32 = 40;
const ROWS: u32 = 20_000;

fn import(fixture: &Fixture, dir: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["import", dir, "--from", "json", &fixture.at("rows"), "--on-clash", "replace"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn rows(dir: &str) -> Vec<Token> {
    LogStore::open(dir).unwrap().get_tokens().unwrap()
}

fn copy(from: &str, to: &str) {
    let _ = fs::remove_dir_all(to);
    let store = Options::new().create(false).open(from).unwrap();
    store.backup(to).unwrap();
}

/// Some kills find the store before, and some after the import.
fn kill_at_many_moments(fixture: &Fixture, reset: impl Fn(&str), before: &[Token], after: &[Token]) {
    let dir = fixture.at("killed");
    reset(&dir);
    let start = Instant::now();
    assert!(import(fixture, &dir).status().unwrap().success());
    let whole = start.elapsed();
    assert!(rows(&dir) == after);
    let (mut befores, mut afters) = (0, 0);
    for kill in 0.. {
        // On a busy machine an import may take longer than the one that was timed: then the kills go on, later and later.
        if kill >= KILLS && befores > 0 && afters > 0 {
            break;
        }
        assert!(kill < 5 * KILLS, "all kills came to one side: {befores} before, {afters} after");
        reset(&dir);
        let mut child = import(fixture, &dir).spawn().unwrap();
        std::thread::sleep(whole * kill / KILLS + Duration::from_micros(u64::from(kill % 7) * 300));
        child.kill().unwrap();
        child.wait().unwrap();
        let found = rows(&dir);
        if found == before {
            befores += 1;
        } else {
            assert!(found == after, "kill {kill}: {} rows, neither before nor after", found.len());
            afters += 1;
        }
    }
}

fn write_rows(fixture: &Fixture) {
    let line = |id: u32| format!("{{\"id\":\"{id}\",\"user_name\":\"user {id}\",\"access_token\":\"fake-{id}\"}}\n");
    fixture.file("rows", (1..=ROWS).map(line).collect::<String>());
}

#[test]
fn into_a_store_with_rows() {
    let fixture = Fixture::filled();
    write_rows(&fixture);
    let before = rows(&fixture.store());
    copy(&fixture.store(), &fixture.at("after"));
    assert!(import(&fixture, &fixture.at("after")).status().unwrap().success());
    let after = rows(&fixture.at("after"));
    assert_eq!((before.len(), after.len()), (3, ROWS as usize));
    kill_at_many_moments(&fixture, |dir| copy(&fixture.store(), dir), &before, &after);
}

#[test]
fn into_a_missing_store() {
    let fixture = Fixture::new();
    write_rows(&fixture);
    assert!(import(&fixture, &fixture.at("after")).status().unwrap().success());
    let after = rows(&fixture.at("after"));
    // What there is of a store is empty, or is made whole by the next open.
    let reset = |dir: &str| drop(fs::remove_dir_all(dir));
    kill_at_many_moments(&fixture, reset, &[], &after);
}
