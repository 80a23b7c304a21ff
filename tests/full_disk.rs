//! A disk that is really full: saves are refused and say why, deletes and the answer of one refresh go on, finds and
//! reopening too; with room again, everything does.
//!
//! Method: a file system in memory of 1 MiB with somebody else's file in the rest of it, where this machine lets us mount
//! one; and a limit to the length of files, which works everywhere. Then the simulated disk, full at every place of a
//! window of 64 KiB; `TOKCASK_STEP=1` tries each byte.

mod sim;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rustix::process::{Resource, Rlimit, setrlimit};
use sim::Sim;
use tokcask::{ErrorKind, Key, LogStore, Options, ReadMode, RefreshPolicy, Refreshed, Token, TokenStore, open_on};

fn token(number: usize) -> Token {
    let text = "x".repeat(900);
    Token::builder()
        .user_name(format!("user{number}"))
        .access_token(format!("fake-access-{number}-{text}"))
        .refresh_token(format!("fake-refresh-{number}"))
        .build()
}

/// Saves until there is no room; returns how many rows there are.
fn fill(store: &LogStore) -> usize {
    for number in 1.. {
        if let Err(error) = store.save_token(&token(number)) {
            assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
            return number - 1;
        }
    }
    unreachable!("a full disk ends it")
}

/// What goes on while a store is full of so many rows.
fn use_it_full(store: &LogStore, rows: usize) {
    let rotated = Token::builder().access_token("fake-new").refresh_token("fake-rotated").build();
    let row = store.get(Key::UserName("user1")).unwrap().expect("it was saved");
    let policy = RefreshPolicy { rejected: row.revision(), ..RefreshPolicy::new() };
    let refreshed = store.refresh(Key::UserName("user1"), policy, |_| Ok::<_, String>(rotated.clone()));
    assert!(matches!(refreshed, Ok(Refreshed::ByUs(_))), "a rotated token is a login: {refreshed:?}");
    for number in 2..=rows {
        let found = store.get(Key::UserName(&format!("user{number}"))).unwrap();
        assert_eq!(found, Some(token(number).to_builder().id(number.to_string()).build()));
    }
    assert!(store.delete("2").unwrap());
    assert_eq!(store.get_tokens().unwrap().len(), rows - 1);
}

fn use_it_again(store: &LogStore, rows: usize) {
    let saved = store.save_token(&token(rows + 1)).unwrap();
    assert_eq!(saved.id(), Some(&*(rows + 1).to_string()), "failed saves took no id");
    store.compact().unwrap();
    assert_eq!(store.get(Key::RefreshToken("fake-rotated")).unwrap().unwrap().id(), Some("1"));
}

/// A file system of its own, until it is dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn new(at: &Path) -> Option<Self> {
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m,mode=700", "tokcask"]).arg(at).output();
        mount.is_ok_and(|output| output.status.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_file_system_refuses_saves_alone_and_passes() {
    let directory = tempfile::tempdir().unwrap();
    let Some(_mounted) = Mounted::new(directory.path()) else {
        println!("no file system can be mounted here; the limit of file lengths has to do");
        return;
    };
    let path = directory.path().join("tokens");
    let store = LogStore::open(&path).unwrap();
    store.save_token(&token(1)).unwrap();
    let others = directory.path().join("others");
    let mut file = File::create(&others).unwrap();
    while file.write_all(&[1; 512]).is_ok() {}
    let rows = fill(&store);
    assert!(rows > 20, "{rows}");
    assert_eq!(store.compact().unwrap_err().kind(), ErrorKind::NoSpace);
    assert_eq!(store.backup(directory.path().join("backup")).unwrap_err().kind(), ErrorKind::NoSpace);
    use_it_full(&store, rows);
    drop(store);
    let store = LogStore::open(&path).unwrap();
    assert_eq!(store.save_token(&token(99_999)).unwrap_err().kind(), ErrorKind::NoSpace);
    assert!(store.delete("3").unwrap(), "also for whoever opens it then");
    drop(file);
    std::fs::remove_file(others).unwrap();
    use_it_again(&store, rows);
}

#[test]
fn a_limit_to_the_length_of_files_is_a_full_disk() {
    let directory = tempfile::tempdir().unwrap();
    let program = std::env::current_exe().unwrap();
    // 400 KiB; the signal that goes with it is to be ignored, as it is by every service that has such a limit.
    let script = r#"trap "" XFSZ; ulimit -S -f 800; exec "$0" "$@""#;
    let output = Command::new("sh")
        .args(["-c", script])
        .arg(program)
        .args(["a_child", "--nocapture"])
        .env("TOKCASK_TEST_LIMITED", directory.path().join("tokens"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("was limited"));
}

#[test]
fn a_child_of_that_test_is_limited() {
    let Some(path) = std::env::var_os("TOKCASK_TEST_LIMITED") else { return };
    let store = LogStore::open(&path).unwrap();
    let rows = fill(&store);
    assert!((100..420).contains(&rows), "{rows}");
    use_it_full(&store, rows);
    drop(store);
    let store = LogStore::open(&path).unwrap();
    assert_eq!(store.save_token(&token(99_999)).unwrap_err().kind(), ErrorKind::NoSpace);
    setrlimit(Resource::Fsize, Rlimit { current: None, maximum: None }).unwrap();
    use_it_again(&store, rows);
    println!("was limited");
}

#[test]
fn a_disk_full_at_any_place_takes_a_delete_and_a_rotation() {
    let step: usize = std::env::var("TOKCASK_STEP").map_or(997, |step| step.parse().unwrap());
    let machine = Sim::new();
    let open = |machine: &Sim| {
        let options = Options::new().background(false).read_mode(ReadMode::Copy);
        open_on(&options, Arc::new(machine.clone()), Path::new("/store")).unwrap()
    };
    drop(open(&machine));
    let used = machine.used();
    for more in (0..64 << 10).step_by(step) {
        let machine = machine.kill();
        machine.set_quota(Some(used + more));
        let store = open(&machine);
        let rows = fill(&store);
        use_it_full(&store, rows);
        drop(store);
        let store = open(&machine);
        assert!(store.delete("3").unwrap(), "{more} more bytes");
        machine.set_quota(None);
        use_it_again(&store, rows);
    }
}
