//! Appending frames: room first, then one write, one sync.
//!
//! The log is extended ahead with zeros that are synced before they are used, so that a commit's sync has no metadata
//! to write and cannot run out of space. Puts leave the last `RESERVE_LEN` bytes alone: on a full disk, deletes still
//! have room.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result, is_full};
use crate::format::frame::{FRAME_NONCE_LEN, FrameBuilder, FrameHeader, Kind, Link};
use crate::format::seal::{Codec, Contents};
use crate::format::{COUNTER_MAX, DecodeError};
use crate::storage::{File, Storage};
use crate::wipe::wipe;

/// End of the extension that puts may not use.
pub(crate) const RESERVE_LEN: u64 = 64 << 10;

const EXTENSION_LEN_MIN: u64 = 128 << 10;
/// Room for more than a thousand saves: so the ones that have to make it are not among the slowest thousandth.
const EXTENSION_LEN_USUAL: u64 = 1 << 20;
const EXTENSION_LEN_MAX: u64 = 16 << 20;
const PAGE_LEN: usize = 4096;
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// Whether an append may use the reserve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// It leaves the reserve.
    Ordinary,
    /// It is what the reserve is for.
    Reserve,
}

/// How an append failed.
#[derive(Debug)]
pub(crate) enum AppendError {
    /// Nothing was changed: the frame's range is zeros again, and durably so.
    Undone(Error),
    /// The frame may or may not be there; no further append to this file may be trusted.
    Unknown(Error),
}

/// The writing end of a log.
#[derive(Clone, Debug)]
pub(crate) struct Appender {
    file: Arc<dyn File>,
    path: PathBuf,
    codec: Codec,
    end: u64,
    /// End of the zeros that were written and synced, as far as is known.
    capacity: u64,
    /// Whether the file may be longer than that.
    grown_by_others: bool,
    link: Link,
    /// Known durable. `end`, but while a file is being made.
    watermark: u64,
}

impl Appender {
    /// Continues a log whose bytes before `end` are durable, and zeros from there to `capacity`.
    pub(crate) fn new(file: Arc<dyn File>, path: &Path, codec: &Codec, end: u64, capacity: u64, link: Link) -> Self {
        let (path, codec) = (path.to_owned(), codec.clone());
        Self { file, path, codec, end, capacity, grown_by_others: false, link, watermark: end }
    }

    /// Starts a file that is not durable at all yet.
    pub(crate) fn fresh(file: Arc<dyn File>, path: &Path, codec: &Codec, end: u64, link: Link) -> Self {
        Self { watermark: 0, ..Self::new(file, path, codec, end, end, link) }
    }

    /// Goes on behind what others have appended to the same file meanwhile.
    pub(crate) fn move_to(&mut self, end: u64, link: Link) {
        self.link = link;
        if end != self.end {
            (self.end, self.watermark) = (end, end);
            // They may have extended it too, and synced that before they let go.
            self.capacity = self.capacity.max(end);
            self.grown_by_others = true;
        }
    }

    /// A builder for the frame that comes next.
    ///
    /// # Errors
    /// No randomness, which sealing needs.
    pub(crate) fn frame(&self, storage: &dyn Storage, body_len: usize) -> Result<FrameBuilder> {
        let frame = FrameBuilder::new(self.codec.seed, self.end, body_len);
        match &self.codec.contents {
            Contents::Plain => Ok(frame),
            Contents::Sealed(keys) => {
                let mut nonce = [0; FRAME_NONCE_LEN];
                storage.random(&mut nonce)?;
                Ok(frame.sealed(keys.clone(), nonce))
            }
            Contents::Locked => unreachable!("a log whose key is not known is never written to"),
        }
    }

