//! A process that is killed while it saves loses nothing that it was told was saved.
//!
//! Method: this program runs itself as a child that saves and writes one line to an unbuffered pipe after each save
//! that returned; the parent kills it with SIGKILL at a random moment, reopens the store, and looks for every line.
//! With a plain store, and then with an encrypted one. A save is in flight when the child has begun one more than it has acknowledged: it says so before each.

mod processes;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use processes::options;
use tokcask::{Key, Token, TokenStore};

const KILLS: usize = 100;
const CHILD: &str = "TOKCASK_TEST_KILL_DIR";

/// Never returns by itself: saves until killed.
fn child(path: &Path, round: &str) -> ! {
    let store = options(path).open(path).unwrap();
    let mut out = std::io::stderr(); // unbuffered
    for number in 0_u64.. {
        let access = format!("fake-{round}-{number}");
        let user = format!("user{}", number % 40);
        writeln!(out, "begin {user} {access}").unwrap();
        if number % 7 == 6 {
            let pair = [&user, "pair"].map(|user| Token::builder().user_name(user).access_token(&access).build());
            store.save_tokens(&pair).unwrap();
        } else {
            store.save_token(&Token::builder().user_name(&user).access_token(&access).build()).unwrap();
        }
        writeln!(out, "saved {user} {access}").unwrap();
        if number % 50 == 49 {
            store.compact().unwrap();
        }
    }
    unreachable!("the numbers do not end")
}

#[test]
fn killed_at_random_moments_every_acknowledged_save_is_there() {
    if let (Ok(path), Ok(round)) = (std::env::var(CHILD), std::env::var("TOKCASK_TEST_ROUND")) {
        child(Path::new(&path), &round);
    }
    let directory = tempfile::tempdir().unwrap();
    for name in ["plain", "sealed"] {
        kill(&directory.path().join(name));
    }
}

fn kill(path: &Path) {
    let seed = u64::from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos());
    let mut random = seed;
    let mut expected: BTreeMap<String, String> = BTreeMap::new();
    let (mut in_flight, mut acknowledged, mut recovered) = (0, 0, 0);
    let mut rounds = 0;
    // A kill now and then comes between two saves; it is made up for.
    while in_flight < 90 || rounds < KILLS {
        assert!(rounds < 3 * KILLS, "seed {seed}: only {in_flight} of {rounds} kills with a save in flight");
        rounds += 1;
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["killed_at_random_moments", "--nocapture", "--test-threads=1"])
            .envs([(CHILD, path.to_str().unwrap()), ("TOKCASK_TEST_ROUND", &rounds.to_string())])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(Duration::from_micros(random >> 49)); // to 32 ms
        process.kill().unwrap();
        process.wait().unwrap();
        let mut begun: Option<(String, String)>;
        loop {
            let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
            match words.as_slice() {
                [verb, user, access] if verb == "begin" => begun = Some((user.clone(), access.clone())),
                [verb, user, access] if verb == "saved" => {
                    expected.insert(user.clone(), access.clone());
                    acknowledged += 1;
                    begun = None;
                }
                other => panic!("seed {seed}: the child said {other:?}"),
            }
            line.clear();
            if lines.read_line(&mut line).unwrap() == 0 || !line.ends_with('\n') {
                break;
            }
        }
        in_flight += usize::from(begun.is_some());

        let store = options(path).open(path).unwrap();
        recovered += usize::from(store.open_report().recovered.is_some());
        if let Some((user, access)) = begun {
            let found = store.get(Key::AccessToken(&access)).unwrap();
            if found.is_some() {
                expected.insert(user, access); // in flight, and whole
            }
        }
        for (user, access) in &expected {
            let row = store.get(Key::UserName(user)).unwrap().unwrap_or_else(|| panic!("seed {seed}: {user} is lost"));
            assert_eq!(row.access_token().unwrap().expose_secret(), access, "seed {seed}: {user}");
        }
        let mut ids: Vec<_> = store.get_tokens().unwrap().iter().map(|row| row.id().unwrap().to_owned()).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), store.get_tokens().unwrap().len(), "seed {seed}: an id twice");
    }
    println!(
        "{}: {rounds} kills, {in_flight} with a save in flight, {acknowledged} saves acknowledged, {recovered} torn tails",
        path.display()
    );
}
