//! What handles of one store may do beside each other: read-only, exclusive, without their lock file, in one process.
//!
//! Method: small scenes, most with a second handle in this process, which is as good as another process, for locks
//! belong to openings; those that could tell a difference also with a child process.

mod processes;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::SystemTime;

use processes::{Process, access, files, hear, orders, say, token, users_by_id};
use tempfile::TempDir;
use tokcask::{Error, ErrorKind, Key, LogStore, Options, Token, TokenStore};

/// Holds the store open as it is told, and saves when it is told to.
#[test]
fn a_child_does_as_it_is_told() {
    let Some(orders) = orders() else { return };
    let exclusive = orders.role == "exclusive";
    let store = match Options::new().exclusive(exclusive).open(&orders.path) {
        Ok(store) => store,
        Err(error) => {
            say(format_args!("{:?}", error.kind()));
            std::process::exit(0);
        }
    };
    say("open");
    while let Some(user) = hear() {
        match store.save_token(&token(&user, "fake-child")) {
            Ok(saved) => say(saved.id().unwrap()),
            Err(error) => say(format_args!("{:?}", error.kind())),
        }
    }
    store.close().unwrap();
    std::process::exit(0);
}

fn store_with_ana() -> (TempDir, std::path::PathBuf, LogStore) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    let store = Options::new().background(false).open(&path).unwrap();
    store.save_token(&token("ana", "fake-1")).unwrap();
    (directory, path, store)
}

/// Bytes of all files, and when they were written last.
fn image(path: &Path) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
    let read = |name: String| {
        let modified = fs::metadata(path.join(&name)).unwrap().modified().unwrap();
        (name.clone(), (fs::read(path.join(name)).unwrap(), modified))
    };
    files(path).into_iter().map(read).collect()
}

