//! The example for the `oauth2` crate: what its conversions make of every answer, and what a refresh says of bad ones.
//! Method: answers as providers send them, as JSON; instants are the test's own; bad providers listen on loopback.

#[path = "../examples/oauth2_client/convert.rs"]
mod convert;
#[path = "../examples/oauth2_client/renew.rs"]
mod renew;
mod run_example;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use oauth2::basic::{BasicClient, BasicTokenResponse};
use oauth2::{ClientId, RequestTokenError, TokenResponse, TokenUrl};
use serde_json::{Value, json};
use tokcask::{Key, LogStore, RefreshError, RefreshPolicy, Token, TokenStore};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use ureq::Agent;

use convert::{to_response, to_token};
use renew::{AskError, Client, login_has_ended, renewed, renewed_async};
use run_example::{run, text};

const ANA: Key<'_> = Key::UserName("ana");

fn asked_at() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(1_700_000_000_123)
}

fn answer(json: &Value) -> BasicTokenResponse {
    serde_json::from_value(json.clone()).expect("the crate reads such answers")
}

fn token(json: &Value) -> Token {
    to_token(&answer(json), asked_at()).expect("it has an access token")
}

fn store() -> (tempfile::TempDir, LogStore) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = LogStore::open(dir.path().join("tokens")).expect("a new store");
    (dir, store)
}

fn old_row() -> Token {
    let row = Token::builder().user_name("ana").access_token("fake-old").refresh_token("fake-refresh-1");
    row.expiry_time("1").extra("scope", "mail").build()
}

#[test]
fn the_example_says_what_it_shows_and_gives_no_secret_away() {
    let output = run("oauth2_client", [""; 0]);
    let (printed, errors) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{errors}");
    assert_eq!(printed.lines().count(), 7, "{printed}");
    assert!(!printed.contains("fake-") && !errors.contains("fake-"));
}

#[test]
fn a_whole_answer_becomes_a_token_and_a_response_again() {
    let json = json!({ "access_token": "fake-access", "token_type": "Bearer", "expires_in": 3600,
        "refresh_token": "fake-refresh", "scope": "mail calendar" });
    let token = token(&json);
    let expected = Token::builder().access_token("fake-access").refresh_token("fake-refresh");
    let expected = expected.expiry_time("1700003600123").extra("scope", "mail calendar").extra("token_type", "bearer");
    assert_eq!(token, expected.build());
    for (later, left) in [(0, 3600), (1, 3599), (3600, 0), (3601, 0)] {
        let response = to_response(&token, asked_at() + Duration::from_secs(later)).expect("it has an access token");
        let mut expected = answer(&json);
        expected.set_expires_in(Some(&Duration::from_secs(left)));
        let in_json = |response| serde_json::to_value(response).expect("responses are JSON");
        assert_eq!(in_json(response), in_json(expected), "{later} s later");
    }
}

#[test]
fn what_an_answer_leaves_out_stays_in_the_row_but_for_the_end_of_the_old_access_token() {
    let least = json!({ "access_token": "fake-new", "token_type": "bearer" });
    let mut empty = least.clone();
    empty["refresh_token"] = "".into();
    empty["scope"] = "".into();
    for json in [least, empty] {
        let (_dir, store) = store();
        store.save_token(&old_row()).expect("a new row");
        let row = store.save_token(&token(&json).to_builder().user_name("ana").build()).expect("it is saved");
        let expected = old_row().to_builder().id("1").access_token("fake-new").expiry_time("");
        let expected = expected.extra("token_type", "bearer").build();
        assert_eq!((row.expiry_time(), row.to_builder().expiry_time("").build()), (None, expected));
        let response = to_response(&row, asked_at()).expect("it has an access token");
        assert_eq!(response.expires_in(), None);
        assert_eq!(response.refresh_token().map(|token| token.secret().as_str()), Some("fake-refresh-1"));
    }
}

#[test]
fn no_lifetime_overflows() {
    for (lifetime, expiry_time) in [
        (0, "1700000000123"),
        (u64::from(u32::MAX), "5994967295123"),
        (u64::MAX / 1000, "18446744073709551615"),
        (u64::MAX, "18446744073709551615"),
    ] {
        let token = token(&json!({ "access_token": "fake", "token_type": "bearer", "expires_in": lifetime }));
        assert_eq!(token.expiry_time(), Some(expiry_time), "{lifetime} s");
        let response = to_response(&token, asked_at()).expect("it has an access token");
        assert_eq!(response.expires_in().is_some_and(|left| left.is_zero()), lifetime == 0, "{lifetime} s");
    }
    let answer = answer(&json!({ "access_token": "fake", "token_type": "bearer", "expires_in": 5 }));
    let token = to_token(&answer, UNIX_EPOCH - Duration::from_secs(1)).expect("it has an access token");
    assert_eq!(token.expiry_time(), Some("5000"));
}

#[test]
fn an_end_that_cannot_be_read_is_over_and_an_empty_one_is_none() {
    for (expiry_time, left) in
        [("soon", Some(0)), ("-1", Some(0)), ("1e99", Some(0)), ("99999999999999999999", Some(0)), ("", None)]
    {
        let token = Token::builder().access_token("fake").expiry_time(expiry_time).build();
        let response = to_response(&token, asked_at()).expect("it has an access token");
        assert_eq!(response.expires_in().map(|left| left.as_secs()), left, "{expiry_time:?}");
    }
}

