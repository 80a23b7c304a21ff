//! `LogStore` answers as `ListStore` does, whatever is asked, and also after reopening and compacting.
//!
//! Method: random scripts over few names and tokens, so that rows collide in every key; both stores run each script
//! and every answer is compared, then all rows, with revisions. Shrunk by proptest. `PROPTEST_CASES` sets how many scripts.

use std::time::Duration;

use proptest::prelude::*;
use tokcask::{Error, Key, ListStore, OnClash, Options, ReadMode, Result, SweepPolicy, Token, TokenStore};

/// An expiry that is over, whatever the clock says.
const OVER: &str = "1000000000000";

#[derive(Clone, Debug)]
enum Step {
    Save(Token),
    Batch(Vec<Token>),
    CompareAndSave(Token, u64),
    Import(Vec<Token>, OnClash),
    Find(Token),
    Get(usize, String),
    Delete(String),
    Sweep(SweepPolicy),
    Clear,
    Compact,
    Reopen,
}

/// Values from a small world: null, empty, or one of a few.
fn value(names: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
    let some = prop::sample::select(names).prop_map(|name| Some(name.to_owned()));
    prop_oneof![5 => Just(None), 1 => Just(Some(String::new())), 6 => some]
}

fn id() -> impl Strategy<Value = Option<String>> {
    let known =
        prop::sample::select(&["1", "2", "3", "7", "007", "abc", "é", "999999999999999999", "1000000000000000000"][..]);
    prop_oneof![12 => Just(None), 1 => Just(Some(String::new())), 6 => known.prop_map(|id| Some(id.to_owned()))]
}

fn token() -> impl Strategy<Value = Token> {
    let keys = (
        id(),
        value(&["ann", "bob", "Ann", "zoë"]),
        value(&["a1", "a2", "a3"]),
        value(&["r1", "r2"]),
        value(&["g1", "g2"]),
    );
    let client = (value(&["c"]), value(&["s"]));
    let rest = (
        value(&[OVER, "99999999999999", "soon"]),
        value(&["u"]),
        value(&["d"]),
        prop::collection::vec(("[xyz]", "[vw]?"), 0..3),
    );
    (keys, client, rest).prop_map(
        |((id, user, access, refresh, grant), (client, secret), (expiry, url, domain, extra))| {
            let mut builder = Token::builder();
            macro_rules! set {
            ($($value:ident $column:ident),*) => {
                $(if let Some(value) = $value { builder = builder.$column(value); })*
            };
        }
            set!(id id, user user_name, access access_token, refresh refresh_token, grant grant_token, client client_id,
            secret client_secret, expiry expiry_time, url redirect_url, domain api_domain);
            for (key, value) in extra {
                builder = builder.extra(key, value);
            }
            builder.build()
        },
    )
}

fn on_clash() -> impl Strategy<Value = OnClash> {
    prop::sample::select(&[OnClash::Refuse, OnClash::Keep, OnClash::Replace, OnClash::Renumber][..])
}

/// By expiry alone: what is old is a matter of the clock.
fn sweep_policy() -> impl Strategy<Value = SweepPolicy> {
    (any::<bool>(), any::<bool>()).prop_map(|(with_refresh_token, dry_run)| SweepPolicy {
        expired_for: Some(Duration::ZERO),
        with_refresh_token,
        dry_run,
        ..SweepPolicy::default()
    })
}

/// Does it to a list, row by row. Returns the ids of those that go, and how many are spared.
fn sweep(list: &ListStore, policy: &SweepPolicy) -> (Vec<String>, u64) {
    let mut rows = list.get_tokens().unwrap();
    rows.retain(|row| row.access_token().is_some() && row.expiry_time() == Some(OVER));
    let over = rows.len();
    rows.retain(|row| policy.with_refresh_token || row.refresh_token().is_none());
    let ids: Vec<_> = rows.iter().map(|row| row.id().unwrap().to_owned()).collect();
    for id in ids.iter().filter(|_| !policy.dry_run) {
        assert!(list.delete(id).unwrap());
    }
    let spared = over - ids.len();
    (ids, spared as u64)
}

