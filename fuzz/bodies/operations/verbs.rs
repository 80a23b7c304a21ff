//! What a script can ask of a store, and the same asked of the plain list that every answer is compared with.

use std::time::Duration;

use tokcask::{
    Error, ErrorKind, ImportReport, Key, ListStore, LogStore, OnClash, RefreshError, RefreshPolicy, Result, Secret,
    SweepPolicy, Token, TokenStore,
};

use crate::bodies::input::Input;

/// An expiry that is over, and one that is not, whatever the clock says.
const OVER: &str = "1000000000000";
const NEVER: &str = "4102444800000";
const IDS: [&str; 8] = ["1", "2", "3", "7", "12", "abc", "é", "99999999999999"];
const KEYS: [&str; 12] = ["", "1", "2", "abc", "user0", "user1", "a1", "a2", "r1", "r2", "g0", "g1"];
/// A few of these need an extension of the log.
const LONG_LEN: usize = 6000;

/// One thing to do with a handle.
#[derive(Debug)]
pub(super) enum Verb {
    Save(Token),
    Batch(Vec<Token>),
    /// Whether the revision is that of the row with this user name.
    CompareAndSave(Token, bool),
    Import(Vec<Token>, OnClash),
    Delete(&'static str),
    Clear,
    Sweep(SweepPolicy),
    Find(Token),
    Get(usize, &'static str),
    Compact,
    /// What the provider answers; `None`: it fails.
    Refresh(String, Option<Token>),
}

/// What comes of it, as far as it is told by both.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    Done,
    Rows(Vec<Token>),
    Found(bool),
    Imported(ImportReport),
    Gone(Vec<String>),
    Refused(ErrorKind),
    UnknownKey,
    ProviderFailed,
}

/// A call that a fault made fail.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) error: Error,
    /// It may be there, or come up later.
    pub(super) is_unknown: bool,
    /// The handle keeps the answer of a provider, and saves it when it is closed.
    pub(super) is_kept: bool,
}

impl Verb {
    pub(super) fn read(input: &mut Input<'_>) -> Self {
        let user = |input: &mut Input<'_>| format!("user{}", input.below(4));
        match input.below(24) {
            0..=5 => Self::Save(token(input)),
            6 | 7 => Self::Batch(tokens(input)),
            8 => Self::CompareAndSave(token(input), input.bit()),
            9 => {
                let clashes = [OnClash::Refuse, OnClash::Keep, OnClash::Replace, OnClash::Renumber];
                Self::Import(tokens(input), input.pick(&clashes))
            }
            10 | 11 => Self::Delete(input.pick(&IDS)),
            12 => Self::Clear,
            13 | 14 => {
                let (expired_for, switches) = (Some(Duration::ZERO), input.byte());
                let (with_refresh_token, dry_run) = (switches & 1 != 0, switches & 2 != 0);
                Self::Sweep(SweepPolicy { expired_for, with_refresh_token, dry_run, ..SweepPolicy::default() })
            }
            15 => Self::Find(token(input)),
            16 => Self::Get(input.below(5), input.pick(&KEYS)),
            17..=19 => Self::Compact,
            _ => {
                let number = input.byte();
                let answer = Token::builder().access_token(format!("fresh{number}")).expiry_time(NEVER);
                let rotated = number & 1 != 0;
                let answer = if rotated { answer.refresh_token(format!("rotated{number}")) } else { answer };
                Self::Refresh(user(input), (number & 6 != 0).then(|| answer.build()))
            }
        }
    }

    /// Does it. `expected` is the revision for `CompareAndSave`.
    pub(super) fn perform(&self, store: &LogStore, expected: u64) -> Result<Answer, Failed> {
        let done = match self {
            Self::Save(token) => store.save_token(token).map(|row| Answer::Rows(vec![row])),
            Self::Batch(tokens) => store.save_tokens(tokens).map(Answer::Rows),
            Self::CompareAndSave(token, _) => {
                store.compare_and_save(token, expected).map(|row| Answer::Rows(vec![row]))
            }
            Self::Import(tokens, on_clash) => store.import(tokens, *on_clash).map(Answer::Imported),
            Self::Delete(id) => store.delete(id).map(Answer::Found),
            Self::Clear => store.delete_tokens().map(|()| Answer::Done),
            Self::Sweep(policy) => store.sweep(policy).and_then(|report| match report.stopped {
                Some(error) => Err(error),
                None => Ok(Answer::Gone(report.swept.into_iter().map(|row| row.id).collect())),
            }),
            Self::Find(token) => store.find_token(token).map(|row| Answer::Rows(row.into_iter().collect())),
            Self::Get(column, value) => {
                store.get(key(*column, value)).map(|row| Answer::Rows(row.into_iter().collect()))
            }
            Self::Compact => store.compact().map(|_| Answer::Done),
            Self::Refresh(user, answer) => return refresh(store, user, answer.as_ref()),
        };
        done.or_else(refused)
    }

