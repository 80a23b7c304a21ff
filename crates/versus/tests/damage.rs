//! The comparison itself: tokcask comes through it, and each bad outcome would be seen.
//!
//! Method: beside tokcask, stores that are one text file with a checksum in each line, and that have one habit where a
//! line is damaged. Each has to be found out. The workers are this program, in its first test.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use tokcask_versus::engines::{ALL, Engine, Store, find};
use tokcask_versus::measure::{Measured, Settings, measure};
use tokcask_versus::outcome::Counts;
use tokcask_versus::random::mix;
use tokcask_versus::worker::{Program, obey};
use tokcask_versus::{Error, Result};

#[test]
fn a_child_does_as_it_is_told() {
    let plain = HABITS.iter().map(|(_, engine)| -> &dyn Engine { engine });
    obey(&ALL.into_iter().chain(plain).collect::<Vec<_>>()).unwrap();
}

fn settings(cases: usize, jobs: usize, limit: Duration) -> Settings {
    let arguments = ["a_child_does_as_it_is_told", "--exact", "--nocapture", "--test-threads=1"];
    let program = Program { arguments: arguments.map(String::from).into() };
    Settings { cases, seed: 1, limit, jobs, folder: std::env::temp_dir(), program }
}

fn run(engine: &dyn Engine, cases: usize) -> (Counts, Measured) {
    let measured = measure(engine, &settings(cases, 2, Duration::from_secs(60))).unwrap();
    (measured.total(), measured)
}

#[test]
fn tokcask_never_misleads_its_caller_nor_ends() {
    let (counts, measured) = run(find(&ALL, "tokcask").unwrap(), 60);
    assert_eq!((counts.bad(), counts.told), (0, 0), "{measured:?}");
    assert!(counts.cases() > 500 && counts.error > 100 && counts.no_effect > 100, "{counts:?}");
}

#[test]
fn every_other_store_can_be_measured() {
    for engine in ALL {
        let (counts, _) = run(engine, 2);
        assert!(counts.cases() >= 16, "{}: {counts:?}", engine.name());
    }
}

/// A text file; each line a checksum, the user, the record.
struct Plain(Habit);

/// What it does where a line is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
    Refuses,
    Trusts,
    Stops,
    StopsAndTells,
    Skips,
    Aborts,
    Panics,
    Hangs,
    /// It refuses. But it acknowledges some saves without writing them.
    Lies,
    /// It refuses. But it does not live to make all commits.
    Dies,
}

const HABITS: [(&str, Plain); 10] = [
    ("refuses", Plain(Habit::Refuses)),
    ("trusts", Plain(Habit::Trusts)),
    ("stops", Plain(Habit::Stops)),
    ("stops-and-tells", Plain(Habit::StopsAndTells)),
    ("skips", Plain(Habit::Skips)),
    ("aborts", Plain(Habit::Aborts)),
    ("panics", Plain(Habit::Panics)),
    ("hangs", Plain(Habit::Hangs)),
    ("lies", Plain(Habit::Lies)),
    ("dies", Plain(Habit::Dies)),
];

struct Open {
    habit: Habit,
    file: std::fs::File,
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    told: bool,
}

impl Engine for Plain {
    fn name(&self) -> &'static str {
        HABITS.iter().find(|(_, plain)| plain.0 == self.0).unwrap().0
    }

    fn title(&self) -> &'static str {
        self.name()
    }

    fn version(&self) -> String {
        String::new()
    }

    fn part(&self, file: &str) -> Option<&'static str> {
        (file == "rows").then_some("rows")
    }

    fn create(&self, directory: &Path) -> Result<Box<dyn Store>> {
        std::fs::create_dir(directory)?;
        std::fs::write(directory.join("rows"), b"")?;
        self.open(directory)
    }

    fn open(&self, directory: &Path) -> Result<Box<dyn Store>> {
        let path = directory.join("rows");
        let (mut rows, mut told) = (BTreeMap::new(), false);
        for line in std::fs::read(&path)?.split_inclusive(|byte| *byte == b'\n') {
            let (is_whole, user_name, record) = parts_of(line);
            if !is_whole {
                match self.0 {
                    Habit::Trusts => {}
                    Habit::Stops => break,
                    Habit::StopsAndTells => {
                        told = true;
                        break;
                    }
                    Habit::Skips => continue,
                    Habit::Refuses | Habit::Lies | Habit::Dies => return Err(Error::from("a damaged line")),
                    Habit::Aborts => std::process::abort(),
                    Habit::Panics => panic!("a damaged line"),
                    Habit::Hangs => std::thread::sleep(Duration::from_secs(3600)),
                }
            }
            rows.insert(user_name, record);
        }
        let file = OpenOptions::new().append(true).open(path)?;
        Ok(Box::new(Open { habit: self.0, file, rows, told }))
    }
}

