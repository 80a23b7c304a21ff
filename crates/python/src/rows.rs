//! Going through all rows, one at a time.

use pyo3::prelude::*;
use std::sync::Mutex;
use tokcask::Tokens;

use crate::errors::store_error;
use crate::token::Token;

/// The rows as they were when it began, oldest first.
#[pyclass(frozen, module = "tokcask")]
pub(crate) struct Rows(Mutex<Tokens>);

impl Rows {
    pub(crate) fn new(tokens: Tokens) -> Self {
        Self(Mutex::new(tokens))
    }
}

#[pymethods]
impl Rows {
    fn __iter__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Token>> {
        let next = py.detach(|| self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next());
        next.transpose().map(|token| token.map(Token)).map_err(|error| store_error(py, &error))
    }
}
