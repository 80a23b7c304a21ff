//! What a handle tells of what it has done: every find, write, refresh and compaction once, and times that were taken.

use std::time::Duration;

use tokcask::{Activity, Key, LogStore, Options, RefreshPolicy, Token, TokenStore};

fn row(user: &str, expiry_ms: &str) -> Token {
    Token::builder().user_name(user).access_token("old").refresh_token("refresh-1").expiry_time(expiry_ms).build()
}

fn open() -> (tempfile::TempDir, LogStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = Options::new().background(false).open(dir.path()).unwrap();
    (dir, store)
}

fn activity(store: &LogStore) -> Activity {
    store.stats().unwrap().activity
}

#[test]
fn finds_are_counted_whatever_thread_makes_them() {
    let (_dir, store) = open();
    store.save_token(&row("ann", "1")).unwrap();
    assert_eq!((activity(&store).finds, activity(&store).misses), (0, 0));
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                assert!(store.get(Key::UserName("ann")).unwrap().is_some());
                assert!(store.get(Key::UserName("bob")).unwrap().is_none());
                assert!(store.view(Key::UserName("ann"), |_| ()).unwrap().is_some());
                assert!(store.view(Key::UserName("bob"), |_| ()).unwrap().is_none());
                let partial = Token::builder().user_name("ann").build();
                assert!(store.find_token(&partial).unwrap().is_some());
            });
        }
    });
    assert_eq!((activity(&store).finds, activity(&store).misses), (100, 40));
}

#[test]
fn writes_syncs_and_compactions_are_counted_and_timed() {
    let (_dir, store) = open();
    store.save_token(&row("ann", "1")).unwrap();
    store.save_tokens(&[row("bob", "1"), row("cid", "1")]).unwrap();
    assert!(store.delete("1").unwrap() && !store.delete("1").unwrap());
    store.save_token(&Token::builder().user_name("dan").build()).unwrap_err();
    store.compact().unwrap();
    let activity = activity(&store);
    assert_eq!((activity.writes, activity.write_failures, activity.syncs, activity.compactions), (4, 1, 3, 1));
    assert_eq!((activity.write_time.count(), activity.sync_time.count(), activity.compaction_time.count()), (5, 3, 1));
    assert!(activity.write_time.sum() >= activity.sync_time.sum() && !activity.sync_time.sum().is_zero());
    let longest = activity.write_time.quantile(1.0).expect("there are some");
    assert!(longest >= activity.write_time.quantile(0.0).unwrap() && longest * 5 >= activity.write_time.sum());
    assert_eq!(activity.provider_time.quantile(0.5), None);
}

#[test]
fn refreshes_are_counted_by_how_they_ended() {
    let (dir, store) = open();
    store.save_tokens(&[row("ann", "1"), row("bob", "1"), row("cid", "4102444800000")]).unwrap();
    let now = RefreshPolicy { wait_max: Duration::ZERO, ..RefreshPolicy::new() };
    let answer = || Token::builder().access_token("new").expiry_time("4102444800000").build();
    let other = Options::new().background(false).open(dir.path()).unwrap();
    let refreshed = store.refresh(Key::UserName("ann"), now, |_| {
        let policy = RefreshPolicy { wait_max: Duration::from_millis(1), ..now };
        other.refresh(Key::UserName("ann"), policy, |_| Ok::<_, &str>(answer())).unwrap_err();
        Ok::<_, &str>(answer())
    });
    refreshed.unwrap();
    store.refresh(Key::UserName("cid"), now, |_| Ok::<_, &str>(answer())).unwrap();
    store.refresh(Key::UserName("eve"), now, |_| Ok::<_, &str>(answer())).unwrap_err();
    store.refresh(Key::UserName("bob"), now, |_| Err("down")).unwrap_err();
    store.refresh(Key::UserName("bob"), now, |_| Err("down")).unwrap_err();
    let (ours, theirs) = (activity(&store), activity(&other));
    let counts = ours.refreshes;
    assert_eq!(
        (counts.fresh, counts.by_us, counts.unknown_key, counts.provider_failed, counts.back_off),
        (1, 1, 1, 1, 1)
    );
    assert_eq!((ours.provider_time.count(), ours.lease_waits), (2, 0));
    assert_eq!((theirs.refreshes.busy, theirs.lease_waits, theirs.lease_wait_time.count()), (1, 1, 1));
    let waited = theirs.lease_wait_time.sum();
    assert!(
        waited >= Duration::from_millis(1) && waited <= ours.provider_time.sum(),
        "it waited inside the call: {waited:?}"
    );
}

#[test]
fn the_next_expiry_is_the_soonest_to_come() {
    let (_dir, store) = open();
    let next = || store.stats().unwrap().next_expiry_ms;
    assert_eq!(next(), None);
    store
        .save_tokens(&[row("past", "1"), row("never", ""), row("odd", "soon"), row("later", "4102444800001")])
        .unwrap();
    assert_eq!((next(), next()), (Some(4_102_444_800_001), Some(4_102_444_800_001)));
    store.save_token(&row("sooner", "4102444800000")).unwrap();
    assert_eq!(next(), Some(4_102_444_800_000));
    let sooner = store.get(Key::UserName("sooner")).unwrap().expect("saved");
    store.delete(sooner.id().unwrap()).unwrap();
    assert_eq!(next(), Some(4_102_444_800_001));
}

/// A store whose lock file is not there says nothing of versions.
#[test]
fn a_handle_that_only_reads_knows_the_next_expiry_too() {
    let (dir, store) = open();
    store.save_token(&row("ann", "4102444800000")).unwrap();
    store.close().unwrap();
    std::fs::remove_file(dir.path().join("store.lock")).unwrap();
    let reader = Options::new().read_only(true).open(dir.path()).unwrap();
    assert_eq!(reader.stats().unwrap().next_expiry_ms, Some(4_102_444_800_000));
}
