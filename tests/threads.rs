//! Many threads on one handle, and calls from inside a view.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tokcask::{ErrorKind, Key, LogStore, Options, ReadMode, Result, Token, TokenStore};

fn token(user: &str, access: &str) -> Token {
    Token::builder().user_name(user).access_token(access).build()
}

#[test]
fn threads_save_distinct_users_and_all_are_there_with_ids_of_their_own() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    let store = LogStore::open(&path).unwrap();
    thread::scope(|scope| {
        for worker in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for number in 0..40 {
                    let saved = store.save_token(&token(&format!("user{worker}-{number}"), "fake")).unwrap();
                    let found = store.get(Key::Id(saved.id().unwrap())).unwrap().unwrap();
                    assert_eq!(found.user_name(), saved.user_name(), "visible when the save returned");
                }
            });
        }
    });
    store.close().unwrap();
    let store = LogStore::open(&path).unwrap();
    let mut ids: Vec<_> = store.get_tokens().unwrap().iter().map(|row| row.id().unwrap().to_owned()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 160);
}

#[test]
fn finds_beside_saves_and_compactions_never_miss_and_never_mix_rows() {
    for read_mode in [ReadMode::Map, ReadMode::Copy] {
        let directory = tempfile::tempdir().unwrap();
        let store = Options::new().read_mode(read_mode).open(directory.path().join("tokens")).unwrap();
        let users: Vec<_> = (0..50).map(|user| token(&format!("user{user}"), &format!("access-{user}-0"))).collect();
        store.save_tokens(&users).unwrap();
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut finds = 0_u64;
                    while !done.load(Ordering::Relaxed) || finds < 1000 {
                        let user = format!("user{}", finds % 50);
                        let found = store.get(Key::UserName(&user)).unwrap().expect("a find never misses");
                        let access = found.access_token().unwrap().expose_secret();
                        assert!(access.starts_with(&format!("access-{}-", finds % 50)), "{user}");
                        finds += 1;
                    }
                });
            }
            for round in 1..=20 {
                for user in 0..50 {
                    store.save_token(&token(&format!("user{user}"), &format!("access-{user}-{round}"))).unwrap();
                }
                store.compact().unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
        assert_eq!(store.stats().unwrap().tokens, 50);
    }
}

#[test]
fn a_view_may_save_find_and_compact() -> Result<()> {
    let directory = tempfile::tempdir().unwrap();
    let store = LogStore::open(directory.path().join("tokens"))?;
    store.save_token(&token("ana", "fake-1"))?;
    let access = store.view(Key::UserName("ana"), |row| {
        store.save_token(&token("ana", "fake-2"))?;
        store.compact()?;
        store.save_token(&token("bob", "fake-3"))?;
        assert!(store.get(Key::UserName("bob"))?.is_some());
        Ok::<_, tokcask::Error>(row.access_token().unwrap().expose_secret().to_owned())
    })?;
    assert_eq!(access.unwrap()?, "fake-1", "the row as it was found");
    assert_eq!(store.get(Key::UserName("ana"))?.unwrap().access_token().unwrap().expose_secret(), "fake-2");
    Ok(())
}

#[test]
fn iteration_is_of_one_moment() -> Result<()> {
    let directory = tempfile::tempdir().unwrap();
    let store = LogStore::open(directory.path().join("tokens"))?;
    store.save_tokens(&[token("ana", "1"), token("bob", "2")])?;
    let rows = store.iter();
    store.delete("1")?;
    store.save_token(&token("eve", "3"))?;
    store.compact()?;
    let names: Vec<_> = rows.map(|row| row.unwrap().user_name().unwrap().to_owned()).collect();
    assert_eq!(names, ["ana", "bob"]);
    Ok(())
}

#[test]
fn a_closed_handle_says_so_and_lets_others_in() -> Result<()> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    let store = Options::new().exclusive(true).open(&path)?;
    store.save_token(&token("ana", "fake"))?;
    assert_eq!(LogStore::open(&path).unwrap_err().kind(), ErrorKind::Locked);
    let rows = store.iter();
    store.close()?;
    store.close()?;
    assert_eq!(store.get(Key::UserName("ana")).unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(store.save_token(&token("ana", "fake")).unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(store.compact().unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(store.iter().next().unwrap().unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(rows.count(), 1, "an iteration outlives its handle's close");
    let second = LogStore::open(&path)?;
    assert!(second.get(Key::UserName("ana"))?.is_some());
    Ok(())
}
