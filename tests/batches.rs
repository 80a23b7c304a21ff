//! Calls that wait at the same time become one frame, and each is answered for itself.
//!
//! Method: `one_batch` makes them wait; the log's sequence says whether they became one.

mod one_batch;
mod sim;

use sim::Sim;
use tokcask::{ErrorKind, Key, ListStore, LogStore, Token, TokenStore};

use one_batch::{Call, at_once, kinds, open, options, token};

#[test]
fn one_frame_for_all_and_an_error_for_whom_it_concerns() {
    let sim = Sim::new();
    let store = open(&sim, &options());
    store.save_tokens(&[token("ann", "a1"), token("bob", "b1")]).unwrap();
    let before = store.stats().unwrap().sequence;
    let refused_later = token("eve", "e1").to_builder().refresh_token("fake-refused").build();
    let answers = at_once(
        &sim,
        &store,
        vec![
            Box::new(|store: &LogStore| kinds(store.save_token(&token("cid", "c1")))),
            Box::new(|store: &LogStore| kinds(store.compare_and_save(&token("ann", "a2"), 99))),
            Box::new(|store: &LogStore| kinds(store.save_token(&Token::builder().user_name("dan").build()))),
            Box::new(|store: &LogStore| kinds(store.save_tokens(&[refused_later.clone(), Token::builder().build()]))),
            Box::new(|store: &LogStore| kinds(store.delete_token("absent"))),
            Box::new(|store: &LogStore| kinds(store.delete_token("2"))),
            Box::new(|store: &LogStore| kinds(store.save_token(&token("ann", "a3")))),
            Box::new(|store: &LogStore| kinds(store.save_token(&token("fay", "f1")))),
            Box::new(|store: &LogStore| kinds(store.save_token(&token("eve", "e2")))),
        ],
    );
    let refused = [
        Ok(()),
        Err(ErrorKind::Conflict),
        Err(ErrorKind::TooLittle),
        Err(ErrorKind::TooLittle),
        Err(ErrorKind::UnknownId),
        Ok(()),
        Ok(()),
        Ok(()),
        Ok(()),
    ];
    assert_eq!(answers, refused);
    assert_eq!(store.stats().unwrap().sequence, before + 2, "the import's frame, and one for all");
    let users: Vec<_> = store.iter().map(|row| row.unwrap().user_name().unwrap().to_owned()).collect();
    let others: Vec<_> = users.iter().filter(|user| !user.starts_with("long")).collect();
    assert_eq!(others, ["ann", "cid", "fay", "eve"]);
    assert_eq!(store.get(Key::AccessToken("a3")).unwrap().unwrap().user_name(), Some("ann"));
    let eve = store.get(Key::UserName("eve")).unwrap().unwrap();
    assert!(eve.access_token().unwrap().expose_secret() == "e2" && eve.refresh_token().is_none(), "refused whole");
    let ids: Vec<_> = store.iter().map(|row| row.unwrap().id().unwrap().parse::<u64>().unwrap()).collect();
    assert_eq!(ids.iter().max(), Some(&55), "refused calls took no id");
}

#[test]
fn later_calls_of_a_batch_see_what_earlier_ones_do() {
    let sim = Sim::new();
    let store = open(&sim, &options());
    store.save_token(&token("ann", "a1")).unwrap();
    let revision = store.get(Key::UserName("ann")).unwrap().unwrap().revision().unwrap();
    let answers = at_once(
        &sim,
        &store,
        vec![
            Box::new(move |store: &LogStore| kinds(store.compare_and_save(&token("ann", "a2"), revision))),
            Box::new(move |store: &LogStore| kinds(store.compare_and_save(&token("ann", "a3"), revision))),
            Box::new(|store: &LogStore| kinds(store.delete_tokens())),
            Box::new(|store: &LogStore| kinds(store.delete_token("1"))),
            Box::new(|store: &LogStore| kinds(store.save_token(&token("ann", "a4")))),
        ],
    );
    assert_eq!(answers, [Ok(()), Err(ErrorKind::Conflict), Ok(()), Err(ErrorKind::UnknownId), Ok(())]);
    let rows = store.get_tokens().unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].access_token().unwrap().expose_secret(), "a4");
}

