//! Schedules of threads and processes: who goes on at each step, at random, thousands of times.
//!
//! Method: the engine itself over shuttle's locks (`src/sync.rs`) and the simulated machine, where another thread may go on
//! before every call, load and store. A deadlock, a wait that nobody ends and a panic fail the model, which says how to
//! see the same schedule again.
//!
//! `RUSTFLAGS="--cfg shuttle" CARGO_TARGET_DIR=target/shuttle cargo test --test schedules` takes less than a minute; without
//! the flag there is nothing here. `TOKCASK_SCHEDULES=1000000 TOKCASK_SEED=…` makes it long, and new.

#![cfg(shuttle)]

mod many_schedules;
mod sim;
mod two_processes;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use shuttle::rand::Rng;
use shuttle::thread;
use sim::{Call, Damage, Fault, Plan, Sim};
use tokcask::{ErrorKind, Key, LogStore, Options, ReadMode, Result, Token, TokenStore, open_on};

use many_schedules::{check, store};
use two_processes::{STORE, open, rows, token};

/// The newest version of bob's row that anybody has found, or was told that it is saved.
#[derive(Clone, Default)]
struct Newest(Arc<AtomicU32>);

impl Newest {
    fn saved(&self, version: u32) {
        self.0.fetch_max(version, Ordering::SeqCst);
    }

    /// Whoever finds it sees no less than anybody saw before.
    fn find(&self, process: &Sim, store: &LogStore) {
        let known = self.0.load(Ordering::SeqCst);
        let row = store.get(Key::UserName("bob")).unwrap().expect("a find never misses");
        let found = version(&row);
        assert!(found >= known, "version {found} was found after {known}");
        if found > known && found > 1 {
            assert!(process.is_durable(secret(&row).as_bytes()), "version {found} was found before it was durable");
        }
        self.saved(found);
    }
}

fn secret(row: &Token) -> &str {
    row.access_token().unwrap().expose_secret()
}

fn version(row: &Token) -> u32 {
    secret(row).rsplit('-').next().unwrap().parse().unwrap()
}

/// All rows of one moment, as far as `users` are concerned.
fn versions(store: &LogStore, users: [&str; 2]) -> [u32; 2] {
    let rows: Vec<_> = store.iter().map(Result::unwrap).collect();
    users.map(|user| version(rows.iter().find(|row| row.user_name() == Some(user)).expect("an iteration never misses")))
}

fn open_as(process: &Sim, options: &Options) -> Arc<LogStore> {
    let options = options.clone().read_mode(ReadMode::Copy);
    Arc::new(open_on(&options, Arc::new(process.clone()), Path::new(STORE)).unwrap())
}

#[test]
fn what_is_published_is_found_whole_and_durable_and_never_goes_back() {
    check("publish and follow", 2000, || {
        let sim = store();
        let newest = Newest::default();
        let (shared, reads) = (Options::new().background(false), Options::new().background(false).read_only(true));
        let handles = [&shared, &shared, &reads].map(|options| {
            let process = sim.process();
            (open_as(&process, options), process)
        });
        let finders = handles.clone().map(|(store, process)| {
            let newest = newest.clone();
            thread::spawn(move || {
                for _ in 0..2 {
                    newest.find(&process, &store);
                    let [ann, bob] = versions(&store, ["ann", "bob"]);
                    assert_eq!(ann, bob, "half of a save was found");
                    newest.saved(bob);
                }
                newest.find(&process, &store);
            })
        });
        let writer = &handles[0].0;
        for version in 2..=4 {
            writer.save_tokens(&[token("ann", version), token("bob", version)]).unwrap();
            newest.saved(version);
        }
        for finder in finders {
            finder.join().unwrap();
        }
    });
}

#[test]
fn every_call_of_a_batch_gets_its_own_answer() {
    check("batching", 2000, || {
        let sim = store();
        let processes = [sim.process(), sim.process()];
        let [ours, other] = [0, 1].map(|number: usize| Arc::new(open(&processes[number]).unwrap()));
        let revisions =
            || ours.get_tokens().unwrap().into_iter().map(|row| row.revision().unwrap()).collect::<Vec<_>>();
        let before = revisions();
        let ann = before[0];
        let start = |work: fn(&LogStore, u64) -> Vec<Result<Token>>, store: &Arc<LogStore>| {
            let store = store.clone();
            thread::spawn(move || work(&store, ann))
        };
        let threads = [
            start(|store, _| ["x1", "x2"].map(|user| save_and_find(store, user)).into(), &ours),
            start(|store, ann| vec![store.compare_and_save(&token("ann", 2), ann), delete_cid(store)], &ours),
            start(|store, ann| vec![store.compare_and_save(&token("ann", 3), ann), save_and_find(store, "x3")], &ours),
            start(
                |store, _| {
                    let too_little = store.save_token(&Token::builder().user_name("eve").build());
                    assert_eq!(too_little.unwrap_err().kind(), ErrorKind::TooLittle);
                    vec![delete_cid(store)]
                },
                &ours,
            ),
            start(|store, _| vec![save_and_find(store, "y1")], &other),
        ];
        let [x, first, second, deleted, y] = threads.map(|thread| thread.join().unwrap());
        let refused = |answer: &Result<Token>, kind| answer.as_ref().is_err_and(|error| error.kind() == kind);
        for (won, lost, kind) in
            [(&first[0], &second[0], ErrorKind::Conflict), (&second[0], &first[0], ErrorKind::Conflict)]
        {
            assert!(won.is_ok() || refused(won, kind) && lost.is_ok(), "{won:?}, {lost:?}");
        }
        assert!(first[0].is_ok() != second[0].is_ok(), "one comparison holds: {first:?}, {second:?}");
        assert!(first[1].is_ok() != deleted[0].is_ok(), "one finds the row to delete");
        let saved =
            x.iter().chain([&first[0], &second[0], &second[1]]).chain(&y).filter_map(|saved| saved.as_ref().ok());
        let mut given: Vec<_> = saved.map(|row| row.revision().unwrap()).collect();
        given.sort_unstable();
        let next = before.iter().max().unwrap() + 1;
        given.push(save_and_find(&ours, "last").unwrap().revision().unwrap());
        given.dedup();
        // The delete that found the row has one as well.
        assert_eq!(
            (given.len(), given[0] >= next, given[5]),
            (6, true, next + 6),
            "revisions are unique and without gaps"
        );
        assert_eq!(rows(&ours), rows(&other));
        assert_eq!(rows(&ours).len(), 7, "ann, bob and what is new");
        assert_eq!(rows(&open(&sim.power_loss(Damage::Old, 0)).unwrap()), rows(&ours));
    });
}

