//! What the requests of many calls come to, before anything is written: pure memory over the index and the overlay.
//!
//! A call that is refused leaves nothing in the plan, and the others know nothing of it.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::format::frame::{FRAME_HEADER_LEN, Link};
use crate::format::operation::Operation;
use crate::format::{FRAME_LEN_MAX, record};
use crate::log::append::refused;
use crate::matching::{self, Stamp};
use crate::overlay::{Overlay, Savepoint};
use crate::token::Token;

/// What a caller asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Request<'a> {
    /// Save, if the row is at this revision (0: if there is none).
    Save(&'a Token, Option<u64>),
    /// Delete the row with this id.
    Delete(&'a str),
    /// Delete all rows.
    Clear,
}

/// The same, for a caller that waits while another one plans.
pub(super) enum OwnedRequest {
    Save(Token, Option<u64>),
    Delete(String),
    Clear,
}

impl Request<'_> {
    pub(super) fn to_owned_request(self) -> OwnedRequest {
        match self {
            Self::Save(token, expected) => OwnedRequest::Save(token.clone(), expected),
            Self::Delete(id) => OwnedRequest::Delete(id.to_owned()),
            Self::Clear => OwnedRequest::Clear,
        }
    }
}

impl OwnedRequest {
    pub(super) fn borrow(&self) -> Request<'_> {
        match self {
            Self::Save(token, expected) => Request::Save(token, *expected),
            Self::Delete(id) => Request::Delete(id),
            Self::Clear => Request::Clear,
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

/// An operation to be written.
pub(super) enum Planned {
    Put(Arc<Token>),
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
            Request::Delete(id) => self.delete(overlay, id),
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
        self.body_len + FRAME_HEADER_LEN as u64
    }

    pub(super) fn push(&mut self, planned: Planned) {
        self.body_len += planned.len_max();
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

    pub(super) fn save(&mut self, overlay: &mut Overlay<'_>, token: &Token, expected: Option<u64>) -> Result<Outcome> {
        record::check_limits(&token.view()).map_err(refused)?;
        let selector = matching::selector_for_save(token)?;
        let row = overlay.select(selector)?;
        let found = row.as_ref().and_then(|(_, before)| before.revision());
        if let Some(expected) = expected.filter(|expected| *expected != found.unwrap_or(0)) {
            return Err(Error::Conflict { expected, found });
        }
        let names_it = row.is_none() && token.id().is_none();
        let new_id = if names_it { self.free_id(overlay)? } else { self.next_id };
        let stamp = Stamp { now_ms: self.now_ms, revision: self.next_revision };
        let before = row.as_ref().map(|(_, before)| before.view());
        let merged = Arc::new(matching::merge(token, before.as_ref(), new_id, stamp)?);
        record::check_limits(&merged.view()).map_err(refused)?;
        overlay.check_keys(row.as_ref().map(|(_, before)| before.as_ref()), &merged)?;
        self.next_revision += 1;
        self.next_id = matching::next_id_after(merged.id().unwrap_or_default(), self.next_id);
        if names_it {
            self.next_id = self.next_id.max(new_id + 1);
        }
        if self.more_follow {
            overlay.put(row.map(|(row, _)| row), merged.clone());
        }
        self.push(Planned::Put(merged.clone()));
        Ok(Outcome::Saved(merged))
    }

    pub(super) fn delete(&mut self, overlay: &mut Overlay<'_>, id: &str) -> Result<Outcome> {
        let selector = matching::selector_for_delete(id);
        let Some((row, _)) = overlay.select(selector)? else { return Ok(Outcome::Deleted(false)) };
        overlay.delete(row);
        self.next_revision += 1;
        self.push(Planned::Delete(id.to_owned()));
        Ok(Outcome::Deleted(true))
    }

    pub(super) fn clear(&mut self, overlay: &mut Overlay<'_>) -> Outcome {
        if overlay.is_empty() {
            return Outcome::Deleted(false);
        }
        overlay.clear();
        self.next_revision += 1;
        self.push(Planned::Clear);
        Outcome::Deleted(true)
    }
}

impl Planned {
    pub(super) fn with_operation<R>(&self, f: impl FnOnce(&Operation<'_>) -> R) -> R {
        match self {
            Self::Put(token) => f(&Operation::Put(token.view())),
            Self::Delete(id) => f(&Operation::Delete(id)),
            Self::Clear => f(&Operation::Clear),
        }
    }

    /// So that the frame is built without growing, which would leave copies of secrets behind.
    pub(super) fn len_max(&self) -> u64 {
        const AROUND: u64 = 32;
        AROUND
            + match self {
                Self::Put(token) => record::encoded_len(&token.view()),
                Self::Delete(id) => id.len() as u64,
                Self::Clear => 0,
            }
    }
}
