//! Answers of a provider that could not be saved: kept with their leases, so that nobody spends the refresh tokens that they
//! have replaced, and saved as soon as that works.

use std::sync::atomic::Ordering;

use super::Engine;
use super::refresh::{Failure, Leased};
use crate::error::Result;
use crate::matching;
use crate::token::Column;

impl Engine {
    /// Keeps an answer and its lease for another try.
    pub(super) fn keep_unsaved(&self, unsaved: Leased) {
        let id = unsaved.current.id().unwrap_or_default().to_owned();
        let mut all = self.refreshes.unsaved.lock();
        // Under the lock: whoever closes the handle marks that first, and then lets go of all of these.
        if self.check_usable().is_ok() {
            all.insert(id, unsaved);
            self.refreshes.unsaved_count.store(all.len(), Ordering::Relaxed);
        }
        drop(all);
        self.refreshes.leases.wake();
    }

    /// Tries once more to save what could not be saved. For the background; who wants one of these rows does so too.
    pub(super) fn save_unsaved(&self) {
        let ids: Vec<_> = self.refreshes.unsaved.lock().keys().cloned().collect();
        for id in ids {
            if let Some(unsaved) = self.take_unsaved(&id) {
                let _ = self.save_again(unsaved);
            }
        }
    }

    /// Nothing, if there is nothing left to save: somebody has done so, perhaps the one who was told that we could not.
    pub(crate) fn save_again(&self, mut unsaved: Leased) -> Result<(), Failure> {
        match self.is_obsolete(&unsaved) {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) => {
                self.keep_unsaved(unsaved);
                return Err(error.into());
            }
        }
        match unsaved.answer.take() {
            Some(answer) => self.save_answer(unsaved, answer).map(drop),
            None => Ok(()),
        }
    }

    /// Lets go of answers that nobody needs any more, and of their leases. After every write of this handle.
    pub(super) fn forget_obsolete(&self) {
        if self.refreshes.unsaved_count.load(Ordering::Relaxed) == 0 {
            return;
        }
        let ids: Vec<_> = self.refreshes.unsaved.lock().keys().cloned().collect();
        for id in ids {
            if let Some(unsaved) = self.take_unsaved(&id)
                && !self.is_obsolete(&unsaved).unwrap_or(false)
            {
                self.keep_unsaved(unsaved);
            }
        }
    }

    /// Whether an answer is not to be saved: its row is gone or another login; or it has no refresh token of its own, and the
    /// row was saved since, perhaps with a newer access token.
    fn is_obsolete(&self, unsaved: &Leased) -> Result<bool> {
        let current = &unsaved.current;
        let Some(row) = self.get(Column::Id, current.id().unwrap_or_default())? else { return Ok(true) };
        let given = unsaved.answer.as_ref().and_then(|answer| answer.column(Column::RefreshToken));
        let rotates =
            given.is_some_and(|token| !token.is_empty() && Some(token) != current.column(Column::RefreshToken));
        let is_unchanged = row.revision() == current.revision();
        Ok(!matching::is_same_login(&row, current) || !(is_unchanged || rotates))
    }

    /// Takes out an answer that could not be saved.
    pub(super) fn take_unsaved(&self, id: &str) -> Option<Leased> {
        if self.refreshes.unsaved_count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut all = self.refreshes.unsaved.lock();
        let unsaved = all.remove(id);
        self.refreshes.unsaved_count.store(all.len(), Ordering::Relaxed);
        unsaved
    }
}
