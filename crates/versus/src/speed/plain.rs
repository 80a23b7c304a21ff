//! The token as an application without a store of its own would write it, and one compact encoding of it for engines that
//! keep bytes.
//!
//! Ten fields of optional text. Encoded: ten little-endian `u16` lengths, each one more than the field's (0 is an absent
//! field), and then the text of all fields. Decoding doubts its input, as whoever reads a file has to: lengths are
//! checked, and the text is UTF-8 once, as a whole.

use crate::Result;

/// How many fields a token has.
pub const FIELDS: usize = 10;
const HEAD_LEN: usize = 2 * FIELDS;

/// Ten fields, owned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns of the SDKs, as in `tokcask::Token`")]
pub struct PlainToken {
    pub id: Option<String>,
    pub user_name: Option<String>,
    pub client_id: Option<String>,
    pub client_secret: Option<String>,
    pub refresh_token: Option<String>,
    pub access_token: Option<String>,
    pub grant_token: Option<String>,
    pub expiry_time: Option<String>,
    pub redirect_url: Option<String>,
    pub api_domain: Option<String>,
}

/// Where the access token stands among the fields.
pub(crate) const ACCESS_TOKEN: usize = 5;

impl PlainToken {
    /// All fields, in order.
    #[must_use]
    pub fn fields(&self) -> [Option<&str>; FIELDS] {
        [
            self.id.as_deref(),
            self.user_name.as_deref(),
            self.client_id.as_deref(),
            self.client_secret.as_deref(),
            self.refresh_token.as_deref(),
            self.access_token.as_deref(),
            self.grant_token.as_deref(),
            self.expiry_time.as_deref(),
            self.redirect_url.as_deref(),
            self.api_domain.as_deref(),
        ]
    }

    /// The other way.
    #[must_use]
    pub fn from_fields(fields: [Option<String>; FIELDS]) -> Self {
        let [
            id,
            user_name,
            client_id,
            client_secret,
            refresh_token,
            access_token,
            grant_token,
            expiry_time,
            redirect_url,
            api_domain,
        ] = fields;
        Self {
            id,
            user_name,
            client_id,
            client_secret,
            refresh_token,
            access_token,
            grant_token,
            expiry_time,
            redirect_url,
            api_domain,
        }
    }

    /// Its bytes.
    ///
    /// # Errors
    /// If a field is too long for its length.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let fields = self.fields();
        let text_len: usize = fields.iter().flatten().map(|text| text.len()).sum();
        let mut bytes = Vec::with_capacity(HEAD_LEN + text_len);
        for field in fields {
            let len = u16::try_from(field.map_or(0, |text| text.len() + 1))?;
            bytes.extend_from_slice(&len.to_le_bytes());
        }
        fields.into_iter().flatten().for_each(|text| bytes.extend_from_slice(text.as_bytes()));
        Ok(bytes)
    }

    /// What these bytes are.
    ///
    /// # Errors
    /// If they are no token.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        Ok(Self::from_fields(view(bytes)?.map(|field| field.map(str::to_owned))))
    }

    /// Its number in the row table.
    pub(crate) fn row_id(&self) -> Result<u64> {
        Ok(self.id.as_deref().ok_or("a token without an id")?.parse()?)
    }
}

/// The fields of an encoded token, in place.
pub(crate) fn view(bytes: &[u8]) -> Result<[Option<&str>; FIELDS]> {
    let (head, text) = bytes.split_first_chunk::<HEAD_LEN>().ok_or("a row is cut short")?;
    let mut rest = std::str::from_utf8(text)?;
    let mut fields = [None; FIELDS];
    for (field, len) in fields.iter_mut().zip(head.as_chunks::<2>().0) {
        if let Some(len) = usize::from(u16::from_le_bytes(*len)).checked_sub(1) {
            let (text, after) = rest.split_at_checked(len).ok_or("a field of a row is cut short")?;
            (*field, rest) = (Some(text), after);
        }
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::PlainToken;

    #[test]
    fn absent_empty_and_long_fields_come_back_and_cut_rows_are_errors() {
        let long = Some("é".repeat(1000));
        let token = PlainToken { user_name: Some(String::new()), api_domain: long, ..PlainToken::default() };
        let bytes = token.encode().unwrap();
        assert_eq!(PlainToken::decode(&bytes).unwrap(), token);
        for len in 0..bytes.len() {
            assert!(PlainToken::decode(&bytes[..len]).is_err(), "{len}");
        }
    }
}
