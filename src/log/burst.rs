//! Frames by the window: all cores check and decode what a scan has in memory, and the first that has nothing left of it reads
//! what comes next, while one of them takes up what is decoded, in order.
//!
//! Gives the same frames and stops at the same one, with the same reason, as reading one after the other.

use super::scan::{Ahead, Frame, Piece, Scanner};
use crate::cores;
use crate::error::{DecodeError, Error, Result};
use crate::format::Seed;
use crate::format::frame::{self, FRAME_HEADER_LEN, FrameHeader, Link};
use crate::format::operation::Located;
use crate::format::seal::Contents;

/// A log from this length on is worth the threads.
const LOG_LEN_MIN: u64 = 8 << 20;
/// Bytes that are read at once then: much more than threads cost to start, and little enough for a cache.
pub(super) const BURST_LEN: u64 = 4 << 20;
/// So many frames of the first one's length, though, that there is something to share.
const FRAMES_MIN: u64 = 4;
/// But no more bytes than that, unless one frame has them.
const BURST_LEN_MAX: u64 = 16 << 20;
/// Nor more frames: what is decoded of a small one takes ten times its length.
const FRAMES_MAX: usize = 1 << 14;
/// Into so many parts for each core the frames are divided, so that none of them is left with much to do at the end.
const PARTS: usize = 4;

/// Operations, and what was made of each.
type Decoded<'a, D> = (Vec<Located<'a>>, Vec<D>);

impl Scanner<'_> {
    /// Reads by the window from now on, if the log is long and the frames can be read each for itself.
    pub(crate) fn use_all_cores(&mut self) {
        if self.left() >= LOG_LEN_MIN && matches!(self.codec.contents, Contents::Plain) {
            self.cores = cores::count();
        }
    }

    /// Hands on the next frames, one at least, with what `digest` makes of their operations, in order; or says why the next
    /// one is not good. Those before it were handed on then.
    pub(crate) fn next_burst<D: Send>(
        &mut self,
        digest: impl Fn(&Located<'_>) -> D + Sync,
        mut take: impl FnMut(&Frame<'_>, &[D]) -> Result<()>,
    ) -> Result<std::result::Result<(), DecodeError>> {
        if self.cores > 1
            && !self.resumed
            && let Some(outcome) = self.next_window(&digest, &mut take)?
        {
            return Ok(outcome);
        }
        let frame = match self.next_frame()? {
            Ok(frame) => frame,
            Err(reason) => return Ok(Err(reason)),
        };
        let digests: Vec<_> = frame.operations.iter().map(digest).collect();
        take(&frame, &digests).map(Ok)
    }

    /// The same with those that lie in a window, on all cores; `None` if not all of the next one does, or its header is not good.
    fn next_window<D: Send>(
        &mut self,
        digest: impl Fn(&Located<'_>) -> D + Sync,
        mut take: impl FnMut(&Frame<'_>, &[D]) -> Result<()>,
    ) -> Result<Option<std::result::Result<(), DecodeError>>> {
        let mut len = self.burst_len;
        self.window.move_to(self.at, len)?;
        let next = self.window.loaded(self.at, FRAME_HEADER_LEN as u64);
        if let Some(Ok((header, _))) = next.map(|head| FrameHeader::decode(self.codec.seed, self.at, head)) {
            let frame_len = header.frame_len();
            len = (frame_len * FRAMES_MIN).clamp(len, BURST_LEN_MAX).max(frame_len);
            self.window.move_to(self.at, len)?;
        }
        let Self { window, codec, at, link, last, cores, .. } = self;
        let (piece, ahead) = window.split();
        let (frames, end) = whole_frames(piece, codec.seed, *at, *link);
        if frames.is_empty() {
            return Ok(None);
        }
        let parts = frames.chunks(frames.len().div_ceil(*cores * PARTS));
        let jobs = parts.map(Job::Decode).chain([Job::Read(ahead)]);
        let work = |(): &mut (), job| match job {
            Job::Decode(frames) => frames.iter().map(|frame| frame.decode(codec.seed, &digest)).collect(),
            Job::Read(ahead) => {
                ahead.read(end, len);
                Vec::new()
            }
        };
        let mut rest = frames.iter();
        let taken = cores::in_order(*cores, jobs, work, |decoded: Vec<_>| {
            // In this order: the other one would take a frame out of the rest when nothing is left to go with it.
            decoded.into_iter().zip(&mut rest).try_for_each(|(decoded, frame)| {
                let Loaded { offset, header, after, bytes, .. } = *frame;
                let (operations, digests) = decoded.map_err(Stop::Bad)?;
                (*at, *link, *last) = (offset + header.frame_len(), after, Some((offset, header)));
                take(&Frame { offset, header, operations, bytes, after }, &digests).map_err(Stop::Failed)
            })
        });
        match taken {
            Ok(()) => Ok(Some(Ok(()))),
            Err(Stop::Bad(reason)) => Ok(Some(Err(reason))),
            Err(Stop::Failed(error)) => Err(error),
        }
    }
}

/// What one core does at a time.
enum Job<'a> {
    Decode(&'a [Loaded<'a>]),
    /// The window behind this one.
    Read(Ahead<'a>),
}

/// Why no more frames are taken up.
enum Stop {
    /// The next one is not good.
    Bad(DecodeError),
    /// A good one could not be taken up.
    Failed(Error),
}

/// A frame in memory of which only the header was looked at, and its place among the others.
struct Loaded<'a> {
    offset: u64,
    header: FrameHeader,
    crc: u32,
    /// What it has to follow, if all before it are good, and what has to follow it.
    before: Link,
    after: Link,
    /// All of it.
    bytes: &'a [u8],
}

impl<'a> Loaded<'a> {
    fn decode<D>(&self, seed: Seed, digest: impl Fn(&Located<'a>) -> D) -> Result<Decoded<'a, D>, DecodeError> {
        let body = &self.bytes[FRAME_HEADER_LEN..];
        let operations = frame::decode_body(seed, self.offset, &self.header, body)?;
        self.before.after(&self.header, self.crc, &operations)?;
        let digests = operations.iter().map(digest).collect();
        Ok((operations, digests))
    }
}

/// Those that lie here, one after the other, up to one that is not good or not there as a whole; and where they end.
fn whole_frames(piece: &Piece, seed: Seed, mut at: u64, mut link: Link) -> (Vec<Loaded<'_>>, u64) {
    let mut frames = Vec::new();
    while frames.len() < FRAMES_MAX
        && let Some(head) = piece.get(at, FRAME_HEADER_LEN as u64)
        && let Ok((header, crc)) = FrameHeader::decode(seed, at, head)
        && let Some(bytes) = piece.get(at, header.frame_len())
    {
        let before = std::mem::replace(&mut link, Link::at(&header, crc));
        frames.push(Loaded { offset: at, header, crc, before, after: link, bytes });
        at += header.frame_len();
    }
    (frames, at)
}

#[cfg(test)]
mod tests;
