//! The shared cases: scripted operations with the answers that a token store for the Zoho SDKs must give.
//!
//! Method: every script runs against `ListStore` and against `LogStore` (mapped and copying), and each answer is
//! compared with the one beside the script. The field `expires_in` of the scripts is our `expiry_time`.

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Map, Value, json};
use tokcask::{Error, ListStore, LogStore, Options, ReadMode, Token, TokenBuilder, TokenStore};

const SCRIPTS: [&str; 4] = ["01_find_precedence", "03_merge", "04_save_upsert", "06_ids"];

#[test]
fn list_store_answers_every_case_as_the_model_does() {
    for script in SCRIPTS {
        run(script, &mut Lists::default());
    }
}

#[test]
fn log_store_answers_every_case_as_the_model_does() {
    for read_mode in [ReadMode::Map, ReadMode::Copy] {
        for script in SCRIPTS {
            run(script, &mut Logs::new(read_mode));
        }
    }
}

/// A new log store and a new list store have to do the same.
fn on_each_kind_of_store(check: impl Fn(&dyn TokenStore)) {
    let directory = tempfile::tempdir().unwrap();
    check(&LogStore::open(directory.path().join("tokens")).unwrap());
    check(&ListStore::new());
}

/// Else such a row, imported, could bring the counter to its end, and no store could give an id any more.
#[test]
fn only_a_plain_decimal_number_of_at_most_18_digits_moves_the_id_counter() {
    on_each_kind_of_store(|store| {
        let save = |token: TokenBuilder| store.save_token(&token.access_token("fake").build()).unwrap();
        for id in ["007", "+7", "-7", "0", "7 ", "٧", "1000000000000000000", "18446744073709551615"] {
            save(Token::builder().id(id));
        }
        let next = |user: &str| save(Token::builder().user_name(user)).id().map(str::to_owned);
        assert_eq!(next("ann").as_deref(), Some("1"));
        save(Token::builder().id("999999999999999999"));
        assert_eq!(next("bob").as_deref(), Some("1000000000000000001"), "the one before it is taken");
    });
}

/// A row that takes a key which a younger one has comes before it, in memory and after a restart.
#[test]
fn an_older_row_that_takes_a_younger_ones_key_is_the_one_that_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    let store = LogStore::open(&path).unwrap();
    let row = |user: &str, access: &str| Token::builder().user_name(user).access_token(access).build();
    for (user, access) in [("ann", "first"), ("bob", "second"), ("cid", "third"), ("bob", "third"), ("ann", "third")] {
        store.save_token(&row(user, access)).unwrap();
    }
    let found = |store: &LogStore| store.find_token(&Token::builder().access_token("third").build()).unwrap().unwrap();
    assert_eq!(found(&store).user_name(), Some("ann"));
    store.close().unwrap();
    drop(store);
    let store = LogStore::open(&path).unwrap();
    for user in ["ann", "bob", "cid"] {
        let row = found(&store);
        assert_eq!(row.user_name(), Some(user));
        store.delete_token(row.id().unwrap()).unwrap();
    }
}

/// Each key has its own order of rows: when the oldest goes, the next one is another by each of them.
#[test]
fn a_row_that_shares_each_key_with_another_one_leaves_both_to_be_found() {
    on_each_kind_of_store(|store| {
        let row = |user: &str| Token::builder().user_name(user);
        store.save_token(&row("ann").access_token("fake-access").grant_token("fake-grant").build()).unwrap();
        store.save_token(&row("bob").access_token("fake-access").build()).unwrap();
        store.save_token(&row("cid").grant_token("fake-grant").build()).unwrap();
        store.delete_token("1").unwrap();
        let by_access = Token::builder().access_token("fake-access").build();
        let by_grant = Token::builder().grant_token("fake-grant").client_id("c").client_secret("s").build();
        for (key, user) in [(by_access, "bob"), (by_grant, "cid")] {
            assert_eq!(store.find_token(&key).unwrap().expect("it is there").user_name(), Some(user));
        }
    });
}

