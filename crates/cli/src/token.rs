//! A token on the screen: which of its text is shown, and which only hinted at.

use std::borrow::Cow;
use std::time::SystemTime;

use tokcask::{Secret, Token};
use tokcask_zoho::{mask, to_json};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::table::{self, Cell, cell};
use crate::time;
use crate::ui::Ui;

/// Prints one token: a JSON line, or a table of all that it has.
pub(crate) fn print(ui: &mut Ui, token: &Token) -> Result<(), Failure> {
    if ui.style.json {
        return print_json(ui, token);
    }
    let pairs = pairs(token, ui.style.reveal, SystemTime::now());
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    table::pairs(&mut ui.out, &pairs)
}

pub(crate) fn print_json(ui: &mut Ui, token: &Token) -> Result<(), Failure> {
    let line = json(token, ui.style.reveal);
    ui.out.line(&line)
}

pub(crate) fn json(token: &Token, reveal: bool) -> Zeroizing<String> {
    to_json(token, |secret| shown(secret, reveal))
}

/// A secret as the caller asked for it.
fn shown(secret: &str, reveal: bool) -> Cow<'_, str> {
    if reveal { secret.into() } else { mask(secret).into() }
}

pub(crate) fn secret_cell(secret: Option<Secret<'_>>, reveal: bool) -> Cell {
    secret.map(|secret| cell(&shown(secret.expose_secret(), reveal))).unwrap_or_default()
}

/// How far off the expiry is; as it is stored, if it is no time.
pub(crate) fn expiry(token: &Token, now: SystemTime) -> Cell {
    match token.expires_at() {
        Some(expires_at) => cell(&time::expiry(expires_at, now)),
        None => cell(token.expiry_time().unwrap_or_default()),
    }
}

fn pairs(token: &Token, reveal: bool, now: SystemTime) -> Vec<(String, Cell)> {
    let plain = |value: Option<&str>| value.map(cell).unwrap_or_default();
    let secret = |value| secret_cell(value, reveal);
    let expiry = match (token.expiry_time(), token.expires_at()) {
        (Some(text), Some(expires_at)) => cell(&format!("{text} ({})", time::expiry(expires_at, now))),
        (text, _) => plain(text),
    };
    let columns = [
        ("id", plain(token.id())),
        ("user_name", plain(token.user_name())),
        ("client_id", plain(token.client_id())),
        ("client_secret", secret(token.client_secret())),
        ("refresh_token", secret(token.refresh_token())),
        ("access_token", secret(token.access_token())),
        ("grant_token", secret(token.grant_token())),
        ("expiry_time", expiry),
        ("redirect_url", plain(token.redirect_url())),
        ("api_domain", plain(token.api_domain())),
    ];
    // Of another provider's answer anything may be secret.
    let extra = token.extra().map(|(key, value)| (format!("extra {}", *cell(key)), cell(&shown(value, reveal))));
    let date = |instant: Option<SystemTime>| instant.map(|instant| cell(&time::date(instant))).unwrap_or_default();
    let stamps = [
        ("created_at", date(token.created_at())),
        ("updated_at", date(token.updated_at())),
        ("revision", token.revision().map(|revision| cell(&revision.to_string())).unwrap_or_default()),
    ];
    let named = |(name, value): (&str, Cell)| (name.to_owned(), value);
    let all = columns.into_iter().map(named).chain(extra).chain(stamps.into_iter().map(named));
    all.filter(|(_, value)| !value.is_empty()).collect()
}
