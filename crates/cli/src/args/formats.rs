//! What an import reads and an export writes.

use clap::ValueEnum;

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum ImportFormat {
    /// The file store of the Zoho CRM SDKs for Python and Node
    ZohoCsv,
    /// An SQLite file with the SDKs' table oauthtoken
    ZohoSqlite,
    /// JSON lines, as `export --to json` writes them
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// The file store of the Zoho CRM SDK for Python
    ZohoCsv,
    /// The file store of the Zoho CRM SDK for Node, which cannot hold commas, quotes and line ends
    ZohoNodeCsv,
    /// JSON lines
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnClash {
    /// Import nothing
    Refuse,
    /// Keep the store's token
    Keep,
    /// Take the file's token in its place
    Replace,
    /// Import the file's token under a new id
    Renumber,
}
