//! tokcask: `get` and `view`, `save_token` and `save_tokens`, with the defaults of `LogStore::open`.
//!
//! As everywhere, what an application has is a plain token: making one of the store's own of it is part of a save.

use std::hint::black_box;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use tokcask::{Key, LogStore, Secret, Token, TokenBuilder, TokenStore};

use super::{Engine, Reader, Store, Way, Writer, no_such_way};
use crate::Result;
use crate::speed::plain::{FIELDS, PlainToken};
use crate::speed::work::By;

/// A compaction in the background begins within seconds, and takes less than a minute.
const SETTLE_MAX: Duration = Duration::from_secs(120);

/// The store of this repository.
pub(super) struct Tokcask;

/// What tokcask tells of itself.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Rows.
    pub tokens: u64,
    /// Memory of the indexes, beside the mapped file.
    pub index_bytes: u64,
    /// The log, without the zeros that it is extended by ahead.
    pub log_bytes: u64,
}

/// What the store in this directory tells of itself.
///
/// # Errors
/// If it cannot be opened.
pub fn facts(directory: &Path) -> Result<Facts> {
    let stats = LogStore::open(directory)?.stats()?;
    Ok(Facts { tokens: stats.tokens, index_bytes: stats.index_bytes, log_bytes: stats.log_bytes })
}

impl Engine for Tokcask {
    fn title(&self) -> &'static str {
        "tokcask"
    }

    fn ways(&self) -> &'static [Way] {
        &[Way::Owned, Way::InPlace]
    }

    fn open(&self, directory: &Path) -> Result<Box<dyn Store>> {
        Ok(Box::new(LogStore::open(directory)?))
    }
}

impl Store for LogStore {
    fn reader(&self, way: Way) -> Result<Box<dyn Reader + '_>> {
        match way {
            Way::Owned => Ok(Box::new(Gets(self))),
            Way::InPlace => Ok(Box::new(Views(self))),
            Way::Block | Way::Held => no_such_way(way),
        }
    }

    fn writer(&self) -> Result<Box<dyn Writer + '_>> {
        Ok(Box::new(Saves(self)))
    }

    fn settle(&self) -> Result<()> {
        let start = Instant::now();
        while self.stats()?.compaction.is_some() {
            if start.elapsed() > SETTLE_MAX {
                return Err("tokcask does not come to an end with compacting".into());
            }
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn compact(&self) -> Result<()> {
        LogStore::compact(self)?;
        Ok(())
    }
}

struct Gets<'a>(&'a LogStore);
struct Views<'a>(&'a LogStore);
struct Saves<'a>(&'a LogStore);

fn key(by: By, value: &str) -> Key<'_> {
    match by {
        By::Id => Key::Id(value),
        By::UserName => Key::UserName(value),
        By::AccessToken => Key::AccessToken(value),
        By::RefreshToken => Key::RefreshToken(value),
    }
}

impl Reader for Gets<'_> {
    fn token(&mut self, by: By, value: &str) -> Result<Option<PlainToken>> {
        Ok(self.0.get(key(by, value))?.map(|token| plain(&token)))
    }

    fn find(&mut self, by: By, value: &str) -> Result<bool> {
        Ok(black_box(self.0.get(key(by, value))?).is_some())
    }
}

impl Reader for Views<'_> {
    fn token(&mut self, by: By, value: &str) -> Result<Option<PlainToken>> {
        Gets(self.0).token(by, value)
    }

    fn find(&mut self, by: By, value: &str) -> Result<bool> {
        let access_len = |row: tokcask::TokenView<'_>| row.access_token().map(|secret| secret.expose_secret().len());
        Ok(black_box(self.0.view(key(by, value), access_len)?).is_some())
    }
}

impl Saves<'_> {
    fn save(&self, tokens: &[PlainToken], from: usize) -> Result<()> {
        if let [token] = tokens {
            self.0.save_token(&token_of(token, from))?;
        } else {
            self.0.save_tokens(&tokens.iter().map(|token| token_of(token, from)).collect::<Vec<_>>())?;
        }
        Ok(())
    }
}

impl Writer for Saves<'_> {
    fn insert(&mut self, tokens: &[PlainToken]) -> Result<()> {
        // Without their ids: the store gives new rows the numbers that come next, and these are the same.
        self.save(tokens, 1)
    }

    fn refresh(&mut self, tokens: &[PlainToken]) -> Result<()> {
        self.save(tokens, 0)
    }
}

/// The store's own token, with the fields from this one on.
fn token_of(token: &PlainToken, from: usize) -> Token {
    const SETTERS: [fn(TokenBuilder, String) -> TokenBuilder; FIELDS] = [
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
    let set = token.fields().into_iter().zip(SETTERS).skip(from);
    set.fold(Token::builder(), |builder, (field, set)| match field {
        Some(field) => set(builder, field.to_owned()),
        None => builder,
    })
    .build()
}

fn plain(token: &Token) -> PlainToken {
    let secret = |secret: Option<Secret<'_>>| secret.map(|secret| secret.expose_secret().to_owned());
    let text = |text: Option<&str>| text.map(str::to_owned);
    PlainToken {
        id: text(token.id()),
        user_name: text(token.user_name()),
        client_id: text(token.client_id()),
        client_secret: secret(token.client_secret()),
        refresh_token: secret(token.refresh_token()),
        access_token: secret(token.access_token()),
        grant_token: secret(token.grant_token()),
        expiry_time: text(token.expiry_time()),
        redirect_url: text(token.redirect_url()),
        api_domain: text(token.api_domain()),
    }
}
