//! Any number of workers on one expired token: the provider is asked once, and every worker gets the new token.
//!
//! Method: eight processes of eight threads, against a provider on loopback that rotates refresh tokens and ends the login
//! if an old one is used. In the first test all 64 ask at once, round by round. In the second they ask all the time for
//! three rows, and the parent kills a random process every few milliseconds, before, during and after its calls of the
//! provider, which sometimes does not answer at all; another process takes its place.
//!
//! `TOKCASK_ROUNDS` (20), `TOKCASK_REFRESHES` (20,000; 100,000 take ten seconds) and `TOKCASK_SEED` as their names say.

mod processes;
mod provider;

use std::path::Path;
use std::sync::Barrier;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use processes::{Process, Random, access, hear, orders, say, seed, setting};
use provider::{Provider, ask};
use tokcask::{Key, LogStore, Options, RefreshError, RefreshPolicy, Refreshed, Token, TokenStore};

const PROCESSES: u64 = 8;
const THREADS: usize = 8;
const USERS: [&str; 3] = ["ann", "bob", "cid"];

#[test]
fn a_child_does_as_it_is_told() {
    let Some(orders) = orders() else { return };
    let store = LogStore::open(&orders.path).unwrap();
    match orders.role.split_once(' ').expect("a verb and an address") {
        ("rounds", address) => refresh_when_told(&store, address),
        ("always", address) => refresh_always(&store, address, orders.random),
        other => panic!("{other:?}"),
    }
    std::process::exit(0);
}

/// Refreshes on all threads whenever the parent says so, and tells what each got.
fn refresh_when_told(store: &LogStore, address: &str) {
    let address = address.parse().unwrap();
    say("open");
    let (begin, end) = (Barrier::new(THREADS + 1), Barrier::new(THREADS + 1));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    begin.wait();
                    let refreshed =
                        store.refresh(Key::UserName("ann"), RefreshPolicy::new(), |current| ask(address, current));
                    match refreshed {
                        Ok(Refreshed::ByUs(token)) => say(format_args!("us {}", access(&token))),
                        Ok(refreshed) => say(format_args!("other {}", access(refreshed.token()))),
                        Err(error) => say(format_args!("failed {error}")),
                    }
                    end.wait();
                }
            });
        }
        while hear().is_some() {
            begin.wait();
            end.wait();
        }
        std::process::exit(0);
    });
}

#[test]
fn sixty_four_workers_on_one_expired_token_ask_the_provider_once() {
    let rounds = setting("TOKCASK_ROUNDS", 20);
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open(dir.path()).unwrap();
    let provider = Provider::start(seed());
    provider.state().latency_us_max = 4_000;
    store.save_token(&login("ann")).unwrap();
    let role = format!("rounds {}", provider.address);
    let mut children: Vec<_> = (0..PROCESSES).map(|seed| Process::start(&role, dir.path(), seed)).collect();
    for child in &mut children {
        assert_eq!(child.hear().as_deref(), Some("open"));
    }
    for round in 1..=rounds {
        store.save_token(&Token::builder().user_name("ann").expiry_time("1").build()).unwrap();
        for child in &mut children {
            child.say("go");
        }
        let mut by_us = 0;
        for child in &mut children {
            for _ in 0..THREADS {
                let said = child.hear().expect("it goes on");
                by_us += u32::from(said.starts_with("us "));
                assert_eq!(said.split_once(' ').expect("two words").1, format!("access-ann-{round}"), "{said}");
            }
        }
        let state = provider.state();
        let login = &state.logins["ann"];
        assert_eq!((login.calls, by_us, &login.ended), (round, 1, &None), "round {round}");
    }
    for child in children {
        child.end();
    }
    println!("{rounds} rounds, one call of the provider each");
}

/// Refreshes rows at random, whether they have expired or not, until nobody listens.
fn refresh_always(store: &LogStore, address: &str, mut random: Random) {
    let address = address.parse().unwrap();
    let seeds: Vec<_> = (0..THREADS).map(|_| random.next()).collect();
    thread::scope(|scope| {
        scope.spawn(|| {
            while hear().is_some() {}
            std::process::exit(0);
        });
        for seed in seeds {
            scope.spawn(move || {
                let mut random = Random::new(seed);
                loop {
                    let user = USERS[usize::try_from(random.below(3)).unwrap()];
                    refresh_one(store, address, user);
                }
            });
        }
    });
}

