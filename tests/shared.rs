//! Processes that share a store lose nothing of each other's, and see each other's saves at once.
//!
//! Method: this program runs itself as processes that save, find and compact in one directory, and compares what they say.
//! `TOKCASK_ROUNDS` (5) is how many stores are made at once, and sets the other lengths; with 100 it takes minutes, with
//! a million finds for each reader. `TOKCASK_PROCESSES` (4) save `TOKCASK_SAVES` (40) rows into each; with 1 row, openers
//! and leavers meet more often. `TOKCASK_SEED` repeats a run's random choices.

mod processes;

use std::collections::BTreeMap;
use std::path::Path;

use processes::{Orders, Process, access, hear, orders, say, seed, setting, token, users_by_id};
use tokcask::{Key, LogStore, Options, ReadMode, Token, TokenStore};

const USERS: u64 = 50;

#[test]
fn a_child_does_as_it_is_told() {
    let Some(orders) = orders() else { return };
    match orders.role.clone().as_str() {
        "saver" => save_into_each(&orders),
        "runner" => run_with_baton(&orders),
        "writer" => write_and_compact(orders),
        reader => find(reader, orders),
    }
    std::process::exit(0);
}

/// The parent names a store and who we are; says every id that a save returned.
fn save_into_each(orders: &Orders) {
    while let Some(name) = hear() {
        let (name, number) = name.split_once(' ').unwrap();
        let store = LogStore::open(orders.path.join(name)).unwrap();
        for save in 0..setting("TOKCASK_SAVES", 40) {
            let saved = store.save_token(&token(&format!("user{number}-{save}"), "fake")).unwrap();
            say(format_args!("{} {}", saved.id().unwrap(), saved.user_name().unwrap()));
        }
        store.close().unwrap();
        say("done");
    }
}

#[test]
fn processes_that_make_a_store_at_once_save_all_rows_under_ids_of_their_own() {
    let (rounds, seed) = (setting("TOKCASK_ROUNDS", 5), seed());
    let (processes, saves) = (setting("TOKCASK_PROCESSES", 4), setting("TOKCASK_SAVES", 40));
    let directory = tempfile::tempdir().unwrap();
    let mut children: Vec<_> = (0..processes).map(|_| Process::start("saver", directory.path(), seed)).collect();
    for round in 0..rounds {
        for (number, saver) in children.iter_mut().enumerate() {
            saver.say(format_args!("store{round} {number}"));
        }
        let mut acknowledged = BTreeMap::new();
        for saver in &mut children {
            loop {
                let line = saver.hear().unwrap_or_else(|| panic!("round {round}: a saver died"));
                let Some((id, user)) = line.split_once(' ') else { break };
                assert!(acknowledged.insert(id.to_owned(), user.to_owned()).is_none(), "round {round}: {id} twice");
            }
        }
        assert_eq!(acknowledged.len() as u64, processes * saves);
        let store = LogStore::open(directory.path().join(format!("store{round}"))).unwrap();
        assert_eq!(users_by_id(&store), acknowledged, "round {round}");
        assert!(store.verify().unwrap().damage.is_empty(), "round {round}");
    }
    children.into_iter().for_each(Process::end);
    println!("{rounds} stores, {} of {} saves each", processes * saves, processes * saves);
}

/// Finds what the other one saved last, and saves what is next.
fn run_with_baton(orders: &Orders) {
    let store = LogStore::open(&orders.path).unwrap();
    while let Some(line) = hear() {
        let number: u64 = line.parse().unwrap();
        let found = store.get(Key::UserName("baton")).unwrap().expect("the baton is never away");
        assert_eq!(access(&found), format!("fake-{}", number - 1));
        if number.is_multiple_of(7) {
            store.compact().unwrap();
        }
        store.save_token(&token("baton", &format!("fake-{number}"))).unwrap();
        if number.is_multiple_of(11) {
            store.compact().unwrap();
        }
        say(number);
    }
}

