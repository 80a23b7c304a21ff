//! Callers of the service, one thread each: they log in, get, save and delete over HTTP, doubt every answer, and keep a
//! list of what they were told, for somebody to compare with the store.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};
use tokcask::{Key, LogStore, Token};
use ureq::Agent;
use ureq::http::{Response, StatusCode};

use crate::failure::{Context, Failure, Result};
use crate::provider;
use crate::tokens::expiry_time;

const CLIENTS: u64 = 8;
const HOUR: Duration = Duration::from_secs(3600);
/// More than the service waits for the provider, or for another request that does.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);

/// What the service acknowledged.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) requests: u64,
    pub(crate) logins: u64,
    /// The user of each row that must be there, by its id.
    pub(crate) users_by_id: HashMap<String, String>,
    /// The rows that must be gone.
    pub(crate) deleted_ids: Vec<String>,
}

/// Lets all clients loose on the service for a while. `users` are people who logged in before it was started.
pub(crate) fn run(service: SocketAddr, users: &[String], duration: Duration) -> Result<Ledger> {
    let deadline = Instant::now() + duration;
    let ledgers = thread::scope(|scope| {
        let clients = (0..CLIENTS).map(|number| Client::new(number, service, users));
        let threads: Vec<_> = clients.map(|client| scope.spawn(move || client.run(deadline))).collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| Failure::new("a client panicked"))?).collect()
    });
    let ledgers: Result<Vec<Ledger>> = ledgers;
    Ok(ledgers?.into_iter().fold(Ledger::default(), Ledger::merge))
}

impl Ledger {
    fn merge(mut self, other: Self) -> Self {
        self.requests += other.requests;
        self.logins += other.logins;
        self.users_by_id.extend(other.users_by_id);
        self.deleted_ids.extend(other.deleted_ids);
        self
    }

    /// Compares the store with what the clients were told.
    pub(crate) fn check(&self, store: &LogStore) -> Result<()> {
        for (id, user) in &self.users_by_id {
            let found = store.get(Key::Id(id)).context("finding a token of a client")?;
            if found.as_ref().and_then(Token::user_name) != Some(user) {
                return Err(Failure::new(format!("the token {id}, saved for {user}, is not there")));
            }
        }
        for id in &self.deleted_ids {
            if store.get(Key::Id(id)).context("finding a deleted token")?.is_some() {
                return Err(Failure::new(format!("the token {id} is there, and was deleted")));
            }
        }
        Ok(())
    }
}

/// An agent for loopback: never through a proxy, and statuses are answers.
pub(crate) fn agent(timeout: Duration) -> Agent {
    let config = Agent::config_builder().proxy(None).http_status_as_error(false).timeout_global(Some(timeout));
    config.build().into()
}

struct Client<'a> {
    number: u64,
    agent: Agent,
    service: SocketAddr,
    users: &'a [String],
    random: u64,
    ledger: Ledger,
    /// Rows of this client's own, oldest first: id and user.
    saved: Vec<(String, String)>,
    logged_in: Vec<String>,
}

impl<'a> Client<'a> {
    fn new(number: u64, service: SocketAddr, users: &'a [String]) -> Self {
        let (ledger, saved, logged_in) = Default::default();
        Self { number, agent: agent(ANSWER_TIMEOUT), service, users, random: number + 1, ledger, saved, logged_in }
    }

    fn run(mut self, deadline: Instant) -> Result<Ledger> {
        let users = self.users;
        while Instant::now() < deadline {
            match self.random(16) {
                0 => self.log_in()?,
                1..=3 => self.save()?,
                4 if !self.saved.is_empty() => self.delete()?,
                5..=7 if !self.logged_in.is_empty() => {
                    let at = self.random(self.logged_in.len());
                    let user = self.logged_in[at].clone();
                    self.get(&user)?;
                }
                _ if !users.is_empty() => {
                    let at = self.random(users.len());
                    self.get(&users[at])?;
                }
                _ => self.log_in()?,
            }
        }
        Ok(self.ledger)
    }

