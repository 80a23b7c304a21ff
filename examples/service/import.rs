//! Moving the rows of a Zoho `FileStore` into the store. Does not know the format: that is `tokcask_zoho`.

use std::fs::File;
use std::path::Path;

use tokcask::{LogStore, OnClash};
use tokcask_zoho::Import;

use crate::failure::{Context, Result};

pub(crate) fn read(path: &Path) -> Result<Import> {
    let file = File::open(path).context(path.display())?;
    tokcask_zoho::read_csv(file).context(path.display())
}

/// Saves the rows that the store does not have yet, all of them or none, returning how many.
///
/// A row that is there is left alone: it may have been refreshed since, and the file's is older.
pub(crate) fn save_new(store: &LogStore, import: Import) -> tokcask::Result<u64> {
    Ok(store.import(&import.into_tokens(), OnClash::Keep)?.imported)
}