fn kind<T>(result: Result<T, Error>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

/// Everything that a read-only handle may be asked.
fn read_all(path: &Path, rows: u64) {
    let reader = Options::new().read_only(true).open(path).unwrap();
    assert_eq!(reader.get_tokens().unwrap().len() as u64, rows);
    assert!(reader.get(Key::UserName("ana")).unwrap().is_some());
    assert!(reader.get(Key::Id("1000")).unwrap().is_none());
    assert_eq!(reader.stats().unwrap().tokens, rows);
    assert!(reader.verify().unwrap().damage.is_empty());
    let refused = [
        kind(reader.save_token(&token("bob", "fake"))),
        kind(reader.delete("1")),
        kind(reader.delete_tokens()),
        kind(reader.compact()),
        kind(reader.import(&[token("bob", "fake")], tokcask::OnClash::Keep)),
    ];
    assert_eq!(refused, [Some(ErrorKind::ReadOnly); 5]);
    reader.close().unwrap();
}

#[test]
fn a_read_only_handle_changes_no_file() {
    let (_directory, path, store) = store_with_ana();
    let before = image(&path);
    read_all(&path, 1);
    assert!(image(&path) == before, "beside a writer");
    store.close().unwrap();
    let before = image(&path);
    read_all(&path, 1);
    assert!(image(&path) == before, "with nobody else there");

    // A torn tail, which a writer would cut.
    let log = fs::OpenOptions::new().write(true).open(path.join("store.log")).unwrap();
    let end = Options::new().read_only(true).open(&path).unwrap().stats().unwrap().log_bytes;
    std::os::unix::fs::FileExt::write_all_at(&log, b"a frame cut short", end).unwrap();
    drop(log);
    let before = image(&path);
    read_all(&path, 1);
    assert!(image(&path) == before, "with a torn tail");
    let reader = Options::new().read_only(true).open(&path).unwrap();
    assert!(reader.open_report().recovered.is_some());

    // Whoever cuts it does so under the reader, who goes on.
    let store = LogStore::open(&path).unwrap();
    store.save_token(&token("bob", "fake")).unwrap();
    assert!(reader.get(Key::UserName("bob")).unwrap().is_some());
    store.compact().unwrap();
    store.save_token(&token("eve", "fake")).unwrap();
    assert!(reader.get(Key::UserName("eve")).unwrap().is_some());
}

#[test]
fn a_read_only_handle_without_a_lock_file_reads_and_makes_none() {
    let (_directory, path, store) = store_with_ana();
    store.close().unwrap();
    fs::remove_file(path.join("store.lock")).unwrap();
    let before = image(&path);
    read_all(&path, 1);
    assert!(image(&path) == before);
    assert_eq!(kind(Options::new().read_only(true).open(path.join("nothing"))), Some(ErrorKind::NotAStore));
    assert!(!path.join("nothing").exists());
}

#[test]
fn a_read_only_handle_sees_what_another_process_saves_later() {
    let (_directory, path, store) = store_with_ana();
    store.close().unwrap();
    let reader = Options::new().read_only(true).open(&path).unwrap();
    for round in 0..5 {
        let mut child = Process::start("shared", &path, 0);
        assert_eq!(child.hear().as_deref(), Some("open"));
        let user = format!("user{round}");
        child.say(&user);
        let id = child.hear().unwrap();
        assert_eq!(reader.get(Key::Id(&id)).unwrap().unwrap().user_name(), Some(user.as_str()));
        if round % 2 == 0 {
            child.end();
        } else {
            child.kill();
        }
        assert!(reader.get(Key::UserName(&user)).unwrap().is_some(), "also when nobody writes any more");
    }
}

#[test]
fn an_exclusive_handle_keeps_writers_out_and_is_kept_out() {
    let (_directory, path, shared) = store_with_ana();
    let exclusive = || Options::new().exclusive(true).open(&path);
    assert_eq!(kind(exclusive()), Some(ErrorKind::Locked));
    assert_eq!(Process::start("exclusive", &path, 0).hear().as_deref(), Some("Locked"));
    shared.close().unwrap();

    let alone = exclusive().unwrap();
    for role in ["shared", "exclusive"] {
        assert_eq!(Process::start(role, &path, 0).hear().as_deref(), Some("Locked"), "{role}");
    }
    assert_eq!(kind(LogStore::open(&path)), Some(ErrorKind::Locked));
    assert_eq!(kind(exclusive()), Some(ErrorKind::Locked));
    alone.compact().unwrap();
    assert_eq!(kind(LogStore::open(&path)), Some(ErrorKind::Locked), "in its next generation as well");
    drop(alone);

    let mut child = Process::start("exclusive", &path, 0);
    assert_eq!(child.hear().as_deref(), Some("open"));
    assert_eq!(kind(LogStore::open(&path)), Some(ErrorKind::Locked));
    child.kill();
    assert!(LogStore::open(&path).is_ok(), "a lock goes with its process");
}

#[test]
fn two_handles_in_one_process_are_as_two_processes() {
    let (_directory, path, first) = store_with_ana();
    let second = LogStore::open(&path).unwrap();
    assert!(second.open_report().joined);
    thread::scope(|scope| {
        for (number, store) in [&first, &second, &first, &second].into_iter().enumerate() {
            let other = if number % 2 == 0 { &second } else { &first };
            scope.spawn(move || {
                for save in 0..40 {
                    let saved = store.save_token(&token(&format!("user{number}-{save}"), "fake")).unwrap();
                    let found = other.get(Key::Id(saved.id().unwrap())).unwrap().expect("seen by the other handle");
                    assert_eq!(found.user_name(), saved.user_name());
                    if save % 10 == number {
                        store.compact().unwrap();
                    }
                }
            });
        }
    });
    assert_eq!(users_by_id(&first).len(), 161);
    assert_eq!(users_by_id(&first), users_by_id(&second));
    let of_first = first.get(Key::UserName("ana")).unwrap().unwrap();
    let ana = token("ana", "fake-2");
    second.compare_and_save(&ana, of_first.revision().unwrap()).unwrap();
    assert_eq!(kind(first.compare_and_save(&ana, of_first.revision().unwrap())), Some(ErrorKind::Conflict));
    first.close().unwrap();
    second.save_token(&token("bob", "fake")).unwrap();
    second.close().unwrap();
    assert!(!LogStore::open(&path).unwrap().open_report().joined);
}

#[test]
fn without_its_lock_file_a_store_is_written_by_nobody_until_all_have_closed() {
    for (child_too, replaced) in [(false, false), (true, false), (false, true), (true, true)] {
        let (_directory, path, store) = store_with_ana();
        let child = child_too.then(|| {
            let mut child = Process::start("shared", &path, 0);
            assert_eq!(child.hear().as_deref(), Some("open"));
            child
        });
        if replaced {
            fs::copy(path.join("store.lock"), path.join("copy")).unwrap();
            fs::rename(path.join("copy"), path.join("store.lock")).unwrap();
        } else {
            fs::remove_file(path.join("store.lock")).unwrap();
        }
        let before = image(&path);
        assert_eq!(kind(store.save_token(&token("bob", "fake"))), Some(ErrorKind::LockReplaced));
        assert_eq!(kind(store.delete("1")), Some(ErrorKind::LockReplaced));
        assert_eq!(kind(store.compact()), Some(ErrorKind::LockReplaced));
        let child = child.map(|mut child| {
            child.say("bob");
            assert_eq!(child.hear().as_deref(), Some("LockReplaced"));
            child
        });
        assert_eq!(kind(LogStore::open(&path)), Some(ErrorKind::LockReplaced));
        assert_eq!(kind(Options::new().exclusive(true).open(&path)), Some(ErrorKind::LockReplaced));
        assert_eq!(Process::start("shared", &path, 0).hear().as_deref(), Some("LockReplaced"));
        assert!(store.get(Key::UserName("ana")).unwrap().is_some(), "finds go on");
        assert!(image(&path).get("store.log") == before.get("store.log"));
        let _ = store.close();
        if let Some(child) = child {
            assert_eq!(kind(LogStore::open(&path)), Some(ErrorKind::LockReplaced), "one is left");
            child.end();
        }
        let store = LogStore::open(&path).unwrap();
        assert_eq!(store.get_tokens().unwrap().len(), 1);
        assert_eq!(store.save_token(&token("bob", "fake")).unwrap().id(), Some("2"));
        assert_eq!(files(&path), ["store.lock", "store.log"]);
    }
}

#[test]
fn without_its_log_a_store_is_written_by_nobody() {
    let (_directory, path, store) = store_with_ana();
    let other = LogStore::open(&path).unwrap();
    fs::rename(path.join("store.log"), path.join("elsewhere")).unwrap();
    for handle in [&store, &other] {
        assert_eq!(kind(handle.save_token(&token("bob", "fake"))), Some(ErrorKind::LockReplaced));
        assert_eq!(kind(handle.compact()), Some(ErrorKind::LockReplaced));
        assert!(handle.get(Key::UserName("ana")).unwrap().is_some(), "finds go on");
    }
    assert_eq!(kind(LogStore::open(&path)), Some(ErrorKind::LockReplaced), "and it is not made anew");
    assert_eq!(files(&path), ["elsewhere", "store.lock"]);
    fs::rename(path.join("elsewhere"), path.join("store.log")).unwrap();
    store.save_token(&token("bob", "fake")).unwrap();
    assert!(other.get(Key::UserName("bob")).unwrap().is_some());
}

#[test]
fn deleted_secrets_are_in_no_file_once_one_of_the_handles_has_compacted() {
    let (_directory, path, store) = store_with_ana();
    let mut child = Process::start("shared", &path, 0);
    assert_eq!(child.hear().as_deref(), Some("open"));
    let reader = Options::new().read_only(true).open(&path).unwrap();
    let beside = LogStore::open(&path).unwrap();
    let secret = |name: &str| format!("fake-secret-of-{name}");
    let ids = ["deleted", "replaced", "kept"].map(|name| {
        let row = Token::builder().user_name(name).refresh_token(secret(name)).build();
        store.save_token(&row).unwrap().id().unwrap().to_owned()
    });
    let holds = |name: &str| {
        let needle = secret(name).into_bytes();
        let has = |(bytes, _): &(Vec<u8>, _)| bytes.windows(needle.len()).any(|window| window == needle);
        image(&path).values().any(has)
    };
    beside.delete(&ids[0]).unwrap();
    store.save_token(&Token::builder().user_name("replaced").refresh_token("fake-new").build()).unwrap();
    assert!(holds("deleted") && holds("replaced"), "until then they are in the log");
    beside.compact().unwrap();
    assert!(!holds("deleted") && !holds("replaced"), "{:?}", files(&path));
    assert!(holds("kept"));
    for handle in [&store, &reader, &beside] {
        assert!(handle.get(Key::RefreshToken(&secret("deleted"))).unwrap().is_none());
        assert_eq!(handle.get(Key::Id(&ids[2])).unwrap().unwrap().user_name(), Some("kept"));
    }
    child.say("bob");
    assert_eq!(child.hear().as_deref(), Some("5"));
    assert_eq!(access(&reader.get(Key::Id("5")).unwrap().unwrap()), "fake-child");
    child.end();
}