    fn log_in(&mut self) -> Result<()> {
        let user = format!("person-{}-{}", self.number, self.logged_in.len());
        let answer = self.post("login", &json!({ "user": user }))?;
        self.ledger.logins += 1;
        self.ledger.users_by_id.insert(id_in(&answer)?, user.clone());
        self.logged_in.push(user);
        Ok(())
    }

    /// Gets a user's token, which may have expired long ago, and sees that it is this user's.
    fn get(&mut self, user: &str) -> Result<()> {
        let answer = self.send("GET", &format!("token/{user}"), StatusCode::OK)?;
        let access_token = answer["access_token"].as_str().unwrap_or_default();
        if answer["user_name"] != user || provider::user_of(access_token) != Some(user) {
            return Err(Failure::new(format!("the service answered for {user} with the token of somebody else")));
        }
        Ok(())
    }

    fn save(&mut self) -> Result<()> {
        let user = format!("robot-{}-{}", self.number, self.ledger.deleted_ids.len() + self.saved.len());
        let token = json!({
            "user_name": user,
            "access_token": format!("fake-access/0/{user}"),
            "refresh_token": format!("fake-refresh/0/{user}"),
            "expiry_time": expiry_time(SystemTime::now(), HOUR),
        });
        let id = id_in(&self.post("tokens", &token)?)?;
        self.ledger.users_by_id.insert(id.clone(), user.clone());
        self.get(&user)?;
        self.saved.push((id, user));
        Ok(())
    }

    fn delete(&mut self) -> Result<()> {
        let (id, user) = self.saved.remove(0);
        self.send("DELETE", &format!("token/{id}"), StatusCode::NO_CONTENT)?;
        self.send("GET", &format!("token/{user}"), StatusCode::NOT_FOUND)?;
        self.ledger.users_by_id.remove(&id);
        self.ledger.deleted_ids.push(id);
        Ok(())
    }

    fn post(&mut self, path: &str, body: &Value) -> Result<Value> {
        let response = self.agent.post(self.url(path)).send_json(body);
        self.answer(response, path, StatusCode::OK)
    }

    /// Sends a request without a body. The names in `path` are this program's own and need no escaping.
    fn send(&mut self, method: &str, path: &str, expected: StatusCode) -> Result<Value> {
        let start = Instant::now();
        loop {
            let url = self.url(path);
            let request = if method == "DELETE" { self.agent.delete(url) } else { self.agent.get(url) };
            let response = request.call();
            // As the service says: in a moment it may well be done.
            let is_to_try_again = |response: &Response<_>| response.status() == StatusCode::SERVICE_UNAVAILABLE;
            if !response.as_ref().is_ok_and(is_to_try_again) || start.elapsed() > ANSWER_TIMEOUT {
                return self.answer(response, path, expected);
            }
            thread::sleep(PAUSE);
        }
    }

    fn answer(
        &mut self,
        response: std::result::Result<Response<ureq::Body>, ureq::Error>,
        path: &str,
        expected: StatusCode,
    ) -> Result<Value> {
        let mut response = response.context(path)?;
        self.ledger.requests += 1;
        if response.status() != expected {
            return Err(Failure::new(format!("{path}: answered {}, not {expected}", response.status())));
        }
        let body = response.body_mut().read_to_string().context(path)?;
        if body.is_empty() { Ok(Value::Null) } else { serde_json::from_str(&body).context(path) }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.service)
    }

    /// A number below `limit`; xorshift is random enough for choosing what to do.
    fn random(&mut self, limit: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random >> 33).unwrap_or_default() % limit
    }
}

fn id_in(answer: &Value) -> Result<String> {
    answer["id"].as_str().map(str::to_owned).ok_or_else(|| Failure::new("a saved token was answered without its id"))
}
