//! The example for `yup-oauth2`: which row a set of scopes means, and what comes back of a token.
//! Method: the trait's two calls, as an authenticator makes them, on stores that are opened again.

mod run_example;
#[path = "../examples/yup_oauth2_storage/storage.rs"]
mod storage;

use std::path::Path;
use std::sync::Arc;

use run_example::{run, text};
use storage::TokcaskStorage;
use time::OffsetDateTime;
use tokcask::{Key, LogStore, Token, TokenStore};
use tokio::runtime::Runtime;
use yup_oauth2::storage::{TokenInfo, TokenStorage};

const MAIL: &[&str] = &["mail.read", "mail.send"];

/// A store that is there, and the storage of ana's tokens on it.
struct Opened {
    runtime: Runtime,
    store: Arc<LogStore>,
    storage: TokcaskStorage,
}

impl Opened {
    fn new(dir: &Path) -> Self {
        let store = Arc::new(LogStore::open(dir.join("tokens")).expect("the store opens"));
        let storage = TokcaskStorage::new(Arc::clone(&store), "ana");
        Self { runtime: Runtime::new().expect("a runtime"), store, storage }
    }

    fn set(&self, scopes: &[&str], token: &TokenInfo) {
        self.runtime.block_on(self.storage.set(scopes, token.clone())).expect("it is saved");
    }

    fn get(&self, scopes: &[&str]) -> Option<TokenInfo> {
        self.runtime.block_on(self.storage.get(scopes))
    }
}

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn at(ms: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).expect("an instant before the year 9999")
}

fn token(access_token: &str) -> TokenInfo {
    TokenInfo {
        access_token: Some(access_token.to_owned()),
        refresh_token: Some("fake-refresh".to_owned()),
        expires_at: Some(at(1_700_000_000_123)),
        id_token: Some("fake-id".to_owned()),
    }
}

#[test]
fn the_example_says_what_it_shows_and_gives_no_secret_away() {
    let output = run("yup_oauth2_storage", [""; 0]);
    let (printed, errors) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{errors}");
    assert_eq!(printed.lines().count(), 7, "{printed}");
    assert!(!printed.contains("fake-") && !errors.contains("fake-"));
}

#[test]
fn a_token_that_was_set_is_there_for_everybody_and_after_reopening() {
    let dir = dir();
    let opened = Opened::new(dir.path());
    opened.set(MAIL, &token("fake-1"));
    assert_eq!(Opened::new(dir.path()).get(MAIL), Some(token("fake-1")));
    opened.store.close().expect("nothing is under way");
    assert_eq!(Opened::new(dir.path()).get(MAIL), Some(token("fake-1")));
}

#[test]
fn order_and_repetition_of_scopes_do_not_matter_and_everything_else_does() {
    let dir = dir();
    let opened = Opened::new(dir.path());
    opened.set(MAIL, &token("fake-1"));
    opened.set(&["mail.send", "mail.read", "mail.send"], &token("fake-2"));
    assert_eq!(opened.get(MAIL), Some(token("fake-2")));
    assert_eq!(opened.store.stats().expect("it is open").tokens, 1);

    // What joining, hashing or comparing by parts would take for one another.
    let sets: [&[&str]; 10] = [
        &[],
        &[""],
        &["mail.read"],
        &["mail.read mail.send"],
        &["mail.read", "mail.send", ""],
        &["mail.read", "mail.send", "mail.all"],
        &["mail.read\",\"mail.send"],
        &["MAIL.READ", "mail.send"],
        &["mail.read ", "mail.send"],
        &["mail.r\u{e9}ad", "mail.send"],
    ];
    for scopes in sets {
        assert_eq!(opened.get(scopes), None, "{scopes:?}");
    }
    for (number, scopes) in sets.iter().enumerate() {
        opened.set(scopes, &token(&format!("fake-set-{number}")));
    }
    for (number, scopes) in sets.iter().enumerate() {
        assert_eq!(opened.get(scopes), Some(token(&format!("fake-set-{number}"))), "{scopes:?}");
    }
    assert_eq!(opened.get(MAIL), Some(token("fake-2")));
}

