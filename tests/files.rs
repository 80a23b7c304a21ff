//! The files: who may read them, what else may lie in their place, and what happens when they are moved about.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use tokcask::{Error, ErrorKind, Key, LogStore, Options, Token, TokenStore};

fn token(user: &str) -> Token {
    Token::builder().user_name(user).access_token("fake").build()
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn kind(result: tokcask::Result<LogStore>) -> ErrorKind {
    result.unwrap_err().kind()
}

/// Runs this very test program again under another umask, for a umask belongs to the whole process; and not as root, whom
/// no mode stops.
#[test]
fn files_are_0600_in_a_0700_directory_under_any_umask() {
    if let Ok(path) = std::env::var("TOKCASK_TEST_UMASK_DIR") {
        let path = Path::new(&path);
        let store = LogStore::open(path).unwrap();
        store.save_token(&token("ana")).unwrap();
        store.compact().unwrap();
        store.backup(path.with_extension("backup")).unwrap();
        return;
    }
    for umask in ["000", "022", "777"] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens");
        let program = directory.path().join("program");
        fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        let run = format!("umask {umask} && exec '{}' files_are_0600 --test-threads=1", program.display());
        let mut command = Command::new("sh");
        command.args(["-c", &run]).env("TOKCASK_TEST_UMASK_DIR", &path);
        if rustix::process::geteuid().is_root() {
            const NOBODY: u32 = 65_534;
            chown(directory.path(), Some(NOBODY), Some(NOBODY)).unwrap();
            command.current_dir("/").uid(NOBODY).gid(NOBODY);
        }
        let status = command.output().unwrap();
        assert!(status.status.success(), "umask {umask}: {}", String::from_utf8_lossy(&status.stdout));
        for store in [&path, &path.with_extension("backup")] {
            assert_eq!(mode(store), 0o700, "umask {umask}");
            for entry in fs::read_dir(store).unwrap() {
                assert_eq!(mode(&entry.unwrap().path()), 0o600, "umask {umask}");
            }
        }
    }
}

#[test]
fn links_and_other_things_in_place_of_our_files_are_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let elsewhere = directory.path().join("elsewhere");
    fs::write(&elsewhere, "precious").unwrap();
    for name in ["store.log", "store.lock"] {
        let path = directory.path().join(format!("store-{name}"));
        drop(LogStore::open(&path).unwrap());
        let file = path.join(name);

        fs::rename(&file, path.join("aside")).unwrap();
        symlink(&elsewhere, &file).unwrap();
        assert_eq!(kind(LogStore::open(&path)), ErrorKind::Insecure, "symbolic link as {name}");
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        assert_eq!(kind(LogStore::open(&path)), ErrorKind::Insecure, "directory as {name}");
        fs::remove_dir(&file).unwrap();
        assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
        assert_eq!(kind(LogStore::open(&path)), ErrorKind::Insecure, "FIFO as {name}");
        fs::remove_file(&file).unwrap();
        fs::rename(path.join("aside"), &file).unwrap();

        fs::hard_link(&file, path.join("second")).unwrap();
        assert_eq!(kind(LogStore::open(&path)), ErrorKind::Insecure, "hard link to {name}");
        fs::remove_file(path.join("second")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(kind(LogStore::open(&path)), ErrorKind::Insecure, "0644 {name}");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        drop(LogStore::open(&path).unwrap());
    }
    let linked = directory.path().join("linked");
    symlink(directory.path().join("store-store.log"), &linked).unwrap();
    assert_eq!(kind(LogStore::open(&linked)), ErrorKind::Insecure);
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "precious");
}

#[test]
fn leftover_names_of_temporary_files_do_no_harm() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    let elsewhere = directory.path().join("elsewhere");
    fs::write(&elsewhere, "precious").unwrap();
    let store = LogStore::open(&path).unwrap();
    store.save_token(&token("ana")).unwrap();
    for name in ["store.log.new", "store.torn.new", "store.redo.new"] {
        symlink(&elsewhere, path.join(name)).unwrap();
    }
    store.compact().unwrap();
    drop(store);
    let store = LogStore::open(&path).unwrap();
    assert!(store.get(Key::UserName("ana")).unwrap().is_some());
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "precious");
}

#[test]
fn a_directory_that_others_can_write_to_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    drop(LogStore::open(&path).unwrap());
    assert_eq!(mode(&path), 0o700, "an empty one is made ours");

    // One that others can list gives nothing away: the files are ours alone.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    drop(LogStore::open(&path).unwrap());
    for writable in [0o770, 0o777, 0o707] {
        fs::set_permissions(&path, fs::Permissions::from_mode(writable)).unwrap();
        assert_eq!(kind(LogStore::open(&path)), ErrorKind::Insecure);
    }
}

