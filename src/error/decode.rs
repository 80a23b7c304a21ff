//! Why bytes do not decode. Names places and numbers, never content.

use std::fmt;

/// Why bytes of a store are not what FORMAT.md allows.
///
/// Carries no content of the file, so that it can be logged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end before the value does.
    Truncated {
        /// Bytes that the value needs.
        needed: u64,
        /// Bytes that there are.
        available: u64,
    },
    /// The magic number is not there.
    Magic,
    /// A checksum does not match.
    Checksum {
        /// What the checksum covers.
        of: &'static str,
    },
    /// A number stands where this version defines none.
    Unknown {
        /// The field.
        field: &'static str,
        /// Its value.
        value: u64,
    },
    /// A length is over its limit.
    TooLong {
        /// What is too long.
        what: &'static str,
        /// Its length in bytes.
        len: u64,
        /// The longest allowed.
        limit: u64,
    },
    /// Padding or a reserved field is not zero.
    NotZero {
        /// The field.
        field: &'static str,
    },
    /// A field contradicts what stands before it.
    Mismatch {
        /// The field.
        field: &'static str,
        /// What it should be (or its lower bound).
        expected: u64,
        /// What it is.
        found: u64,
    },
    /// It is whole, and not what a holder of the store's key wrote there.
    Forged {
        /// What is not.
        what: &'static str,
    },
    /// It is sealed, and there is no key.
    Locked,
    /// A value breaks a rule of its own.
    Invalid {
        /// The rule that is broken.
        rule: &'static str,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { needed, available } => {
                write!(f, "{needed} bytes needed, {available} there")
            }
            Self::Magic => f.write_str("magic number missing"),
            Self::Checksum { of } => write!(f, "checksum of the {of} does not match"),
            Self::Unknown { field, value } => write!(f, "unknown {field} {value}"),
            Self::TooLong { what, len, limit } => write!(f, "{what} of {len} bytes, at most {limit} allowed"),
            Self::NotZero { field } => write!(f, "{field} not zero"),
            Self::Mismatch { field, expected, found } => {
                write!(f, "{field} is {found} where {expected} was expected")
            }
            Self::Forged { what } => write!(f, "{what} is not what was sealed with the store's key"),
            Self::Locked => f.write_str("it is sealed, and there is no key"),
            Self::Invalid { rule } => f.write_str(rule),
        }
    }
}

impl std::error::Error for DecodeError {}
