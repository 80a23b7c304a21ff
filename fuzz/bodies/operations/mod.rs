//! Operations, faults and crashes against a plain list, on the simulated storage of `tests/sim`.
//!
//! Input: a byte of switches, then a script. Every answer is the list's. A call that fails has changed nothing, unless
//! it says that its outcome is unknown, and there is a reason for it to fail. After a crash, or such a call, the store opens
//! unaided and holds what was acknowledged, or that and the one operation in flight; and it can be written to. No id is given
//! twice. At the end the fault passes, and the store must work and survive a kill and a power loss.

mod images;
mod verbs;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokcask::{Key, ListStore, LogStore, OnClash, Options, ReadMode, Result, Token, TokenStore, open_on};

use self::verbs::{Answer, Failed, Verb, shown};
use super::input::Input;
use super::sim::{Call, Fault, Plan, Sim};

/// Handles are processes, which can die one by one. Locks and looks are calls then.
pub(crate) const PROCESSES: u8 = 1;
/// A second handle is open from the start.
pub(crate) const SHARED: u8 = 2;

const STORE: &str = "/store";
/// No script has more steps, and none opens more images.
const STEPS_MAX: u32 = 48;
const IMAGES_MAX: u32 = 12;
/// EIO, ENOSPC, EDQUOT, EROFS, EMFILE.
const ERRNOS: [i32; 5] = [5, 28, 122, 30, 24];

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let switches = input.byte();
    let mut run = Run::new(&mut input, switches & PROCESSES != 0);
    run.reopen();
    if switches & SHARED != 0 {
        run.open_second();
    }
    for _ in 0..STEPS_MAX {
        if run.input.is_empty() {
            break;
        }
        run.step();
    }
    run.end();
}

/// Rows with their revisions.
type Rows = Vec<(Token, Option<u64>)>;

struct Handle {
    store: LogStore,
    /// The machine, if handles are no processes.
    process: Sim,
}

struct Run<'i, 'a> {
    input: &'i mut Input<'a>,
    sim: Sim,
    are_processes: bool,
    handles: [Option<Handle>; 2],
    list: ListStore,
    /// What is acknowledged, as the store tells it.
    rows: Rows,
    next_id: u64,
    /// All that were ever given to a new row.
    given: HashSet<String>,
    plan: Option<Plan>,
    /// A call may fail: of a fault that waits, or that has been.
    is_hurt: bool,
    backups: Vec<(PathBuf, Rows)>,
    tried_backups: u32,
    images: u32,
}

impl<'i, 'a> Run<'i, 'a> {
    fn new(input: &'i mut Input<'a>, are_processes: bool) -> Self {
        Self {
            input,
            sim: Sim::new(),
            are_processes,
            handles: [None, None],
            list: ListStore::new(),
            rows: Vec::new(),
            next_id: 1,
            given: HashSet::new(),
            plan: None,
            is_hurt: false,
            backups: Vec::new(),
            tried_backups: 0,
            images: 0,
        }
    }

    fn step(&mut self) {
        let step = self.input.byte();
        let which = usize::from(step >> 7);
        match step & 31 {
            0..=17 => {
                let verb = Verb::read(self.input);
                self.perform(which, &verb);
            }
            18 => self.close_and_open(which),
            19 => self.back_up(which),
            20 => self.open_second(),
            21 => self.handles[1] = None,
            22 | 23 => self.plan_fault(),
            24 | 25 => self.plan_crash(),
            26 => {
                let room = u64::from(self.input.byte()) * 512;
                self.sim.set_quota(Some(self.sim.used() + room));
                self.is_hurt = true;
            }
            27 => self.heal(),
            28 => {
                let hours = i64::from(self.input.byte().cast_signed());
                self.sim.set_now_ms(1_700_000_000_000_u64.saturating_add_signed(hours * 3_600_000));
            }
            29 => self.plan_death(which),
            _ => self.lose_machine(&[self.tokens()]),
        }
    }

