//! The shared page and the slots, changed by somebody who should not, under open handles and between them.
//!
//! Input: a script of operations of two handles and a reader on the simulated storage, and of changes to `store.lock`. An
//! error is always allowed while something is changed. But no answer is wrong: each value was saved once, and no handle goes
//! back behind what it has told or saved. Nobody waits for longer than the limits allow. Who opens the store alone believes
//! nothing of the page: all rows are there, unless a slot was forged, or somebody has written who was misled before.

mod patch;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokcask::storage::Storage;
use tokcask::{Key, LogStore, Options, ReadMode, RefreshError, RefreshPolicy, Secret, Token, TokenStore, open_on};

use self::patch::Patch;
use super::input::Input;
use super::sim::Sim;

const STORE: &str = "/store";
const USERS: usize = 4;
const STEPS_MAX: u32 = 64;
const LOCK_TIMEOUT: Duration = Duration::from_millis(50);
/// Who tries again for so long has met a page that leads nowhere. That takes real time as well, so the script ends.
const LONG_WAIT: Duration = Duration::from_millis(500);
/// Of simulated time, for any call: following tries for a second, more than once.
const WAIT_MAX: Duration = Duration::from_secs(20);
const BACKOFF_MAX: Duration = RefreshPolicy::new().backoff_max;

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let mut run = Run::new();
    run.open_alone();
    for _ in 0..STEPS_MAX {
        if input.is_empty() || run.has_waited {
            break;
        }
        run.step(&mut input);
    }
    run.open_alone();
}

struct Handle {
    store: LogStore,
    is_reader: bool,
    /// For each user the number of the latest change that it told of, or made.
    seen: [u64; USERS],
}

#[expect(clippy::struct_excessive_bools, reason = "each says what an error may come from, or that it is enough")]
struct Run {
    sim: Sim,
    /// Two that write, one that reads.
    handles: [Option<Handle>; 3],
    /// For each user, all numbers of saves and deletes that were tried; a delete's is odd.
    tried: [Vec<u64>; USERS],
    /// What is there, by all who were acknowledged: the number of the save, or 0.
    rows: [u64; USERS],
    next: u64,
    /// Ends of the log that there have been.
    ends: Vec<u64>,
    is_patched: bool,
    is_forged: bool,
    /// Somebody has written after a change.
    is_misled: bool,
    has_waited: bool,
}

impl Run {
    fn new() -> Self {
        Self {
            sim: Sim::new(),
            handles: [None, None, None],
            tried: Default::default(),
            rows: [0; USERS],
            next: 2,
            ends: Vec::new(),
            is_patched: false,
            is_forged: false,
            is_misled: false,
            has_waited: false,
        }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        let step = input.byte();
        let (which, user) = (usize::from(step >> 4) % 3, usize::from(step >> 6));
        let start = self.sim.clock();
        match step & 15 {
            0..=3 => self.patch(input),
            4 | 5 => self.save(which, user),
            6 => self.delete(which, user),
            7 | 8 => self.find(which, user),
            9 => (0..USERS).for_each(|user| self.find(which, user)),
            10 => self.compact(which),
            11 | 12 => self.open(which),
            13 => self.refresh(which, user, input.byte()),
            14 => self.handles[which] = None,
            _ => self.open_alone(),
        }
        let waited = self.sim.clock().saturating_sub(start);
        assert!(waited <= WAIT_MAX, "step {step} waits for {waited:?}");
        self.has_waited |= waited > LONG_WAIT;
    }

    fn patch(&mut self, input: &mut Input<'_>) {
        let store = Path::new(STORE);
        let mut lock = self.sim.content(store, "store.lock").expect("nobody removes it");
        let patch = Patch::read(input, &lock, &self.ends);
        self.is_forged |= patch.is_slot();
        patch.apply(&mut lock);
        self.sim.set_content(store, "store.lock", &lock);
        self.is_patched = true;
    }

    fn save(&mut self, which: usize, user: usize) {
        let number = self.number(user, false);
        let token = Token::builder().user_name(name(user)).refresh_token(format!("fake-{number}")).build();
        self.write(which, user, number, number, |store| store.save_token(&token).map(|row| row.id().is_some()));
    }

    fn delete(&mut self, which: usize, user: usize) {
        let number = self.number(user, true);
        self.write(which, user, number, 0, |store| match store.get(Key::UserName(&name(user)))? {
            Some(row) => store.delete(row.id().unwrap_or_default()),
            None => Ok(false),
        });
    }

    fn write(
        &mut self,
        which: usize,
        user: usize,
        number: u64,
        row: u64,
        write: impl FnOnce(&LogStore) -> tokcask::Result<bool>,
    ) {
        let Some(handle) = self.handles[which].as_mut().filter(|handle| !handle.is_reader) else { return };
        self.is_misled |= self.is_patched;
        match write(&handle.store) {
            Ok(true) => {
                handle.seen[user] = number;
                self.rows[user] = row;
                self.ends.extend(handle.store.stats().map(|stats| stats.log_bytes));
            }
            Ok(false) => assert!(self.is_patched || self.rows[user] == 0, "a row that is there was not deleted"),
            Err(error) => assert!(self.is_patched, "no reason to fail: {error}"),
        }
    }

