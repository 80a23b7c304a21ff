//! `save`: one JSON object a line, each durable before its row is printed.

use std::path::Path;

use tokcask::{LogStore, Token, TokenStore};
use tokcask_zoho::from_json;

use super::open;
use crate::failure::{Failure, Line};
use crate::input::{self, Lines};
use crate::token;
use crate::ui::Ui;

pub(super) fn run(ui: &mut Ui, dir: &Path) -> Result<(), Failure> {
    let store = open::existing(ui, dir)?;
    let mut lines = Lines::new()?;
    let mut saved = 0;
    loop {
        let row = next(&store, &mut lines);
        let row = row.map_err(|failure| failure.with_line(Line { number: lines.number, saved }))?;
        let Some(row) = row else { break };
        saved += 1;
        let printed = print(ui, &row, saved == 1);
        printed.map_err(|failure| failure.with_line(Line { number: lines.number, saved }))?;
    }
    Ok(store.close()?)
}

/// Saves the next line that is not blank.
fn next(store: &LogStore, lines: &mut Lines) -> Result<Option<Token>, Failure> {
    while let Some(line) = lines.next_line()? {
        if !line.trim().is_empty() {
            let token = from_json(&line).map_err(|error| input::failure(&error))?;
            return Ok(Some(store.save_token(&token)?));
        }
    }
    Ok(None)
}

fn print(ui: &mut Ui, row: &Token, is_first: bool) -> Result<(), Failure> {
    if !ui.style.json && !is_first {
        ui.out.line("")?;
    }
    token::print(ui, row)?;
    // Whoever feeds us line by line waits for the answer.
    ui.out.flush_lines()
}
