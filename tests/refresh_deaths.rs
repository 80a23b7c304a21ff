//! Refreshes of two processes in every order, with deaths at every call: no refresh token is spent twice, and none is lost,
//! but for one that a process was told of which died before it could save it.
//!
//! Method: simulated processes on one simulated machine (`sim`), and a provider that rotates refresh tokens and knows who
//! was told of which. A token may be spent again only if all who were told of a later one are dead; what is stored in the
//! end has to be the latest, for who is there, for who comes later, and after a power loss.

mod sim;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sim::{Call, Damage, Fault, Plan, Schedule, Sim, interleave};
use tokcask::{Key, LogStore, Options, ReadMode, RefreshError, RefreshPolicy, Refreshed, Token, TokenStore, open_on};

const STORE: &str = "/store";
const ANN: Key<'_> = Key::UserName("ann");
const NEVER: &str = "4102444800000";

fn open(process: &Sim) -> LogStore {
    let options = Options::new().background(false).read_mode(ReadMode::Copy);
    open_on(&options, Arc::new(process.clone()), Path::new(STORE)).unwrap()
}

/// A provider, and who was told of the tokens with the numbers 1, 2 and so on.
#[derive(Default)]
struct Provider {
    told: Vec<usize>,
    dead: Vec<usize>,
}

impl Provider {
    fn ask(&mut self, player: usize, current: &Token, name: &str) -> Token {
        let spent: usize = number(current);
        let since = &self.told[spent..];
        let is_lost = since.iter().all(|told| self.dead.contains(told));
        assert!(is_lost, "{name}: {player} spends number {spent} again, after which {since:?} were told of others");
        self.told.push(player);
        let (access, refresh) = (format!("access-{}", self.told.len()), format!("refresh-{}", self.told.len()));
        Token::builder().access_token(access).refresh_token(refresh).expiry_time(NEVER).build()
    }
}

fn number(row: &Token) -> usize {
    let refresh_token = row.refresh_token().expect("every row has one").expose_secret();
    refresh_token.strip_prefix("refresh-").and_then(|number| number.parse().ok()).expect("a number")
}

/// A machine with an expired row, and players who have the store open.
fn machine<const PLAYERS: usize>() -> (Sim, [Sim; PLAYERS], [Arc<LogStore>; PLAYERS]) {
    let sim = Sim::new();
    let first = open(&sim.process());
    let row = Token::builder().user_name("ann").access_token("access-0").refresh_token("refresh-0").expiry_time("1");
    first.save_token(&row.build()).unwrap();
    let processes = [(); PLAYERS].map(|()| sim.process());
    let stores = processes.each_ref().map(|process| Arc::new(open(process)));
    (sim, processes, stores)
}

type Outcome = Result<Refreshed, RefreshError<String>>;

fn refresh(store: &LogStore, player: usize, provider: &Mutex<Provider>, name: &str, again: bool) -> Outcome {
    let rejected = if again { store.get(ANN).unwrap().expect("there").revision() } else { None };
    let policy = RefreshPolicy { backoff_max: Duration::ZERO, rejected, ..RefreshPolicy::new() };
    store.refresh(ANN, policy, |current| Ok(provider.lock().unwrap().ask(player, current, name)))
}

/// Whoever is left refreshes once more, and has the latest then; so has everybody else.
fn check(name: &str, sim: &Sim, survivor: (usize, &LogStore), provider: &Mutex<Provider>) {
    let (player, store) = survivor;
    let outcome = refresh(store, player, provider, name, true);
    assert!(matches!(outcome, Ok(Refreshed::ByUs(_) | Refreshed::ByAnother(_))), "{name}: {outcome:?}");
    // Twice: what another one's death left behind may have shown just now.
    let outcome = refresh(store, player, provider, name, true);
    assert!(matches!(outcome, Ok(Refreshed::ByUs(_))), "{name}: {outcome:?}");
    let latest = provider.lock().unwrap().told.len();
    for image in [sim.kill(), sim.power_loss(Damage::Old, 0), sim.power_loss(Damage::New, 0)] {
        assert_eq!(number(&open(&image).get(ANN).unwrap().expect("there")), latest, "{name}");
    }
    assert_eq!(number(&open(&sim.process()).get(ANN).unwrap().expect("there")), latest, "{name}: joined");
}

/// Each dies at its call, one after the other; returns how many did.
fn die(deaths_at: [u64; 2]) -> [bool; 2] {
    let name = format!("deaths at {deaths_at:?}");
    let (sim, processes, stores) = machine::<3>();
    let provider = Mutex::new(Provider::default());
    let died = [0, 1].map(|player| {
        let process = &processes[player];
        process.set_plan(Some(Plan::at(process.calls() + deaths_at[player], Fault::CrashHalfway)));
        let outcome = refresh(&stores[player], player, &provider, &name, false);
        let died = process.tripped().is_some();
        assert!(died || outcome.is_ok(), "{name}: {player}: {outcome:?}");
        if died {
            provider.lock().unwrap().dead.push(player);
        }
        died
    });
    check(&name, &sim, (2, &stores[2]), &provider);
    died
}

#[test]
fn two_who_die_one_after_the_other_spend_nothing_twice() {
    /// Of the second death, which begins at another call for each first one.
    const STEP: u64 = 7;
    let mut runs = 0;
    for first_dies_at in 0.. {
        let mut first_died = false;
        for second_dies_at in (first_dies_at % STEP..).step_by(usize::try_from(STEP).unwrap()) {
            let died = die([first_dies_at, second_dies_at]);
            runs += 1;
            first_died = died[0];
            if !died[1] {
                break;
            }
        }
        if !first_died {
            break;
        }
    }
    println!("{runs} runs with two deaths");
    assert!(runs > 1_000, "{runs}");
}

