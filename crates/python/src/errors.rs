//! Errors as Python knows them: the classes stand in `tokcask.errors`, one for each kind.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;
use tokcask::{Error, RefreshError};

use crate::token::Token;

/// A class of `tokcask.errors`.
fn class<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let module = MODULE.get_or_try_init(py, || py.import("tokcask.errors").map(Bound::unbind))?;
    module.bind(py).getattr(name)
}

/// An error of this class, with what it says and what it carries.
pub(crate) fn made(py: Python<'_>, name: &str, message: String, carried: &Bound<'_, PyDict>) -> PyErr {
    match class(py, name).and_then(|class| class.call((message,), Some(carried))) {
        Ok(error) => PyErr::from_value(error),
        Err(error) => error,
    }
}

/// What the store says, as Python says it.
pub(crate) fn store_error(py: Python<'_>, error: &Error) -> PyErr {
    let carried = PyDict::new(py);
    let noted = match error {
        Error::UnknownId { id } => carried.set_item("id", id),
        Error::Conflict { expected, found } => {
            carried.set_item("expected", expected).and_then(|()| carried.set_item("found", found))
        }
        Error::IdTaken { id, count } => carried.set_item("id", id).and_then(|()| carried.set_item("count", count)),
        _ => Ok(()),
    };
    match noted {
        Ok(()) => made(py, &format!("{:?}Error", error.kind()), error.to_string(), &carried),
        Err(failed) => failed,
    }
}

/// Why there is no fresh token; the provider's own exception as it is.
pub(crate) fn refresh_error(py: Python<'_>, error: RefreshError<PyErr>) -> PyErr {
    let message = error.to_string();
    let carried = PyDict::new(py);
    let with =
        |name: &str, token: Option<Box<tokcask::Token>>| carried.set_item(name, token.map(|token| Token(*token)));
    let (class, noted) = match error {
        RefreshError::Provider(error) => return error,
        RefreshError::Store(error) => return store_error(py, &error),
        RefreshError::UnknownKey => ("UnknownKeyError", Ok(())),
        RefreshError::BackOff { token, retry_in } => {
            let noted = with("token", Some(token)).and_then(|()| carried.set_item("retry_in", retry_in.as_secs_f64()));
            ("BackOffError", noted)
        }
        RefreshError::Busy { token, .. } => ("RefreshBusyError", with("token", Some(token))),
        RefreshError::Deleted { answer } => ("DeletedError", with("answer", answer)),
        RefreshError::Replaced { token, answer } => {
            ("ReplacedError", with("token", Some(token)).and_then(|()| with("answer", Some(answer))))
        }
        RefreshError::SaveFailed { token, source } => {
            let cause = store_error(py, &source);
            let failed = with("token", Some(token)).map(|()| made(py, "SaveFailedError", message, &carried));
            return failed.map_or_else(
                |error| error,
                |failed| {
                    failed.set_cause(py, Some(cause));
                    failed
                },
            );
        }
        other => return PyTypeError::new_err(other.to_string()),
    };
    match noted {
        Ok(()) => made(py, class, message, &carried),
        Err(failed) => failed,
    }
}

/// Runs what may wait without the interpreter lock.
pub(crate) fn detached<T: Send>(py: Python<'_>, work: impl Send + FnOnce() -> Result<T, Error>) -> PyResult<T> {
    py.detach(work).map_err(|error| store_error(py, &error))
}
