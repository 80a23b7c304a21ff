//! `get` by one key, and `find` by a partial token.

use std::path::Path;

use tokcask::{Key, Token, TokenStore};
use tokcask_zoho::from_json;
use zeroize::Zeroizing;

use super::open;
use crate::args::Get;
use crate::failure::{Failure, Kind};
use crate::input;
use crate::token;
use crate::ui::Ui;

const STDIN: &str = "-";

pub(super) fn run(ui: &mut Ui, get: &Get) -> Result<(), Failure> {
    let (key, value) = key(get);
    let value = if value == STDIN { input::value()? } else { Zeroizing::new(value.to_owned()) };
    let store = open::existing(ui, &get.dir)?;
    print(ui, store.get(key(&value))?)
}

pub(super) fn find(ui: &mut Ui, dir: &Path) -> Result<(), Failure> {
    let text = input::value()?;
    let partial = from_json(&text).map_err(|error| input::failure(&error))?;
    let store = open::existing(ui, dir)?;
    print(ui, store.find_token(&partial)?)
}

fn print(ui: &mut Ui, found: Option<Token>) -> Result<(), Failure> {
    match found {
        Some(token) => token::print(ui, &token),
        None => Err(Failure::new(Kind::NotFound, "no such token")),
    }
}

/// Makes a key of a value.
type KeyOf = for<'a> fn(&'a str) -> Key<'a>;

fn key(get: &Get) -> (KeyOf, &str) {
    let keys: [(KeyOf, _); 5] = [
        (|value| Key::Id(value), &get.id),
        (|value| Key::UserName(value), &get.user_name),
        (|value| Key::AccessToken(value), &get.access_token),
        (|value| Key::RefreshToken(value), &get.refresh_token),
        (|value| Key::GrantToken(value), &get.grant_token),
    ];
    let given = keys.into_iter().find_map(|(key, value)| Some((key, value.as_deref()?)));
    given.expect("the command line has exactly one of them")
}
