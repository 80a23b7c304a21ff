//! What a script asks of a store in one call, and the same asked of the plain list.

use tokcask::{ErrorKind, ImportReport, Key, ListStore, LogStore, OnClash, Result, SweepPolicy, Token, TokenStore};

use super::dice::{Dice, OVER};

#[derive(Debug)]
pub(super) enum Verb {
    Save(Token),
    Batch(Vec<Token>),
    CompareAndSave(Token, u64),
    Import(Vec<Token>, OnClash),
    Find(Token),
    FindById(&'static str),
    Get(Key<'static>),
    View(Key<'static>),
    All,
    Delete(&'static str),
    DeleteToken(&'static str),
    Sweep(SweepPolicy),
    Clear,
}

/// A row as a store returns it, with its revision.
pub(super) type Row = (Token, u64);

/// What comes of it.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    Done,
    Rows(Vec<Row>),
    Was(bool),
    Imported(ImportReport),
    /// Ids, spared, examined, moved on.
    Swept(Vec<String>, u64, u64, u64),
    Refused(String),
}

impl Verb {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Save(_) => "save",
            Self::Batch(_) => "batch",
            Self::CompareAndSave(..) => "compare and save",
            Self::Import(_, OnClash::Refuse) => "import or refuse",
            Self::Import(_, OnClash::Keep) => "import and keep",
            Self::Import(_, OnClash::Replace) => "import and replace",
            Self::Import(..) => "import and renumber",
            Self::Find(_) => "find_token",
            Self::FindById(_) => "find_by_id",
            Self::Get(Key::Id(_)) => "get by id",
            Self::Get(Key::UserName(_)) => "get by user name",
            Self::Get(Key::AccessToken(_)) => "get by access token",
            Self::Get(Key::RefreshToken(_)) => "get by refresh token",
            Self::Get(Key::GrantToken(_)) => "get by grant token",
            Self::View(_) => "view",
            Self::All => "iter",
            Self::Delete(_) => "delete",
            Self::DeleteToken(_) => "delete_token",
            Self::Sweep(policy) if policy.dry_run => "dry sweep",
            Self::Sweep(_) => "sweep",
            Self::Clear => "clear",
        }
    }

    pub(super) fn writes(&self) -> bool {
        !matches!(self, Self::Find(_) | Self::FindById(_) | Self::Get(_) | Self::View(_) | Self::All)
    }

    /// A question that changes nothing.
    pub(super) fn question(dice: &mut Dice) -> Self {
        match dice.below(12) {
            0 => Self::Find(dice.token()),
            1 => Self::View(dice.key()),
            2 => Self::FindById(dice.id()),
            3 => Self::All,
            _ => Self::Get(dice.key()),
        }
    }

    pub(super) fn perform(&self, store: &LogStore) -> Result<Answer> {
        Ok(match self {
            Self::Save(token) => one(store.save_token(token)?),
            Self::Batch(tokens) => many(store.save_tokens(tokens)?),
            Self::CompareAndSave(token, revision) => one(store.compare_and_save(token, *revision)?),
            Self::Import(tokens, on_clash) => Answer::Imported(store.import(tokens, *on_clash)?),
            Self::Find(token) => many(store.find_token(token)?),
            Self::FindById(id) => one(store.find_token_by_id(id)?),
            Self::Get(key) => many(store.get(*key)?),
            Self::View(key) => many(store.view(*key, |row| row.to_token())?),
            Self::All => many(store.iter().collect::<Result<Vec<_>>>()?),
            Self::Delete(id) => Answer::Was(store.delete(id)?),
            Self::DeleteToken(id) => done(store.delete_token(id)?),
            Self::Sweep(policy) => {
                let report = store.sweep(policy)?;
                assert!(report.stopped.is_none(), "the sweep stopped: {:?}", report.stopped);
                let ids = report.swept.into_iter().map(|row| row.id).collect();
                Answer::Swept(ids, report.spared, report.examined, report.moved_on)
            }
            Self::Clear => done(store.delete_tokens()?),
        })
    }

    /// The same by the list.
    pub(super) fn apply(&self, list: &ListStore) -> Answer {
        self.try_apply(list).unwrap_or_else(|error| Answer::Refused(error.to_string()))
    }

    fn try_apply(&self, list: &ListStore) -> Result<Answer> {
        Ok(match self {
            Self::Save(token) => one(list.save_token(token)?),
            Self::Batch(tokens) => many(list.save_tokens(tokens)?),
            Self::CompareAndSave(token, revision) => one(list.compare_and_save(token, *revision)?),
            Self::Import(tokens, on_clash) => Answer::Imported(list.import(tokens, *on_clash)?),
            Self::Find(token) => many(list.find_token(token)?),
            Self::FindById(id) => one(list.find_token_by_id(id)?),
            Self::Get(key) | Self::View(key) => many(list.get(*key)?),
            Self::All => many(list.get_tokens()?),
            Self::Delete(id) => Answer::Was(list.delete(id)?),
            Self::DeleteToken(id) => done(list.delete_token(id)?),
            Self::Sweep(policy) => sweep(list, policy),
            Self::Clear => done(list.delete_tokens()?),
        })
    }
}

impl Answer {
    /// What is counted.
    pub(super) fn name(&self, writes: bool) -> &'static str {
        match self {
            Self::Rows(rows) if !writes && rows.is_empty() => "not found",
            Self::Rows(_) if !writes => "found",
            Self::Was(false) => "nothing to delete",
            Self::Refused(_) => "refused",
            _ => "done",
        }
    }
}

pub(super) fn row(token: Token) -> Row {
    let revision = token.revision().unwrap_or(0);
    (token, revision)
}

fn one(token: Token) -> Answer {
    Answer::Rows(vec![row(token)])
}

fn many(tokens: impl IntoIterator<Item = Token>) -> Answer {
    Answer::Rows(tokens.into_iter().map(row).collect())
}

fn done((): ()) -> Answer {
    Answer::Done
}

fn sweep(list: &ListStore, policy: &SweepPolicy) -> Answer {
    let mut rows = list.get_tokens().expect("a list");
    let examined = rows.len() as u64;
    rows.retain(|row| row.access_token().is_some() && row.expiry_time() == Some(OVER));
    let over = rows.len();
    rows.retain(|row| policy.with_refresh_token || row.refresh_token().is_none());
    let ids: Vec<_> = rows.iter().map(|row| row.id().expect("a row has an id").to_owned()).collect();
    for id in ids.iter().filter(|_| !policy.dry_run) {
        assert!(list.delete(id).expect("a list"), "it was there");
    }
    let spared = (over - ids.len()) as u64;
    Answer::Swept(ids, spared, examined, 0)
}

/// The name of an error that says no to the caller; any other means that something is wrong.
pub(super) fn refusal(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::Conflict => Some("Conflict"),
        ErrorKind::EmptyId => Some("EmptyId"),
        ErrorKind::IdTaken => Some("IdTaken"),
        ErrorKind::TooLarge => Some("TooLarge"),
        ErrorKind::TooLittle => Some("TooLittle"),
        ErrorKind::UnknownId => Some("UnknownId"),
        _ => None,
    }
}
