//! Commands beside a service that has the store open: each sees what the other did, at once.

use tokcask::{Key, LogStore, Options, Token, TokenStore};

use crate::fixture::Fixture;

#[test]
fn commands_work_on_a_store_that_a_service_has_open() {
    let fixture = Fixture::filled();
    let service = LogStore::open(fixture.store()).unwrap();
    service.save_token(&Token::builder().user_name("eve").refresh_token("fake-eve").build()).unwrap();

    assert_eq!(fixture.json("get", &["--user-name", "eve"]).ok().one()["id"], "4");
    assert_eq!(fixture.json("list", &[]).ok().json().len(), 4);
    assert_eq!(fixture.json("stat", &[]).ok().one()["tokens"], 4);
    assert_eq!(fixture.json("verify", &[]).ok().one()["status"], "clean");
    fixture.json("dump", &[]).ok();

    fixture.feed_json("save", &[], "{\"user_name\":\"eve\",\"refresh_token\":\"fake-new\"}").ok();
    let eve = service.get(Key::UserName("eve")).unwrap().unwrap();
    assert_eq!(eve.refresh_token().unwrap().expose_secret(), "fake-new");
    fixture.json("delete", &["1"]).ok();
    assert!(service.get(Key::Id("1")).unwrap().is_none());
    let generation = service.stats().unwrap().generation;
    fixture.json("compact", &[]).ok();
    assert_eq!(service.stats().unwrap().generation, generation + 1);
    assert_eq!(service.get_tokens().unwrap().len(), 3);
    fixture.json("clear", &["--yes"]).ok();
    assert!(service.get_tokens().unwrap().is_empty());
    service.save_token(&Token::builder().user_name("fay").access_token("fake").build()).unwrap();
    service.close().unwrap();
    assert_eq!(fixture.json("list", &[]).ok().one()["id"], "5");
}

#[test]
fn adopting_needs_the_store_for_itself_and_so_does_a_service_that_says_so() {
    let fixture = Fixture::filled();
    let service = LogStore::open(fixture.store()).unwrap();
    assert_eq!(fixture.json("adopt", &[]).error()["error"], "locked");
    service.close().unwrap();
    let alone = Options::new().exclusive(true).open(fixture.store()).unwrap();
    assert_eq!(fixture.json("list", &[]).error()["error"], "locked");
    alone.close().unwrap();
    fixture.json("adopt", &[]).ok();
}
