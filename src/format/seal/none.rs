//! Without the feature `encryption` nobody has keys.

use super::{Nonce, Tag};
use crate::error::DecodeError;

/// There are none.
#[derive(Debug)]
pub enum LogKeys {}

#[expect(clippy::unused_self, reason = "the methods of those that there are with the feature")]
impl LogKeys {
    pub(crate) fn seal(&self, _: u64, _: &[u8], _: &Nonce, _: &mut [u8]) -> Tag {
        match *self {}
    }

    pub(crate) fn open(&self, _: u64, _: &[u8], _: &Nonce, _: &mut [u8], _: &Tag) -> Result<(), DecodeError> {
        match *self {}
    }

    pub(crate) fn header_tag(&self, _: &[u8]) -> Tag {
        match *self {}
    }

    pub(crate) fn frame_tag(&self, _: u64, _: &[u8], _: &Tag, _: &[Tag]) -> Tag {
        match *self {}
    }

    pub(crate) fn is_same(_: &Tag, _: &Tag) -> bool {
        false
    }
}
