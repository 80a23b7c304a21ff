//! On a terminal there is an aligned table, and a bar while something takes long; off it there is no bar.
//!
//! Method: the program runs on a pseudo-terminal of 100 columns; what it writes is recorded and read.

use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::fixture::Fixture;
use crate::run::{PROGRAM, run};

/// Everything that the program writes to its terminal.
fn record(args: &[&str]) -> String {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let slave = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    tcsetwinsize(&slave, Winsize { ws_row: 40, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(args).env("TERM", "xterm-256color").env_remove("NO_COLOR");
    command.stdin(Stdio::null()).stdout(slave.try_clone().unwrap()).stderr(slave);
    let mut child = command.spawn().unwrap();
    // Its ends of the terminal; with the last of them the recording ends.
    drop(command);
    let (mut recording, mut chunk) = (Vec::new(), [0; 4096]);
    let mut master = File::from(master);
    // EIO says that nobody has the other end any more.
    while let Ok(read @ 1..) = master.read(&mut chunk) {
        recording.extend_from_slice(&chunk[..read]);
    }
    let status = child.wait().unwrap();
    let recording = String::from_utf8_lossy(&recording).into_owned();
    assert!(status.success(), "{recording}");
    recording
}

/// What is left of a recording: of every line, what came after it was cleared last.
fn on_screen(recording: &str) -> String {
    const CLEAR: &str = "\r\u{1b}[2K";
    let lines = recording.split('\n').map(|line| line.rsplit(CLEAR).next().unwrap_or_default().trim_end_matches('\r'));
    lines.collect::<Vec<_>>().join("\n")
}

fn with_rows() -> (Fixture, String) {
    let fixture = Fixture::new();
    let line = |id: u32| format!("{{\"id\":\"{id}\",\"user_name\":\"user {id}\",\"access_token\":\"fake-{id}\"}}\n");
    let file = fixture.file("rows", (1..=30_000).map(line).collect::<String>());
    (fixture, file)
}

#[test]
fn long_work_shows_a_bar() {
    let (fixture, file) = with_rows();
    let store = fixture.store();
    let (backup, salvaged, out) = (fixture.at("backup"), fixture.at("salvaged"), fixture.at("out"));
    let commands: [(&str, &[&str]); 7] = [
        ("import", &["--from", "json", &file]),
        ("verify", &[]),
        ("sweep", &["--older-than", "36500d"]),
        ("backup", &[&backup]),
        ("compact", &[]),
        ("salvage", &[&salvaged]),
        ("export", &["--to", "json", &out]),
    ];
    for (command, args) in commands {
        let recording = record(&[&[command, store.as_str()], args].concat());
        let bars: Vec<_> =
            recording.split(['\r', '\n']).filter(|line| line.contains(command) && line.contains("% ")).collect();
        assert!(bars.iter().any(|bar| bar.contains("[=") && bar.contains("] 100% ")), "{command}: {recording:?}");
        assert!(bars.iter().all(|bar| bar.chars().count() < 110), "{command}: {recording:?}");
        // The first draws are not held back, however fast it goes.
        assert!(bars.iter().any(|bar| bar.contains('>')), "{command}: the bar never moved: {recording:?}");
        let screen = on_screen(&recording);
        assert!(!screen.is_empty() && !screen.contains('%'), "{command}: the bar is left there: {screen:?}");
    }
}

#[test]
fn there_is_no_bar_for_scripts() {
    let (fixture, file) = with_rows();
    let recording = record(&["--json", "import", &fixture.store(), "--from", "json", &file]);
    assert_eq!(recording, "{\"imported\":30000,\"skipped\":[],\"clashes\":0}\r\n");
    run(&["verify", &fixture.store()]).ok();
}

#[test]
fn a_table_on_a_terminal_is_the_table_in_a_file() {
    let fixture = Fixture::filled();
    let recording = record(&["list", &fixture.store()]);
    let file = run(&["list", &fixture.store()]).ok().out;
    assert_eq!(on_screen(&recording), file);
    assert!(file.starts_with("id  user name           access"), "{file}");
}
