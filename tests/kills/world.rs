//! What the parent of processes that are killed knows of them, and what it makes of what they say.
//!
//! Each place belongs to one living child at a time, and only that one writes the place's users: so it is known what was
//! acknowledged last without comparing clocks.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokcask::{LogStore, TokenStore};

use crate::processes::{Process, Random, access, next_line};

pub(crate) const SLOTS: usize = 8;
const WATCHDOG: Duration = Duration::from_secs(30);

/// What the parent knows.
pub(crate) struct World {
    path: PathBuf,
    pub(crate) random: Random,
    seed: u64,
    rows: BTreeMap<String, Row>,
    /// What a user's row is if the operation that was in flight came about: with this access token, or gone.
    wanted: BTreeMap<String, Option<String>>,
    /// Who an id was given to first; nobody else may ever have it.
    owners: BTreeMap<String, String>,
    pub(crate) slots: Vec<Slot>,
    lines: (Sender<Line>, Receiver<Line>),
    pub(crate) acknowledged: u64,
    pub(crate) in_flight: u64,
    pub(crate) came_about: u64,
    pub(crate) longest: BTreeMap<String, u64>,
}

pub(crate) struct Slot {
    process: Process,
    /// Which of the children in this place.
    number: u64,
    /// It was heard to have opened.
    pub(crate) opened: bool,
    begun: Option<String>,
    heard: Instant,
    /// Its end is no surprise.
    is_to_end: bool,
    ended: bool,
}

/// A row as it was acknowledged: id and access token.
type Row = Option<(String, String)>;

/// What a child says; `None` when it has ended.
type Line = (usize, u64, Option<String>);

impl World {
    pub(crate) fn new(path: PathBuf, seed: u64) -> Self {
        Self {
            path,
            random: Random::new(seed),
            seed,
            rows: BTreeMap::new(),
            wanted: BTreeMap::new(),
            owners: BTreeMap::new(),
            slots: Vec::new(),
            lines: channel(),
            acknowledged: 0,
            in_flight: 0,
            came_about: 0,
            longest: BTreeMap::new(),
        }
    }

    pub(crate) fn start(&mut self, place: usize, number: u64) -> Slot {
        let mut process = Process::start(&place.to_string(), &self.path, self.random.next());
        let (mut output, sender) = (process.take_output(), self.lines.0.clone());
        thread::spawn(move || {
            loop {
                let line = next_line(&mut output);
                let ended = line.is_none();
                if sender.send((place, number, line)).is_err() || ended {
                    return;
                }
            }
        });
        Slot { process, number, opened: false, begun: None, heard: Instant::now(), is_to_end: false, ended: false }
    }

    /// Listens for a while, and longer as long as `until` says no.
    pub(crate) fn listen(&mut self, time: Duration, until: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        loop {
            match self.lines.1.recv_timeout(time.saturating_sub(start.elapsed()).max(Duration::from_micros(100))) {
                Ok((place, number, line)) => self.note(place, number, line),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => unreachable!("we hold a sender"),
            }
            for (place, slot) in self.slots.iter().enumerate() {
                let (silent, begun) = (slot.heard.elapsed(), &slot.begun);
                assert!(silent < WATCHDOG, "seed {}: {place} is stuck at {begun:?} for {silent:?}", self.seed);
            }
            if start.elapsed() >= time && until(self) {
                return;
            }
        }
    }

