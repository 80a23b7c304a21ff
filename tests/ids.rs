//! Rows are found by their ids, whether those come one after the other, as a store gives them, or in any other order.
//!
//! Method: a store and a list get the same saves, deletes and clears, with ids of few kinds, so that each of them breaks the
//! order at some time; after each step, and in a handle that follows, every id is asked for. Then the store is opened anew,
//! compacted, and opened again.

use tokcask::{ErrorKind, Key, ListStore, LogStore, Options, Token, TokenStore};

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
