//! Reading the stores that tokens come from.

use std::fs::File;
use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use tokcask_zoho::{Error, Import, read_csv};

use crate::errors::made;
use crate::token::Token;

/// Tokens, and why each of the other rows was kept out.
type Found = (Vec<Token>, Vec<String>);

/// Reads the file of an SDK's `FileStore`.
#[pyfunction]
pub(crate) fn read_file_store(py: Python<'_>, path: PathBuf) -> PyResult<Found> {
    let read = || File::open(&path).map_err(|source| Error::Io { source }).and_then(read_csv);
    found(py, py.detach(read))
}

/// Reads a SQLite database with the SDKs' table.
#[pyfunction]
pub(crate) fn read_sqlite(py: Python<'_>, path: PathBuf) -> PyResult<Found> {
    found(py, py.detach(|| tokcask_zoho::read_sqlite(&path)))
}

fn found(py: Python<'_>, read: Result<Import, Error>) -> PyResult<Found> {
    let import = read.map_err(|error| made(py, "SourceError", error.to_string(), &PyDict::new(py)))?;
    let skipped = import.skipped.iter().map(ToString::to_string).collect();
    Ok((import.into_tokens().into_iter().map(Token).collect(), skipped))
}
