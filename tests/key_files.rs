//! Keys: where they come from, who may read them, and what they give away.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokcask::{EncryptionKey, ErrorKind, Key, KeySource, LogStore, Options, Token, TokenStore};

fn token(user: &str) -> Token {
    Token::builder().user_name(user).access_token("fake").build()
}

#[test]
fn a_key_file_has_32_bytes_and_only_its_owner_reads_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    fs::write(&path, [7; 32]).unwrap();
    for (mode, is_right) in
        [(0o600, true), (0o400, true), (0o700, true), (0o640, false), (0o604, false), (0o620, false)]
    {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        match EncryptionKey::from_file(&path) {
            Ok(key) => assert!(is_right && key.id() == EncryptionKey::from_bytes(&[7; 32]).unwrap().id(), "{mode:o}"),
            Err(error) => assert!(!is_right && error.kind() == ErrorKind::Insecure, "{mode:o}: {error}"),
        }
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    // A credential may be a link to what root has put somewhere.
    let link = directory.path().join("link");
    symlink(&path, &link).unwrap();
    EncryptionKey::from_file(&link).unwrap();
    for wrong in [&[7; 31][..], &[7; 33], &[]] {
        fs::write(&path, wrong).unwrap();
        let error = EncryptionKey::from_file(&path).unwrap_err();
        assert!(error.kind() == ErrorKind::Io && error.to_string().contains("32 bytes"), "{error}");
    }
    let fifo = directory.path().join("fifo");
    assert!(Command::new("mkfifo").args(["-m", "600"]).arg(&fifo).status().unwrap().success());
    assert_eq!(EncryptionKey::from_file(&fifo).unwrap_err().kind(), ErrorKind::Insecure);
    assert_eq!(EncryptionKey::from_file(directory.path()).unwrap_err().kind(), ErrorKind::Insecure);
    assert_eq!(EncryptionKey::from_file(directory.path().join("nothing")).unwrap_err().kind(), ErrorKind::Io);
}

#[test]
fn a_function_is_asked_for_the_key_that_the_store_has() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    let keys = [EncryptionKey::generate().unwrap(), EncryptionKey::generate().unwrap()];
    let asked = Arc::new(AtomicUsize::new(0));
    let service = {
        let (keys, asked) = (keys.clone(), asked.clone());
        KeySource::asking(move |id| {
            asked.fetch_add(1, Ordering::Relaxed);
            let found = keys.iter().find(|key| id.is_none_or(|id| key.id() == id));
            found.cloned().ok_or_else(|| "the service knows no such key".into())
        })
    };
    let store = LogStore::open_encrypted(&path, service.clone()).unwrap();
    store.save_token(&token("ana")).unwrap();
    assert_eq!(asked.load(Ordering::Relaxed), 1, "it is asked once");
    // Another process gives the store another key: this one asks for that.
    let other = LogStore::open_encrypted(&path, &keys[0]).unwrap();
    other.rekey(&keys[1]).unwrap();
    other.save_token(&token("bob")).unwrap();
    assert!(store.get(Key::UserName("bob")).unwrap().is_some());
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    let third = EncryptionKey::generate().unwrap();
    other.rekey(&third).unwrap();
    let error = store.get(Key::UserName("bob")).unwrap_err();
    assert!(error.kind() == ErrorKind::Io && error.to_string().contains("no such key"), "{error}");
}

