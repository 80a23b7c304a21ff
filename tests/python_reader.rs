//! FORMAT.md is enough: a program in another language, written from that document alone, reads our stores and judges
//! damaged ones as we do.
//!
//! Method: stores live through all that the public API offers and are copied now and then; `read_store.py` must print
//! the rows of every copy as the store had them. Then one store is damaged in hundreds of ways, each in a copy of its
//! own, first read by the program, which changes nothing, and then opened by us. Says so and ends where there is no python3.

#[path = "python_reader/damage.rs"]
mod damage;
mod read_store;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokcask::{EncryptionKey, LogStore, Options, Secret, Token, TokenBuilder, TokenStore};

const LOG: &str = "store.log";
const LOCK: &str = "store.lock";

#[test]
fn rows_of_a_long_life_read_the_same() {
    if read_store::python_is_missing() {
        return;
    }
    let mut copies = Copies::new();
    live(&mut copies, &Options::new(), 300, 524_200);
    copies.compare(&[]);
}

/// Shorter: the program's own cipher takes a second for half a megabyte.
#[test]
fn rows_of_an_encrypted_store_read_the_same() {
    if read_store::python_is_missing() {
        return;
    }
    let mut copies = Copies::new();
    let file = copies.root.path().join("key");
    fs::write(&file, [0xA7; EncryptionKey::LEN]).unwrap();
    let key = EncryptionKey::from_bytes(&[0xA7; EncryptionKey::LEN]).unwrap();
    live(&mut copies, &Options::encrypted(&key), 20, 100);
    copies.compare(&["--key", file.to_str().unwrap()]);
}

/// All that the public face offers, with copies in between.
fn live(copies: &mut Copies, options: &Options, batch_len: usize, longest: usize) {
    let path = copies.root.path().join("store");
    let store = options.open(&path).unwrap();
    copies.take("empty", &path, &store);

    store.save_token(&fake().user_name("ana").build()).unwrap();
    for id in ["7", "0042", "client-a", "№ 8 🔑", "9000000000000000000000"] {
        store.save_token(&fake().id(id).redirect_url("https://example.test/").build()).unwrap();
    }
    copies.take("one by one", &path, &store);

    let mut batch: Vec<_> = (0..batch_len).map(|n| fake().user_name(format!("user {n}")).build()).collect();
    batch.push(fake().user_name("user 12").api_domain("changed in the same batch").build());
    store.save_tokens(&batch).unwrap();
    copies.take("a batch", &path, &store);

    for len in [250, 251, 65_535, 65_536].into_iter().filter(|len| *len < longest.max(252)) {
        let key = "k".repeat(len);
        let name = format!("{len} bytes");
        store.save_token(&fake().user_name(name).access_token(key).client_secret("s".repeat(len + 1)).build()).unwrap();
    }
    store.save_token(&fake().user_name("longest").extra("note", "ü".repeat(longest)).build()).unwrap();
    copies.take("long values", &path, &store);

    let every = fake().user_name("Zoë 日本 🔑").client_id("c").client_secret("s").refresh_token("fake\0refresh");
    let every =
        every.grant_token("fake \"grant\"").expiry_time("1700000000000").redirect_url("r").api_domain("\u{10FFFF}");
    let every = (0..260).fold(every, |token, n| token.extra(format!("schlüssel {n}"), "wert ".repeat(n + 1)));
    store.save_token(&every.build()).unwrap();
    copies.take("every column", &path, &store);

    let cleared = Token::builder().user_name("Zoë 日本 🔑").client_id("").grant_token("").extra("schlüssel 3", "");
    store.save_token(&cleared.extra("schlüssel 4", "new").build()).unwrap();
    copies.take("cleared values", &path, &store);

    for id in ["7", "1", "20"] {
        assert!(store.delete(id).unwrap());
    }
    store.save_token(&fake().id("7").build()).unwrap();
    copies.take("deleted, and one saved again", &path, &store);

    store.compact().unwrap();
    copies.take("compacted", &path, &store);
    store.save_token(&fake().user_name("after").build()).unwrap();
    let backup = copies.root.path().join("backup");
    store.backup(&backup).unwrap();
    copies.take("after a compaction", &path, &store);
    store.close().unwrap();

    let store = options.open(&path).unwrap();
    copies.take("reopened", &path, &store);
    let restored = options.open(&backup).unwrap();
    restored.save_token(&fake().user_name("in the backup").build()).unwrap();
    copies.take("a backup that has gone on", &backup, &restored);

    store.delete_tokens().unwrap();
    copies.take("all deleted", &path, &store);
    store.save_token(&fake().user_name("new").build()).unwrap();
    copies.take("begun again", &path, &store);
    store.compact().unwrap();
    copies.take("compacted to a shorter log", &path, &store);
}

