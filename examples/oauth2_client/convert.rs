//! Between the `oauth2` crate's token response and a [`Token`]. No I/O, and no clock but the instants that are handed in.
//!
//! Left out: fields that only some providers have, an ID token say. They are `extra` values as well, from `extra_fields()`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oauth2::basic::{BasicTokenResponse, BasicTokenType};
use oauth2::{AccessToken, EmptyExtraTokenFields, RefreshToken, Scope, TokenResponse};
use tokcask::Token;

/// The extra values, named as in a provider's answer.
const SCOPE: &str = "scope";
const TOKEN_TYPE: &str = "token_type";

/// What a provider answered, as a change of the row that it is for; who saves it adds whose row that is.
///
/// `asked_at` is the moment before the request: counted from the answer, the token would seem to last longer than it does.
/// `None` if there is no access token in the answer, which would otherwise empty the row's.
pub(crate) fn to_token<R>(answer: &R, asked_at: SystemTime) -> Option<Token>
where
    R: TokenResponse,
    R::TokenType: AsRef<str>,
{
    let access_token = filled(answer.access_token().secret())?;
    // Empty and not absent if there is none: a save then clears the end of the access token before.
    let expiry_time = answer.expires_in().map(|lifetime| expiry_time(asked_at, lifetime)).unwrap_or_default();
    let token = Token::builder().access_token(access_token).expiry_time(expiry_time);
    let mut token = token.extra(TOKEN_TYPE, answer.token_type().as_ref());
    // Absent if there is none: a provider that leaves these out means that they are as before.
    if let Some(refresh_token) = answer.refresh_token().and_then(|token| filled(token.secret())) {
        token = token.refresh_token(refresh_token);
    }
    let scopes: Vec<&str> = answer.scopes().into_iter().flatten().filter_map(|scope| filled(scope)).collect();
    if !scopes.is_empty() {
        token = token.extra(SCOPE, scopes.join(" "));
    }
    Some(token.build())
}

/// The row as the crate's response, with the time that is left at `now` as `expires_in`; zero if that is over.
///
/// `None` if there is no access token in the row.
pub(crate) fn to_response(token: &Token, now: SystemTime) -> Option<BasicTokenResponse> {
    let access_token = AccessToken::new(filled(token.access_token()?.expose_secret())?.to_owned());
    let token_type = token_type(token.extra().get(TOKEN_TYPE));
    let mut response = BasicTokenResponse::new(access_token, token_type, EmptyExtraTokenFields {});
    response.set_expires_in(time_left(token, now).as_ref());
    let refresh_token = token.refresh_token().and_then(|secret| filled(secret.expose_secret()));
    response.set_refresh_token(refresh_token.map(|secret| RefreshToken::new(secret.to_owned())));
    let scopes = token.extra().get(SCOPE).map(|scopes| scopes.split(' ').filter_map(filled));
    response.set_scopes(scopes.map(|scopes| scopes.map(|scope| Scope::new(scope.to_owned())).collect()));
    Some(response)
}

fn filled(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// Decimal milliseconds since 1970. A provider may name any number of seconds, so the sum may not overflow.
fn expiry_time(asked_at: SystemTime, lifetime: Duration) -> String {
    let since_1970 = asked_at.duration_since(UNIX_EPOCH).unwrap_or_default().saturating_add(lifetime);
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX).to_string()
}

/// `None` if the row names no end. An end that cannot be read is over: without one the token would seem to last for ever.
fn time_left(token: &Token, now: SystemTime) -> Option<Duration> {
    filled(token.expiry_time()?)?;
    Some(token.expires_at().and_then(|end| end.duration_since(now).ok()).unwrap_or_default())
}

/// Every provider of OAuth 2 today gives bearer tokens, so a row that does not say has one.
fn token_type(text: Option<&str>) -> BasicTokenType {
    match text.map(str::to_ascii_lowercase).as_deref() {
        None | Some("bearer") => BasicTokenType::Bearer,
        Some("mac") => BasicTokenType::Mac,
        Some(other) => BasicTokenType::Extension(other.to_owned()),
    }
}
