//! A token over bytes that somebody else owns, and the walk over its extra values.

use std::fmt;
use std::time::SystemTime;

use super::layout::{self, Column, Layout};
use super::{Secret, Token};

/// A stored token, read in place. What [`LogStore::view`](crate::LogStore::view) hands to its closure.
///
/// Every column reads as in [`Token`]; nothing is copied until [`to_token`](Self::to_token).
#[derive(Clone, Default)]
pub struct TokenView<'a> {
    text: &'a str,
    layout: Layout,
}

impl<'a> TokenView<'a> {
    pub(crate) fn new(text: &'a str, layout: Layout) -> Self {
        Self { text, layout }
    }

    /// To be filled.
    pub(crate) fn parts_mut(&mut self) -> (&mut &'a str, &mut Layout) {
        (&mut self.text, &mut self.layout)
    }

    /// A copy that lives on its own.
    #[must_use]
    pub fn to_token(&self) -> Token {
        Token::from_parts(self.text.into(), self.layout.clone())
    }

    pub(crate) fn into_token(self) -> Token {
        Token::from_parts(self.text.into(), self.layout)
    }

    /// See [`Token::id`].
    #[must_use]
    pub fn id(&self) -> Option<&'a str> {
        self.column(Column::Id)
    }

    /// See [`Token::user_name`].
    #[must_use]
    pub fn user_name(&self) -> Option<&'a str> {
        self.column(Column::UserName)
    }

    /// See [`Token::client_id`].
    #[must_use]
    pub fn client_id(&self) -> Option<&'a str> {
        self.column(Column::ClientId)
    }

    /// See [`Token::client_secret`].
    #[must_use]
    pub fn client_secret(&self) -> Option<Secret<'a>> {
        self.column(Column::ClientSecret).map(Secret::new)
    }

    /// See [`Token::refresh_token`].
    #[must_use]
    pub fn refresh_token(&self) -> Option<Secret<'a>> {
        self.column(Column::RefreshToken).map(Secret::new)
    }

    /// See [`Token::access_token`].
    #[must_use]
    pub fn access_token(&self) -> Option<Secret<'a>> {
        self.column(Column::AccessToken).map(Secret::new)
    }

    /// See [`Token::grant_token`].
    #[must_use]
    pub fn grant_token(&self) -> Option<Secret<'a>> {
        self.column(Column::GrantToken).map(Secret::new)
    }

    /// See [`Token::expiry_time`].
    #[must_use]
    pub fn expiry_time(&self) -> Option<&'a str> {
        self.column(Column::ExpiryTime)
    }

    /// See [`Token::expires_at`].
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.expiry_time().and_then(layout::instant)
    }

    pub(crate) fn expiry_ms(&self) -> Option<u64> {
        self.expiry_time().and_then(layout::decimal_ms)
    }

    /// See [`Token::redirect_url`].
    #[must_use]
    pub fn redirect_url(&self) -> Option<&'a str> {
        self.column(Column::RedirectUrl)
    }

    /// See [`Token::api_domain`].
    #[must_use]
    pub fn api_domain(&self) -> Option<&'a str> {
        self.column(Column::ApiDomain)
    }

    /// See [`Token::extra`].
    #[must_use]
    pub fn extra(&self) -> Extra<'_> {
        Extra::new(self.text, &self.layout)
    }

    /// See [`Token::created_at`].
    #[must_use]
    pub fn created_at(&self) -> Option<SystemTime> {
        self.layout.created_at()
    }

    /// See [`Token::updated_at`].
    #[must_use]
    pub fn updated_at(&self) -> Option<SystemTime> {
        self.layout.updated_at()
    }

    /// See [`Token::revision`].
    #[must_use]
    pub fn revision(&self) -> Option<u64> {
        self.layout.revision()
    }

    #[inline]
    pub(crate) fn column(&self, column: Column) -> Option<&'a str> {
        self.layout.column(self.text, column)
    }

    pub(crate) fn text(&self) -> &'a str {
        self.text
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }
}

impl fmt::Debug for TokenView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug("TokenView", self.text, &self.layout, f)
    }
}

/// The extra key/value pairs of a token, in the order of their keys.
#[derive(Clone)]
pub struct Extra<'a> {
    text: &'a str,
    layout: &'a Layout,
    next: usize,
}

impl<'a> Extra<'a> {
    pub(super) fn new(text: &'a str, layout: &'a Layout) -> Self {
        Self { text, layout, next: 0 }
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&'a str> {
        self.clone().find(|(name, _)| *name == key).map(|(_, value)| value)
    }
}

impl<'a> Iterator for Extra<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let pair = self.layout.extra(self.text, self.next)?;
        self.next += 1;
        Some(pair)
    }
}

impl fmt::Debug for Extra<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.clone().map(|(key, value)| (key, Secret::new(value)))).finish()
    }
}

/// Columns that are there, secret ones and all extra values redacted.
pub(super) fn debug(name: &str, text: &str, layout: &Layout, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut out = f.debug_struct(name);
    for column in Column::ALL {
        match layout.column(text, column) {
            None => {}
            Some(value) if column.is_secret() => drop(out.field(column.name(), &Secret::new(value))),
            Some(value) => drop(out.field(column.name(), &value)),
        }
    }
    if !layout.extra_ends.is_empty() {
        out.field("extra", &Extra::new(text, layout));
    }
    if let Some(revision) = layout.revision() {
        out.field("revision", &revision);
    }
    out.finish_non_exhaustive()
}