/// The first pauses before a call while the second refreshes, and goes on or dies there. Returns whether it came to it.
fn meet(pause_at: u64, is_killed: bool) -> bool {
    let name = format!("a pause at {pause_at}, killed there: {is_killed}");
    let (sim, processes, stores) = machine::<3>();
    let provider = Arc::new(Mutex::new(Provider::default()));
    if is_killed {
        processes[0].set_plan(Some(Plan::at(processes[0].calls() + pause_at, Fault::CrashHalfway)));
        // Nobody waits for the dead to be counted among them.
        provider.lock().unwrap().dead.push(0);
    }
    let work = |player: usize| {
        let (store, provider, name) = (stores[player].clone(), provider.clone(), name.clone());
        move || refresh(&store, player, &provider, &name, false)
    };
    let outcome = interleave(&sim, (&processes[0], work(0)), (&processes[1], work(1)), Schedule::at(pause_at));
    let died = processes[0].tripped().is_some();
    assert!(died || outcome.first.is_ok(), "{name}: {:?}", outcome.first);
    let second = outcome.second.unwrap_or_else(|error| panic!("{name}: {error}"));
    if !died {
        let told = provider.lock().unwrap().told.clone();
        assert_eq!(told.len(), 1, "{name}: told {told:?}");
        assert_eq!(number(second.token()), 1, "{name}: everybody gets the new one");
        assert_eq!(number(outcome.first.unwrap().token()), 1, "{name}");
    }
    check(&name, &sim, (2, &stores[2]), &provider);
    outcome.reached
}

#[test]
fn two_who_meet_ask_once_in_every_order() {
    for is_killed in [false, true] {
        let mut runs = 0;
        while meet(runs, is_killed) {
            runs += 1;
        }
        println!("{runs} orders, killed there: {is_killed}");
        assert!(runs > 20, "{runs}");
    }
}

/// What a refresh does that nobody disturbs.
fn calls() -> Vec<Call> {
    let (_, processes, stores) = machine::<1>();
    let before = usize::try_from(processes[0].calls()).unwrap();
    refresh(&stores[0], 0, &Mutex::default(), "alone", false).unwrap();
    processes[0].trace()[before..].to_vec()
}

/// Whatever fails while an answer is saved: it is there, or its handle keeps the lease.
#[test]
fn a_call_that_fails_spends_nothing_twice() {
    let mut runs = 0;
    for errno in [5, 28] {
        for sticky in [false, true] {
            for fails_at in (0..).zip(calls()).filter(|(_, call)| call.can_fail()).map(|(number, _)| number) {
                let name = format!("error {errno} at {fails_at}, for good: {sticky}");
                let (sim, processes, stores) = machine::<2>();
                let provider = Mutex::new(Provider::default());
                let call = processes[0].calls() + fails_at;
                processes[0].set_plan(Some(Plan { call, only: None, fault: Fault::Errno(errno), sticky }));
                let first = refresh(&stores[0], 0, &provider, &name, false);
                let tripped = processes[0].tripped().is_some();
                assert!(tripped || first.is_ok(), "{name}: {first:?}");
                // Another process while the first is still there: it gets the row, or has to wait.
                let second = refresh(&stores[1], 1, &provider, &name, false);
                if matches!(first, Err(RefreshError::SaveFailed { .. })) {
                    assert!(
                        matches!(second, Err(RefreshError::Busy { .. } | RefreshError::Store(_))),
                        "{name}: {second:?}"
                    );
                }
                processes[0].set_plan(None);
                // The device works again. After a failed sync a compaction mends the store.
                let _ = stores[1].compact();
                let again = refresh(&stores[0], 0, &provider, &name, false);
                assert!(again.is_ok(), "{name}: {again:?}");
                check(&name, &sim, (1, &stores[1]), &provider);
                runs += u32::from(tripped);
            }
        }
    }
    println!("{runs} runs with a failing call");
    assert!(runs > 40, "{runs}");
}

/// The frame of a dead holder that was durable and not shown comes up when somebody commits: before the next one reads
/// the row, and not when it saves.
#[test]
fn what_a_dead_holder_left_is_shown_before_the_next_one_asks() {
    let calls = calls();
    let last_sync = calls.iter().rposition(|call| *call == Call::Sync).expect("a save syncs") as u64;
    let mut shown = 0;
    for after in 1..calls.len() as u64 - last_sync {
        let (sim, processes, stores) = machine::<3>();
        let provider = Mutex::new(Provider { told: Vec::new(), dead: vec![0] });
        processes[0].set_plan(Some(Plan::at(processes[0].calls() + last_sync + after, Fault::CrashHalfway)));
        let _ = refresh(&stores[0], 0, &provider, "first", false);
        let hidden = number(&stores[1].get(ANN).unwrap().expect("there")) == 0;
        let outcome = refresh(&stores[1], 1, &provider, "second", false).unwrap();
        shown += usize::from(hidden && number(outcome.token()) == 1 && provider.lock().unwrap().told == [0]);
        check("after", &sim, (2, &stores[2]), &provider);
    }
    assert!(shown > 0, "a death between slot and publish is among them");
}
