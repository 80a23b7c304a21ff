//! On a network file system a store is refused, and had by one process alone if that asks for it.

mod sim;

use std::path::Path;
use std::sync::Arc;

use sim::Sim;
use tokcask::{Error, ErrorKind, LogStore, Options, ReadMode, Result, Token, TokenStore, adopt_on, open_on};

const STORE: &str = "/store";

fn options() -> Options {
    Options::new().background(false).read_mode(ReadMode::Copy)
}

fn open(sim: &Sim, options: &Options) -> Result<LogStore> {
    open_on(options, Arc::new(sim.clone()), Path::new(STORE))
}

fn kind(result: Result<LogStore>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

#[test]
fn it_is_refused_by_name_unless_it_is_asked_for_and_then_nobody_else_comes_in() {
    let sim = Sim::new();
    drop(open(&sim, &options()).unwrap());
    sim.set_network_kind(Some("NFS"));
    for refused in [options(), options().exclusive(true), options().read_only(true)] {
        let error = open(&sim, &refused).unwrap_err();
        assert!(matches!(error, Error::NetworkFileSystem { kind: "NFS", .. }), "{error}");
    }
    let adopted = adopt_on(&options(), Arc::new(sim.clone()), Path::new(STORE));
    assert_eq!(adopted.unwrap_err().kind(), ErrorKind::NetworkFileSystem);

    let network = options().network(true);
    let store = open(&sim, &network).unwrap();
    store.save_token(&Token::builder().access_token("fake").build()).unwrap();
    assert_eq!(kind(open(&sim.process(), &network)), Some(ErrorKind::Locked), "exclusive, without asking for that");
    store.close().unwrap();
    drop(store);
    assert_eq!(open(&sim.process(), &network).unwrap().get_tokens().unwrap().len(), 1);
}

#[test]
fn on_a_local_one_the_same_options_let_others_in() {
    let sim = Sim::new();
    let network = options().network(true);
    let store = open(&sim, &network).unwrap();
    assert_eq!(kind(open(&sim.process(), &network)), None);
    drop(store);
}
