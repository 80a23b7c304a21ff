//! The files that the real SDKs wrote, and a token as its ten columns.

#![allow(dead_code, reason = "every test uses a part of it")]

use std::path::{Path, PathBuf};

use tokcask::{Secret, Token};

pub(crate) type Columns<'a> = [Option<&'a str>; 10];

pub(crate) fn sample_path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/zoho").join(file)
}

pub(crate) fn sample(name: &str) -> Vec<u8> {
    std::fs::read(sample_path(&format!("filestore.{name}.csv"))).expect("the sample is part of the repository")
}

pub(crate) fn columns(token: &Token) -> Columns<'_> {
    [
        token.id(),
        token.user_name(),
        token.client_id(),
        token.client_secret().map(Secret::expose_secret),
        token.refresh_token().map(Secret::expose_secret),
        token.access_token().map(Secret::expose_secret),
        token.grant_token().map(Secret::expose_secret),
        token.expiry_time(),
        token.redirect_url(),
        token.api_domain(),
    ]
}