/// Where a script's stores come from.
trait Stores {
    fn fresh(&mut self) -> &dyn TokenStore;
    fn reopen(&mut self) -> &dyn TokenStore;
    fn current(&self) -> &dyn TokenStore;
}

#[derive(Default)]
struct Lists(ListStore);

impl Stores for Lists {
    fn fresh(&mut self) -> &dyn TokenStore {
        self.0 = ListStore::new();
        &self.0
    }
    fn reopen(&mut self) -> &dyn TokenStore {
        &self.0
    }
    fn current(&self) -> &dyn TokenStore {
        &self.0
    }
}

struct Logs {
    directory: tempfile::TempDir,
    count: u32,
    options: Options,
    store: Option<LogStore>,
}

impl Logs {
    fn new(read_mode: ReadMode) -> Self {
        let options = Options::new().read_mode(read_mode);
        Self { directory: tempfile::tempdir().unwrap(), count: 0, options, store: None }
    }
}

impl Stores for Logs {
    fn fresh(&mut self) -> &dyn TokenStore {
        self.count += 1;
        self.reopen()
    }
    fn reopen(&mut self) -> &dyn TokenStore {
        self.store = None;
        let path = self.directory.path().join(self.count.to_string());
        self.store.insert(self.options.open(path).unwrap())
    }
    fn current(&self) -> &dyn TokenStore {
        self.store.as_ref().unwrap()
    }
}

fn run(script: &str, stores: &mut dyn Stores) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cases");
    let lines = std::fs::read_to_string(folder.join(format!("{script}.jsonl"))).unwrap();
    let answers = std::fs::read_to_string(folder.join(format!("{script}.model.out.json"))).unwrap();
    let answers: Value = serde_json::from_str(&answers).unwrap();
    let mut expected = answers["cases"].as_array().unwrap().iter();
    let mut results = [].iter();
    let mut kept: HashMap<String, Token> = HashMap::new();
    let mut compared = 0;
    let mut ours = false;
    for (number, line) in lines.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        let step: Value = serde_json::from_str(line).unwrap();
        if step["op"] == "case" {
            assert!(results.next().is_none(), "answers left over before line {}", number + 1);
            let case = expected.next().unwrap();
            assert_eq!(case["case"], step["name"]);
            results = case["results"].as_array().unwrap().iter();
            kept.clear();
            let store = stores.fresh();
            ours = step["name"] == "an empty id";
            if ours {
                empty_id_is_refused(store);
            }
            continue;
        }
        let expected = results.next().unwrap();
        assert_eq!(expected["line"], number + 1);
        if ours || expected.get("unsupported").is_some() {
            continue; // a departure of ours, or a look into the SDK's own file
        }
        let actual = if step["op"] == "reopen" {
            stores.reopen();
            json!({})
        } else {
            answer(stores.current(), &mut kept, &step)
        };
        compared += 1;
        for (field, actual) in actual.as_object().unwrap() {
            assert_eq!(&expected[field], actual, "{script} line {}, {field}", number + 1);
        }
        let raised = expected.get("raised").is_some();
        assert_eq!(raised, actual.get("code").is_some(), "{script} line {}: {expected} / {actual}", number + 1);
    }
    assert!(compared > 10, "{script}: {compared} answers compared");
}

/// The one place where the model does otherwise: it stores a row that nothing can find.
fn empty_id_is_refused(store: &dyn TokenStore) {
    let saved = store.save_token(&Token::builder().id("").refresh_token("r1").build());
    assert!(matches!(saved, Err(Error::EmptyId)));
    assert_eq!(store.get_tokens().unwrap(), []);
    assert!(matches!(store.find_token_by_id(""), Err(Error::UnknownId { .. })));
    assert!(matches!(store.delete_token(""), Err(Error::UnknownId { .. })));
}

