//! The async form: any number of futures on one runtime thread, dropped wherever it hurts, with the guarantees of a thread.

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use tokcask::{Key, LogStore, Options, RefreshError, RefreshPolicy, Refreshed, Token, TokenStore};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

const ANN: Key<'_> = Key::UserName("ann");

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

fn open(path: &Path) -> Arc<LogStore> {
    Arc::new(Options::new().background(false).open(path).unwrap())
}

/// A store with an expired row of ann's.
fn expired() -> (tempfile::TempDir, Arc<LogStore>) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.save_token(&expired_row("ann")).unwrap();
    (dir, store)
}

fn expired_row(user: &str) -> Token {
    Token::builder().user_name(user).access_token("old").refresh_token("refresh-1").expiry_time("1").build()
}

fn answer() -> Token {
    Token::builder().access_token("new").refresh_token("refresh-2").expiry_time("4102444800000").build()
}

fn access(row: &Token) -> &str {
    row.access_token().map_or("", |secret| secret.expose_secret())
}

#[test]
fn hundreds_of_futures_on_one_thread_ask_once() {
    let (dir, store) = expired();
    // As another process would: its own locks.
    let other = open(dir.path());
    let asked = Arc::new(AtomicU32::new(0));
    runtime().block_on(async {
        let futures = (0..400).map(|number| {
            let (store, asked) = (if number % 2 == 0 { store.clone() } else { other.clone() }, asked.clone());
            tokio::spawn(async move {
                let provider = move |current: Token| async move {
                    assert_eq!(access(&current), "old");
                    asked.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    Ok::<_, &str>(answer())
                };
                store.refresh_async(ANN, RefreshPolicy::new(), provider).await
            })
        });
        let futures: Vec<_> = futures.collect();
        let mut by_us = 0;
        for future in futures {
            let refreshed = future.await.unwrap().unwrap();
            by_us += u32::from(matches!(refreshed, Refreshed::ByUs(_)));
            assert_eq!(access(refreshed.token()), "new");
        }
        assert_eq!((asked.load(Ordering::Relaxed), by_us), (1, 1));
    });
}

/// Whoever has waited for an answer takes it as it is: to ask again would bring the same.
#[test]
fn an_answer_that_is_good_for_a_moment_only_serves_everybody_who_waited() {
    let (dir, store) = expired();
    let other = open(dir.path());
    runtime().block_on(async {
        let slow = |store: Arc<LogStore>| async move {
            let provider = |_| async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Ok::<_, &str>(Token::builder().access_token("short").expiry_time("2").build())
            };
            store.refresh_async(ANN, RefreshPolicy::new(), provider).await.unwrap().into_token()
        };
        let (first, second, third) = tokio::join!(slow(store.clone()), slow(store.clone()), slow(other));
        for token in [first, second, third] {
            assert_eq!(access(&token), "short");
        }
        assert_eq!(store.stats().unwrap().activity.provider_time.count(), 1);
    });
}

#[test]
fn rows_do_not_wait_for_each_other() {
    let (_dir, store) = expired();
    store.save_token(&expired_row("bob")).unwrap();
    runtime().block_on(async {
        let (answers, waits) = oneshot::channel::<()>();
        let slow = store.refresh_async(ANN, RefreshPolicy::new(), |_| async move {
            waits.await.unwrap();
            Ok::<_, &str>(answer())
        });
        let quick = async {
            let provider = |_| async { Ok::<_, &str>(answer()) };
            let refreshed = store.refresh_async(Key::UserName("bob"), RefreshPolicy::new(), provider).await;
            answers.send(()).unwrap();
            refreshed
        };
        let (slow, quick) = tokio::join!(slow, quick);
        assert!(matches!((slow, quick), (Ok(Refreshed::ByUs(_)), Ok(Refreshed::ByUs(_)))));
    });
}

