//! Text that must not be printed by accident.

use std::fmt;

/// A borrowed secret: `Debug` prints `Secret(redacted)`, there is no `Display`, and reading it is one explicit call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret<'a>(&'a str);

impl<'a> Secret<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// The secret text itself.
    #[must_use]
    pub fn expose_secret(self) -> &'a str {
        self.0
    }
}

impl fmt::Debug for Secret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}
