//! Where a token's fields lie in its text: the ten columns one after the other, then the extra pairs.

use std::time::{Duration, SystemTime};

/// The ten columns of the SDKs' token table, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    /// `id`
    Id,
    /// `user_name`
    UserName,
    /// `client_id`
    ClientId,
    /// `client_secret`
    ClientSecret,
    /// `refresh_token`
    RefreshToken,
    /// `access_token`
    AccessToken,
    /// `grant_token`
    GrantToken,
    /// `expiry_time`
    ExpiryTime,
    /// `redirect_url`
    RedirectUrl,
    /// `api_domain`
    ApiDomain,
}

impl Column {
    pub(crate) const COUNT: usize = 10;
    pub(crate) const ALL: [Self; Self::COUNT] = [
        Self::Id,
        Self::UserName,
        Self::ClientId,
        Self::ClientSecret,
        Self::RefreshToken,
        Self::AccessToken,
        Self::GrantToken,
        Self::ExpiryTime,
        Self::RedirectUrl,
        Self::ApiDomain,
    ];
    /// The columns that a row can be found by.
    pub(crate) const KEYS: [Self; 5] =
        [Self::Id, Self::UserName, Self::AccessToken, Self::RefreshToken, Self::GrantToken];

    pub(crate) fn is_secret(self) -> bool {
        matches!(self, Self::ClientSecret | Self::RefreshToken | Self::AccessToken | Self::GrantToken)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::UserName => "user_name",
            Self::ClientId => "client_id",
            Self::ClientSecret => "client_secret",
            Self::RefreshToken => "refresh_token",
            Self::AccessToken => "access_token",
            Self::GrantToken => "grant_token",
            Self::ExpiryTime => "expiry_time",
            Self::RedirectUrl => "redirect_url",
            Self::ApiDomain => "api_domain",
        }
    }
}

/// Some of the columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Columns(u16);

impl Columns {
    pub(crate) fn add(&mut self, column: Column) {
        self.0 |= 1 << column as u16;
    }

    pub(crate) fn has(self, column: Column) -> bool {
        self.0 & (1 << column as u16) != 0
    }
}

/// Ends of the fields in the text, which of the empty ones are `""`, and what the store adds.
///
/// Invariant, made by whoever makes one: ends ascend, lie on character boundaries, and the last is the text's length.
#[derive(Clone, Default)]
pub(crate) struct Layout {
    pub(crate) ends: [u32; Column::COUNT],
    /// Bit `i`: column `i` is `""`, and not null.
    pub(crate) cleared: u16,
    /// Ends of key, value, key, value, ...; no allocation while there are none.
    pub(crate) extra_ends: Vec<u32>,
    pub(crate) created_ms: u64,
    pub(crate) updated_ms: u64,
    /// 0: no store has given one.
    pub(crate) revision: u64,
}

impl Layout {
    #[inline]
    pub(crate) fn column<'a>(&self, text: &'a str, column: Column) -> Option<&'a str> {
        let at = column as usize;
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        let end = self.ends[at];
        if start == end && self.cleared & (1 << at) == 0 {
            return None;
        }
        Some(slice(text, start, end))
    }

    /// Length of a column's text, in bytes.
    #[inline]
    pub(crate) fn len(&self, column: Column) -> u32 {
        let at = column as usize;
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        self.ends[at].saturating_sub(start)
    }

    /// The extra pair with this number, in the order of their keys.
    pub(crate) fn extra<'a>(&self, text: &'a str, number: usize) -> Option<(&'a str, &'a str)> {
        let start = match number.checked_sub(1) {
            None => self.ends[Column::COUNT - 1],
            Some(before) => *self.extra_ends.get(2 * before + 1)?,
        };
        let middle = *self.extra_ends.get(2 * number)?;
        let end = *self.extra_ends.get(2 * number + 1)?;
        Some((slice(text, start, middle), slice(text, middle, end)))
    }

    pub(crate) fn created_at(&self) -> Option<SystemTime> {
        self.revision().and_then(|_| since_epoch(self.created_ms))
    }

    pub(crate) fn updated_at(&self) -> Option<SystemTime> {
        self.revision().and_then(|_| since_epoch(self.updated_ms))
    }

    pub(crate) fn revision(&self) -> Option<u64> {
        (self.revision != 0).then_some(self.revision)
    }
}

/// Empty outside the invariant: what lies on the border of a token of over 4 GiB, which every store refuses.
#[inline]
fn slice(text: &str, start: u32, end: u32) -> &str {
    text.get(start as usize..end as usize).unwrap_or_default()
}

/// Decimal milliseconds since 1970 as an instant.
pub(crate) fn instant(text: &str) -> Option<SystemTime> {
    decimal_ms(text).and_then(since_epoch)
}

/// Decimal milliseconds: digits and nothing else.
pub(crate) fn decimal_ms(text: &str) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    // In one pass: every refresh of a fresh token reads one.
    text.bytes().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| byte - b'0')?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

fn since_epoch(ms: u64) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(ms))
}