    /// Makes sure that a frame of this length can be appended.
    ///
    /// # Errors
    /// `Undone` if there is no room, `Unknown` if the sync of the extension failed.
    pub(crate) fn make_room(&mut self, frame_len: u64, room: Room) -> Result<(), AppendError> {
        let reserve = if room == Room::Ordinary { RESERVE_LEN } else { 0 };
        let needed = self.end.saturating_add(frame_len).saturating_add(reserve);
        if needed <= self.capacity {
            return Ok(());
        }
        if std::mem::take(&mut self.grown_by_others) {
            let len = self.file.file_len();
            let len = len.map_err(|error| AppendError::Undone(Error::io("stat", &self.path, error)))?;
            self.capacity = self.capacity.max(len);
            return self.make_room(frame_len, room);
        }
        let step = extension_len(self.end);
        // What deletes used of the reserve is put back as soon as there is room.
        let goal = needed.max(self.end.saturating_add(frame_len + RESERVE_LEN)).saturating_add(step);
        let full = match self.extend(goal.next_multiple_of(PAGE_LEN as u64), frame_len) {
            Ok(()) => return Ok(()),
            Err(AppendError::Undone(full)) => full,
            Err(unknown) => return Err(unknown),
        };
        if needed <= self.capacity { Ok(()) } else { Err(AppendError::Undone(full)) }
    }

    /// Writes zeros up to `goal` and syncs them; on a full disk keeps those that fitted.
    fn extend(&mut self, goal: u64, frame_len: u64) -> Result<(), AppendError> {
        // The page cache remembers how it was filled: small commits into large units of it take half as long again.
        let piece = if frame_len < ZEROS.len() as u64 { PAGE_LEN } else { ZEROS.len() };
        let mut written = self.capacity;
        let mut failed = None;
        while written < goal && failed.is_none() {
            let len = usize::try_from(goal - written).unwrap_or(piece).min(piece);
            match self.file.write_at(&ZEROS[..len], written) {
                Ok(()) => written += len as u64,
                Err(error) => failed = Some(error),
            }
        }
        if written > self.capacity {
            match self.file.sync() {
                Ok(()) => self.capacity = written,
                // Nothing in use depended on this sync, and the next try writes the same zeros again.
                Err(error) if is_full(&error) => failed = failed.or(Some(error)),
                Err(error) => return Err(AppendError::Unknown(Error::io("sync", &self.path, error))),
            }
        }
        match failed {
            None => Ok(()),
            Some(error) => Err(AppendError::Undone(Error::io("extend", &self.path, error))),
        }
    }

    /// Writes a frame at the end; it is not durable before [`sync`](Self::sync).
    ///
    /// # Errors
    /// Any part of the frame may be there then.
    pub(crate) fn write(&mut self, frame: FrameBuilder, head: FrameHead) -> Result<()> {
        self.put(frame, head).map_err(|(error, _)| error)
    }

    /// The same; an error comes with the length of what may be there.
    fn put(&mut self, frame: FrameBuilder, head: FrameHead) -> Result<(), (Error, u64)> {
        let header = FrameHeader {
            kind: head.kind,
            body_len: 0,
            chain: self.link.chain,
            sequence: self.link.sequence + 1,
            watermark: self.watermark,
            time_ms: head.time_ms,
            next_id: head.next_id,
            next_revision: head.next_revision,
            body_crc: 0,
        };
        let (mut bytes, link) = frame.finish_after(header, &self.link.tag);
        let written = self.file.write_at(&bytes, self.end);
        let len = bytes.len() as u64;
        wipe(&mut bytes);
        written.map_err(|error| (Error::io("write", &self.path, error), len))?;
        self.end += len;
        self.capacity = self.capacity.max(self.end);
        self.link = link;
        Ok(())
    }

