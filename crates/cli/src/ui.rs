//! What a run says: lines on standard output, notices and its failure on standard error; as JSON lines or for people.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use serde::Serialize;
use zeroize::Zeroizing;

use crate::args::Style;
use crate::escape::escape;
use crate::failure::Failure;
use crate::output::Output;
use crate::progress::{Bar, Unit};

/// Where a run speaks, and how.
pub(crate) struct Ui {
    pub(crate) style: Style,
    pub(crate) out: Output,
    /// Whether somebody watches who could see a bar.
    has_bars: bool,
}

/// What is worth knowing and no failure.
#[derive(Serialize)]
pub(crate) struct Notice {
    #[serde(rename = "notice")]
    kind: &'static str,
    message: String,
    path: String,
    offset: Option<u64>,
}

impl Notice {
    /// `kind` is one word.
    pub(crate) fn new(kind: &'static str, message: impl Into<String>, path: &Path) -> Self {
        Self { kind, message: message.into(), path: text_of(path), offset: None }
    }

    pub(crate) fn at(self, offset: Option<u64>) -> Self {
        Self { offset, ..self }
    }
}

impl Ui {
    pub(crate) fn new(style: Style) -> Self {
        let has_bars = !style.json && io::stderr().is_terminal();
        Self { style, out: Output::stdout(), has_bars }
    }

    /// Prints one JSON line.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        self.out.line(&to_json(value))
    }

    /// Prints one line for people.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), Failure> {
        self.out.line(&escape(text))
    }

    /// Says something on standard error.
    pub(crate) fn notice(&mut self, notice: &Notice) -> Result<(), Failure> {
        // In the order of events, where both go to one terminal.
        self.out.flush_lines()?;
        say(&if self.style.json { to_json(notice) } else { format!("note: {}", escape(&notice.message)).into() });
        Ok(())
    }

    /// A bar for work that takes a while; drawn only on a terminal.
    pub(crate) fn bar(&self, work: &'static str, unit: Unit) -> Bar {
        Bar::new(work, unit, self.has_bars)
    }

    /// All output is out.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        self.out.flush_lines()
    }

    /// Prints what there is, and why there is no more.
    pub(crate) fn fail(&mut self, failure: &Failure, with_hint: bool) {
        // A run fails for one reason.
        let _ = self.out.flush_lines();
        print_failure(failure, self.style.json);
        if let Some(hint) = failure.hint().filter(|_| with_hint && !self.style.json) {
            say(&format!("hint: {hint}"));
        }
    }
}

/// Says on standard error why a run failed.
pub(crate) fn print_failure(failure: &Failure, json: bool) {
    if json {
        say(&to_json(&FailureJson::of(failure)));
        return;
    }
    let message = escape(&failure.message);
    match failure.line {
        Some(line) => say(&format!("error: line {}: {message}\nsaved: {}", line.number, line.saved)),
        None => say(&format!("error: {message}")),
    }
}

#[derive(Serialize)]
struct FailureJson<'a> {
    error: &'static str,
    message: &'a str,
    path: Option<String>,
    offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    saved: Option<u64>,
}

impl<'a> FailureJson<'a> {
    fn of(failure: &'a Failure) -> Self {
        Self {
            error: failure.kind.name(),
            message: &failure.message,
            path: failure.path.as_deref().map(text_of),
            offset: failure.offset,
            line: failure.line.map(|line| line.number),
            saved: failure.line.map(|line| line.saved),
        }
    }
}

fn to_json(value: &impl Serialize) -> Zeroizing<String> {
    Zeroizing::new(serde_json::to_string(value).expect("reports have string keys and cannot fail"))
}

/// A path that is not UTF-8 is shown as well as can be.
pub(crate) fn text_of(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Says one thing in one piece. Nothing can be done where even standard error is closed.
pub(crate) fn say(text: &str) {
    let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
}
