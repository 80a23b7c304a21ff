//! The file header: what a log is, before its first frame. Two identical copies, written once.
//!
//! FORMAT.md, "File header".

use super::input::Input;
use super::seal::{SUITE_PLAIN, SUITE_SEALED};
use super::{DecodeError, FRAME_LEN_MAX, KEY_LEN_MAX, RECORD_LEN_MAX, Seed, check_counters};

/// Non-text bytes and both line ends, so that a transfer in text mode is noticed.
pub const MAGIC: [u8; 8] = *b"\x89TOK\r\n\x1a\n";
/// The only version that there is.
pub const VERSION: u16 = 1;
/// Length of one copy, in bytes.
pub const COPY_LEN: usize = 4096;
/// Offset of the second copy.
pub const SECOND_COPY_AT: u64 = 4096;
/// Offset of the first frame.
pub const FRAMES_AT: u64 = 8192;

const CRC_AT: usize = COPY_LEN - 4;
const FIELDS_LEN: usize = 224;
/// Cipher suites that this build can read.
const SUITES: &[u16] = if cfg!(feature = "encryption") { &[SUITE_PLAIN, SUITE_SEALED] } else { &[SUITE_PLAIN] };

/// What a log says of itself.
#[derive(Clone, PartialEq, Eq)]
pub struct FileHeader {
    /// Features without which the file cannot be read: an unknown bit refuses it.
    pub incompatible: u64,
    /// Features without which the file can be read but not written.
    pub read_only_compatible: u64,
    /// Features that a reader or writer may ignore.
    pub compatible: u64,
    /// The store's identity, the same in all its generations and backups.
    pub uuid: [u8; 16],
    /// Number of this file in its store's life, from 1.
    pub generation: u64,
    /// Random per generation; seeds every checksum.
    pub salt: u64,
    /// 0: plain. 1: XChaCha20-Poly1305.
    pub suite: u16,
    /// Which outer key wraps the data key.
    pub key_id: [u8; 16],
    /// The data key, wrapped.
    pub wrapped_key: [u8; 72],
    /// Proves which outer key is right before anything is decrypted.
    pub key_commitment: [u8; 32],
    /// Longest record of this file.
    pub record_len_max: u32,
    /// Longest key of this file.
    pub key_len_max: u32,
    /// Longest frame of this file.
    pub frame_len_max: u32,
    /// When the file was made, milliseconds since 1970; advisory.
    pub created_ms: u64,
}

impl FileHeader {
    /// The header of a new plain log.
    #[must_use]
    pub fn plain(uuid: [u8; 16], generation: u64, salt: u64, created_ms: u64) -> Self {
        Self {
            incompatible: 0,
            read_only_compatible: 0,
            compatible: 0,
            uuid,
            generation,
            salt,
            suite: SUITE_PLAIN,
            key_id: [0; 16],
            wrapped_key: [0; 72],
            key_commitment: [0; 32],
            record_len_max: RECORD_LEN_MAX,
            key_len_max: KEY_LEN_MAX,
            frame_len_max: FRAME_LEN_MAX,
            created_ms,
        }
    }

    /// What the checksums of this log start from.
    #[must_use]
    pub fn seed(&self) -> Seed {
        Seed::new(self.salt, self.generation)
    }

