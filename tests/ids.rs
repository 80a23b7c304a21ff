//! Rows are found by their ids, whether those come one after the other, as a store gives them, or in any other order.
//!
//! Method: a store and a list get the same saves, deletes and clears, with ids of few kinds, so that each of them breaks the
//! order at some time; after each step, and in a handle that follows, every id is asked for. Then the store is opened anew,
//! compacted, and opened again.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;

use tokcask::{ErrorKind, Key, ListStore, LogStore, Options, ReadMode, Token, TokenStore};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const IDS: u64 = 24;

struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Ids that are numbers, and some that only look like them.
fn id(number: u64) -> String {
    match number % 12 {
        9 => format!("0{number}"),
        10 => format!("+{number}"),
        11 => format!("{number}000000000000000000"),
        _ => number.to_string(),
    }
}

fn row(text: u64) -> tokcask::TokenBuilder {
    Token::builder().refresh_token(format!("fake-{text}")).user_name(format!("user-{text}"))
}

/// One step of both, with the same outcome. `kinds` is how many kinds of steps there are.
fn step(dice: &mut Dice, kinds: u64, text: u64, store: &LogStore, list: &ListStore) -> Result<()> {
    let save = |token: Token| -> Result<()> {
        assert_eq!(store.save_token(&token)?, list.save_token(&token)?);
        Ok(())
    };
    match dice.below(kinds) {
        // As a store gives them.
        0..10 => save(row(text).build()),
        10..14 => {
            let id = id(dice.below(IDS));
            let deleted = list.delete_token(&id);
            assert_eq!(store.delete(&id)?, deleted.is_ok());
            Ok(())
        }
        14..16 => save(row(text).id(id(dice.below(IDS))).build()),
        16 => save(row(text).id((text + dice.below(3)).to_string()).build()),
        _ => {
            store.delete_tokens()?;
            Ok(list.delete_tokens()?)
        }
    }
}

fn assert_same(store: &LogStore, list: &ListStore) -> Result<()> {
    assert_eq!(store.get_tokens()?, list.get_tokens()?);
    let given = list.get_tokens()?;
    for id in (0..IDS).map(id).chain((0..200).map(|number| number.to_string())) {
        let expected = given.iter().find(|row| row.id() == Some(&id));
        assert_eq!(store.get(Key::Id(&id))?.as_ref(), expected, "{id}");
        match (store.find_token_by_id(&id), expected) {
            (Ok(found), Some(expected)) => assert_eq!(&found, expected),
            (Err(error), None) => assert_eq!(error.kind(), ErrorKind::UnknownId),
            (found, expected) => panic!("{found:?} in the place of {expected:?}"),
        }
    }
    Ok(())
}

#[test]
fn every_id_finds_its_row_however_ids_have_come() -> Result<()> {
    let dir = tempfile::tempdir()?;
    // Ids as they are given; with deletes; with ids of the caller; with everything.
    for (seed, kinds) in (0..).zip([10, 14, 16, 17, 18, 18, 18, 18]) {
        let path = dir.path().join(seed.to_string());
        let open = || Options::new().background(false).open(&path);
        let (mut dice, list) = (Dice(seed), ListStore::new());
        let mut store = open()?;
        let mut other = open()?;
        for text in 0..120 {
            step(&mut dice, kinds, text, &store, &list)?;
            if text % 10 == 0 {
                assert_same(&store, &list)?;
                assert_same(&other, &list)?;
            }
            if text % 40 == 39 {
                store.close()?;
                other.close()?;
                (store, other) = (open()?, open()?);
                assert_same(&store, &list)?;
                if text == 79 {
                    store.compact()?;
                    assert_same(&store, &list)?;
                    assert_same(&other, &list)?;
                }
            }
        }
    }
    Ok(())
}

/// Neither "not found" nor another row, although no table was asked that could have told its hash.
#[test]
fn a_damaged_row_that_its_id_tells_is_an_error() -> Result<()> {
    for mode in [ReadMode::Map, ReadMode::Copy] {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("tokens");
        let store = Options::new().background(false).read_mode(mode).open(&path)?;
        store.save_tokens(&(1..=5).map(|text| row(text).build()).collect::<Vec<_>>())?;
        let log = path.join("store.log");
        let bytes = fs::read(&log)?;
        let at = bytes.windows(6).position(|window| window == b"fake-3").ok_or("the third row is in the log")?;
        // Its id stands right before its user name, the refresh token behind that.
        for at in [at, at - "user-3".len() - 1] {
            // In place: a log that is mapped is not to become shorter, be it for a moment.
            let file = OpenOptions::new().write(true).open(&log)?;
            file.write_all_at(&[bytes[at] ^ 1], at as u64)?;
            assert_eq!(store.get(Key::Id("3")).unwrap_err().kind(), ErrorKind::Corrupt);
            assert_eq!(store.view(Key::Id("3"), |_| ()).unwrap_err().kind(), ErrorKind::Corrupt);
            assert_eq!(store.find_token_by_id("3").unwrap_err().kind(), ErrorKind::Corrupt);
            assert!(store.get(Key::Id("2"))?.is_some() && store.get(Key::Id("6"))?.is_none());
            file.write_all_at(&bytes[at..=at], at as u64)?;
            assert!(store.get(Key::Id("3"))?.is_some());
        }
    }
    Ok(())
}
