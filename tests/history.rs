//! What threads of many processes do to one store has an order that the clock and every answer agree with.
//!
//! Method: processes with several threads each save, merge, compare and save, delete and find the same few users, and
//! compact, by call and in the background. Each takes down what it was answered, and the time just before and after by a
//! clock that all processes share. The parent then checks the histories (`history/checker.rs`, where tests with planted
//! errors show what it finds): every user's row is linearizable, no update is lost, ids and revisions are given once.
//!
//! `TOKCASK_SECONDS` (3; how long they work), `TOKCASK_PROCESSES` (8), `TOKCASK_THREADS` (8), and `TOKCASK_SEED`.

#[path = "history/checker.rs"]
mod checker;
#[path = "history/lines.rs"]
mod lines;
mod processes;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use checker::{Did, Event, Row, Snapshot};
use processes::{Orders, Process, Random, access, files, hear, orders, say, seed, setting};
use rustix::time::{ClockId, clock_gettime};
use tokcask::{CompactionPolicy, Error, Key, LogStore, Options, ReadMode, Token, TokenStore};

const USERS: u64 = 24;

#[test]
fn a_child_does_as_it_is_told() {
    let Some(orders) = orders() else { return };
    work(orders);
    std::process::exit(0);
}

/// Nanoseconds of a clock that is the same in all processes.
fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    u64::try_from(time.tv_sec).unwrap() * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap()
}

fn open(number: u64, path: &Path) -> LogStore {
    let mut eager = CompactionPolicy::new();
    (eager.dead_bytes_min, eager.dead_percent_min, eager.dead_age_max) = (4096, 10, Duration::from_secs(1));
    let options = match number % 4 {
        0 => Options::new().compaction(eager),
        1 => Options::new().read_mode(ReadMode::Copy).compaction(eager),
        2 => Options::new().background(false),
        _ => Options::new().read_only(number % 8 == 7),
    };
    options.open(path).unwrap()
}

fn work(mut orders: Orders) {
    let number: u64 = orders.role.parse().unwrap();
    let store = open(number, &orders.path.join("tokens"));
    let is_over = AtomicBool::new(false);
    let threads = setting("TOKCASK_THREADS", 8);
    say("ready");
    hear();
    let records: Vec<Record> = thread::scope(|scope| {
        let (store, is_over) = (&store, &is_over);
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                let random = Random::new(orders.random.next());
                let name = format!("{number}-{thread}");
                scope.spawn(move || {
                    Worker { store, name, random, known: BTreeMap::new() }.work(number % 8 == 7, is_over)
                })
            })
            .collect();
        while hear().is_some() {}
        is_over.store(true, Ordering::Relaxed);
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    store.close().unwrap();
    let (mut events, mut snapshots) = (String::new(), String::new());
    for record in &records {
        record.events.iter().for_each(|event| writeln!(events, "{}", lines::of_event(event)).unwrap());
        record.snapshots.iter().for_each(|seen| writeln!(snapshots, "{}", lines::of_snapshot(seen)).unwrap());
    }
    std::fs::write(orders.path.join(format!("events{number}")), events).unwrap();
    std::fs::write(orders.path.join(format!("snapshots{number}")), snapshots).unwrap();
}

#[derive(Default)]
struct Record {
    events: Vec<Event>,
    snapshots: Vec<Snapshot>,
}

struct Worker<'a> {
    store: &'a LogStore,
    name: String,
    random: Random,
    /// Rows as they were seen last.
    known: BTreeMap<String, Row>,
}

impl Worker<'_> {
    fn work(mut self, only_reads: bool, is_over: &AtomicBool) -> Record {
        let mut record = Record::default();
        for number in 0_u64.. {
            if is_over.load(Ordering::Relaxed) {
                break;
            }
            let user = format!("user{}", self.random.below(USERS));
            if self.random.below(200) == 0 {
                self.take_snapshot(&mut record);
            }
            if !only_reads && self.random.below(300) == 0 {
                self.store.compact().unwrap();
            }
            let invoked = now();
            let did = if only_reads || self.random.below(2) == 0 {
                self.find(&user)
            } else {
                self.change(&user, &format!("fake-{}-{number}", self.name))
            };
            record.events.push(Event { user, invoked, returned: now(), did });
            if only_reads {
                // It would else do nothing but fill memory.
                thread::sleep(Duration::from_micros(200));
            }
        }
        record
    }

    fn find(&mut self, user: &str) -> Did {
        let get = |key| self.store.get(key).unwrap().as_ref().map(row);
        let did = match (self.random.below(4), self.known.get(user)) {
            (0, Some(known)) => Did::FindId(known.id, get(Key::Id(&known.id.to_string()))),
            (1, Some(known)) if !known.refresh.is_empty() => {
                Did::FindRefresh(known.refresh.clone(), get(Key::RefreshToken(&known.refresh)))
            }
            (2, _) => {
                let partial = Token::builder().user_name(user).build();
                Did::FindUser(self.store.find_token(&partial).unwrap().as_ref().map(row))
            }
            _ => Did::FindUser(get(Key::UserName(user))),
        };
        if let Did::FindUser(Some(row)) | Did::FindId(_, Some(row)) | Did::FindRefresh(_, Some(row)) = &did {
            self.known.insert(user.to_owned(), row.clone());
        }
        did
    }

    fn change(&mut self, user: &str, value: &str) -> Did {
        if self.random.below(4) == 0 {
            // Else somebody has nearly always come first.
            self.find(user);
        }
        let known = self.known.get(user);
        let with_access = Token::builder().user_name(user).access_token(value).build();
        let did = match self.random.below(10) {
            0 | 1 => {
                let Some(known) = known else { return self.find(user) };
                Did::Delete { id: known.id, deleted: self.store.delete(&known.id.to_string()).unwrap() }
            }
            2..5 => {
                let expects_a_row = self.random.below(8) != 0;
                let expected = known.filter(|_| expects_a_row).map_or(0, |known| known.revision);
                match self.store.compare_and_save(&with_access, expected) {
                    Ok(saved) => Did::CompareAndSave { expected, access: value.to_owned(), saved: row(&saved) },
                    Err(Error::Conflict { expected, found }) => Did::Conflict { expected, found },
                    Err(error) => panic!("{error}"),
                }
            }
            5 | 6 => {
                let merging = Token::builder().user_name(user).refresh_token(value).build();
                let saved = row(&self.store.save_token(&merging).unwrap());
                Did::Save { access: String::new(), refresh: value.to_owned(), saved }
            }
            _ => {
                let saved = row(&self.store.save_token(&with_access).unwrap());
                Did::Save { access: value.to_owned(), refresh: String::new(), saved }
            }
        };
        if let Did::Save { saved, .. } | Did::CompareAndSave { saved, .. } = &did {
            self.known.insert(user.to_owned(), saved.clone());
        }
        did
    }

    /// All rows: a find for each user.
    fn take_snapshot(&mut self, record: &mut Record) {
        let invoked = now();
        let rows = self.store.get_tokens().unwrap();
        let returned = now();
        let snapshot = by_user(&rows);
        record.events.extend(finds_of(&snapshot, invoked, returned));
        record.snapshots.push(snapshot);
    }
}

