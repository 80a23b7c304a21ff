//! What a new handle makes of what an earlier one left in good order.

mod sim;

use std::path::Path;
use std::sync::{Arc, Mutex};

use sim::{Call, Sim};
use tokcask::{Key, LogStore, Options, ReadMode, Token, TokenStore, open_on};

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

#[test]
fn opening_tells_how_far_it_has_come_and_what_it_read() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("tokens");
    let store = LogStore::open(&path)?;
    let large = |user| Token::builder().user_name(format!("user{user}")).access_token("x".repeat(60_000)).build();
    for batch in 0..4 {
        store.save_tokens(&(0..100).map(|number| large(100 * batch + number)).collect::<Vec<_>>())?;
    }
    let stats = store.stats()?;
    store.close()?;

    let seen = Arc::new(Mutex::new(Vec::new()));
    let store = Options::new().on_progress({
        let seen = seen.clone();
        move |progress| seen.lock().unwrap().push(progress)
    });
    let store = store.open(&path)?;
    let seen = seen.lock().unwrap();
    assert!(seen.len() >= 3, "{seen:?}");
    assert!(seen.is_sorted_by(|before, after| before.bytes_done < after.bytes_done));
    assert!(seen.iter().all(|progress| progress.bytes_done <= progress.bytes_total));
    let report = store.open_report();
    assert_eq!((report.frames, report.operations), (5, 401), "a seal and four batches");
    assert!(!report.created && report.recovered.is_none());
    assert_eq!(store.stats()?.live_bytes, stats.live_bytes);
    assert_eq!(store.get_tokens()?.len(), 400);
    Ok(())
}

/// The map reaches 128 MiB at first; the log goes on past it, under iterations that hold the old one, and while a row
/// still has its place in the generation before; then the next generation comes.
#[test]
fn a_log_longer_than_its_first_map_reads_everywhere() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let store = Options::new().background(false).open(dir.path().join("tokens"))?;
    let large = |user: usize| {
        Token::builder().user_name(format!("user{user}")).access_token("fake").extra("x", "x".repeat(1_000_000)).build()
    };
    store.save_token(&large(0))?;
    store.compact()?;
    let rows = store.iter();
    for batch in 0..6 {
        store.save_tokens(&(1..26).map(|number| large(25 * batch + number)).collect::<Vec<_>>())?;
    }
    assert!(store.stats()?.log_bytes > 128 << 20);
    let all_are_found = || -> Result<(), Box<dyn std::error::Error>> {
        for user in 0..151 {
            let name = format!("user{user}");
            assert!(store.get(Key::UserName(&name))?.is_some(), "{name}");
        }
        Ok(())
    };
    all_are_found()?;
    assert_eq!(rows.count(), 1);
    store.compact()?;
    all_are_found()?;
    Ok(())
}

/// Row numbers are kept in pieces, keys in segments: more rows than one piece holds, before and after a reopen.
#[test]
fn rows_beyond_the_first_pieces_are_found_changed_and_deleted() -> Result<(), Box<dyn std::error::Error>> {
    const ROWS: usize = 70_000;
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("tokens");
    let row = |number: usize, access: &str| {
        Token::builder().user_name(format!("user{number}")).access_token(format!("{access}{number}")).build()
    };
    let mut store = Options::new().background(false).open(&path)?;
    for start in (0..ROWS).step_by(10_000) {
        store.save_tokens(&(start..start + 10_000).map(|number| row(number, "old")).collect::<Vec<_>>())?;
    }
    let probes = [0, 32_767, 32_768, 65_535, 65_536, ROWS - 1];
    store.save_tokens(&probes.map(|number| row(number, "new")))?;
    for _ in 0..2 {
        for number in probes {
            let found = store.get(Key::AccessToken(&format!("new{number}")))?.expect("saved");
            assert_eq!(found.user_name(), Some(format!("user{number}").as_str()));
            assert!(store.get(Key::AccessToken(&format!("old{number}")))?.is_none());
        }
        assert_eq!(store.iter().count(), ROWS);
        assert_eq!(store.iter().nth(40_000).transpose()?.expect("there").user_name(), Some("user40000"));
        store.close()?;
        store = Options::new().background(false).open(&path)?;
    }
    for number in probes {
        let id = store.get(Key::UserName(&format!("user{number}")))?.expect("there").id().map(str::to_owned);
        assert!(store.delete(&id.expect("stored rows have one"))?);
        assert!(store.get(Key::UserName(&format!("user{number}")))?.is_none());
    }
    assert_eq!(store.get_tokens()?.len(), ROWS - probes.len());
    Ok(())
}

/// A find would not tell: it meets the oldest one first in any case. But who asks for one of them by its key, when the oldest
/// gets another in the same batch, gets the next.
#[test]
fn rows_that_share_a_key_are_known_together_after_opening() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("tokens");
    let store = LogStore::open(&path)?;
    let row = |number: u32| {
        Token::builder().id((number + 1).to_string()).grant_token(format!("grant{}", number % 10)).build()
    };
    store.save_tokens(&(0..30).map(row).collect::<Vec<_>>())?;
    store.close()?;

    let store = LogStore::open(&path)?;
    for number in 0..10 {
        let moved = Token::builder().id((number + 1).to_string()).grant_token("elsewhere").build();
        let client = Token::builder().client_id("client").client_secret("fake");
        let saved = store.save_tokens(&[moved, client.grant_token(format!("grant{number}")).build()])?;
        assert_eq!(saved[1].id(), Some((number + 11).to_string().as_str()));
    }
    Ok(())
}

/// The oldest one may be long: to read it again for each of the others would take as long as a log of so many of it.
#[test]
fn rows_that_share_a_key_are_compared_with_the_oldest_which_is_read_once() -> Result<(), Box<dyn std::error::Error>> {
    const SHARERS: usize = 500;
    let reads = |grant: fn(usize) -> String| -> Result<usize, tokcask::Error> {
        let sim = Sim::new();
        let options = Options::new().background(false).read_mode(ReadMode::Copy);
        let open = || open_on(&options, Arc::new(sim.clone()), Path::new("/store"));
        let store: LogStore = open()?;
        let row =
            |number: usize| Token::builder().user_name(format!("user{number}")).grant_token(grant(number)).build();
        store.save_tokens(&(0..=SHARERS).map(row).collect::<Vec<_>>())?;
        store.close()?;
        let before = sim.trace().len();
        open()?;
        Ok(sim.trace()[before..].iter().filter(|call| **call == Call::Read).count())
    };
    let (apart, together) = (reads(|number| format!("grant{number}"))?, reads(|_| "grant".into())?);
    assert_eq!(together - apart, SHARERS + 1);
    Ok(())
}
