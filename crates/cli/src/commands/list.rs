//! `list`: all tokens, oldest first.

use std::path::Path;
use std::time::SystemTime;

use tokcask::Token;

use super::open;
use crate::failure::Failure;
use crate::table::{self, Cell, cell};
use crate::token::{self, secret_cell};
use crate::ui::Ui;

const HEADER: [&str; 6] = ["id", "user name", "access", "refresh", "grant", "expiry"];

pub(super) fn run(ui: &mut Ui, dir: &Path) -> Result<(), Failure> {
    let store = open::existing(ui, dir)?;
    if ui.style.json {
        for token in &store {
            token::print_json(ui, &token?)?;
        }
        return Ok(());
    }
    let reveal = ui.style.reveal;
    let now = SystemTime::now();
    table::print(&mut ui.out, HEADER, || store.iter().map(|token| Ok(cells(&token?, reveal, now))))
}

fn cells(token: &Token, reveal: bool, now: SystemTime) -> [Cell; 6] {
    let plain = |value: Option<&str>| value.map(cell).unwrap_or_default();
    [
        plain(token.id()),
        plain(token.user_name()),
        secret_cell(token.access_token(), reveal),
        secret_cell(token.refresh_token(), reveal),
        secret_cell(token.grant_token(), reveal),
        token::expiry(token, now),
    ]
}
