//! Where the key of an encrypted store comes from: 32 bytes, a file, or a function that is asked for it.
//!
//! The function may belong to an object that has the store, so Python's collector is shown it; and while it is asked, finds of
//! its store wait for the answer, so on that thread the store says so instead of waiting for itself.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
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

/// A function of Python that is asked for keys, until the collector takes it.
#[derive(Clone, Default)]
pub(crate) struct Asked(Arc<Mutex<Option<Py<PyAny>>>>);

thread_local! {
    /// The stores whose key this thread is asking for.
    static ASKING: RefCell<Vec<PathBuf>> = const { RefCell::new(Vec::new()) };
}

impl Key {
    /// For the store at `path`; and the function, if it is one.
    pub(crate) fn source(self, py: Python<'_>, path: &Path) -> PyResult<(KeySource, Asked)> {
        let source = match self {
            Self::Bytes(bytes) => from_bytes(py, Zeroizing::new(bytes))?.into(),
            Self::File(file) => {
                let key = py.detach(|| EncryptionKey::from_file(file));
                key.map_err(|error| store_error(py, &error))?.into()
            }
            Self::Ask(ask) if !ask.bind(py).is_callable() => {
                return Err(PyTypeError::new_err("a key is 32 bytes, the path of a file, or a function"));
            }
            Self::Ask(ask) => {
                let asked = Asked(Arc::new(Mutex::new(Some(ask))));
                let (function, path) = (asked.clone(), path.to_owned());
                let source = KeySource::asking(move |id| {
                    let answer = Python::attach(|py| function.ask(py, &path, id.map(|id| id.to_string())));
                    Ok(answer?)
                });
                return Ok((source, asked));
            }
        };
        Ok((source, Asked::default()))
    }
}

impl Asked {
    fn ask(&self, py: Python<'_>, path: &Path, id: Option<String>) -> PyResult<EncryptionKey> {
        let function = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|ask| ask.clone_ref(py));
        let function = function.ok_or_else(|| PyRuntimeError::new_err("the function that gives the key is gone"))?;
        ASKING.with_borrow_mut(|asking| asking.push(path.to_owned()));
        let answer = function.call1(py, (id,));
        ASKING.with_borrow_mut(Vec::pop);
        from_bytes(py, Zeroizing::new(answer?.extract(py)?))
    }

    /// Shows the collector what is held. It holds the interpreter lock: nobody else is inside `ask`'s one line.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.try_lock().map_or(Ok(()), |function| visit.call(&*function))
    }

    pub(crate) fn clear(&self) {
        let function = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(function);
    }
}

/// An error if this thread is asking for the key of the store at `path`: a call would wait for itself.
pub(crate) fn refuse_while_asking(path: &Path) -> PyResult<()> {
    if ASKING.with_borrow(|asking| asking.iter().any(|other| other == path)) {
        return Err(PyRuntimeError::new_err("the function that gives a store's key has used that store"));
    }
    Ok(())
}

fn from_bytes(py: Python<'_>, bytes: Zeroizing<Vec<u8>>) -> PyResult<EncryptionKey> {
    let right = bytes.first_chunk().filter(|_| bytes.len() == EncryptionKey::LEN);
    let right = right
        .ok_or_else(|| PyValueError::new_err(format!("a key has {} bytes, not {}", EncryptionKey::LEN, bytes.len())))?;
    EncryptionKey::from_bytes(right).map_err(|error| store_error(py, &error))
}