impl Store for Open {
    fn save(&self, user_name: &str, record: &str) -> Result<()> {
        if self.habit == Habit::Lies && user_name.contains('7') {
            return Ok(());
        }
        if self.habit == Habit::Dies && user_name.contains('7') {
            return Err(Error::from("no room"));
        }
        let record = record.replace('\n', "|");
        let sum = checksum(user_name.as_bytes(), record.as_bytes());
        (&self.file).write_all(format!("{sum}\t{user_name}\t{record}\n").as_bytes())?;
        Ok(())
    }

    fn get(&self, user_name: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.rows.get(user_name.as_bytes()).cloned())
    }

    fn told_of_loss(&self) -> bool {
        self.told
    }
}

/// Whether the line is as it was written, the user, the record.
fn parts_of(line: &[u8]) -> (bool, Vec<u8>, Vec<u8>) {
    let ended = line.strip_suffix(b"\n");
    let mut parts = ended.unwrap_or(line).splitn(3, |byte| *byte == b'\t').map(<[u8]>::to_vec);
    let (sum, user_name, mut record) =
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let is_whole = ended.is_some() && sum == checksum(&user_name, &record).as_bytes();
    record.iter_mut().filter(|byte| **byte == b'|').for_each(|byte| *byte = b'\n');
    (is_whole, user_name, record)
}

fn checksum(user_name: &[u8], record: &[u8]) -> String {
    let bytes = user_name.iter().chain(b"\t").chain(record);
    format!("{:016x}", bytes.fold(0, |sum, byte| mix(sum, (*byte).into())))
}

fn plain(habit: Habit) -> &'static dyn Engine {
    &HABITS.iter().find(|(_, plain)| plain.0 == habit).unwrap().1
}

#[test]
fn a_store_that_refuses_damage_is_seen_to() {
    let (counts, _) = run(plain(Habit::Refuses), 20);
    assert_eq!(counts.bad() - counts.silent() + counts.told, 0, "{counts:?}");
    assert!(counts.error > 90, "{counts:?}");
    // A file that ends between two lines is whole, for all that such a store knows.
    assert!(counts.silent() < 3, "{counts:?}");
}

#[test]
fn a_store_that_looks_at_no_checksum_gives_wrong_values() {
    let (counts, measured) = run(plain(Habit::Trusts), 20);
    assert!(counts.wrong > 50, "{counts:?}");
    assert!(measured.examples.contains_key(&("rows", "wrong")), "{measured:?}");
}

#[test]
fn a_store_that_drops_what_follows_is_silent_and_goes_back_in_time() {
    let (counts, _) = run(plain(Habit::Stops), 20);
    assert!(counts.older > 90 && counts.error == 0, "{counts:?}");
    assert!((60..140).contains(&(counts.gone / counts.silent())), "about half: {counts:?}");
}

#[test]
fn a_store_that_drops_what_follows_and_tells_is_not_silent() {
    let (counts, _) = run(plain(Habit::StopsAndTells), 20);
    assert!(counts.told > 90 && counts.silent() < 3, "{counts:?}");
}

#[test]
fn a_store_that_skips_damaged_rows_misses_a_few() {
    let (counts, _) = run(plain(Habit::Skips), 20);
    assert!(counts.missing > 50 && counts.older > 0 && counts.wrong == 0, "{counts:?}");
}

#[test]
fn a_process_that_ends_is_seen_and_the_next_goes_on() {
    let (counts, _) = run(plain(Habit::Aborts), 5);
    assert!(counts.killed > 30 && counts.cases() == counts.killed + counts.silent(), "{counts:?}");
}

#[test]
fn a_panic_is_seen() {
    let (counts, _) = run(plain(Habit::Panics), 5);
    assert!(counts.panic > 30 && counts.cases() == counts.panic + counts.silent(), "{counts:?}");
}

#[test]
fn a_hang_is_seen() {
    // They sleep: all at the same time.
    let measured = measure(plain(Habit::Hangs), &settings(1, 8, Duration::from_secs(3))).unwrap();
    let counts = measured.total();
    assert!(counts.hang >= 7 && counts.cases() == 8, "{counts:?}");
}

#[test]
fn a_store_that_is_not_right_without_damage_is_not_measured() {
    let settings = settings(1, 1, Duration::from_secs(60));
    let error = measure(plain(Habit::Lies), &settings).unwrap_err().to_string();
    assert!(error.starts_with("an undamaged copy: missing"), "{error}");
    let error = measure(plain(Habit::Dies), &settings).unwrap_err().to_string();
    assert!(error.starts_with("7 of 200 commits were made") && error.ends_with("failed: no room"), "{error}");
}
