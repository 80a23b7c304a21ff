//! Logs that are long enough to be read through by all cores at once: nothing comes out otherwise than one frame at a time.

use std::fs::{self, OpenOptions};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use tokcask::{Error, Key, LogStore, Options, Stats, Token, TokenStore};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn token(user: u32, text_len: usize) -> Token {
    let part = |name: &str| format!("{name}-{user}-{}", "x".repeat(text_len / 3));
    let token = Token::builder().user_name(format!("user{user}")).refresh_token(part("refresh"));
    token.access_token(part("access")).grant_token(format!("shared-by-{}", user % 50)).build()
}

/// Batches, single saves, rotations, deletes and long rows, over several windows. Returns what was in the store when it was
/// closed.
fn fill(path: &Path, batches: Range<u32>) -> Result<(Vec<Token>, Stats)> {
    let store = LogStore::open(path)?;
    for batch in batches {
        let rows: Vec<_> = (0..1000).map(|row| token(batch * 1000 + row, 300)).collect();
        store.save_tokens(&rows)?;
        for user in (0..150).map(|step| batch * 1000 + step * 6) {
            store.save_token(&token(user, 1000 + user as usize % 700))?;
            store.delete(&(user + 2).to_string())?;
        }
        // One of these frames is longer than a window that begins with a short one.
        let long = if batch == 3 { 300 } else { 60 };
        store.save_tokens(&(0..long).map(|row| token(100_000 + batch * 1000 + row, 60_000)).collect::<Vec<_>>())?;
    }
    let filled = (store.get_tokens()?, store.stats()?);
    store.close()?;
    Ok(filled)
}

#[test]
fn a_long_log_reads_as_it_was_written() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("tokens");
    let (before, stats) = fill(&path, 0..6)?;
    assert!(stats.log_bytes > 12 << 20, "{} bytes", stats.log_bytes);

    for options in [Options::new(), Options::new().read_only(true)] {
        let store = options.open(&path)?;
        let after = store.get_tokens()?;
        assert_eq!(after, before);
        assert!(after.iter().map(Token::revision).eq(before.iter().map(Token::revision)));
        let stats_after = store.stats()?;
        assert_eq!((stats_after.live_bytes, stats_after.dead_records), (stats.live_bytes, stats.dead_records));
        for row in &before {
            let found = store.get(Key::UserName(row.user_name().unwrap()))?.unwrap();
            assert_eq!(found.revision(), row.revision());
        }
        // Of those that share a key, the oldest.
        for group in 0..50 {
            let name = format!("shared-by-{group}");
            let oldest = before.iter().find(|row| row.grant_token().is_some_and(|grant| grant.expose_secret() == name));
            let found = store.get(Key::GrantToken(&name))?;
            assert_eq!(found.as_ref().and_then(Token::id), oldest.and_then(Token::id));
        }
    }
    Ok(())
}

