//! What is a token in JSON, and what an error about one may say.
//! Method: each slip of the pen; a line with secrets, cut and bent at every place; random tokens, with `serde_json`'s
//! own values as oracle.

mod samples;

use proptest::array::uniform10;
use proptest::collection::btree_map;
use proptest::option;
use proptest::prelude::*;
use samples::columns;
use serde_json::{Map, Value, json};
use tokcask::{LogStore, Token, TokenStore};
use tokcask_zoho::{Error, Import, JsonFault, Reason, from_json, mask, read_json, to_json};

const NAMES: [&str; 10] = [
    "id",
    "user_name",
    "client_id",
    "client_secret",
    "refresh_token",
    "access_token",
    "grant_token",
    "expiry_time",
    "redirect_url",
    "api_domain",
];

fn revealed(token: &Token) -> String {
    to_json(token, |secret| secret.into()).to_string()
}

fn fault(line: &str) -> JsonFault {
    match from_json(line) {
        Ok(token) => panic!("{line} is {token:?}"),
        Err(error) => error.fault,
    }
}

fn read(text: impl AsRef<[u8]>) -> Import {
    read_json(text.as_ref()).expect("every line is a token")
}

#[test]
fn every_name_is_written_in_a_fixed_order() {
    let token = Token::builder().id("7").user_name("ana \"A\"").access_token("fake\n").extra("b", "2").extra("a", "1");
    assert_eq!(
        revealed(&token.build()),
        "{\"id\":\"7\",\"user_name\":\"ana \\\"A\\\"\",\"client_id\":null,\"client_secret\":null,\"refresh_token\":null,\
         \"access_token\":\"fake\\n\",\"grant_token\":null,\"expiry_time\":null,\"redirect_url\":null,\
         \"api_domain\":null,\"extra\":{\"a\":\"1\",\"b\":\"2\"},\"created_at\":null,\"updated_at\":null,\
         \"revision\":null}"
    );
    assert!(revealed(&Token::builder().build()).contains("\"extra\":{},"));
}

#[test]
fn what_a_store_adds_is_written_and_passed_over_when_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = LogStore::open(folder.path().join("store")).unwrap();
    let before_ms = unix_ms();
    let saved = store.save_token(&Token::builder().user_name("ana").access_token("fake").build()).unwrap();
    let line = revealed(&saved);
    let value: Value = serde_json::from_str(&line).unwrap();
    let created_ms = value["created_at"].as_u64().unwrap();
    assert!((before_ms..=unix_ms()).contains(&created_ms), "{created_ms}");
    assert_eq!(value["updated_at"], value["created_at"]);
    assert_eq!(value["revision"].as_u64(), saved.revision());

    let token = from_json(&line).unwrap();
    assert_eq!((&token, token.created_at(), token.revision()), (&saved, None, None));
    let any = r#"{"created_at":[{"a":1e999}],"revision":"x","updated_at":{"id":{"id":-1}},"id":"7"}"#;
    assert_eq!(from_json(any).unwrap().id(), Some("7"));
    let deep = format!("{{\"revision\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(from_json(&deep).is_ok(), "the stack does not grow with what is passed over");
}

fn unix_ms() -> u64 {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    since.as_millis().try_into().unwrap()
}

#[test]
fn masks_hide_secrets_and_nothing_else() {
    let mut builder = Token::builder().id("7").user_name("ana").client_id("client").client_secret("fake-secret");
    builder = builder.refresh_token("1000.fake-refresh").access_token("fake-access").grant_token("fake-grant");
    builder = builder.expiry_time("17").redirect_url("https://app.example").api_domain("https://api.example");
    let line = to_json(&builder.extra("cookie", "fake-extra").build(), |secret| mask(secret).into());
    assert!(!line.contains("fake"), "{}", *line);
    let value: Value = serde_json::from_str(&line).unwrap();
    let shown = NAMES.map(|name| value[name].as_str().unwrap());
    let addresses = ["17", "https://app.example", "https://api.example"];
    assert_eq!(shown[..7], ["7", "ana", "client", "…", "1000.…", "…", "…"]);
    assert_eq!(shown[7..], addresses);
    assert_eq!(value["extra"], json!({"cookie": "…"}));
}

