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
