//! What a crash leaves, and how the run goes on from there.

use std::path::Path;

use tokcask::{Key, LogStore, Token, TokenStore, VerifyStatus};

use super::verbs::{Verb, shown};
use super::{IMAGES_MAX, Run, STORE, open, rows};
use crate::bodies::sim::{Damage, Fault, Plan, Sim};

/// How deep crashes during the recovery from crashes go.
const DEPTH_MAX: u32 = 3;
const MARK: &str = "mark";

impl Run<'_, '_> {
    /// The machine is killed, or loses its power, and comes back, maybe after more crashes; what it holds must be one of
    /// these.
    pub(super) fn lose_machine(&mut self, candidates: &[Vec<Token>]) {
        self.images += 1;
        if self.images > IMAGES_MAX {
            // The script is at its end: enough was tried.
            while !self.input.is_empty() {
                self.input.byte();
            }
        }
        let mut image = self.image();
        for _ in 0..DEPTH_MAX {
            let again = self.input.byte();
            if again & 1 == 0 {
                break;
            }
            let fault = if again & 2 == 0 { Fault::Crash } else { Fault::CrashHalfway };
            image.set_plan(Some(Plan::at(image.calls() + u64::from(again >> 2), fault)));
            let opened = open(&image, STORE);
            self.sim = image.clone();
            image = self.image();
            drop(opened);
        }
        self.sim = image;
        self.handles = [None, None];
        self.pass();
        self.is_hurt = false;
        self.reopen_as(candidates);
    }

    /// A crash now.
    fn image(&mut self) -> Sim {
        let kind = self.input.byte();
        match kind % 8 {
            0..=2 => self.sim.kill(),
            3 => self.sim.power_loss(Damage::Old, 0),
            4 => self.sim.power_loss(Damage::New, 0),
            _ => self.sim.power_loss(Damage::Mixed, self.input.byte().into()),
        }
    }

    /// Opens the store, whose rows are known.
    pub(super) fn reopen(&mut self) {
        self.reopen_as(&[self.tokens()]);
    }

    fn reopen_as(&mut self, candidates: &[Vec<Token>]) {
        let handle = self.try_open().unwrap_or_else(|error| panic!("it does not open: {error}"));
        let names = self.sim.names(Path::new(STORE));
        let is_tidy = !names.iter().any(|name| name.strip_suffix(".new").is_some());
        assert!(is_tidy || handle.store.open_report().joined, "{names:?}: an opener that is alone tidies up");
        self.handles[0] = Some(handle);
        self.take_over(0, candidates);
        self.mark();
    }

    /// Adopts what a handle shows, which must be one of these.
    fn take_over(&mut self, which: usize, candidates: &[Vec<Token>]) {
        let store = &self.handles[which].as_ref().expect("it is open").store;
        let found = rows(store).unwrap_or_else(|error| panic!("it opened and has no rows: {error}"));
        let tokens: Vec<_> = found.iter().map(|row| row.0.clone()).collect();
        let wanted = || candidates.iter().map(|rows| shown(rows)).collect::<Vec<_>>();
        assert!(candidates.contains(&tokens), "found {:?}, not one of {:?}", shown(&tokens), wanted());
        let untouched = |row: &(Token, Option<u64>)| candidates.iter().all(|rows| rows.contains(&row.0));
        let is_kept = |row: &(Token, Option<u64>)| !untouched(row) || self.rows.contains(row) || row.1 > self.latest();
        assert!(found.iter().all(is_kept), "a row of another revision");
        check_finds(store, &tokens);
        assert_eq!(store.verify().expect("it can be read").status, VerifyStatus::Clean);
        let next_id = store.stats().expect("it is open").next_id;
        assert!(next_id >= self.next_id, "the next id was {}, and is {next_id}", self.next_id);
        self.next_id = next_id;
        self.adopt_rows(found);
    }

    fn latest(&self) -> Option<u64> {
        self.rows.iter().filter_map(|row| row.1).max()
    }

    /// It can be written to. The row has an id of its own, which says nothing of counters.
    fn mark(&mut self) {
        self.perform(0, &Verb::Save(mark()));
    }

