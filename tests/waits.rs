//! What must not wait for what: a close, and a find inside a progress report.
//!
//! Method: somebody holds what would be waited for until the test has its answer; a limit turns a deadlock into a failure.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tokcask::{CompactionPolicy, Key, LogStore, OnClash, Options, Token, TokenStore};

const LIMIT: Duration = Duration::from_secs(60);

fn token(user: &str, access: &str) -> Token {
    Token::builder().user_name(user).access_token(access).build()
}

fn never() -> CompactionPolicy {
    let mut policy = CompactionPolicy::new();
    (policy.dead_bytes_min, policy.dead_age_max) = (u64::MAX, Duration::MAX);
    policy
}

/// Runs it on a thread of its own, which is left behind if it hangs.
fn within_limit<R: Send + 'static>(what: &str, work: impl FnOnce() -> R + Send + 'static) -> R {
    let (done, is_done) = channel();
    thread::spawn(move || done.send(work()));
    is_done.recv_timeout(LIMIT).unwrap_or_else(|_| panic!("{what} does not end"))
}

/// Options whose first progress report says so on one channel and waits for the other to end.
fn reports_and_waits(begun: Sender<()>, ends: Receiver<()>) -> Options {
    let wait = Mutex::new(Some((begun, ends)));
    Options::new().compaction(never()).background(false).on_progress(move |progress| {
        if progress.bytes_total > 10_000
            && let Some((begun, ends)) = wait.lock().unwrap().take()
        {
            begun.send(()).unwrap();
            let _: Result<(), _> = ends.recv();
        }
    })
}

#[test]
fn a_close_does_not_wait_for_others_who_hold_the_right_to_commit() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    let store = Options::new().compaction(never()).lock_timeout(Duration::MAX).open(&path).unwrap();
    store.save_token(&token("ann", "fake-1")).unwrap();
    let (begun, has_begun) = channel();
    let (end, ends) = channel();
    let other = reports_and_waits(begun, ends).open(&path).unwrap();
    let importing = thread::spawn(move || other.import(&[token("big", &"x".repeat(20_000))], OnClash::Renumber));
    has_begun.recv().unwrap();
    let store = Arc::new(store);
    let saver = store.clone();
    let saving = thread::spawn(move || saver.save_token(&token("bob", "fake")).map_err(|error| error.kind()));
    // However far the save has come by then.
    thread::sleep(Duration::from_millis(100));
    within_limit("the close", move || store.close()).unwrap();
    assert_eq!(saving.join().unwrap().unwrap_err(), tokcask::ErrorKind::Closed);
    drop(end);
    assert_eq!(importing.join().unwrap().unwrap().imported, 1);
}

#[test]
fn a_find_in_an_imports_report_does_not_wait_for_itself() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    let other = Options::new().background(false).open(&path).unwrap();
    let rows: Vec<_> = (0..5_000).map(|number| token(&format!("user{number}"), &"x".repeat(1_000))).collect();
    other.import(&rows, OnClash::Renumber).unwrap();
    let handle: Arc<Mutex<Option<Arc<LogStore>>>> = Arc::default();
    let to_find_with = handle.clone();
    let options = Options::new().compaction(never()).on_progress(move |_| {
        let store = to_find_with.lock().unwrap().clone();
        if let Some(store) = store {
            // So that the background meets us.
            thread::sleep(Duration::from_millis(30));
            assert!(store.get(Key::UserName("user7")).unwrap().is_some());
        }
    });
    let store = Arc::new(options.open(&path).unwrap());
    *handle.lock().unwrap() = Some(store.clone());
    other.compact().unwrap();
    // Follows to the new file, and wakes the background, which reads it through.
    assert!(store.get(Key::UserName("user7")).unwrap().is_some());
    let importer = store.clone();
    let few: Vec<_> = (0..20).map(|number| token(&format!("new{number}"), "fake")).collect();
    within_limit("the import", move || importer.import(&few, OnClash::Renumber)).unwrap();
    *handle.lock().unwrap() = None;
}
