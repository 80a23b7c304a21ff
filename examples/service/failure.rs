//! Errors of this program: what was being done, and why it failed. Never holds a secret.

use std::fmt;

/// The result of every step.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// A message for whoever ran the program; nothing here decides by the kind of an error.
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub(crate) trait Context<T> {
    /// Puts what was being done before what went wrong.
    fn context(self, doing: impl fmt::Display) -> Result<T>;
}

impl<T, E: fmt::Display> Context<T> for std::result::Result<T, E> {
    fn context(self, doing: impl fmt::Display) -> Result<T> {
        self.map_err(|error| Failure(format!("{doing}: {error}")))
    }
}
