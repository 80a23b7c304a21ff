//! What a dump lists: every readable frame, and which operation holds which row now.
//!
//! Method: a store with every kind of frame, on the disk, compared with what was done to it; then damaged.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tempfile::TempDir;
use tokcask::{ErrorKind, FrameKind, LogStore, OperationKind, Options, Token, TokenStore, VerifyReport, VerifyStatus};

type Error = Box<dyn std::error::Error>;

/// A frame, without what depends on lengths.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Frame {
    kind: FrameKind,
    sequence: u64,
    operations: Vec<(OperationKind, Option<String>, bool)>,
}

fn dump(path: &Path) -> Result<(Vec<Frame>, VerifyReport), Error> {
    let mut frames = Vec::new();
    let mut end = 8192;
    let report = Options::new().dump(path, |frame| {
        assert!(frame.offset >= end);
        assert_eq!(frame.operations.iter().map(|operation| operation.len).sum::<u64>(), frame.body_len);
        assert_eq!(frame.operations[0].offset, frame.offset + 64);
        end = frame.offset + 64 + frame.body_len;
        let operations = frame.operations.iter();
        frames.push(Frame {
            kind: frame.kind,
            sequence: frame.sequence,
            operations: operations.map(|at| (at.kind, at.id.map(str::to_owned), at.live == Some(true))).collect(),
        });
        ControlFlow::Continue(())
    })?;
    Ok((frames, report))
}

fn token(user: &str) -> Token {
    Token::builder().user_name(user).access_token(format!("fake-{user}")).build()
}

fn new_store() -> Result<(TempDir, PathBuf, LogStore), Error> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("tokens");
    let store = LogStore::open(&path)?;
    Ok((dir, path, store))
}

fn contents(path: &Path) -> Result<BTreeMap<String, (Vec<u8>, std::time::SystemTime)>, Error> {
    std::fs::read_dir(path)?
        .map(|entry| {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            Ok((name, (std::fs::read(entry.path())?, entry.metadata()?.modified()?)))
        })
        .collect()
}

#[test]
fn frames_operations_and_live_rows_are_listed_and_nothing_is_written() -> Result<(), Error> {
    use FrameKind::{Base, Commit, Seal};
    use OperationKind::{Clear, Delete, Put, Sealed};
    let (_dir, path, store) = new_store()?;
    store.save_token(&token("gone"))?;
    store.delete_tokens()?;
    let (frames, _) = dump(&path)?;
    assert_eq!(frames.last().unwrap().operations, [(Clear, None, false)]);
    store.save_tokens(&[token("ann"), token("bob")])?;
    store.compact()?;
    store.save_tokens(&[token("cid"), token("ann")])?;
    store.delete("3")?;
    let put = |id: &str, live| (Put, Some(id.to_owned()), live);
    let expected = [
        (Base, vec![put("2", false), put("3", false)]),
        (Seal, vec![(Sealed, None, false)]),
        (Commit, vec![put("4", true), put("2", true)]),
        (Commit, vec![(Delete, Some("3".to_owned()), false)]),
    ];
    let frame = |(sequence, (kind, operations))| Frame { kind, sequence, operations };
    let expected: Vec<_> = (1..).zip(expected).map(frame).collect();
    let before = contents(&path)?;
    let (frames, report) = dump(&path)?;
    assert_eq!(frames, expected, "also beside an open handle");
    assert_eq!((report.status, report.frames, report.operations), (VerifyStatus::Clean, 4, 6));
    assert_eq!(contents(&path)?, before);
    Ok(())
}

#[test]
fn frames_behind_damage_are_listed_too() -> Result<(), Error> {
    let (_dir, path, store) = new_store()?;
    for user in ["ann", "bob", "cid"] {
        store.save_token(&token(user))?;
    }
    store.close()?;
    let (whole, _) = dump(&path)?;
    let log = path.join("store.log");
    let mut bytes = std::fs::read(&log)?;
    let at = bytes.windows(8).position(|window| window == b"fake-bob").unwrap();
    bytes[at] ^= 1;
    std::fs::write(&log, bytes)?;
    let (frames, report) = dump(&path)?;
    assert_eq!(frames, [&whole[..2], &whole[3..]].concat());
    assert_eq!((report.status, report.damage.len()), (VerifyStatus::Corrupt, 1));
    Ok(())
}

#[test]
fn a_store_that_is_being_written_to_is_clean_and_its_live_rows_are_live() -> Result<(), Error> {
    let (_dir, path, store) = new_store()?;
    store.save_token(&token("ann"))?;
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for round in 0..600 {
                store.save_token(&token("ann")).unwrap();
                if round % 100 == 99 {
                    store.compact().unwrap();
                }
            }
            done.store(true, Ordering::Relaxed);
        });
        let mut looks = 0;
        while !done.load(Ordering::Relaxed) {
            looks += 1;
            let report = Options::new().verify(&path).unwrap();
            assert_eq!((report.status, report.damage), (VerifyStatus::Clean, Vec::new()), "look {looks}");
            let (frames, report) = dump(&path).unwrap();
            assert_eq!(report.status, VerifyStatus::Clean);
            let live = frames.iter().flat_map(|frame| &frame.operations).filter(|(_, _, live)| *live);
            assert_eq!(live.count(), 1);
        }
        writer.join().unwrap();
        assert!(looks > 10);
    });
    Ok(())
}

#[test]
fn a_log_that_was_put_back_is_listed_and_refused() -> Result<(), Error> {
    let (_dir, path, store) = new_store()?;
    store.save_token(&token("ann"))?;
    let older = std::fs::read(path.join("store.log"))?;
    store.compact()?;
    store.close()?;
    std::fs::write(path.join("store.log"), older)?;
    let mut frames = 0;
    let refused = Options::new().dump(&path, |_| {
        frames += 1;
        ControlFlow::Continue(())
    });
    assert_eq!((refused.unwrap_err().kind(), frames), (ErrorKind::Copied, 2));
    Ok(())
}

#[test]
fn a_dump_ends_where_it_is_told_to() -> Result<(), Error> {
    let (_dir, path, store) = new_store()?;
    store.save_token(&token("ann"))?;
    let mut seen = 0;
    Options::new().dump(&path, |_| {
        seen += 1;
        ControlFlow::Break(())
    })?;
    assert_eq!(seen, 1);
    assert!(Options::new().dump(path.join("nowhere"), |_| ControlFlow::Continue(())).is_err());
    Ok(())
}