fn refresh_one(store: &LogStore, address: std::net::SocketAddr, user: &str) {
    let revision = store.get(Key::UserName(user)).unwrap().expect("nobody deletes it").revision();
    // Everybody who has seen the same row wants another one.
    let policy = RefreshPolicy { rejected: revision, backoff_max: Duration::ZERO, ..RefreshPolicy::new() };
    match store.refresh(Key::UserName(user), policy, |current| ask(address, current)) {
        Ok(Refreshed::ByUs(token)) => say(format_args!("us {}", access(&token))),
        Ok(_) => say("other"),
        Err(RefreshError::Busy { .. }) => say("busy"),
        Err(error) => say(format_args!("failed {error}")),
    }
}

#[test]
fn killed_workers_end_no_login_and_lose_no_rotation() {
    let refreshes = setting("TOKCASK_REFRESHES", 20_000);
    let seed = seed();
    println!("TOKCASK_SEED={seed}");
    let mut random = Random::new(seed);
    let dir = tempfile::tempdir().unwrap();
    let store = Options::new().background(false).open(dir.path()).unwrap();
    let provider = Provider::start(random.next());
    {
        let mut state = provider.state();
        (state.latency_us_max, state.hangs_one_of) = (2_000, 300);
    }
    for user in USERS {
        store.save_token(&login(user)).unwrap();
    }
    let (said, hears) = channel();
    let start = |seed| start(&provider, dir.path(), seed, said.clone());
    let mut children: Vec<_> = (0..PROCESSES).map(|_| start(random.next())).collect();
    let (mut done, mut by_others, mut kills) = (0_u64, 0_u64, 0_u64);
    while done + by_others < refreshes {
        thread::sleep(Duration::from_millis(1 + random.below(8)));
        for (user, login) in &provider.state().logins {
            assert_eq!(login.ended, None, "{user}'s login");
        }
        for line in hears.try_iter() {
            match line.split_once(' ').map_or(line.as_str(), |(word, _)| word) {
                "us" => done += 1,
                "other" => by_others += 1,
                _ => panic!("a worker said {line}"),
            }
        }
        // Whoever got no answer holds its lease until it dies.
        let hanging = provider.state().hanging.pop();
        let victim = hanging.as_ref().and_then(|(client, _)| children.iter().position(|child| child.id() == *client));
        let victim = victim.unwrap_or_else(|| usize::try_from(random.below(PROCESSES)).unwrap());
        provider.state().dead.insert(children[victim].id());
        children[victim].kill();
        // Not before: it would be an answer.
        drop(hanging);
        kills += 1;
        children[victim] = start(random.next());
    }
    for child in &mut children {
        provider.state().dead.insert(child.id());
        child.kill();
    }
    // What is stored works: nobody has been logged out.
    provider.state().hangs_one_of = 0;
    let address = provider.address;
    for user in USERS {
        let rejected = store.get(Key::UserName(user)).unwrap().expect("there").revision();
        let policy = RefreshPolicy { rejected, backoff_max: Duration::ZERO, ..RefreshPolicy::new() };
        let last = store.refresh(Key::UserName(user), policy, |current| ask(address, current));
        assert!(matches!(last, Ok(Refreshed::ByUs(_))), "{last:?}");
    }
    let state = provider.state();
    let (calls, retries) =
        state.logins.values().fold((0, 0), |(calls, retries), login| (calls + login.calls, retries + login.retries));
    assert!(retries <= kills + PROCESSES, "{retries} answers were lost by {kills} kills");
    let asked: usize = state.logins.values().map(provider::Login::current).sum();
    println!(
        "{done} refreshes and {by_others} that another one answered, {kills} kills: {calls} calls, {asked} answered, of \
         which {retries} were lost between the provider's answer and the sync"
    );
}

fn start(provider: &Provider, path: &Path, seed: u64, said: Sender<String>) -> Process {
    let mut child = Process::start(&format!("always {}", provider.address), path, seed);
    let mut output = child.take_output();
    thread::spawn(move || {
        while let Some(line) = processes::next_line(&mut output) {
            // The parent may have heard enough.
            let _ = said.send(line);
        }
    });
    child
}

fn login(user: &str) -> Token {
    let refresh_token = format!("refresh-{user}-0");
    Token::builder().user_name(user).access_token("old").expiry_time("1").refresh_token(refresh_token).build()
}
