//! What the `metrics` crate is told, by a recorder that writes it down.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key as Name, KeyName, Metadata, Recorder, SharedString,
    Unit,
};
use tokcask::{Key, Options, RefreshPolicy, Token, TokenStore};

/// Values by name and labels; of a histogram how many there were.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<BTreeMap<String, f64>>>);

struct Line {
    notes: Notes,
    name: String,
}

impl Line {
    fn change(&self, change: impl FnOnce(&mut f64)) {
        change(self.notes.0.lock().unwrap().entry(self.name.clone()).or_default());
    }
}

#[expect(clippy::cast_precision_loss, reason = "small counts")]
impl CounterFn for Line {
    fn increment(&self, by: u64) {
        self.change(|value| *value += by as f64);
    }
    fn absolute(&self, to: u64) {
        self.change(|value| *value = to as f64);
    }
}

impl GaugeFn for Line {
    fn increment(&self, by: f64) {
        self.change(|value| *value += by);
    }
    fn decrement(&self, by: f64) {
        self.change(|value| *value -= by);
    }
    fn set(&self, to: f64) {
        self.change(|value| *value = to);
    }
}

impl HistogramFn for Line {
    fn record(&self, value: f64) {
        assert!(value >= 0.0);
        self.change(|count| *count += 1.0);
    }
}

impl Notes {
    fn line(&self, name: &Name) -> Arc<Line> {
        let labels = name.labels().filter(|label| label.key() != "store").map(|label| format!(" {}", label.value()));
        assert!(name.labels().any(|label| label.key() == "store" && !label.value().is_empty()), "{name}");
        Arc::new(Line { notes: self.clone(), name: format!("{}{}", name.name(), labels.collect::<String>()) })
    }
}

impl Recorder for Notes {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, name: &Name, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.line(name))
    }
    fn register_gauge(&self, name: &Name, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.line(name))
    }
    fn register_histogram(&self, name: &Name, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.line(name))
    }
}

#[test]
fn counts_times_and_sizes_reach_the_recorder_and_no_secret_does() {
    let notes = Notes::default();
    metrics::with_local_recorder(&notes, || {
        let dir = tempfile::tempdir().unwrap();
        let store = Options::new().background(false).open(dir.path()).unwrap();
        let row =
            Token::builder().user_name("ann").access_token("fake-secret").refresh_token("fake-1").expiry_time("1");
        store.save_token(&row.build()).unwrap();
        assert!(store.get(Key::UserName("bob")).unwrap().is_none());
        let answer = Token::builder().access_token("fake-secret-2").expiry_time("4102444800000").build();
        store.refresh(Key::UserName("ann"), RefreshPolicy::new(), |_| Ok::<_, &str>(answer)).unwrap();
        store.stats().unwrap();
    });
    let notes = notes.0.lock().unwrap();
    let value = |name: &str| *notes.get(name).unwrap_or_else(|| panic!("{name} is not among {notes:?}"));
    assert_eq!(
        (value("tokcask_misses_total"), value("tokcask_writes_total"), value("tokcask_syncs_total")),
        (1.0, 2.0, 2.0)
    );
    assert_eq!((value("tokcask_refreshes_total by_us"), value("tokcask_refreshes_total busy")), (1.0, 0.0));
    assert_eq!(
        (value("tokcask_write_seconds"), value("tokcask_provider_seconds"), value("tokcask_tokens")),
        (2.0, 1.0, 1.0)
    );
    assert!(value("tokcask_next_expiry_seconds") > 1e9, "in the year 2100");
    assert!(notes.keys().all(|name| !name.contains("fake")), "{notes:?}");
}