fn save_and_find(store: &LogStore, user: &str) -> Result<Token> {
    let saved = store.save_token(&token(user, 1))?;
    assert!(store.get(Key::Id(saved.id().unwrap()))?.is_some(), "{user} is not found after it was saved");
    Ok(saved)
}

/// In the form of a save, for the sake of one list of answers.
fn delete_cid(store: &LogStore) -> Result<Token> {
    store.delete_token("3").map(|()| token("cid", 0))
}

#[test]
fn a_leader_that_panics_leaves_nobody_waiting() {
    check("a leader that panics", 2000, || {
        let sim = store();
        let process = sim.process();
        let ours = Arc::new(open(&process).unwrap());
        let mut random = shuttle::rand::thread_rng();
        let only = Some(if random.gen_bool(0.5) { Call::Write } else { Call::Sync });
        let call = process.calls() + random.gen_range(0..60);
        process.set_plan(Some(Plan { call, only, fault: Fault::Panic, sticky: false }));
        let threads = ["x1", "x2", "x3", "x4"].map(|user| {
            let store = ours.clone();
            thread::spawn(move || catch_unwind(AssertUnwindSafe(|| save_and_find(&store, user))))
        });
        let answers = threads.map(|thread| thread.join().unwrap());
        let panicked = process.tripped().is_some();
        process.set_plan(None);
        assert_eq!(answers.iter().filter(|answer| answer.is_err()).count(), usize::from(panicked));
        let told: Vec<_> = answers.iter().flatten().collect();
        assert!(told.iter().all(|told| {
            told.as_ref().map_or_else(|error| error.kind() == ErrorKind::Poisoned, |_| panicked || told.is_ok())
        }));
        if panicked {
            assert_eq!(ours.save_token(&token("late", 1)).unwrap_err().kind(), ErrorKind::Poisoned);
        }
        let other = open(&sim.process()).unwrap();
        other.save_token(&token("other", 1)).unwrap();
        ours.compact().unwrap();
        ours.save_token(&token("late", 1)).unwrap();
        let found = rows(&other);
        assert_eq!(found, rows(&ours));
        let known = |user: &str| found.iter().any(|row| row.0 == user);
        assert!(["ann", "other", "late"].into_iter().all(known));
        assert!(
            told.iter().filter_map(|told| told.as_ref().ok()).all(|row| known(row.user_name().unwrap())),
            "a save was lost"
        );
    });
}

#[test]
fn nothing_is_missed_while_a_generation_gives_way_to_the_next() {
    check("generation swap", 3000, || {
        let sim = store();
        let newest = Newest::default();
        let processes = [sim.process(), sim.process()];
        let compacts = open_as(&processes[0], &Options::new().background(false));
        // Its own thread follows, and reads the new log through.
        let follows = open_as(&processes[1], &Options::new().background(true));
        let finder = |process: &Sim, store: &Arc<LogStore>| {
            let (process, store, newest) = (process.clone(), store.clone(), newest.clone());
            thread::spawn(move || {
                for _ in 0..3 {
                    newest.find(&process, &store);
                    let known = newest.0.load(Ordering::SeqCst);
                    let [ann, bob] = versions(&store, ["ann", "bob"]);
                    assert_eq!(ann, 1);
                    assert!(bob >= known, "an iteration found version {bob} after {known}");
                    newest.saved(bob);
                }
            })
        };
        let finders = [finder(&processes[0], &compacts), finder(&processes[1], &follows)];
        let saver = thread::spawn({
            let store = follows.clone();
            move || ["x1", "x2", "x3"].map(|user| save_and_find(&store, user).unwrap())
        });
        for version in 2..=5 {
            compacts.save_token(&token("bob", version)).unwrap();
            newest.saved(version);
            if version % 2 == 1 {
                compacts.compact().unwrap();
            }
        }
        saver.join().unwrap();
        for finder in finders {
            finder.join().unwrap();
        }
        let found = rows(&follows);
        assert_eq!(found.len(), 6, "{found:?}");
        assert_eq!(rows(&compacts), found);
        assert_eq!(rows(&open(&sim.power_loss(Damage::Old, 0)).unwrap()), found);
        follows.close().unwrap();
    });
}
