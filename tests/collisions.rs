//! Nobody's token is somebody else's, also where the hashes of two keys are the same.
//!
//! Method: so many rows, and so many names that none of them has, that two dozen of these have the hash of a row.

use tokcask::{Key, LogStore, Token};

const ROWS: u64 = 100_000;
const OTHERS: u64 = 1_000_000;
/// Bits of a key's hash in the index.
const HASH_BITS: u32 = 32;

#[test]
fn a_key_that_no_row_has_finds_none_of_a_hundred_thousand() {
    const { assert!(ROWS * OTHERS > 20 << HASH_BITS) };
    let directory = tempfile::tempdir().unwrap();
    let store = LogStore::open(directory.path().join("tokens")).unwrap();
    let token = |number: u64| Token::builder().user_name(format!("user{number}")).access_token("fake").build();
    for first in (0..ROWS).step_by(10_000) {
        store.save_tokens(&(first..first + 10_000).map(token).collect::<Vec<_>>()).unwrap();
    }
    for number in 0..OTHERS {
        assert_eq!(store.get(Key::UserName(&format!("other{number}"))).unwrap(), None);
    }
    let last = store.get(Key::UserName("user99999")).unwrap().expect("a row");
    assert_eq!(last.id(), Some("100000"));
}

/// Two dozen of the tokens that go have the hash of one that stays, or that comes.
#[test]
fn a_token_that_goes_takes_no_other_along() {
    const ROWS: u64 = 200_000;
    const { assert!(3 * ROWS * ROWS > 24 << HASH_BITS) };
    let directory = tempfile::tempdir().unwrap();
    let store = LogStore::open(directory.path().join("tokens")).unwrap();
    let key = |name: &str, number: u64| format!("fake-{name}-{number}");
    let token = |number: u64, name: &str| {
        let token = Token::builder().user_name(key("user", number)).access_token(key(name, number));
        token.refresh_token(key(name, number)).grant_token(key(name, number)).build()
    };
    for name in ["old", "new"] {
        for first in (0..ROWS).step_by(10_000) {
            store.save_tokens(&(first..first + 10_000).map(|row| token(row, name)).collect::<Vec<_>>()).unwrap();
        }
    }
    for number in 0..ROWS {
        let (old, new) = (key("old", number), key("new", number));
        let id = (number + 1).to_string();
        for find in [Key::AccessToken, Key::RefreshToken, Key::GrantToken] {
            assert_eq!(store.get(find(&old)).unwrap(), None);
            assert_eq!(store.get(find(&new)).unwrap().expect("a row").id(), Some(&*id), "{new}");
        }
    }
}