    /// Writes a frame and makes it durable. After a failure the log counts as ending where it did.
    pub(crate) fn commit(&mut self, frame: FrameBuilder, head: FrameHead) -> Result<(), AppendError> {
        let (end, link) = (self.end, self.link);
        let counters = [link.sequence + 1, head.next_id, head.next_revision];
        if let Some(len) = counters.into_iter().find(|counter| *counter > COUNTER_MAX) {
            return Err(AppendError::Undone(Error::TooLarge { what: "counter", len, limit: COUNTER_MAX }));
        }
        let done = match self.put(frame, head) {
            Ok(()) => self.sync().map_err(|error| {
                let (path, source) = (self.path.clone(), Arc::new(error));
                AppendError::Unknown(Error::OutcomeUnknown { path, source })
            }),
            Err((error, len)) => Err(self.undo(len, error)),
        };
        if done.is_err() {
            (self.end, self.link) = (end, link);
        }
        done
    }

    /// Writes a frame of another file of the same generation, whose bytes are right for this place.
    pub(crate) fn copy(&mut self, frame: &[u8], after: Link) -> Result<()> {
        let len = frame.len() as u64;
        self.file.write_at(frame, self.end).map_err(|error| Error::io("write", &self.path, error))?;
        self.end += len;
        self.capacity = self.capacity.max(self.end);
        self.link = after;
        Ok(())
    }

    /// Makes everything that was written durable.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.file.sync()?;
        self.watermark = self.end;
        Ok(())
    }

    /// Zeros over a frame that was written in part or not at all, so that no crash can bring it back.
    fn undo(&self, len: u64, error: Error) -> AppendError {
        let zeroed = write_zeros(self.file.as_ref(), self.end, self.end + len).and_then(|()| self.file.sync());
        if zeroed.is_ok() {
            return AppendError::Undone(error);
        }
        let (path, source) = (self.path.clone(), Arc::new(io::Error::other(error)));
        AppendError::Unknown(Error::OutcomeUnknown { path, source })
    }

    /// Ids below are not given any more; the next frame says so.
    pub(crate) fn raise_next_id(&mut self, next_id: u64) {
        self.link.next_id = self.link.next_id.max(next_id);
    }

    /// Where the next frame goes.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Where the chain of frames stands.
    pub(crate) fn link(&self) -> Link {
        self.link
    }

    pub(crate) fn file(&self) -> &Arc<dyn File> {
        &self.file
    }

    /// The file has another name now.
    pub(crate) fn renamed(&mut self, path: PathBuf) {
        self.path = path;
    }
}

/// How much room is made at once in a log of this length: a quarter of it while it is short, then what is soon
/// too little to be worth mentioning.
fn extension_len(log_len: u64) -> u64 {
    let usual = (log_len / 4).clamp(EXTENSION_LEN_MIN, EXTENSION_LEN_USUAL);
    usual.max(log_len / 32).min(EXTENSION_LEN_MAX)
}

/// What a caller says of a frame; the rest follows from the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameHead {
    pub(crate) kind: Kind,
    pub(crate) time_ms: u64,
    pub(crate) next_id: u64,
    pub(crate) next_revision: u64,
}

/// Writes zeros over a range; not synced.
pub(crate) fn write_zeros(file: &dyn File, from: u64, to: u64) -> io::Result<()> {
    let mut at = from;
    while at < to {
        let len = usize::try_from(to - at).unwrap_or(ZEROS.len()).min(ZEROS.len());
        file.write_at(&ZEROS[..len], at)?;
        at += len as u64;
    }
    Ok(())
}

/// A log that has come to the last offset that a place can have.
pub(crate) fn log_full(offset: u64) -> Error {
    Error::TooLarge { what: "log", len: offset, limit: crate::log::OFFSET_MAX }
}

/// An operation or frame over the format's limits, as the caller is told.
pub(crate) fn refused(error: DecodeError) -> Error {
    match error {
        DecodeError::TooLong { what: "frame", len, limit } => Error::TooLarge { what: "batch", len, limit },
        DecodeError::TooLong { what, len, limit } => Error::TooLarge { what, len, limit },
        other => unreachable!("encoding fails on lengths alone, not by {other}"),
    }
}
