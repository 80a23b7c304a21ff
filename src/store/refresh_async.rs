//! Refreshing from a tokio runtime: no thread is held while somebody else, or the provider, is waited for.

use std::future::Future;
use std::panic;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::oneshot;
use tokio::time;

use super::log_store::KeptOpen;
use super::refresh::Looked;
use crate::engine::Engine;
use crate::engine::attempt::{Attempt, Step, Wait};
use crate::engine::refresh::{Failure, Leased};
use crate::error::Error;
use crate::refresh::{RefreshError, RefreshPolicy, Refreshed};
use crate::store::{Key, LogStore};
use crate::token::Token;

impl LogStore {
    /// [`refresh`](Self::refresh) for callers on a tokio runtime with time enabled. Needs the feature `tokio`.
    ///
    /// The future may be dropped at any point, by a `select!` or a time limit say: before the lease was granted, nothing has
    /// happened; afterwards the provider's future goes on as a task of the runtime, and its answer is saved, on a thread of
    /// its own, as if somebody had waited. (What could not be saved then is kept as [`RefreshError::SaveFailed`] says.) So
    /// give `provider` a time limit of its own, and do not [close](Self::close) the handle meanwhile (dropping it is fine: it
    /// stays open for the task). Poll it or drop it: one that is kept and not polled may keep others waiting for the lease. Only
    /// a future that ends is counted in [`Activity::refreshes`](crate::Activity::refreshes). A runtime that is shut down drops the task: that is as if the process had died.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let store = tokcask::LogStore::open(dir.path().join("tokens"))?;
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    /// use tokcask::{Key, RefreshPolicy, Token, TokenStore};
    ///
    /// store.save_token(&Token::builder().user_name("ana").refresh_token("fake-1").build())?;
    /// let refreshed = runtime.block_on(store.refresh_async(Key::UserName("ana"), RefreshPolicy::new(), |_current| async {
    ///     // Here the provider is asked.
    ///     let answer = Token::builder().access_token("fake-access").expiry_time("4102444800000");
    ///     Ok::<_, std::io::Error>(answer.build())
    /// }))?;
    /// assert!(refreshed.token().access_token().is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`refresh`](Self::refresh); `Closed` if the runtime is being shut down.
    ///
    /// # Panics
    /// Outside a tokio runtime, and if `provider` does.
    pub async fn refresh_async<E, F>(
        &self,
        key: Key<'_>,
        policy: RefreshPolicy,
        provider: impl FnOnce(Token) -> F + Send + 'static,
    ) -> Result<Refreshed, RefreshError<E>>
    where
        E: Send + 'static,
        F: Future<Output = Result<Token, E>> + Send + 'static,
    {
        let outcome = match self.look(key, &policy) {
            Ok(Looked::Stale(row)) => self.refresh_stale(row, policy, provider).await,
            Ok(Looked::Fresh(row)) => Ok(Refreshed::Fresh(row)),
            Err(error) => Err(error),
        };
        self.engine.count_refresh(&outcome);
        outcome
    }

    async fn refresh_stale<E, F>(
        &self,
        row: Token,
        policy: RefreshPolicy,
        provider: impl FnOnce(Token) -> F + Send + 'static,
    ) -> Result<Refreshed, RefreshError<E>>
    where
        E: Send + 'static,
        F: Future<Output = Result<Token, E>> + Send + 'static,
    {
        let attempt = Attempt::new(self.engine.clone(), row, policy)?;
        let leased = match self.take_lease(attempt).await.map_err(Failure::widen)? {
            Ok(leased) => leased,
            Err(refreshed) => return Ok(refreshed),
        };
        let task = tokio::spawn(ask_and_save(self.open.clone(), leased, provider));
        match task.await {
            Ok(refreshed) => refreshed,
            Err(error) => match error.try_into_panic() {
                Ok(payload) => panic::resume_unwind(payload),
                Err(_) => Err(Error::Closed.into()),
            },
        }
    }

    /// The lease, or a row that needs none any more.
    async fn take_lease(&self, mut attempt: Attempt) -> Result<Result<Leased, Refreshed>, Failure> {
        let all = attempt.leases();
        loop {
            // Before the step: nothing that is let go from here on is missed.
            let mut freed = pin!(all.freed());
            freed.as_mut().enable();
            match attempt.step()? {
                Step::Settled(refreshed) => return Ok(Err(refreshed)),
                Step::Leased(leased) => return Ok(Ok(leased)),
                Step::MakeRoom => {
                    let made = on_a_thread(&self.open, move |_| attempt.make_room().map(|()| attempt)).await?;
                    attempt = made?;
                }
                Step::Unsaved(unsaved) => on_a_thread(&self.open, move |engine| engine.save_again(unsaved)).await??,
                Step::Wait(Wait::Thread(_, time)) => drop(time::timeout(time, freed).await),
                Step::Wait(Wait::Process(time)) => time::sleep(time).await,
            }
        }
    }
}

/// What nobody may interrupt once it has begun.
async fn ask_and_save<E, F>(
    open: Arc<KeptOpen>,
    leased: Leased,
    provider: impl FnOnce(Token) -> F,
) -> Result<Refreshed, RefreshError<E>>
where
    F: Future<Output = Result<Token, E>>,
{
    let start = open.engine().clock();
    let said = provider(leased.current().clone()).await;
    open.engine().provider_took(start);
    match said {
        Ok(answer) => {
            on_a_thread(&open, move |engine| engine.save_answer(leased, answer)).await?.map_err(Failure::widen)
        }
        Err(error) => open.engine().provider_failed(leased).ok_or(RefreshError::Provider(error)),
    }
}

/// Does what waits for the disk on a thread of its own, not one of the runtime's: those may be told to end.
async fn on_a_thread<R: Send + 'static>(
    open: &Arc<KeptOpen>,
    work: impl FnOnce(&Engine) -> R + Send + 'static,
) -> Result<R, Error> {
    let (done, result) = oneshot::channel();
    // Kept here too: without a thread to be had it is done by us, for it may hold the only copy of an answer.
    let work = Arc::new(Mutex::new(Some(work)));
    let spawned = thread::Builder::new().name("tokcask-refresh".into()).spawn({
        let (open, work) = (open.clone(), work.clone());
        move || {
            if let Some(work) = take(&work) {
                // Whoever asked may have gone; the work is done all the same.
                let _ = done.send(work(open.engine()));
            }
        }
    });
    if spawned.is_err()
        && let Some(work) = take(&work)
    {
        return Ok(work(open.engine()));
    }
    // Nothing comes only if the work has panicked.
    result.await.map_err(|_| Error::Closed)
}

fn take<T>(work: &Mutex<Option<T>>) -> Option<T> {
    work.lock().unwrap_or_else(PoisonError::into_inner).take()
}
