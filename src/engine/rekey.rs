//! Another key for an encrypted store; copies of a store under another key, or none.

use std::path::Path;

use super::build::{Counters, NewLog};
use super::{Engine, Keyring, fresh};
use crate::error::{Error, Result};
use crate::format::header::FileHeader;
use crate::key::KeySource;
use crate::log::Location;
use crate::stats::CompactReport;

impl Engine {
    /// Moves to a generation that has another outer key.
    pub(crate) fn rekey(&self, key: KeySource) -> Result<CompactReport> {
        if !matches!(self.keyring(), Keyring::Sealed(_)) {
            return Err(Error::NotEncrypted { path: self.log_path.clone() });
        }
        let _compacting = self.take_compactor(self.lock_timeout)?;
        self.move_on(&self.progress, Some(Keyring::Sealed(key)))
    }

    /// Writes the rows as they are now into a new store at `path`, encrypted or not as `key` says. It is a store of its own:
    /// ids, times, revisions and counters are those of this one, the identity is not.
    pub(crate) fn copy(&self, path: &Path, key: Option<KeySource>) -> Result<()> {
        self.check_usable()?;
        let storage = self.storage.as_ref();
        if storage.is_inside(path, self.path()) {
            return Err(Error::NotAStore { path: path.into(), reason: "it lies inside the store itself" });
        }
        let keyring = key.map_or(Keyring::Plain, Keyring::Sealed);
        let mut uuid = [0; 16];
        storage.random(&mut uuid)?;
        let head = keyring.new_head(storage, path, FileHeader::plain(uuid, 1, 0, storage.now_ms()))?;
        let (source, places, counters) = {
            let mut tip = self.tip.lock();
            self.follow(&mut tip)?;
            let shared = self.shared()?;
            let counters = Counters { next_id: tip.link.next_id, next_revision: tip.link.next_revision };
            (shared.source.share(), shared.index.locations().collect::<Vec<_>>(), counters)
        };
        fresh::make(storage, path, &head, |storage, directory| {
            let mut log = NewLog::start(storage, directory, &head, counters, storage.now_ms())?;
            let mut meter = self.progress.start(places.iter().copied().map(Location::len).sum());
            for at in &places {
                self.check_usable()?;
                source.read(*at, |row| log.push(row))??;
                meter.step_by(at.len());
            }
            Ok((log, places.len() as u64))
        })
    }
}
