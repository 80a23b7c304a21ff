//! An HTTP server on a runtime, started and stopped from a thread outside.

use std::future::IntoFuture;
use std::io;
use std::net::SocketAddr;

use axum::Router;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::failure::{Context, Result};

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<io::Result<()>>,
}

impl Server {
    /// Serves `router` on `address`; port 0 takes a free one.
    pub(crate) fn start(runtime: &Runtime, address: SocketAddr, router: Router) -> Result<Self> {
        let (stop, stopped) = oneshot::channel::<()>();
        let listener = runtime.block_on(TcpListener::bind(address)).context(format!("listening on {address}"))?;
        let address = listener.local_addr().context("asking for the port")?;
        // A sender that is gone stops the server as well.
        let stopped = async { drop(stopped.await) };
        let task = runtime.spawn(axum::serve(listener, router).with_graceful_shutdown(stopped).into_future());
        Ok(Self { address, stop, task })
    }

    /// Takes no more requests, answers those that are under way, and returns.
    pub(crate) fn stop(self, runtime: &Runtime) -> Result<()> {
        drop(self.stop);
        runtime.block_on(self.task).context("the server's task")?.context("serving")
    }
}
