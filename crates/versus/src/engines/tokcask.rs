//! tokcask: a record's lines are the columns of a token.

use std::path::Path;

use tokcask::{Key, LogStore, Secret, Token, TokenStore};

use super::{Engine, Store, version_of};
use crate::Result;
use crate::tokens::FIELDS;

/// The store of this repository.
pub(super) struct Tokcask;

impl Engine for Tokcask {
    fn name(&self) -> &'static str {
        "tokcask"
    }

    fn title(&self) -> &'static str {
        "tokcask"
    }

    fn version(&self) -> String {
        version_of("tokcask").into()
    }

    fn part(&self, file: &str) -> Option<&'static str> {
        match file {
            "store.log" => Some("store.log"),
            "store.lock" => Some("store.lock"),
            _ => None,
        }
    }

    fn create(&self, directory: &Path) -> Result<Box<dyn Store>> {
        self.open(directory)
    }

    fn open(&self, directory: &Path) -> Result<Box<dyn Store>> {
        Ok(Box::new(LogStore::open(directory)?))
    }
}

impl Store for LogStore {
    fn save(&self, user_name: &str, record: &str) -> Result<()> {
        let fields: Vec<_> = record.split('\n').collect();
        let [access_token, refresh_token, client_id, expiry_time, api_domain, scope] = fields[..] else {
            return Err(format!("a record has {} lines", FIELDS.len()).into());
        };
        let token = Token::builder()
            .user_name(user_name)
            .access_token(access_token)
            .refresh_token(refresh_token)
            .client_id(client_id)
            .expiry_time(expiry_time)
            .api_domain(api_domain)
            .extra("scope", scope);
        self.save_token(&token.build())?;
        Ok(())
    }

    fn get(&self, user_name: &str) -> Result<Option<Vec<u8>>> {
        let Some(token) = LogStore::get(self, Key::UserName(user_name))? else { return Ok(None) };
        let fields = [
            token.access_token().map(Secret::expose_secret),
            token.refresh_token().map(Secret::expose_secret),
            token.client_id(),
            token.expiry_time(),
            token.api_domain(),
            token.extra().get("scope"),
        ];
        Ok(Some(fields.map(Option::unwrap_or_default).join("\n").into_bytes()))
    }

    fn told_of_loss(&self) -> bool {
        self.open_report().recovered.is_some()
    }
}
