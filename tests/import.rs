//! Rows of another store come in as they are, by id: all of them or none, however many, whatever happens meanwhile.
//!
//! Method: small imports with every kind of clash, beside a plain list in `model.rs`; one that is too long for a frame,
//! stopped at each of its calls on the simulated storage.

mod sim;

use std::path::Path;
use std::sync::Arc;

use sim::{Call, Damage, Fault, Plan, Sim};
use tokcask::{ErrorKind, Key, ListStore, LogStore, OnClash, Options, ReadMode, Token, TokenStore, open_on};

fn row(id: Option<&str>, user: &str, access: &str) -> Token {
    let builder = Token::builder().user_name(user).access_token(access);
    id.map_or(builder.clone(), |id| builder.id(id)).build()
}

fn open(sim: &Sim) -> tokcask::Result<LogStore> {
    open_on(&Options::new().background(false).read_mode(ReadMode::Copy), Arc::new(sim.clone()), Path::new("/store"))
}

/// Id, user name and access token of all rows, in order.
fn summary(store: &impl TokenStore) -> Vec<(String, String, String)> {
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let access = |token: &Token| text(token.access_token().map(tokcask::Secret::expose_secret));
    store.get_tokens().unwrap().iter().map(|row| (text(row.id()), text(row.user_name()), access(row))).collect()
}

fn three(rows: [(&str, &str, &str); 3]) -> Vec<(String, String, String)> {
    rows.map(|(id, user, access)| (id.to_owned(), user.to_owned(), access.to_owned())).to_vec()
}

#[test]
fn rows_stay_apart_though_they_share_keys_and_the_oldest_is_found() {
    let store = open(&Sim::new()).unwrap();
    let rows = [row(Some("9"), "ann", "a1"), row(Some("x"), "ann", "a2"), row(Some("3"), "ann", "a1")];
    assert_eq!(store.import(&rows, OnClash::Refuse).unwrap().imported, 3);
    assert_eq!(summary(&store), three([("9", "ann", "a1"), ("x", "ann", "a2"), ("3", "ann", "a1")]));
    assert_eq!(store.get(Key::UserName("ann")).unwrap().unwrap().id(), Some("9"));
    assert_eq!(store.get(Key::AccessToken("a1")).unwrap().unwrap().id(), Some("9"));
    assert_eq!(store.get(Key::AccessToken("a2")).unwrap().unwrap().id(), Some("x"));
    assert_eq!(store.save_token(&row(None, "bob", "b")).unwrap().id(), Some("10"), "the counter goes on above");
}

#[test]
fn a_row_without_an_id_never_gets_one_that_another_row_brings() {
    let store = open(&Sim::new()).unwrap();
    let rows = [row(None, "ann", "a"), row(Some("1"), "bob", "b"), row(None, "cid", "c")];
    store.import(&rows, OnClash::Refuse).unwrap();
    assert_eq!(summary(&store), three([("2", "ann", "a"), ("1", "bob", "b"), ("3", "cid", "c")]));
    store.delete("3").unwrap();
    assert_eq!(store.save_token(&row(None, "dan", "d")).unwrap().id(), Some("4"), "nor is one given twice");
}

