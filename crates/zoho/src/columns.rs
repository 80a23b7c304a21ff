//! The ten columns, in the order that every format here shares. Which header a format gives them is its own matter.

use tokcask::{Secret, Token, TokenBuilder};

/// How many there are.
pub const COUNT: usize = 10;
pub(crate) const ID: usize = 0;
pub(crate) const CLIENT_SECRET: usize = 3;
pub(crate) const TOKENS: [usize; 3] = [4, 5, 6];
pub(crate) const REDIRECT_URL: usize = 8;

/// The columns as tokcask and Node name them; Python's header differs in the ninth.
pub const NAMES: [&str; COUNT] = [
    "id",
    "user_name",
    "client_id",
    "client_secret",
    "refresh_token",
    "access_token",
    "grant_token",
    "expiry_time",
    "redirect_url",
    "api_domain",
];

const SETTERS: [fn(TokenBuilder, String) -> TokenBuilder; COUNT] = [
    TokenBuilder::id,
    TokenBuilder::user_name,
    TokenBuilder::client_id,
    TokenBuilder::client_secret,
    TokenBuilder::refresh_token,
    TokenBuilder::access_token,
    TokenBuilder::grant_token,
    TokenBuilder::expiry_time,
    TokenBuilder::redirect_url,
    TokenBuilder::api_domain,
];

/// The builder with this column set, which is below [`COUNT`]. The builder owns the value from here on, and wipes it.
#[must_use]
pub fn set(builder: TokenBuilder, column: usize, value: String) -> TokenBuilder {
    SETTERS[column](builder, value)
}

/// What a token says of each.
#[must_use]
pub fn values(token: &Token) -> [Option<&str>; COUNT] {
    [
        token.id(),
        token.user_name(),
        token.client_id(),
        token.client_secret().map(Secret::expose_secret),
        token.refresh_token().map(Secret::expose_secret),
        token.access_token().map(Secret::expose_secret),
        token.grant_token().map(Secret::expose_secret),
        token.expiry_time(),
        token.redirect_url(),
        token.api_domain(),
    ]
}

/// Whether the value may not be shown: the client's secret, and the three tokens.
pub(crate) fn is_secret(column: usize) -> bool {
    column == CLIENT_SECRET || TOKENS.contains(&column)
}
