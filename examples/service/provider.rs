//! A stand-in for an OAuth provider: grants logins and renews access tokens, on loopback, in memory.
//!
//! It is as strict as providers have become: each refresh token is good once, and one that comes a second time ends the
//! login. An access token names its user, so that whoever gets one can see that it is not somebody else's. Left out:
//! clients, consent, revocation, and a real provider's limits on how often it may be asked.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Form, Json, Router};
use serde_json::{Value, json};

/// What a browser brings back from the provider's page, before the user's name.
pub(crate) const CODE_PREFIX: &str = "fake-code/";

pub(crate) struct Provider {
    /// How long an access token lasts.
    lifetime: Duration,
    refresh_tokens: Mutex<HashMap<String, RefreshToken>>,
    issued: AtomicU64,
}

struct RefreshToken {
    user: String,
    is_spent: bool,
}

impl Provider {
    pub(crate) fn new(lifetime: Duration) -> Self {
        Self { lifetime, refresh_tokens: Mutex::default(), issued: AtomicU64::default() }
    }

    /// Makes known a refresh token that was granted before this program began.
    pub(crate) fn has_granted(&self, refresh_token: &str, user: &str) {
        let granted = RefreshToken { user: user.to_owned(), is_spent: false };
        let mut refresh_tokens = self.refresh_tokens.lock().unwrap_or_else(PoisonError::into_inner);
        refresh_tokens.insert(refresh_token.to_owned(), granted);
    }

    pub(crate) fn router(self: Arc<Self>) -> Router {
        Router::new().route("/token", post(token)).with_state(self)
    }

    fn refresh(&self, refresh_token: &str) -> Option<Value> {
        let mut refresh_tokens = self.refresh_tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let found = refresh_tokens.get_mut(refresh_token)?;
        let user = found.user.clone();
        if std::mem::replace(&mut found.is_spent, true) {
            // One of the two who have it is a thief, and nobody can tell which (RFC 9700, 4.14.2).
            refresh_tokens.retain(|_, other| other.user != user);
            return None;
        }
        drop(refresh_tokens);
        Some(self.grant(&user))
    }

    fn log_in(&self, code: &str) -> Option<Value> {
        code.strip_prefix(CODE_PREFIX).map(|user| self.grant(user))
    }

    fn grant(&self, user: &str) -> Value {
        let serial = self.issued.fetch_add(1, Ordering::Relaxed);
        let refresh_token = format!("fake-refresh/{serial}/{user}");
        self.has_granted(&refresh_token, user);
        json!({
            "access_token": format!("fake-access/{serial}/{user}"),
            "refresh_token": refresh_token,
            "expires_in": self.lifetime.as_secs(),
            "token_type": "bearer",
        })
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
