//! The ten columns of a token as a tuple, in the order of the SDKs' files: what the drop-in store works with on every API call.

use std::ops::Deref;

use pyo3::exceptions::{PyUnicodeEncodeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyInt, PyTuple};
use tokcask::{Token, TokenBuilder};
use tokcask_zoho::columns::{COUNT, set, values};

/// A string of Python, read in place; or a number, spelled out.
pub(crate) enum Text {
    InPlace(PyBackedStr),
    Spelled(String),
}

impl<'a, 'py> FromPyObject<'a, 'py> for Text {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        object.extract().map(Self::InPlace).map_err(|error: PyErr| {
            // Python's own error holds the string, which may be a secret.
            let is_no_unicode = error.is_instance_of::<PyUnicodeEncodeError>(object.py());
            if is_no_unicode { PyValueError::new_err("text with half a character in it (a surrogate)") } else { error }
        })
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::InPlace(text) => text,
            Self::Spelled(text) => text,
        }
    }
}

/// An expiry, which callers of the SDKs may set as a number: their own store writes it out, too.
fn text_or_number(object: &Bound<'_, PyAny>) -> PyResult<Option<Text>> {
    if object.is_exact_instance_of::<PyInt>() {
        return Ok(Some(Text::Spelled(object.extract::<i64>()?.to_string())));
    }
    object.extract()
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
    #[pyo3(from_py_with = text_or_number)] Option<Text>,
    Option<Text>,
    Option<Text>,
);

/// A token with these columns, in the making.
pub(crate) fn builder(values: [&Option<Text>; COUNT]) -> TokenBuilder {
    let said = values.into_iter().enumerate().filter_map(|(column, value)| Some((column, value.as_ref()?)));
    said.fold(Token::builder(), |builder, (column, value)| set(builder, column, (**value).to_owned()))
}

impl Columns {
    /// The token that they are.
    pub(crate) fn token(&self) -> Token {
        let Self(id, user, client, client_secret, refresh, access, grant, expiry, redirect, domain) = self;
        builder([id, user, client, client_secret, refresh, access, grant, expiry, redirect, domain]).build()
    }
}

/// The columns of a token as Python has them.
pub(crate) fn tuple<'py>(py: Python<'py>, token: &Token) -> PyResult<Bound<'py, PyTuple>> {
    PyTuple::new(py, values(token))
}