    /// The same by the list.
    pub(super) fn apply(&self, list: &ListStore, expected: u64) -> Answer {
        let done = match self {
            Self::Save(token) => list.save_token(token).map(|row| Answer::Rows(vec![row])),
            Self::Batch(tokens) => list.save_tokens(tokens).map(Answer::Rows),
            Self::CompareAndSave(token, _) => list.compare_and_save(token, expected).map(|row| Answer::Rows(vec![row])),
            Self::Import(tokens, on_clash) => list.import(tokens, *on_clash).map(Answer::Imported),
            Self::Delete(id) => list.delete(id).map(Answer::Found),
            Self::Clear => list.delete_tokens().map(|()| Answer::Done),
            Self::Sweep(policy) => Ok(Answer::Gone(sweep(list, policy))),
            Self::Find(token) => list.find_token(token).map(|row| Answer::Rows(row.into_iter().collect())),
            Self::Get(column, value) => {
                list.get(key(*column, value)).map(|row| Answer::Rows(row.into_iter().collect()))
            }
            Self::Compact => Ok(Answer::Done),
            Self::Refresh(user, answer) => return refreshed(list, user, answer.as_ref()),
        };
        done.or_else(refused).expect("a list fails for no other reason")
    }
}

fn refused(error: Error) -> Result<Answer, Failed> {
    use ErrorKind::{Conflict, EmptyId, IdTaken, OutcomeUnknown, TooLarge, TooLittle, UnknownId};
    match error.kind() {
        kind @ (Conflict | EmptyId | IdTaken | TooLarge | TooLittle | UnknownId) => Ok(Answer::Refused(kind)),
        kind => Err(Failed { error, is_unknown: kind == OutcomeUnknown, is_kept: false }),
    }
}

fn refresh(store: &LogStore, user: &str, answer: Option<&Token>) -> Result<Answer, Failed> {
    // Nobody is there to be waited for, and a failure is not to be remembered.
    let policy = RefreshPolicy { wait_max: Duration::ZERO, backoff_max: Duration::ZERO, ..RefreshPolicy::new() };
    match store.refresh(Key::UserName(user), policy, |_| answer.cloned().ok_or(())) {
        Ok(refreshed) => Ok(Answer::Rows(vec![refreshed.into_token()])),
        Err(RefreshError::UnknownKey) => Ok(Answer::UnknownKey),
        Err(RefreshError::Provider(())) => Ok(Answer::ProviderFailed),
        Err(RefreshError::Store(error)) => refused(error),
        Err(RefreshError::SaveFailed { source, .. }) => Err(Failed { error: source, is_unknown: true, is_kept: true }),
        Err(other) => panic!("nobody else refreshes: {other:?}"),
    }
}

fn refreshed(list: &ListStore, user: &str, answer: Option<&Token>) -> Answer {
    let Some(row) = list.get(Key::UserName(user)).expect("a list") else { return Answer::UnknownKey };
    let has_access = row.access_token().is_some_and(|token| !token.expose_secret().is_empty());
    if has_access && row.expiry_time() != Some(OVER) {
        return Answer::Rows(vec![row]);
    }
    let Some(answer) = answer else { return Answer::ProviderFailed };
    let answer = answer.to_builder().id(row.id().expect("a row has an id")).build();
    Answer::Rows(vec![list.save_token(&answer).expect("it is small")])
}

fn sweep(list: &ListStore, policy: &SweepPolicy) -> Vec<String> {
    let mut rows = list.get_tokens().expect("a list");
    rows.retain(|row| row.access_token().is_some() && row.expiry_time() == Some(OVER));
    rows.retain(|row| policy.with_refresh_token || row.refresh_token().is_none());
    let ids: Vec<_> = rows.iter().map(|row| row.id().expect("a row has an id").to_owned()).collect();
    for id in ids.iter().filter(|_| !policy.dry_run) {
        assert!(list.delete(id).expect("a list"));
    }
    ids
}

fn key(column: usize, value: &str) -> Key<'_> {
    [Key::Id, Key::UserName, Key::AccessToken, Key::RefreshToken, Key::GrantToken][column](value)
}

fn tokens(input: &mut Input<'_>) -> Vec<Token> {
    (0..input.below(5)).map(|_| token(input)).collect()
}

/// A token of a small world, in which rows collide in every key.
fn token(input: &mut Input<'_>) -> Token {
    let (has, which) = (input.byte(), input.byte());
    let mut token = Token::builder();
    if has & 1 != 0 {
        token = token.id(IDS[usize::from(which) % IDS.len()]);
    }
    if has & 2 != 0 {
        token = token.user_name(format!("user{}", (which >> 3) & 3));
    }
    if has & 4 != 0 {
        token = token.access_token(format!("a{}", which >> 5));
    }
    if has & 8 != 0 {
        token = token.refresh_token(if which == 255 { String::new() } else { format!("r{}", which & 3) });
    }
    if has & 16 != 0 {
        token = token.grant_token(format!("g{}", (which >> 2) & 1));
    }
    if has & 32 != 0 {
        token = token.expiry_time(if which & 1 == 0 { OVER } else { NEVER });
    }
    if has & 64 != 0 {
        token = token.extra("k", format!("v{}", which & 3));
    }
    if has & 128 != 0 {
        token = token.access_token(format!("a{}-{}", which >> 5, "x".repeat(LONG_LEN)));
    }
    token.build()
}

/// Secrets are compared, and shown here: all of them are made above.
pub(super) fn shown(rows: &[Token]) -> Vec<String> {
    let show = |row: &Token| {
        let secret =
            |secret: Option<Secret<'_>>| secret.map(|secret| secret.expose_secret().chars().take(12).collect());
        let secrets: [Option<String>; 3] =
            [secret(row.access_token()), secret(row.refresh_token()), secret(row.grant_token())];
        format!("{:?} {:?} {:?} {secrets:?}", row.id(), row.user_name(), row.expiry_time())
    };
    rows.iter().map(show).collect()
}
