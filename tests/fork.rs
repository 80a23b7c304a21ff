//! What a fork does to locks: the child lets go of them, the parent keeps them, and nobody's descriptor is closed twice.
//!
//! Method: real files and real forks. A child answers with its exit status and never panics, for the threads that hold the
//! test harness's locks are not in it.

#![cfg(target_os = "linux")]
#![expect(unsafe_code, reason = "forks, and kills what it forked")]

use std::fs;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokcask::storage::disk::Disk;
use tokcask::storage::{Access, Directory, File, Lock, Storage, fork};
use tokcask::{ErrorKind, Key, LogStore, Token, TokenStore};

const LOCK: &str = "locks";
const BYTE: u64 = 2;
const LIMIT: Duration = Duration::from_secs(20);

struct Fixture {
    directory: Arc<dyn Directory>,
    path: PathBuf,
    _temporary: TempDir,
}

impl Fixture {
    fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("store");
        let directory = Disk.create_dir(&path).unwrap();
        drop(directory.create(LOCK).unwrap());
        Self { directory, path: path.join(LOCK), _temporary: temporary }
    }

    fn open(&self) -> Arc<dyn File> {
        self.directory.open_to_lock(LOCK, Access::Write).unwrap().unwrap()
    }

    fn is_locked(&self) -> bool {
        self.directory.open_to_read(LOCK).unwrap().unwrap().is_locked(BYTE..BYTE + 1).unwrap()
    }
}

/// The numbers of our descriptors for this file.
fn descriptors(path: &Path) -> Vec<i32> {
    let all = fs::read_dir("/proc/self/fd").unwrap().flatten().map(|entry| entry.path());
    let ours = all.filter(|entry| fs::read_link(entry).is_ok_and(|target| target == path));
    ours.map(|entry| entry.file_name().unwrap().to_str().unwrap().parse().unwrap()).collect()
}

/// A forked process, gone when the test is done with it.
struct Child(libc::pid_t);

impl Child {
    /// Forks; the child runs `body` and exits with what it returns.
    fn run(body: impl FnOnce() -> u8) -> Self {
        // SAFETY: the child runs `body` and leaves without unwinding into the harness. `body` allocates, which the C
        // library allows after a fork, and takes no lock that another thread of this program holds for long.
        match unsafe { libc::fork() } {
            -1 => panic!("fork failed"),
            0 => {
                let status = body();
                // SAFETY: ends this process, without the harness's exit handlers.
                unsafe { libc::_exit(status.into()) }
            }
            child => Self(child),
        }
    }

    /// Its exit status.
    fn wait(self) -> i32 {
        let pid = self.0;
        std::mem::forget(self);
        reap(pid)
    }

    fn kill(self) {
        drop(self);
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // SAFETY: our child, which nobody has waited for: its number cannot be another process's.
        unsafe { libc::kill(self.0, libc::SIGKILL) };
        reap(self.0);
    }
}

fn reap(child: libc::pid_t) -> i32 {
    let mut status = 0;
    // SAFETY: `status` outlives the call.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { -1 }
}

fn within_limit(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LIMIT, "{what} did not come");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn child_counts_the_fork_and_has_no_lock_descriptor() {
    let fixture = Fixture::new();
    let file = fixture.open();
    assert_eq!(descriptors(&fixture.path).len(), 1);
    let before = fork::count();
    let child = Child::run(|| {
        let counted = fork::count() == before + 1;
        let closed = descriptors(&fixture.path).is_empty();
        let grandchild = Child::run(|| u8::from(fork::count() == before + 2));
        u8::from(counted && closed && grandchild.wait() == 1)
    });
    assert_eq!(child.wait(), 1);
    assert_eq!(fork::count(), before, "the parent is no fork");
    assert_eq!(descriptors(&fixture.path).len(), 1);
    drop(file);
    assert!(descriptors(&fixture.path).is_empty());
}

#[test]
fn lock_outlives_a_child_that_exits_and_one_that_drops_the_handle() {
    let fixture = Fixture::new();
    let mut file = Some(fixture.open());
    assert!(file.as_ref().unwrap().try_lock(BYTE, Lock::Exclusive).unwrap());
    let child = Child::run(|| {
        let refused = file.take().is_some_and(|inherited| inherited.try_lock(BYTE, Lock::Unlocked).is_err());
        u8::from(refused && fixture.is_locked())
    });
    assert_eq!(child.wait(), 1);
    assert!(fixture.is_locked(), "still the parent's");
    drop(file);
    // Not at once: what another test forked off just now may still be about to let go.
    within_limit("the end of the lock", || !fixture.is_locked());
}

#[test]
fn lock_ends_with_the_parent_though_a_child_lives() {
    let fixture = Fixture::new();
    let (mut from_child, mut to_us) = std::io::pipe().unwrap();
    let (mut from_us, mut to_child) = std::io::pipe().unwrap();
    let parent = Child::run(|| {
        let file = fixture.open();
        let locked = file.try_lock(BYTE, Lock::Exclusive).is_ok_and(|granted| granted);
        let child = Child::run(|| {
            let alive = to_us.write_all(&[1]).and_then(|()| from_us.read_exact(&mut [0]));
            u8::from(alive.and_then(|()| to_us.write_all(&[2])).is_ok())
        });
        if locked { u8::try_from(child.wait()).unwrap_or(9) } else { 9 }
    });
    let mut answer = [0];
    from_child.read_exact(&mut answer).unwrap();
    assert_eq!(answer, [1]);
    assert!(fixture.is_locked(), "held by the parent");
    parent.kill();
    within_limit("the end of the lock", || !fixture.is_locked());
    to_child.write_all(&[0]).unwrap();
    from_child.read_exact(&mut answer).unwrap();
    assert_eq!(answer, [2], "the child was alive all the time");
}

