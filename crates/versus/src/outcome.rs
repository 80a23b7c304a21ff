//! What a case is counted as. One outcome each; of several that would fit, the first of this order:
//!
//! the process died or had to be ended; a value that nobody ever saved was given as good; an error was named, when
//! opening or by at least one find; something is gone and opening said so; an older value was given as good; rows are
//! missing; nothing.

use std::ops::AddAssign;

use crate::Result;

/// What one damaged place did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// All rows are right.
    NoEffect,
    /// An error when opening, or from a find.
    Error,
    /// So many commits are gone, and opening told its caller that something was given up.
    Told(usize),
    /// So many commits are gone without a word.
    Missing(usize),
    /// The same, and at least one find gave the row as it was before.
    Older(usize),
    /// A find gave bytes that were never saved for its key.
    Wrong,
    /// The process ended: a signal, an abort.
    Killed,
    /// A panic that reached the caller.
    Panic,
    /// No answer within the time limit.
    Hang,
}

impl Outcome {
    /// Whether a caller was misled, or did not live to be told.
    #[must_use]
    pub fn is_bad(self) -> bool {
        !matches!(self, Self::NoEffect | Self::Error | Self::Told(_))
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoEffect => "no-effect",
            Self::Error => "error",
            Self::Told(_) => "told",
            Self::Missing(_) => "missing",
            Self::Older(_) => "older",
            Self::Wrong => "wrong",
            Self::Killed => "killed",
            Self::Panic => "panic",
            Self::Hang => "hang",
        }
    }

    /// For a worker's line.
    #[must_use]
    pub fn line(self) -> String {
        match self {
            Self::Told(gone) | Self::Missing(gone) | Self::Older(gone) => format!("{} {gone}", self.name()),
            _ => self.name().into(),
        }
    }

    /// What an [`Outcome::line`] says.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(line: &str) -> Result<Self> {
        let (word, number) = line.split_once(' ').unwrap_or((line, "0"));
        let gone = number.parse()?;
        Ok(match word {
            "no-effect" => Self::NoEffect,
            "error" => Self::Error,
            "told" => Self::Told(gone),
            "missing" => Self::Missing(gone),
            "older" => Self::Older(gone),
            "wrong" => Self::Wrong,
            "killed" => Self::Killed,
            "panic" => Self::Panic,
            "hang" => Self::Hang,
            _ => return Err(format!("no outcome: {line}").into()),
        })
    }
}

/// How often each was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of the outcomes")]
pub struct Counts {
    pub no_effect: usize,
    pub error: usize,
    pub told: usize,
    pub missing: usize,
    pub older: usize,
    pub wrong: usize,
    pub killed: usize,
    pub panic: usize,
    pub hang: usize,
    /// Commits that were gone in the cases `missing` and `older`, together.
    pub gone: usize,
}

impl AddAssign<Outcome> for Counts {
    fn add_assign(&mut self, outcome: Outcome) {
        let count = match outcome {
            Outcome::NoEffect => &mut self.no_effect,
            Outcome::Error => &mut self.error,
            Outcome::Told(_) => &mut self.told,
            Outcome::Missing(_) => &mut self.missing,
            Outcome::Older(_) => &mut self.older,
            Outcome::Wrong => &mut self.wrong,
            Outcome::Killed => &mut self.killed,
            Outcome::Panic => &mut self.panic,
            Outcome::Hang => &mut self.hang,
        };
        *count += 1;
        if let Outcome::Missing(gone) | Outcome::Older(gone) = outcome {
            self.gone += gone;
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.no_effect += other.no_effect;
        self.error += other.error;
        self.told += other.told;
        self.missing += other.missing;
        self.older += other.older;
        self.wrong += other.wrong;
        self.killed += other.killed;
        self.panic += other.panic;
        self.hang += other.hang;
        self.gone += other.gone;
    }
}

impl Counts {
    /// Cases in which commits were gone without a word.
    #[must_use]
    pub fn silent(&self) -> usize {
        self.missing + self.older
    }

    /// Cases in which the caller was misled, or did not live to be told.
    #[must_use]
    pub fn bad(&self) -> usize {
        self.silent() + self.wrong + self.killed + self.panic + self.hang
    }

    /// All cases.
    #[must_use]
    pub fn cases(&self) -> usize {
        self.no_effect + self.error + self.told + self.bad()
    }
}

#[cfg(test)]
mod tests {
    use super::{Counts, Outcome};

    #[test]
    fn every_outcome_is_counted_and_survives_a_line() {
        let all = [
            Outcome::NoEffect,
            Outcome::Error,
            Outcome::Told(3),
            Outcome::Missing(4),
            Outcome::Older(5),
            Outcome::Wrong,
            Outcome::Killed,
            Outcome::Panic,
            Outcome::Hang,
        ];
        let mut counts = Counts::default();
        for outcome in all {
            assert_eq!(Outcome::parse(&outcome.line()).unwrap(), outcome);
            counts += outcome;
        }
        let bad = all.into_iter().filter(|outcome| outcome.is_bad()).count();
        assert_eq!((counts.cases(), counts.bad(), counts.silent(), counts.gone), (9, bad, 2, 9));
    }
}
