//! Making calls wait at the same time, so that they become one batch.
//!
//! Another handle holds the right to commit, by an import whose progress report waits; meanwhile the callers queue up, the
//! first of them as their leader.

#![allow(dead_code, reason = "each test program uses a part")]

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use tokcask::{Error, ErrorKind, LogStore, OnClash, Options, ReadMode, Token, open_on};

use super::sim::Sim;

const STORE: &str = "/store";

pub(crate) fn token(user: &str, access: &str) -> Token {
    Token::builder().user_name(user).access_token(access).build()
}

pub(crate) fn options() -> Options {
    // The simulated clock runs by itself while somebody waits.
    Options::new().background(false).read_mode(ReadMode::Copy).lock_timeout(Duration::MAX)
}

pub(crate) fn open(sim: &Sim, options: &Options) -> LogStore {
    open_on(options, Arc::new(sim.clone()), Path::new(STORE)).unwrap()
}

/// Somebody else who commits, until told to end.
struct Holder {
    end: Sender<()>,
    thread: thread::JoinHandle<()>,
}

impl Holder {
    fn start(sim: &Sim) -> Self {
        let (begun, has_begun) = channel();
        let (end, ends) = channel::<()>();
        let wait = std::sync::Mutex::new((begun, Some(ends)));
        let options = options().on_progress(move |progress| {
            // Only the import is so long.
            let mut wait = wait.lock().unwrap();
            if progress.bytes_total > 40_000
                && let Some(ends) = wait.1.take()
            {
                wait.0.send(()).unwrap();
                let _: Result<(), _> = Receiver::recv(&ends);
            }
        });
        let holder = open(sim, &options);
        let thread = thread::spawn(move || {
            let long: Vec<_> = (0..50).map(|row| token(&format!("long{row}"), &"x".repeat(1000))).collect();
            // A fault that waits for the batch may meet it first.
            let _ = holder.import(&long, OnClash::Refuse);
        });
        has_begun.recv().unwrap();
        Self { end, thread }
    }

    fn end(self) {
        drop(self.end);
        self.thread.join().unwrap();
    }
}

/// What a caller does, and what it is told.
pub(crate) type Call<'a> = Box<dyn FnOnce(&LogStore) -> Result<(), ErrorKind> + Send + 'a>;

/// Lets all of these calls wait at the same time, and returns their answers.
pub(crate) fn at_once(sim: &Sim, store: &LogStore, calls: Vec<Call<'_>>) -> Vec<Result<(), ErrorKind>> {
    at_once_after(sim, store, calls, || {})
}

/// The same; `prepare` is called when all of them wait.
pub(crate) fn at_once_after(
    sim: &Sim,
    store: &LogStore,
    calls: Vec<Call<'_>>,
    prepare: impl FnOnce(),
) -> Vec<Result<(), ErrorKind>> {
    let holder = Holder::start(sim);
    thread::scope(|scope| {
        let callers: Vec<_> = calls
            .into_iter()
            .map(|call| {
                let caller = scope.spawn(move || call(store));
                // In order; who comes late would only be in the next batch.
                thread::sleep(Duration::from_millis(60));
                caller
            })
            .collect();
        prepare();
        holder.end();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    })
}

pub(crate) fn kinds<T>(answer: Result<T, Error>) -> Result<(), ErrorKind> {
    answer.map(drop).map_err(|error| error.kind())
}
