//! Encrypted stores: everything works as on plain ones, and nothing opens without the key; whatever happens while a store
//! gets another one, one of the two opens it.

mod sim;

use std::path::Path;
use std::sync::Arc;

use sim::{Damage, Fault, Plan, Sim};
use tokcask::{EncryptionKey, ErrorKind, Key, LogStore, Options, ReadMode, Token, TokenStore, VerifyStatus, open_on};

fn token(user: u32) -> Token {
    Token::builder()
        .user_name(format!("canary-user{user}"))
        .refresh_token(format!("canary-refresh{user}"))
        .access_token(format!("canary-access{user}"))
        .build()
}

#[test]
fn a_store_comes_back_with_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tokens");
    let key = EncryptionKey::generate().unwrap();
    let store = LogStore::open_encrypted(&path, &key).unwrap();
    for user in 0..20 {
        store.save_token(&token(user)).unwrap();
    }
    store.save_tokens(&(20..40).map(token).collect::<Vec<_>>()).unwrap();
    store.delete("3").unwrap();
    let rows = store.get_tokens().unwrap();
    assert_eq!(rows.len(), 39);
    store.close().unwrap();
    let store = LogStore::open_encrypted(&path, &key).unwrap();
    assert_eq!(store.get_tokens().unwrap(), rows);
    store.compact().unwrap();
    assert_eq!(store.get_tokens().unwrap(), rows);
    store.save_token(&token(77)).unwrap();
    let copy = dir.path().join("copy");
    store.backup(&copy).unwrap();
    let log = std::fs::read(path.join("store.log")).unwrap();
    assert!(!log.windows(6).any(|bytes| bytes == b"canary"));
    let joined = LogStore::open_encrypted(&path, &key).unwrap();
    joined.save_token(&token(78)).unwrap();
    assert!(store.get(Key::UserName("canary-user78")).unwrap().is_some());
    drop((store, joined));
    let copy = LogStore::open_encrypted(&copy, &key).unwrap();
    assert_eq!(copy.get_tokens().unwrap().len(), 40);
    assert_eq!(LogStore::open(&path).unwrap_err().kind(), ErrorKind::WrongKey);
    let verified = Options::new().verify(&path).unwrap();
    assert_eq!(verified.status, VerifyStatus::Clean, "{verified:?}");
    assert_eq!(Options::encrypted(&key).verify(&path).unwrap(), verified);
    let report = Options::encrypted(&key).salvage(&path, dir.path().join("saved")).unwrap();
    assert_eq!(report.tokens, 41);
}

const STORE: &str = "/store";

fn open(sim: &Sim, key: &EncryptionKey) -> tokcask::Result<LogStore> {
    let options = Options::encrypted(key).background(false).read_mode(ReadMode::Copy);
    open_on(&options, Arc::new(sim.clone()), Path::new(STORE))
}

/// Opens it with the one key that it has; says whether that is the second.
fn open_with_either(sim: &Sim, keys: &[EncryptionKey; 2], context: &str) -> (LogStore, bool) {
    match (open(sim, &keys[0]), open(sim, &keys[1])) {
        (Ok(store), Err(error)) | (Err(error), Ok(store)) => {
            assert_eq!(error.kind(), ErrorKind::WrongKey, "{context}");
            let is_second = open(sim, &keys[1]).is_ok();
            (store, is_second)
        }
        other => panic!("{context}: {other:?}"),
    }
}

/// The process dies at each call of a `rekey`, or the power goes, or the call fails: then exactly one key opens the store,
/// all rows are there, and the key can be changed.
#[test]
fn whatever_ends_a_rekey_one_key_opens_the_store() {
    let keys = [[1; 32], [2; 32]].map(|bytes| EncryptionKey::from_bytes(&bytes).unwrap());
    let sim = Sim::new();
    let store = open(&sim, &keys[0]).unwrap();
    store.save_tokens(&[token(1), token(2)]).unwrap();
    store.delete("1").unwrap();
    store.save_token(&token(3)).unwrap();
    let rows = store.get_tokens().unwrap();
    store.close().unwrap();
    drop(store);
    let prepared = sim.kill();
    let dry = prepared.kill();
    let opened = open(&dry, &keys[0]).unwrap();
    let first = dry.calls();
    opened.rekey(&keys[1]).unwrap();
    let calls = first..dry.calls();
    drop(opened);
    assert!(calls.clone().count() > 10);
    let mut moved = [0; 2];
    for call in calls {
        for fault in [Fault::Crash, Fault::CrashHalfway, Fault::Errno(5), Fault::Errno(28)] {
            let failing = prepared.kill();
            let store = open(&failing, &keys[0]).unwrap();
            failing.set_plan(Some(Plan::at(call, fault)));
            let is_told_done = store.rekey(&keys[1]).is_ok();
            failing.set_plan(None);
            drop(store);
            let after = [failing.kill()]
                .into_iter()
                .chain([Damage::Old, Damage::New].map(|damage| failing.power_loss(damage, 0)));
            for (after, how) in after.chain((0..4).map(|seed| failing.power_loss(Damage::Mixed, seed))).zip(0..) {
                let context = format!("{fault:?} at call {call}, then end {how}");
                let (store, is_second) = open_with_either(&after, &keys, &context);
                assert!(is_second || !is_told_done, "{context}: it was told that the key is another");
                moved[usize::from(is_second)] += 1;
                assert_eq!(store.get_tokens().unwrap(), rows, "{context}");
                store.rekey(&keys[usize::from(!is_second)]).unwrap();
                store.save_token(&token(4)).unwrap();
                drop(store);
                assert_eq!(
                    open(&after, &keys[usize::from(!is_second)]).unwrap().get_tokens().unwrap().len(),
                    3,
                    "{context}"
                );
            }
        }
    }
    assert!(moved.iter().all(|count| *count > 20), "{moved:?}");
}
