//! The keys of one log: one seals the contents of operations, one makes the tags of frames.

use std::io;

use subtle::ConstantTimeEq;

use super::cipher::{self, KEY_LEN};
use super::{Nonce, Tag};
use crate::error::DecodeError;
use crate::format::header::FileHeader;
use crate::guarded::Guarded;

/// The keys of one generation, and what it is.
#[derive(Debug)]
pub struct LogKeys {
    contents: Guarded<KEY_LEN>,
    tags: Guarded<KEY_LEN>,
    uuid: [u8; 16],
    generation: u64,
}

impl LogKeys {
    /// Of the log with this header, from its data key.
    pub(super) fn derive(header: &FileHeader, data_key: &[u8; KEY_LEN]) -> io::Result<Self> {
        let derived = |purpose: &[u8]| {
            let mut key = Guarded::zeros()?;
            let purpose = [purpose, &header.generation.to_le_bytes()];
            cipher::derive(&header.uuid, data_key, &purpose, key.bytes_mut());
            io::Result::Ok(key)
        };
        let (contents, tags) = (derived(b"tokcask contents")?, derived(b"tokcask tags")?);
        Ok(Self { contents, tags, uuid: header.uuid, generation: header.generation })
    }

    /// Seals `content`, which stands at `offset` behind the operation header `head`. Returns its tag.
    pub(crate) fn seal(&self, offset: u64, head: &[u8], nonce: &Nonce, content: &mut [u8]) -> Tag {
        cipher::seal(self.contents.bytes(), nonce, &self.associated(offset, head), content)
    }

    /// Opens it again.
    ///
    /// # Errors
    /// It is not what was sealed with this key for this place.
    pub(crate) fn open(
        &self,
        offset: u64,
        head: &[u8],
        nonce: &Nonce,
        content: &mut [u8],
        tag: &Tag,
    ) -> Result<(), DecodeError> {
        let is_open = cipher::open(self.contents.bytes(), nonce, &self.associated(offset, head), content, tag);
        if is_open { Ok(()) } else { Err(DecodeError::Forged { what: "operation" }) }
    }

    /// The tag that the first frame follows.
    pub(crate) fn header_tag(&self, header: &[u8]) -> Tag {
        cipher::tag(self.tags.bytes(), &[b"header", header])
    }

    /// The tag of a frame: `head` is its header up to the checksums, `operations` the tags of its operations.
    pub(crate) fn frame_tag(&self, offset: u64, head: &[u8], previous: &Tag, operations: &[Tag]) -> Tag {
        let parts = [b"frame", &offset.to_le_bytes()[..], head, previous, operations.as_flattened()];
        cipher::tag(self.tags.bytes(), &parts)
    }

    /// Whether two tags are the same, without telling how far they are.
    pub(crate) fn is_same(left: &Tag, right: &Tag) -> bool {
        left.ct_eq(right).into()
    }

    /// What a sealed content is bound to: store, generation, place, and the operation's own header, which has its distance.
    fn associated(&self, offset: u64, head: &[u8]) -> [u8; 44] {
        let mut all = [0; 44];
        let parts = [&self.uuid[..], &self.generation.to_le_bytes(), &offset.to_le_bytes(), head];
        for (to, from) in all.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        all
    }
}
