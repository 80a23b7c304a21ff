//! Moving the rows of a Zoho `FileStore` into the store. Does not know the format: that is `tokcask_zoho`.

use std::fs::File;
use std::path::Path;

use tokcask::{Key, LogStore, Token, TokenStore};
use tokcask_zoho::Import;

use crate::failure::{Context, Result};

/// Rows to one durable batch: far from the largest frame, and few enough syncs.
const BATCH: usize = 1000;

pub(crate) fn read(path: &Path) -> Result<Import> {
    let file = File::open(path).context(path.display())?;
    tokcask_zoho::read_csv(file).context(path.display())
}

/// Saves the rows that the store does not have yet, returning how many.
///
/// A row that is there is left alone: it may have been refreshed since, and the file's is older.
pub(crate) fn save_new(store: &LogStore, import: &Import) -> tokcask::Result<usize> {
    let mut new = Vec::new();
    for token in import.tokens() {
        if !is_there(store, token)? {
            new.push(token.clone());
        }
    }
    for batch in new.chunks(BATCH) {
        store.save_tokens(batch)?;
    }
    Ok(new.len())
}

fn is_there(store: &LogStore, token: &Token) -> tokcask::Result<bool> {
    match token.id() {
        Some(id) => Ok(store.view(Key::Id(id), |_| ())?.is_some()),
        None => Ok(store.find_token(token)?.is_some()),
    }
}