fn answer(store: &dyn TokenStore, kept: &mut HashMap<String, Token>, step: &Value) -> Value {
    match step["op"].as_str().unwrap() {
        "save" => {
            let token = argument(kept, step);
            let saved = store.save_token(&token);
            // What the SDK sees in its argument: our return value, with empty strings where the argument had them.
            let after = saved.as_ref().map_or_else(|_| token.clone(), |saved| laid_over(&token, saved));
            keep(kept, step, &after);
            saved.map_or_else(|error| failure(&error), |_| json!({ "argument_after": show(&after) }))
        }
        "find" => {
            let token = argument(kept, step);
            match store.find_token(&token).unwrap() {
                None => {
                    keep(kept, step, &token);
                    json!({ "found": false, "argument_after": show(&token) })
                }
                Some(found) => {
                    keep(kept, step, &found);
                    json!({ "found": true, "token": show(&found) })
                }
            }
        }
        "find_by_id" => match step["id"].as_str().map_or(Err(no_id()), |id| store.find_token_by_id(id)) {
            Ok(found) => json!({ "found": true, "token": show(&found) }),
            Err(error) => failure(&error),
        },
        "delete" => match store.delete_token(step["id"].as_str().unwrap()) {
            Ok(()) => json!({ "returned": null }),
            Err(error) => failure(&error),
        },
        "delete_all" => store.delete_tokens().map(|()| json!({ "returned": null })).unwrap(),
        "get_all" => json!({ "tokens": store.get_tokens().unwrap().iter().map(show).collect::<Vec<_>>() }),
        other => panic!("unknown operation {other}"),
    }
}

fn no_id() -> Error {
    Error::UnknownId { id: String::new() }
}

fn failure(error: &Error) -> Value {
    match error {
        Error::UnknownId { .. } | Error::TooLittle | Error::EmptyId => json!({ "code": "TOKEN_STORE" }),
        other => panic!("{other}"),
    }
}

fn argument(kept: &HashMap<String, Token>, step: &Value) -> Token {
    let (mut builder, fields) = match step.get("ref") {
        Some(name) => (kept[name.as_str().unwrap()].to_builder(), step.get("set")),
        None => (Token::builder(), step.get("token")),
    };
    for (name, value) in fields.and_then(Value::as_object).unwrap_or(&Map::new()) {
        // A signature object whose name is null matches nothing, as an empty name does.
        let value = if value.is_object() { value["name"].as_str().unwrap_or("") } else { value.as_str().unwrap() };
        builder = set(builder, name, value);
    }
    builder.build()
}

fn set(builder: TokenBuilder, name: &str, value: &str) -> TokenBuilder {
    match name {
        "id" => builder.id(value),
        "user_name" => builder.user_name(value),
        "client_id" => builder.client_id(value),
        "client_secret" => builder.client_secret(value),
        "refresh_token" => builder.refresh_token(value),
        "access_token" => builder.access_token(value),
        "grant_token" => builder.grant_token(value),
        "expires_in" => builder.expiry_time(value),
        "redirect_url" => builder.redirect_url(value),
        "api_domain" => builder.api_domain(value),
        other => panic!("unknown field {other}"),
    }
}

fn fields(token: &Token) -> [(&'static str, Option<&str>); 10] {
    [
        ("id", token.id()),
        ("user_name", token.user_name()),
        ("client_id", token.client_id()),
        ("client_secret", token.client_secret().map(tokcask::Secret::expose_secret)),
        ("refresh_token", token.refresh_token().map(tokcask::Secret::expose_secret)),
        ("access_token", token.access_token().map(tokcask::Secret::expose_secret)),
        ("grant_token", token.grant_token().map(tokcask::Secret::expose_secret)),
        ("expires_in", token.expiry_time()),
        ("redirect_url", token.redirect_url()),
        ("api_domain", token.api_domain()),
    ]
}

fn laid_over(argument: &Token, saved: &Token) -> Token {
    let mut builder = saved.to_builder();
    for (name, value) in fields(argument) {
        if value == Some("") {
            builder = set(builder, name, "");
        }
    }
    builder.build()
}

fn keep(kept: &mut HashMap<String, Token>, step: &Value, token: &Token) {
    if let Some(name) = step.get("as").or(step.get("ref")) {
        kept.insert(name.as_str().unwrap().to_owned(), token.clone());
    }
}

fn show(token: &Token) -> Value {
    let present = fields(token).into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
    Value::Object(present.collect())
}
