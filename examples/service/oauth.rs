//! The service's side of OAuth: two requests to the provider. Keeps nothing, and blocks for the answer.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use ureq::Agent;
use ureq::http::StatusCode;

use crate::clients;
use crate::provider::CODE_PREFIX;
use crate::tokens::expiry_time;

/// Shorter than others wait for a refresh of the same token: they are to see how it ended.
const PROVIDER_TIMEOUT: Duration = Duration::from_secs(20);

pub(crate) struct OAuthClient {
    agent: Agent,
    url: String,
}

impl OAuthClient {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { agent: clients::agent(PROVIDER_TIMEOUT), url: format!("http://{address}/token") }
    }

    /// `None` if the provider does not know the refresh token.
    pub(crate) fn refresh(&self, refresh_token: &str) -> Result<Option<Grant>, ureq::Error> {
        self.ask([("grant_type", "refresh_token"), ("refresh_token", refresh_token)])
    }

    /// `None` if the provider refuses the login.
    pub(crate) fn log_in(&self, user: &str) -> Result<Option<Grant>, ureq::Error> {
        self.ask([("grant_type", "authorization_code"), ("code", &format!("{CODE_PREFIX}{user}"))])
    }

    fn ask(&self, form: [(&str, &str); 2]) -> Result<Option<Grant>, ureq::Error> {
        // Counted from the answer, the token would seem to last longer than it does.
        let asked_at = SystemTime::now();
        let mut response = self.agent.post(&self.url).send_form(form)?;
        match response.status() {
            StatusCode::OK => grant(&response.body_mut().read_json()?, asked_at).map(Some),
            StatusCode::BAD_REQUEST if response.body_mut().read_json::<Value>()?["error"] == "invalid_grant" => {
                Ok(None)
            }
            other => Err(ureq::Error::StatusCode(other.as_u16())),
        }
    }
}

/// What the provider grants.
pub(crate) struct Grant {
    pub(crate) access_token: String,
    /// Not all providers give a new one when they renew; then the old one stays good.
    pub(crate) refresh_token: Option<String>,
    /// Empty if the provider does not say.
    pub(crate) expiry_time: String,
}

fn grant(answer: &Value, asked_at: SystemTime) -> Result<Grant, ureq::Error> {
    let text = |name: &str| answer[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let lifetime = answer["expires_in"].as_u64().map(Duration::from_secs);
    Ok(Grant {
        access_token: text("access_token").ok_or_else(|| ureq::Error::Other("no access token was granted".into()))?,
        refresh_token: text("refresh_token"),
        expiry_time: lifetime.map(|lifetime| expiry_time(asked_at, lifetime)).unwrap_or_default(),
    })
}
