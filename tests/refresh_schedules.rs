//! Schedules of threads and processes that refresh one row: as `schedules.rs`, and run in the same way.
//!
//! Shuttle knows no time, so that whoever waits for a thread of its own handle and is not told waits for ever, which fails.

#![cfg(shuttle)]

mod many_schedules;
mod sim;
mod two_processes;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use shuttle::thread;
use tokcask::{Key, LogStore, RefreshError, RefreshPolicy, Refreshed, Token};

use many_schedules::{check, store};
use two_processes::open;

const ANN: Key<'_> = Key::UserName("ann");

fn access(row: &Token) -> &str {
    row.access_token().expect("there").expose_secret()
}

/// Wants another access token than that of this revision.
fn another_than(revision: Option<u64>) -> RefreshPolicy {
    RefreshPolicy { rejected: revision, backoff_max: Duration::ZERO, ..RefreshPolicy::new() }
}

/// Three threads of one handle and one of another, each of which does this; what each got.
fn four<R: Send + 'static>(work: fn(&LogStore, RefreshPolicy, &AtomicU32) -> R) -> (Vec<R>, u32, Arc<LogStore>) {
    let sim = store();
    let [ours, other] = [(); 2].map(|()| Arc::new(open(&sim.process()).unwrap()));
    let asked = Arc::new(AtomicU32::new(0));
    let policy = another_than(ours.get(ANN).unwrap().expect("there").revision());
    let threads = [&ours, &ours, &ours, &other].map(|store| {
        let (store, asked) = (store.clone(), asked.clone());
        thread::spawn(move || work(&store, policy, &asked))
    });
    let got = threads.map(|thread| thread.join().unwrap()).into();
    (got, asked.load(Ordering::SeqCst), ours)
}

#[test]
fn one_of_four_asks_and_all_get_the_answer() {
    check("refreshing", 1000, || {
        let (got, asked, _) = four(|store, policy, asked| {
            let refreshed = store.refresh(ANN, policy, |current| {
                assert_eq!(access(current), "fake-ann-1");
                asked.fetch_add(1, Ordering::SeqCst);
                thread::yield_now();
                Ok::<_, &str>(Token::builder().access_token("new").build())
            });
            refreshed.unwrap()
        });
        assert_eq!(asked, 1);
        assert_eq!(got.iter().filter(|refreshed| matches!(refreshed, Refreshed::ByUs(_))).count(), 1);
        assert!(got.iter().all(|refreshed| access(refreshed.token()) == "new"), "{got:?}");
    });
}

/// Nobody is left waiting by a provider that fails, or panics.
#[test]
fn whoever_waits_for_a_failure_asks_next() {
    check("refreshing in vain", 1000, || {
        let (got, asked, store) = four(|store, policy, asked| {
            let ask = || {
                store.refresh(ANN, policy, |_| -> Result<Token, &str> {
                    match asked.fetch_add(1, Ordering::SeqCst) {
                        0 => Err("down"),
                        1 => std::panic::resume_unwind(Box::new("of the test")),
                        _ => Ok(Token::builder().access_token("new").build()),
                    }
                })
            };
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(ask)).ok()
        });
        let (mut panicked, mut refused, mut refreshed) = (0, 0, 0);
        for got in &got {
            match got {
                None => panicked += 1,
                Some(Err(RefreshError::Provider("down"))) => refused += 1,
                Some(Ok(row)) if access(row.token()) == "new" => refreshed += 1,
                Some(other) => panic!("{other:?}"),
            }
        }
        assert_eq!((asked, panicked, refused, refreshed), (3, 1, 1, 2), "{got:?}");
        assert_eq!(access(&store.get(ANN).unwrap().expect("there")), "new");
    });
}