/// More rows than one thread fills tables for: some of them are deleted, some have other keys by now.
#[test]
fn tables_that_several_threads_fill_have_what_is_found_before() -> Result<()> {
    const ROWS: u32 = 40_000;
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("tokens");
    let store = LogStore::open(&path)?;
    // Groups of 8, some of which lie close together and others far apart, and a group of all that is left.
    let group = |row: u32| match row % 5 {
        0 => row / 40,
        1 => 10_000 + row % (ROWS / 8),
        _ => 20_000,
    };
    let shared = |name: &str, group: u32| format!("{name}-{group}");
    let row = |row: u32| {
        let of_all =
            Token::builder().access_token(format!("access-{row}")).refresh_token(format!("refresh-{}", row / 2));
        of_all.user_name(shared("user", group(row))).grant_token(shared("grant", group(row + 1))).build()
    };
    // By their ids, for else a user name would mean the row that has it.
    let with_id = |number: u32| row(number).to_builder().id((number + 1).to_string()).build();
    store.save_tokens(&(0..ROWS).map(with_id).collect::<Vec<_>>())?;
    for number in (0..ROWS).step_by(41) {
        store.delete(&(number + 1).to_string())?;
        let moved = row(number + 3).to_builder().id((number + 4).to_string()).user_name(shared("user", number % 7));
        store.save_token(&moved.access_token(format!("access-again-{number}")).build())?;
    }
    let keys = || (0..ROWS).flat_map(|number| [shared("user", group(number)), shared("grant", group(number))]);
    let all = |store: &LogStore| -> Result<Vec<Option<String>>> {
        let mut found = Vec::new();
        for (number, key) in (0..).zip(keys()) {
            let refresh = format!("refresh-{number}");
            for key in [Key::UserName(&key), Key::GrantToken(&key), Key::RefreshToken(&refresh)] {
                found.push(store.get(key)?.and_then(|row| row.id().map(str::to_owned)));
            }
        }
        Ok(found)
    };
    let before = all(&store)?;
    store.close()?;
    let store = LogStore::open(&path)?;
    assert_eq!(all(&store)?, before);

    // Who comes next shows when the oldest has gone, also to a handle that follows.
    let other = LogStore::open(&path)?;
    let mut rows = store.get_tokens()?;
    for group in (0..1000).step_by(25).chain([10_000, 12_345, 20_000]) {
        let key = shared("grant", group);
        for _ in 0..9 {
            let oldest =
                rows.iter().position(|row| row.grant_token().is_some_and(|grant| grant.expose_secret() == key));
            let oldest = oldest.map(|oldest| rows.remove(oldest));
            for store in [&store, &other] {
                assert_eq!(store.get(Key::GrantToken(&key))?, oldest, "{key}");
            }
            if let Some(id) = oldest.as_ref().and_then(Token::id) {
                store.delete(id)?;
            }
        }
    }
    Ok(())
}

#[test]
fn damage_in_a_long_log_is_told_as_in_a_short_one() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("tokens");
    let (_, Stats { log_bytes, .. }) = fill(&path, 0..6)?;

    let log = path.join("store.log");
    let whole = fs::read(&log)?;
    let places = (0..40).map(|step| 8192 + (log_bytes - 8200) / 40 * step + step * 37 % 500);
    for place in places {
        change(&log, place, 0x10)?;
        assert_told_as_by_verify(&path)?;
        change(&log, place, 0x10)?;
    }
    assert!(fs::read(&log)? == whole, "a store that is not opened is left as it was");
    Ok(())
}

/// Frames that are good by themselves, at their places and in one log, but follow others than those before them.
#[test]
fn another_history_behind_a_place_is_damage_in_a_long_log_too() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (one, other) = (dir.path().join("one"), dir.path().join("other"));
    fill(&one, 0..1)?;
    fs::create_dir(&other)?;
    for file in fs::read_dir(&one)? {
        let file = file?;
        fs::copy(file.path(), other.join(file.file_name()))?;
    }
    let (_, stats) = fill(&one, 1..4)?;
    let place = stats.log_bytes;
    fill(&one, 4..6)?;
    assert_eq!(fill(&other, 1..4)?.1.log_bytes, place, "the same changes at another time");
    fill(&other, 4..6)?;

    let log = one.join("store.log");
    let mut bytes = fs::read(&log)?;
    let behind = usize::try_from(place)?..;
    bytes[behind.clone()].copy_from_slice(&fs::read(other.join("store.log"))?[behind]);
    fs::write(&log, &bytes)?;
    assert_eq!(assert_told_as_by_verify(&one)?, place);
    Ok(())
}

/// `verify` reads one frame after the other. Returns where the damage is.
fn assert_told_as_by_verify(path: &Path) -> Result<u64> {
    let told = Options::new().verify(path)?;
    for options in [Options::new(), Options::new().read_only(true)] {
        let error = options.open(path).expect_err("damage in what was durable");
        let Error::Corrupt { offset, reason, .. } = error else { panic!("{error:?}") };
        assert_eq!((offset, &reason), (told.damage[0].offset, &told.damage[0].reason));
    }
    Ok(told.damage[0].offset)
}

fn change(path: &Path, place: u64, mask: u8) -> Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, place)?;
    file.write_all_at(&[byte[0] ^ mask], place)?;
    Ok(())
}
