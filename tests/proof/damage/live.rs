//! A log that is damaged under an open handle which copies what it reads.

use std::cell::Cell;
use std::path::Path;

use tokcask::{ErrorKind, Key, LogStore, TokenStore, VerifyStatus};

use crate::history::{STORE, open};
use crate::sim::Sim;
use crate::verdict::Broken;

use super::canonical::{Canonical, Version};
use super::verdict::Harm;

/// Of the rows that are not near the damage, so many are looked for in each case.
const OTHERS: usize = 4;

pub(crate) struct Handle {
    sim: Sim,
    store: LogStore,
    turn: Cell<usize>,
}

impl Handle {
    pub(crate) fn new(canonical: &Canonical) -> Self {
        let sim = canonical.sim.kill();
        let store = open(&sim, STORE).unwrap();
        Self { sim, store, turn: Cell::new(0) }
    }

    pub(crate) fn check(&self, canonical: &Canonical, log: &[u8]) -> Result<&'static str, Broken> {
        let harm = Harm::of(canonical, log);
        self.sim.set_content(Path::new(STORE), "store.log", log);
        let verdict = self.look(canonical, &harm);
        self.sim.set_content(Path::new(STORE), "store.log", &canonical.log);
        verdict
    }

    fn look(&self, canonical: &Canonical, harm: &Harm) -> Result<&'static str, Broken> {
        let mut refused = false;
        let turn = self.turn.replace(self.turn.get() + 1);
        for (number, row) in canonical.rows.iter().enumerate() {
            if is_in(canonical, harm, row) || (number + turn) % canonical.rows.len() < OTHERS {
                refused |= self.find(row)?;
            }
        }
        match self.store.get(Key::UserName("nobody")) {
            Ok(None) => {}
            other => return Err(format!("nobody is found as {other:?}")),
        }
        refused |= match self.store.get_tokens() {
            Ok(rows) if rows.iter().eq(canonical.rows.iter().map(|(row, _)| row)) => false,
            Err(error) if error.kind() == ErrorKind::Corrupt => true,
            other => return Err(format!("all rows: {other:?}")),
        };
        let status = self.store.verify().map(|report| report.status);
        let is_clean = matches!(status, Ok(VerifyStatus::Clean));
        let must_be_clean = harm.is_none() && !harm.tail && !harm.is_short;
        if is_clean != must_be_clean && !(is_clean && harm.frames.is_empty()) {
            return Err(format!("verify says {status:?}"));
        }
        if refused && harm.frames.is_empty() {
            return Err("an error, and nothing is wrong".to_owned());
        }
        Ok(if refused { "live: refused" } else { "live: right" })
    }

    /// Whether the row is refused. By each key it is the right one or an error.
    fn find(&self, (row, _): &Version) -> Result<bool, Broken> {
        let keys = [
            row.id().map(Key::Id),
            row.user_name().map(Key::UserName),
            row.refresh_token().map(|token| Key::RefreshToken(token.expose_secret())),
            row.access_token().map(|token| Key::AccessToken(token.expose_secret())),
        ];
        let mut refused = false;
        for key in keys.into_iter().flatten() {
            match self.store.get(key) {
                Ok(found) if found.as_ref() == Some(row) => {}
                Err(error) if error.kind() == ErrorKind::Corrupt => refused = true,
                other => return Err(format!("{key:?} finds {other:?}")),
            }
        }
        Ok(refused)
    }
}

/// Whether the row stands in a damaged frame.
fn is_in(canonical: &Canonical, harm: &Harm, row: &Version) -> bool {
    let stands_in = |number: &usize| {
        let after = canonical.frames.get(number + 1).map_or(&canonical.rows, |next| &next.rows_before);
        after.contains(row) && !canonical.frames[*number].rows_before.contains(row)
    };
    harm.frames.iter().any(stands_in)
}