    /// Does it to the store and to the list.
    fn perform(&mut self, which: usize, verb: &Verb) {
        let Some(handle) = &self.handles[which] else { return };
        let (ours, theirs) = self.expected_revisions(verb);
        let expected = verb.apply(&self.list, theirs);
        let outcome = verb.perform(&handle.store, ours);
        let wanted = tokens_of(&self.list);
        if self.is_gone() {
            return self.lose_machine(&[self.tokens(), wanted]);
        }
        if self.is_dead(which) {
            return self.bury(which, &[self.tokens(), wanted]);
        }
        match outcome {
            Ok(answer) => {
                assert_eq!(answer, expected, "{verb:?}");
                self.acknowledge(which, verb, &answer, &wanted);
            }
            Err(Failed { error, is_unknown, is_kept }) => {
                assert!(self.is_hurt, "{verb:?} fails without a reason: {error}");
                let before = self.tokens();
                self.adopt_rows(self.rows.clone());
                if is_unknown {
                    self.find_out(&[before, wanted], is_kept);
                } else {
                    let found =
                        self.paused(which, rows).unwrap_or_else(|error| panic!("{verb:?}, then no rows: {error}"));
                    assert!(found == self.rows, "{verb:?} fails by {error} and changes something");
                }
            }
        }
    }

    fn acknowledge(&mut self, which: usize, verb: &Verb, answer: &Answer, wanted: &[Token]) {
        let found = self.paused(which, rows).unwrap_or_else(|error| panic!("{verb:?}, then no rows: {error}"));
        let found_tokens: Vec<_> = found.iter().map(|row| row.0.clone()).collect();
        assert!(found_tokens == wanted, "{verb:?}: {:?}, not {:?}", shown(&found_tokens), shown(wanted));
        if let (Verb::Save(token), Answer::Rows(rows)) = (verb, answer) {
            let id = rows[0].id().expect("a row has an id");
            let is_new = !self.rows.iter().any(|row| row.0.id() == Some(id));
            assert!(token.id().is_some() || !is_new || self.given.insert(id.to_owned()), "id {id} is given again");
        }
        let latest = |rows: &Rows| rows.iter().filter_map(|row| row.1).max().unwrap_or(0);
        let changed = found.iter().filter(|row| !self.rows.contains(row));
        let before = latest(&self.rows);
        assert!(changed.clone().all(|row| row.1 > Some(before)), "a change takes a later revision");
        self.rows = found;
        let stats = self.paused(which, LogStore::stats).expect("it is open");
        self.next_id = self.next_id.max(stats.next_id);
    }

    /// The revisions to compare with, of the store and of the list: the list's counter does not follow after a crash.
    fn expected_revisions(&self, verb: &Verb) -> (u64, u64) {
        let Verb::CompareAndSave(token, true) = verb else { return (0, 0) };
        let row = match (token.id(), token.user_name()) {
            (Some(id), _) => self.list.get(Key::Id(id)),
            (None, Some(user)) => self.list.get(Key::UserName(user)),
            (None, None) => return (0, 0),
        };
        let Some(row) = row.expect("a list") else { return (0, 0) };
        let ours = self.rows.iter().find(|(token, _)| token.id() == row.id()).expect("they are the same rows");
        (ours.1.expect("stored"), row.revision().expect("stored"))
    }

    fn close_and_open(&mut self, which: usize) {
        if self.handles[which].take().is_some() {
            match self.try_open() {
                Ok(handle) => self.handles[which] = Some(handle),
                Err(error) => assert!(self.is_hurt, "it does not open: {error}"),
            }
        }
        if self.is_gone() {
            return self.lose_machine(&[self.tokens()]);
        }
        if self.handles.iter().all(Option::is_none) {
            self.heal();
        }
    }

    fn open_second(&mut self) {
        self.handles[1] = None;
        match self.try_open() {
            Ok(handle) => self.handles[1] = Some(handle),
            Err(error) => assert!(self.is_hurt, "a second one does not open: {error}"),
        }
        if self.is_gone() {
            self.lose_machine(&[self.tokens()]);
        }
    }

    fn back_up(&mut self, which: usize) {
        let Some(handle) = &self.handles[which] else { return };
        if self.tried_backups >= 3 {
            return;
        }
        self.tried_backups += 1;
        let path = PathBuf::from(format!("/backup{}", self.tried_backups));
        let backed_up = handle.store.backup(&path);
        if backed_up.is_ok() {
            self.backups.push((path, self.rows.clone()));
        }
        if self.is_gone() {
            return self.lose_machine(&[self.tokens()]);
        }
        if self.is_dead(which) {
            return self.bury(which, &[self.tokens()]);
        }
        assert!(self.is_hurt || backed_up.is_ok(), "no backup: {backed_up:?}");
    }