#[test]
fn a_store_that_others_could_replace_by_changing_what_is_above_it_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let above = directory.path().join("above");
    let between = above.join("between");
    fs::create_dir_all(&between).unwrap();
    let path = between.join("tokens");
    drop(LogStore::open(&path).unwrap());
    for parent in [&above, &between] {
        for writable in [0o775, 0o757, 0o777] {
            fs::set_permissions(parent, fs::Permissions::from_mode(writable)).unwrap();
            match LogStore::open(&path) {
                Err(Error::Insecure { path, reason }) => {
                    assert_eq!(path, parent.canonicalize().unwrap());
                    assert!(reason.contains("chmod go-w"), "it says what mends it: {reason}");
                }
                other => panic!("{other:?} below a directory of mode {writable:o}"),
            }
            assert_eq!(kind(LogStore::open(between.join("new"))), ErrorKind::Insecure, "none is made there either");
            assert!(!between.join("new").exists());
        }
        // As in /tmp: others can add to it, and not replace what is there.
        fs::set_permissions(parent, fs::Permissions::from_mode(0o1777)).unwrap();
        drop(LogStore::open(&path).unwrap());
        fs::set_permissions(parent, fs::Permissions::from_mode(0o755)).unwrap();
    }
    drop(LogStore::open(&path).unwrap());
}

/// Only root can give files away, so only root can see that they are refused then.
#[test]
fn what_belongs_to_somebody_else_is_refused() {
    const SOMEBODY: u32 = 12_345;
    if !rustix::process::geteuid().is_root() {
        println!("not tried: giving files away needs root");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let above = directory.path().join("above");
    fs::create_dir(&above).unwrap();
    let path = above.join("tokens");
    drop(LogStore::open(&path).unwrap());
    for given_away in [above.clone(), path.clone(), path.join("store.log"), path.join("store.lock")] {
        chown(&given_away, Some(SOMEBODY), None).unwrap();
        assert_eq!(kind(LogStore::open(&path)), ErrorKind::Insecure, "{}", given_away.display());
        chown(&given_away, Some(0), None).unwrap();
        drop(LogStore::open(&path).unwrap());
    }
}

#[test]
fn a_missing_store_is_made_only_if_asked() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    let only_existing = Options::new().create(false);
    assert_eq!(kind(only_existing.open(&path)), ErrorKind::NotAStore);
    assert!(!path.exists());
    assert_eq!(kind(only_existing.open(directory.path())), ErrorKind::NotAStore);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "nothing was made");
    fs::write(directory.path().join("diary"), "").unwrap();
    assert_eq!(kind(only_existing.open(directory.path())), ErrorKind::NotAStore);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing was made beside what is there");
    // One whose making was cut short, too.
    fs::create_dir(&path).unwrap();
    fs::write(path.join("store.lock"), [0; 100]).unwrap();
    fs::set_permissions(path.join("store.lock"), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(kind(only_existing.open(&path)), ErrorKind::NotAStore);
    assert!(LogStore::open(&path).unwrap().open_report().created);
    assert!(!only_existing.open(&path).unwrap().open_report().created);
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    assert_eq!(kind(LogStore::open(&file)), ErrorKind::NotAStore);
}

#[test]
fn a_lost_or_older_log_is_told_from_a_new_store() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    let store = LogStore::open(&path).unwrap();
    store.save_token(&token("ana")).unwrap();
    store.backup(directory.path().join("backup")).unwrap();
    let older = fs::read(path.join("store.log")).unwrap();
    store.save_token(&token("bob")).unwrap();
    drop(store);
    let log = path.join("store.log");

    // Lost: not an empty store.
    fs::rename(&log, path.join("aside")).unwrap();
    assert_eq!(kind(LogStore::open(&path)), ErrorKind::Copied);
    assert!(!log.exists());
    // Put back as it was before: an older one, by hand or from a backup.
    let private = |content: &[u8]| {
        fs::write(&log, content).unwrap();
        fs::set_permissions(&log, fs::Permissions::from_mode(0o600)).unwrap();
    };
    private(&older);
    assert_eq!(kind(LogStore::open(&path)), ErrorKind::Corrupt);
    private(&fs::read(directory.path().join("backup/store.log")).unwrap());
    assert!(matches!(kind(LogStore::open(&path)), ErrorKind::Corrupt | ErrorKind::Copied));
    private(&older[..8300]);
    assert_eq!(kind(LogStore::open(&path)), ErrorKind::Copied);
    // Of another store.
    let other = directory.path().join("other");
    drop(LogStore::open(&other).unwrap());
    private(&fs::read(other.join("store.log")).unwrap());
    assert_eq!(kind(LogStore::open(&path)), ErrorKind::Copied);
    private(b"");
    assert_eq!(kind(LogStore::open(&path)), ErrorKind::Copied);
    // Both copies of the header gone: there was a store, which is not the same as none.
    private(&[0; 8191]);
    assert_eq!(kind(LogStore::open(&path)), ErrorKind::Copied);
    for len in [8192, 20_000] {
        private(&vec![0; len]);
        assert_eq!(kind(LogStore::open(&path)), ErrorKind::Corrupt, "{len} zeros");
    }
    // And back in its place.
    fs::rename(path.join("aside"), &log).unwrap();
    assert_eq!(LogStore::open(&path).unwrap().get_tokens().unwrap().len(), 2);
}

