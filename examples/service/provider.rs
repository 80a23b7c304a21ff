//! A stand-in for an OAuth provider: grants logins and renews access tokens, on loopback, in memory.
//!
//! An access token names its user, so that whoever gets one can see that it is not somebody else's. Left out: clients,
//! consent, revocation, and a real provider's limits on how often it may be asked.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Form, Json, Router};
use serde_json::{Value, json};

/// How long an access token lasts: short, so that a run of some seconds sees them expire.
const LIFETIME_SECONDS: u64 = 1;
/// What a browser brings back from the provider's page, before the user's name.
pub(crate) const CODE_PREFIX: &str = "fake-code/";

#[derive(Default)]
pub(crate) struct Provider {
    users_by_refresh_token: Mutex<HashMap<String, String>>,
    issued: AtomicU64,
}

impl Provider {
    /// Makes known a refresh token that was granted before this program began.
    pub(crate) fn has_granted(&self, refresh_token: &str, user: &str) {
        let mut users = self.users_by_refresh_token.lock().unwrap_or_else(PoisonError::into_inner);
        users.insert(refresh_token.to_owned(), user.to_owned());
    }

    pub(crate) fn router(self: Arc<Self>) -> Router {
        Router::new().route("/token", post(token)).with_state(self)
    }

    fn refresh(&self, refresh_token: &str) -> Option<Value> {
        let users = self.users_by_refresh_token.lock().unwrap_or_else(PoisonError::into_inner);
        let user = users.get(refresh_token)?;
        Some(json!({ "access_token": self.access_token(user), "expires_in": LIFETIME_SECONDS }))
    }

    fn log_in(&self, code: &str) -> Option<Value> {
        let user = code.strip_prefix(CODE_PREFIX)?;
        let refresh_token = format!("fake-refresh/{}/{user}", self.serial());
        self.has_granted(&refresh_token, user);
        let access_token = self.access_token(user);
        Some(json!({
            "access_token": access_token,
            "refresh_token": refresh_token,
            "expires_in": LIFETIME_SECONDS,
        }))
    }

    fn access_token(&self, user: &str) -> String {
        format!("fake-access/{}/{user}", self.serial())
    }

    fn serial(&self) -> u64 {
        self.issued.fetch_add(1, Ordering::Relaxed)
    }
}

/// Whom an access token of this provider is for.
pub(crate) fn user_of(access_token: &str) -> Option<&str> {
    access_token.strip_prefix("fake-access/")?.split_once('/').map(|(_, user)| user)
}

async fn token(
    State(provider): State<Arc<Provider>>,
    Form(form): Form<HashMap<String, String>>,
) -> (StatusCode, Json<Value>) {
    let field = |name| form.get(name).map_or("", String::as_str);
    let answer = match field("grant_type") {
        "refresh_token" => provider.refresh(field("refresh_token")),
        "authorization_code" => provider.log_in(field("code")),
        _ => None,
    };
    match answer {
        Some(answer) => (StatusCode::OK, Json(answer)),
        None => (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" }))),
    }
}
