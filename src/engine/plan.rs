//! What a batch of requests comes to, before anything is written: pure memory over the index and the overlay.

use super::Writer;
use crate::error::{Error, Result};
use crate::format::operation::Operation;
use crate::format::record;
use crate::log::append::refused;
use crate::matching::{self, Stamp};
use crate::overlay::Overlay;
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

/// What became of a request.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// The row as stored.
    Saved(Token),
    /// Whether there was something to delete.
    Deleted(bool),
}

/// An operation to be written.
pub(super) enum Planned {
    Put(Token),
    Delete(String),
    Clear,
}

/// Operations that are to become a frame, and the counters after them.
pub(super) struct Plan {
    pub(super) operations: Vec<Planned>,
    pub(super) outcomes: Vec<Outcome>,
    pub(super) next_id: u64,
    pub(super) next_revision: u64,
    pub(super) now_ms: u64,
    /// Whether a later request may want to see what this one does.
    more_follow: bool,
}

impl Plan {
    /// An empty plan for so many operations, on top of what the writer has written.
    pub(super) fn new(writer: &Writer, count: usize, now_ms: u64) -> Self {
        let link = writer.appender.link();
        Self {
            operations: Vec::with_capacity(count),
            outcomes: Vec::with_capacity(count),
            next_id: link.next_id,
            next_revision: link.next_revision,
            now_ms,
            more_follow: count > 1,
        }
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
        let merged = matching::merge(token, before.as_ref(), new_id, stamp)?;
        record::check_limits(&merged.view()).map_err(refused)?;
        overlay.check_keys(row.as_ref().map(|(_, before)| before), &merged)?;
        self.next_revision += 1;
        self.next_id = matching::next_id_after(merged.id().unwrap_or_default(), self.next_id);
        if names_it {
            self.next_id = self.next_id.max(new_id + 1);
        }
        if self.more_follow {
            overlay.put(row.map(|(row, _)| row), merged.clone());
        }
        self.operations.push(Planned::Put(merged.clone()));
        Ok(Outcome::Saved(merged))
    }

    pub(super) fn delete(&mut self, overlay: &mut Overlay<'_>, id: &str) -> Result<Outcome> {
        let selector = matching::selector_for_delete(id);
        let Some((row, _)) = overlay.select(selector)? else { return Ok(Outcome::Deleted(false)) };
        overlay.delete(row);
        self.next_revision += 1;
        self.operations.push(Planned::Delete(id.to_owned()));
        Ok(Outcome::Deleted(true))
    }

    pub(super) fn clear(&mut self, overlay: &mut Overlay<'_>) -> Outcome {
        if overlay.is_empty() {
            return Outcome::Deleted(false);
        }
        overlay.clear();
        self.next_revision += 1;
        self.operations.push(Planned::Clear);
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
