//! How much is to be proved, and what a proof reports.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};

use tokcask::{EncryptionKey, KeySource, Options, ReadMode};

use super::sim::Sim;

/// A number from the environment.
pub(crate) fn number(name: &str, otherwise: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(otherwise, |text| text.replace('_', "").parse().unwrap_or_else(|_| panic!("{name}={text}: no number")))
}

/// Where randomness begins; `TOKCASK_SEED` sets it.
pub(crate) fn seed() -> u64 {
    number("TOKCASK_SEED", 20_261_122)
}

/// How stores of this machine are opened: those that are encrypted, with whichever of the keys they have.
pub(crate) fn options(machine: &Sim) -> Options {
    let has = |id| (0..KEYS_LEN).map(key).find(|key| id == Some(key.id()));
    let keys = KeySource::asking(move |id| if id.is_some() { has(id).ok_or("no such key".into()) } else { Ok(key(0)) });
    settled(if machine.is_encrypted() { Options::encrypted(keys) } else { Options::new() })
}

/// How an encrypted store is opened that has this key.
pub(crate) fn options_with(key: &EncryptionKey) -> Options {
    settled(Options::encrypted(key))
}

fn settled(options: Options) -> Options {
    options.background(false).read_mode(ReadMode::Copy)
}

const KEYS_LEN: usize = 4;

/// One of the keys; stores are made with the first.
pub(crate) fn key(number: usize) -> EncryptionKey {
    static KEYS: LazyLock<[EncryptionKey; KEYS_LEN]> =
        LazyLock::new(|| std::array::from_fn(|_| EncryptionKey::generate().expect("a key")));
    KEYS[number].clone()
}

/// A machine with plain stores, or with encrypted ones.
pub(crate) fn machine(is_encrypted: bool) -> Sim {
    if is_encrypted { Sim::new().encrypted() } else { Sim::new() }
}

/// What was tried, and what went wrong.
#[derive(Default)]
pub(crate) struct Tally {
    counts: BTreeMap<String, u64>,
    pub(crate) violations: Vec<String>,
}

impl Tally {
    pub(crate) fn count(&mut self, what: &str) {
        self.add(what, 1);
    }

    pub(crate) fn add(&mut self, what: &str, times: u64) {
        match self.counts.get_mut(what) {
            Some(count) => *count += times,
            None => drop(self.counts.insert(what.to_owned(), times)),
        }
    }

    pub(crate) fn get(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or(0)
    }

    pub(crate) fn violation(&mut self, what: impl Display) {
        self.violations.push(what.to_string());
    }

    fn merge(&mut self, other: Self) {
        for (what, times) in other.counts {
            self.add(&what, times);
        }
        self.violations.extend(other.violations);
    }

    /// Prints what was tried; fails if anything went wrong.
    pub(crate) fn expect_none(&self, proof: &str) {
        println!("{proof}, seed {}: {self}", seed());
        let first: Vec<_> = self.violations.iter().take(5).map(String::as_str).collect();
        assert!(first.is_empty(), "{} violations, such as\n{}", self.violations.len(), first.join("\n"));
    }
}

impl Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, times) in &self.counts {
            write!(f, "{what} {times}, ")?;
        }
        write!(f, "violations {}", self.violations.len())
    }
}

/// Does one job after the other on all cores, until one says that there are no more, or a promise is broken.
pub(crate) fn in_parallel(job: impl Fn(usize, &mut Tally) -> bool + Sync) -> Tally {
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let total = Mutex::new(Tally::default());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut tally = Tally::default();
                while !stop.load(Ordering::Relaxed) {
                    let more = job(next.fetch_add(1, Ordering::Relaxed), &mut tally);
                    if !more || !tally.violations.is_empty() {
                        stop.store(true, Ordering::Relaxed);
                    }
                }
                total.lock().unwrap().merge(tally);
            });
        }
    });
    total.into_inner().unwrap()
}