    /// One copy, and its checksum, which is the chain of the first frame.
    #[must_use]
    pub fn encode(&self) -> (Vec<u8>, u32) {
        let mut bytes = Vec::with_capacity(COPY_LEN);
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend([0; 6]);
        bytes.extend(self.incompatible.to_le_bytes());
        bytes.extend(self.read_only_compatible.to_le_bytes());
        bytes.extend(self.compatible.to_le_bytes());
        bytes.extend(self.uuid);
        bytes.extend(self.generation.to_le_bytes());
        bytes.extend(self.salt.to_le_bytes());
        bytes.extend(self.suite.to_le_bytes());
        bytes.extend([0; 6]);
        bytes.extend(self.key_id);
        bytes.extend(self.wrapped_key);
        bytes.extend(self.key_commitment);
        bytes.extend(self.record_len_max.to_le_bytes());
        bytes.extend(self.key_len_max.to_le_bytes());
        bytes.extend(self.frame_len_max.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(self.created_ms.to_le_bytes());
        bytes.resize(CRC_AT, 0);
        let crc = crc32fast::hash(&bytes);
        bytes.extend(crc.to_le_bytes());
        (bytes, crc)
    }

    /// Whether a copy is whole; what its fields say is another matter. Returns them and the checksum.
    ///
    /// # Errors
    /// Bytes that are missing, the magic, or the checksum.
    pub fn check_copy(copy: &[u8]) -> Result<(&[u8], u32), DecodeError> {
        let mut input = Input::new(copy);
        let covered = input.bytes(CRC_AT)?;
        let crc = input.u32()?;
        let mut input = Input::new(covered);
        if input.array()? != MAGIC {
            return Err(DecodeError::Magic);
        }
        if crc32fast::hash(covered) != crc {
            return Err(DecodeError::Checksum { of: "file header" });
        }
        Ok((covered, crc))
    }

    /// Reads one copy. Says nothing yet of features: see [`FileHeader::check_readable`].
    ///
    /// # Errors
    /// A copy that is not whole, another version, or bytes that FORMAT.md does not allow there.
    pub fn decode(copy: &[u8]) -> Result<(Self, u32), DecodeError> {
        let (covered, crc) = Self::check_copy(copy)?;
        let mut input = Input::new(covered);
        input.bytes(MAGIC.len())?;
        let version = input.u16()?;
        if version != VERSION {
            return Err(DecodeError::Unknown { field: VERSION_FIELD, value: version.into() });
        }
        input.zeros(6, "reserved field of the file header")?;
        let header = Self {
            incompatible: input.u64()?,
            read_only_compatible: input.u64()?,
            compatible: input.u64()?,
            uuid: input.array()?,
            generation: input.u64()?,
            salt: input.u64()?,
            suite: {
                let suite = input.u16()?;
                input.zeros(6, "reserved field of the file header")?;
                suite
            },
            key_id: input.array()?,
            wrapped_key: input.array()?,
            key_commitment: input.array()?,
            record_len_max: input.u32()?,
            key_len_max: input.u32()?,
            frame_len_max: input.u32()?,
            created_ms: {
                input.zeros(4, "reserved field of the file header")?;
                input.u64()?
            },
        };
        input.zeros(CRC_AT.saturating_sub(FIELDS_LEN), "padding of the file header")?;
        check_counters(&[("generation", header.generation)])?;
        let key = [&header.key_id[..], &header.wrapped_key, &header.key_commitment];
        if header.suite == SUITE_PLAIN && key.concat().iter().any(|byte| *byte != 0) {
            return Err(DecodeError::NotZero { field: "key of a plain file" });
        }
        if header.generation == 0 {
            return Err(DecodeError::Invalid { rule: "generation 0" });
        }
        Ok((header, crc))
    }

    /// Whether this version can write the file.
    ///
    /// # Errors
    /// Names the feature bits, suite or limits that it cannot.
    pub fn check_writable(&self) -> Result<(), DecodeError> {
        if self.read_only_compatible != 0 {
            let value = self.read_only_compatible;
            return Err(DecodeError::Unknown { field: "read-only compatible features", value });
        }
        self.check_readable()
    }

    /// Whether this version can read the file.
    ///
    /// # Errors
    /// Names the feature bits, suite or limits that it cannot.
    pub fn check_readable(&self) -> Result<(), DecodeError> {
        let limits = [
            ("record limit", self.record_len_max, RECORD_LEN_MAX),
            ("key limit", self.key_len_max, KEY_LEN_MAX),
            ("frame limit", self.frame_len_max, FRAME_LEN_MAX),
        ];
        if self.incompatible != 0 {
            return Err(DecodeError::Unknown { field: "incompatible features", value: self.incompatible });
        }
        if !SUITES.contains(&self.suite) {
            return Err(DecodeError::Unknown { field: "cipher suite", value: self.suite.into() });
        }
        for (field, value, ours) in limits {
            if value != ours {
                return Err(DecodeError::Unknown { field, value: value.into() });
            }
        }
        Ok(())
    }
}

/// The field that [`DecodeError::Unknown`] names when a file is of another version.
pub const VERSION_FIELD: &str = "format version";

impl std::fmt::Debug for FileHeader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = f.debug_struct("FileHeader");
        out.field("generation", &self.generation).field("suite", &self.suite).finish_non_exhaustive()
    }
}
