//! A process that is stopped in the middle of a save holds up other saves for their lock timeout alone, and no find.
//!
//! Method: a child saves and compacts without a pause; the parent stops it with SIGSTOP at random moments until one lands
//! while the child holds the right to commit. Then saves here are `Busy`, as often as they are tried, and finds go on; after
//! SIGCONT everybody goes on, and every save that was acknowledged is there.
//!
//! `TOKCASK_STOPS` (10; how many stops have to land) and `TOKCASK_SEED`.

mod processes;

use std::thread;
use std::time::Duration;

use processes::{Orders, Process, Random, access, hear, orders, say, seed, setting, token};
use rustix::process::Signal;
use tokcask::{Error, ErrorKind, Key, LogStore, Options, TokenStore};

const TIMEOUT: Duration = Duration::from_millis(20);
const ATTEMPTS_MAX: u64 = 10_000;

#[test]
fn a_child_does_as_it_is_told() {
    let Some(orders) = orders() else { return };
    save(&orders);
    std::process::exit(0);
}

fn save(orders: &Orders) {
    let store = LogStore::open(&orders.path).unwrap();
    thread::scope(|scope| {
        let listener = scope.spawn(|| while hear().is_some() {});
        for number in 1_u64.. {
            if listener.is_finished() {
                break;
            }
            store.save_token(&token("child", &number.to_string())).unwrap();
            say(number);
            if orders.role == "compacts" && number.is_multiple_of(3) {
                store.compact().unwrap();
            }
        }
    });
    store.close().unwrap();
}

#[derive(Default)]
struct Landed {
    stops: u64,
    in_saves: u64,
    compactor: u64,
    longest: Duration,
}

fn check_beside(role: &str) -> Landed {
    let (wanted, seed) = (setting("TOKCASK_STOPS", 10), seed());
    println!("seed {seed}");
    let mut random = Random::new(seed);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    let store = Options::new().background(false).lock_timeout(TIMEOUT).open(&path).unwrap();
    let reader = Options::new().read_only(true).open(&path).unwrap();
    store.save_token(&token("forever", "fake")).unwrap();
    store.save_token(&token("child", "0")).unwrap();
    let mut child = Process::start(role, &path, seed);
    let mut output = child.take_output();
    let (mut landed, mut saved) = (Landed::default(), 0_u64);
    while landed.in_saves < wanted {
        landed.stops += 1;
        assert!(landed.stops < ATTEMPTS_MAX, "seed {seed}: no stop lands in a save");
        let mut heard = next(&mut output);
        thread::sleep(Duration::from_micros(random.below(3000)));
        child.signal(Signal::STOP);
        while !child.is_stopped() {
            thread::yield_now();
        }
        let busy = try_to_save(&store, saved + 1);
        saved += u64::from(busy.is_none());
        if let Some(waited) = busy {
            landed.longest = waited.max(landed.longest);
            landed.in_saves += 1;
            for _ in 0..100 {
                for handle in [&store, &reader] {
                    assert!(handle.get(Key::UserName("forever")).unwrap().is_some(), "finds go on");
                    let found = handle.get(Key::UserName("parent")).unwrap();
                    let found = found.as_ref().map_or("none", |row| access(row));
                    assert!(saved == 0 || found == format!("fake-{saved}"), "seed {seed}: {found} of {saved}");
                }
            }
            // Also for those who come now.
            let late = Options::new().read_only(true).lock_timeout(TIMEOUT).open(&path).unwrap();
            assert!(late.get(Key::UserName("forever")).unwrap().is_some());
            match Options::new().lock_timeout(TIMEOUT).open(&path) {
                Ok(late) => assert!(late.get(Key::UserName("forever")).unwrap().is_some()),
                // The name of a new file is there, and nobody can tell for how long.
                Err(error) => assert!(role == "compacts" && error.kind() == ErrorKind::Busy, "seed {seed}: {error}"),
            }
            assert!(try_to_save(&store, saved + 1).is_some(), "seed {seed}: it is as busy as before");
        }
        match store.compact() {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Busy => landed.compactor += 1,
            Err(error) => panic!("seed {seed}: {error}"),
        }
        child.signal(Signal::CONT);
        // What it has acknowledged meanwhile is here, or a later one.
        heard = next(&mut output).max(heard);
        for handle in [&store, &reader] {
            let found = handle.get(Key::UserName("child")).unwrap().unwrap();
            assert!(access(&found).parse::<u64>().unwrap() >= heard, "seed {seed}: {heard} is lost");
        }
    }
    child.hang_up();
    let last = std::iter::from_fn(|| processes::next_line(&mut output)).last();
    child.end();
    assert!(store.save_token(&token("parent", "fake-end")).is_ok(), "seed {seed}: nobody is in the way");
    if let Some(last) = last {
        assert_eq!(access(&store.get(Key::UserName("child")).unwrap().unwrap()), last, "seed {seed}");
    }
    assert!(store.verify().unwrap().damage.is_empty(), "seed {seed}");
    println!("of {2} stops {0} made saves Busy, and {1} compactions", landed.in_saves, landed.compactor, landed.stops);
    println!("the longest wait until Busy took {:?}", landed.longest);
    landed
}

/// Saves the number as the parent's; if that is `Busy`, returns how long it took.
fn try_to_save(store: &LogStore, number: u64) -> Option<Duration> {
    match store.save_token(&token("parent", &format!("fake-{number}"))) {
        Ok(_) => None,
        Err(Error::Busy { waited, .. }) => {
            assert!(waited >= TIMEOUT);
            Some(waited)
        }
        Err(error) => panic!("{error}"),
    }
}

fn next(output: &mut impl std::io::BufRead) -> u64 {
    processes::next_line(output).expect("the child lives").parse().unwrap()
}

#[test]
fn a_saver_that_is_stopped_makes_others_busy_and_hides_nothing() {
    check_beside("saves");
}

#[test]
fn a_compactor_that_is_stopped_lets_others_save() {
    let Landed { stops, in_saves, compactor, .. } = check_beside("compacts");
    assert!(stops > in_saves, "some saves went on while it was stopped");
    assert!(compactor > 0, "some stops landed in a compaction");
}
