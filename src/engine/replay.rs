//! Building the index by reading a log through: for an opener, for a new generation, and when the index is lost.

use std::path::Path;
use std::sync::Arc;

use super::head::{Head, refuse_forged};
use crate::error::{DecodeError, Error, Result};
use crate::format::frame::Link;
use crate::index::{Index, IndexBuilder};
use crate::log::scan::{Frame, Scanner};
use crate::log::source::Source;
use crate::options::ReadMode;
use crate::storage::File;

/// What a log comes to.
pub(super) struct Replayed {
    pub(super) index: Index,
    /// Where to read it from.
    pub(super) source: Source,
    /// How far it was read.
    pub(super) end: u64,
    /// What the next frame has to follow.
    pub(super) link: Link,
    /// When the first of its records was replaced or deleted.
    pub(super) dead_since_ms: Option<u64>,
}

impl Replayed {
    /// Takes up what was written since, up to `end`, all of which must be good.
    pub(super) fn read_on(&mut self, head: &Head, end: u64) -> Result<()> {
        let Self { index, source, end: at, link, dead_since_ms } = self;
        let (file, path) = (source.file().clone(), source.path().to_owned());
        let mut scanner = Scanner::after(file.as_ref(), &path, &head.codec, (*at, *link), end);
        while *at < end {
            let frame = scanner.next_frame()?;
            let frame = frame.map_err(|reason| Error::Corrupt { path: path.clone(), offset: *at, reason })?;
            (*at, *link) = (frame.offset + frame.header.frame_len(), frame.after);
            if let Some(longer) = source.publish(*at)? {
                *source = longer;
            }
            for located in &frame.operations {
                index.apply(source, located)?;
            }
            if index.dead_records() > 0 {
                dead_since_ms.get_or_insert(frame.header.time_ms);
            }
        }
        Ok(())
    }
}

/// Applies all good frames, publishing each before it is applied; returns the index, when its first record died, and why
/// the next frame is not good.
pub(super) fn replay(
    scanner: &mut Scanner<'_>,
    source: &Source,
    mut seen: impl FnMut(&Frame<'_>),
) -> Result<(Index, Option<u64>, DecodeError)> {
    let mut index = IndexBuilder::new();
    let hasher = index.hasher();
    let mut dead_since_ms = None;
    loop {
        let read = scanner.next_burst(
            |located| hasher.hash(located),
            |frame, hashes| {
                source.publish(frame.offset + frame.header.frame_len())?;
                index.apply_hashed(source, &frame.operations, hashes)?;
                if dead_since_ms.is_none() && index.dead_records() > 0 {
                    dead_since_ms = Some(frame.header.time_ms);
                }
                seen(frame);
                Ok(())
            },
        );
        if let Err(reason) = read? {
            refuse_forged(&reason, source.path(), scanner.position())?;
            return Ok((index.finish(source)?, dead_since_ms, reason));
        }
    }
}

/// Whom a replay is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Haste {
    /// Somebody who can do nothing until it is done: on all cores.
    Waited,
    /// Nobody; finds and saves go on beside it.
    Background,
}

/// The index of a log that must be good up to `end`.
pub(super) fn replay_durable(
    file: &Arc<dyn File>,
    path: &Path,
    head: &Head,
    end: u64,
    read_mode: ReadMode,
    haste: Haste,
) -> Result<Replayed> {
    replay_through(file, path, head, end, read_mode, haste, |_| {})
}

/// The same; `seen` is told of each frame.
pub(super) fn replay_through(
    file: &Arc<dyn File>,
    path: &Path,
    head: &Head,
    end: u64,
    read_mode: ReadMode,
    haste: Haste,
    seen: impl FnMut(&Frame<'_>),
) -> Result<Replayed> {
    let source = Source::new(file.clone(), path, &head.codec, read_mode, end)?.of_generation(head.generation);
    let mut scanner = Scanner::new(file.as_ref(), path, &head.codec, head.first, end);
    if haste == Haste::Waited {
        scanner.use_all_cores();
    }
    let (index, dead_since_ms, reason) = replay(&mut scanner, &source, seen)?;
    let (offset, link) = (scanner.position(), scanner.link());
    if offset != end {
        return Err(Error::Corrupt { path: path.into(), offset, reason });
    }
    Ok(Replayed { index, source, end, link, dead_since_ms })
}
