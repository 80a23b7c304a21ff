//! A refresh with every outcome it can have: what the provider says, and what another process does while it is asked.

use std::time::Duration;

use tokcask::{Error, Key, ListStore, LogStore, RefreshError, RefreshPolicy, Refreshed, Secret, Token, TokenStore};

use super::dice::{Dice, NEVER, OVER, TOO_LONG};
use super::verb::{Row, Verb, row};

/// Longer than any script takes by the simulated clock.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug)]
pub(super) struct Ask {
    key: Key<'static>,
    /// Whether the row's access token counts as refused by the provider.
    rejected: bool,
    /// Whether failures are remembered: in few scripts, as rows are told apart by no more than 24 bits there.
    backs_off: bool,
    said: Option<Said>,
    meanwhile: Meanwhile,
}

/// What the provider says; nothing: it fails.
#[derive(Debug)]
struct Said {
    access: &'static str,
    refresh: Option<String>,
    expiry: Option<&'static str>,
}

/// What another process does while the provider is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meanwhile {
    Nothing,
    Renews,
    LogsIn,
    Deletes,
    AsksToo,
}

#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    Fresh(Row),
    ByUs(Row),
    ByAnother(Row),
    UnknownKey,
    ProviderFailed,
    BackOff(Row),
    Deleted,
    Replaced(Row),
    SaveFailed(String),
    /// Something that no model has.
    Other(String),
}

impl Ask {
    pub(super) fn new(dice: &mut Dice) -> Self {
        use Meanwhile::{AsksToo, Deletes, LogsIn, Nothing, Renews};
        let said = |dice: &mut Dice| Said {
            access: dice.pick(&["f1", "f2", "f3", ""]),
            refresh: match dice.below(40) {
                0 => Some("r".repeat(TOO_LONG)),
                1..=4 => Some(String::new()),
                5..=14 => Some(dice.pick(&["r1", "r2", "r4"]).to_owned()),
                _ => None,
            },
            expiry: dice.pick(&[None, Some(OVER), Some(NEVER), Some(NEVER)]),
        };
        Self {
            key: dice.key(),
            rejected: dice.one_in(3),
            backs_off: dice.is_patient,
            said: if dice.one_in(4) { None } else { Some(said(dice)) },
            meanwhile: dice.weighted(&[(6, Nothing), (1, Renews), (1, LogsIn), (1, Deletes), (1, AsksToo)]),
        }
    }
}

/// Rows at revisions for which the provider has failed.
#[derive(Default)]
pub(super) struct Failures {
    known: Vec<(String, u64)>,
    /// A crash may have lost these.
    unsure: Vec<(String, u64)>,
}

impl Failures {
    pub(super) fn crash(&mut self) {
        self.unsure.append(&mut self.known);
    }
}

/// The stores that a refresh concerns.
pub(super) struct Stores<'a> {
    pub(super) ours: &'a LogStore,
    pub(super) other: Option<&'a LogStore>,
    pub(super) list: &'a ListStore,
}

impl Stores<'_> {
    /// Does it by the log and by the list, and compares. Returns the outcome.
    pub(super) fn refresh(&self, ask: &Ask, failures: &mut Failures) -> Outcome {
        let found = self.list.get(ask.key).expect("a list").map(row);
        let is_unsure = found.as_ref().is_some_and(|row| failures.unsure.contains(&place(row)));
        let backs_off = ask.backs_off && !is_unsure;
        let (backoff_min, backoff_max) =
            if backs_off { (PATIENCE, PATIENCE) } else { (Duration::ZERO, Duration::ZERO) };
        let rejected = found.as_ref().map(|row| row.1).filter(|_| ask.rejected);
        let policy =
            RefreshPolicy { wait_max: Duration::ZERO, backoff_min, backoff_max, rejected, ..RefreshPolicy::new() };
        let mut asked_for = None;
        let result = self.ours.refresh(ask.key, policy, |current| {
            asked_for = Some(row(current.clone()));
            self.meanwhile(ask, policy, current);
            ask.said.as_ref().map(Said::token).ok_or(())
        });
        let ours = outcome(result);
        let Some(found) = found else {
            assert_eq!((&ours, asked_for), (&Outcome::UnknownKey, None));
            return ours;
        };
        let is_fresh = |row: &Row| is_fresh(row, rejected);
        let expected = if is_fresh(&found) {
            Outcome::Fresh(found)
        } else if backs_off && failures.known.contains(&place(&found)) {
            Outcome::BackOff(found)
        } else {
            assert_eq!(asked_for.take().as_ref(), Some(&found), "the provider is asked for the row as it is");
            // The list has had what happened meanwhile.
            let now = self.list.get(Key::Id(&place(&found).0)).expect("a list").map(row);
            let outcome = self.expected(ask, &found, now, is_fresh);
            if backs_off {
                failures.known.extend(match &outcome {
                    Outcome::ProviderFailed | Outcome::SaveFailed(_) => Some(place(&found)),
                    Outcome::ByUs(row) if !is_fresh(row) => Some(place(row)),
                    _ => None,
                });
            }
            outcome
        };
        assert_eq!(ours, expected);
        assert_eq!(asked_for, None, "the provider is asked only if it has to be");
        ours
    }

    /// What comes of an answer that was asked for `before`, which is `now` this.
    fn expected(&self, ask: &Ask, before: &Row, now: Option<Row>, is_fresh: impl Fn(&Row) -> bool) -> Outcome {
        let Some(said) = &ask.said else {
            return now.filter(is_fresh).map_or(Outcome::ProviderFailed, Outcome::ByAnother);
        };
        if said.refresh.as_ref().is_some_and(|text| text.len() >= TOO_LONG) {
            let refused = self.list.save_token(&said.row("any")).expect_err("it is too long");
            return Outcome::SaveFailed(refused.to_string());
        }
        match now {
            None => Outcome::Deleted,
            Some(now) if !is_same_login(&now.0, &before.0) => {
                if is_fresh(&now) {
                    Outcome::ByAnother(now)
                } else {
                    Outcome::Replaced(now)
                }
            }
            Some(_) => {
                let saved = self.list.save_token(&said.row(&place(before).0)).expect("it is small");
                Outcome::ByUs(row(saved))
            }
        }
    }

    fn meanwhile(&self, ask: &Ask, policy: RefreshPolicy, current: &Token) {
        let Some(other) = self.other else { return };
        let id = current.id().expect("a row has an id");
        let verb = match ask.meanwhile {
            Meanwhile::Nothing => return,
            Meanwhile::Renews => Verb::Save(Token::builder().id(id).access_token("a-other").expiry_time(NEVER).build()),
            Meanwhile::LogsIn => Verb::Save(Token::builder().id(id).refresh_token("r-other").expiry_time(OVER).build()),
            Meanwhile::Deletes => {
                assert_eq!(other.delete(id).ok(), self.list.delete(id).ok());
                return;
            }
            Meanwhile::AsksToo => {
                let refused = other.refresh(Key::Id(id), policy, |_| -> Result<Token, ()> { panic!("both are asked") });
                assert!(matches!(refused, Err(RefreshError::Busy { token, .. }) if token.as_ref() == current));
                return;
            }
        };
        let ours = verb.perform(other).expect("it is small, and the row is there");
        assert_eq!(ours, verb.apply(self.list));
    }
}