#[test]
fn a_clash_is_refused_kept_replaced_or_renumbered() {
    let imported = [row(Some("2"), "new", "n"), row(Some("5"), "five", "f")];
    for (on_clash, rows) in [
        (OnClash::Keep, vec![("1", "ann", "a"), ("2", "bob", "b"), ("5", "five", "f")]),
        (OnClash::Replace, vec![("1", "ann", "a"), ("2", "new", "n"), ("5", "five", "f")]),
        (OnClash::Renumber, vec![("1", "ann", "a"), ("2", "bob", "b"), ("6", "new", "n"), ("5", "five", "f")]),
    ] {
        let store = open(&Sim::new()).unwrap();
        let extra = row(None, "bob", "b").to_builder().api_domain("gone").extra("scope", "gone").build();
        store.save_tokens(&[row(None, "ann", "a"), extra]).unwrap();
        let before = store.get(Key::Id("2")).unwrap().unwrap();
        let refused = store.import(&imported, OnClash::Refuse).unwrap_err();
        assert_eq!((refused.kind(), refused.to_string().contains("\"2\"")), (ErrorKind::IdTaken, true));
        let report = store.import(&imported, on_clash).unwrap();
        assert_eq!((report.imported, report.clashes), (if on_clash == OnClash::Keep { 1 } else { 2 }, 1));
        let rows: Vec<_> =
            rows.iter().map(|(id, user, access)| ((*id).into(), (*user).into(), (*access).into())).collect();
        assert_eq!(summary(&store), rows, "{on_clash:?}");
        if on_clash == OnClash::Replace {
            let after = store.get(Key::Id("2")).unwrap().unwrap();
            assert_eq!((after.api_domain(), after.extra().get("scope")), (None, None), "nothing is merged");
            assert_eq!(after.created_at(), before.created_at());
            assert!(after.revision() > before.revision());
            assert!(store.get(Key::UserName("bob")).unwrap().is_none(), "the old keys are gone");
        }
    }
}

#[test]
fn a_row_that_cannot_be_stored_refuses_all() {
    let store = open(&Sim::new()).unwrap();
    store.save_token(&row(None, "ann", "a")).unwrap();
    let before = (summary(&store), store.stats().unwrap());
    let good = row(Some("7"), "bob", "b");
    for (bad, kind) in [
        (Token::builder().id("8").user_name("nobody").build(), ErrorKind::TooLittle),
        (row(Some(""), "empty", "e"), ErrorKind::EmptyId),
        (row(Some("8"), &"x".repeat(70_000), "e"), ErrorKind::TooLarge),
    ] {
        assert_eq!(store.import(&[good.clone(), bad], OnClash::Refuse).unwrap_err().kind(), kind);
        assert_eq!((summary(&store), store.stats().unwrap()), before);
    }
}

/// More than a frame holds: 70 rows of nearly a megabyte, three of which replace others.
fn long() -> Vec<Token> {
    let row = |number: u32| {
        let id = if number < 3 { (number + 1).to_string() } else { format!("long{number}") };
        let builder = Token::builder().id(id).user_name(format!("long{number}")).access_token(format!("long{number}"));
        builder.redirect_url("x".repeat(1_000_000)).build()
    };
    (0..70).map(row).collect()
}

fn prepared() -> (Sim, ListStore) {
    let (sim, list) = (Sim::new(), ListStore::new());
    let store = open(&sim).unwrap();
    let rows: Vec<_> = (0..5).map(|number| row(None, &format!("user{number}"), &format!("a{number}"))).collect();
    store.save_tokens(&rows).unwrap();
    store.delete("4").unwrap();
    list.save_tokens(&rows).unwrap();
    list.delete("4").unwrap();
    (sim, list)
}

#[test]
fn what_is_too_long_for_a_frame_comes_in_whole() {
    let (sim, list) = prepared();
    let sim = sim.kill();
    let store = open(&sim).unwrap();
    assert_eq!(store.save_tokens(&long()).unwrap_err().kind(), ErrorKind::TooLarge, "it is too long for a frame");
    let report = store.import(&long(), OnClash::Replace).unwrap();
    assert_eq!(report, list.import(&long(), OnClash::Replace).unwrap());
    let revisions = |store: &dyn TokenStore| -> Vec<_> {
        store.get_tokens().unwrap().into_iter().map(|row| (row.clone(), row.revision())).collect()
    };
    assert!(revisions(&store) == revisions(&list));
    assert_eq!(store.save_token(&row(None, "new", "n")).unwrap().id(), Some("6"));
    drop(store);
    let store = open(&sim).unwrap();
    assert_eq!(store.get_tokens().unwrap().len(), 4 + 70 - 3 + 1);
    assert_eq!(store.get(Key::UserName("long1")).unwrap().unwrap().id(), Some("2"));
    assert!(store.get(Key::UserName("user1")).unwrap().is_none());
}

