//! The data key of a log in its file header, wrapped with the store's outer key.
//!
//! A data key is random and of one generation. The header names the outer key and commits to it, so that a wrong one is
//! told before anything is opened with it.

use std::io;

use subtle::ConstantTimeEq;

use super::cipher::{self, KEY_LEN};
use super::{LogKeys, NONCE_LEN, Nonce, SUITE_SEALED, Tag};
use crate::error::DecodeError;
use crate::format::header::FileHeader;
use crate::guarded::Guarded;

/// Length of an outer key, in bytes.
pub(crate) const OUTER_KEY_LEN: usize = KEY_LEN;

/// The header's bytes before the wrapped key.
const COVERED_LEN: usize = 96;

/// Why a header does not open.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// The outer key is another one.
    OtherKey,
    /// The header is not what was written with this key.
    Forged(DecodeError),
    /// No memory for keys.
    Memory(io::Error),
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Memory(error)
    }
}

/// What names an outer key, and tells nothing of it.
pub(crate) fn key_id(outer: &[u8; KEY_LEN]) -> [u8; 16] {
    let mut id = [0; 16];
    cipher::derive(b"", outer, &[b"tokcask key id"], &mut id);
    id
}

/// Gives a header a data key, which is random like the nonce. The rest of the header is as it will be written.
pub(crate) fn seal(
    outer: &[u8; KEY_LEN],
    header: &mut FileHeader,
    data_key: &Guarded<KEY_LEN>,
    nonce: &Nonce,
) -> io::Result<LogKeys> {
    header.suite = SUITE_SEALED;
    header.key_id = key_id(outer);
    header.key_commitment = commitment(outer, header);
    let mut sealed = Guarded::<KEY_LEN>::zeros()?;
    *sealed.bytes_mut() = *data_key.bytes();
    let tag = cipher::seal(wrapping_key(outer, header)?.bytes(), nonce, &covered(header), sealed.bytes_mut());
    for (to, from) in header.wrapped_key.iter_mut().zip(nonce.iter().chain(sealed.bytes()).chain(&tag)) {
        *to = *from;
    }
    LogKeys::derive(header, data_key.bytes())
}

/// The keys of the log with this header.
pub(crate) fn open(outer: &[u8; KEY_LEN], header: &FileHeader) -> Result<LogKeys, OpenError> {
    if !bool::from(key_id(outer).ct_eq(&header.key_id)) {
        return Err(OpenError::OtherKey);
    }
    let forged = || OpenError::Forged(DecodeError::Forged { what: "file header" });
    if !bool::from(commitment(outer, header).ct_eq(&header.key_commitment)) {
        return Err(forged());
    }
    let (nonce, rest) = header.wrapped_key.split_first_chunk::<NONCE_LEN>().ok_or_else(forged)?;
    let (sealed, tag) = rest.split_first_chunk::<KEY_LEN>().ok_or_else(forged)?;
    let tag: &Tag = tag.first_chunk().ok_or_else(forged)?;
    let mut data_key = Guarded::<KEY_LEN>::zeros()?;
    *data_key.bytes_mut() = *sealed;
    let wrapping = wrapping_key(outer, header)?;
    if !cipher::open(wrapping.bytes(), nonce, &covered(header), data_key.bytes_mut(), tag) {
        return Err(forged());
    }
    Ok(LogKeys::derive(header, data_key.bytes())?)
}

fn wrapping_key(outer: &[u8; KEY_LEN], header: &FileHeader) -> io::Result<Guarded<KEY_LEN>> {
    let mut key = Guarded::zeros()?;
    cipher::derive(&header.uuid, outer, &[b"tokcask wrapping", &of_generation(header)], key.bytes_mut());
    Ok(key)
}

/// Nobody finds a second key with the same commitment: it is a hash of the key, and of the place where it stands.
fn commitment(outer: &[u8; KEY_LEN], header: &FileHeader) -> [u8; KEY_LEN] {
    let mut commitment = [0; KEY_LEN];
    cipher::derive(&header.uuid, outer, &[b"tokcask commitment", &of_generation(header)], &mut commitment);
    commitment
}

/// Generation and salt.
fn of_generation(header: &FileHeader) -> [u8; 16] {
    let numbers = [header.generation.to_le_bytes(), header.salt.to_le_bytes()];
    let mut bytes = [0; 16];
    bytes.copy_from_slice(numbers.as_flattened());
    bytes
}

/// What the wrapped key is bound to.
fn covered(header: &FileHeader) -> Vec<u8> {
    let (mut copy, _) = header.encode();
    copy.truncate(COVERED_LEN);
    copy
}
