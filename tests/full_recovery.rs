//! A recovery that has no room to note itself in the log still never gives an id twice, whoever saves then.
//!
//! Method: a simulated log that ends in a torn frame without any extension behind it, on a full disk.

mod sim;

use std::path::Path;
use std::sync::Arc;

use sim::{Call, Fault, Plan, Sim};
use tokcask::{LogStore, Options, ReadMode, Token, TokenStore, open_on};

const STORE: &str = "/store";

fn open(process: &Sim) -> LogStore {
    let options = Options::new().background(false).read_mode(ReadMode::Copy);
    open_on(&options, Arc::new(process.clone()), Path::new(STORE)).unwrap()
}

fn token(user: &str) -> Token {
    Token::builder().user_name(user).access_token("fake").build()
}

#[test]
fn ids_that_a_torn_tail_may_have_given_are_not_given_by_who_joins() {
    let sim = Sim::new();
    let process = sim.process();
    let store = open(&process);
    store.save_token(&token("ann")).unwrap();
    let end = usize::try_from(store.stats().unwrap().log_bytes).unwrap();
    process.set_plan(Some(Plan::next(Call::Write, Fault::CrashHalfway)));
    store.save_tokens(&[token("bob"), token("cid"), token("dan")]).unwrap_err();
    let sim = sim.kill();
    let log = sim.content(Path::new(STORE), "store.log").unwrap();
    sim.set_content(Path::new(STORE), "store.log", &log[..end + 64]);
    sim.set_quota(Some(sim.used()));

    let recovering = open(&sim.process());
    let report = recovering.open_report();
    let bytes_cut = report.recovered.as_ref().map_or(0, |tail| tail.bytes_cut);
    assert!(report.full && bytes_cut > 0, "{report:?}");
    let next_id = recovering.stats().unwrap().next_id;
    assert!(next_id > 2, "raised by what was cut");
    assert!(next_id <= 2 + bytes_cut / 8, "and by no more than what can have been there");
    let joined = open(&sim.process());
    sim.set_quota(None);
    assert_eq!(joined.save_token(&token("eve")).unwrap().id(), Some(&*next_id.to_string()));
    assert_eq!(recovering.save_token(&token("fay")).unwrap().id(), Some(&*(next_id + 1).to_string()));
}