#[test]
fn another_key_ends_the_handles_that_do_not_have_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    let (old, new) = (EncryptionKey::generate().unwrap(), EncryptionKey::generate().unwrap());
    let store = LogStore::open_encrypted(&path, &old).unwrap();
    let ana = store.save_token(&token("ana")).unwrap();
    let other = LogStore::open_encrypted(&path, &old).unwrap();
    let before = fs::read(path.join("store.log")).unwrap();
    let report = store.rekey(&new).unwrap();
    assert_eq!((report.tokens, report.generation), (1, 2));
    for _ in 0..2 {
        assert_eq!(other.get(Key::UserName("ana")).unwrap_err().kind(), ErrorKind::WrongKey);
        assert_eq!(other.save_token(&token("bob")).unwrap_err().kind(), ErrorKind::WrongKey);
        assert_eq!(other.get_tokens().unwrap_err().kind(), ErrorKind::WrongKey);
        assert_eq!(other.compact().unwrap_err().kind(), ErrorKind::WrongKey);
    }
    assert_eq!(store.get(Key::UserName("ana")).unwrap(), Some(ana.clone()));
    store.save_token(&token("bob")).unwrap();
    store.compact().unwrap();
    assert_eq!(LogStore::open_encrypted(&path, &old).unwrap_err().kind(), ErrorKind::WrongKey);
    other.close().unwrap();
    drop((store, other));
    assert_eq!(LogStore::open_encrypted(&path, &new).unwrap().get_tokens().unwrap().len(), 2);
    // What the old key opens is what was copied before, and nothing else.
    let copy = directory.path().join("copy");
    fs::create_dir(&copy).unwrap();
    fs::write(copy.join("store.log"), before).unwrap();
    fs::set_permissions(copy.join("store.log"), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(LogStore::open_encrypted(&copy, &new).unwrap_err().kind(), ErrorKind::WrongKey);
    assert_eq!(LogStore::open_encrypted(&copy, &old).unwrap().get_tokens().unwrap(), [ana]);
    let plain = LogStore::open(directory.path().join("plain")).unwrap();
    assert_eq!(plain.rekey(&new).unwrap_err().kind(), ErrorKind::NotEncrypted);
}

#[test]
fn copies_are_encrypted_and_decrypted_to_the_revision() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let key = EncryptionKey::generate().unwrap();
    let plain = LogStore::open(at("plain")).unwrap();
    plain.save_tokens(&["ana", "bob", "cyd"].map(token)).unwrap();
    plain.save_token(&token("bob")).unwrap();
    plain.delete("1").unwrap();
    let rows = plain.get_tokens().unwrap();
    plain.copy_encrypted(at("encrypted"), &key).unwrap();
    let encrypted = LogStore::open_encrypted(at("encrypted"), &key).unwrap();
    encrypted.copy_decrypted(at("again")).unwrap();
    let again = LogStore::open(at("again")).unwrap();
    for copy in [&encrypted, &again] {
        assert_eq!(copy.get_tokens().unwrap(), rows);
        let (copied, original) = (copy.stats().unwrap(), plain.stats().unwrap());
        assert_eq!(copied.next_id, original.next_id);
        assert_ne!(copied.uuid, original.uuid, "it is a store of its own");
        let revisions = |store: &LogStore| store.get_tokens().unwrap().iter().map(Token::revision).collect::<Vec<_>>();
        assert_eq!(revisions(copy), revisions(&plain));
    }
    assert_eq!(plain.copy_encrypted(at("again"), &key).unwrap_err().kind(), ErrorKind::NotAStore, "something is there");
    assert_eq!(plain.copy_encrypted(at("plain/inside"), &key).unwrap_err().kind(), ErrorKind::NotAStore);
}

#[test]
fn without_the_key_a_torn_tail_is_reported_and_left() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    let key = EncryptionKey::generate().unwrap();
    let store = LogStore::open_encrypted(&path, &key).unwrap();
    store.save_token(&token("ana")).unwrap();
    let end = usize::try_from(store.stats().unwrap().log_bytes).unwrap();
    store.close().unwrap();
    drop(store);
    let mut log = fs::read(path.join("store.log")).unwrap();
    log[end + 100] = 0xA5;
    fs::write(path.join("store.log"), &log).unwrap();
    let report = Options::new().verify(&path).unwrap();
    assert_eq!(report.status, tokcask::VerifyStatus::TornTail);
    assert_eq!(Options::encrypted(&key).verify(&path).unwrap(), report, "with the key it is the same");
    assert_eq!(fs::read(path.join("store.log")).unwrap(), log);
    let store = LogStore::open_encrypted(&path, &key).unwrap();
    assert!(store.open_report().recovered.is_some());
    assert_eq!(store.get_tokens().unwrap().len(), 1);
}