fn finds_of(snapshot: &Snapshot, invoked: u64, returned: u64) -> impl Iterator<Item = Event> {
    (0..USERS).map(move |user| {
        let user = format!("user{user}");
        let did = Did::FindUser(snapshot.get(&user).cloned());
        Event { user, invoked, returned, did }
    })
}

fn by_user(rows: &[Token]) -> Snapshot {
    let users: Snapshot = rows.iter().map(|token| (token.user_name().unwrap().to_owned(), row(token))).collect();
    assert_eq!(users.len(), rows.len(), "two rows of one user");
    users
}

fn row(token: &Token) -> Row {
    Row {
        id: token.id().unwrap().parse().unwrap(),
        revision: token.revision().unwrap(),
        access: access(token).to_owned(),
        refresh: token.refresh_token().map_or("", |secret| secret.expose_secret()).to_owned(),
    }
}

#[test]
fn what_processes_do_to_one_store_is_linearizable() {
    let (seconds, processes, seed) = (setting("TOKCASK_SECONDS", 3), setting("TOKCASK_PROCESSES", 8), seed());
    println!("seed {seed}");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    let mut random = Random::new(seed);
    let store = LogStore::open(&path).unwrap();
    let start = |number: u64| Process::start(&number.to_string(), directory.path(), random.next());
    let mut children: Vec<_> = (0..processes).map(start).collect();
    for child in &mut children {
        assert_eq!(child.hear().as_deref(), Some("ready"), "seed {seed}");
    }
    for child in &mut children {
        child.say("go");
    }
    thread::sleep(Duration::from_secs(seconds));
    children.iter_mut().for_each(Process::hang_up);
    children.into_iter().for_each(Process::end);

    let (mut events, mut snapshots) = (Vec::new(), Vec::new());
    for number in 0..processes {
        let read = |what: &str| std::fs::read_to_string(directory.path().join(format!("{what}{number}"))).unwrap();
        events.extend(read("events").lines().map(lines::to_event));
        snapshots.extend(read("snapshots").lines().map(lines::to_snapshot));
    }
    // What is there in the end, for a handle that was there all the time and for one that reads it from the log.
    let generations = store.stats().unwrap().generation;
    for reopen in [false, true] {
        let store = if reopen { &LogStore::open(&path).unwrap() } else { &store };
        let invoked = now();
        let snapshot = by_user(&store.get_tokens().unwrap());
        events.extend(finds_of(&snapshot, invoked, now()));
        assert!(store.verify().unwrap().damage.is_empty(), "seed {seed}");
    }
    if let Err(wrong) = checker::check(&events).and_then(|()| checker::check_snapshots(&events, &snapshots)) {
        let kept = directory.keep();
        panic!("seed {seed}: {wrong}\nthe histories are in {}: {:?}", kept.display(), files(&kept));
    }
    // How many, and how long the longest of them took, in microseconds.
    let mut counts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for event in &events {
        let verb = match event.did {
            Did::Save { .. } => "saved",
            Did::CompareAndSave { .. } => "compared and saved",
            Did::Conflict { .. } => "conflicts",
            Did::Delete { deleted: true, .. } => "deleted",
            Did::Delete { .. } => "not there to delete",
            Did::FindUser(None) | Did::FindId(_, None) | Did::FindRefresh(_, None) => "not found",
            Did::FindUser(_) | Did::FindId(..) | Did::FindRefresh(..) => "found",
        };
        let (count, longest) = counts.entry(verb).or_default();
        *count += 1;
        *longest = (event.returned - event.invoked).div_ceil(1000).max(*longest);
    }
    println!(
        "{} operations, by kind with the longest in us: {counts:?}; {} snapshots, {generations} generations",
        events.len(),
        snapshots.len(),
    );
}
