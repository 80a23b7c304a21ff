//! One script: a machine, the processes on it, and the list that all of them have to equal.

use tokcask::{ErrorKind, Key, ListStore, LogStore, OnClash, Token, TokenStore, VerifyStatus};

use super::dice::Dice;
use super::ends::{Next, open, rows_of};
use super::refresh::{Ask, Failures, Stores};
use super::verb::{Answer, Row, Verb, refusal, row};
use crate::history::BACKUP;
use crate::settings::Tally;
use crate::sim::Sim;

/// Handles that write, and behind them one that only reads.
pub(super) const WRITERS: usize = 3;
pub(super) const READER: usize = WRITERS;

pub(super) struct Handle {
    pub(super) store: LogStore,
    pub(super) process: Sim,
}

pub(super) struct Script<'a> {
    pub(super) dice: Dice,
    pub(super) tally: &'a mut Tally,
    pub(super) sim: Sim,
    pub(super) handles: [Option<Handle>; WRITERS + 1],
    pub(super) list: ListStore,
    /// As of the last handle that ended.
    pub(super) next: Option<Next>,
    pub(super) failures: Failures,
    /// What the backup holds.
    pub(super) backup: Option<Vec<Row>>,
    /// Says what it does.
    pub(super) is_loud: bool,
    pub(super) doing: String,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Save,
    Batch,
    CompareAndSave,
    Import,
    Question,
    Delete,
    Sweep,
    Clear,
    Refresh,
    Compact,
    Backup,
    Verify,
    ReadOnly,
    Open,
    Close,
    Die,
    Crash,
}

const STEPS: [(usize, Step); 17] = [
    (60, Step::Save),
    (15, Step::Batch),
    (14, Step::CompareAndSave),
    (15, Step::Import),
    (50, Step::Question),
    (24, Step::Delete),
    (10, Step::Sweep),
    (3, Step::Clear),
    (30, Step::Refresh),
    (8, Step::Compact),
    (2, Step::Backup),
    (4, Step::Verify),
    (4, Step::ReadOnly),
    (10, Step::Open),
    (5, Step::Close),
    (4, Step::Die),
    (4, Step::Crash),
];

impl<'a> Script<'a> {
    pub(super) fn new(dice: Dice, tally: &'a mut Tally, is_encrypted: bool, is_loud: bool) -> Self {
        Self {
            sim: if is_encrypted { Sim::with_seed(7).encrypted() } else { Sim::with_seed(7) },
            handles: [const { None }; WRITERS + 1],
            list: ListStore::new(),
            next: None,
            failures: Failures::default(),
            backup: None,
            doing: String::new(),
            dice,
            tally,
            is_loud,
        }
    }

    /// Does one thing, asks another handle, and compares all answers.
    pub(super) fn step(&mut self) {
        if self.handles[..WRITERS].iter().all(Option::is_none) {
            self.open(0);
        }
        let actor = self.writer();
        match self.dice.weighted(&STEPS) {
            Step::Save => {
                let token = self.dice.token();
                self.perform(actor, &Verb::Save(token));
            }
            Step::Batch => {
                let tokens = self.dice.tokens();
                self.perform(actor, &Verb::Batch(tokens));
            }
            Step::CompareAndSave => {
                let token = self.dice.token();
                let revision = self.revision(&token);
                self.perform(actor, &Verb::CompareAndSave(token, revision));
            }
            Step::Import => {
                let (tokens, clashes) =
                    (self.dice.tokens(), [OnClash::Refuse, OnClash::Keep, OnClash::Replace, OnClash::Renumber]);
                let on_clash = self.dice.pick(&clashes);
                self.perform(actor, &Verb::Import(tokens, on_clash));
            }
            Step::Question => {
                let question = Verb::question(&mut self.dice);
                let asked = self.anybody();
                self.perform(asked, &question);
            }
            Step::Delete => {
                let id = self.dice.id();
                let verb = if self.dice.one_in(3) { Verb::DeleteToken(id) } else { Verb::Delete(id) };
                self.perform(actor, &verb);
            }
            Step::Sweep => {
                let policy = self.dice.sweep_policy();
                self.perform(actor, &Verb::Sweep(policy));
            }
            Step::Clear => self.perform(actor, &Verb::Clear),
            Step::Refresh => self.refresh(actor),
            Step::Compact => self.compact(actor),
            Step::Backup => self.back_up(actor),
            Step::Verify => self.verify(),
            Step::ReadOnly => self.write_by_reader(),
            Step::Open => self.open_some(),
            Step::Close => self.close(actor),
            Step::Die => self.die(actor),
            Step::Crash => self.crash(),
        }
        self.ask_another(actor);
    }

    pub(super) fn store(&self, which: usize) -> &LogStore {
        &self.handles[which].as_ref().expect("it is open").store
    }

    /// Says, if anybody listens, what comes.
    pub(super) fn note(&mut self, name: &str, what: impl FnOnce() -> String) {
        name.clone_into(&mut self.doing);
        self.tally.count(name);
        if self.is_loud {
            println!("  {name}: {}", what());
        }
    }

    /// Asks the store and the list, and compares.
    fn perform(&mut self, which: usize, verb: &Verb) {
        self.note(verb.name(), || format!("handle {which}, {verb:?}"));
        let answer = self.compare(which, verb);
        self.tally.count(answer.name(verb.writes()));
    }