#[test]
fn dropping_an_inherited_handle_closes_nobody_elses_descriptor() {
    let fixture = Fixture::new();
    let mut file = Some(fixture.open());
    let number = descriptors(&fixture.path)[0];
    let child = Child::run(|| {
        let mut others = Vec::new();
        while others.last().is_none_or(|other: &fs::File| other.as_raw_fd() != number) {
            let Ok(other) = fs::File::open("/dev/null") else { return 2 };
            others.push(other);
        }
        file = None;
        if others.last().is_none_or(|other| other.metadata().is_err()) {
            return 3;
        }
        // What the child opens itself is its own, to use and to close.
        let own = fixture.open();
        let usable = own.try_lock(BYTE, Lock::Exclusive).is_ok_and(|granted| granted);
        drop(own);
        u8::from(usable && descriptors(&fixture.path).is_empty())
    });
    assert_eq!(child.wait(), 1);
    drop(file);
}

#[test]
fn no_fork_comes_between_opening_and_registering() {
    let fixture = Fixture::new();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    drop(fixture.open());
                }
            });
        }
        let clean = |_: &u32| Child::run(|| u8::from(descriptors(&fixture.path).is_empty())).wait() == 1;
        let clean_forks = (0..200).filter(clean).count();
        done.store(true, Ordering::Relaxed);
        assert_eq!(clean_forks, 200);
    });
}

fn token(user: &str) -> Token {
    Token::builder().user_name(user).access_token("fake").build()
}

#[test]
fn a_store_in_a_child_says_so_and_the_parents_goes_on() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("tokens");
    let mut store = Some(LogStore::open(&path).unwrap());
    store.as_ref().unwrap().save_token(&token("before")).unwrap();
    let child = Child::run(|| {
        let Some(inherited) = store.take() else { return 2 };
        let answers = [
            inherited.get(Key::Id("1")).map(drop),
            inherited.save_token(&token("child")).map(drop),
            inherited.compact().map(drop),
            inherited.verify().map(drop),
            inherited.stats().map(drop),
            inherited.iter().next().expect("one error").map(drop),
            inherited.backup(temporary.path().join("backup")),
        ];
        let forked = answers.iter().all(|answer| answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::Forked));
        drop(inherited);
        // Its own handle is one like any other.
        let Ok(own) = LogStore::open(&path) else { return 3 };
        u8::from(forked && own.save_token(&token("child")).is_ok() && own.close().is_ok())
    });
    assert_eq!(child.wait(), 1);
    let store = store.expect("taken in the child alone");
    store.save_token(&token("after")).unwrap();
    let users: Vec<_> = store.iter().map(|row| row.unwrap().user_name().unwrap().to_owned()).collect();
    assert_eq!(users, ["before", "child", "after"]);
}

/// The inherited handle names a thread that is not in the child; the system may name one of the child's own likewise.
#[test]
fn dropping_an_inherited_handle_touches_no_thread_of_the_childs_own() {
    let temporary = tempfile::tempdir().unwrap();
    let mut store = Some(LogStore::open(temporary.path().join("tokens")).unwrap());
    let child = Child::run(|| {
        let Some(inherited) = store.take() else { return 2 };
        let own: Vec<_> =
            (0..8).filter_map(|number| LogStore::open(temporary.path().join(number.to_string())).ok()).collect();
        drop(inherited);
        // A thread that is named twice can be waited for once.
        let closed =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| own.iter().all(|own| own.close().is_ok())));
        u8::from(own.len() == 8 && closed.unwrap_or(false))
    });
    assert_eq!(child.wait(), 1);
}

#[test]
fn forks_while_saves_are_in_flight_lose_nothing_and_keep_no_lock() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("tokens");
    let store = LogStore::open(&path).unwrap();
    let done = AtomicBool::new(false);
    let saved = thread::scope(|scope| {
        let savers: Vec<_> = (0..3)
            .map(|saver| {
                let (store, done) = (&store, &done);
                scope.spawn(move || {
                    let mut saved = 0;
                    while !done.load(Ordering::Relaxed) {
                        store.save_token(&token(&format!("{saver}-{saved}"))).unwrap();
                        saved += 1;
                    }
                    saved
                })
            })
            .collect();
        for round in 0..30 {
            let child =
                Child::run(|| u8::from(store.get(Key::Id("1")).is_err_and(|it| it.kind() == ErrorKind::Forked)));
            assert_eq!(child.wait(), 1, "round {round}");
        }
        done.store(true, Ordering::Relaxed);
        savers.into_iter().map(|saver| saver.join().unwrap()).sum::<u64>()
    });
    // A child that lives on, and one that became another program.
    let living = Child::run(|| {
        thread::sleep(LIMIT);
        0
    });
    let mut other = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    assert_eq!(store.stats().unwrap().tokens, saved);
    store.close().unwrap();
    let alone = tokcask::Options::new().exclusive(true).open(&path);
    other.kill().unwrap();
    other.wait().unwrap();
    living.kill();
    assert_eq!(alone.unwrap().stats().unwrap().tokens, saved);
}
