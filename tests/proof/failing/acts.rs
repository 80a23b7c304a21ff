//! What is done to a store while a call fails, and what it would do to a plain list.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokcask::{
    Error, Key, ListStore, LogStore, OnClash, Options, RefreshError, RefreshPolicy, Result, SweepPolicy, Token,
    TokenStore, open_on, salvage_on,
};

use crate::history::{BACKUP, STORE};
use crate::settings::options;
use crate::sim::Sim;

pub(crate) const RESCUED: &str = "/rescued";
/// An expiry that is over.
const OVER: &str = "1000000000000";
const LONG: usize = 150_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Open,
    OpenToRead,
    Close,
    Save(usize),
    /// A row so long that the log has to grow.
    SaveLong(usize),
    /// Rows from the first number up to the second.
    Batch(usize, usize),
    CompareAndSave(usize, u64),
    Delete(&'static str),
    Clear,
    Import(usize),
    Refresh(usize),
    Sweep,
    Compact,
    Backup,
    /// Looks at every row in every way.
    Look,
    Verify,
    Salvage,
    /// Another process opens the store,
    Join,
    /// or looks at every row, or saves one.
    LookThere,
    SaveThere(usize),
}

/// The processes that have the store open.
pub(crate) struct Players {
    pub(crate) machine: Sim,
    pub(crate) here: Option<LogStore>,
    pub(crate) there: Option<LogStore>,
}

/// A row and its revision.
pub(crate) type Row = (Token, Option<u64>);

pub(crate) fn rows(store: &impl TokenStore) -> Result<Vec<Row>> {
    Ok(store.get_tokens()?.into_iter().map(|row| (row.clone(), row.revision())).collect())
}

/// What a list has after these acts.
pub(crate) fn replay(acts: &[Act]) -> Vec<Row> {
    let list = ListStore::new();
    for act in acts {
        apply(&list, *act).unwrap();
    }
    rows(&list).unwrap()
}

fn token(number: usize, len: usize) -> Token {
    Token::builder()
        .user_name(format!("user{number}"))
        .access_token(format!("fake-{number}-{}", "x".repeat(len)))
        .expiry_time(if number.is_multiple_of(5) { OVER } else { "4102444800000" })
        .build()
}

fn long(number: usize) -> Token {
    token(number, 20).to_builder().extra("note", "x".repeat(LONG)).build()
}

fn batch(from: usize, to: usize) -> Vec<Token> {
    (from..to).map(|number| token(number, 6000)).collect()
}

fn imported(number: usize) -> [Token; 2] {
    [token(number, 20).to_builder().id("1").build(), token(number + 1, 20)]
}

fn answer(number: usize) -> Token {
    Token::builder().access_token(format!("fake-new-{number}")).refresh_token(format!("fake-rotated-{number}")).build()
}

fn sweep_policy() -> SweepPolicy {
    SweepPolicy { expired_for: Some(Duration::ZERO), ..SweepPolicy::default() }
}

impl Act {
    /// Whether it appends rows to the log, and does nothing else.
    pub(crate) fn only_saves(self) -> bool {
        matches!(self, Self::Save(_) | Self::SaveLong(_) | Self::Batch(..) | Self::SaveThere(_))
    }

    /// Whether it moves to a new file if a sync has failed.
    pub(crate) fn mends(self) -> bool {
        matches!(self, Self::Open | Self::Join | Self::Compact)
    }

    /// Whether it changes rows, or moves them to a new file.
    pub(crate) fn writes(self) -> bool {
        !matches!(
            self,
            Self::Open
                | Self::OpenToRead
                | Self::Close
                | Self::Look
                | Self::Verify
                | Self::Salvage
                | Self::Backup
                | Self::Join
                | Self::LookThere
        )
    }
}

fn apply(list: &ListStore, act: Act) -> Result<()> {
    match act {
        Act::Save(number) | Act::SaveThere(number) => list.save_token(&token(number, 20)).map(drop),
        Act::SaveLong(number) => list.save_token(&long(number)).map(drop),
        Act::Batch(from, to) => list.save_tokens(&batch(from, to)).map(drop),
        Act::CompareAndSave(number, revision) => list.compare_and_save(&token(number, 30), revision).map(drop),
        Act::Delete(id) => list.delete(id).map(drop),
        Act::Clear => list.delete_tokens(),
        Act::Import(number) => list.import(&imported(number), OnClash::Replace).map(drop),
        Act::Refresh(number) => list.get(Key::UserName(&format!("user{number}")))?.map_or(Ok(()), |row| {
            // An answer without an expiry ends that of the old access token.
            let answer = answer(number).to_builder().user_name(format!("user{number}")).expiry_time("");
            list.save_token(&answer.id(row.id().unwrap_or_default()).build()).map(drop)
        }),
        Act::Sweep => {
            let mut over = list.get_tokens()?;
            over.retain(|row| row.expiry_time() == Some(OVER) && row.refresh_token().is_none());
            over.iter().try_for_each(|row| list.delete(row.id().unwrap_or_default()).map(drop))
        }
        _ => Ok(()),
    }
}

