//! How handles, processes and the machine come and go. Everything acknowledged is there afterwards, and counters go on.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use tokcask::{Key, LogStore, Token, TokenStore, open_on};

use crate::settings::options;

use super::script::{Handle, READER, Script, WRITERS};
use super::verb::{Row, row};
use crate::history::STORE;
use crate::sim::{Damage, Sim};

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Next {
    id: u64,
    revision: u64,
}

impl Next {
    pub(super) fn of(store: &LogStore) -> Self {
        let stats = store.stats().expect("it is open");
        Self { id: stats.next_id, revision: stats.next_revision }
    }
}

impl Script<'_> {
    pub(super) fn open(&mut self, which: usize) {
        self.note(if which < WRITERS { "open" } else { "open to read" }, || format!("handle {which}"));
        let before = self.handles.iter().flatten().next().map(|handle| Next::of(&handle.store)).or(self.next);
        let is_alone = self.handles[..WRITERS].iter().all(Option::is_none);
        let process = self.sim.process();
        let handle = Handle { store: open(&process, STORE, which == READER), process };
        let report = handle.store.open_report();
        assert!(is_alone || report.joined, "there are others, and it did not join them: {report:?}");
        // Nothing was in flight: there is nothing to cut, and no number to leave out.
        assert!(report.recovered.is_none(), "{report:?}");
        if let Some(before) = before {
            assert_eq!(Next::of(&handle.store), before, "the next id and revision");
        }
        self.handles[which] = Some(handle);
        self.check(which);
    }

    pub(super) fn open_some(&mut self) {
        let first = self.dice.below(self.handles.len());
        let all = (0..self.handles.len()).map(|more| (first + more) % self.handles.len());
        let closed = all.into_iter().find(|which| self.handles[*which].is_none());
        match closed {
            Some(which) => self.open(which),
            None => self.close(first),
        }
    }

    /// All rows are there, and each is found by its keys, or an older one is.
    fn check(&self, which: usize) {
        let (store, rows) = (self.store(which), self.rows());
        assert_eq!(rows_of(store), rows, "handle {which}, which has just been opened");
        let mut seen = HashSet::new();
        for row in &rows {
            for key in keys(&row.0).into_iter().flatten().filter(|key| seen.insert(*key)) {
                check_find(store, key, row);
            }
        }
    }

    pub(super) fn close(&mut self, which: usize) {
        self.note("close", || format!("handle {which}"));
        self.remember_numbers();
        let handle = self.handles[which].take().expect("it is open");
        handle.store.close().expect("a close");
        drop(handle);
        self.forget_failures_if_alone();
        if self.dice.one_in(2) {
            self.open(which);
        }
    }

    pub(super) fn die(&mut self, which: usize) {
        self.note("process killed", || format!("handle {which}"));
        self.remember_numbers();
        let handle = self.handles[which].take().expect("it is open");
        handle.process.die();
        drop(handle);
        self.forget_failures_if_alone();
    }

    pub(super) fn crash(&mut self) {
        let how = self.dice.below(5);
        let seed = self.dice.number();
        let name = ["machine killed", "power lost: old", "power lost: new", "power lost: mixed", "power lost: mixed"];
        self.note(name[how], || format!("{seed}"));
        self.remember_numbers();
        let after = match how {
            0 => self.sim.kill(),
            1 => self.sim.power_loss(Damage::Old, 0),
            2 => self.sim.power_loss(Damage::New, 0),
            _ => self.sim.power_loss(Damage::Mixed, seed),
        };
        // Whoever was open goes down with the old machine.
        self.handles.fill_with(|| None);
        self.sim = after;
        self.failures.crash();
        let which = self.dice.below(WRITERS);
        self.open(which);
        let left = self.sim.names(Path::new(STORE));
        assert!(!left.iter().any(|name| name.contains(".new")), "an opener that is alone tidies up: {left:?}");
        self.check_backup();
    }

    fn remember_numbers(&mut self) {
        if let Some(handle) = self.handles.iter().flatten().next() {
            self.next = Some(Next::of(&handle.store));
        }
    }

    fn forget_failures_if_alone(&mut self) {
        if self.handles[..WRITERS].iter().all(Option::is_none) {
            self.failures.crash();
        }
    }
}

pub(super) fn rows_of(store: &LogStore) -> Vec<Row> {
    store.get_tokens().unwrap_or_else(|error| panic!("no rows: {error}")).into_iter().map(row).collect()
}

pub(super) fn open(process: &Sim, path: &str, read_only: bool) -> LogStore {
    let opened = open_on(&options(process).read_only(read_only), Arc::new(process.clone()), Path::new(path));
    opened.unwrap_or_else(|error| panic!("{path} does not open: {error}"))
}

fn keys(token: &Token) -> [Option<Key<'_>>; 5] {
    [
        token.id().map(Key::Id),
        token.user_name().map(Key::UserName),
        token.access_token().map(|secret| Key::AccessToken(secret.expose_secret())),
        token.refresh_token().map(|secret| Key::RefreshToken(secret.expose_secret())),
        token.grant_token().map(|secret| Key::GrantToken(secret.expose_secret())),
    ]
}

fn check_find(store: &LogStore, key: Key<'_>, expected: &Row) {
    let found = store.get(key).unwrap_or_else(|error| panic!("{key:?} finds an error: {error}")).map(row);
    assert_eq!(found.as_ref(), Some(expected), "{key:?}");
}
