//! The service's side of OAuth: two requests to the provider. Keeps nothing, and blocks for the answer.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use ureq::Agent;
use ureq::http::StatusCode;

use crate::provider::CODE_PREFIX;

pub(crate) struct OAuthClient {
    agent: Agent,
    url: String,
}

impl OAuthClient {
    pub(crate) fn new(agent: Agent, address: SocketAddr) -> Self {
        Self { agent, url: format!("http://{address}/token") }
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
        let mut response = self.agent.post(&self.url).send_form(form)?;
        match response.status() {
            StatusCode::OK => Ok(grant(&response.body_mut().read_json()?)),
            StatusCode::BAD_REQUEST => Ok(None),
            other => Err(ureq::Error::StatusCode(other.as_u16())),
        }
    }
}

/// What the provider grants.
pub(crate) struct Grant {
    pub(crate) access_token: String,
    /// Only for a login; a renewal goes on with the one that there is.
    pub(crate) refresh_token: Option<String>,
    pub(crate) lifetime: Duration,
}

fn grant(answer: &Value) -> Option<Grant> {
    Some(Grant {
        access_token: answer["access_token"].as_str()?.to_owned(),
        refresh_token: answer["refresh_token"].as_str().map(str::to_owned),
        lifetime: Duration::from_secs(answer["expires_in"].as_u64()?),
    })
}
