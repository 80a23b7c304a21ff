//! Two processes that die one after the other, at any of their calls, lose nothing for a third that goes on.
//!
//! Method: as in `interleavings.rs`, but one after the other: so the second meets what the first left, and dies over it.

mod sim;
mod two_processes;

use sim::{Call, Damage, Fault, Plan};
use tokcask::TokenStore;

use two_processes::{Done, Left, Verb, act, allowed, machine, open, rows, token};

/// The first dies at each of its calls, then the second at each of its own; a third, who had the store open all the time,
/// goes on, and so does whoever comes when all are dead.
fn sweep(verbs: [Verb; 2], step: usize) {
    let mut runs = 0;
    for first_dies_at in 0.. {
        for second_dies_at in (first_dies_at % step as u64..).step_by(step) {
            let name = format!("{verbs:?}, deaths at {first_dies_at} and {second_dies_at}");
            let sim = machine(Left::Closed);
            let processes = [sim.process(), sim.process(), sim.process()];
            let [first, second, third] = [0, 1, 2].map(|player: usize| open(&processes[player]).unwrap());
            let mut done = [Done::Unknown; 2];
            let deaths = [(0, first, first_dies_at), (1, second, second_dies_at)].map(|(player, store, dies_at)| {
                let process = &processes[player];
                process.set_plan(Some(Plan::at(process.calls() + dies_at, Fault::CrashHalfway)));
                let (store, answer) = act(process, Some(store), verbs[player], ["x", "y"][player]);
                let died = process.tripped().is_some();
                if !died {
                    answer.unwrap_or_else(|error| panic!("{name}: {error}"));
                    done[player] = Done::Acknowledged;
                }
                drop(store);
                died
            });
            let allowed = allowed(Left::Closed, false, verbs, done);
            let found = rows(&third);
            assert!(allowed.contains(&found), "{name}: {found:?}");
            let alone = open(&sim.kill()).unwrap_or_else(|error| panic!("{name}: alone: {error}"));
            assert!(allowed.contains(&rows(&alone)), "{name}: alone: {:?}", rows(&alone));
            third.save_token(&token("z", 1)).unwrap_or_else(|error| panic!("{name}: {error}"));
            let expected = rows(&third);
            assert!(allowed.contains(&expected[..expected.len() - 1].to_vec()), "{name}: {expected:?}");
            for image in [sim.kill(), sim.power_loss(Damage::Old, 0), sim.power_loss(Damage::New, 0)] {
                let alone = open(&image).unwrap_or_else(|error| panic!("{name}: after a save: {error}"));
                assert_eq!(rows(&alone), expected, "{name}");
            }
            runs += 1;
            if !deaths[1] {
                break;
            }
        }
        if first_dies_at > 3 && !died_at(verbs[0], first_dies_at) {
            break;
        }
    }
    println!("{verbs:?}: {runs} runs with two deaths");
}

/// Whether a process that does this alone comes to that call.
fn died_at(verb: Verb, call: u64) -> bool {
    let sim = machine(Left::Closed);
    let process = sim.process();
    let store = open(&process).unwrap();
    process.set_plan(Some(Plan::at(process.calls() + call, Fault::CrashHalfway)));
    drop(act(&process, Some(store), verb, "x"));
    process.tripped().is_some()
}

#[test]
fn two_who_die_one_after_the_other_lose_nothing_for_a_third() {
    use Verb::{Batch, Compact, Save};
    sweep([Batch, Save], 2);
    sweep([Batch, Compact], 11);
    sweep([Compact, Compact], 23);
}

/// Its directory's sync fails, and it dies before it can say so: the name shows, and a later sync does not make it last.
#[test]
fn a_move_whose_name_may_not_last_is_not_built_on() {
    let calls_of_a_compaction = {
        let sim = machine(Left::Closed);
        let process = sim.process();
        let store = open(&process).unwrap();
        let before = process.calls();
        store.compact().unwrap();
        process.trace()[usize::try_from(before).unwrap()..].to_vec()
    };
    let sync = calls_of_a_compaction.iter().position(|call| *call == Call::SyncDirectory).unwrap() as u64;
    for is_anybody_alive in [false, true] {
        let sim = machine(Left::Closed);
        let processes = [sim.process(), sim.process()];
        let dying = open(&processes[0]).unwrap();
        let living = is_anybody_alive.then(|| open(&processes[1]).unwrap());
        sim.set_plan(Some(Plan::next(Call::SyncDirectory, Fault::Errno(5))));
        processes[0].set_plan(Some(Plan::at(processes[0].calls() + sync + 1, Fault::Crash)));
        dying.compact().unwrap_err();
        assert!(sim.tripped().is_some() && processes[0].tripped().is_some(), "it fails, and then dies");
        let sim = if is_anybody_alive { sim } else { sim.kill() };
        sim.set_plan(None);
        let store = living.unwrap_or_else(|| open(&sim).unwrap());
        store.save_token(&token("y", 1)).unwrap();
        let expected = rows(&store);
        assert_eq!(expected.len(), 4);
        for damage in [Damage::Old, Damage::New] {
            let after = open(&sim.power_loss(damage, 0)).unwrap();
            assert_eq!(rows(&after), expected, "somebody alive: {is_anybody_alive}, {damage:?}");
        }
    }
}
