//! Whether a history of operations is linearizable, user by user.
//!
//! In the manner of Wing and Gong, without their search: a save returns the row's revision, and revisions are given in
//! order, so the order of all changes of a user is known beforehand; only where the reads go is not. A read changes
//! nothing, so taking it as early as it is allowed and right is never wrong. What is left over when nothing can be taken
//! is an error in the history: it has no order that both respects the clock and explains every answer.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// A row as somebody saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) id: u64,
    pub(crate) revision: u64,
    pub(crate) access: String,
    pub(crate) refresh: String,
}

/// What was asked, and what was answered. Empty text in a save keeps what is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Did {
    Save { access: String, refresh: String, saved: Row },
    CompareAndSave { expected: u64, access: String, saved: Row },
    Conflict { expected: u64, found: Option<u64> },
    Delete { id: u64, deleted: bool },
    FindUser(Option<Row>),
    FindId(u64, Option<Row>),
    FindRefresh(String, Option<Row>),
}

impl Did {
    fn is_change(&self) -> bool {
        matches!(self, Self::Save { .. } | Self::CompareAndSave { .. } | Self::Delete { deleted: true, .. })
    }
}

/// An operation on a user's row, and the clock's readings just before and just after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) user: String,
    pub(crate) invoked: u64,
    pub(crate) returned: u64,
    pub(crate) did: Did,
}

/// All rows as somebody saw them at one moment.
pub(crate) type Snapshot = BTreeMap<String, Row>;

/// What is wrong with a history.
pub(crate) type Wrong = String;

type Checked<T> = Result<T, Wrong>;

fn wrong<T>(what: &str, event: &Event) -> Checked<T> {
    Err(format!("{what}: {event:?}"))
}

/// Checks all users, and that no id or revision is used twice.
pub(crate) fn check(events: &[Event]) -> Checked<()> {
    let mut users: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    let (mut owners, mut revisions) = (BTreeMap::new(), BTreeMap::new());
    for event in events {
        if let Did::Save { saved, .. } | Did::CompareAndSave { saved, .. } = &event.did {
            if *owners.entry(saved.id).or_insert(&event.user) != &event.user {
                return wrong("the id is another user's", event);
            }
            if revisions.insert(saved.revision, event).is_some() {
                return wrong("the revision was given before", event);
            }
        }
        users.entry(&event.user).or_default().push(event);
    }
    users.into_values().try_for_each(check_user)
}

/// Checks that all rows are of one moment: none is older than another user's row allows.
pub(crate) fn check_snapshots(events: &[Event], snapshots: &[Snapshot]) -> Checked<()> {
    let mut revisions: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    for event in events {
        if let Did::Save { saved, .. } | Did::CompareAndSave { saved, .. } = &event.did {
            revisions.entry(&event.user).or_default().insert(saved.revision);
        }
    }
    for snapshot in snapshots {
        let Some(newest) = snapshot.values().map(|row| row.revision).max() else { continue };
        for (user, row) in snapshot {
            let range = (Bound::Excluded(row.revision), Bound::Included(newest));
            // One revision cannot be between itself and itself.
            let later = revisions.get(user.as_str()).filter(|_| row.revision < newest);
            if let Some(later) = later.and_then(|revisions| revisions.range(range).next()) {
                return Err(format!("{user} at revision {later} is missing beside revision {newest}: {row:?}"));
            }
        }
    }
    Ok(())
}

fn check_user(mut events: Vec<&Event>) -> Checked<()> {
    events.sort_by_key(|event| event.invoked);
    let changes = changes(&events)?;
    // For each change, when the first of it and all behind it had returned.
    let mut limits: Vec<u64> = changes.iter().map(|event| event.returned).collect();
    (1..limits.len()).rev().for_each(|at| limits[at - 1] = limits[at - 1].min(limits[at]));
    let mut waiting = events.into_iter().filter(|event| !event.did.is_change()).peekable();
    let mut open: Vec<&Event> = Vec::new();
    let (mut row, mut done) = (None, 0);
    loop {
        // What was invoked after something else had returned cannot come before it.
        let mut limit = limits.get(done).copied().unwrap_or(u64::MAX);
        limit = open.iter().map(|event| event.returned).min().unwrap_or(u64::MAX).min(limit);
        while let Some(event) = waiting.next_if(|event| event.invoked <= limit) {
            limit = limit.min(event.returned);
            open.push(event);
        }
        let before = open.len();
        open.retain(|event| event.invoked > limit || !is_explained(event, row.as_ref()));
        if open.len() < before {
            continue;
        }
        match changes.get(done) {
            Some(event) if event.invoked <= limit => row = apply(event, row.as_ref())?,
            _ => break,
        }
        done += 1;
    }
    match open.iter().min_by_key(|event| event.returned).or(changes.get(done)) {
        None => Ok(()),
        Some(event) => wrong(&format!("not to be explained after {done} changes, beside {row:?}"), event),
    }
}

