//! Backup: the log up to its durable end, byte for byte, sealed, in a directory of its own.
//!
//! The same generation at the same offsets: put back over a log that has gone on, it is noticed.

use std::path::Path;

use super::build::{Counters, NewLog};
use super::{Engine, fresh};
use crate::error::{Error, Result};
use crate::log::scan::Scanner;

impl Engine {
    /// Writes a complete store to `path`, which must be missing or an empty directory. Saves go on meanwhile.
    pub(crate) fn backup(&self, path: &Path) -> Result<()> {
        self.check_usable()?;
        if self.storage.is_inside(path, self.path()) {
            return Err(Error::NotAStore { path: path.into(), reason: "it lies inside the store itself" });
        }
        let (head, end, rows, source) = {
            let mut tip = self.tip.lock();
            self.follow(&mut tip)?;
            let shared = self.shared()?;
            (tip.head.clone(), tip.end, shared.index.len(), shared.source.share())
        };
        fresh::make(self.storage.as_ref(), path, &head, |storage, directory| {
            let mut scanner = Scanner::new(source.file().as_ref(), source.path(), &head.codec, head.first, end);
            let mut log = NewLog::start(storage, directory, &head, Counters::FIRST, storage.now_ms())?;
            let mut meter = self.progress.start(end);
            while scanner.position() < end {
                let offset = scanner.position();
                let damaged = |reason| Error::Corrupt { path: source.path().into(), offset, reason };
                log.copy(&scanner.next_frame()?.map_err(damaged)?)?;
                meter.step_to(scanner.position());
            }
            Ok((log, rows))
        })
    }
}
