//! The token: ten columns of optional text, further key/value text, and what the store adds.
//!
//! An owned [`Token`] keeps all its text in one allocation, beside where its fields lie; a [`TokenView`] is the
//! same over bytes that somebody else owns. No I/O, no clock, no knowledge of the file.

mod builder;
mod layout;
mod secret;
mod view;

pub use builder::TokenBuilder;
pub(crate) use builder::assemble;
pub(crate) use layout::{Column, Columns, Layout};
pub use secret::Secret;
pub use view::{Extra, TokenView};

use std::fmt;
use std::time::SystemTime;

use crate::wipe::wipe;

/// An OAuth token with everything that is needed to use and renew it.
///
/// All columns are optional text. `None` and `Some("")` are different here: on a save, `None` keeps the stored value
/// and `""` clears it; a stored row never holds `""`. The text is wiped from memory when the token is dropped.
///
/// Two tokens are equal if their columns and extra values are; the times and the revision that a store adds are
/// not compared.
///
/// ```
/// use tokcask::Token;
///
/// let token = Token::builder().user_name("ana").refresh_token("fake-refresh").build();
/// assert_eq!(token.user_name(), Some("ana"));
/// assert_eq!(token.refresh_token().unwrap().expose_secret(), "fake-refresh");
/// assert_eq!(token.access_token().map(|secret| secret.expose_secret()), None);
/// ```
#[derive(Clone)]
pub struct Token {
    text: Box<str>,
    layout: Layout,
}

impl Token {
    /// Starts a token with no column set.
    #[must_use]
    pub fn builder() -> TokenBuilder {
        TokenBuilder::default()
    }

    /// Starts a token with the columns and extra values of this one. What a store adds is left behind.
    #[must_use]
    pub fn to_builder(&self) -> TokenBuilder {
        TokenBuilder::from_view(&self.view())
    }

    /// This token as a view of itself.
    #[must_use]
    pub fn view(&self) -> TokenView<'_> {
        TokenView::new(&self.text, self.layout.clone())
    }

    /// The id that names the row in its store.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.column(Column::Id)
    }

    /// Whose token it is. The Zoho SDKs file a token under `<email>:<organisation id>`.
    #[must_use]
    pub fn user_name(&self) -> Option<&str> {
        self.column(Column::UserName)
    }

    /// The OAuth client's id.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.column(Column::ClientId)
    }

    /// The OAuth client's secret.
    #[must_use]
    pub fn client_secret(&self) -> Option<Secret<'_>> {
        self.column(Column::ClientSecret).map(Secret::new)
    }

    /// The refresh token.
    #[must_use]
    pub fn refresh_token(&self) -> Option<Secret<'_>> {
        self.column(Column::RefreshToken).map(Secret::new)
    }

    /// The access token.
    #[must_use]
    pub fn access_token(&self) -> Option<Secret<'_>> {
        self.column(Column::AccessToken).map(Secret::new)
    }

    /// The grant token (authorization code) that the login began with.
    #[must_use]
    pub fn grant_token(&self) -> Option<Secret<'_>> {
        self.column(Column::GrantToken).map(Secret::new)
    }

    /// When the access token ends: milliseconds since 1970 as decimal text, byte for byte as it was saved.
    #[must_use]
    pub fn expiry_time(&self) -> Option<&str> {
        self.column(Column::ExpiryTime)
    }

    /// [`expiry_time`](Self::expiry_time) as an instant; `None` if there is none or it is no decimal number.
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.expiry_time().and_then(layout::instant)
    }

    pub(crate) fn expiry_ms(&self) -> Option<u64> {
        self.expiry_time().and_then(layout::decimal_ms)
    }

    /// Where the provider sends the user back to.
    #[must_use]
    pub fn redirect_url(&self) -> Option<&str> {
        self.column(Column::RedirectUrl)
    }

    /// The provider's API address for this token.
    #[must_use]
    pub fn api_domain(&self) -> Option<&str> {
        self.column(Column::ApiDomain)
    }

    /// Further key/value text, by key. Kept and not indexed; may be secret.
    #[must_use]
    pub fn extra(&self) -> Extra<'_> {
        Extra::new(&self.text, &self.layout)
    }

    /// When the row was first saved, to the millisecond. `None` for a token that no store has returned.
    #[must_use]
    pub fn created_at(&self) -> Option<SystemTime> {
        self.layout.created_at()
    }

    /// When the row was last saved, to the millisecond; never goes back for a row.
    #[must_use]
    pub fn updated_at(&self) -> Option<SystemTime> {
        self.layout.updated_at()
    }

    /// The store-wide number of the operation that made this version of the row.
    ///
    /// What [`compare_and_save`](crate::LogStore::compare_and_save) compares. Never taken from the caller's token.
    #[must_use]
    pub fn revision(&self) -> Option<u64> {
        self.layout.revision()
    }

    pub(crate) fn column(&self, column: Column) -> Option<&str> {
        self.layout.column(&self.text, column)
    }

    pub(crate) fn from_parts(text: Box<str>, layout: Layout) -> Self {
        Self { text, layout }
    }

    pub(crate) fn stamp(&mut self, created_ms: u64, updated_ms: u64, revision: u64) {
        self.layout.created_ms = created_ms;
        self.layout.updated_ms = updated_ms;
        self.layout.revision = revision;
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        wipe(&mut std::mem::take(&mut self.text).into_string().into_bytes());
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        Column::ALL.iter().all(|column| self.column(*column) == other.column(*column)) && self.extra().eq(other.extra())
    }
}

impl Eq for Token {}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        view::debug("Token", &self.text, &self.layout, f)
    }
}
