//! Bars for work that takes a while, on standard error, which somebody must be watching.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokcask::Progress;

const BAR_BYTES: &str = "{msg:<10} [{bar:32}] {percent:>3}% {binary_bytes}/{binary_total_bytes}";
const BAR_ROWS: &str = "{msg:<10} [{bar:32}] {percent:>3}% {human_pos}/{human_len} rows";

/// What a bar counts.
#[derive(Clone, Copy)]
pub(crate) enum Unit {
    Bytes,
    Rows,
}

/// One bar. Gone from the screen when dropped: what was done is said by the output.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    pub(crate) fn new(work: &'static str, unit: Unit, is_shown: bool) -> Self {
        if !is_shown {
            return Self::none();
        }
        let template = match unit {
            Unit::Bytes => BAR_BYTES,
            Unit::Rows => BAR_ROWS,
        };
        let style = ProgressStyle::with_template(template).expect("the templates above are valid");
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        // Nothing is drawn before it is known how much there is to do.
        bar.set_style(style.progress_chars("=> "));
        Self(bar.with_message(work))
    }

    /// One that is never drawn.
    pub(crate) fn none() -> Self {
        Self(ProgressBar::hidden())
    }

    /// What [`tokcask::Options::on_progress`] is to call.
    pub(crate) fn hook(&self) -> impl Fn(Progress) + Send + Sync + use<> {
        let bar = self.0.clone();
        move |progress| {
            bar.set_length(progress.bytes_total);
            bar.set_position(progress.bytes_done);
        }
    }

    pub(crate) fn set_total(&self, total: u64) {
        self.0.set_length(total);
    }

    /// So much more is done. Of a total that is not known nothing is shown.
    pub(crate) fn advance(&self, by: u64) {
        if self.0.length() != Some(0) {
            self.0.inc(by);
        }
    }

    /// Does something that writes to the terminal, with the bar out of the way.
    pub(crate) fn aside<R>(&self, f: impl FnOnce() -> R) -> R {
        self.0.suspend(f)
    }

    /// The work came to its end: shows it whole once, if it was shown at all.
    pub(crate) fn finish(&self) {
        if self.0.length() != Some(0) {
            self.0.finish();
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
