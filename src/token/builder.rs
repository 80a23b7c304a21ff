//! Making tokens.

use std::collections::BTreeMap;
use std::fmt;

use super::view::TokenView;
use super::{Column, Layout, Token};
use crate::wipe::WipedText;

/// Makes a [`Token`], column by column.
///
/// A column that is never set stays `None`, which a save leaves as it is stored; set to `""` it is cleared.
///
/// ```
/// use tokcask::Token;
///
/// let token = Token::builder().id("7").access_token("fake").extra("scope", "crm.read").build();
/// let renewed = token.to_builder().access_token("fake-2").build();
/// assert_eq!(renewed.id(), Some("7"));
/// assert_eq!(renewed.extra().get("scope"), Some("crm.read"));
/// ```
#[derive(Clone, Default)]
pub struct TokenBuilder {
    columns: [Option<WipedText>; Column::COUNT],
    extra: BTreeMap<String, WipedText>,
}

impl TokenBuilder {
    /// Sets [`Token::id`].
    #[must_use]
    pub fn id(self, id: impl Into<String>) -> Self {
        self.column(Column::Id, Some(id.into()))
    }

    /// Sets [`Token::user_name`].
    #[must_use]
    pub fn user_name(self, user_name: impl Into<String>) -> Self {
        self.column(Column::UserName, Some(user_name.into()))
    }

    /// Sets [`Token::client_id`].
    #[must_use]
    pub fn client_id(self, client_id: impl Into<String>) -> Self {
        self.column(Column::ClientId, Some(client_id.into()))
    }

    /// Sets [`Token::client_secret`].
    #[must_use]
    pub fn client_secret(self, client_secret: impl Into<String>) -> Self {
        self.column(Column::ClientSecret, Some(client_secret.into()))
    }

    /// Sets [`Token::refresh_token`].
    #[must_use]
    pub fn refresh_token(self, refresh_token: impl Into<String>) -> Self {
        self.column(Column::RefreshToken, Some(refresh_token.into()))
    }

    /// Sets [`Token::access_token`].
    #[must_use]
    pub fn access_token(self, access_token: impl Into<String>) -> Self {
        self.column(Column::AccessToken, Some(access_token.into()))
    }

    /// Sets [`Token::grant_token`].
    #[must_use]
    pub fn grant_token(self, grant_token: impl Into<String>) -> Self {
        self.column(Column::GrantToken, Some(grant_token.into()))
    }

    /// Sets [`Token::expiry_time`]: milliseconds since 1970 as decimal text.
    #[must_use]
    pub fn expiry_time(self, expiry_time: impl Into<String>) -> Self {
        self.column(Column::ExpiryTime, Some(expiry_time.into()))
    }

    /// Sets [`Token::redirect_url`].
    #[must_use]
    pub fn redirect_url(self, redirect_url: impl Into<String>) -> Self {
        self.column(Column::RedirectUrl, Some(redirect_url.into()))
    }

    /// Sets [`Token::api_domain`].
    #[must_use]
    pub fn api_domain(self, api_domain: impl Into<String>) -> Self {
        self.column(Column::ApiDomain, Some(api_domain.into()))
    }

    /// Sets one extra value; `""` clears the stored one on a save. Keys are not empty: an empty key is ignored.
    #[must_use]
    pub fn extra(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        let key = key.into();
        if !key.is_empty() {
            self.extra.insert(key, WipedText::from(value.into()));
        }
        self
    }

    /// The finished token.
    #[must_use]
    pub fn build(self) -> Token {
        let columns = self.columns.each_ref().map(|value| value.as_ref().map(WipedText::as_str));
        assemble(columns, &self.extra.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect())
    }

    pub(crate) fn from_view(view: &TokenView<'_>) -> Self {
        let mut builder = Self::default();
        for column in Column::ALL {
            builder = builder.column(column, view.column(column).map(str::to_owned));
        }
        for (key, value) in view.extra() {
            builder = builder.extra(key, value);
        }
        builder
    }

    pub(crate) fn column(mut self, column: Column, value: Option<String>) -> Self {
        self.columns[column as usize] = value.map(WipedText::from);
        self
    }
}

/// A token of these columns and extra values, in one allocation.
pub(crate) fn assemble(columns: [Option<&str>; Column::COUNT], extra: &BTreeMap<&str, &str>) -> Token {
    let columns_len = columns.iter().flatten().map(|value| value.len()).sum::<usize>();
    let extra_len = extra.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
    // Exact, so that no half-filled copy of a secret is left behind by growth.
    let mut text = String::with_capacity(columns_len + extra_len);
    let mut layout = Layout { extra_ends: Vec::with_capacity(2 * extra.len()), ..Layout::default() };
    for (at, value) in columns.into_iter().enumerate() {
        if let Some(value) = value {
            text.push_str(value);
            layout.cleared |= u16::from(value.is_empty()) << at;
        }
        layout.ends[at] = end_of(&text);
    }
    for (key, value) in extra {
        for part in [key, value] {
            text.push_str(part);
            layout.extra_ends.push(end_of(&text));
        }
    }
    Token::from_parts(text.into_boxed_str(), layout)
}

/// Saturates: a token past 4 GiB is refused by every store as too large, and its columns past there read as null.
fn end_of(text: &str) -> u32 {
    u32::try_from(text.len()).unwrap_or(u32::MAX)
}

impl fmt::Debug for TokenBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenBuilder(redacted)")
    }
}
