//! Stores written by earlier versions are read for ever.
//!
//! `tests/data/golden/` has one directory for each format version and feature: `store.log`, `store.lock`, and the rows
//! as JSON lines. `TOKCASK_WRITE_GOLDEN=NAME` makes another one; those that are there are never changed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tokcask::{LogStore, Options, ReadMode, Token, TokenStore, VerifyStatus};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/golden")
}

fn row(token: &Token) -> Value {
    let secret = |value: Option<tokcask::Secret<'_>>| value.map(|secret| secret.expose_secret().to_owned());
    json!({
        "id": token.id(),
        "user_name": token.user_name(),
        "client_id": token.client_id(),
        "client_secret": secret(token.client_secret()),
        "refresh_token": secret(token.refresh_token()),
        "access_token": secret(token.access_token()),
        "grant_token": secret(token.grant_token()),
        "expiry_time": token.expiry_time(),
        "redirect_url": token.redirect_url(),
        "api_domain": token.api_domain(),
        "extra": token.extra().collect::<std::collections::BTreeMap<_, _>>(),
        "revision": token.revision(),
    })
}

#[test]
fn every_golden_store_reads_as_it_was_written() {
    let mut count = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let golden = entry.unwrap().path();
        let expected = fs::read_to_string(golden.join("rows.jsonl")).unwrap();
        let expected: Vec<Value> = expected.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for read_mode in [ReadMode::Map, ReadMode::Copy] {
            let directory = tempfile::tempdir().unwrap();
            for name in ["store.log", "store.lock"] {
                let copy = directory.path().join(name);
                fs::copy(golden.join(name), &copy).unwrap();
                fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)).unwrap();
            }
            let options = Options::new().read_mode(read_mode).create(false);
            assert_eq!(options.verify(directory.path()).unwrap().status, VerifyStatus::Clean);
            let store = options.open(directory.path()).unwrap();
            assert!(store.open_report().recovered.is_none());
            let rows: Vec<_> = store.get_tokens().unwrap().iter().map(row).collect();
            assert_eq!(rows, expected, "{}", golden.display());
            store.save_token(&Token::builder().user_name("new").access_token("fake").build()).unwrap();
        }
        count += 1;
    }
    assert!(count >= 2, "{count} golden stores");
}

#[test]
fn write_golden_store_if_asked() {
    let Ok(name) = std::env::var("TOKCASK_WRITE_GOLDEN") else { return };
    let golden = folder().join(&name);
    fs::create_dir(&golden).expect("a golden store is made once");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    let fake = |user: &str| Token::builder().user_name(user).refresh_token(format!("fake-refresh-{user}"));
    let store = LogStore::open(&path).unwrap();
    store.save_token(&fake("cleared").build()).unwrap();
    store.delete_tokens().unwrap();
    let batch = ["ana", "bob", "zoë"].map(|user| fake(user).access_token("fake-access").build());
    store.save_tokens(&batch).unwrap();
    store.save_token(&fake("ana").client_id("c").client_secret("fake-s").expiry_time("1700000000000").build()).unwrap();
    store
        .save_token(&fake("eve").id("by-caller").extra("scope", "crm").extra("kind", "x".repeat(300)).build())
        .unwrap();
    store.delete("3").unwrap();
    if name.contains("compacted") {
        store.compact().unwrap();
    }
    let full =
        fake("max").grant_token("fake-g").redirect_url("https://app.example/cb").api_domain("https://api.example");
    store.save_token(&full.build()).unwrap();
    let end = store.stats().unwrap().log_bytes;
    let rows: Vec<_> = store.get_tokens().unwrap().iter().map(|token| row(token).to_string() + "\n").collect();
    store.close().unwrap();
    if name.contains("recovered") {
        let mut log = fs::read(path.join("store.log")).unwrap();
        let torn = usize::try_from(end).unwrap() + 8;
        log[torn..torn + 100].fill(0xA5);
        fs::write(path.join("store.log"), log).unwrap();
        LogStore::open(&path).unwrap().close().unwrap();
    }
    for name in ["store.log", "store.lock"] {
        let mut content = fs::read(path.join(name)).unwrap();
        if name == "store.log" {
            // The extension may be of any length; what is kept for ever may as well be short.
            content.truncate((content.iter().rposition(|byte| *byte != 0).unwrap() + 1).next_multiple_of(8));
        }
        fs::write(golden.join(name), content).unwrap();
    }
    fs::write(golden.join("rows.jsonl"), rows.concat()).unwrap();
}
