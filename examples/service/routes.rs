//! The service's HTTP face: requests to calls of `Tokens`, and their results to statuses and JSON.
//!
//! Left out: knowing who is calling. It hands out access tokens, so it is for loopback or behind something that does.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokcask::{ErrorKind, Secret, Token};

use crate::tokens::{TokenError, Tokens, blocking};

pub(crate) fn router(tokens: Arc<Tokens>) -> Router {
    Router::new()
        .route("/login", post(log_in))
        .route("/tokens", post(save))
        .route("/token/{name}", get(fresh_token).delete(delete))
        .route("/stats", get(stats))
        .with_state(tokens)
}

enum Refusal {
    BadRequest(&'static str),
    NotFound,
    Failed(TokenError),
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        Self::Failed(error)
    }
}

async fn log_in(State(tokens): State<Arc<Tokens>>, Json(body): Json<Value>) -> Result<Json<Value>, Refusal> {
    let user = body["user"].as_str().filter(|user| !user.is_empty()).ok_or(Refusal::BadRequest("user is missing"))?;
    let user = user.to_owned();
    let token = blocking(tokens, move |tokens| tokens.log_in(&user)).await?;
    Ok(Json(json!({ "id": token.id() })))
}

async fn fresh_token(State(tokens): State<Arc<Tokens>>, Path(user): Path<String>) -> Result<Json<Value>, Refusal> {
    let token = tokens.fresh(&user).await?.ok_or(Refusal::NotFound)?;
    Ok(Json(json!({
        "id": token.id(),
        "user_name": token.user_name(),
        "access_token": token.access_token().map(Secret::expose_secret),
        "expiry_time": token.expiry_time(),
        "api_domain": token.api_domain(),
    })))
}

async fn save(State(tokens): State<Arc<Tokens>>, Json(body): Json<Value>) -> Result<Json<Value>, Refusal> {
    let token = token_of(&body)?;
    let saved = blocking(tokens, move |tokens| tokens.save(&token)).await?;
    Ok(Json(json!({ "id": saved.id() })))
}

async fn delete(State(tokens): State<Arc<Tokens>>, Path(id): Path<String>) -> Result<StatusCode, Refusal> {
    let deleted = blocking(tokens, move |tokens| tokens.delete(&id)).await?;
    if deleted { Ok(StatusCode::NO_CONTENT) } else { Err(Refusal::NotFound) }
}

async fn stats(State(tokens): State<Arc<Tokens>>) -> Result<Json<Value>, Refusal> {
    let stats = blocking(tokens, Tokens::stats).await?;
    let activity = &stats.activity;
    Ok(Json(json!({
        "tokens": stats.tokens,
        "log_bytes": stats.log_bytes,
        "live_bytes": stats.live_bytes,
        "dead_bytes": stats.dead_bytes,
        "finds": activity.finds,
        "writes": activity.writes,
        "refreshes": activity.refreshes.by_us,
        "provider_calls": activity.provider_time.count(),
    })))
}

/// A token from the columns by name; other names become extra values. JSON's null leaves a column as it is stored.
fn token_of(body: &Value) -> Result<Token, Refusal> {
    let object = body.as_object().ok_or(Refusal::BadRequest("a token is a JSON object"))?;
    let mut builder = Token::builder();
    for (name, value) in object.iter().filter(|(_, value)| !value.is_null()) {
        let value = value.as_str().ok_or(Refusal::BadRequest("every value of a token is text"))?;
        builder = match name.as_str() {
            "id" => builder.id(value),
            "user_name" => builder.user_name(value),
            "client_id" => builder.client_id(value),
            "client_secret" => builder.client_secret(value),
            "refresh_token" => builder.refresh_token(value),
            "access_token" => builder.access_token(value),
            "grant_token" => builder.grant_token(value),
            "expiry_time" => builder.expiry_time(value),
            "redirect_url" => builder.redirect_url(value),
            "api_domain" => builder.api_domain(value),
            other => builder.extra(other, value),
        };
    }
    Ok(builder.build())
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, message) = match self {
            Self::BadRequest(message) => (StatusCode::BAD_REQUEST, message.to_owned()),
            Self::NotFound => (StatusCode::NOT_FOUND, "no such token".to_owned()),
            Self::Failed(error) => (status_of(&error), error.to_string()),
        };
        if status.is_server_error() {
            // The caller need not know the paths that an error may name.
            eprintln!("service: {message}");
            return (status, Json(json!({ "error": "the service failed" }))).into_response();
        }
        (status, Json(json!({ "error": message }))).into_response()
    }
}

fn status_of(error: &TokenError) -> StatusCode {
    match error {
        TokenError::LoginNeeded => StatusCode::CONFLICT,
        TokenError::Provider(_) => StatusCode::BAD_GATEWAY,
        TokenError::TryAgain(_) => StatusCode::SERVICE_UNAVAILABLE,
        TokenError::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
        TokenError::Store(error) => match error.kind() {
            ErrorKind::TooLittle | ErrorKind::EmptyId => StatusCode::BAD_REQUEST,
            ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorKind::NoSpace => StatusCode::INSUFFICIENT_STORAGE,
            ErrorKind::OutcomeUnknown | ErrorKind::Poisoned | ErrorKind::Closed => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        },
    }
}
