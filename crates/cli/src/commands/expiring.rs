//! `expiring`: the tokens that expire, the soonest first. Shows no secrets, whatever is asked.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use tokcask::Token;

use super::open;
use crate::args::Expiring;
use crate::failure::Failure;
use crate::table::{self, Cell, cell};
use crate::time;
use crate::token;
use crate::ui::Ui;

const HEADER: [&str; 5] = ["id", "user name", "expiry", "date", "refresh"];

#[derive(Serialize)]
struct Row<'a> {
    id: Option<&'a str>,
    user_name: Option<&'a str>,
    /// As it is stored.
    expiry_time: Option<&'a str>,
    has_refresh_token: bool,
}

pub(super) fn run(ui: &mut Ui, args: &Expiring) -> Result<(), Failure> {
    let store = open::existing(ui, &args.dir)?;
    let now = SystemTime::now();
    let tokens = store.expiring_before(end(args, now))?;
    if ui.style.json {
        return tokens.iter().try_for_each(|token| ui.json(&row(token)));
    }
    table::print(&mut ui.out, HEADER, || tokens.iter().map(|token| Ok(cells(token, now))))
}

/// The first instant that is too late.
fn end(args: &Expiring, now: SystemTime) -> SystemTime {
    // Whatever expires does so within 64 bits of milliseconds.
    let never = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::MAX) + Duration::from_millis(1);
    let within = |time| now.checked_add(time).unwrap_or(never);
    args.within.map(within).or(args.before).unwrap_or(never)
}

fn row(token: &Token) -> Row<'_> {
    Row {
        id: token.id(),
        user_name: token.user_name(),
        expiry_time: token.expiry_time(),
        has_refresh_token: token.refresh_token().is_some(),
    }
}

fn cells(token: &Token, now: SystemTime) -> [Cell; 5] {
    let plain = |value: Option<&str>| value.map(cell).unwrap_or_default();
    [
        plain(token.id()),
        plain(token.user_name()),
        token::expiry(token, now),
        token.expires_at().map(|expires_at| cell(&time::date(expires_at))).unwrap_or_default(),
        cell(table::yes_or_no(token.refresh_token().is_some())),
    ]
}
