//! What a new handle makes of what an earlier one left in good order.

use tokcask::{Key, LogStore, Token, TokenStore};

/// The lock file keeps two watermarks, of which one stays behind from before the compaction, when the log was longer.
#[test]
fn a_store_that_a_compaction_made_shorter_opens_again() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("tokens");
    let ana = || Token::builder().user_name("ana").access_token("fake");
    let store = LogStore::open(&path)?;
    for _ in 0..4 {
        store.save_token(&ana().extra("scope", "read ".repeat(100_000)).build())?;
    }
    store.save_token(&ana().extra("scope", "").build())?;
    store.close()?;

    let store = LogStore::open(&path)?;
    let report = store.compact()?;
    assert!(report.log_bytes_after < report.log_bytes_before);
    store.close()?;
    for _ in 0..3 {
        let store = LogStore::open(&path)?;
        assert!(store.get(Key::UserName("ana"))?.is_some());
        store.close()?;
    }
    Ok(())
}
