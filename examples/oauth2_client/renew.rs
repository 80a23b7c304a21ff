//! The `oauth2` crate's refresh inside the store's: one request, however many threads and processes want the token.

use std::time::{Duration, SystemTime};

use oauth2::basic::{BasicClient, BasicErrorResponse, BasicErrorResponseType};
use oauth2::{EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, RefreshToken, RequestTokenError};
use tokcask::{Key, LogStore, RefreshError, RefreshPolicy, Refreshed, Token};
use ureq::Agent;

use crate::convert::to_token;

/// A client that knows where to ask for tokens. One that logs people in has an authorization URL besides.
pub(crate) type Client = BasicClient<EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// What may go wrong between us and the provider: the crate's own error, passed through the store as it is.
///
/// Print it with `{}` and never with `{:?}`: an answer that could not be read is in there as it came, tokens and all.
pub(crate) type AskError = RequestTokenError<ureq::Error, BasicErrorResponse>;

/// Less than [`RefreshPolicy::wait_max`], so that those who wait for the one who asks see how it ended.
const PROVIDER_TIMEOUT: Duration = Duration::from_secs(20);

/// The user's token, good according to the policy; the provider is asked only if the stored one is not.
pub(crate) fn renewed(
    store: &LogStore,
    client: &Client,
    agent: &Agent,
    user: &str,
    policy: RefreshPolicy,
) -> Result<Refreshed, RefreshError<AskError>> {
    store.refresh(Key::UserName(user), policy, |current| {
        let refresh_token = refresh_token_of(current)?;
        let asked_at = SystemTime::now();
        let answer = client.exchange_refresh_token(&refresh_token).request(&|request| send(agent, request))?;
        to_token(&answer, asked_at).ok_or_else(no_access_token)
    })
}

/// The same on a tokio runtime. The request goes on even if this future is dropped, so it owns what it needs.
pub(crate) async fn renewed_async(
    store: &LogStore,
    client: Client,
    agent: Agent,
    user: &str,
    policy: RefreshPolicy,
) -> Result<Refreshed, RefreshError<AskError>> {
    let ask = move |current: Token| async move {
        let refresh_token = refresh_token_of(&current)?;
        let asked_at = SystemTime::now();
        let send = |request| send_async(agent.clone(), request);
        let answer = client.exchange_refresh_token(&refresh_token).request_async(&send).await?;
        to_token(&answer, asked_at).ok_or_else(no_access_token)
    };
    store.refresh_async(Key::UserName(user), policy, ask).await
}

/// Whether only the user can help: by logging in again. Anything else may be over in a moment.
pub(crate) fn login_has_ended(error: &RefreshError<AskError>) -> bool {
    let RefreshError::Provider(RequestTokenError::ServerResponse(answer)) = error else { return false };
    *answer.error() == BasicErrorResponseType::InvalidGrant
}

/// What requests are sent with. Of `ureq` or any other client these settings matter.
pub(crate) fn agent() -> Agent {
    let config = Agent::config_builder()
        .proxy(None) // the provider of this example is on loopback
        .http_status_as_error(false) // a refusal says why in its body
        .max_redirects(0) // nobody but the provider is to see the tokens
        .timeout_global(Some(PROVIDER_TIMEOUT)); // the token is nobody's to refresh meanwhile
    config.build().into()
}

/// Sends a request of the crate. Its feature `reqwest` has this ready-made for that client, and a TLS stack with it.
pub(crate) fn send(agent: &Agent, request: HttpRequest) -> Result<HttpResponse, ureq::Error> {
    let (parts, mut body) = agent.run(request)?.into_parts();
    Ok(HttpResponse::from_parts(parts, body.read_to_vec()?))
}

/// A client that blocks, used beside the threads of the runtime. One that is async itself stands here in its own right.
async fn send_async(agent: Agent, request: HttpRequest) -> Result<HttpResponse, ureq::Error> {
    let sent = tokio::task::spawn_blocking(move || send(&agent, request)).await;
    sent.unwrap_or_else(|panicked| Err(ureq::Error::Other(panicked.into())))
}

fn refresh_token_of(current: &Token) -> Result<RefreshToken, AskError> {
    let secret = current.refresh_token().ok_or_else(|| AskError::Other("the row has no refresh token".to_owned()))?;
    Ok(RefreshToken::new(secret.expose_secret().to_owned()))
}

fn no_access_token() -> AskError {
    AskError::Other("the provider's answer has no access token".to_owned())
}