#[test]
fn a_store_moved_or_copied_whole_opens_as_usual() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    let store = LogStore::open(&path).unwrap();
    store.save_token(&token("ana")).unwrap();
    drop(store);
    let moved = directory.path().join("moved");
    fs::rename(&path, &moved).unwrap();
    LogStore::open(&moved).unwrap().save_token(&token("bob")).unwrap();
    let copy = directory.path().join("copy");
    assert!(Command::new("cp").arg("-a").args([&moved, &copy]).status().unwrap().success());
    assert_eq!(LogStore::open(&copy).unwrap().get_tokens().unwrap().len(), 2);
    // Without its lock file, too: that is made anew.
    fs::remove_file(copy.join("store.lock")).unwrap();
    assert_eq!(LogStore::open(&copy).unwrap().get_tokens().unwrap().len(), 2);
}

#[test]
fn a_lock_file_removed_under_a_live_handle_makes_no_second_owner() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    let store = LogStore::open(&path).unwrap();
    store.save_token(&token("ana")).unwrap();
    fs::remove_file(path.join("store.lock")).unwrap();
    assert_eq!(kind(LogStore::open(&path)), ErrorKind::LockReplaced);
    assert!(!path.join("store.lock").exists(), "none is made that the live handle does not hold");
    let refused = store.save_token(&token("bob"));
    assert!(matches!(refused, Err(Error::LockReplaced { .. })), "{refused:?}");
    assert!(store.get(Key::UserName("ana")).unwrap().is_some());
    drop(store);
    assert_eq!(LogStore::open(&path).unwrap().get_tokens().unwrap().len(), 1);
}

#[test]
fn a_backup_is_a_complete_store_and_never_overwrites() {
    let directory = tempfile::tempdir().unwrap();
    let store = LogStore::open(directory.path().join("tokens")).unwrap();
    store.save_tokens(&[token("ana"), token("bob")]).unwrap();
    store.delete("1").unwrap();
    let backup = directory.path().join("backup");
    store.backup(&backup).unwrap();
    let refused = store.backup(&backup).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotAStore);
    store.save_token(&token("eve")).unwrap();
    let copy = LogStore::open(&backup).unwrap();
    assert!(copy.open_report().recovered.is_none());
    assert_eq!(copy.get_tokens().unwrap(), store.get_tokens().unwrap()[..1]);
    assert_eq!(copy.save_token(&token("eve")).unwrap().id(), Some("3"));
}

#[test]
fn no_secret_is_left_after_a_compaction() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    let store = LogStore::open(&path).unwrap();
    store.save_token(&Token::builder().user_name("ana").refresh_token("fake-canary-1").build()).unwrap();
    store.save_token(&Token::builder().user_name("ana").refresh_token("fake-canary-2").build()).unwrap();
    store.save_token(&Token::builder().user_name("bob").refresh_token("fake-canary-3").build()).unwrap();
    store.delete("2").unwrap();
    store.compact().unwrap();
    for entry in fs::read_dir(&path).unwrap() {
        let content = fs::read(entry.unwrap().path()).unwrap();
        for gone in ["fake-canary-1", "fake-canary-3"] {
            assert!(!content.windows(gone.len()).any(|window| window == gone.as_bytes()));
        }
    }
    let shown = format!("{store:?} {:?} {:?}", store.get_tokens().unwrap(), Key::RefreshToken("fake-canary-2"));
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn what_is_no_store_is_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    drop(LogStore::open(&path).unwrap());
    let log = fs::read(path.join("store.log")).unwrap();
    let foreign = directory.path().join("foreign");
    // A header of a later version, with the right checksum, and something else altogether.
    let mut later = log.clone();
    let (header, _) = tokcask::format::header::FileHeader::decode(&log[..4096]).unwrap();
    let (copy, _) = tokcask::format::header::FileHeader { incompatible: 4, ..header }.encode();
    later[..4096].copy_from_slice(&copy);
    later[4096..8192].copy_from_slice(&copy);
    // Beside files that the later version may have in use.
    fs::write(path.join("store.log"), &later).unwrap();
    fs::write(path.join("store.log.new"), "theirs").unwrap();
    let beside = || ["store.log", "store.lock", "store.log.new"].map(|name| fs::read(path.join(name)).unwrap());
    let before = beside();
    assert_eq!(kind(LogStore::open(&path)), ErrorKind::Unsupported);
    assert!(beside() == before, "nothing of a later version's store is changed");
    for (content, expected) in [(later, ErrorKind::Unsupported), (b"dear diary".to_vec(), ErrorKind::NotAStore)] {
        fs::create_dir(&foreign).unwrap();
        fs::write(foreign.join("store.log"), &content).unwrap();
        fs::set_permissions(foreign.join("store.log"), fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(kind(LogStore::open(&foreign)), expected);
        assert_eq!(fs::read_dir(&foreign).unwrap().count(), 1, "nothing was made beside it");
        assert_eq!(fs::read(foreign.join("store.log")).unwrap(), content);
        fs::remove_dir_all(&foreign).unwrap();
    }
}

