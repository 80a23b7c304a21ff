//! Refreshing through Python: the provider is a function there, called by one of all threads of all processes.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;
use tokcask::{Key, LogStore, RefreshError, RefreshPolicy, Refreshed};

use crate::errors::refresh_error;
use crate::token::Token;

/// When a token counts as fresh, and how much patience there is; in seconds.
#[derive(FromPyObject)]
pub(crate) struct Policy {
    #[pyo3(item)]
    slack: f64,
    #[pyo3(item)]
    wait_max: f64,
    #[pyo3(item)]
    backoff_min: f64,
    #[pyo3(item)]
    backoff_max: f64,
    #[pyo3(item)]
    rejected: Option<u64>,
}

impl Policy {
    fn parsed(&self) -> PyResult<RefreshPolicy> {
        Ok(RefreshPolicy {
            slack: seconds("slack", self.slack)?,
            wait_max: seconds("wait_max", self.wait_max)?,
            backoff_min: seconds("backoff_min", self.backoff_min)?,
            backoff_max: seconds("backoff_max", self.backoff_max)?,
            rejected: self.rejected,
        })
    }
}

/// A time that an argument gives.
pub(crate) fn seconds(name: &str, value: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value).map_err(|error| PyValueError::new_err(format!("{name}: {error}")))
}

/// The row's key, by the name of its column.
pub(crate) fn key<'a>(column: &str, value: &'a str) -> PyResult<Key<'a>> {
    Ok(match column {
        "id" => Key::Id(value),
        "user_name" => Key::UserName(value),
        "access_token" => Key::AccessToken(value),
        "refresh_token" => Key::RefreshToken(value),
        "grant_token" => Key::GrantToken(value),
        _ => return Err(PyValueError::new_err(format!("rows are not found by {column:?}"))),
    })
}

/// Returns how it came about, and the row.
///
/// Waits in slices: whoever presses Ctrl-C is heard between two.
pub(crate) fn refresh(
    py: Python<'_>,
    store: &LogStore,
    key: Key<'_>,
    policy: &Policy,
    provider: &Py<PyAny>,
) -> PyResult<(&'static str, Token)> {
    const SLICE: Duration = Duration::from_millis(100);
    let policy = policy.parsed()?;
    let (start, mut has_waited) = (Instant::now(), false);
    loop {
        let left = policy.wait_max.saturating_sub(start.elapsed());
        match attempt(py, store, key, RefreshPolicy { wait_max: left.min(SLICE), ..policy }, provider)? {
            Err(RefreshError::Busy { .. }) if left > SLICE => {
                py.check_signals()?;
                has_waited = true;
            }
            Err(RefreshError::Busy { token, .. }) => {
                return Err(refresh_error(py, RefreshError::Busy { token, waited: start.elapsed() }));
            }
            Err(error) => return Err(refresh_error(py, error)),
            Ok(outcome) => {
                let how = match &outcome {
                    Refreshed::Fresh(_) if !has_waited => "fresh",
                    Refreshed::ByUs(_) => "by us",
                    _ => "by another",
                };
                return Ok((how, Token(outcome.into_token())));
            }
        }
    }
}

/// One slice of it. The error that is the provider's own comes out as it is.
fn attempt(
    py: Python<'_>,
    store: &LogStore,
    key: Key<'_>,
    policy: RefreshPolicy,
    provider: &Py<PyAny>,
) -> PyResult<Result<Refreshed, RefreshError<PyErr>>> {
    let ask = |row: &tokcask::Token| {
        Python::attach(|py| {
            let answer =
                provider.call1(py, (Token(row.clone()),)).and_then(|answer| Ok(answer.extract::<Token>(py)?.0));
            answer.map_err(|error| {
                if error.is_instance_of::<PyException>(py) {
                    return error;
                }
                // An end of the program (KeyboardInterrupt, SystemExit) is no failure of the provider: as if the process had
                // died, somebody else asks at once. Unwinding is how the store is told; the hook for panics is not.
                resume_unwind(Box::new(Ended(error)))
            })
        })
    };
    match py.detach(|| catch_unwind(AssertUnwindSafe(|| store.refresh(key, policy, ask)))) {
        Ok(outcome) => Ok(outcome),
        Err(unwound) => match unwound.downcast::<Ended>() {
            Ok(ended) => Err(ended.0),
            Err(panicked) => resume_unwind(panicked),
        },
    }
}

/// What ended the program inside the provider's function.
struct Ended(PyErr);
