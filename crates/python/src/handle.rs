//! An open store, as the package's own classes use it.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyTraverseError, PyVisit};
use tokcask::{Error, LogStore, OnClash, Options, SweepPolicy, TokenStore};

use crate::columns::{self, Columns, Text};
use crate::errors::detached;
use crate::key::{Asked, Key, refuse_while_asking};
use crate::refresh::{self, Policy, seconds};
use crate::reports;
use crate::rows::Rows;
use crate::token::Token;

/// Closed when the last reference goes, or before.
#[pyclass(frozen, module = "tokcask")]
pub(crate) struct Handle {
    path: PathBuf,
    store: LogStore,
    /// The function that gives the store's key.
    asked: Mutex<Asked>,
}

#[pymethods]
impl Handle {
    #[new]
    #[pyo3(signature = (path, *, key, create, read_only, exclusive, network, background, lock_timeout))]
    #[expect(clippy::too_many_arguments, clippy::fn_params_excessive_bools, reason = "they are options, by name")]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        key: Option<Key>,
        create: bool,
        read_only: bool,
        exclusive: bool,
        network: bool,
        background: bool,
        lock_timeout: f64,
    ) -> PyResult<Self> {
        refuse_while_asking(&path)?;
        let source = key.map(|key| key.source(py, &path)).transpose()?;
        let (options, asked) =
            source.map_or_else(Default::default, |(source, asked)| (Options::encrypted(source), asked));
        let options = options.create(create).read_only(read_only).exclusive(exclusive).network(network);
        let options = options.background(background).lock_timeout(seconds("lock_timeout", lock_timeout)?);
        Ok(Self { store: detached(py, || options.open(&path))?, path, asked: Mutex::new(asked) })
    }

    // What the SDKs ask for, in columns.

    fn find_columns<'py>(&self, py: Python<'py>, partial: Columns) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let partial = partial.token();
        let found = self.run(py, |store| store.find_token(&partial))?;
        found.map(|token| columns::tuple(py, &token)).transpose()
    }

    fn columns_by_id<'py>(&self, py: Python<'py>, id: Text) -> PyResult<Bound<'py, PyTuple>> {
        let token = self.run(py, |store| store.find_token_by_id(&id))?;
        columns::tuple(py, &token)
    }

    fn save_columns<'py>(&self, py: Python<'py>, columns: Columns) -> PyResult<Bound<'py, PyTuple>> {
        let token = columns.token();
        let saved = self.run(py, |store| store.save_token(&token))?;
        columns::tuple(py, &saved)
    }

    fn all_columns<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let tokens = self.run(py, TokenStore::get_tokens)?;
        tokens.iter().map(|token| columns::tuple(py, token)).collect()
    }

    fn delete_token(&self, py: Python<'_>, id: Text) -> PyResult<()> {
        self.run(py, |store| store.delete_token(&id))
    }

    // What any program asks for, in tokens.

    fn get(&self, py: Python<'_>, column: &str, value: Text) -> PyResult<Option<Token>> {
        let key = refresh::key(column, &value)?;
        Ok(self.run(py, |store| store.get(key))?.map(Token))
    }

    fn find(&self, py: Python<'_>, partial: Token) -> PyResult<Option<Token>> {
        Ok(self.run(py, |store| store.find_token(&partial.0))?.map(Token))
    }

    fn save(&self, py: Python<'_>, token: Token) -> PyResult<Token> {
        self.run(py, |store| store.save_token(&token.0)).map(Token)
    }

    fn save_all(&self, py: Python<'_>, tokens: Vec<Token>) -> PyResult<Vec<Token>> {
        let tokens = plain(tokens);
        let saved = self.run(py, |store| store.save_tokens(&tokens))?;
        Ok(saved.into_iter().map(Token).collect())
    }

    fn compare_and_save(&self, py: Python<'_>, token: Token, revision: u64) -> PyResult<Token> {
        self.run(py, |store| store.compare_and_save(&token.0, revision)).map(Token)
    }

    fn import_all(&self, py: Python<'_>, tokens: Vec<Token>, on_clash: &str) -> PyResult<(u64, u64)> {
        let on_clash = match on_clash {
            "refuse" => OnClash::Refuse,
            "keep" => OnClash::Keep,
            "replace" => OnClash::Replace,
            "renumber" => OnClash::Renumber,
            _ => {
                return Err(PyValueError::new_err(format!(
                    "on_clash is refuse, keep, replace or renumber, not {on_clash:?}"
                )));
            }
        };
        let tokens = plain(tokens);
        let report = self.run(py, |store| store.import(&tokens, on_clash))?;
        Ok((report.imported, report.clashes))
    }

    fn delete(&self, py: Python<'_>, id: Text) -> PyResult<bool> {
        self.run(py, |store| store.delete(&id))
    }

    fn clear(&self, py: Python<'_>) -> PyResult<()> {
        self.run(py, TokenStore::delete_tokens)
    }

    fn rows(&self, py: Python<'_>) -> PyResult<Rows> {
        self.check(py)?;
        Ok(Rows::new(self.store.iter()))
    }

    fn len(&self, py: Python<'_>) -> PyResult<usize> {
        self.check(py)?;
        Ok(self.store.iter().len())
    }

    fn expiring_within(&self, py: Python<'_>, within: f64) -> PyResult<Vec<Token>> {
        let instant = SystemTime::now().checked_add(seconds("within", within)?);
        let instant = instant.ok_or_else(|| PyValueError::new_err("within: the clock does not reach so far"))?;
        Ok(self.run(py, |store| store.expiring_before(instant))?.into_iter().map(Token).collect())
    }

    fn refresh(
        &self,
        py: Python<'_>,
        column: &str,
        value: Text,
        policy: Policy,
        provider: Py<PyAny>,
    ) -> PyResult<(&'static str, Token)> {
        refuse_while_asking(&self.path)?;
        refresh::refresh(py, &self.store, refresh::key(column, &value)?, &policy, &provider)
    }

    // What whoever looks after it asks for.

    #[pyo3(signature = (expired_for, age_max, idle_max, with_refresh_token, dry_run))]
    fn sweep<'py>(
        &self,
        py: Python<'py>,
        expired_for: Option<f64>,
        age_max: Option<f64>,
        idle_max: Option<f64>,
        with_refresh_token: bool,
        dry_run: bool,
    ) -> PyResult<Bound<'py, PyDict>> {
        let time = |name, value: Option<f64>| value.map(|value| seconds(name, value)).transpose();
        let [expired_for, age_max, idle_max]: [Option<Duration>; 3] =
            [time("expired_for", expired_for)?, time("age_max", age_max)?, time("idle_max", idle_max)?];
        let policy = SweepPolicy { expired_for, age_max, idle_max, with_refresh_token, dry_run };
        let report = self.run(py, |store| store.sweep(&policy))?;
        reports::swept(py, &report)
    }

    fn compact<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let report = self.run(py, LogStore::compact)?;
        reports::compacted(py, &report)
    }

    fn purge<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let report = self.run(py, LogStore::purge)?;
        reports::compacted(py, &report)
    }

    fn rekey<'py>(&self, py: Python<'py>, key: Key) -> PyResult<Bound<'py, PyDict>> {
        let (source, asked) = key.source(py, &self.path)?;
        let report = self.run(py, |store| store.rekey(source))?;
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = asked;
        reports::compacted(py, &report)
    }

    fn backup(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        self.run(py, |store| store.backup(&path))
    }

    fn copy(&self, py: Python<'_>, path: PathBuf, key: Option<Key>) -> PyResult<()> {
        match key {
            Some(key) => {
                let (source, _) = key.source(py, &self.path)?;
                self.run(py, |store| store.copy_encrypted(&path, source))
            }
            None => self.run(py, |store| store.copy_decrypted(&path)),
        }
    }

    fn verify<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let report = self.run(py, LogStore::verify)?;
        reports::verified(py, &report)
    }

    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let stats = self.run(py, LogStore::stats)?;
        reports::stats(py, &stats)
    }

    fn open_report<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        reports::opened(py, self.store.open_report())
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.run(py, LogStore::close)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.asked.try_lock().map_or(Ok(()), |asked| asked.traverse(&visit))
    }

    fn __clear__(&self) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Handle {
    /// Runs what may wait without the interpreter lock.
    fn run<T: Send>(&self, py: Python<'_>, work: impl Send + FnOnce(&LogStore) -> Result<T, Error>) -> PyResult<T> {
        refuse_while_asking(&self.path)?;
        detached(py, || work(&self.store))
    }

    /// Whether it can be used: an iterator would say so only with its first row.
    fn check(&self, py: Python<'_>) -> PyResult<()> {
        self.run(py, |store| store.get(tokcask::Key::Id(""))).map(drop)
    }
}

impl Drop for Handle {
    /// Without the interpreter lock: the store's own thread may need it for a last question, and is waited for.
    fn drop(&mut self) {
        // A store that fails to close is closed, and nobody is there to be told. No interpreter, no lock.
        let _ = Python::try_attach(|py| py.detach(|| self.store.close()));
    }
}

fn plain(tokens: Vec<Token>) -> Vec<tokcask::Token> {
    tokens.into_iter().map(|token| token.0).collect()
}