/// A lock file that was never used says nothing of a log, so that a foreign file beside it is no damaged store.
#[test]
fn what_is_no_log_beside_a_lock_file_that_knows_of_none_is_no_store() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    drop(LogStore::open(&path).unwrap());
    fs::write(path.join("store.lock"), [0; 100]).unwrap();
    for len in [0, 100, 8192, 20_000] {
        fs::write(path.join("store.log"), vec![b'x'; len]).unwrap();
        assert_eq!(kind(LogStore::open(&path)), ErrorKind::NotAStore, "{len} bytes");
        assert_eq!(fs::read(path.join("store.log")).unwrap(), vec![b'x'; len]);
    }
}

#[test]
fn a_backup_that_fails_takes_nothing_of_somebody_else_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = LogStore::open(directory.path().join("tokens")).unwrap();
    store.save_token(&token("ana")).unwrap();
    let other = LogStore::open(directory.path().join("other")).unwrap();
    other.save_token(&token("bob")).unwrap();
    store.backup(directory.path().join("other")).unwrap_err();
    drop(other);
    assert_eq!(LogStore::open(directory.path().join("other")).unwrap().get_tokens().unwrap().len(), 1);
    // Two at once into one directory: one of them is done.
    for round in 0..20 {
        let backup = directory.path().join(format!("backup{round}"));
        let both = || store.backup(&backup).is_ok();
        let done = std::thread::scope(|scope| [scope.spawn(both), scope.spawn(both)].map(|one| one.join().unwrap()));
        assert_eq!(done.iter().filter(|done| **done).count(), 1, "round {round}");
        assert_eq!(LogStore::open(&backup).unwrap().get_tokens().unwrap().len(), 1);
    }
}

#[test]
fn any_lock_timeout_will_do() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    let store = Options::new().exclusive(true).lock_timeout(std::time::Duration::MAX).open(&path).unwrap();
    let none = Options::new().lock_timeout(std::time::Duration::ZERO);
    assert_eq!(kind(none.open(&path)), ErrorKind::Locked);
    drop(store);
    none.open(&path).unwrap();
}

#[test]
fn a_log_that_is_put_in_place_of_an_open_one_is_never_written_to() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    let store = LogStore::open(&path).unwrap();
    store.save_token(&Token::builder().user_name("ann").access_token("fake-1").build()).unwrap();
    let (log, aside) = (path.join("store.log"), directory.path().join("aside"));
    fs::copy(&log, &aside).unwrap();
    fs::rename(&aside, &log).unwrap();
    let before = fs::read(&log).unwrap();
    let refused = store.save_token(&Token::builder().user_name("bob").access_token("fake-2").build());
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::LockReplaced);
    assert_eq!(store.compact().unwrap_err().kind(), ErrorKind::LockReplaced);
    assert!(fs::read(&log).unwrap() == before);
    assert!(store.get(Key::UserName("ann")).unwrap().is_some(), "what was read can still be read");
}

#[test]
fn who_joined_also_keeps_others_out_when_the_lock_file_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    let first = LogStore::open(&path).unwrap();
    let joined = LogStore::open(&path).unwrap();
    assert!(joined.open_report().joined && !first.open_report().joined);
    first.close().unwrap();
    fs::remove_file(path.join("store.lock")).unwrap();
    assert_eq!(kind(LogStore::open(&path)), ErrorKind::LockReplaced);
    let refused = joined.save_token(&Token::builder().access_token("fake").build());
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::LockReplaced);
    drop(joined);
    LogStore::open(&path).unwrap();
}