#[test]
fn the_next_find_of_another_process_shows_a_save() {
    let (rounds, seed) = (setting("TOKCASK_ROUNDS", 5) * 100, seed());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    let store = LogStore::open(&path).unwrap();
    store.save_token(&token("baton", "fake-0")).unwrap();
    let reader = Options::new().read_only(true).open(&path).unwrap();
    let mut runners = [0, 1].map(|_| Process::start("runner", &path, seed));
    for number in 1..=rounds {
        // Twice each, so that the one who saves is not always the one who knows what comes before it.
        let runner = &mut runners[usize::from(number % 4 >= 2)];
        runner.say(number);
        assert_eq!(runner.hear(), Some(number.to_string()), "a runner died");
        for (who, handle) in [("shared", &store), ("read-only", &reader)] {
            // One handle in ten follows late, past several compactions.
            if number.is_multiple_of(10) || who == "read-only" {
                let found = handle.get(Key::UserName("baton")).unwrap().unwrap();
                assert_eq!(access(&found), format!("fake-{number}"), "{who}");
            }
        }
    }
    runners.into_iter().for_each(Process::end);
    println!("{rounds} saves, {} generations", store.stats().unwrap().generation);
}

fn user(number: u64) -> String {
    format!("user{number}")
}

/// Saves and compacts until nobody listens.
fn write_and_compact(mut orders: Orders) {
    let store = LogStore::open(&orders.path).unwrap();
    std::thread::scope(|scope| {
        let listener = scope.spawn(|| while hear().is_some() {});
        let mut rounds = 0_u64;
        while !listener.is_finished() {
            rounds += 1;
            for _ in 0..orders.random.below(20) {
                let user = user(orders.random.below(USERS));
                store.save_token(&token(&user, &format!("{user}-{rounds:08}"))).unwrap();
            }
            store.compact().unwrap();
        }
        say(rounds);
    });
}

/// Finds keys that always exist: by user name, id and refresh token.
fn find(reader: &str, mut orders: Orders) {
    let options = Options::new().read_only(reader.contains("read-only")).background(!reader.contains("alone"));
    let read_mode = if reader.contains("copy") { ReadMode::Copy } else { ReadMode::Map };
    let store = options.read_mode(read_mode).open(&orders.path).unwrap();
    let mut seen: BTreeMap<u64, u64> = BTreeMap::new();
    let finds: u64 = hear().unwrap().parse().unwrap();
    for _ in 0..finds {
        let number = orders.random.below(USERS);
        let (user, id, refresh) = (user(number), (number + 1).to_string(), format!("refresh{number}"));
        let key = match number % 3 {
            0 => Key::UserName(&user),
            1 => Key::Id(&id),
            _ => Key::RefreshToken(&refresh),
        };
        let row = store.get(key).unwrap().unwrap_or_else(|| panic!("{reader}: {key:?} is not found"));
        let (name, version) = access(&row).split_once('-').expect("user-round");
        assert_eq!((name, row.user_name()), (user.as_str(), Some(user.as_str())), "{reader}: another row");
        let (version, before) = (version.parse().unwrap(), seen.entry(number).or_default());
        assert!(version >= *before, "{reader}: {user} went back from {before} to {version}");
        *before = version;
    }
    say(store.stats().unwrap().generation);
}

#[test]
fn readers_beside_a_compacting_writer_find_every_key_and_nothing_goes_back() {
    const READERS: [&str; 4] = ["shared", "read-only", "shared copy alone", "read-only alone"];
    let (finds, seed) = (setting("TOKCASK_ROUNDS", 5) * 10_000, seed());
    println!("seed {seed}");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    make_users(&path);
    let mut writer = Process::start("writer", &path, seed);
    let mut readers = READERS.map(|role| Process::start(role, &path, seed));
    for reader in &mut readers {
        reader.say(finds);
    }
    let generations = readers.each_mut().map(|reader| reader.hear().expect("a reader found all it looked for"));
    readers.into_iter().for_each(Process::end);
    writer.hang_up();
    let rounds = writer.hear().expect("the writer has nothing to fail at");
    writer.end();
    println!("{} x {finds} finds, {rounds} compactions, readers ended in generations {generations:?}", READERS.len());
}

fn make_users(path: &Path) {
    let row = |number| {
        let user = user(number);
        let access = format!("{user}-00000000");
        Token::builder().refresh_token(format!("refresh{number}")).user_name(user).access_token(access).build()
    };
    let store = LogStore::open(path).unwrap();
    store.save_tokens(&(0..USERS).map(row).collect::<Vec<_>>()).unwrap();
    store.close().unwrap();
}
