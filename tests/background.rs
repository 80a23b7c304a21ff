//! What a handle does by itself: compacts on its policy, follows others to a new file and lets the old one go, and says
//! what it could not do.
//!
//! Method: eager policies, and waiting for what must come; how long that takes decides nothing, a limit aside.

mod sim;

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use sim::Sim;
use tokcask::format::slot::{SLOT_LEN, Slot};
use tokcask::storage::Storage;
use tokcask::{
    CompactionPolicy, CompactionReason, Key, LogStore, Options, ReadMode, Stats, Token, TokenStore, open_on,
};

const LIMIT: Duration = Duration::from_secs(60);

fn token(user: &str, access: &str) -> Token {
    Token::builder().user_name(user).access_token(access).build()
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LIMIT, "{what} did not come");
        thread::sleep(Duration::from_millis(5));
    }
}

fn never() -> CompactionPolicy {
    let mut policy = CompactionPolicy::new();
    (policy.dead_bytes_min, policy.dead_age_max) = (u64::MAX, Duration::MAX);
    policy
}

fn stats(store: &LogStore) -> Stats {
    store.stats().unwrap()
}

#[test]
fn enough_dead_bytes_or_old_enough_ones_are_compacted_away() {
    let mut by_bytes = never();
    (by_bytes.dead_bytes_min, by_bytes.dead_percent_min) = (4_000, 50);
    let mut by_age = never();
    by_age.dead_age_max = Duration::ZERO;
    for (policy, reason) in [(by_bytes, CompactionReason::DeadBytes), (by_age, CompactionReason::DeadAge)] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens");
        // Without a thread of its own it is only said.
        let store = Options::new().background(false).compaction(policy).open(&path).unwrap();
        store.save_token(&token("ann", "fake-old-secret")).unwrap();
        assert_eq!(stats(&store).compaction, None, "nothing is dead");
        for number in 0..100 {
            store.save_token(&token("ann", &format!("fake-{number}"))).unwrap();
        }
        let before = stats(&store);
        assert_eq!((before.compaction, before.dead_records), (Some(reason), 100));
        assert!(before.dead_since_ms.is_some());
        store.close().unwrap();

        let store = Options::new().compaction(policy).open(&path).unwrap();
        until("a compaction", || stats(&store).generation > 1);
        let after = stats(&store);
        assert_eq!((after.compaction, after.dead_records, after.dead_since_ms), (None, 0, None));
        assert_eq!(
            store.get(Key::UserName("ann")).unwrap().unwrap().access_token().unwrap().expose_secret(),
            "fake-99"
        );
        let log = std::fs::read(path.join("store.log")).unwrap();
        assert!(!log.windows(15).any(|bytes| bytes == b"fake-old-secret"), "what was replaced is in no file");
    }
}

#[test]
fn without_reason_nothing_is_compacted() {
    let directory = tempfile::tempdir().unwrap();
    let store = Options::new().compaction(never()).open(directory.path().join("tokens")).unwrap();
    for number in 0..2_000 {
        store.save_token(&token("ann", &format!("fake-{number}"))).unwrap();
    }
    assert_eq!((stats(&store).generation, stats(&store).compaction), (1, None));
}

#[cfg(target_os = "linux")]
#[test]
fn a_handle_that_sleeps_lets_the_old_file_go() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    let store = Options::new().compaction(never()).open(&path).unwrap();
    store.save_token(&token("ann", "fake-1")).unwrap();
    let sleeping = Options::new().compaction(never()).open(&path).unwrap();
    let log = path.join("store.log").canonicalize().unwrap();
    let gone = || format!("{} (deleted)", log.display());
    let is_mapped = || std::fs::read_to_string("/proc/self/maps").unwrap().contains(&gone());
    let is_open = || {
        let open = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        open.filter_map(|entry| std::fs::read_link(entry.path()).ok()).any(|file| file.to_string_lossy() == gone())
    };
    for _ in 0..3 {
        let rows = sleeping.iter();
        store.compact().unwrap();
        assert!(is_mapped(), "an iteration holds it");
        drop(rows);
        until("the end of the old file", || !is_mapped() && !is_open());
    }
    assert!(sleeping.get(Key::UserName("ann")).unwrap().is_some());
}

#[test]
fn a_compaction_that_fails_is_told_and_leaves_the_store_as_it_was() {
    let sim = Sim::new();
    let mut policy = never();
    (policy.dead_bytes_min, policy.dead_percent_min) = (100_000, 50);
    let options = Options::new().read_mode(ReadMode::Copy).compaction(policy);
    let store = open_on(&options, Arc::new(sim.clone()), Path::new("/store")).unwrap();
    store.save_token(&token("bob", &"b".repeat(60_000))).unwrap();
    store.save_token(&token("ann", &"a".repeat(60_000))).unwrap();
    sim.set_quota(Some(sim.used()));
    // Deletes have room of their own, and make enough of it dead.
    store.delete("1").unwrap();
    store.delete("2").unwrap();
    until("a failure", || stats(&store).compaction_failed.is_some());
    assert!(stats(&store).compaction_failed.unwrap().contains("no room"), "it says why");
    assert_eq!((stats(&store).generation, stats(&store).compaction), (1, Some(CompactionReason::DeadBytes)));
    assert_eq!(sim.names(Path::new("/store")), ["store.lock", "store.log"]);
    sim.set_quota(None);
    store.compact().unwrap();
    assert_eq!(stats(&store).compaction, None);
}

#[test]
fn the_watermark_of_an_idle_store_becomes_durable_by_itself() {
    let sim = Sim::new();
    let options = Options::new().read_mode(ReadMode::Copy).compaction(never());
    let store = open_on(&options, Arc::new(sim.clone()), Path::new("/store")).unwrap();
    for number in 0..5 {
        store.save_token(&token("ann", &format!("fake-{number}"))).unwrap();
    }
    let slots = |sim: &Sim| sim.content(Path::new("/store"), "store.lock").unwrap()[4096..4096 + 4152].to_vec();
    until("a sync of the lock file", || {
        // The simulated clock on the wall moves on when it is looked at.
        for _ in 0..200 {
            sim.now_ms();
        }
        slots(&sim.power_loss(sim::Damage::Old, 0)) == slots(&sim)
    });
}

#[test]
fn a_power_loss_leaves_one_of_the_two_watermarks() {
    let sim = Sim::new();
    let options = Options::new().background(false).read_mode(ReadMode::Copy);
    let store = open_on(&options, Arc::new(sim.clone()), Path::new("/store")).unwrap();
    for number in 0..20 {
        for _ in 0..100 * (number % 3) {
            sim.now_ms();
        }
        store.save_token(&token("ann", &format!("fake-{number}"))).unwrap();
        // The first save of all is the first that anything is known of.
        for seed in 0..20 {
            let lock = sim.power_loss(sim::Damage::Mixed, seed).content(Path::new("/store"), "store.lock").unwrap();
            let slot = |at: usize| Slot::decode(lock[at..at + SLOT_LEN].try_into().unwrap()).ok();
            let known = [slot(4096), slot(8192)].into_iter().flatten().max_by_key(|slot| slot.watermark);
            assert!(known.is_some() || number == 0, "save {number}, seed {seed}");
        }
    }
}
