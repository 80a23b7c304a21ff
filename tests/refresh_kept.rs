//! Answers that could not be saved, and logins that are not what the provider was asked for: nothing spent is handed out
//! again, nothing of one login goes into another.

mod sim;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sim::{Call, Fault, Plan, Sim};
use tokcask::{
    Key, LogStore, Options, ReadMode, RefreshError, RefreshPolicy, Refreshed, Secret, Token, TokenStore, open_on,
};

const STORE: &str = "/store";
const NOW_MS: u64 = 1_700_000_000_000;
const ANN: Key<'_> = Key::UserName("ann");
/// Waits for nobody long, and asks again at once.
const BRIEFLY: RefreshPolicy =
    RefreshPolicy { wait_max: Duration::from_millis(50), backoff_max: Duration::ZERO, ..RefreshPolicy::new() };

fn open(process: &Sim) -> LogStore {
    let options = Options::new().background(false).read_mode(ReadMode::Copy);
    open_on(&options, Arc::new(process.clone()), Path::new(STORE)).unwrap()
}

fn answer() -> Token {
    let expiry_ms = (NOW_MS + 3_600_000).to_string();
    Token::builder().access_token("new").refresh_token("refresh-2").expiry_time(expiry_ms).build()
}

fn refresh_token(row: &Token) -> Option<&str> {
    row.refresh_token().map(Secret::expose_secret)
}

fn stored(store: &LogStore) -> Token {
    store.get(ANN).unwrap().expect("there")
}

/// A store whose handle keeps an answer that it could not save, another handle, and what the caller was given.
fn kept() -> (Sim, Sim, LogStore, LogStore, Token) {
    let sim = Sim::new();
    let process = sim.process();
    let (store, other) = (open(&process), open(&sim.process()));
    let row = Token::builder().user_name("ann").access_token("old").expiry_time("1").refresh_token("refresh-1");
    store.save_token(&row.build()).unwrap();
    let failed = store.refresh(ANN, RefreshPolicy::new(), |_| {
        process.set_plan(Some(Plan::next(Call::Write, Fault::Errno(5))));
        Ok::<_, &str>(answer())
    });
    let Err(RefreshError::SaveFailed { token, .. }) = failed else { panic!("{failed:?}") };
    (sim, process, store, other, *token)
}

#[test]
fn a_kept_answer_that_rotates_outlives_other_changes_of_the_row() {
    let (_, process, store, other, _) = kept();
    process.set_plan(None);
    other.save_token(&Token::builder().id("1").extra("note", "kept").build()).unwrap();
    let refreshed = store.refresh(ANN, BRIEFLY, |_| Err("spent again")).unwrap();
    assert_eq!(refresh_token(refreshed.token()), Some("refresh-2"));
    assert_eq!(stored(&other).extra().get("note"), Some("kept"));
}

#[test]
fn others_wait_for_a_kept_answer_and_are_not_told_that_the_provider_failed() {
    let (_, process, store, other, _) = kept();
    let policy = RefreshPolicy { wait_max: Duration::from_millis(50), ..RefreshPolicy::new() };
    let waited = other.refresh(ANN, policy, |_| Err::<Token, _>("spent again"));
    assert!(matches!(waited, Err(RefreshError::Busy { .. })), "{waited:?}");
    process.set_plan(None);
    store.save_token(&Token::builder().user_name("bob").access_token("any").build()).unwrap();
    assert_eq!(refresh_token(&stored(&other)), Some("refresh-1"), "a save of another row leaves it to a refresh");
}

#[test]
fn a_kept_answer_is_saved_when_the_handle_is_closed_if_that_is_possible() {
    for works_again in [true, false] {
        let (_, process, store, other, _) = kept();
        process.set_plan((!works_again).then(|| Plan::next(Call::Write, Fault::Errno(5))));
        drop(store);
        let next = other.refresh(ANN, BRIEFLY, |current| {
            assert_eq!(refresh_token(current), Some("refresh-1"));
            Err::<Token, _>("asked")
        });
        match next {
            Ok(Refreshed::Fresh(row)) if works_again => assert_eq!(refresh_token(&row), Some("refresh-2")),
            Err(RefreshError::Provider("asked")) if !works_again => {}
            next => panic!("{next:?}"),
        }
    }
}

#[test]
fn no_lease_is_kept_for_what_the_caller_has_saved_itself() {
    let (sim, process, store, other, token) = kept();
    process.set_plan(None);
    store.save_token(&token).unwrap();
    sim.set_now_ms(NOW_MS + 7_200_000);
    let next = other.refresh(ANN, BRIEFLY, |_| Err::<Token, _>("asked"));
    assert!(matches!(next, Err(RefreshError::Provider("asked"))), "{next:?}");
}

#[test]
fn a_login_without_a_refresh_token_is_known_by_its_other_tokens() {
    let store = open(&Sim::new().process());
    store.save_token(&Token::builder().user_name("ann").grant_token("grant-1").build()).unwrap();
    let outcome = store.refresh(ANN, BRIEFLY, |_| {
        store.save_token(&Token::builder().user_name("ann").grant_token("grant-2").build()).unwrap();
        Ok::<_, &str>(answer())
    });
    assert!(matches!(outcome, Err(RefreshError::Replaced { .. })), "{outcome:?}");
    assert_eq!(refresh_token(&stored(&store)), None);
}

#[test]
fn a_row_that_was_deleted_and_made_anew_under_its_id_is_another_login() {
    for refresh_token in [None, Some("refresh-1")] {
        let store = open(&Sim::new().process());
        let row = |user: &str, access: &str| {
            let row = Token::builder().id("x").user_name(user).access_token(access).expiry_time("1");
            refresh_token.iter().fold(row, |row, token| row.refresh_token(*token)).build()
        };
        store.save_token(&row("ann", "same")).unwrap();
        let outcome = store.refresh(Key::Id("x"), BRIEFLY, |_| {
            assert!(store.delete("x").unwrap());
            store.save_token(&row("bob", "same")).unwrap();
            Ok::<_, &str>(answer())
        });
        assert!(matches!(outcome, Err(RefreshError::Replaced { .. })), "{outcome:?}");
        let found = store.get(Key::Id("x")).unwrap().expect("there");
        assert_eq!((found.user_name(), found.access_token().map(Secret::expose_secret)), (Some("bob"), Some("same")));
    }
}

#[test]
fn an_empty_token_in_an_answer_takes_nothing_away() {
    let sim = Sim::new();
    let store = open(&sim.process());
    let row = Token::builder().user_name("ann").access_token("old").expiry_time("1").refresh_token("refresh-1");
    store.save_token(&row.build()).unwrap();
    let said = answer().to_builder().refresh_token("").build();
    store.refresh(ANN, BRIEFLY, |_| Ok::<_, &str>(said)).unwrap();
    assert_eq!(refresh_token(&stored(&store)), Some("refresh-1"));
}