/// All that changed the row, in the order in which it did: saves by revision; a row's deletion after its last save.
fn changes<'a>(events: &[&'a Event]) -> Checked<Vec<&'a Event>> {
    let mut changes: BTreeMap<(u64, bool), &Event> = BTreeMap::new();
    let mut last_of: BTreeMap<u64, u64> = BTreeMap::new();
    for event in events {
        if let Did::Save { saved, .. } | Did::CompareAndSave { saved, .. } = &event.did {
            changes.insert((saved.revision, false), event);
            let last = last_of.entry(saved.id).or_default();
            *last = saved.revision.max(*last);
        }
    }
    for event in events {
        if let Did::Delete { id, deleted: true } = &event.did {
            let Some(last) = last_of.get(id) else { return wrong("a row was deleted that nobody saved", event) };
            if changes.insert((*last, true), event).is_some() {
                return wrong("a row was deleted twice", event);
            }
        }
    }
    Ok(changes.into_values().collect())
}

/// The row after a change, if the change's answer is right.
fn apply(event: &Event, row: Option<&Row>) -> Checked<Option<Row>> {
    let (access, refresh, saved) = match &event.did {
        Did::Delete { id, .. } if row.is_some_and(|row| row.id == *id) => return Ok(None),
        Did::Delete { .. } => return wrong("a row was deleted that was not there", event),
        Did::Save { access, refresh, saved } => (access.as_str(), refresh.as_str(), saved),
        Did::CompareAndSave { expected, access, saved } => {
            if row.map_or(0, |row| row.revision) != *expected {
                return wrong("a save was let through that compared with another revision", event);
            }
            (access.as_str(), "", saved)
        }
        _ => unreachable!("reads change nothing"),
    };
    let keep = |new: &str, stored: fn(&Row) -> &str| {
        if new.is_empty() { row.map_or("", stored).to_owned() } else { new.to_owned() }
    };
    let expected = Row {
        id: row.map_or(saved.id, |row| row.id),
        revision: saved.revision,
        access: keep(access, |row| &row.access),
        refresh: keep(refresh, |row| &row.refresh),
    };
    if expected == *saved { Ok(Some(expected)) } else { wrong(&format!("should have made {expected:?}"), event) }
}

/// Whether a read is right while the row is this.
fn is_explained(event: &Event, row: Option<&Row>) -> bool {
    match &event.did {
        Did::FindUser(found) => found.as_ref() == row,
        Did::FindId(id, found) => found.as_ref() == row.filter(|row| row.id == *id),
        Did::FindRefresh(refresh, found) => found.as_ref() == row.filter(|row| row.refresh == *refresh),
        Did::Conflict { expected, found } => {
            let revision = row.map(|row| row.revision);
            *found == revision && revision.unwrap_or(0) != *expected
        }
        Did::Delete { id, .. } => row.is_none_or(|row| row.id != *id),
        Did::Save { .. } | Did::CompareAndSave { .. } => unreachable!("changes are in the other list"),
    }
}

mod tests {
    use super::{Did, Event, Row, Snapshot, check, check_snapshots};

    fn row(id: u64, revision: u64, access: &str) -> Row {
        Row { id, revision, access: access.to_owned(), refresh: String::new() }
    }

    fn event(invoked: u64, returned: u64, did: Did) -> Event {
        Event { user: "ana".to_owned(), invoked, returned, did }
    }

    fn save(times: (u64, u64), saved: Row) -> Event {
        event(times.0, times.1, Did::Save { access: saved.access.clone(), refresh: String::new(), saved })
    }

    fn find(times: (u64, u64), found: Option<Row>) -> Event {
        event(times.0, times.1, Did::FindUser(found))
    }

    fn delete(times: (u64, u64), id: u64, deleted: bool) -> Event {
        event(times.0, times.1, Did::Delete { id, deleted })
    }

