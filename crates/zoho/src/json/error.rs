//! Why a text is not a token in JSON. The parser's own messages are left out, since they quote what they stumble over.

use std::fmt;

/// Why a text is not a token in JSON, and where. Never carries a value, which could be a secret at the wrong place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JsonError {
    /// The byte of its line up to which it was read, from 1; 0 before the first.
    pub column: usize,
    /// What is wrong there.
    pub fault: JsonFault,
}

/// What is wrong with a token in JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JsonFault {
    /// It is not JSON.
    NotJson,
    /// It ends too early.
    Truncated,
    /// It is JSON, but not an object.
    NotAnObject,
    /// A name that no token has. It is not repeated: it may be a secret at the wrong place.
    UnknownName {
        /// The one of ours that it is nearly.
        nearest: Option<&'static str>,
    },
    /// A name that came before.
    NameTwice {
        /// The name.
        name: &'static str,
    },
    /// A column that is neither text nor null.
    NotText {
        /// The name of the column.
        name: &'static str,
    },
    /// A secret as [`mask`](crate::mask) shows it, which would overwrite the secret itself.
    Masked {
        /// The name of the column, or `extra`.
        name: &'static str,
    },
    /// `extra` is not an object.
    ExtraNotAnObject,
    /// A value of `extra` that is not text.
    ExtraNotText,
    /// A key of `extra` that came before.
    ExtraKeyTwice,
    /// A key of `extra` that is empty.
    ExtraKeyEmpty,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.fault)
    }
}

impl std::error::Error for JsonError {}

impl fmt::Display for JsonFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson => f.write_str("not JSON"),
            Self::Truncated => f.write_str("the JSON ends too early"),
            Self::NotAnObject => f.write_str("not an object"),
            Self::UnknownName { nearest: Some(name) } => write!(f, "a name that no token has; perhaps {name} is meant"),
            Self::UnknownName { nearest: None } => f.write_str("a name that no token has"),
            Self::NameTwice { name } => write!(f, "{name} is given twice"),
            Self::NotText { name } => write!(f, "{name} is neither text nor null"),
            Self::Masked { name } => write!(f, "{name} is a masked value; ask for the secret itself with --reveal"),
            Self::ExtraNotAnObject => f.write_str("extra is not an object"),
            Self::ExtraNotText => f.write_str("a value of extra is not text"),
            Self::ExtraKeyTwice => f.write_str("a key of extra is given twice"),
            Self::ExtraKeyEmpty => f.write_str("a key of extra is empty"),
        }
    }
}
