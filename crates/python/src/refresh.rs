//! Refreshing through Python: the provider is a function there, called by one of all threads of all processes.

use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use tokcask::{Key, LogStore, RefreshPolicy, Refreshed};

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
pub(crate) fn refresh(
    py: Python<'_>,
    store: &LogStore,
    key: Key<'_>,
    policy: &Policy,
    provider: &Py<PyAny>,
) -> PyResult<(&'static str, Token)> {
    let policy = policy.parsed()?;
    let ask = |row: &tokcask::Token| {
        Python::attach(|py| {
            let answer = provider.call1(py, (Token(row.clone()),))?;
            PyResult::Ok(answer.extract::<Token>(py)?.0)
        })
    };
    let outcome = py.detach(|| store.refresh(key, policy, ask)).map_err(|error| refresh_error(py, error))?;
    let how = match &outcome {
        Refreshed::Fresh(_) => "fresh",
        Refreshed::ByUs(_) => "by us",
        _ => "by another",
    };
    Ok((how, Token(outcome.into_token())))
}