    fn note(&mut self, place: usize, number: u64, line: Option<String>) {
        let seed = self.seed;
        assert_eq!(self.slots[place].number, number, "the dead were heard to the end");
        let Some(line) = line else {
            assert!(self.slots[place].is_to_end, "seed {seed}: {place} died by itself");
            self.slots[place].ended = true;
            return;
        };
        self.slots[place].heard = Instant::now();
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["begin", rest @ ..] => self.slots[place].begun = Some(rest.join(" ")),
            ["saved", user, id, value] => self.done(place, user, Some(((*id).to_owned(), (*value).to_owned()))),
            ["deleted", user] => self.done(place, user, None),
            ["compacted"] => self.slots[place].begun = None,
            ["took", verb, micros] => self.took(verb, micros),
            ["opened", micros] => {
                self.slots[place].opened = true;
                self.took("open", micros);
            }
            ["found", user] => self.check(user, &None),
            ["found", user, id, value] => self.check(user, &Some(((*id).to_owned(), (*value).to_owned()))),
            ["closed"] => {}
            other => panic!("seed {seed}: a child said {other:?}"),
        }
    }

    fn took(&mut self, verb: &str, micros: &str) {
        let longest = self.longest.entry(verb.to_owned()).or_default();
        *longest = micros.parse::<u64>().unwrap().max(*longest);
    }

    fn done(&mut self, place: usize, user: &str, row: Row) {
        self.acknowledged += 1;
        self.slots[place].begun = None;
        self.own(user, &row);
        if let (Some(Some((before, _))), Some((after, _))) = (self.rows.get(user), &row) {
            assert_eq!(before, after, "seed {}: {user} keeps its id", self.seed);
        }
        self.rows.insert(user.to_owned(), row);
    }

    fn own(&mut self, user: &str, row: &Row) {
        if let Some((id, _)) = row {
            let owner = self.owners.entry(id.clone()).or_insert_with(|| user.to_owned());
            assert_eq!(owner, user, "seed {}: the id {id} was given twice", self.seed);
        }
    }

    fn check(&mut self, user: &str, found: &Row) {
        let seed = self.seed;
        self.own(user, found);
        let expected = self.rows.get(user).cloned().unwrap_or_default();
        let wanted = self.wanted.remove(user);
        if *found == expected {
            return;
        }
        let value = found.as_ref().map(|(_, value)| value.clone());
        assert_eq!(Some(value), wanted, "seed {seed}: {user} was acknowledged as {expected:?}, and is {found:?}");
        if let (Some((before, _)), Some((after, _))) = (&expected, found) {
            assert_eq!(before, after, "seed {seed}: {user} keeps its id");
        }
        self.came_about += 1;
        self.rows.insert(user.to_owned(), found.clone());
    }

    /// Kills it, hears what it still said, and takes down what was in flight.
    pub(crate) fn kill(&mut self, place: usize) {
        self.slots[place].is_to_end = true;
        self.slots[place].process.kill();
        while !self.slots[place].ended {
            let (of, number, line) = self.lines.1.recv_timeout(WATCHDOG).expect("the pipe of a dead process ends");
            self.note(of, number, line);
        }
        let Some(begun) = self.slots[place].begun.take() else { return };
        self.in_flight += 1;
        match begun.split(' ').collect::<Vec<_>>().as_slice() {
            ["save", user, value] => self.wanted.insert((*user).to_owned(), Some((*value).to_owned())),
            ["delete", user] => self.wanted.insert((*user).to_owned(), None),
            _ => None,
        };
    }

    pub(crate) fn replace(&mut self, place: usize) {
        self.slots[place] = self.start(place, self.slots[place].number + 1);
    }

    /// Kills all at the same moment.
    pub(crate) fn kill_all(&mut self) {
        for slot in &mut self.slots {
            slot.is_to_end = true;
            slot.process.signal(Signal::KILL);
        }
        (0..SLOTS).for_each(|place| self.kill(place));
    }

    /// Tells all to end, and waits until they have.
    pub(crate) fn end_all(&mut self) {
        for slot in &mut self.slots {
            slot.is_to_end = true;
            slot.process.hang_up();
        }
        self.listen(Duration::ZERO, |world| world.slots.iter().all(|slot| slot.ended));
        for slot in std::mem::take(&mut self.slots) {
            slot.process.end();
        }
    }

    pub(crate) fn check_all(&mut self, store: &LogStore) {
        let rows = store.get_tokens().unwrap();
        let mut found: BTreeMap<_, Row> = self.rows.keys().map(|user| (user.clone(), None)).collect();
        for row in &rows {
            let (user, id) = (row.user_name().unwrap().to_owned(), row.id().unwrap().to_owned());
            let row = Some((id, access(row).to_owned()));
            self.own(&user, &row);
            if user.starts_with("user") {
                let twice = found.insert(user.clone(), row);
                assert!(matches!(twice, None | Some(None)), "seed {}: two rows of {user}", self.seed);
            }
        }
        for (user, row) in &found {
            self.check(user, row);
        }
        assert!(store.verify().unwrap().damage.is_empty(), "seed {}: damage", self.seed);
    }
}
