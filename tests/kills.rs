//! Killing processes that share a store loses nothing that any of them was told is done, and stops nobody else.
//!
//! Method: eight children save, delete and compact; each tells the parent before it begins an operation and when it
//! is done. The parent kills a random one every few milliseconds and starts another in its place, which first says what
//! it finds: every operation that was acknowledged, and the one that was in flight whole or not at all. Now and then all
//! are killed, and either the parent opens what they left, or eight at once do. A read-only handle of the parent's lives
//! through all of it. A child that says nothing for the watchdog's 30 s fails the test; the longest operation is told.
//!
//! `TOKCASK_KILLS` (200; 10,000 take a minute or two) and `TOKCASK_SEED` as their names say.

mod processes;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use processes::{Orders, Process, Random, access, files, hear, next_line, orders, say, seed, setting, token};
use rustix::process::Signal;
use tokcask::{Key, LogStore, Options, TokenStore};

const SLOTS: usize = 8;
const USERS: u64 = 6;
const WATCHDOG: Duration = Duration::from_secs(30);

#[test]
fn a_child_does_as_it_is_told() {
    let Some(orders) = orders() else { return };
    work(orders);
    std::process::exit(0);
}

/// A user of ours, whom no other living child writes.
fn user(slot: &str, number: u64) -> String {
    format!("user{slot}-{number}")
}

/// Says what is there, and then works until nobody listens or it is killed.
fn work(mut orders: Orders) {
    let slot = orders.role.clone();
    let start = Instant::now();
    let store = LogStore::open(&orders.path).unwrap();
    // Whoever commits first decides what becomes of an operation that was in flight; only then can it be said.
    store.save_token(&token(&format!("hello{slot}"), "fake")).unwrap();
    let mut ids = BTreeMap::new();
    for number in 0..USERS {
        let user = user(&slot, number);
        let row = store.get(Key::UserName(&user)).unwrap();
        match &row {
            Some(row) => say(format_args!("found {user} {} {}", row.id().unwrap(), access(row))),
            None => say(format_args!("found {user}")),
        }
        ids.insert(user, row.map(|row| row.id().unwrap().to_owned()));
    }
    say(format_args!("opened {}", start.elapsed().as_micros()));
    // Some do little else than compact, for those who die in the middle of that leave the most behind.
    let kinds = if orders.random.below(4) == 0 { 12 } else { 50 };
    thread::scope(|scope| {
        let listener = scope.spawn(|| while hear().is_some() {});
        for number in 0_u64.. {
            if listener.is_finished() {
                break;
            }
            let user = user(&slot, orders.random.below(USERS));
            let start = Instant::now();
            let verb = match (orders.random.below(kinds), ids[&user].clone()) {
                (0..4, _) if kinds < 50 || number % 10 == 9 => {
                    say("begin compact");
                    store.compact().unwrap();
                    say("compacted");
                    "compact"
                }
                (4..8, Some(id)) => {
                    say(format_args!("begin delete {user}"));
                    assert!(store.delete(&id).unwrap(), "{user} {id} is there");
                    say(format_args!("deleted {user}"));
                    ids.insert(user, None);
                    "delete"
                }
                _ => {
                    let value = format!("fake-{}-{number}", std::process::id());
                    say(format_args!("begin save {user} {value}"));
                    let saved = store.save_token(&token(&user, &value)).unwrap();
                    say(format_args!("saved {user} {} {value}", saved.id().unwrap()));
                    ids.insert(user, saved.id().map(str::to_owned));
                    "save"
                }
            };
            say(format_args!("took {verb} {}", start.elapsed().as_micros()));
            let start = Instant::now();
            assert!(store.get(Key::UserName("forever")).unwrap().is_some(), "what nobody touches is there");
            say(format_args!("took find {}", start.elapsed().as_micros()));
        }
    });
    store.close().unwrap();
    say("closed");
}

/// A row as it was acknowledged: id and access token.
type Row = Option<(String, String)>;

/// What the parent knows.
struct World {
    path: PathBuf,
    random: Random,
    seed: u64,
    rows: BTreeMap<String, Row>,
    /// What a user's row is if the operation that was in flight came about: with this access token, or gone.
    wanted: BTreeMap<String, Option<String>>,
    /// Who an id was given to first; nobody else may ever have it.
    owners: BTreeMap<String, String>,
    slots: Vec<Slot>,
    lines: (Sender<Line>, Receiver<Line>),
    acknowledged: u64,
    in_flight: u64,
    came_about: u64,
    longest: BTreeMap<String, u64>,
}