    fn find(&mut self, which: usize, user: usize) {
        let Some(handle) = self.handles[which].as_mut() else { return };
        let found = match handle.store.get(Key::UserName(&name(user))) {
            Ok(found) => found.map_or(0, |row| number_of(&row)),
            Err(error) => return assert!(self.is_patched, "no reason to fail: {error}"),
        };
        if !self.is_patched {
            assert_eq!(found, self.rows[user], "a wrong answer, and nothing was changed");
        }
        let seen = handle.seen[user];
        let tried = &self.tried[user];
        if found == 0 {
            let deleted = tried.iter().any(|number| number % 2 == 1 && *number >= seen);
            assert!(seen == 0 || deleted, "user{user} was there as {seen}, and is gone");
        } else {
            assert!(tried.contains(&found), "user{user} was never {found}");
            assert!(found >= seen, "user{user} was {seen}, and is {found} again");
            handle.seen[user] = found;
        }
    }

    fn compact(&mut self, which: usize) {
        let Some(handle) = self.handles[which].as_ref().filter(|handle| !handle.is_reader) else { return };
        self.is_misled |= self.is_patched;
        match handle.store.compact() {
            Ok(_) => self.ends.extend(handle.store.stats().map(|stats| stats.log_bytes)),
            Err(error) => assert!(self.is_patched, "no reason to fail: {error}"),
        }
    }

    /// The provider fails, so that a back-off is left in the page; who finds one is not held back for longer than asked.
    fn refresh(&mut self, which: usize, user: usize, answers: u8) {
        let number = self.number(user, false);
        let answer = Token::builder().access_token("fake").expiry_time("1").refresh_token(format!("fake-{number}"));
        let Some(handle) = self.handles[which].as_mut().filter(|handle| !handle.is_reader) else { return };
        self.is_misled |= self.is_patched;
        let policy = RefreshPolicy { wait_max: Duration::ZERO, backoff_max: BACKOFF_MAX, ..RefreshPolicy::new() };
        let answer = (answers & 1 != 0).then(|| answer.build());
        match handle.store.refresh(Key::UserName(&name(user)), policy, |_| answer.ok_or(())) {
            Ok(refreshed) => {
                let number = number_of(refreshed.token());
                assert!(number >= handle.seen[user] && self.tried[user].contains(&number));
                (handle.seen[user], self.rows[user]) = (number, number);
            }
            Err(RefreshError::BackOff { retry_in, .. }) => {
                assert!(retry_in <= BACKOFF_MAX, "held back for {retry_in:?}");
            }
            Err(RefreshError::UnknownKey) => assert!(self.is_patched || self.rows[user] == 0),
            Err(RefreshError::Provider(())) => {}
            Err(error) => assert!(self.is_patched, "no reason to fail: {error:?}"),
        }
    }

    /// Beside those who have it open.
    fn open(&mut self, which: usize) {
        self.handles[which] = None;
        if self.handles[..2].iter().all(Option::is_none) {
            return self.open_alone();
        }
        let is_reader = which == 2;
        match open(&self.sim, is_reader) {
            Ok(store) => self.handles[which] = Some(Handle { store, is_reader, seen: [0; USERS] }),
            Err(error) => assert!(self.is_patched, "no reason to fail: {error}"),
        }
    }

    /// All have gone. Nothing of the page counts any more.
    fn open_alone(&mut self) {
        self.handles = [None, None, None];
        self.sim = self.sim.kill();
        let store = match open(&self.sim, false) {
            Ok(store) => store,
            Err(error) => {
                assert!(self.is_forged || self.is_misled, "it does not open: {error}");
                self.sim.set_content(Path::new(STORE), "store.lock", &[0; patch::LOCK_LEN]);
                match open(&self.sim, false) {
                    Ok(store) => store,
                    Err(error) => {
                        assert!(self.is_misled, "it does not open without its slots: {error}");
                        *self = Self::new();
                        return self.open_alone();
                    }
                }
            }
        };
        for user in 0..USERS {
            let found = store.get(Key::UserName(&name(user))).expect("it opened").map_or(0, |row| number_of(&row));
            assert!(found == 0 || self.tried[user].contains(&found), "user{user} was never {found}");
            assert!(self.is_misled || found == self.rows[user], "user{user} was {}, and is {found}", self.rows[user]);
            self.rows[user] = found;
        }
        self.ends = store.stats().map(|stats| stats.log_bytes).into_iter().collect();
        (self.is_patched, self.is_forged, self.is_misled) = (false, false, false);
        self.handles[0] = Some(Handle { store, is_reader: false, seen: self.rows });
    }

    fn number(&mut self, user: usize, is_delete: bool) -> u64 {
        self.next += 2;
        let number = self.next + u64::from(is_delete);
        self.tried[user].push(number);
        number
    }
}

fn open(sim: &Sim, read_only: bool) -> tokcask::Result<LogStore> {
    let options = Options::new().background(false).read_mode(ReadMode::Copy).lock_timeout(LOCK_TIMEOUT);
    open_on(&options.read_only(read_only), Arc::new(sim.clone()), Path::new(STORE))
}

fn name(user: usize) -> String {
    format!("user{user}")
}

fn number_of(row: &Token) -> u64 {
    let number = row.refresh_token().map(Secret::expose_secret).and_then(|token| token.strip_prefix("fake-"));
    number.and_then(|number| number.parse().ok()).expect("every row has a number")
}
