//! Revisions and ids of the log beside those of the list.
//!
//! They are the same until a recovery cuts a tail: then the log leaves out the numbers that the tail may have given, and the
//! list, which never crashes, does not. From there on its revisions stand for others.

use tokcask::{Error, Key, ListStore, LogStore, OnClash, Token, TokenStore};

/// What comes next in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) id: u64,
    pub(super) revision: u64,
}

impl Next {
    pub(super) fn of(store: &LogStore) -> Self {
        let stats = store.stats().expect("it is open");
        Self { id: stats.next_id, revision: stats.next_revision }
    }
}

/// From which revision of the list on which number is to be added.
pub(super) struct Numbers(Vec<(u64, u64)>);

impl Numbers {
    pub(super) fn new() -> Self {
        Self(vec![(0, 0)])
    }

    /// What the list's revision is in the log. 0 is no revision.
    pub(super) fn of_log(&self, revision: u64) -> u64 {
        let (_, more) = self.0.iter().rev().find(|(from, _)| *from <= revision).expect("the first begins at 0");
        if revision == 0 { 0 } else { revision.wrapping_add(*more) }
    }

    pub(super) fn error(&self, error: Error) -> Error {
        match error {
            Error::Conflict { expected, found } => Error::Conflict {
                expected: self.of_log(expected),
                found: found.map(|found| self.of_log(found)),
            },
            other => other,
        }
    }

    /// The log goes on with other numbers than it would have.
    pub(super) fn leap(&mut self, list: &ListStore, before: Next, after: Next) {
        let more = self.0.last().expect("never empty").1;
        let spent = lead(list, before.id, after.id);
        let next = before.revision.wrapping_sub(more) + spent;
        self.0.push((next, after.revision.wrapping_sub(next)));
    }
}

/// Makes the list give this id next. Returns how many revisions that took.
fn lead(list: &ListStore, before: u64, next: u64) -> u64 {
    if before == next {
        return 0;
    }
    let row = Token::builder().refresh_token("fake-lead");
    let last = (next - 1).to_string();
    if last.len() <= 18 {
        assert!(list.get(Key::Id(&last)).expect("a list").is_none(), "the id {last} is a row's, and was left out");
        list.import(&[row.id(last.as_str()).build()], OnClash::Refuse).expect("nobody has the id");
        list.delete(&last).expect("a list");
        return 2;
    }
    // An id of its own this long moves no counter: one by one.
    let row = row.build();
    let mut spent = 0;
    loop {
        let id = list.save_token(&row).expect("it is small").id().expect("a row has an id").to_owned();
        list.delete(&id).expect("a list");
        spent += 2;
        if id.parse::<u64>().expect("the list gave it") + 1 >= next {
            return spent;
        }
    }
}