struct Slot {
    process: Process,
    /// Which of the children in this place.
    number: u64,
    /// It was heard to have opened.
    opened: bool,
    begun: Option<String>,
    heard: Instant,
    /// Its end is no surprise.
    is_to_end: bool,
    ended: bool,
}

/// What a child says; `None` when it has ended.
type Line = (usize, u64, Option<String>);

impl World {
    fn new(path: PathBuf, seed: u64) -> Self {
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

    fn start(&mut self, place: usize, number: u64) -> Slot {
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
    fn listen(&mut self, time: Duration, until: impl Fn(&Self) -> bool) {
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
    fn kill(&mut self, place: usize) {
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

    fn replace(&mut self, place: usize) {
        self.slots[place] = self.start(place, self.slots[place].number + 1);
    }

    /// Kills all at the same moment.
    fn kill_all(&mut self) {
        for slot in &mut self.slots {
            slot.is_to_end = true;
            slot.process.signal(Signal::KILL);
        }
        (0..SLOTS).for_each(|place| self.kill(place));
    }

    /// Tells all to end, and waits until they have.
    fn end_all(&mut self) {
        for slot in &mut self.slots {
            slot.is_to_end = true;
            slot.process.hang_up();
        }
        self.listen(Duration::ZERO, |world| world.slots.iter().all(|slot| slot.ended));
        for slot in std::mem::take(&mut self.slots) {
            slot.process.end();
        }
    }

    fn check_all(&mut self, store: &LogStore) {
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

#[test]
fn killed_processes_lose_nothing_and_stop_nobody() {
    let (kills, seed) = (setting("TOKCASK_KILLS", 200), seed());
    println!("seed {seed}");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    LogStore::open(&path).unwrap().save_token(&token("forever", "fake")).unwrap();
    let mut world = World::new(path.clone(), seed);
    for place in 0..SLOTS {
        let slot = world.start(place, 0);
        world.slots.push(slot);
    }
    // Lives through it all, and is in nobody's way.
    let reader = Options::new().read_only(true).background(false).open(&path).unwrap();
    let (mut killed, mut massacres, mut torn) = (0, 0, 0);
    while killed < kills {
        assert!(reader.get(Key::UserName("forever")).unwrap().is_some(), "seed {seed}");
        let pause = Duration::from_micros(world.random.below(8000));
        // So that about a quarter of all kills are of all.
        if world.random.below(24) == 0 {
            world.listen(pause, |world| world.slots.iter().any(|slot| slot.opened));
            world.kill_all();
            if world.random.below(2) == 0 {
                let store = LogStore::open(&path).unwrap();
                assert!(!store.open_report().joined, "nobody lives");
                torn += u64::from(store.open_report().recovered.is_some());
                world.check_all(&store);
                store.close().unwrap();
            }
            (0..SLOTS).for_each(|place| world.replace(place));
            (killed, massacres) = (killed + SLOTS as u64, massacres + 1);
            continue;
        }
        let place = usize::try_from(world.random.below(SLOTS as u64)).unwrap();
        // Some die while they open.
        let early = world.random.below(10) == 0;
        world.listen(pause, |world| early || world.slots[place].opened);
        world.kill(place);
        world.replace(place);
        killed += 1;
    }
    world.listen(Duration::ZERO, |world| world.slots.iter().all(|slot| slot.opened));
    world.end_all();

    let store = LogStore::open(&path).unwrap();
    world.check_all(&store);
    let left = files(&path);
    let known = |name: &String| name == "store.log" || name == "store.lock" || name.starts_with("store.torn.");
    assert!(left.iter().all(known), "seed {seed}: {left:?}");
    // What crashes cut off is kept aside, until a compaction.
    store.compact().unwrap();
    assert_eq!(files(&path), ["store.lock", "store.log"], "seed {seed}");
    world.check_all(&store);
    world.check_all(&reader);
    let World { in_flight, came_about, acknowledged, longest, .. } = world;
    println!(
        "{killed} kills, {massacres} times all at once, {in_flight} with an operation in flight, of which \
         {came_about} came about, {torn} torn tails seen, {acknowledged} operations acknowledged; longest in microseconds: {longest:?}"
    );
}