impl Players {
    pub(crate) fn new(machine: Sim) -> Self {
        Self { machine, here: None, there: None }
    }

    fn open(&self, options: &Options) -> Result<LogStore> {
        open_on(options, Arc::new(self.machine.process()), Path::new(STORE))
    }

    pub(crate) fn open_here(&mut self) -> Result<()> {
        self.here = None;
        self.here = Some(self.open(&options(&self.machine))?);
        Ok(())
    }

    /// Does it; `None` if whoever should could not open the store.
    pub(crate) fn perform(&mut self, act: Act) -> Option<Result<()>> {
        match act {
            Act::Open => return Some(self.open_here()),
            Act::OpenToRead => {
                self.here = None;
                return Some(self.open(&options(&self.machine).read_only(true)).map(|store| self.here = Some(store)));
            }
            Act::Join => return Some(self.open(&options(&self.machine)).map(|store| self.there = Some(store))),
            Act::Salvage => {
                let process = self.machine.process();
                return Some(
                    salvage_on(&options(&self.machine), &process, Path::new(STORE), Path::new(RESCUED)).map(drop),
                );
            }
            Act::LookThere => return self.there.as_ref().map(look),
            Act::SaveThere(number) => {
                return self.there.as_ref().map(|store| store.save_token(&token(number, 20)).map(drop));
            }
            _ => {}
        }
        let store = self.here.as_ref()?;
        Some(match act {
            Act::Close => {
                let closed = store.close();
                self.here = None;
                closed
            }
            Act::Save(number) => store.save_token(&token(number, 20)).map(drop),
            Act::SaveLong(number) => store.save_token(&long(number)).map(drop),
            Act::Batch(from, to) => store.save_tokens(&batch(from, to)).map(drop),
            Act::CompareAndSave(number, revision) => store.compare_and_save(&token(number, 30), revision).map(drop),
            Act::Delete(id) => store.delete(id).map(drop),
            Act::Clear => store.delete_tokens(),
            Act::Import(number) => store.import(&imported(number), OnClash::Replace).map(drop),
            Act::Refresh(number) => refresh(store, number),
            Act::Sweep => store.sweep(&sweep_policy()).map(drop),
            Act::Compact => store.compact().map(drop),
            Act::Backup => store.backup(BACKUP),
            Act::Look => look(store),
            Act::Verify => store.verify().map(drop),
            _ => unreachable!("done above"),
        })
    }
}

fn refresh(store: &LogStore, number: usize) -> Result<()> {
    let name = format!("user{number}");
    let Some(row) = store.get(Key::UserName(&name))? else { return Ok(()) };
    let policy = RefreshPolicy { rejected: row.revision(), backoff_max: Duration::ZERO, ..RefreshPolicy::new() };
    match store.refresh(Key::UserName(&name), policy, |_| Ok::<_, String>(answer(number))) {
        Ok(_) => Ok(()),
        Err(RefreshError::SaveFailed { source, .. } | RefreshError::Store(source)) => Err(source),
        Err(other) => panic!("{other}"),
    }
}

/// Each row is found by its keys: a failing call is never "not found".
fn look(store: &LogStore) -> Result<()> {
    for row in store.get_tokens()? {
        let found = store.get(Key::UserName(row.user_name().unwrap_or_default()))?;
        assert_eq!(found.as_ref(), Some(&row), "a storage error is not an absence");
        store.find_token_by_id(row.id().unwrap_or_default())?;
    }
    assert!(store.get(Key::UserName("nobody"))?.is_none());
    Ok(())
}

/// Whether an error is one that a failing call may come out as.
pub(crate) fn is_right(error: &Error) -> bool {
    use tokcask::ErrorKind::{Busy, Io, NoSpace, OutcomeUnknown, Poisoned};
    matches!(error.kind(), Io | NoSpace | OutcomeUnknown | Poisoned | Busy)
}
