//! The commits that every store is given, and what a find has to say afterwards.
//!
//! Each commit is one token row of about 500 bytes. Every tenth replaces the row of an earlier user, as a refresh does
//! whose provider rotates refresh tokens, so that an older row can be told from the right one. A row depends on its user
//! and on its commit: no other bytes are taken for it.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::random::mix;

/// How many commits there are.
pub const COMMITS: usize = 200;

/// One commit: a row to save.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The key.
    pub user_name: String,
    /// The row: one line a field, in the order of [`FIELDS`].
    pub record: String,
}

/// The lines of a record.
pub const FIELDS: [&str; 6] = ["access token", "refresh token", "client id", "expiry time", "API domain", "scope"];

/// All commits, in their order.
#[must_use]
pub fn commits() -> Vec<Commit> {
    (0..COMMITS)
        .map(|number| {
            let user_name = format!("user-{:03}@example.test:60001", user_of(number));
            Commit { record: record(&user_name, number), user_name }
        })
        .collect()
}

/// The user whose row a commit saves: one of its own, but for every tenth.
fn user_of(number: usize) -> usize {
    if number % 10 != 9 {
        return number;
    }
    let earlier = number / 2;
    if earlier % 10 == 9 { earlier - 1 } else { earlier }
}

fn record(user_name: &str, number: usize) -> String {
    let seed = user_name.bytes().fold(number as u64, |seed, byte| mix(seed, byte.into()));
    let mut words = 0..;
    let mut hex = |count: usize| {
        words.by_ref().take(count).fold(String::new(), |mut text, word| {
            write!(text, "{:016x}", mix(seed, word)).expect("a string takes everything");
            text
        })
    };
    format!(
        "fake-access-{}\nfake-refresh-{}\nfake-client-{}\n41{:011}\nhttps://api.example.test\n\
         crm.modules.ALL,crm.settings.ALL,crm.users.READ,crm.org.READ,crm.bulk.READ,offline_access",
        hex(12),
        hex(6),
        hex(2),
        mix(seed, 1 << 32) % 100_000_000_000,
    )
}

/// What one find gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The row as it was saved last.
    Right,
    /// No row.
    Missing,
    /// The row as it was before its last save: a token that is spent.
    Older,
    /// Bytes that nobody saved for this user.
    Wrong,
}

/// What each user's row has to be.
#[derive(Debug)]
pub struct Expected(BTreeMap<String, Vec<String>>);

impl Default for Expected {
    fn default() -> Self {
        let mut users = BTreeMap::<_, Vec<_>>::new();
        for commit in commits() {
            users.entry(commit.user_name).or_default().push(commit.record);
        }
        Self(users)
    }
}

impl Expected {
    /// All users.
    pub fn users(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// What a find gave, and how many acknowledged commits are gone with it.
    #[must_use]
    pub fn judge(&self, user_name: &str, found: Option<&[u8]>) -> (Found, usize) {
        let saved = self.0.get(user_name).map_or(&[][..], Vec::as_slice);
        let Some(found) = found else { return (Found::Missing, saved.len()) };
        match saved.iter().rposition(|record| record.as_bytes() == found) {
            Some(last) if last + 1 == saved.len() => (Found::Right, 0),
            Some(older) => (Found::Older, saved.len() - 1 - older),
            None => (Found::Wrong, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{COMMITS, Expected, FIELDS, Found, commits};

    #[test]
    fn every_tenth_commit_replaces_an_earlier_row_and_none_is_replaced_twice() {
        let commits = commits();
        let expected = Expected::default();
        assert_eq!((commits.len(), expected.users().count()), (COMMITS, COMMITS - COMMITS / 10));
        for (number, commit) in commits.iter().enumerate() {
            assert_eq!(commit.record.lines().count(), FIELDS.len());
            assert!((450..550).contains(&(commit.user_name.len() + commit.record.len())), "{}", commit.record.len());
            let before = commits[..number].iter().filter(|earlier| earlier.user_name == commit.user_name).count();
            assert_eq!(before, usize::from(number % 10 == 9), "commit {number}");
        }
    }

    #[test]
    fn right_older_missing_and_wrong_rows_are_told_apart() {
        let (commits, expected) = (commits(), Expected::default());
        let (new, old, other) = (&commits[9], &commits[4], &commits[0]);
        let judge = |found| expected.judge(&new.user_name, found);
        assert_eq!(judge(Some(new.record.as_bytes())), (Found::Right, 0));
        assert_eq!(judge(Some(old.record.as_bytes())), (Found::Older, 1));
        assert_eq!(judge(None), (Found::Missing, 2));
        assert_eq!(judge(Some(other.record.as_bytes())), (Found::Wrong, 0), "another user's");
        assert_eq!(judge(Some(&new.record.as_bytes()[1..])), (Found::Wrong, 0));
    }
}
