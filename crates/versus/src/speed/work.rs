//! The tokens that every store is given, and the keys that it is asked for: the same at every run of a seed.
//!
//! About 400 bytes each, as the benches of the store itself have them. A token has a number, from 0, and a version: 0 as
//! it is loaded, and one more with each refresh, which changes the access token and its end and nothing else.

use super::plain::PlainToken;
use crate::random::mix;

const FIRST_EXPIRY_MS: u64 = 1_795_000_000_000;
const HOUR_MS: u64 = 3_600_000;
/// Numbers from here on are in no store.
const ABSENT: u64 = 1 << 40;

/// What a row is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "columns")]
pub enum By {
    Id,
    UserName,
    AccessToken,
    RefreshToken,
}

impl By {
    /// All of them; those after the first need an index beside the rows.
    pub const ALL: [Self; 4] = [Self::Id, Self::UserName, Self::AccessToken, Self::RefreshToken];

    /// The value in a token as it was loaded.
    #[must_use]
    pub fn value(self, number: u64) -> String {
        match self {
            Self::Id => (number + 1).to_string(),
            Self::UserName => format!("user-{number:07}@example.com"),
            Self::AccessToken => access_token(number, 0),
            Self::RefreshToken => secret(number, 1 << 32),
        }
    }

    /// Its place among the three further indexes, if it is no id.
    pub(crate) fn index(self) -> Option<usize> {
        match self {
            Self::Id => None,
            Self::UserName => Some(0),
            Self::AccessToken => Some(1),
            Self::RefreshToken => Some(2),
        }
    }
}

/// The values of a token's three further indexes, in the order of [`By::index`].
pub(crate) fn indexed<'a>(fields: &[Option<&'a str>]) -> [Option<&'a str>; 3] {
    [fields[1], fields[5], fields[4]]
}

/// A token.
#[must_use]
pub fn token(number: u64, version: u64) -> PlainToken {
    PlainToken {
        id: Some(By::Id.value(number)),
        user_name: Some(By::UserName.value(number)),
        client_id: Some("1000.FAKECLIENTFAKECLIENTFAKECLIENT0".into()),
        client_secret: Some("fakesecretfakesecretfakesecretfakesecret00".into()),
        refresh_token: Some(By::RefreshToken.value(number)),
        access_token: Some(access_token(number, version)),
        grant_token: Some(secret(number, 2 << 32)),
        expiry_time: Some((FIRST_EXPIRY_MS + number + version * HOUR_MS).to_string()),
        redirect_url: Some("https://service.example.com/oauth/callback".into()),
        api_domain: Some("https://www.zohoapis.com".into()),
    }
}

/// What a refresh brings.
#[must_use]
pub fn access_token(number: u64, version: u64) -> String {
    secret(number, version)
}

/// As long as the real ones, and no two alike.
fn secret(number: u64, kind: u64) -> String {
    let [first, second, third, fourth] = std::array::from_fn(|word| mix(mix(kind, number), word as u64));
    format!("1000.{first:016x}{second:016x}.{third:016x}{fourth:08x}", fourth = fourth >> 32)
}

/// Values that are in a store of so many tokens, in no order; some come again, others never.
#[must_use]
pub fn present(by: By, stored: u64, count: usize, seed: u64) -> Vec<String> {
    (0..count as u64).map(|draw| by.value(mix(seed, draw) % stored)).collect()
}

/// Values that look no different and are in no store.
#[must_use]
pub fn absent(by: By, count: usize, seed: u64) -> Vec<String> {
    (0..count as u64).map(|draw| by.value(ABSENT + mix(seed, draw) % ABSENT)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{By, indexed, token};

    #[test]
    fn tokens_have_about_400_bytes_and_keys_of_their_own() {
        let mut keys = BTreeSet::new();
        for number in 0..1000 {
            let token = token(number, 0);
            let text_len: usize = token.fields().iter().flatten().map(|field| field.len()).sum();
            assert!((350..450).contains(&text_len), "{text_len}");
            for by in By::ALL {
                assert!(keys.insert(by.value(number)), "{by:?}");
                let fields = token.fields();
                let value = by.index().map_or(fields[0], |index| indexed(&fields)[index]);
                assert_eq!(value, Some(by.value(number).as_str()));
            }
        }
    }

    #[test]
    fn a_refresh_changes_the_access_token_and_its_end() {
        let (old, new) = (token(7, 0), token(7, 1));
        let changed = old.fields().iter().zip(new.fields()).filter(|(old, new)| **old != *new).count();
        assert_eq!(changed, 2);
        assert_ne!(old.access_token, new.access_token);
    }
}
