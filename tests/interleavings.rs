//! Two processes that use one store at once, in every order: one stops before each of its calls in turn while the other
//! does its work, and goes on, or dies there.
//!
//! Method: simulated processes on one simulated machine (`sim`), so that every run is the same every time. Whatever the
//! order: what was acknowledged is there, for both, for whoever joins, after everybody has closed, and after a power loss;
//! what a dead process had not been told of is there whole or not at all; no id is given twice; nothing is left behind.

mod sim;
mod two_processes;

use std::path::Path;

use sim::{Call, Damage, Fault, Plan, Schedule, Sim, interleave};
use tokcask::{ErrorKind, LogStore, TokenStore};

use two_processes::{Done, Left, Rows, STORE, Verb, act, allowed, machine, open, rows, token};

/// How the first process fares at its pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    GoesOn,
    /// It dies there, and the other one does its work afterwards.
    DiesThere,
    /// It goes on when the other one is done, and dies so many calls later.
    DiesLater(u64),
}

/// One order of the two. Returns whether the first came to its pause.
fn play(left: Left, verbs: [Verb; 2], pause_at: u64, fate: Fate) -> bool {
    let name = format!("{left:?}, {verbs:?}, pause {pause_at}, {fate:?}");
    let sim = machine(left);
    let processes = [sim.process(), sim.process()];
    let opens = |verb| matches!(verb, Verb::Open | Verb::OpenAndSave);
    let [first_store, second_store] =
        [0, 1].map(|player| (!opens(verbs[player])).then(|| open(&processes[player]).unwrap()));
    // The second has not looked since.
    let ahead = first_store.is_some() && second_store.is_some();
    if let Some(first) = first_store.as_ref().filter(|_| ahead) {
        first.save_token(&token("ahead", 1)).unwrap();
    }
    let first_calls = processes[0].calls();
    let dies_at = match fate {
        Fate::GoesOn => None,
        Fate::DiesThere => Some(first_calls + pause_at),
        Fate::DiesLater(calls) => Some(first_calls + pause_at + calls),
    };
    processes[0].set_plan(dies_at.map(|call| Plan::at(call, Fault::CrashHalfway)));
    let work = |player: usize, store: Option<LogStore>| {
        let process = processes[player].clone();
        move || act(&process, store, verbs[player], ["x", "y"][player])
    };
    let outcome = interleave(
        &sim,
        (&processes[0], work(0, first_store)),
        (&processes[1], work(1, second_store)),
        Schedule::at(pause_at),
    );
    let died = processes[0].tripped().is_some();
    processes[0].set_plan(None);
    let (first, second) = (outcome.first, outcome.second);
    let done = [
        match &first.1 {
            // What shared memory answers to a dead process reaches nobody.
            _ if died => Done::Unknown,
            Ok(()) => Done::Acknowledged,
            Err(error) => panic!("{name}: the first is refused: {error}"),
        },
        match &second.1 {
            Ok(()) => Done::Acknowledged,
            Err(error) if error.kind() == ErrorKind::Busy && fate == Fate::GoesOn => Done::Refused,
            Err(error) => panic!("{name}: the second is refused: {error}"),
        },
    ];
    let allowed = allowed(left, ahead, verbs, done);
    check(&name, &sim, verbs, &allowed, died, [first.0, second.0]);
    outcome.reached
}