    fn plan_fault(&mut self) {
        let (kind, errno, after) = (self.input.byte(), self.input.pick(&ERRNOS), self.input.byte());
        let fault = if kind & 1 == 0 { Fault::Errno(errno) } else { Fault::Short(errno) };
        // A lock that cannot be let go stays until its process ends: that is no promise to be held here.
        let only = (self.are_processes || kind & 2 != 0).then(|| self.input.pick(&Call::FALLIBLE));
        self.set_plan(Plan { call: self.sim.calls() + u64::from(after), only, fault, sticky: kind & 4 != 0 });
    }

    fn plan_crash(&mut self) {
        let (kind, after) = (self.input.byte(), self.input.byte());
        let fault = if kind & 1 == 0 { Fault::Crash } else { Fault::CrashHalfway };
        let only = (kind & 2 != 0).then(|| self.input.pick(&Call::FALLIBLE));
        self.set_plan(Plan { call: self.sim.calls() + u64::from(after), only, fault, sticky: false });
    }

    fn plan_death(&mut self, which: usize) {
        let (kind, after) = (self.input.byte(), u64::from(self.input.byte()));
        let Some(handle) = self.handles[which].as_ref().filter(|_| self.are_processes) else { return };
        let fault = if kind & 1 == 0 { Fault::Crash } else { Fault::CrashHalfway };
        let only = (kind & 2 != 0).then(|| self.input.pick(&Call::FALLIBLE));
        handle.process.set_plan(Some(Plan { call: handle.process.calls() + after, only, fault, sticky: false }));
    }

    fn set_plan(&mut self, plan: Plan) {
        self.sim.set_plan(Some(plan));
        self.plan = Some(plan);
        self.is_hurt = true;
    }

    /// Whether the machine is.
    fn is_gone(&self) -> bool {
        let crashes = |plan: Plan| matches!(plan.fault, Fault::Crash | Fault::CrashHalfway);
        self.plan.is_some_and(crashes) && self.sim.tripped().is_some()
    }

    fn is_dead(&self, which: usize) -> bool {
        self.are_processes && self.handles[which].as_ref().is_some_and(|handle| handle.process.tripped().is_some())
    }

    fn try_open(&self) -> Result<Handle> {
        let process = if self.are_processes { self.sim.process() } else { self.sim.clone() };
        Ok(Handle { store: open(&process, STORE)?, process })
    }

    /// What a handle shows, while no fault hits and no call counts.
    fn paused<R>(&self, which: usize, look: impl FnOnce(&LogStore) -> R) -> R {
        let Handle { store, process } = self.handles[which].as_ref().expect("it is open");
        self.sim.paused(|| process.paused(|| look(store)))
    }

    fn tokens(&self) -> Vec<Token> {
        self.rows.iter().map(|row| row.0.clone()).collect()
    }

    /// Takes these rows for what is there, for the list too.
    fn adopt_rows(&mut self, rows: Rows) {
        self.list = ListStore::new();
        let is_empty = |row: &Token| row.access_token().or(row.refresh_token()).or(row.grant_token()).is_none();
        // No import takes a row without a token, but updates may leave one.
        let lend = |row: &Token| row.to_builder().refresh_token("lent").build();
        let tokens: Vec<_> = rows.iter().map(|(row, _)| if is_empty(row) { lend(row) } else { row.clone() }).collect();
        self.list.import(&tokens, OnClash::Refuse).expect("ids differ");
        for id in rows.iter().filter(|row| is_empty(&row.0)).filter_map(|row| row.0.id()) {
            self.list.save_token(&Token::builder().id(id).refresh_token("").build()).expect("it is there");
        }
        if self.next_id > 1 {
            let last = (self.next_id - 1).to_string();
            if self.list.get(Key::Id(&last)).expect("a list").is_none() {
                let row = Token::builder().id(&last).refresh_token("fake").build();
                self.list.import(&[row], OnClash::Refuse).expect("nobody has the id");
                self.list.delete(&last).expect("a list");
            }
        }
        self.rows = rows;
    }
}

fn open(sim: &Sim, path: impl AsRef<Path>) -> Result<LogStore> {
    let options = Options::new().background(false).read_mode(ReadMode::Copy);
    open_on(&options, Arc::new(sim.clone()), path.as_ref())
}

fn rows(store: &LogStore) -> Result<Rows> {
    Ok(store.get_tokens()?.into_iter().map(|row| (row.clone(), row.revision())).collect())
}

fn tokens_of(list: &ListStore) -> Vec<Token> {
    list.get_tokens().expect("a list")
}