impl Outcome {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Fresh(_) => "refresh: fresh",
            Self::ByUs(_) => "refresh: by us",
            Self::ByAnother(_) => "refresh: by another",
            Self::UnknownKey => "refresh: unknown key",
            Self::ProviderFailed => "refresh: provider failed",
            Self::BackOff(_) => "refresh: back-off",
            Self::Deleted => "refresh: deleted",
            Self::Replaced(_) => "refresh: replaced",
            Self::SaveFailed(_) => "refresh: not saved",
            Self::Other(_) => "refresh: other",
        }
    }
}

impl Said {
    fn token(&self) -> Token {
        fill(self.refresh.as_deref(), self.expiry).access_token(self.access).build()
    }

    /// As a save of the row: empty tokens say nothing, and a new access token does not inherit an expiry.
    fn row(&self, id: &str) -> Token {
        let expiry = if self.access.is_empty() { self.expiry } else { self.expiry.or(Some("")) };
        let token = fill(self.refresh.as_deref().filter(|text| !text.is_empty()), expiry).id(id);
        if self.access.is_empty() { token.build() } else { token.access_token(self.access).build() }
    }
}

fn fill(refresh: Option<&str>, expiry: Option<&str>) -> tokcask::TokenBuilder {
    let mut token = Token::builder();
    if let Some(refresh) = refresh {
        token = token.refresh_token(refresh);
    }
    if let Some(expiry) = expiry {
        token = token.expiry_time(expiry);
    }
    token
}

fn outcome(result: Result<Refreshed, RefreshError<()>>) -> Outcome {
    match result {
        Ok(Refreshed::Fresh(token)) => Outcome::Fresh(row(token)),
        Ok(Refreshed::ByUs(token)) => Outcome::ByUs(row(token)),
        Ok(Refreshed::ByAnother(token)) => Outcome::ByAnother(row(token)),
        Err(RefreshError::UnknownKey) => Outcome::UnknownKey,
        Err(RefreshError::Provider(())) => Outcome::ProviderFailed,
        Err(RefreshError::BackOff { token, .. }) => Outcome::BackOff(row(*token)),
        Err(RefreshError::Deleted { answer: Some(_) }) => Outcome::Deleted,
        Err(RefreshError::Replaced { token, .. }) => Outcome::Replaced(row(*token)),
        Err(RefreshError::SaveFailed { source: source @ Error::TooLarge { .. }, .. }) => {
            Outcome::SaveFailed(source.to_string())
        }
        other => Outcome::Other(format!("{other:?}")),
    }
}

fn is_fresh((token, revision): &Row, rejected: Option<u64>) -> bool {
    let is_good = token.expiry_time().is_none_or(|expiry| expiry == NEVER);
    is_good && token.access_token().is_some() && rejected.is_none_or(|rejected| *revision > rejected)
}

fn is_same_login(row: &Token, then: &Token) -> bool {
    let secrets = |token: &Token| {
        [token.refresh_token(), token.grant_token(), token.access_token()].map(|secret| secret.map(text))
    };
    let (row, then) = (secrets(row), secrets(then));
    if then[0].is_some() { row[0] == then[0] } else { row == then }
}

fn text(secret: Secret<'_>) -> String {
    secret.expose_secret().to_owned()
}

/// A row's id and revision.
fn place(row: &Row) -> (String, u64) {
    (row.0.id().expect("a row has an id").to_owned(), row.1)
}
