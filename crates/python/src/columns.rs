//! The ten columns of a token as a tuple, in the order of the SDKs' files: what the drop-in store works with on every API call.

use std::ops::Deref;

use pyo3::exceptions::{PyUnicodeEncodeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::PyTuple;
use tokcask::{Secret, Token, TokenBuilder};

/// A string of Python, read in place.
pub(crate) struct Text(PyBackedStr);

impl<'a, 'py> FromPyObject<'a, 'py> for Text {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        object.extract().map(Self).map_err(|error: PyErr| {
            // Python's own error holds the string, which may be a secret.
            let is_no_unicode = error.is_instance_of::<PyUnicodeEncodeError>(object.py());
            if is_no_unicode { PyValueError::new_err("text with half a character in it (a surrogate)") } else { error }
        })
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// What is said of each column; `None` says nothing.
#[derive(FromPyObject)]
pub(crate) struct Columns(
    Option<Text>,
    Option<Text>,
    Option<Text>,
    Option<Text>,
    Option<Text>,
    Option<Text>,
    Option<Text>,
    Option<Text>,
    Option<Text>,
    Option<Text>,
);

const SETTERS: [fn(TokenBuilder, String) -> TokenBuilder; 10] = [
    TokenBuilder::id,
    TokenBuilder::user_name,
    TokenBuilder::client_id,
    TokenBuilder::client_secret,
    TokenBuilder::refresh_token,
    TokenBuilder::access_token,
    TokenBuilder::grant_token,
    TokenBuilder::expiry_time,
    TokenBuilder::redirect_url,
    TokenBuilder::api_domain,
];

pub(crate) const NAMES: [&str; 10] = [
    "id",
    "user_name",
    "client_id",
    "client_secret",
    "refresh_token",
    "access_token",
    "grant_token",
    "expiry_time",
    "redirect_url",
    "api_domain",
];

/// A token with these columns, in the making.
pub(crate) fn builder(values: [&Option<Text>; 10]) -> TokenBuilder {
    let set = SETTERS.iter().zip(values).filter_map(|(set, value)| Some((set, value.as_ref()?)));
    // The builder wipes what it is given.
    set.fold(Token::builder(), |builder, (set, value)| set(builder, (**value).to_owned()))
}

impl Columns {
    /// The token that they are.
    pub(crate) fn token(&self) -> Token {
        let Self(id, user, client, client_secret, refresh, access, grant, expiry, redirect, domain) = self;
        builder([id, user, client, client_secret, refresh, access, grant, expiry, redirect, domain]).build()
    }
}

/// The columns of a token.
pub(crate) fn values(token: &Token) -> [Option<&str>; 10] {
    [
        token.id(),
        token.user_name(),
        token.client_id(),
        token.client_secret().map(Secret::expose_secret),
        token.refresh_token().map(Secret::expose_secret),
        token.access_token().map(Secret::expose_secret),
        token.grant_token().map(Secret::expose_secret),
        token.expiry_time(),
        token.redirect_url(),
        token.api_domain(),
    ]
}

/// The same as Python has them.
pub(crate) fn tuple<'py>(py: Python<'py>, token: &Token) -> PyResult<Bound<'py, PyTuple>> {
    PyTuple::new(py, values(token))
}
