//! The randomness of a script, and the small world it draws from: few names and tokens, so that rows collide in every key.

use std::time::Duration;

use tokcask::{Key, SweepPolicy, Token};

use crate::sim::next_random;

/// Expiries that are over, and that are not, whatever the clock says.
pub(super) const OVER: &str = "1000000000000";
pub(super) const NEVER: &str = "4102444800000";
const IDS: [&str; 11] = ["1", "2", "3", "5", "7", "12", "007", "abc", "é", "999999999999999999", "1000000000000000000"];
const USERS: [&str; 4] = ["ann", "bob", "Ann", "zoë"];
const ACCESS: [&str; 3] = ["a1", "a2", "a3"];
const REFRESH: [&str; 3] = ["r1", "r2", "r3"];
const GRANT: [&str; 2] = ["g1", "g2"];
/// Longer than a key may be.
pub(super) const TOO_LONG: usize = (64 << 10) + 1;

/// What a script has more of than others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taste {
    Plain,
    /// Rows that make the log grow.
    Large,
    /// Batches of hundreds of rows.
    Many,
    /// Ids at the end of the counter's range, which it does not leave again.
    HighIds,
}

pub(super) struct Dice {
    random: u64,
    pub(super) taste: Taste,
    /// Whether refreshes back off.
    pub(super) is_patient: bool,
}

impl Dice {
    /// Of one script of a seed.
    pub(super) fn new(seed: u64, script: u64) -> Self {
        let mut random = seed;
        let mut random = next_random(&mut random) ^ script.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let taste = match next_random(&mut random) % 32 {
            0..=3 => Taste::Large,
            4 => Taste::Many,
            5 | 6 => Taste::HighIds,
            _ => Taste::Plain,
        };
        let is_patient = next_random(&mut random).is_multiple_of(20);
        Self { random, taste, is_patient }
    }

    pub(super) fn number(&mut self) -> u64 {
        next_random(&mut self.random)
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).expect("a small number");
        usize::try_from(self.number() % limit).expect("below a small number")
    }

    pub(super) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// One of these, each as often as its weight says.
    pub(super) fn weighted<T: Copy>(&mut self, table: &[(usize, T)]) -> T {
        let mut left = self.below(table.iter().map(|(weight, _)| weight).sum());
        for (weight, what) in table {
            if left < *weight {
                return *what;
            }
            left -= weight;
        }
        unreachable!("below the sum of all weights")
    }

    pub(super) fn id(&mut self) -> &'static str {
        let known = if self.taste == Taste::HighIds { IDS.len() } else { IDS.len() - 2 };
        self.pick(&IDS[..known])
    }

    /// A key that some row may have.
    pub(super) fn key(&mut self) -> Key<'static> {
        if self.one_in(24) {
            return self.pick(&[Key::Id(""), Key::UserName(""), Key::RefreshToken("nobody"), Key::GrantToken("a1")]);
        }
        match self.below(5) {
            0 => Key::Id(self.id()),
            1 => Key::UserName(self.pick(&USERS)),
            2 => Key::AccessToken(self.pick(&ACCESS)),
            3 => Key::RefreshToken(self.pick(&REFRESH)),
            _ => Key::GrantToken(self.pick(&GRANT)),
        }
    }

    /// Null, empty, or one of these.
    fn value(&mut self, from: &[&'static str]) -> Option<&'static str> {
        match self.below(12) {
            0..=4 => None,
            5 => Some(""),
            _ => Some(self.pick(from)),
        }
    }

    pub(super) fn token(&mut self) -> Token {
        let mut token = Token::builder();
        match self.below(19) {
            0..=11 => {}
            12 => token = token.id(""),
            _ => token = token.id(self.id()),
        }
        macro_rules! set {
            ($($column:ident $values:expr),*) => {
                $(if let Some(value) = self.value($values) { token = token.$column(value); })*
            };
        }
        set!(
            user_name & USERS,
            access_token & ACCESS,
            refresh_token & REFRESH,
            grant_token & GRANT,
            client_id & ["c"],
            client_secret & ["s"],
            expiry_time & [OVER, NEVER, "soon"],
            redirect_url & ["u"],
            api_domain & ["d"]
        );
        for _ in 0..self.below(3) {
            token = token.extra(self.pick(&["x", "y", "z"]), self.pick(&["", "v", "w"]));
        }
        if self.taste == Taste::Large && self.one_in(3) {
            token = token.access_token(format!("a{}-{}", self.below(3), "x".repeat(self.below(9000))));
        }
        if self.one_in(400) {
            token = token.refresh_token("r".repeat(TOO_LONG));
        }
        token.build()
    }

    pub(super) fn tokens(&mut self) -> Vec<Token> {
        if self.taste == Taste::Many && self.one_in(12) {
            let row = |number| Token::builder().user_name(format!("user{number}")).refresh_token("r1").build();
            let first = self.below(100);
            return (first..first + self.below(300)).map(row).collect();
        }
        (0..self.below(6)).map(|_| self.token()).collect()
    }

    /// By expiry alone: what is old is a matter of the clock.
    pub(super) fn sweep_policy(&mut self) -> SweepPolicy {
        let (with_refresh_token, dry_run) = (self.one_in(2), self.one_in(3));
        SweepPolicy { expired_for: Some(Duration::ZERO), with_refresh_token, dry_run, ..SweepPolicy::default() }
    }
}