    /// A call has said that its outcome is unknown: it shows as the one or the other for all who come later.
    pub(super) fn find_out(&mut self, candidates: &[Vec<Token>], is_kept: bool) {
        let how = self.input.below(3);
        if how == 1 {
            return self.lose_machine(candidates);
        }
        self.pass();
        if how == 2 && !is_kept {
            return self.go_on(candidates);
        }
        self.handles = [None, None];
        self.reopen_as(candidates);
    }

    /// A process has died. If there is another, that one goes on.
    pub(super) fn bury(&mut self, which: usize, candidates: &[Vec<Token>]) {
        self.handles[which] = None;
        if self.is_gone() {
            return self.lose_machine(candidates);
        }
        self.pass();
        if self.handles.iter().all(Option::is_none) {
            return self.reopen_as(candidates);
        }
        self.go_on(candidates);
    }

    /// By a handle that is there. What another has left, or this one, shows, or not, once somebody has written.
    fn go_on(&mut self, candidates: &[Vec<Token>]) {
        if self.handles[0].is_none() {
            self.handles.swap(0, 1);
        }
        self.save_mark();
        let after: Vec<_> = candidates.iter().map(|rows| with_mark(rows)).collect();
        self.take_over(0, &after);
    }

    fn save_mark(&self) {
        let store = &self.handles[0].as_ref().expect("it is open").store;
        if store.save_token(&mark()).is_err() {
            store.compact().unwrap_or_else(|error| panic!("the fault has passed: {error}"));
            store.save_token(&mark()).unwrap_or_else(|error| panic!("the fault has passed, and a compaction: {error}"));
        }
    }

    /// Whatever failed works again.
    fn pass(&mut self) {
        self.sim.set_plan(None);
        self.sim.set_quota(None);
        self.plan = None;
        let alive = (0..2).filter(|which| !self.is_dead(*which)).filter_map(|which| self.handles[which].as_ref());
        alive.for_each(|handle| handle.process.set_plan(None));
    }

    /// The same, and each handle can be written to again, if need be after a compaction.
    pub(super) fn heal(&mut self) {
        self.pass();
        if self.handles.iter().all(Option::is_none) {
            self.reopen();
        }
        if self.handles[0].is_none() {
            self.handles.swap(0, 1);
        }
        let dead = [0, 1].into_iter().find(|which| self.is_dead(*which));
        if let Some(which) = dead {
            return self.bury(which, &[self.tokens()]);
        }
        for _ in 0..2 {
            if self.handles[0].is_some() {
                self.save_mark();
                let after = with_mark(&self.tokens());
                self.take_over(0, &[after]);
            }
            self.handles.swap(0, 1);
        }
        self.is_hurt = false;
    }

    /// The fault passes; then a kill, and power losses.
    pub(super) fn end(&mut self) {
        self.heal();
        let images = [
            self.sim.kill(),
            self.sim.power_loss(Damage::Old, 0),
            self.sim.power_loss(Damage::Mixed, u64::from(self.images)),
        ];
        for image in images {
            self.handles = [None, None];
            self.sim = image;
            let (rows, next_id) = (self.rows.clone(), self.next_id);
            self.reopen();
            for (path, expected) in &self.backups {
                let backup = open(&self.sim, path).unwrap_or_else(|error| panic!("backup: {error}"));
                let found = super::rows(&backup).expect("it opened");
                assert!(found == *expected, "the backup has other rows");
            }
            (self.rows, self.next_id) = (rows, next_id);
        }
    }
}

/// These rows, after the save of the mark.
fn with_mark(rows: &[Token]) -> Vec<Token> {
    let mut rows = rows.to_vec();
    if !rows.iter().any(|row| row.id() == Some(MARK)) {
        rows.push(mark());
    }
    rows
}

fn mark() -> Token {
    Token::builder().id(MARK).refresh_token("fake-mark").build()
}

/// Each row is found by its keys, or an older one is.
fn check_finds(store: &LogStore, rows: &[Token]) {
    for row in rows {
        let id = row.id().expect("a row has an id");
        let found = store.get(Key::Id(id)).expect("it can be read").expect("a row is found by its id");
        assert!(found == *row, "another row");
        if let Some(user) = row.user_name() {
            let oldest = rows.iter().find(|other| other.user_name() == Some(user)).and_then(Token::id);
            let found = store.get(Key::UserName(user)).expect("it can be read").expect("a row is found by its user");
            assert_eq!(found.id(), oldest, "the oldest row is found");
        }
    }
}
