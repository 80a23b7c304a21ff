//! Killing processes that share a store loses nothing that any of them was told is done, and stops nobody else.
//!
//! Method: eight children save, delete and compact; each tells the parent before it begins an operation and when it
//! is done. The parent kills a random one every few milliseconds and starts another in its place, which first says what
//! it finds: every operation that was acknowledged, and the one that was in flight whole or not at all. Now and then all
//! are killed, and either the parent opens what they left, or eight at once do. A read-only handle of the parent's lives
//! through all of it. All this with a plain store and then with an encrypted one. A child that says nothing for the watchdog's 30 s fails the test; the longest operation is told.
//!
//! `TOKCASK_KILLS` (200; 10,000 take a minute or two) and `TOKCASK_SEED` as their names say.

mod processes;
#[path = "kills/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use processes::{Orders, access, files, hear, options, orders, say, seed, setting, token};
use tokcask::{Key, TokenStore};
use world::{SLOTS, World};

const USERS: u64 = 6;

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
    let store = options(&orders.path).open(&orders.path).unwrap();
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

#[test]
fn killed_processes_lose_nothing_and_stop_nobody() {
    let (kills, seed) = (setting("TOKCASK_KILLS", 200), seed());
    println!("seed {seed}");
    let directory = tempfile::tempdir().unwrap();
    for name in ["plain", "sealed"] {
        kill_processes(&directory.path().join(name), kills, seed);
    }
}

fn kill_processes(path: &Path, kills: u64, seed: u64) {
    options(path).open(path).unwrap().save_token(&token("forever", "fake")).unwrap();
    let mut world = World::new(path.to_owned(), seed);
    for place in 0..SLOTS {
        let slot = world.start(place, 0);
        world.slots.push(slot);
    }
    // Lives through it all, and is in nobody's way.
    let reader = options(path).read_only(true).background(false).open(path).unwrap();
    let (mut killed, mut massacres, mut torn) = (0, 0, 0);
    while killed < kills {
        assert!(reader.get(Key::UserName("forever")).unwrap().is_some(), "seed {seed}");
        let pause = Duration::from_micros(world.random.below(8000));
        // So that about a quarter of all kills are of all.
        if world.random.below(24) == 0 {
            world.listen(pause, |world| world.slots.iter().any(|slot| slot.opened));
            world.kill_all();
            if world.random.below(2) == 0 {
                let store = options(path).open(path).unwrap();
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

    let store = options(path).open(path).unwrap();
    world.check_all(&store);
    let left = files(path);
    let known = |name: &String| name == "store.log" || name == "store.lock" || name.starts_with("store.torn.");
    assert!(left.iter().all(known), "seed {seed}: {left:?}");
    // What crashes cut off is kept aside, until a compaction.
    store.compact().unwrap();
    assert_eq!(files(path), ["store.lock", "store.log"], "seed {seed}");
    world.check_all(&store);
    world.check_all(&reader);
    let World { in_flight, came_about, acknowledged, longest, .. } = world;
    println!(
        "{}: {killed} kills, {massacres} times all at once, {in_flight} with an operation in flight, of which \
         {came_about} came about, {torn} torn tails seen, {acknowledged} operations acknowledged; longest in microseconds: {longest:?}",
        path.display()
    );
}
