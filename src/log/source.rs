//! Reading one record by its place, through a map or by copying. Checks every byte of what it returns.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Location;
use crate::error::{DecodeError, Error, Result};
use crate::format::operation::{self, Operation};
use crate::format::{FRAME_LEN_MAX, Seed};
use crate::options::ReadMode;
use crate::storage::{File, Map};
use crate::token::{Token, TokenView};
use crate::wipe::Wiped;

/// A generation's file as finds see it. Kept alive by whoever still reads from it.
#[derive(Debug)]
pub(crate) struct Source {
    file: Arc<dyn File>,
    path: PathBuf,
    seed: Seed,
    mode: ReadMode,
    map: Option<Map>,
}

impl Source {
    /// `end`: how far the caller expects to publish soon; a map reaches well beyond.
    pub(crate) fn new(file: Arc<dyn File>, path: &Path, seed: Seed, mode: ReadMode, end: u64) -> Result<Self> {
        let map = match mode {
            ReadMode::Copy => None,
            ReadMode::Map => {
                // Ahead of the end, so that growth rarely maps anew; nothing beyond what is published is touched.
                let len = end.max(u64::from(FRAME_LEN_MAX)).next_power_of_two().saturating_mul(2);
                file.map(len).map_err(|error| Error::io("map", path, error))?
            }
        };
        Ok(Self { file, path: path.to_owned(), seed, mode, map })
    }

    /// Allows reading up to `end`, all of it durable. `None` if this source reaches so far; else the one that does.
    pub(crate) fn publish(&self, end: u64) -> Result<Option<Self>> {
        if self.map.as_ref().is_none_or(|map| map.len() >= end) {
            if let Some(map) = &self.map {
                map.publish(end);
            }
            return Ok(None);
        }
        let longer = Self::new(self.file.clone(), &self.path, self.seed, self.mode, end)?;
        longer.publish(end)?;
        Ok(Some(longer))
    }

    /// Hands the record at this place to `f`, after checking all of it.
    pub(crate) fn read<R>(&self, at: Location, f: impl FnOnce(&TokenView<'_>) -> R) -> Result<R> {
        let damaged = |reason| Error::Corrupt { path: self.path.clone(), offset: at.offset(), reason };
        let copied;
        let bytes = if let Some(map) = &self.map {
            map.get(at.offset(), at.len())
        } else {
            copied = self.copy(at)?;
            Some(&*copied)
        };
        let missing = DecodeError::Truncated { needed: at.len(), available: 0 };
        let located = operation::decode(self.seed, at.offset(), bytes.ok_or_else(|| damaged(missing))?);
        let located = located.map_err(damaged)?;
        match &located.operation {
            Operation::Put(view) if located.len == at.len() => Ok(f(view)),
            _ => Err(damaged(DecodeError::Invalid { rule: "another operation where a put was" })),
        }
    }

    /// A copy of the row at this place.
    pub(crate) fn token(&self, at: Location) -> Result<Token> {
        #[expect(
            clippy::redundant_closure_for_method_calls,
            reason = "the method is not general enough in its lifetime"
        )]
        self.read(at, |row| row.to_token())
    }

    fn copy(&self, at: Location) -> Result<Wiped> {
        let len = usize::try_from(at.len()).expect("an operation is at most 2 MiB long");
        let mut bytes = Wiped::zeros(len);
        let read = self.file.read_at(&mut bytes, at.offset());
        let read = read.map_err(|error| Error::io("read", &self.path, error))?;
        bytes.truncate(read);
        Ok(bytes)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn file(&self) -> &dyn File {
        self.file.as_ref()
    }
}