fn step() -> impl Strategy<Value = Step> {
    let key = prop::sample::select(&["", "1", "2", "abc", "ann", "bob", "a1", "a2", "r1", "g1", "g2"][..]);
    let id = prop::sample::select(&["", "1", "2", "3", "4", "5", "abc", "nobody", "1000000000000000000"][..]);
    prop_oneof![
        10 => token().prop_map(Step::Save),
        3 => prop::collection::vec(token(), 0..6).prop_map(Step::Batch),
        2 => (token(), 0..12_u64).prop_map(|(token, revision)| Step::CompareAndSave(token, revision)),
        2 => (prop::collection::vec(token(), 0..6), on_clash()).prop_map(|(rows, clash)| Step::Import(rows, clash)),
        6 => token().prop_map(Step::Find),
        4 => (0..5_usize, key).prop_map(|(column, key)| Step::Get(column, key.to_owned())),
        3 => id.prop_map(|id| Step::Delete(id.to_owned())),
        2 => sweep_policy().prop_map(Step::Sweep),
        1 => Just(Step::Clear),
        1 => Just(Step::Compact),
        2 => Just(Step::Reopen),
    ]
}

fn key(column: usize, value: &str) -> Key<'_> {
    [Key::Id, Key::UserName, Key::AccessToken, Key::RefreshToken, Key::GrantToken][column](value)
}

/// An answer that can be compared: rows with their revisions, or the error.
fn answer<T>(
    result: Result<T>,
    rows: impl Fn(T) -> Vec<Token>,
) -> std::result::Result<Vec<(Token, Option<u64>)>, String> {
    let with_revisions =
        |tokens: Vec<Token>| tokens.into_iter().map(|token| (token.clone(), token.revision())).collect();
    result.map(|found| with_revisions(rows(found))).map_err(|error: Error| error.to_string())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn log_store_answers_as_a_list_does(steps in prop::collection::vec(step(), 1..60), copy in any::<bool>()) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens");
        let options = Options::new().read_mode(if copy { ReadMode::Copy } else { ReadMode::Map });
        let list = ListStore::new();
        let mut log = options.open(&path).unwrap();
        for step in &steps {
            match step {
                Step::Save(token) => {
                    prop_assert_eq!(answer(log.save_token(token), |row| vec![row]), answer(list.save_token(token), |row| vec![row]));
                }
                Step::Batch(tokens) => {
                    prop_assert_eq!(answer(log.save_tokens(tokens), |rows| rows), answer(list.save_tokens(tokens), |rows| rows));
                }
                Step::CompareAndSave(token, revision) => {
                    let ours = answer(log.compare_and_save(token, *revision), |row| vec![row]);
                    prop_assert_eq!(ours, answer(list.compare_and_save(token, *revision), |row| vec![row]));
                }
                Step::Import(rows, clash) => {
                    let reports = (log.import(rows, *clash), list.import(rows, *clash));
                    let text = |error: Error| error.to_string();
                    prop_assert_eq!(reports.0.map_err(text), reports.1.map_err(text));
                }
                Step::Find(token) => {
                    let rows = |found: Option<Token>| found.into_iter().collect();
                    prop_assert_eq!(answer(log.find_token(token), rows), answer(list.find_token(token), rows));
                }
                Step::Get(column, value) => {
                    let ours = log.get(key(*column, value)).unwrap();
                    prop_assert_eq!(&ours, &list.get(key(*column, value)).unwrap());
                    prop_assert_eq!(ours, log.view(key(*column, value), |view| view.to_token()).unwrap());
                }
                Step::Delete(id) => prop_assert_eq!(log.delete(id).unwrap(), list.delete(id).unwrap()),
                Step::Sweep(policy) => {
                    let examined = list.get_tokens().unwrap().len() as u64;
                    let report = log.sweep(policy).unwrap();
                    let ids = report.swept.into_iter().map(|row| row.id).collect();
                    prop_assert_eq!(((ids, report.spared), report.examined, report.moved_on), (sweep(&list, policy), examined, 0));
                }
                Step::Clear => {
                    log.delete_tokens().unwrap();
                    list.delete_tokens().unwrap();
                }
                Step::Compact => {
                    let report = log.compact().unwrap();
                    prop_assert_eq!(report.tokens, list.get_tokens().unwrap().len() as u64);
                }
                Step::Reopen => {
                    drop(log);
                    log = options.open(&path).unwrap();
                    prop_assert!(log.open_report().recovered.is_none());
                }
            }
            let stats = log.stats().unwrap();
            prop_assert_eq!(stats.tokens, list.get_tokens().unwrap().len() as u64);
        }
        prop_assert_eq!(answer(log.get_tokens(), |rows| rows), answer(list.get_tokens(), |rows| rows));
        prop_assert_eq!(answer(log.iter().collect::<Result<Vec<_>>>(), |rows| rows), answer(list.get_tokens(), |rows| rows));
    }
}
