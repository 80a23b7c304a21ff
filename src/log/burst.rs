//! Frames by the window: what a scan has in memory is checked and decoded by all cores at once, and taken up in order.
//!
//! Gives the same frames and stops at the same one, with the same reason, as reading one after the other.

use super::scan::{Frame, Scanner, Window};
use crate::cores;
use crate::error::{DecodeError, Result};
use crate::format::Seed;
use crate::format::frame::{self, FRAME_HEADER_LEN, FrameHeader};
use crate::format::operation::Located;
use crate::format::seal::{Contents, Tag};

/// A log from this length on is worth the threads.
const LOG_LEN_MIN: u64 = 8 << 20;
/// Bytes that are read at once then: much more than threads cost to start, and little enough for a cache.
const WINDOW_LEN: u64 = 4 << 20;
/// Into so many parts for each core the frames are divided, so that none of them is left with much to do at the end.
const PARTS: usize = 4;

/// Operations, and what was made of each.
type Decoded<'a, D> = (Vec<Located<'a>>, Vec<D>);

impl Scanner<'_> {
    /// Reads by the window from now on, if the log is long.
    pub(crate) fn use_all_cores(&mut self) {
        if self.left() >= LOG_LEN_MIN {
            self.window.widen(WINDOW_LEN, cores::count());
        }
    }

    /// Hands on the next frames, one at least, with what `digest` makes of their operations, in order; or says why the next
    /// one is not good. Those before it were handed on then.
    pub(crate) fn next_burst<D: Send>(
        &mut self,
        digest: impl Fn(&Located<'_>) -> D + Sync,
        mut take: impl FnMut(&Frame<'_>, &[D]) -> Result<()>,
    ) -> Result<std::result::Result<(), DecodeError>> {
        let seed = self.codec.seed;
        let at_once = self.window.cores > 1 && !self.resumed && matches!(self.codec.contents, Contents::Plain);
        let loaded = if at_once { frames(&self.window, seed, self.at) } else { Vec::new() };
        if loaded.is_empty() {
            let frame = match self.next_frame()? {
                Ok(frame) => frame,
                Err(reason) => return Ok(Err(reason)),
            };
            let digests: Vec<_> = frame.operations.iter().map(digest).collect();
            return take(&frame, &digests).map(Ok);
        }
        let cores = self.window.cores;
        let parts = loaded.chunks(loaded.len().div_ceil(cores * PARTS));
        let decoded = cores::on_cores(cores, parts, |(), part| {
            part.iter().map(|loaded| loaded.decode(seed, &digest)).collect::<Vec<_>>()
        });
        for (loaded, decoded) in loaded.iter().zip(decoded.into_iter().flatten()) {
            let Loaded { offset, header, crc, bytes } = *loaded;
            let linked = decoded.and_then(|(operations, digests)| {
                Ok((self.link.after(&header, crc, &operations)?.with_tag(Tag::default()), operations, digests))
            });
            let (after, operations, digests) = match linked {
                Ok(linked) => linked,
                Err(reason) => return Ok(Err(reason)),
            };
            (self.at, self.link, self.last) = (offset + header.frame_len(), after, Some((offset, header)));
            take(&Frame { offset, header, operations, bytes, after }, &digests)?;
        }
        Ok(Ok(()))
    }
}

/// A frame in memory of which only the header was looked at.
struct Loaded<'a> {
    offset: u64,
    header: FrameHeader,
    /// The header's.
    crc: u32,
    /// All of it.
    bytes: &'a [u8],
}

impl<'a> Loaded<'a> {
    fn decode<D>(&self, seed: Seed, digest: impl Fn(&Located<'a>) -> D) -> Result<Decoded<'a, D>, DecodeError> {
        let body = &self.bytes[FRAME_HEADER_LEN..];
        let operations = frame::decode_body(seed, self.offset, &self.header, body)?;
        let digests = operations.iter().map(digest).collect();
        Ok((operations, digests))
    }
}

/// All that lie in the window, one after the other, up to one that is not good or not there as a whole.
fn frames<'a>(window: &'a Window<'_>, seed: Seed, mut at: u64) -> Vec<Loaded<'a>> {
    let mut frames = Vec::new();
    while let Some(head) = window.loaded(at, FRAME_HEADER_LEN as u64)
        && let Ok((header, crc)) = FrameHeader::decode(seed, at, head)
        && let Some(bytes) = window.loaded(at, header.frame_len())
    {
        frames.push(Loaded { offset: at, header, crc, bytes });
        at += header.frame_len();
    }
    frames
}