fn check(name: &str, sim: &Sim, verbs: [Verb; 2], allowed: &[Rows], died: bool, stores: [Option<LogStore>; 2]) {
    let [first, second] = stores;
    // A process that is dead has nothing open any more; its handle only knows errors.
    let living = [first.filter(|_| !died && verbs[0] != Verb::Close), second.filter(|_| verbs[1] != Verb::Close)];
    let joined = open(&sim.process()).unwrap_or_else(|error| panic!("{name}: nobody can join: {error}"));
    let found = rows(&joined);
    assert!(allowed.contains(&found), "{name}: joined and found {found:?}");
    for store in living.iter().flatten() {
        assert_eq!(rows(store), found, "{name}: somebody sees other rows than who joined");
    }
    // The next one who writes shows what is durable and was not shown yet, because its writer died right then. Nothing
    // else changes, from here on nothing at all.
    joined.save_token(&token("settles", 1)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut expected = rows(&joined);
    let mut settled = expected.clone();
    settled.pop();
    assert!(allowed.contains(&settled) && (settled == found || died), "{name}: {found:?} has become {settled:?}");
    let gone = found.iter().filter(|row| !settled.contains(row)).count();
    assert!(gone == 0 || settled.len() >= found.len(), "{name}: {found:?} has become {settled:?}");
    let image = open(&sim.kill()).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(rows(&image), expected, "{name}: killed after a save");
    assert_eq!(image.open_report().recovered, None, "{name}: the first who saves clears up what a dead one left");
    // All of them can still save, and see each other's.
    for (number, store) in living.iter().flatten().chain([&joined]).enumerate() {
        let user = format!("later{number}");
        store.save_token(&token(&user, 1)).unwrap_or_else(|error| panic!("{name}: {error}"));
        expected.push((user.clone(), format!("fake-{user}-1")));
        for other in living.iter().flatten().chain([&joined]) {
            assert_eq!(rows(other), expected, "{name}: a save that others do not see");
        }
    }
    let lost = sim.power_loss(Damage::Old, 0);
    assert_eq!(rows(&open(&lost).unwrap()), expected, "{name}: after a power loss");
    drop(living);
    drop(joined);
    let store = open(sim).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(rows(&store), expected, "{name}: alone again");
    let names = sim.names(Path::new(STORE));
    let known = |file: &String| matches!(&**file, "store.lock" | "store.log") || file.starts_with("store.torn.");
    assert!(names.iter().all(known), "{name}: {names:?}");
}

/// Every order with one pause, and every death.
fn sweep(verbs: [Verb; 2]) {
    sweep_from(Left::Closed, verbs);
}

fn sweep_from(left: Left, verbs: [Verb; 2]) {
    let mut runs = 0;
    let mut pause_at = 0;
    while play(left, verbs, pause_at, Fate::GoesOn) {
        play(left, verbs, pause_at, Fate::DiesThere);
        for later in [1, 2, 5] {
            play(left, verbs, pause_at, Fate::DiesLater(later));
        }
        runs += 5;
        pause_at += 1;
    }
    println!("{left:?}, {verbs:?}: {runs} runs");
    assert!(pause_at > 1, "{verbs:?}: the first makes calls to pause at");
}

#[test]
fn saves_beside_saves() {
    use Verb::{Batch, Clear, Delete, Import, Save, Update};
    for verbs in [
        [Save, Save],
        [Save, Update],
        [Update, Update],
        [Delete, Update],
        [Clear, Save],
        [Batch, Batch],
        [Batch, Save],
        [Save, Import],
    ] {
        sweep(verbs);
    }
}

#[test]
fn saves_beside_compactions() {
    use Verb::{Batch, Clear, Compact, Delete, Save};
    for verbs in [[Save, Compact], [Compact, Save], [Compact, Delete], [Compact, Clear], [Batch, Compact]] {
        sweep(verbs);
    }
}

#[test]
fn compactions_beside_compactions() {
    sweep([Verb::Compact, Verb::Compact]);
}

#[test]
fn finds_beside_everything() {
    use Verb::{Compact, Find, Save};
    for verbs in [[Find, Save], [Save, Find], [Find, Compact], [Compact, Find]] {
        sweep(verbs);
    }
}

#[test]
fn opening_and_closing_beside_everything() {
    use Verb::{Close, Compact, Open, OpenAndSave, Save};
    for verbs in [
        [Open, Close],
        [Close, Open],
        [Close, OpenAndSave],
        [OpenAndSave, OpenAndSave],
        [OpenAndSave, Save],
        [Save, OpenAndSave],
        [Compact, OpenAndSave],
        [OpenAndSave, Compact],
        [Close, Save],
    ] {
        sweep(verbs);
    }
}

#[test]
fn recoveries_beside_everything() {
    use Verb::{Open, OpenAndSave};
    for left in [Left::Torn, Left::Doubtful] {
        for verbs in [[Open, Open], [Open, OpenAndSave], [OpenAndSave, OpenAndSave]] {
            sweep_from(left, verbs);
        }
    }
}

#[test]
fn the_power_goes_while_two_processes_work() {
    use Verb::{Batch, Clear, Compact, Delete, Save, Update};
    let mut images = 0;
    for verbs in [[Save, Save], [Batch, Update], [Save, Compact], [Compact, Delete], [Clear, Compact]] {
        for pause_at in (0..).step_by(2) {
            let mut gone_at = pause_at;
            let reached = loop {
                let (reached, is_over) = lose_power(verbs, pause_at, gone_at);
                images += 3;
                if is_over {
                    break reached;
                }
                gone_at += 7;
            };
            if !reached {
                break;
            }
        }
    }
    println!("{images} images");
}

/// The machine is gone at this call of both together. Returns whether the first came to its pause, and whether both were
/// done before.
fn lose_power(verbs: [Verb; 2], pause_at: u64, gone_at: u64) -> (bool, bool) {
    let sim = machine(Left::Closed);
    let processes = [sim.process(), sim.process()];
    let stores = [0, 1].map(|player| open(&processes[player]).unwrap());
    sim.set_plan(Some(Plan::at(sim.calls() + gone_at, Fault::Crash)));
    let [first, second] = stores;
    let work = |player: usize, store: LogStore| {
        let process = processes[player].clone();
        let sim = sim.clone();
        move || {
            let (store, done) = act(&process, Some(store), verbs[player], ["x", "y"][player]);
            // Shared memory answers also when the machine is gone; who hears it is gone too.
            (store, done.is_ok() && sim.tripped().is_none())
        }
    };
    let outcome = interleave(&sim, (&processes[0], work(0, first)), (&processes[1], work(1, second)), pause_at);
    let is_over = sim.tripped().is_none();
    let done = [outcome.first.1, outcome.second.1].map(|done| if done { Done::Acknowledged } else { Done::Unknown });
    let acknowledged = allowed(Left::Closed, false, verbs, done);
    for (damage, seed) in [(Damage::Old, 0), (Damage::New, 0), (Damage::Mixed, pause_at * 1000 + gone_at)] {
        let found = rows(&open(&sim.power_loss(damage, seed)).unwrap());
        assert!(acknowledged.contains(&found), "{verbs:?}, pause {pause_at}, gone at {gone_at}, {damage:?}: {found:?}");
    }
    (outcome.reached, is_over)
}

#[test]
fn what_a_writer_left_whose_sync_failed_never_counts() {
    let calls_of_a_save = {
        let sim = machine(Left::Closed);
        let process = sim.process();
        let store = open(&process).unwrap();
        let before = process.calls();
        store.save_token(&token("x", 1)).unwrap();
        process.trace()[usize::try_from(before).unwrap()..].to_vec()
    };
    let sync = calls_of_a_save.iter().position(|call| *call == Call::Sync).unwrap() as u64;
    for later in 1..4 {
        let sim = machine(Left::Closed);
        let processes = [sim.process(), sim.process()];
        let [dying, living] = [0, 1].map(|player: usize| open(&processes[player]).unwrap());
        sim.set_plan(Some(Plan::next(Call::Sync, Fault::Errno(5))));
        processes[0].set_plan(Some(Plan::at(processes[0].calls() + sync + later, Fault::Crash)));
        dying.save_token(&token("x", 1)).unwrap_err();
        assert!(sim.tripped().is_some() && processes[0].tripped().is_some(), "it fails, and then dies");
        sim.set_plan(None);
        // Whether the dead one came to say that a sync had failed depends on when it died.
        let saved = living.save_token(&token("y", 1)).or_else(|refused| {
            assert_eq!(refused.kind(), ErrorKind::Poisoned);
            living.compact()?;
            living.save_token(&token("y", 1))
        });
        saved.unwrap();
        let users = |store: &LogStore| rows(store).into_iter().map(|row| row.0).collect::<Vec<_>>();
        assert_eq!(users(&living), ["ann", "bob", "cid", "y"], "dies {later} calls later");
        for damage in [Damage::Old, Damage::New] {
            let after = open(&sim.power_loss(damage, 0)).unwrap();
            assert_eq!(users(&after), ["ann", "bob", "cid", "y"], "dies {later} calls later, {damage:?}");
        }
    }
}
