//! What the requests of many calls come to, before anything is written: pure memory over the index and the overlay.
//!
//! A call that is refused leaves nothing in the plan, and the others know nothing of it.

use std::borrow::Cow;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::format::frame::{FRAME_HEADER_LEN, Link};
use crate::format::operation::Operation;
use crate::format::seal::{CONTENT_LEN_MORE, TRAILER_LEN};
use crate::format::{FRAME_LEN_MAX, record};
use crate::index::Standing;
use crate::log::append::{Room, refused};
use crate::matching::{self, Selector, Stamp};
use crate::overlay::{Overlay, Savepoint, Selected};
use crate::token::{Column, Columns, Token};

/// What a caller asks for.
#[derive(Debug)]
pub(crate) enum Request<'a> {
    /// Save, if the row is at this revision (0: if there is none).
    Save(Cow<'a, Token>, Option<u64>),
    /// Save a provider's answer into the row that it was asked for, if that is there and is the same login.
    Renew(Cow<'a, Token>, Cow<'a, Token>),
    /// Delete the row with this id, if it is at this revision. One that has moved on is left alone, as if it were not there.
    Delete(Cow<'a, str>, Option<u64>),
    /// Delete all rows.
    Clear,
}

impl<'a> Request<'a> {
    pub(crate) fn save(token: &'a Token, expected: Option<u64>) -> Self {
        Self::Save(Cow::Borrowed(token), expected)
    }

    pub(crate) fn renew(answer: &'a Token, row: &'a Token) -> Self {
        Self::Renew(Cow::Borrowed(answer), Cow::Borrowed(row))
    }

    pub(crate) fn delete(id: &'a str, expected: Option<u64>) -> Self {
        Self::Delete(Cow::Borrowed(id), expected)
    }

    /// The same, for a caller that waits while another one plans.
    pub(super) fn to_static(&self) -> Request<'static> {
        match self {
            Self::Save(token, expected) => Request::Save(Cow::Owned(token.as_ref().clone()), *expected),
            Self::Renew(answer, row) => {
                let owned = |token: &Token| Cow::Owned(token.clone());
                Request::Renew(owned(answer), owned(row))
            }
            Self::Delete(id, expected) => Request::Delete(Cow::Owned(id.as_ref().to_owned()), *expected),
            Self::Clear => Request::Clear,
        }
    }

    /// Whether it is within the limits: as much as can be said of it before its turn.
    pub(super) fn check_limits(&self) -> Result<()> {
        match self {
            Self::Save(token, _) | Self::Renew(token, _) => {
                record::checked_len(&token.view()).map(drop).map_err(refused)
            }
            Self::Delete(..) | Self::Clear => Ok(()),
        }
    }
}

/// What became of a request.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// The row as stored.
    Saved(Arc<Token>),
    /// Whether there was something to delete.
    Deleted(bool),
}

impl Outcome {
    /// The row as stored, of a request that saves one.
    pub(crate) fn into_token(self) -> Token {
        match self {
            Self::Saved(token) => Arc::unwrap_or_clone(token),
            Self::Deleted(_) => unreachable!("a save is answered by a row"),
        }
    }
}

/// An operation to be written.
pub(super) enum Planned {
    Put {
        row: Arc<Token>,
        /// Where the row stands in whose place it comes, and how that reads; `None`: look for it.
        replaces: Option<(Standing, Arc<Token>)>,
        /// Columns whose key no row has when its turn comes: nothing need be looked for there.
        free: Columns,
        /// Where on a full disk it may go.
        room: Room,
    },
    Delete(String),
    Clear,
}

/// Operations that are to become a frame, and the counters after them.
pub(super) struct Plan {
    pub(super) operations: Vec<Planned>,
    pub(super) next_id: u64,
    pub(super) next_revision: u64,
    pub(super) now_ms: u64,
    /// Length of the operations, at most.
    body_len: u64,
    /// Whether a later request may want to see what an earlier one does.
    more_follow: bool,
}

/// A plan to which it can go back.
struct Mark {
    operations: usize,
    next_id: u64,
    next_revision: u64,
    body_len: u64,
    overlay: Savepoint,
}

impl Plan {
    /// An empty plan for so many requests, on top of these counters.
    pub(super) fn new(link: Link, count: usize, now_ms: u64) -> Self {
        let Link { next_id, next_revision, .. } = link;
        Self {
            operations: Vec::with_capacity(count),
            next_id,
            next_revision,
            now_ms,
            body_len: 0,
            more_follow: count > 1,
        }
    }