#[test]
fn a_long_import_that_is_stopped_anywhere_is_there_whole_or_not_at_all() {
    let (sim, list) = prepared();
    let before = summary(&list);
    list.import(&long(), OnClash::Replace).unwrap();
    let after = summary(&list);
    let dry = sim.kill();
    let store = open(&dry).unwrap();
    let opened = dry.calls();
    store.import(&long(), OnClash::Replace).unwrap();
    drop(store);
    // Reads, writes and words of the page are many, and alike.
    let trace = dry.trace();
    let tells = |call: &u64| {
        !matches!(trace[usize::try_from(*call).unwrap()], Call::Read | Call::Write | Call::Open | Call::Page)
    };
    let mut places: Vec<_> = (opened..dry.calls()).filter(tells).collect();
    places.drain(..places.len() - 8);
    // Behind the last of them it is only shown.
    places.extend(places[7] + 1..dry.calls());
    let mut seen = [0, 0];
    for (number, call) in places.into_iter().enumerate() {
        let crashing = sim.kill();
        let store = open(&crashing).unwrap();
        crashing.set_plan(Some(Plan::at(call, Fault::Crash)));
        let acknowledged = store.import(&long(), OnClash::Replace).is_ok();
        let image = if number % 3 == 0 { crashing.kill() } else { crashing.power_loss(Damage::Mixed, call) };
        drop(store);
        let found = summary(&open(&image).unwrap());
        assert!(found == after || (found == before && !acknowledged), "stopped at call {call}: {} rows", found.len());
        seen[usize::from(found == after)] += 1;
    }
    assert!(seen[0] > 3 && seen[1] > 1, "{seen:?}");
}

#[test]
fn a_long_import_without_room_changes_nothing() {
    let (sim, list) = prepared();
    let store = open(&sim.kill()).unwrap();
    drop(store);
    let sim = sim.kill();
    let store = open(&sim).unwrap();
    sim.set_quota(Some(sim.used() + (40 << 20)));
    assert_eq!(store.import(&long(), OnClash::Replace).unwrap_err().kind(), ErrorKind::NoSpace);
    assert_eq!(summary(&store), summary(&list));
    assert_eq!(sim.names(Path::new("/store")), ["store.lock", "store.log"]);
    sim.set_quota(None);
    assert_eq!(store.import(&long(), OnClash::Replace).unwrap().imported, 70);
}

#[test]
fn a_failed_sync_in_a_long_import_leaves_the_store_as_it_was() {
    let (sim, list) = prepared();
    let sim = sim.kill();
    let store = open(&sim).unwrap();
    sim.set_plan(Some(Plan::next(Call::Sync, Fault::Errno(5))));
    assert!(store.import(&long(), OnClash::Replace).is_err());
    sim.set_plan(None);
    assert_eq!(summary(&store), summary(&list));
    store.save_token(&row(None, "later", "l")).unwrap();
}

#[test]
fn a_long_import_whose_name_may_not_be_durable_has_an_unknown_outcome() {
    let (sim, list) = prepared();
    let sim = sim.kill();
    let store = open(&sim).unwrap();
    sim.set_plan(Some(Plan::next(Call::SyncDirectory, Fault::Errno(5))));
    assert_eq!(store.import(&long(), OnClash::Replace).unwrap_err().kind(), ErrorKind::OutcomeUnknown);
    sim.set_plan(None);
    assert_eq!(store.save_token(&row(None, "later", "l")).unwrap_err().kind(), ErrorKind::Poisoned);
    drop(store);
    let before = summary(&list);
    list.import(&long(), OnClash::Replace).unwrap();
    let found = summary(&open(&sim.kill()).unwrap());
    assert!(found == summary(&list) || found == before);
}

#[test]
fn a_clash_within_the_rows_is_one_like_with_the_store() {
    let store = open(&Sim::new()).unwrap();
    let rows = [row(Some("1"), "ann", "a"), row(Some("2"), "bob", "b"), row(Some("1"), "eve", "e")];
    assert_eq!(store.import(&rows, OnClash::Refuse).unwrap_err().to_string(), "the id \"1\" is taken already");
    assert_eq!(store.import(&rows, OnClash::Renumber).unwrap().clashes, 1);
    assert_eq!(summary(&store), three([("1", "ann", "a"), ("2", "bob", "b"), ("3", "eve", "e")]));
}
