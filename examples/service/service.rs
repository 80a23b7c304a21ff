//! The service as a whole: the store's tokens behind HTTP, with the provider that it stands on.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokcask::LogStore;
use tokio::runtime::Runtime;

use crate::failure::{Context, Result};
use crate::oauth::OAuthClient;
use crate::provider::Provider;
use crate::routes;
use crate::server::Server;
use crate::tokens::Tokens;

/// A free port of this machine alone.
pub(crate) const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

pub(crate) struct Service {
    provider: Server,
    server: Server,
}

impl Service {
    /// Serves the store's tokens on `address`. The provider's access tokens last for `lifetime`.
    pub(crate) fn start(
        runtime: &Runtime,
        store: Arc<LogStore>,
        address: SocketAddr,
        lifetime: Duration,
    ) -> Result<Self> {
        let provider = Arc::new(Provider::new(lifetime));
        for token in store.iter() {
            let token = token.context("reading the store")?;
            if let (Some(refresh_token), Some(user)) = (token.refresh_token(), token.user_name()) {
                provider.has_granted(refresh_token.expose_secret(), user);
            }
        }
        let provider = Server::start(runtime, LOOPBACK, provider.router())?;
        let tokens = Arc::new(Tokens::new(store, OAuthClient::new(provider.address)));
        let server = Server::start(runtime, address, routes::router(tokens))?;
        Ok(Self { provider, server })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// Answers what is under way and returns; the store is nobody's any more but the caller's.
    pub(crate) fn stop(self, runtime: &Runtime) -> Result<()> {
        self.server.stop(runtime)?;
        self.provider.stop(runtime)
    }
}