#[test]
fn within_a_batch_the_next_oldest_row_takes_over_a_key_that_the_oldest_gives_up() {
    let (log, list) = (open(&Sim::new(), &options()), ListStore::new());
    let by_access = |mark: &str| Token::builder().access_token("shared").api_domain(mark).build();
    let batches = [
        [token("ann", "shared"), token("bob", "shared"), token("cid", "shared"), token("dan", "d1")],
        [token("ann", "a2"), by_access("first"), token("bob", "b2"), by_access("second")],
    ];
    for batch in &batches {
        log.save_tokens(batch).unwrap();
        list.save_tokens(batch).unwrap();
    }
    let stores: [&dyn TokenStore; 2] = [&log, &list];
    for store in stores {
        let rows = store.get_tokens().unwrap();
        let marks: Vec<_> = rows.iter().map(|row| (row.user_name().unwrap(), row.api_domain())).collect();
        assert_eq!(marks, [("ann", None), ("bob", Some("first")), ("cid", Some("second")), ("dan", None)]);
    }
}

#[test]
fn on_a_full_disk_the_saves_of_a_batch_fail_and_its_deletes_do_not() {
    let sim = Sim::new();
    let store = open(&sim, &options());
    let big = "x".repeat(60_000);
    store.save_tokens(&[token("ann", "a1"), token("bob", "b1"), token("cid", "c1")]).unwrap();
    let holder_and_callers = |sim: &Sim| {
        let calls: Vec<Call<'_>> = vec![
            Box::new(|store: &LogStore| kinds(store.delete_token("1"))),
            Box::new(|store: &LogStore| kinds(store.save_tokens(&[token("dan", &big), token("eve", &big)]))),
            Box::new(|store: &LogStore| kinds(store.delete_token("2"))),
            Box::new(|store: &LogStore| kinds(store.save_tokens(&[token("fay", &big), token("gus", &big)]))),
        ];
        at_once(sim, &store, calls)
    };
    sim.set_quota(Some(sim.used()));
    let answers = holder_and_callers(&sim);
    assert_eq!(answers, [Ok(()), Err(ErrorKind::NoSpace), Ok(()), Err(ErrorKind::NoSpace)]);
    let users: Vec<_> = store.iter().map(|row| row.unwrap().user_name().unwrap().to_owned()).collect();
    assert_eq!(users.iter().filter(|user| !user.starts_with("long")).collect::<Vec<_>>(), ["cid"]);
    sim.set_quota(None);
    store.save_token(&token("dan", &big)).unwrap();
}

#[test]
fn calls_that_one_frame_cannot_hold_together_are_done_one_after_the_other() {
    let sim = Sim::new();
    let store = open(&sim, &options());
    let large: Vec<Vec<Token>> = (0..3)
        .map(|call| (0..50).map(|row| token(&format!("{call}-{row}"), &"x".repeat(60_000))).collect::<Vec<_>>())
        .map(|rows| rows.into_iter().map(|row| row.to_builder().extra("pad", "y".repeat(700_000)).build()).collect())
        .collect();
    let before = store.stats().unwrap().sequence;
    let calls: Vec<Call<'_>> = large
        .iter()
        .map(|rows| -> Call<'_> { Box::new(move |store: &LogStore| kinds(store.save_tokens(rows))) })
        .collect();
    assert_eq!(at_once(&sim, &store, calls), [Ok(()), Ok(()), Ok(())]);
    assert_eq!(store.stats().unwrap().sequence, before + 4);
    assert_eq!(store.stats().unwrap().tokens, 200);
}

/// The list went through the tokens one by one, and told the first one's reason; found by the model of `proof`.
#[test]
fn of_several_reasons_to_refuse_a_batch_the_list_tells_the_one_that_the_log_does() {
    let too_little = Token::builder().user_name("ann").build();
    let too_large = Token::builder().refresh_token("x".repeat((64 << 10) + 1)).build();
    let batch = [too_little, too_large];
    let log = open(&Sim::new(), &options()).save_tokens(&batch).unwrap_err();
    let list = ListStore::new().save_tokens(&batch).unwrap_err();
    assert_eq!((log.kind(), list.to_string()), (ErrorKind::TooLarge, log.to_string()));
}
