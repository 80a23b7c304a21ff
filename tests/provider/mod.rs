//! A provider on loopback that rotates refresh tokens and ends the login if one is used that it has replaced.
//!
//! One line asks, "client user refresh-token"; one line answers, "access-token refresh-token". A refresh token that was
//! replaced may be used once more if whoever got its successor is dead: it may have died before it could save it, which is
//! the one case that no store can help.
#![allow(dead_code, reason = "each test program uses a part")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Error, Result, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use tokcask::Token;

use super::processes::Random;

/// Seen from the test that runs it.
pub(crate) struct Provider {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

pub(crate) struct State {
    random: Random,
    /// How long an answer takes, at most.
    pub(crate) latency_us_max: u64,
    /// One of so many calls is never answered; 0: none.
    pub(crate) hangs_one_of: u64,
    pub(crate) logins: BTreeMap<String, Login>,
    /// Clients that were killed, or are about to be.
    pub(crate) dead: BTreeSet<u32>,
    /// Clients that wait for an answer that does not come.
    pub(crate) hanging: Vec<(u32, TcpStream)>,
}

#[derive(Default)]
pub(crate) struct Login {
    /// Who got the tokens with the numbers 1, 2 and so on; the number is in both tokens.
    holders: Vec<u32>,
    pub(crate) calls: u64,
    /// Calls with a refresh token whose successor was lost with its holder.
    pub(crate) retries: u64,
    /// What ended the login.
    pub(crate) ended: Option<String>,
}

impl Login {
    /// The number of the latest tokens.
    pub(crate) fn current(&self) -> usize {
        self.holders.len()
    }
}

impl Provider {
    pub(crate) fn start(seed: u64) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let state = State {
            random: Random::new(seed),
            latency_us_max: 0,
            hangs_one_of: 0,
            logins: BTreeMap::new(),
            dead: BTreeSet::new(),
            hanging: Vec::new(),
        };
        let provider = Self { address: listener.local_addr().unwrap(), state: Arc::new(Mutex::new(state)) };
        let state = provider.state.clone();
        thread::spawn(move || {
            // Tokens are spent in the order in which clients come: what a client has sent that was killed then still counts,
            // and comes before whatever its successor sends.
            for stream in listener.incoming().flatten() {
                if let Ok(Some((latency, answer))) = hear(&stream, &state) {
                    thread::spawn(move || {
                        thread::sleep(latency);
                        // It may have been killed meanwhile.
                        let _ = writeln!(&stream, "{answer}");
                    });
                }
            }
        });
        provider
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

/// Asks the provider; called by a process that may be killed meanwhile.
pub(crate) fn ask(address: SocketAddr, current: &Token) -> Result<Token> {
    let user = current.user_name().expect("logins have users");
    let refresh_token = current.refresh_token().expect("logins have one").expose_secret();
    let mut stream = TcpStream::connect(address)?;
    writeln!(stream, "{} {user} {refresh_token}", std::process::id())?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    let (access, refresh) = line.trim_end().split_once(' ').ok_or_else(|| Error::other(line.clone()))?;
    let token = Token::builder().access_token(access).refresh_token(refresh);
    Ok(token.expiry_time("4102444800000").build())
}

/// What a client is told, and after which time.
fn hear(stream: &TcpStream, state: &Mutex<State>) -> Result<Option<(Duration, String)>> {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (Some(client), Some(user), Some(token)) = (words.next(), words.next(), words.next()) else { return Ok(None) };
    let client: u32 = client.parse().expect("a number");
    let mut state = state.lock().unwrap();
    let (latency_us_max, hangs_one_of) = (state.latency_us_max.max(1), state.hangs_one_of.max(1));
    if state.random.below(hangs_one_of) == 1 {
        state.hanging.push((client, stream.try_clone()?));
        return Ok(None);
    }
    let latency = Duration::from_micros(state.random.below(latency_us_max));
    Ok(Some((latency, state.redeem(client, user, token))))
}

impl State {
    fn redeem(&mut self, client: u32, user: &str, token: &str) -> String {
        let login = self.logins.entry(user.to_owned()).or_default();
        login.calls += 1;
        if let Some(reason) = &login.ended {
            return format!("login-ended:{}", reason.replace(' ', "-"));
        }
        let number = token.strip_prefix(&format!("refresh-{user}-")).and_then(|number| number.parse::<usize>().ok());
        match number.and_then(|number| login.holders.get(number..)) {
            Some([]) => {}
            // Whoever was told of what came after is dead, so it was not saved.
            Some(since) if since.iter().all(|holder| self.dead.contains(holder)) => login.retries += 1,
            since => {
                login.ended = Some(format!("{client} used {token}, after which {since:?} got others"));
                return "login-ended:now".to_owned();
            }
        }
        login.holders.push(client);
        format!("access-{user}-{0} refresh-{user}-{0}", login.current())
    }
}
