//! A log's file header, and what it takes to read and write the frames behind it: the keys, if they are sealed.

use std::ops::Deref;
use std::path::Path;

use crate::error::{DecodeError, Error, Result};
use crate::format::Seed;
use crate::format::frame::Link;
use crate::format::header::FileHeader;
use crate::format::seal::{Codec, Contents, SUITE_PLAIN};
use crate::storage::Storage;

#[cfg(feature = "encryption")]
use crate::format::seal::{self, OpenError};
#[cfg(feature = "encryption")]
use crate::guarded::Guarded;
#[cfg(feature = "encryption")]
use crate::key::KeySource;

#[cfg(feature = "encryption")]
const ANOTHER_KEY: &str = "it is encrypted with another key";

/// What a handle opens logs with. One kind of store never passes for the other.
#[derive(Clone, Debug, Default)]
pub(crate) enum Keyring {
    /// Plain logs alone.
    #[default]
    Plain,
    /// Sealed logs alone, with the outer key from here.
    #[cfg(feature = "encryption")]
    Sealed(KeySource),
    /// Both, but for what is sealed: for looking at a log from outside.
    Outside,
}

/// A file header, and the keys to its log.
#[derive(Clone, Debug)]
pub(super) struct Head {
    header: FileHeader,
    pub(super) codec: Codec,
    /// What the first frame has to follow.
    pub(super) first: Link,
}

impl Keyring {
    /// The same, for whoever only looks: what is sealed stays so if there is no key.
    pub(super) fn to_look(&self) -> Self {
        if matches!(self, Self::Plain) { Self::Outside } else { self.clone() }
    }

    /// What it takes to read the log at `path` with this header.
    ///
    /// # Errors
    /// `WrongKey`, `NotEncrypted`, or `Corrupt` for a header that was not written with this key.
    pub(super) fn head(&self, header: FileHeader, path: &Path) -> Result<Head> {
        let is_plain = header.suite == SUITE_PLAIN;
        if is_plain {
            self.check_plain(path)?;
        }
        let contents = match self {
            _ if is_plain => Contents::Plain,
            Self::Outside => Contents::Locked,
            Self::Plain => {
                let reason = "it is encrypted, and was to be opened without a key";
                return Err(Error::WrongKey { path: path.into(), reason });
            }
            #[cfg(feature = "encryption")]
            Self::Sealed(keys) => match seal::open(keys.key(Some(header.key_id), path)?.bytes(), &header) {
                Ok(keys) => Contents::Sealed(keys.into()),
                Err(OpenError::OtherKey) => {
                    return Err(Error::WrongKey { path: path.into(), reason: ANOTHER_KEY });
                }
                Err(OpenError::Forged(reason)) => return Err(Error::Corrupt { path: path.into(), offset: 0, reason }),
                Err(OpenError::Memory(error)) => return Err(Error::io("get memory for the keys of", path, error)),
            },
        };
        Ok(Head::new(header, contents))
    }

    /// Whether a plain log at `path` may be opened.
    ///
    /// # Errors
    /// `NotEncrypted`.
    #[cfg_attr(not(feature = "encryption"), expect(unused_variables, reason = "nothing is encrypted"))]
    pub(super) fn check_plain(&self, path: &Path) -> Result<()> {
        match self {
            Self::Plain | Self::Outside => Ok(()),
            #[cfg(feature = "encryption")]
            Self::Sealed(_) => Err(Error::NotEncrypted { path: path.into() }),
        }
    }

    /// Makes a header for a new log at `path` out of one that has all but salt and data key. The outer key is the one that
    /// it names, or if it names none the one for new logs.
    ///
    /// # Errors
    /// `WrongKey` if another one is given for that.
    #[cfg_attr(not(feature = "encryption"), expect(unused_variables, reason = "there are no keys to get"))]
    pub(super) fn new_head(&self, storage: &dyn Storage, path: &Path, mut header: FileHeader) -> Result<Head> {
        let mut salt = [0; 8];
        storage.random(&mut salt)?;
        header.salt = u64::from_le_bytes(salt);
        let contents = match self {
            Self::Plain | Self::Outside => {
                (header.suite, header.key_id) = (SUITE_PLAIN, [0; 16]);
                (header.wrapped_key, header.key_commitment) = ([0; 72], [0; 32]);
                Contents::Plain
            }
            #[cfg(feature = "encryption")]
            Self::Sealed(keys) => {
                let named = Some(header.key_id).filter(|id| *id != [0; 16]);
                let key = keys.key(named, path)?;
                if named.is_some_and(|id| id != seal::key_id(key.bytes())) {
                    return Err(Error::WrongKey { path: path.into(), reason: ANOTHER_KEY });
                }
                let no_memory = |error| Error::io("get memory for the keys of", path, error);
                let mut nonce = [0; 24];
                storage.random(&mut nonce)?;
                let mut data_key = Guarded::zeros().map_err(no_memory)?;
                storage.random(data_key.bytes_mut())?;
                let keys = seal::seal(key.bytes(), &mut header, &data_key, &nonce);
                Contents::Sealed(keys.map_err(no_memory)?.into())
            }
        };
        Ok(Head::new(header, contents))
    }
}

impl Head {
    fn new(header: FileHeader, contents: Contents) -> Self {
        let (copy, crc) = header.encode();
        let mut first = Link::first(crc);
        if let Contents::Sealed(keys) = &contents {
            let (covered, _) = copy.split_at(copy.len() - size_of_val(&crc));
            first = first.with_tag(keys.header_tag(covered));
        }
        Self { codec: Codec { seed: header.seed(), contents }, first, header }
    }

    /// Of a log whose header is lost, but for what its frames tell.
    pub(super) fn guessed(header: FileHeader, seed: Seed, file_header_crc: u32) -> Self {
        Self { header, codec: seed.into(), first: Link::first(file_header_crc) }
    }
}

impl Deref for Head {
    type Target = FileHeader;

    fn deref(&self) -> &FileHeader {
        &self.header
    }
}

/// A frame that is whole and was not written with the store's key is no crash's doing: nothing behind or before it counts.
pub(super) fn refuse_forged(reason: &DecodeError, path: &Path, offset: u64) -> Result<()> {
    match reason {
        DecodeError::Forged { .. } => Err(Error::Corrupt { path: path.into(), offset, reason: reason.clone() }),
        _ => Ok(()),
    }
}