    /// Plans all requests of one call, or none of them. `None` if there may be no room for it in the frame, behind other
    /// calls.
    pub(super) fn call(&mut self, overlay: &mut Overlay<'_>, requests: &[Request<'_>]) -> Result<Option<Vec<Outcome>>> {
        let mark = Mark {
            operations: self.operations.len(),
            next_id: self.next_id,
            next_revision: self.next_revision,
            body_len: self.body_len,
            overlay: overlay.savepoint(),
        };
        overlay.check_room(requests.len())?;
        let planned = requests.iter().map(|request| match request {
            Request::Save(token, expected) => self.save(overlay, token, *expected),
            Request::Renew(answer, row) => self.renew(overlay, answer, row),
            Request::Delete(id, expected) => self.delete(overlay, id, *expected),
            Request::Clear => Ok(self.clear(overlay)),
        });
        let planned = match planned.collect::<Result<Vec<_>>>() {
            // By itself it is measured when the frame is built, to the byte.
            Ok(_) if mark.operations > 0 && self.frame_len() > FRAME_LEN_MAX.into() => Ok(None),
            planned => planned.map(Some),
        };
        if !matches!(planned, Ok(Some(_))) {
            self.operations.truncate(mark.operations);
            (self.next_id, self.next_revision, self.body_len) = (mark.next_id, mark.next_revision, mark.body_len);
            overlay.roll_back(&mark.overlay);
        }
        planned
    }

    /// Length of the frame, at most.
    pub(super) fn frame_len(&self) -> u64 {
        self.body_len + (FRAME_HEADER_LEN + TRAILER_LEN) as u64
    }

    /// Adds an operation with this much content.
    pub(super) fn push(&mut self, planned: Planned, content_len: u64) {
        // Header, padding, and what sealing adds; at most, so that the frame is built without growing, which would leave
        // copies of secrets.
        const AROUND: u64 = 32 + CONTENT_LEN_MORE as u64;
        self.body_len += AROUND + content_len;
        self.operations.push(planned);
    }

    /// What a row without an id would be called now.
    pub(super) fn free_id(&self, overlay: &Overlay<'_>) -> Result<u64> {
        let mut new_id = self.next_id;
        // The counter leaves out ids of 19 digits and more that a caller chose.
        while overlay.has_id(&new_id.to_string())? {
            new_id += 1;
        }
        Ok(new_id)
    }

    fn save(&mut self, overlay: &mut Overlay<'_>, token: &Token, expected: Option<u64>) -> Result<Outcome> {
        let selector = matching::selector_for_save(token)?;
        let row = overlay.select(selector)?;
        let found = row.as_ref().and_then(|(_, before)| before.revision());
        if let Some(expected) = expected.filter(|expected| *expected != found.unwrap_or(0)) {
            return Err(Error::Conflict { expected, found });
        }
        // A row that the selector means would have been found.
        let free = if row.is_none() { selector.columns() } else { Columns::default() };
        self.put(overlay, row, token, free, Room::Ordinary)
    }

    fn renew(&mut self, overlay: &mut Overlay<'_>, answer: &Token, asked_for: &Token) -> Result<Outcome> {
        let id = asked_for.id().unwrap_or_default();
        let Some(row) = overlay.select(Selector::Column(Column::Id, id))? else {
            return Err(Error::UnknownId { id: id.to_owned() });
        };
        if !matching::is_same_login(&row.1, asked_for) {
            let expected = asked_for.revision().unwrap_or_default();
            return Err(Error::Conflict { expected, found: row.1.revision() });
        }
        self.put(overlay, Some(row), answer, Columns::default(), Room::Reserve)
    }

    /// Merges the token into the row that was selected, or makes it a new one. No row has its keys of the columns that are
    /// `free`.
    fn put(
        &mut self,
        overlay: &mut Overlay<'_>,
        row: Option<Selected>,
        token: &Token,
        mut free: Columns,
        room: Room,
    ) -> Result<Outcome> {
        let names_it = row.is_none() && token.id().is_none();
        let new_id = if names_it {
            free.add(Column::Id);
            self.free_id(overlay)?
        } else {
            self.next_id
        };
        let stamp = Stamp { now_ms: self.now_ms, revision: self.next_revision };
        let before = row.as_ref().map(|(_, before)| before.view());
        let merged = Arc::new(matching::merge(token, before.as_ref(), new_id, stamp)?);
        let len = record::checked_len(&merged.view()).map_err(refused)?;
        let free = overlay.check_keys(row.as_ref().map(|(_, before)| before.as_ref()), &merged, free)?;
        self.next_revision += 1;
        self.next_id = matching::next_id_after(merged.id().unwrap_or_default(), self.next_id);
        if names_it {
            self.next_id = self.next_id.max(new_id + 1);
        }
        let replaces = row.as_ref().and_then(|(row, before)| Some((overlay.standing(*row)?, before.clone())));
        if self.more_follow {
            overlay.put(row, merged.clone());
        }
        self.push(Planned::Put { row: merged.clone(), replaces, free, room }, len);
        Ok(Outcome::Saved(merged))
    }

    fn delete(&mut self, overlay: &mut Overlay<'_>, id: &str, expected: Option<u64>) -> Result<Outcome> {
        let selector = matching::selector_for_delete(id);
        let Some((row, before)) = overlay.select(selector)? else { return Ok(Outcome::Deleted(false)) };
        if expected.is_some() && expected != before.revision() {
            return Ok(Outcome::Deleted(false));
        }
        overlay.delete(row);
        self.next_revision += 1;
        self.push(Planned::Delete(id.to_owned()), id.len() as u64);
        Ok(Outcome::Deleted(true))
    }

    fn clear(&mut self, overlay: &mut Overlay<'_>) -> Outcome {
        if overlay.is_empty() {
            return Outcome::Deleted(false);
        }
        overlay.clear();
        self.next_revision += 1;
        self.push(Planned::Clear, 0);
        Outcome::Deleted(true)
    }
}

impl Planned {
    pub(super) fn with_operation<R>(&self, f: impl FnOnce(&Operation<'_>) -> R) -> R {
        match self {
            Self::Put { row, .. } => f(&Operation::Put(row.view())),
            Self::Delete(id) => f(&Operation::Delete(id)),
            Self::Clear => f(&Operation::Clear),
        }
    }
}
