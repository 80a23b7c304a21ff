//! Looking after a store that need not be open.

use std::path::{Path, PathBuf};

use pyo3::prelude::*;
use pyo3::types::PyDict;
use tokcask::Options;

use crate::errors::detached;
use crate::key::Key;
use crate::reports;

fn options(py: Python<'_>, path: &Path, key: Option<Key>) -> PyResult<Options> {
    key.map_or_else(|| Ok(Options::new()), |key| Ok(Options::encrypted(key.source(py, path)?.0)))
}

/// Reads the log of a store through, and says whether every byte is as it should be.
#[pyfunction]
#[pyo3(signature = (path, *, key=None))]
pub(crate) fn verify(py: Python<'_>, path: PathBuf, key: Option<Key>) -> PyResult<Bound<'_, PyDict>> {
    let options = options(py, &path, key)?;
    let report = detached(py, || options.verify(&path))?;
    reports::verified(py, &report)
}

/// Saves what can be read of a damaged store in a new one; returns how many tokens that were, and what was lost.
#[pyfunction]
#[pyo3(signature = (path, to, *, key=None))]
pub(crate) fn salvage(py: Python<'_>, path: PathBuf, to: PathBuf, key: Option<Key>) -> PyResult<Bound<'_, PyDict>> {
    let options = options(py, &path, key)?;
    let saved = detached(py, || options.salvage(&path, &to))?;
    let report = PyDict::new(py);
    report.set_item("tokens", saved.tokens)?;
    report.set_item("is_whole", saved.lost.is_empty() && saved.maybe_stale.is_empty())?;
    Ok(report)
}
