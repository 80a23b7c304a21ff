//! What a crash leaves, at any call of any short history, reopens by itself and shows every acknowledged operation.
//!
//! Method: sequences of up to three verbs run on the simulated storage, which stops at any of their calls; both are
//! drawn, so that a longer run covers more. From there the process is killed, or the power is lost with old, new, and mixed sectors; some of the reopenings crash again,
//! up to three deep. What then opens must hold exactly what was acknowledged, or that and the one operation in flight.
//! `TOKCASK_IMAGES` sets how many images are made, about (20,000 if not set).

mod sim;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use sim::{Damage, Fault, Plan, Sim, next_random};
use tokcask::{Key, ListStore, LogStore, OnClash, Options, ReadMode, Result, Token, TokenStore, VerifyStatus, open_on};

const STORE: &str = "/store";
const BACKUP: &str = "/backup";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Save,
    Update,
    Batch,
    Delete,
    Clear,
    Compact,
    Reopen,
    Backup,
    Import,
}

const VERBS: [Verb; 9] = [
    Verb::Save,
    Verb::Update,
    Verb::Batch,
    Verb::Delete,
    Verb::Clear,
    Verb::Compact,
    Verb::Reopen,
    Verb::Backup,
    Verb::Import,
];

/// Rows as far as a crash must keep them.
type Rows = Vec<(Option<String>, Option<String>, Option<String>, Option<u64>)>;

fn rows(store: &impl TokenStore) -> Rows {
    let text = |value: Option<&str>| value.map(str::to_owned);
    let row = |token: &Token| {
        let refresh = token.refresh_token().map(tokcask::Secret::expose_secret);
        (text(token.id()), text(token.user_name()), text(refresh), token.revision())
    };
    store.get_tokens().unwrap().iter().map(row).collect()
}

fn open(sim: &Sim, path: &str) -> Result<LogStore> {
    open_on(&Options::new().background(false).read_mode(ReadMode::Copy), Arc::new(sim.clone()), Path::new(path))
}

fn token(number: usize) -> Token {
    Token::builder()
        .user_name(format!("user{number}"))
        .refresh_token(format!("fake-{number}-{}", "x".repeat(700)))
        .build()
}

/// A history as far as it came before the machine went.
struct Run {
    acknowledged: Rows,
    /// With the operation that was in flight.
    in_flight: Rows,
    /// What an acknowledged backup holds.
    backup: Option<Rows>,
    complete: bool,
}

/// Runs the history; every step also on a plain list, which is what the store must equal.
fn run(sim: &Sim, verbs: &[Verb]) -> Run {
    let list = ListStore::new();
    let mut run = Run { acknowledged: Vec::new(), in_flight: Vec::new(), backup: None, complete: false };
    let Ok(mut store) = open(sim, STORE) else { return run };
    let base: Vec<_> = (0..2).map(token).collect();
    list.save_tokens(&base).unwrap();
    run.in_flight = rows(&list);
    if store.save_tokens(&base).is_err() {
        return run;
    }
    run.acknowledged = rows(&list);
    for (step, verb) in verbs.iter().enumerate() {
        let fresh = token(10 + step);
        let batch = [token(0), token(20 + step), token(30 + step)];
        apply(&list, *verb, &fresh, &batch);
        run.in_flight = rows(&list);
        let done = match verb {
            Verb::Save | Verb::Update => {
                store.save_token(if *verb == Verb::Save { &fresh } else { &batch[0] }).map(drop)
            }
            Verb::Batch => store.save_tokens(&batch).map(drop),
            Verb::Delete => store.delete("2").map(drop),
            Verb::Clear => store.delete_tokens(),
            Verb::Compact => store.compact().map(drop),
            Verb::Import => store.import(&imported(&batch), OnClash::Replace).map(drop),
            Verb::Backup if run.backup.is_some() => Ok(()),
            Verb::Backup => store.backup(BACKUP),
            Verb::Reopen => {
                drop(store);
                match open(sim, STORE) {
                    Ok(opened) => {
                        store = opened;
                        Ok(())
                    }
                    Err(_) => return run,
                }
            }
        };
        if done.is_err() {
            return run;
        }
        run.acknowledged = rows(&list);
        if *verb == Verb::Backup && run.backup.is_none() {
            run.backup = Some(run.acknowledged.clone());
        }
    }
    run.complete = true;
    run
}

fn apply(list: &ListStore, verb: Verb, fresh: &Token, batch: &[Token; 3]) {
    match verb {
        Verb::Save => drop(list.save_token(fresh).unwrap()),
        Verb::Update => drop(list.save_token(&batch[0]).unwrap()),
        Verb::Batch => drop(list.save_tokens(batch).unwrap()),
        Verb::Delete => drop(list.delete("2").unwrap()),
        Verb::Clear => list.delete_tokens().unwrap(),
        Verb::Import => drop(list.import(&imported(batch), OnClash::Replace).unwrap()),
        Verb::Compact | Verb::Reopen | Verb::Backup => {}
    }
}