    fn compare(&mut self, which: usize, verb: &Verb) -> Answer {
        let expected = verb.apply(&self.list);
        let answer = verb.perform(self.store(which)).unwrap_or_else(|error| {
            let refusal = refusal(error.kind()).unwrap_or_else(|| panic!("handle {which} fails: {error}"));
            self.tally.count(refusal);
            Answer::Refused(error.to_string())
        });
        assert_eq!(answer, expected, "handle {which}");
        answer
    }

    /// What one has done, the next find of every other sees.
    fn ask_another(&mut self, actor: usize) {
        let open = (1..=WRITERS).map(|more| (actor + more) % self.handles.len());
        let open: Vec<_> = open.filter(|which| self.handles[*which].is_some()).collect();
        if open.is_empty() {
            return;
        }
        let which = self.dice.pick(&open);
        if self.dice.one_in(8) {
            let tokens = self.store(which).stats().expect("it is open").tokens;
            assert_eq!(tokens, self.rows().len() as u64, "handle {which} counts");
        }
        let question = if self.dice.one_in(4) { Verb::All } else { Verb::question(&mut self.dice) };
        let answer = self.compare(which, &question);
        self.tally.count(if answer.name(false) == "found" { "another sees" } else { "another sees nothing" });
    }

    /// The revision of the row that the token means, or that of another, or one that nobody has.
    fn revision(&mut self, token: &Token) -> u64 {
        if self.dice.one_in(6) {
            return self.any_revision();
        }
        let row = match (token.id(), token.user_name()) {
            (Some(id), _) => self.list.get(Key::Id(id)),
            (None, Some(user)) => self.list.get(Key::UserName(user)),
            (None, None) => self.list.find_token(token),
        };
        row.expect("a list").and_then(|row| row.revision()).unwrap_or(0)
    }

    fn any_revision(&mut self) -> u64 {
        let key = self.dice.key();
        self.list.get(key).expect("a list").and_then(|row| row.revision()).unwrap_or(0)
    }

    fn refresh(&mut self, actor: usize) {
        let ask = Ask::new(&mut self.dice);
        self.note("refresh", || format!("handle {actor}, {ask:?}"));
        let other = (0..WRITERS).find(|which| *which != actor && self.handles[*which].is_some());
        let ours = &self.handles[actor].as_ref().expect("it is open").store;
        let other = other.and_then(|which| self.handles[which].as_ref()).map(|handle| &handle.store);
        let stores = Stores { ours, other, list: &self.list };
        let outcome = stores.refresh(&ask, &mut self.failures);
        self.tally.count(outcome.name());
    }

    fn compact(&mut self, actor: usize) {
        self.note("compact", || format!("handle {actor}"));
        let report = self.store(actor).compact().unwrap_or_else(|error| panic!("no compaction: {error}"));
        assert_eq!(report.tokens, self.rows().len() as u64, "rows carried over");
    }

    fn back_up(&mut self, actor: usize) {
        let backed_up = self.store(actor).backup(BACKUP).map_err(|error| error.kind());
        if self.backup.is_some() {
            self.note("backup refused", || format!("handle {actor}"));
            return assert_eq!(backed_up, Err(ErrorKind::NotAStore), "there is one already");
        }
        self.note("backup", || format!("handle {actor}"));
        assert_eq!(backed_up, Ok(()));
        self.backup = Some(self.rows());
        self.check_backup();
        let found = Next::of(&open(&self.sim.process(), BACKUP, false));
        assert_eq!(found, Next::of(self.store(actor)), "the backup's counters");
    }

    pub(super) fn check_backup(&self) {
        let Some(expected) = &self.backup else { return };
        let store = open(&self.sim.process(), BACKUP, false);
        assert_eq!(&rows_of(&store), expected, "the backup");
        store.close().expect("a close");
    }

    fn verify(&mut self) {
        let which = self.anybody();
        self.note("verify", || format!("handle {which}"));
        let report = self.store(which).verify().expect("it can be read");
        assert_eq!(report.status, VerifyStatus::Clean, "{:?}", report.damage);
    }

    fn write_by_reader(&mut self) {
        if self.handles[READER].is_none() {
            return self.open(READER);
        }
        self.note("write by a reader", String::new);
        let store = self.store(READER);
        let token = Token::builder().refresh_token("r1").build();
        let refused = [
            store.save_token(&token).map(drop),
            store.delete("1").map(drop),
            store.delete_tokens(),
            store.compact().map(drop),
        ];
        let kinds = refused.map(|result| result.map_err(|error| error.kind()));
        assert_eq!(kinds, [Err(ErrorKind::ReadOnly); 4]);
    }

    /// A handle that is open and may write.
    fn writer(&mut self) -> usize {
        let first = self.dice.below(WRITERS);
        let all = (0..WRITERS).map(|more| (first + more) % WRITERS);
        all.into_iter().find(|which| self.handles[*which].is_some()).expect("one writes")
    }

    fn anybody(&mut self) -> usize {
        if self.handles[READER].is_some() && self.dice.one_in(3) { READER } else { self.writer() }
    }

    /// All rows as they are to be.
    pub(super) fn rows(&self) -> Vec<Row> {
        self.list.get_tokens().expect("a list").into_iter().map(row).collect()
    }
}
