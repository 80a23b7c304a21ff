//! The `oauth2` crate on top of the store: a login, and refreshes that many want at once.
//!
//! `convert` and `renew` are to be copied; this file shows that they hold. The provider is a stand-in on loopback that is
//! as strict as real ones: a refresh token that comes a second time ends the login.
//!
//! ```text
//! cargo run --example oauth2_client
//! ```

mod convert;
#[path = "../service/failure.rs"]
mod failure;
#[path = "../service/provider.rs"]
mod provider;
mod renew;
#[path = "../service/server.rs"]
mod server;

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use oauth2::basic::BasicClient;
use oauth2::{AuthorizationCode, ClientId, ClientSecret, RefreshToken, TokenResponse, TokenUrl};
use tokcask::{Key, LogStore, RefreshPolicy, Refreshed, Secret, Token, TokenStore};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use ureq::Agent;

use failure::{Context, Failure, Result};
use provider::{CODE_PREFIX, Provider};
use renew::Client;
use server::Server;

const USER: &str = "ana";
const WORKERS: usize = 8;
const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const HOUR: Duration = Duration::from_secs(3600);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("oauth2_client: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let runtime = Runtime::new().context("starting the runtime")?;
    let provider = Server::start(&runtime, LOOPBACK, Arc::new(Provider::new(HOUR)).router())?;
    let token_url = TokenUrl::new(format!("http://{}/token", provider.address)).context("the provider's address")?;
    let client = BasicClient::new(ClientId::new("fake-client".to_owned()))
        .set_client_secret(ClientSecret::new("fake-secret".to_owned()))
        .set_token_uri(token_url);
    let agent = renew::agent();
    let dir = tempfile::tempdir().context("making a temporary directory")?;
    let store = LogStore::open(dir.path().join("tokens")).map(Arc::new).context("opening the store")?;

    let first = log_in(&store, &client, &agent)?;
    says("ana has logged in, and her row is on the disk", provider::user_of(access_token(&first)) == Some(USER))?;

    let results = on_threads(&store, &client, &agent, refused(&first))?;
    says("8 threads want another access token: one asks the provider, all have its answer", is_one_call(&results))?;
    let second = row(&store)?;
    says("the row has the answer, and a new refresh token", second.refresh_token() != first.refresh_token())?;

    let results = runtime.block_on(as_tasks(&store, &client, &agent, refused(&second)))?;
    says("8 tasks do: the same", is_one_call(&results))?;

    let third = row(&store)?;
    let response = convert::to_response(&third, SystemTime::now()).ok_or_else(|| Failure::new("no access token"))?;
    let is_good = response.expires_in().is_some_and(|left| !left.is_zero() && left <= HOUR);
    says("the row is a response of the crate again, good for an hour at most", is_good)?;

    // What happens to programs that each refresh on their own: the token is spent, and somebody still has it.
    let spent = first.refresh_token().map(|secret| RefreshToken::new(secret.expose_secret().to_owned()));
    let spent = spent.ok_or_else(|| Failure::new("the login gave no refresh token"))?;
    let answer = client.exchange_refresh_token(&spent).request(&|request| renew::send(&agent, request));
    says("somebody spends the first refresh token again, and the provider refuses", answer.is_err())?;
    let ended = renew::renewed(&store, &client, &agent, USER, refused(&third));
    says("the login has ended, and ana has to log in again", ended.is_err_and(|e| renew::login_has_ended(&e)))?;

    store.close().context("closing the store")?;
    provider.stop(&runtime)
}

/// Trades the code that a browser brought back for tokens, and saves them under the user's name.
fn log_in(store: &LogStore, client: &Client, agent: &Agent) -> Result<Token> {
    let asked_at = SystemTime::now();
    let code = AuthorizationCode::new(format!("{CODE_PREFIX}{USER}"));
    let answer = client.exchange_code(code).request(&|request| renew::send(agent, request)).context("logging in")?;
    let token = convert::to_token(&answer, asked_at).ok_or_else(|| Failure::new("logging in: no access token"))?;
    store.save_token(&token.to_builder().user_name(USER).build()).context("saving the login")
}

/// The policy of a caller whom the API has just answered 401: the row is not fresh, whatever its expiry says.
fn refused(row: &Token) -> RefreshPolicy {
    RefreshPolicy { rejected: row.revision(), ..RefreshPolicy::new() }
}

fn on_threads(store: &LogStore, client: &Client, agent: &Agent, policy: RefreshPolicy) -> Result<Vec<Refreshed>> {
    thread::scope(|scope| {
        let want = || renew::renewed(store, client, agent, USER, policy).context("renewing");
        let threads: Vec<_> = (0..WORKERS).map(|_| scope.spawn(want)).collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| Failure::new("a thread panicked"))?).collect()
    })
}

async fn as_tasks(
    store: &Arc<LogStore>,
    client: &Client,
    agent: &Agent,
    policy: RefreshPolicy,
) -> Result<Vec<Refreshed>> {
    let mut tasks = JoinSet::new();
    for _ in 0..WORKERS {
        let (store, client, agent) = (Arc::clone(store), client.clone(), agent.clone());
        tasks.spawn(async move { renew::renewed_async(&store, client, agent, USER, policy).await });
    }
    let mut results = Vec::new();
    while let Some(joined) = tasks.join_next().await {
        results.push(joined.context("a task")?.context("renewing")?);
    }
    Ok(results)
}

/// Whether one of these asked the provider, and all have the same access token.
fn is_one_call(results: &[Refreshed]) -> bool {
    let asked = results.iter().filter(|refreshed| matches!(refreshed, Refreshed::ByUs(_))).count();
    let same = results.windows(2).all(|pair| pair[0].token().access_token() == pair[1].token().access_token());
    results.len() == WORKERS && asked == 1 && same
}

fn row(store: &LogStore) -> Result<Token> {
    let found = store.get(Key::UserName(USER)).context("finding the row")?;
    found.ok_or_else(|| Failure::new("ana has no row"))
}

fn access_token(token: &Token) -> &str {
    token.access_token().map(Secret::expose_secret).unwrap_or_default()
}

/// Prints what happened, if it did.
fn says(what: &str, holds: bool) -> Result<()> {
    if !holds {
        return Err(Failure::new(format!("it does not hold that {what}")));
    }
    writeln!(io::stdout(), "{what}").context("printing")
}
