//! The events of the `tracing` feature: they are there, and no secret is in any of them.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use tokcask::{LogStore, Token, TokenStore};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Keeps the text of every event.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<String>>>);

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").expect("a string takes all");
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut text = Text(event.metadata().level().to_string());
        event.record(&mut text);
        self.0.lock().unwrap().push(text.0);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn events_tell_what_happened_and_no_secret() {
    let recorder = Recorder::default();
    tracing::subscriber::with_default(recorder.clone(), || {
        let directory = tempfile::tempdir().unwrap();
        let store = LogStore::open(directory.path().join("tokens")).unwrap();
        let token = Token::builder().user_name("ana").access_token("fake-canary").refresh_token("fake-canary").build();
        store.save_token(&token).unwrap();
        store.compact().unwrap();
        store.delete("1").unwrap();
    });
    let events = recorder.0.lock().unwrap().join("\n");
    for expected in ["store opened", "commit", "compacted"] {
        assert!(events.contains(expected), "no {expected:?} in\n{events}");
    }
    assert!(!events.contains("canary"), "{events}");
}