    /// Two saves one after the other, and what came of a third operation.
    fn is_right(more: &[Event]) -> bool {
        let mut events = vec![save((0, 10), row(1, 1, "a")), save((20, 30), row(1, 2, "b"))];
        events.extend_from_slice(more);
        check(&events).is_ok()
    }

    #[test]
    fn a_right_history_is_right() {
        assert!(is_right(&[]));
        assert!(is_right(&[find((12, 18), Some(row(1, 1, "a"))), find((31, 32), Some(row(1, 2, "b")))]));
        // Beside the second save either is right, but no step back.
        assert!(is_right(&[find((22, 23), Some(row(1, 1, "a"))), find((24, 25), Some(row(1, 2, "b")))]));
        assert!(is_right(&[find((5, 6), None), delete((40, 50), 1, true), find((45, 46), None)]));
        assert!(is_right(&[delete((40, 50), 1, true), save((41, 60), row(2, 4, "c")), delete((45, 46), 1, false)]));
        assert!(is_right(&[event(25, 26, Did::Conflict { expected: 1, found: Some(2) })]));
    }

    #[test]
    fn a_stale_read_is_found() {
        assert!(!is_right(&[find((31, 32), Some(row(1, 1, "a")))]));
        assert!(!is_right(&[find((22, 23), Some(row(1, 2, "b"))), find((24, 25), Some(row(1, 1, "a")))]));
        assert!(!is_right(&[find((11, 12), None)]), "and a find that misses");
        assert!(!is_right(&[event(31, 32, Did::FindId(1, None))]));
        assert!(!is_right(&[find((12, 13), Some(row(1, 2, "b")))]), "and one from the future");
    }

    #[test]
    fn a_lost_update_is_found() {
        let merged = Row { refresh: "r".to_owned(), ..row(1, 3, "a") };
        let merge = Did::Save { access: String::new(), refresh: "r".to_owned(), saved: merged };
        assert!(!is_right(&[event(40, 50, merge)]), "merged into a row that was replaced before");
        let through = |expected| Did::CompareAndSave { expected, access: "c".to_owned(), saved: row(1, 3, "c") };
        assert!(is_right(&[event(40, 50, through(2))]));
        assert!(!is_right(&[event(40, 50, through(1))]));
        assert!(!is_right(&[save((40, 50), row(1, 2, "c"))]), "two saves with one revision");
        assert!(!is_right(&[save((40, 50), row(2, 3, "c"))]), "a second row of the same user");
        assert!(!is_right(&[save((11, 12), row(1, 3, "c"))]), "an order of revisions that is not that of the clock");
    }

    #[test]
    fn a_phantom_is_found() {
        assert!(!is_right(&[find((31, 32), Some(row(1, 7, "z")))]));
        assert!(!is_right(&[find((31, 32), Some(row(1, 2, "a")))]), "another version's value");
        assert!(!is_right(&[event(31, 32, Did::FindRefresh("r".to_owned(), Some(row(1, 2, "b"))))]));
        assert!(!is_right(&[event(31, 32, Did::Conflict { expected: 1, found: Some(9) })]));
    }

    #[test]
    fn a_snapshot_of_two_moments_is_found() {
        let mut events = vec![save((0, 10), row(1, 1, "a")), save((20, 30), row(1, 2, "b"))];
        events.push(Event { user: "bob".to_owned(), ..save((40, 50), row(2, 3, "c")) });
        let snapshot = |ana: Row| Snapshot::from([("ana".to_owned(), ana), ("bob".to_owned(), row(2, 3, "c"))]);
        assert!(check_snapshots(&events, &[snapshot(row(1, 2, "b"))]).is_ok());
        assert!(check_snapshots(&events, &[snapshot(row(1, 1, "a"))]).is_err());
    }

    #[test]
    fn a_delete_that_does_not_last_is_found() {
        assert!(!is_right(&[delete((40, 50), 1, true), find((51, 52), Some(row(1, 2, "b")))]));
        assert!(!is_right(&[delete((40, 50), 1, true), save((51, 52), row(1, 4, "c"))]), "the id again");
        assert!(!is_right(&[delete((40, 50), 1, true), delete((51, 52), 1, true)]));
        assert!(!is_right(&[delete((40, 50), 1, false)]), "a row that is there");
        let mut elsewhere = save((60, 70), row(1, 5, "c"));
        elsewhere.user = "bob".to_owned();
        assert!(!is_right(&[delete((40, 50), 1, true), elsewhere]), "another user's row gets the id");
    }
}