#[test]
fn revisions_past_65_535_read_the_same() {
    if read_store::python_is_missing() {
        return;
    }
    let mut copies = Copies::new();
    let path = copies.root.path().join("store");
    let store = LogStore::open(&path).unwrap();
    let token = fake().user_name("ana").build();
    store.save_tokens(&vec![token; 65_600]).unwrap();
    copies.take("many updates", &path, &store);
    store.compact().unwrap();
    copies.take("compacted", &path, &store);
    copies.compare(&[]);
}

fn fake() -> TokenBuilder {
    Token::builder().access_token("fake-access")
}

/// Copies of stores, and what their stores said at the time.
struct Copies {
    root: TempDir,
    taken: Vec<(&'static str, PathBuf, Vec<Value>)>,
}

impl Copies {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap(), taken: Vec::new() }
    }

    fn take(&mut self, name: &'static str, path: &Path, store: &LogStore) {
        let copy = self.root.path().join(format!("copy {}", self.taken.len()));
        fs::create_dir(&copy).unwrap();
        for name in [LOG, LOCK] {
            fs::copy(path.join(name), copy.join(name)).unwrap();
        }
        self.taken.push((name, copy, rows(store)));
    }

    fn compare(&self, more: &[&str]) {
        let directories: Vec<_> = self.taken.iter().map(|(_, copy, _)| copy.clone()).collect();
        let arguments: Vec<PathBuf> = more.iter().map(PathBuf::from).chain(directories).collect();
        let answers = read_store::lines(&read_store::read_store(&arguments));
        assert_eq!(answers.len(), self.taken.len());
        for (answer, (name, _, rows)) in answers.iter().zip(&self.taken) {
            assert_eq!((&answer["error"], &answer["note"]), (&Value::Null, &Value::Null), "{name}");
            let read = answer["rows"].as_array().unwrap();
            assert_eq!(read.len(), rows.len(), "{name}");
            for (read, row) in read.iter().zip(rows) {
                assert_eq!(read, row, "{name}");
            }
        }
    }
}

/// All rows, as the program prints them.
fn rows(store: &LogStore) -> Vec<Value> {
    store.get_tokens().unwrap().iter().map(row).collect()
}

fn row(token: &Token) -> Value {
    let ms = |time: Option<SystemTime>| {
        let since = time.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        u64::try_from(since.expect("a stored row has its times").as_millis()).unwrap()
    };
    json!({
        "id": token.id(),
        "user_name": token.user_name(),
        "client_id": token.client_id(),
        "client_secret": token.client_secret().map(Secret::expose_secret),
        "refresh_token": token.refresh_token().map(Secret::expose_secret),
        "access_token": token.access_token().map(Secret::expose_secret),
        "grant_token": token.grant_token().map(Secret::expose_secret),
        "expiry_time": token.expiry_time(),
        "redirect_url": token.redirect_url(),
        "api_domain": token.api_domain(),
        "extra": token.extra().map(|(key, value)| (key.to_owned(), json!(value))).collect::<Map<_, _>>(),
        "created_at": ms(token.created_at()),
        "updated_at": ms(token.updated_at()),
        "revision": token.revision(),
    })
}
