//! A token as Python has it: its columns, never changed, its secrets kept out of `repr`.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};
use tokcask::Secret;

use tokcask_zoho::columns::{NAMES, values};

use crate::columns::{self, Text};

/// See `_tokcask.pyi`.
#[pyclass(frozen, module = "tokcask", from_py_object)]
#[derive(Clone)]
pub(crate) struct Token(pub(crate) tokcask::Token);

#[pymethods]
impl Token {
    #[new]
    #[pyo3(signature = (
        *, id=None, user_name=None, client_id=None, client_secret=None, refresh_token=None, access_token=None,
        grant_token=None, expiry_time=None, redirect_url=None, api_domain=None, extra=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "they are the columns of a token, by name")]
    fn new(
        id: Option<Text>,
        user_name: Option<Text>,
        client_id: Option<Text>,
        client_secret: Option<Text>,
        refresh_token: Option<Text>,
        access_token: Option<Text>,
        grant_token: Option<Text>,
        expiry_time: Option<Text>,
        redirect_url: Option<Text>,
        api_domain: Option<Text>,
        extra: Option<BTreeMap<String, Text>>,
    ) -> Self {
        let builder = columns::builder([
            &id,
            &user_name,
            &client_id,
            &client_secret,
            &refresh_token,
            &access_token,
            &grant_token,
            &expiry_time,
            &redirect_url,
            &api_domain,
        ]);
        let extra = extra.unwrap_or_default().into_iter();
        Self(extra.fold(builder, |builder, (key, value)| builder.extra(key, (*value).to_owned())).build())
    }

    #[getter]
    fn id(&self) -> Option<&str> {
        self.0.id()
    }

    #[getter]
    fn user_name(&self) -> Option<&str> {
        self.0.user_name()
    }

    #[getter]
    fn client_id(&self) -> Option<&str> {
        self.0.client_id()
    }

    #[getter]
    fn client_secret(&self) -> Option<&str> {
        self.0.client_secret().map(Secret::expose_secret)
    }

    #[getter]
    fn refresh_token(&self) -> Option<&str> {
        self.0.refresh_token().map(Secret::expose_secret)
    }

    #[getter]
    fn access_token(&self) -> Option<&str> {
        self.0.access_token().map(Secret::expose_secret)
    }

    #[getter]
    fn grant_token(&self) -> Option<&str> {
        self.0.grant_token().map(Secret::expose_secret)
    }

    #[getter]
    fn expiry_time(&self) -> Option<&str> {
        self.0.expiry_time()
    }

    #[getter]
    fn redirect_url(&self) -> Option<&str> {
        self.0.redirect_url()
    }

    #[getter]
    fn api_domain(&self) -> Option<&str> {
        self.0.api_domain()
    }

    /// A dictionary of its own each time.
    #[getter]
    fn extra<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let extra = PyDict::new(py);
        for (key, value) in self.0.extra() {
            extra.set_item(key, value)?;
        }
        Ok(extra)
    }

    #[getter]
    fn created_at(&self) -> Option<f64> {
        self.0.created_at().map(seconds)
    }

    #[getter]
    fn updated_at(&self) -> Option<f64> {
        self.0.updated_at().map(seconds)
    }

    #[getter]
    fn expires_at(&self) -> Option<f64> {
        self.0.expires_at().map(seconds)
    }

    #[getter]
    fn revision(&self) -> Option<u64> {
        self.0.revision()
    }

    /// The columns that are set, and the extra values if there are any, as `Token(**columns)` takes them.
    fn as_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let set = PyDict::new(py);
        for (name, value) in NAMES.iter().zip(values(&self.0)) {
            if let Some(value) = value {
                set.set_item(name, value)?;
            }
        }
        let extra = self.extra(py)?;
        if !extra.is_empty() {
            set.set_item("extra", extra)?;
        }
        Ok(set)
    }

    /// The same token with these columns.
    #[pyo3(signature = (**changes))]
    fn replace<'py>(&self, py: Python<'py>, changes: Option<&Bound<'py, PyDict>>) -> PyResult<Bound<'py, PyAny>> {
        let columns = self.as_dict(py)?;
        if let Some(changes) = changes {
            columns.update(changes.as_mapping())?;
        }
        PyType::new::<Self>(py).call((), Some(&columns))
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| other.get().0 == self.0)
    }

    /// It never changes: a copy would be the same.
    fn __copy__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __deepcopy__(this: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        this
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        columns::tuple(py, &self.0)?.hash()
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.0)
    }

    /// Secrets do not go where they were not sent on purpose; `as_dict` is for that.
    #[expect(clippy::unused_self, reason = "Python calls it on a token")]
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("a token is not pickled, for it holds secrets; send token.as_dict() if that is meant"))
    }
}

/// Seconds since 1970, as `time.time()` counts them.
fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
