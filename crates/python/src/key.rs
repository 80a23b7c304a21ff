//! Where the key of an encrypted store comes from: 32 bytes, a file, or a function that is asked for it.

use std::path::PathBuf;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use tokcask::{EncryptionKey, KeySource};
use zeroize::Zeroizing;

use crate::errors::store_error;

/// What a caller may give for a key.
#[derive(FromPyObject)]
pub(crate) enum Key {
    Bytes(Vec<u8>),
    File(PathBuf),
    Ask(Py<PyAny>),
}

impl Key {
    pub(crate) fn source(self, py: Python<'_>) -> PyResult<KeySource> {
        match self {
            Self::Bytes(bytes) => from_bytes(py, Zeroizing::new(bytes)).map(Into::into),
            Self::File(path) => {
                let key = py.detach(|| EncryptionKey::from_file(path));
                key.map(Into::into).map_err(|error| store_error(py, &error))
            }
            Self::Ask(ask) if !ask.bind(py).is_callable() => {
                Err(PyTypeError::new_err("a key is 32 bytes, the path of a file, or a function"))
            }
            Self::Ask(ask) => Ok(KeySource::asking(move |id| {
                Python::attach(|py| {
                    let answer = ask.call1(py, (id.map(|id| id.to_string()),))?;
                    Ok(from_bytes(py, Zeroizing::new(answer.extract(py)?))?)
                })
            })),
        }
    }
}

fn from_bytes(py: Python<'_>, bytes: Zeroizing<Vec<u8>>) -> PyResult<EncryptionKey> {
    let right = bytes.first_chunk().filter(|_| bytes.len() == EncryptionKey::LEN);
    let right = right
        .ok_or_else(|| PyValueError::new_err(format!("a key has {} bytes, not {}", EncryptionKey::LEN, bytes.len())))?;
    EncryptionKey::from_bytes(right).map_err(|error| store_error(py, &error))
}