/// A masked listing that is fed back would overwrite every secret.
#[test]
fn masked_secrets_are_refused() {
    for name in ["client_secret", "refresh_token", "access_token", "grant_token"] {
        for masked in ["…", "…tail", "1000.…", "1000.…tail", "\\u2026tail"] {
            assert_eq!(fault(&format!("{{\"{name}\": \"{masked}\"}}")), JsonFault::Masked { name });
        }
        assert!(from_json(&format!("{{\"{name}\": \"…tails\"}}")).is_ok());
    }
    let error = from_json(r#"{"extra": {"cookie": "1000.…tail"}}"#).unwrap_err();
    assert_eq!(error.to_string(), "column 35: extra is a masked value; ask for the secret itself with --reveal");
    assert!(from_json(r#"{"user_name": "…", "access_token": "fake"}"#).is_ok(), "a name is no secret");
}

#[test]
fn missing_null_and_empty_values_are_told_apart_where_it_matters() {
    let token = from_json(r#" { "id" : "" , "user_name" : null, "extra": {"a": ""} } "#).unwrap();
    assert_eq!((token.id(), token.user_name(), token.client_id()), (Some(""), None, None));
    assert_eq!(token.extra().get("a"), Some(""));
    assert_eq!(from_json("{}").unwrap(), Token::builder().build());

    let import = read(r#"{"id": "", "user_name": "", "access_token": "fake", "extra": {"a": "", "b": "1"}}"#);
    let token = &import.rows[0].token;
    assert_eq!((token.id(), token.user_name()), (None, None));
    assert_eq!(token.extra().collect::<Vec<_>>(), [("b", "1")]);
}

#[test]
fn whatever_is_no_token_is_refused_with_its_place() {
    use JsonFault::{ExtraKeyEmpty, ExtraKeyTwice, ExtraNotAnObject, ExtraNotText, NotAnObject, NotJson, Truncated};
    let unknown = |nearest| JsonFault::UnknownName { nearest };
    for (line, expected) in [
        ("", Truncated),
        ("{", Truncated),
        (r#"{"id": "7"#, Truncated),
        ("id", NotJson),
        (r#"{"id": 'x'}"#, NotJson),
        (r#"{"id": "7",}"#, NotJson),
        (r#"{"id": "7"} {}"#, NotJson),
        (r#"{7: "7"}"#, NotJson),
        (r#"{"id": "\ud800"}"#, NotJson),
        ("{\"id\": \"a\tb\"}", NotJson),
        ("[]", NotAnObject),
        ("\"id\"", NotAnObject),
        ("null", NotAnObject),
        ("7", NotAnObject),
        (r#"{"name": "x"}"#, unknown(None)),
        (r#"{"acces_token": "x"}"#, unknown(Some("access_token"))),
        (r#"{"refreshToken": "x"}"#, unknown(Some("refresh_token"))),
        (r#"{"abcdefghijklmnopqrstuvwxyz": 1}"#, unknown(None)),
        (r#"{"1000.fake": 1}"#, unknown(None)),
        (r#"{"ID": "7"}"#, unknown(Some("id"))),
        (r#"{"": "7"}"#, unknown(None)),
        (r#"{"id": "7", "id": "7"}"#, JsonFault::NameTwice { name: "id" }),
        (r#"{"id": null, "\u0069d": null}"#, JsonFault::NameTwice { name: "id" }),
        (r#"{"extra": {}, "extra": {}}"#, JsonFault::NameTwice { name: "extra" }),
        (r#"{"revision": 1, "revision": 2}"#, JsonFault::NameTwice { name: "revision" }),
        (r#"{"expiry_time": 17}"#, JsonFault::NotText { name: "expiry_time" }),
        (r#"{"id": -1}"#, JsonFault::NotText { name: "id" }),
        (r#"{"id": 1.5}"#, JsonFault::NotText { name: "id" }),
        (r#"{"id": true}"#, JsonFault::NotText { name: "id" }),
        (r#"{"id": ["7"]}"#, JsonFault::NotText { name: "id" }),
        (r#"{"id": {"id": "7"}}"#, JsonFault::NotText { name: "id" }),
        (r#"{"extra": null}"#, ExtraNotAnObject),
        (r#"{"extra": "x"}"#, ExtraNotAnObject),
        (r#"{"extra": [["a", "1"]]}"#, ExtraNotAnObject),
        (r#"{"extra": {"a": null}}"#, ExtraNotText),
        (r#"{"extra": {"a": 1}}"#, ExtraNotText),
        (r#"{"extra": {"a": {"b": "c"}}}"#, ExtraNotText),
        (r#"{"extra": {"a": "1", "a": "2"}}"#, ExtraKeyTwice),
        (r#"{"extra": {"": "1"}}"#, ExtraKeyEmpty),
    ] {
        assert_eq!(fault(line), expected, "{line}");
    }
    let error = from_json(r#"{"id": "7", "expiry_time": 17}"#).unwrap_err();
    assert_eq!(error.to_string(), "column 29: expiry_time is neither text nor null");
}

/// Wherever a secret ends up by a slip, the message goes to a terminal or a log.
#[test]
fn errors_never_hold_content_of_the_line() {
    const SECRET: &str = "1000.s3cr3t0s3cr3t0s3cr3t0s3cr3t0";
    let mut lines = vec![
        format!("{{\"{SECRET}\": \"id\"}}"),
        format!("{{\"id\": {SECRET}}}"),
        format!("{{\"extra\": \"{SECRET}\"}}"),
        format!("{{\"extra\": {{\"{SECRET}\": 1}}}}"),
        format!("{{\"extra\": {{\"{SECRET}\": \"\", \"{SECRET}\": \"\"}}}}"),
        format!("{{\"extra\": [\"{SECRET}\"]}}"),
        format!("\"{SECRET}\""),
        format!("[\"{SECRET}\"]"),
        SECRET.to_owned(),
    ];
    let line = format!("{{\"id\":\"{SECRET}\",\"access_token\":\"{SECRET}\",\"extra\":{{\"{SECRET}\":\"{SECRET}\"}}}}");
    for at in 0..line.len() {
        lines.push(line[..at].to_owned());
        for bend in ["", "\"", "\"\"", "{", "}", "[", "]", ",", ":", "\\", "1", "x", "…", "null", "\n"] {
            lines.push(format!("{}{bend}{}", &line[..at], &line[at..]));
            lines.push(format!("{}{bend}{}", &line[..at], &line[at + 1..]));
        }
    }
    let mut refused = 0;
    for line in lines {
        if let Err(source) = from_json(&line) {
            let error = Error::Json { line: 1, source: source.clone() };
            let printed = format!("{source} {source:?} {error} {error:?}");
            assert!(!printed.contains("s3cr") && !printed.contains("1000"), "{line}: {printed}");
            refused += 1;
        }
    }
    assert!(refused > 2000, "{refused}");
}

#[test]
fn lines_are_counted_and_blank_ones_passed_over() {
    let one = r#"{"id": "1", "access_token": "fake-1"}"#;
    let two = r#"{"id": "2", "access_token": "fake-2"}"#;
    for text in [format!("\u{feff}{one}\r\n\r\n \t\n{two}"), format!("{one}\n\n\n{two}\n\n")] {
        let import = read(text);
        let rows: Vec<_> = import.rows.iter().map(|row| (row.line, row.token.id().unwrap())).collect();
        assert_eq!(rows, [(1, "1"), (4, "2")]);
        assert!(import.skipped.is_empty());
    }
    for text in ["", "\n", "\u{feff}\r\n"] {
        assert!(read(text).rows.is_empty());
    }
}

#[test]
fn rows_that_cannot_be_used_are_skipped_as_in_a_file_store() {
    let import = read(
        "{\"id\": \"1\", \"access_token\": \"fake-1\"}\n{\"id\": \"2\", \"refresh_token\": \"\"}\n\
         {\"id\": \"1\", \"access_token\": \"fake-2\"}\n{\"id\": \"\", \"access_token\": \"fake-3\"}\n\
         {\"access_token\": \"fake-4\"}\n",
    );
    let skipped: Vec<_> = import.skipped.iter().map(|skipped| (skipped.line, skipped.reason)).collect();
    assert_eq!(skipped, [(2, Reason::NoToken)]);
    assert_eq!(import.rows.len(), 4);
}

#[test]
fn a_bad_line_is_an_error_with_its_number() {
    let error = read_json(&b"{\"id\": \"1\", \"access_token\": \"fake\"}\n\n{\"id\": 2}\n{"[..]).unwrap_err();
    assert_eq!(error.to_string(), "line 3 of the token file: column 8: id is neither text nor null");
    let error = read_json(&b"{}\n{\"id\": \"\xff\"}"[..]).unwrap_err();
    assert!(matches!(error, Error::NotUtf8 { line: 2 }));
}

fn token() -> impl Strategy<Value = Token> {
    let extra = btree_map(".{1,4}", any::<String>(), 0..4);
    (uniform10(option::of(any::<String>())), extra).prop_map(|(values, extra)| {
        let mut object: Map<_, _> = NAMES.iter().map(|name| (*name).to_owned()).zip(values.map(Value::from)).collect();
        object.insert("extra".to_owned(), json!(extra));
        from_json(&Value::Object(object).to_string()).expect("what serde_json writes is JSON")
    })
}

/// It comes back, and the oracle finds each value where it belongs.
fn check_token(token: &Token) {
    let line = revealed(token);
    assert!(!line.contains(['\r', '\n']));
    assert_eq!(&from_json(&line).unwrap(), token);

    let value: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(NAMES.map(|name| value[name].as_str()), columns(token));
    let extra: Map<_, _> = token.extra().map(|(key, value)| (key.to_owned(), value.into())).collect();
    assert_eq!(value["extra"], Value::Object(extra));
}

/// Neither panics nor, in an error, shows what it stumbled over.
fn check_text(text: &str) {
    if let Err(error) = read_json(text.as_bytes()) {
        assert!(!error.to_string().contains(['\n', '"', '\\', '…']), "{error}");
    }
}

proptest! {
    #[test]
    fn any_token_comes_back(token in token()) {
        check_token(&token);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[{}\\[\\]:,\"\\\\ \nidextra_…0-9]{0,40}") {
        check_text(&text);
    }
}
