//! Histories as lines of words, for files.

use super::checker::{Did, Event, Row, Snapshot};

/// Words of a line. A text is led by a dot, so that there is a word if it is empty.
struct Words<'a>(std::str::Split<'a, char>);

impl Words<'_> {
    fn next(&mut self) -> &str {
        self.0.next().expect("a word more")
    }

    fn number(&mut self) -> u64 {
        self.next().parse().expect("a number")
    }

    fn text(&mut self) -> String {
        self.next().strip_prefix('.').expect("a text").to_owned()
    }

    fn row(&mut self) -> Row {
        Row { id: self.number(), revision: self.number(), access: self.text(), refresh: self.text() }
    }

    fn found(&mut self) -> Option<Row> {
        (self.next() == "row").then(|| self.row())
    }
}

fn row(row: &Row) -> String {
    format!("{} {} .{} .{}", row.id, row.revision, row.access, row.refresh)
}

fn found(found: Option<&Row>) -> String {
    found.map_or("none".to_owned(), |found| format!("row {}", row(found)))
}

pub(crate) fn of_event(event: &Event) -> String {
    let did = match &event.did {
        Did::Save { access, refresh, saved } => format!("save .{access} .{refresh} {}", row(saved)),
        Did::CompareAndSave { expected, access, saved } => format!("compare {expected} .{access} {}", row(saved)),
        // No row is at revision 0.
        Did::Conflict { expected, found } => format!("conflict {expected} {}", found.unwrap_or(0)),
        Did::Delete { id, deleted } => format!("delete {id} {}", u8::from(*deleted)),
        Did::FindUser(row) => format!("user {}", found(row.as_ref())),
        Did::FindId(id, row) => format!("id {id} {}", found(row.as_ref())),
        Did::FindRefresh(refresh, row) => format!("refresh .{refresh} {}", found(row.as_ref())),
    };
    format!("{} {} .{} {did}", event.invoked, event.returned, event.user)
}

pub(crate) fn to_event(line: &str) -> Event {
    let mut words = Words(line.split(' '));
    let (invoked, returned, user) = (words.number(), words.number(), words.text());
    let did = match words.next() {
        "save" => Did::Save { access: words.text(), refresh: words.text(), saved: words.row() },
        "compare" => Did::CompareAndSave { expected: words.number(), access: words.text(), saved: words.row() },
        "conflict" => {
            Did::Conflict { expected: words.number(), found: Some(words.number()).filter(|revision| *revision != 0) }
        }
        "delete" => Did::Delete { id: words.number(), deleted: words.number() == 1 },
        "user" => Did::FindUser(words.found()),
        "id" => Did::FindId(words.number(), words.found()),
        "refresh" => Did::FindRefresh(words.text(), words.found()),
        other => panic!("no operation is called {other}"),
    };
    assert!(words.0.next().is_none(), "no word is left of {line}");
    Event { user, invoked, returned, did }
}

pub(crate) fn of_snapshot(snapshot: &Snapshot) -> String {
    let rows: Vec<_> = snapshot.iter().map(|(user, found)| format!(".{user} {}", row(found))).collect();
    format!("{} {}", rows.len(), rows.join(" "))
}

pub(crate) fn to_snapshot(line: &str) -> Snapshot {
    let mut words = Words(line.split(' '));
    (0..words.number()).map(|_| (words.text(), words.row())).collect()
}