/// Polls a refresh so many times, and drops it; the runtime goes on meanwhile.
async fn drop_after(store: &Arc<LogStore>, polls: u32, asked: &Arc<AtomicU32>) -> bool {
    let counted = asked.clone();
    let provider = move |_| async move {
        counted.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok::<_, &str>(answer())
    };
    let mut refresh = pin!(store.refresh_async(ANN, RefreshPolicy::new(), provider));
    for _ in 0..polls {
        let mut context = Context::from_waker(Waker::noop());
        if refresh.as_mut().poll(&mut context).is_ready() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    false
}

#[test]
fn a_future_that_is_dropped_anywhere_leaves_nothing_half_done() {
    let mut outcomes = [0; 2];
    for polls in 0.. {
        let (_dir, store) = expired();
        let asked = Arc::new(AtomicU32::new(0));
        let ended = runtime().block_on(async {
            let ended = drop_after(&store, polls, &asked).await;
            // Whoever comes next waits for what goes on, or asks by itself.
            let counted = asked.clone();
            let provider = move |_| async move {
                counted.fetch_add(1, Ordering::Relaxed);
                Ok::<_, &str>(answer())
            };
            let next = store.refresh_async(ANN, RefreshPolicy::new(), provider).await.unwrap();
            assert_eq!(access(next.token()), "new", "dropped after {polls} polls");
            ended
        });
        assert_eq!(asked.load(Ordering::Relaxed), 1, "dropped after {polls} polls: spent once and saved");
        outcomes[usize::from(ended)] += 1;
        if ended {
            break;
        }
    }
    assert!(outcomes[0] > 2, "{outcomes:?}");
}

#[test]
fn what_was_begun_is_saved_when_caller_and_handle_have_gone() {
    let (dir, store) = expired();
    let runtime = runtime();
    let (begun, begins) = oneshot::channel();
    runtime.block_on(async move {
        let provider = move |_| async move {
            begun.send(()).unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok::<_, &str>(answer())
        };
        let refresh = {
            let store = store.clone();
            tokio::spawn(async move { store.refresh_async(ANN, RefreshPolicy::new(), provider).await.map(drop) })
        };
        begins.await.unwrap();
        refresh.abort();
        let _ = refresh.await;
        drop(store);
    });
    let other = open(dir.path());
    let policy = RefreshPolicy::new();
    let provider = |_: Token| async { Err("the answer of the first is saved") };
    let refreshed = runtime.block_on(other.refresh_async(ANN, policy, provider)).unwrap();
    assert!(matches!(&refreshed, Refreshed::ByAnother(row) if access(row) == "new"), "{refreshed:?}");
}

#[test]
fn errors_are_those_of_the_blocking_form() {
    let (dir, store) = expired();
    runtime().block_on(async {
        let policy = RefreshPolicy { wait_max: Duration::from_millis(30), ..RefreshPolicy::new() };
        let unknown = store.refresh_async(Key::UserName("bob"), policy, |_| async { Err::<Token, _>("asked") }).await;
        assert!(matches!(unknown, Err(RefreshError::UnknownKey)));
        let other = open(dir.path());
        let provider = move |_| async move {
            let waiting = other.refresh_async(ANN, policy, |_| async { Err::<Token, _>("asked twice") }).await;
            assert!(matches!(waiting, Err(RefreshError::Busy { .. })), "{waiting:?}");
            Err::<Token, _>("down")
        };
        let failed = store.refresh_async(ANN, RefreshPolicy::new(), provider).await;
        assert!(matches!(failed, Err(RefreshError::Provider("down"))), "{failed:?}");
        let held_back = store.refresh_async(ANN, policy, |_| async { Err::<Token, _>("again") }).await;
        assert!(matches!(held_back, Err(RefreshError::BackOff { .. })), "{held_back:?}");
    });
}

#[test]
fn a_provider_that_panics_panics_here_and_lets_go() {
    let (_dir, store) = expired();
    runtime().block_on(async {
        let panicking = {
            let store = store.clone();
            let provider = |_| async { if true { panic!("of the test") } else { Ok::<_, &str>(answer()) } };
            tokio::spawn(async move { store.refresh_async(ANN, RefreshPolicy::new(), provider).await.map(drop) })
        };
        assert!(panicking.await.unwrap_err().is_panic());
        let next = store.refresh_async(ANN, RefreshPolicy::new(), |_| async { Ok::<_, &str>(answer()) }).await;
        assert!(matches!(next, Ok(Refreshed::ByUs(_))));
    });
}

/// Waiting takes no thread: not for the lease, and not for the provider.
#[test]
fn nobody_who_waits_holds_a_thread() {
    let (dir, store) = expired();
    let other = open(dir.path());
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    runtime().block_on(async {
        let (answers, waits) = oneshot::channel::<()>();
        let provider = |_| async move {
            waits.await.unwrap();
            Ok::<_, &str>(answer())
        };
        let first = {
            let store = store.clone();
            tokio::spawn(async move { store.refresh_async(ANN, RefreshPolicy::new(), provider).await })
        };
        tokio::time::sleep(Duration::from_millis(50)).await;
        let before = threads();
        let waiting: Vec<_> = (0..100)
            .map(|number| {
                let store = if number % 2 == 0 { store.clone() } else { other.clone() };
                tokio::spawn(async move {
                    store.refresh_async(ANN, RefreshPolicy::new(), |_| async { Err::<Token, _>("asked twice") }).await
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(50)).await;
        // Other tests of this program have threads too.
        assert!(threads() < before + 50, "{} threads more", threads() - before);
        answers.send(()).unwrap();
        first.await.unwrap().unwrap();
        for waiting in waiting {
            assert_eq!(access(waiting.await.unwrap().unwrap().token()), "new");
        }
    });
}