#[test]
fn a_key_shows_nothing_of_itself() {
    let key = EncryptionKey::from_bytes(&[0xAB; 32]).unwrap();
    let shown = format!("{key:?} {:?} {:?} {}", KeySource::from(&key), Options::encrypted(&key), key.id());
    assert!(!shown.to_lowercase().contains("abab") && !shown.contains("171, 171"), "{shown}");
}

#[test]
fn a_purge_waits_for_whoever_has_the_old_file_open() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    let options = Options::new().background(false).lock_timeout(std::time::Duration::from_millis(50));
    let store = options.open(&path).unwrap();
    store.save_token(&token("ana")).unwrap();
    store.delete("1").unwrap();
    store.purge().unwrap();
    let other = options.open(&path).unwrap();
    for _ in 0..3 {
        let error = store.purge().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Busy, "the other handle sleeps, and has the old file, whoever moves on");
    }
    // It follows, and lets go.
    other.save_token(&token("bob")).unwrap();
    store.purge().unwrap_err();
    other.close().unwrap();
    drop(other);
    store.purge().unwrap();
    // Rows that are still to be read are in the old file.
    let mut rows = store.iter();
    for _ in 0..2 {
        assert_eq!(store.purge().unwrap_err().kind(), ErrorKind::Busy);
    }
    assert_eq!(rows.next().unwrap().unwrap().user_name(), Some("bob"));
    drop(rows);
    store.purge().unwrap();
}

#[test]
fn a_purge_waits_for_a_handle_that_has_only_the_old_key() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    let keys = [EncryptionKey::generate().unwrap(), EncryptionKey::generate().unwrap()];
    let options = |key| Options::encrypted(key).background(false).lock_timeout(std::time::Duration::from_millis(50));
    let store = options(&keys[0]).open(&path).unwrap();
    store.save_token(&token("ana")).unwrap();
    let other = options(&keys[0]).open(&path).unwrap();
    store.rekey(&keys[1]).unwrap();
    assert_eq!(other.get_tokens().unwrap_err().kind(), ErrorKind::WrongKey);
    assert_eq!(store.purge().unwrap_err().kind(), ErrorKind::Busy);
    drop(other);
    store.purge().unwrap();
}

/// Somebody would destroy the old key, and with it the store.
#[test]
fn a_rekey_asks_for_a_new_key_and_refuses_the_old_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    let current = Arc::new(Mutex::new(1_u8));
    let source = {
        let current = current.clone();
        KeySource::asking(move |id| {
            let key = |number: u8| EncryptionKey::from_bytes(&[number; EncryptionKey::LEN]);
            let newest = *current.lock().unwrap();
            let number = id.map_or(newest, |id| (1..=3).find(|number| key(*number).unwrap().id() == id).unwrap());
            Ok(key(number)?)
        })
    };
    let store = LogStore::open_encrypted(&path, source.clone()).unwrap();
    store.save_token(&token("ana")).unwrap();
    assert_eq!(store.rekey(source.clone()).unwrap_err().kind(), ErrorKind::WrongKey, "there is no new key yet");
    *current.lock().unwrap() = 2;
    // A compaction changes no key, whatever the newest one is.
    store.compact().unwrap();
    drop(LogStore::open_encrypted(&path, EncryptionKey::from_bytes(&[1; 32]).unwrap()).unwrap());
    store.rekey(source.clone()).unwrap();
    assert_eq!(
        LogStore::open_encrypted(&path, EncryptionKey::from_bytes(&[1; 32]).unwrap()).unwrap_err().kind(),
        ErrorKind::WrongKey
    );
    // Another store of the same source.
    *current.lock().unwrap() = 3;
    let other = LogStore::open_encrypted(directory.path().join("other"), source).unwrap();
    other.save_token(&token("bob")).unwrap();
    store.compact().unwrap();
    other.compact().unwrap();
    drop((store, other));
    for (name, number) in [("tokens", 2), ("other", 3)] {
        let key = EncryptionKey::from_bytes(&[number; 32]).unwrap();
        assert_eq!(LogStore::open_encrypted(directory.path().join(name), &key).unwrap().get_tokens().unwrap().len(), 1);
    }
}