#[test]
fn scopes_are_those_between_the_spaces() {
    for (scope, stored, back) in [
        (json!(" "), None, vec![]),
        (json!("  b  a "), Some("b a"), vec!["b", "a"]),
        (json!("a a"), Some("a a"), vec!["a", "a"]),
        (
            json!("https://example.test/ä?\"x\"\ty"),
            Some("https://example.test/ä?\"x\"\ty"),
            vec!["https://example.test/ä?\"x\"\ty"],
        ),
        (Value::Null, None, vec![]),
    ] {
        let token = token(&json!({ "access_token": "fake", "token_type": "bearer", "scope": scope }));
        assert_eq!(token.extra().get("scope"), stored, "{scope}");
        let response = to_response(&token, asked_at()).expect("it has an access token");
        let scopes = response.scopes().into_iter().flatten();
        assert_eq!(scopes.map(|scope| scope.as_str()).collect::<Vec<_>>(), back, "{scope}");
    }
}

#[test]
fn token_types_come_back_and_a_row_without_one_has_a_bearer_token() {
    for (token_type, back) in [("BEARER", "bearer"), ("mac", "mac"), ("DPoP", "dpop"), ("", "")] {
        let token = token(&json!({ "access_token": "fake", "token_type": token_type }));
        let response = to_response(&token, asked_at()).expect("it has an access token");
        assert_eq!(response.token_type().as_ref(), back);
    }
    let response = to_response(&old_row(), asked_at()).expect("it has an access token");
    assert_eq!(response.token_type().as_ref(), "bearer");
}

#[test]
fn without_an_access_token_there_is_nothing_to_convert() {
    assert_eq!(to_token(&answer(&json!({ "access_token": "", "token_type": "bearer" })), asked_at()), None);
    for row in [Token::builder().refresh_token("fake").build(), Token::builder().access_token("").build()] {
        assert!(to_response(&row, asked_at()).is_none());
    }
}

/// A provider that gives every request the same answer, and a client of it.
fn client(runtime: &Runtime, status: StatusCode, body: &'static str) -> Client {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("loopback has a free port");
    let address = listener.local_addr().expect("it listens");
    let answer = move || async move {
        if body.is_empty() {
            std::future::pending::<()>().await;
        }
        (status, body)
    };
    // Ends with the runtime.
    drop(runtime.spawn(async move { axum::serve(listener, Router::new().route("/token", post(answer))).await }));
    let url = TokenUrl::new(format!("http://{address}/token")).expect("an address is a URL");
    BasicClient::new(ClientId::new("fake-client".to_owned())).set_token_uri(url)
}

/// Both forms of a refresh of `row` end with the same error, which this returns once; the row is as it was.
fn error_of(row: &Token, agent: &Agent, status: StatusCode, body: &'static str) -> RefreshError<AskError> {
    let runtime = Runtime::new().expect("a runtime");
    let client = client(&runtime, status, body);
    let (_dir, store) = store();
    let row = store.save_token(row).expect("a new row");
    let policy = RefreshPolicy { backoff_max: Duration::ZERO, ..RefreshPolicy::new() };
    let error = renewed(&store, &client, agent, "ana", policy).expect_err("nobody can use this answer");
    let in_async = runtime.block_on(renewed_async(&store, client, agent.clone(), "ana", policy));
    assert_eq!(in_async.expect_err("nobody can use this answer").to_string(), error.to_string());
    let found = store.get(ANA).expect("the store can be read").expect("ana has a row");
    assert_eq!((&found, found.revision()), (&row, row.revision()));
    assert!(!error.to_string().contains("fake-"));
    error
}

#[test]
fn a_refused_refresh_token_ends_the_login() {
    let body = r#"{ "error": "invalid_grant", "error_description": "spent" }"#;
    let error = error_of(&old_row(), &renew::agent(), StatusCode::BAD_REQUEST, body);
    assert!(login_has_ended(&error), "{error}");
}

#[test]
fn other_failures_of_a_provider_end_no_login() {
    for (status, body) in [
        (StatusCode::BAD_REQUEST, r#"{ "error": "temporarily_unavailable" }"#),
        (StatusCode::SERVICE_UNAVAILABLE, "<html>in a moment</html>"),
        (StatusCode::FOUND, "gone elsewhere"),
        (StatusCode::OK, r#"{ "access_token": "fake-cut", "token_ty"#),
        (StatusCode::OK, r#"{ "access_token": "", "refresh_token": "fake-refresh-2", "token_type": "bearer" }"#),
    ] {
        let error = error_of(&old_row(), &renew::agent(), status, body);
        assert!(matches!(error, RefreshError::Provider(_)) && !login_has_ended(&error), "{body}: {error}");
    }
}

#[test]
fn a_row_without_a_refresh_token_asks_nobody() {
    let row = Token::builder().user_name("ana").access_token("fake-old").expiry_time("1").build();
    let error = error_of(&row, &renew::agent(), StatusCode::OK, "not asked");
    let RefreshError::Provider(RequestTokenError::Other(why)) = error else { panic!("{error}") };
    assert_eq!(why, "the row has no refresh token");
}

#[test]
fn a_provider_that_does_not_answer_is_given_up() {
    let config = Agent::config_builder().proxy(None).timeout_global(Some(Duration::from_millis(50)));
    let error = error_of(&old_row(), &config.build().into(), StatusCode::OK, "");
    let RefreshError::Provider(RequestTokenError::Request(ureq::Error::Timeout(_))) = error else { panic!("{error}") };
}