/// One that takes the place of a row, one with an id of its own, one without.
fn imported([first, second, third]: &[Token; 3]) -> [Token; 3] {
    [first.to_builder().id("1").build(), second.to_builder().id("70").build(), third.clone()]
}

/// The image must open, hold one of the two states, be writable, and stay so.
fn check(image: &Sim, run: &Run, context: &dyn Fn() -> String) {
    let store = open(image, STORE).unwrap_or_else(|error| panic!("{}: does not open: {error}", context()));
    let found = rows(&store);
    assert!(
        found == run.acknowledged || found == run.in_flight,
        "{}: found {found:?}, acknowledged {:?}, in flight {:?}",
        context(),
        run.acknowledged,
        run.in_flight
    );
    for (id, user, refresh, _) in &found {
        let by_user = store.get(Key::UserName(user.as_deref().unwrap())).unwrap().expect("each row is found");
        let by_refresh = store.get(Key::RefreshToken(refresh.as_deref().unwrap())).unwrap().expect("each row is found");
        assert_eq!((by_user.id(), by_refresh.id()), (id.as_deref(), id.as_deref()), "{}", context());
    }
    let saved = store.save_token(&token(99)).unwrap_or_else(|error| panic!("{}: no save: {error}", context()));
    let id = saved.id().unwrap();
    let given = |rows: &Rows| rows.iter().any(|row| row.0.as_deref() == Some(id));
    assert!(!given(&run.acknowledged), "{}: id {id} given again", context());
    assert!(store.get(Key::UserName("user99")).unwrap().is_some());
    assert_eq!(store.verify().unwrap().status, VerifyStatus::Clean, "{}", context());
    let after = rows(&store);
    drop(store);
    let store = open(image, STORE).unwrap_or_else(|error| panic!("{}: does not open again: {error}", context()));
    assert_eq!(rows(&store), after, "{}", context());
    let left: Vec<_> = image.names(Path::new(STORE)).into_iter().filter(|name| name.contains(".new")).collect();
    assert!(left.is_empty(), "{}: {left:?} left", context());
    if let Some(expected) = &run.backup {
        let backup = open(image, BACKUP).unwrap_or_else(|error| panic!("{}: backup: {error}", context()));
        assert_eq!(&rows(&backup), expected, "{}: backup", context());
    }
}

/// The image, and the images of crashes while it is recovered.
fn explore(image: &Sim, run: &Run, depth: u32, random: &mut u64, count: &mut u64, context: &dyn Fn() -> String) {
    *count += 1;
    if depth > 0 {
        let again = image.kill();
        let before = again.calls();
        drop(open(&again, STORE));
        let calls = again.calls() - before;
        if calls > 0 {
            let call = before + next_random(random) % calls;
            let crashing = image.kill();
            crashing.set_plan(Some(Plan::at(call, Fault::Crash)));
            drop(open(&crashing, STORE));
            let seed = next_random(random);
            let next = if seed.is_multiple_of(4) { crashing.kill() } else { crashing.power_loss(Damage::Mixed, seed) };
            let context = || format!("{}, reopened until call {}, seed {seed}", context(), call - before);
            explore(&next, run, depth - 1, random, count, &context);
        }
    }
    check(&image.kill(), run, context);
}

fn histories() -> Vec<Vec<Verb>> {
    let mut all: Vec<Vec<Verb>> = vec![Vec::new()];
    for len in 0..3 {
        let longest: Vec<_> = all.iter().filter(|history| history.len() == len).cloned().collect();
        for history in longest {
            all.extend(VERBS.iter().map(|verb| history.iter().copied().chain([*verb]).collect()));
        }
    }
    all
}

#[test]
fn every_crash_reopens_with_everything_acknowledged() {
    let wanted: u64 = std::env::var("TOKCASK_IMAGES").map_or(20_000, |count| count.parse().unwrap());
    let histories = histories();
    let mut random = 20_261_121;
    let mut count = 0;
    let mut lost_in_flight = BTreeMap::new();
    while count < wanted {
        let history = &histories[usize::try_from(next_random(&mut random) % histories.len() as u64).unwrap()];
        let dry = Sim::new();
        assert!(run(&dry, history).complete);
        let call = next_random(&mut random) % dry.calls();
        let sim = Sim::new();
        sim.set_plan(Some(Plan::at(call, Fault::Crash)));
        let run = run(&sim, history);
        *lost_in_flight.entry(run.complete).or_insert(0) += 1;
        let images = [(Damage::Old, 0), (Damage::New, 0)].into_iter().chain((0..6).map(|seed| (Damage::Mixed, seed)));
        explore(&sim.kill(), &run, 0, &mut random, &mut count, &|| format!("{history:?} killed at call {call}"));
        for (damage, seed) in images {
            let seed = seed + 1000 * call;
            let image = sim.power_loss(damage, seed);
            let depth = if damage == Damage::Mixed { 3 } else { 1 };
            let context = || format!("{history:?} power lost at call {call} ({damage:?}, seed {seed})");
            explore(&image, &run, depth, &mut random, &mut count, &context);
        }
    }
    println!("{count} images of {} histories, 0 violations", histories.len());
}
