//! `yup-oauth2` with its tokens in the store: a login that outlives the program, and a renewal that keeps it.
//!
//! `storage` is to be copied; this file shows that it holds, with a stand-in for the provider on loopback. Beware of what
//! `yup-oauth2` writes to the `log` crate: at the level `debug` there are tokens in it.
//!
//! ```text
//! cargo run --example yup_oauth2_storage
//! ```

#[path = "../service/failure.rs"]
mod failure;
#[path = "../service/provider.rs"]
mod provider;
#[path = "../service/server.rs"]
mod server;
mod storage;

use std::future::{Future, ready};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokcask::LogStore;
use tokio::runtime::Runtime;
use yup_oauth2::authenticator::Authenticator;
use yup_oauth2::authenticator_delegate::InstalledFlowDelegate;
use yup_oauth2::{ApplicationSecret, CustomHyperClientBuilder, InstalledFlowAuthenticator, InstalledFlowReturnMethod};

use failure::{Context, Failure, Result};
use provider::{CODE_PREFIX, Provider};
use server::Server;
use storage::TokcaskStorage;

const USER: &str = "ana";
const MAIL: &[&str] = &["mail.read", "mail.send"];
const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const HOUR: Duration = Duration::from_secs(3600);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("yup_oauth2_storage: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let runtime = Runtime::new().context("starting the runtime")?;
    let provider = Server::start(&runtime, LOOPBACK, Arc::new(Provider::new(HOUR)).router())?;
    let dir = tempfile::tempdir().context("making a temporary directory")?;
    let dir = dir.path().join("tokens");
    let first = runtime.block_on(log_in(&dir, provider.address))?;
    runtime.block_on(go_on(&dir, provider.address, &first))?;
    provider.stop(&runtime)
}

/// The program's first run. Returns the access token.
async fn log_in(dir: &Path, provider: SocketAddr) -> Result<String> {
    let store = LogStore::open(dir).map(Arc::new).context("opening the store")?;
    let authenticator = authenticator(&store, provider, Browser { user: Some(USER) }).await?;
    let token = access_token(&authenticator, MAIL).await?;
    says("ana logs in, and her token is on the disk", provider::user_of(&token) == Some(USER))?;
    store.close().context("closing the store")?;
    Ok(token)
}

/// The second run, with nobody there who could log in.
async fn go_on(dir: &Path, provider: SocketAddr, first: &str) -> Result<()> {
    let store = LogStore::open(dir).map(Arc::new).context("opening the store")?;
    let authenticator = authenticator(&store, provider, Browser { user: None }).await?;
    let found = access_token(&authenticator, &["mail.send", "mail.read", "mail.send"]).await?;
    says("after a restart it is there, in whatever order the scopes are named", found == first)?;

    let other = access_token(&authenticator, &["mail.read"]).await;
    says("other scopes have no token, and nobody is there to log in", other.is_err())?;

    for round in 1..=2 {
        let renewed = authenticator.force_refreshed_token(MAIL).await.context("renewing")?;
        let renewed = renewed.token().ok_or_else(|| Failure::new("the renewal gave no access token"))?;
        says(&format!("renewal {round} has the refresh token that was last stored"), renewed != first)?;
        says("and its answer is what the next one finds", access_token(&authenticator, MAIL).await? == renewed)?;
    }
    store.close().context("closing the store")
}

async fn authenticator(
    store: &Arc<LogStore>,
    provider: SocketAddr,
    browser: Browser,
) -> Result<Authenticator<HttpConnector>> {
    let secret = ApplicationSecret {
        client_id: "fake-client".to_owned(),
        client_secret: "fake-secret".to_owned(),
        auth_uri: format!("http://{provider}/auth"),
        token_uri: format!("http://{provider}/token"),
        ..ApplicationSecret::default()
    };
    let client = Client::builder(TokioExecutor::new()).build_http();
    let client = CustomHyperClientBuilder::from(client);
    InstalledFlowAuthenticator::with_client(secret, InstalledFlowReturnMethod::Interactive, client)
        .flow_delegate(Box::new(browser))
        .with_storage(Box::new(TokcaskStorage::new(Arc::clone(store), USER)))
        .build()
        .await
        .context("making the authenticator")
}

async fn access_token(authenticator: &Authenticator<HttpConnector>, scopes: &[&str]) -> Result<String> {
    let token = authenticator.token(scopes).await.context("asking for a token")?;
    token.token().map(str::to_owned).ok_or_else(|| Failure::new("the answer has no access token"))
}

/// Somebody in front of a browser who logs in at once, or nobody: then a program that runs by itself does not wait.
struct Browser {
    user: Option<&'static str>,
}

impl InstalledFlowDelegate for Browser {
    fn present_user_url<'a>(
        &'a self,
        _url: &'a str,
        _need_code: bool,
    ) -> Pin<Box<dyn Future<Output = std::result::Result<String, String>> + Send + 'a>> {
        let code = self.user.map(|user| format!("{CODE_PREFIX}{user}"));
        Box::pin(ready(code.ok_or_else(|| "a login is needed, and nobody is there".to_owned())))
    }
}

/// Prints what happened, if it did.
fn says(what: &str, holds: bool) -> Result<()> {
    if !holds {
        return Err(Failure::new(format!("it does not hold that {what}")));
    }
    writeln!(io::stdout(), "{what}").context("printing")
}