#[test]
fn accounts_on_one_store_do_not_see_each_other() {
    let dir = dir();
    let opened = Opened::new(dir.path());
    opened.set(MAIL, &token("fake-1"));
    for other in ["bob", "", "ana\",[\"mail.read\",\"mail.send\"]"] {
        let storage = TokcaskStorage::new(Arc::clone(&opened.store), other);
        assert_eq!(opened.runtime.block_on(storage.get(MAIL)), None, "{other:?}");
    }
}

#[test]
fn a_renewal_without_a_refresh_token_keeps_that_and_nothing_else() {
    for refresh_token in [None, Some(String::new())] {
        let dir = dir();
        let opened = Opened::new(dir.path());
        opened.set(MAIL, &token("fake-1"));
        let access_token = Some("fake-2".to_owned());
        let renewed = TokenInfo { access_token, refresh_token, expires_at: None, id_token: None };
        opened.set(MAIL, &renewed);
        let expected = TokenInfo { refresh_token: Some("fake-refresh".to_owned()), ..renewed };
        assert_eq!(opened.get(MAIL), Some(expected));
    }
}

#[test]
fn ends_come_back_to_the_millisecond_wherever_they_are() {
    let dir = dir();
    let opened = Opened::new(dir.path());
    let end_of_time = OffsetDateTime::new_utc(time::Date::MAX, time::Time::MAX);
    for (end, back) in [
        (at(1_700_000_000_123) + time::Duration::NANOSECOND, at(1_700_000_000_123)),
        (at(0), at(0)),
        (at(-1), at(0)),
        (OffsetDateTime::new_utc(time::Date::MIN, time::Time::MIDNIGHT), at(0)),
        (end_of_time, end_of_time - time::Duration::nanoseconds(999_999)),
    ] {
        opened.set(MAIL, &TokenInfo { expires_at: Some(end), ..token("fake") });
        assert_eq!(opened.get(MAIL).and_then(|token| token.expires_at), Some(back), "{end}");
    }
}

#[test]
fn an_end_that_cannot_be_read_is_over() {
    let dir = dir();
    let opened = Opened::new(dir.path());
    opened.set(MAIL, &token("fake"));
    let row = opened.store.iter().next().expect("one row").expect("the store can be read");
    for expiry_time in ["soon", "18446744073709551615", "99999999999999999999"] {
        let user_name = row.user_name().expect("it has one");
        let row = Token::builder().user_name(user_name).expiry_time(expiry_time).build();
        opened.store.save_token(&row).expect("it is saved");
        assert!(opened.get(MAIL).is_some_and(|token| token.is_expired()), "{expiry_time}");
    }
}

#[test]
fn what_cannot_be_saved_is_an_error_and_what_cannot_be_read_is_no_token() {
    let dir = dir();
    let opened = Opened::new(dir.path());
    let id_alone = TokenInfo { access_token: None, refresh_token: None, ..token("") };
    let refused = opened.runtime.block_on(opened.storage.set(MAIL, id_alone)).expect_err("no row holds that");
    assert!(!refused.to_string().contains("fake-"));
    assert_eq!(opened.get(MAIL), None);

    let too_long = "s".repeat(1 << 20);
    assert!(opened.runtime.block_on(opened.storage.set(&[&too_long], token("fake"))).is_err());
    assert_eq!(opened.get(&[&too_long]), None);

    opened.set(MAIL, &token("fake-1"));
    opened.store.close().expect("nothing is under way");
    assert!(opened.runtime.block_on(opened.storage.set(MAIL, token("fake-2"))).is_err());
    assert_eq!(opened.get(MAIL), None);
    let again = LogStore::open(dir.path().join("tokens")).expect("the store opens");
    let found = again.get(Key::UserName(r#"["ana",["mail.read","mail.send"]]"#)).expect("the store can be read");
    assert!(found.is_some_and(|row| row.access_token().is_some_and(|secret| secret.expose_secret() == "fake-1")));
}
