//! Known secrets go through every public call; afterwards none of them is in memory, in any file of an encrypted store, or
//! in anything that was said.
//!
//! Method: secrets that are nowhere in this program are made, used, and wiped by the caller as well as it can. When all
//! handles and tokens are gone, everything that the process can write to is searched, which is what a core dump would hold.
//! The search itself knows the secrets only masked, and the keys that a store derives from another program. A secret that is left on purpose has to be found.

mod read_store;

use std::fmt::Debug;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Stdio};

use read_store::python_is_missing;
use tokcask::{EncryptionKey, Key, LogStore, OnClash, Options, RefreshPolicy, SweepPolicy, Token, TokenStore};
use zeroize::{Zeroize, Zeroizing};

const MASK: u8 = 0x5A;
const KINDS: [&str; 6] = ["refresh", "access", "grant", "client", "rotated", "extra"];

/// Forty digits that only this kind has, and nothing but this function makes.
fn secret(kind: &str) -> Zeroizing<String> {
    let mut state = kind
        .bytes()
        .fold(0x9E37_79B9_7F4A_7C15_u64, |state, byte| (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3));
    let mut text = Zeroizing::new(String::with_capacity(64));
    for _ in 0..40 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push(char::from(b'a' + u8::try_from(state >> 59).unwrap() % 26));
    }
    text
}

fn masked(text: &[u8]) -> Vec<u8> {
    text.iter().map(|byte| byte ^ MASK).collect()
}

fn contains(haystack: &[u8], masked: &[u8]) -> bool {
    let first = masked[0] ^ MASK;
    haystack
        .windows(masked.len())
        .any(|window| window[0] == first && window.iter().zip(masked).all(|(byte, masked)| byte ^ MASK == *masked))
}

/// Which of these are in memory that this process can write to.
fn in_memory<'a>(needles: &'a [(&'a str, Vec<u8>)]) -> Vec<&'a str> {
    const PIECE: usize = 1 << 20;
    const OVERLAP: usize = 64;
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mut memory = File::open("/proc/self/mem").unwrap();
    // Of its own, so that it is not searched for what it just held.
    let mut piece = memmap2::MmapMut::map_anon(PIECE).unwrap();
    let own = piece.as_ptr() as usize;
    let mut found = Vec::new();
    for line in maps.lines() {
        let mut fields = line.split_whitespace();
        let (range, access) = (fields.next().unwrap(), fields.next().unwrap());
        let (start, end) = range.split_once('-').unwrap();
        let [start, end] = [start, end].map(|at| usize::from_str_radix(at, 16).unwrap());
        if !access.starts_with("rw") || line.ends_with("[vvar]") {
            continue;
        }
        let mut at = start;
        while at < end {
            // A map of ours may lie in the middle of a larger range.
            if (own..own + PIECE).contains(&at) {
                at = own + PIECE;
                continue;
            }
            let stop = if at < own { end.min(own) } else { end };
            let len = PIECE.min(stop - at);
            memory.seek(SeekFrom::Start(at as u64)).unwrap();
            if memory.read_exact(&mut piece[..len]).is_err() {
                break;
            }
            found.extend(needles.iter().filter(|(_, needle)| contains(&piece[..len], needle)).map(|(kind, _)| *kind));
            at += if len == PIECE { len - OVERLAP } else { len };
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// What was said, to be searched.
#[derive(Default)]
struct Said(Zeroizing<String>);

impl Said {
    fn hear(&mut self, what: impl Debug) {
        self.0.push_str(&Zeroizing::new(format!("{what:?}\n")));
    }
}

fn token(user: &str) -> Token {
    Token::builder()
        .user_name(user)
        .client_secret(secret("client").as_str())
        .refresh_token(secret("refresh").as_str())
        .access_token(secret("access").as_str())
        .grant_token(secret("grant").as_str())
        .extra("scope", secret("extra").as_str())
        .expiry_time("1000000000000")
        .build()
}

fn rotated() -> Token {
    Token::builder().refresh_token(secret("rotated").as_str()).access_token(secret("access").as_str()).build()
}

/// Everything that the public face has.
fn use_everything(options: &Options, directory: &Path, said: &mut Said) {
    let path = directory.join("tokens");
    let store = options.open(&path).unwrap();
    let saved = store.save_token(&token("ana")).unwrap();
    said.hear(&saved);
    said.hear(store.save_tokens(&[token("bob"), token("cyd")]));
    for key in [
        Key::AccessToken(&secret("access")),
        Key::RefreshToken(&secret("refresh")),
        Key::GrantToken(&secret("grant")),
        Key::UserName("ana"),
    ] {
        said.hear(key);
        said.hear(store.get(key));
        said.hear(store.view(key, |view| view.refresh_token().map(|token| token.expose_secret().len())));
        let policy = RefreshPolicy { rejected: saved.revision(), ..RefreshPolicy::new() };
        said.hear(store.refresh(key, policy, |_| Ok::<_, String>(rotated())));
    }
    said.hear(store.find_token(&token("ana")));
    said.hear(store.iter().collect::<Vec<_>>());
    said.hear(store.compare_and_save(&token("ana"), 1));
    said.hear(store.import(&[token("eve")], OnClash::Refuse));
    said.hear(store.sweep(&SweepPolicy::default()));
    said.hear(store.save_token(&Token::builder().user_name("nothing").build()));
    said.hear(store.delete_token(&secret("access")).map_err(|error| error.kind()));
    said.hear(store.stats());
    said.hear(store.verify());
    store.backup(directory.join("backup")).unwrap();
    said.hear(store.compact());
    said.hear(store.purge());
    said.hear(&store);
    store.close().unwrap();
    drop(store);
    said.hear(options.verify(&path));
    said.hear(options.dump(&path, |frame| {
        assert!(!frame.operations.is_empty());
        ControlFlow::Continue(())
    }));
    said.hear(options.salvage(&path, directory.join("salvaged")));
    let store = options.open(&path).unwrap();
    said.hear(store.get_tokens());
    store.delete_tokens().unwrap();
    store.purge().unwrap();
}

/// The keys that this outer key gives for this log, masked; none if there is no python3.
fn derived(log: &Path, outer: &[u8]) -> Vec<(String, Vec<u8>)> {
    if python_is_missing() {
        return Vec::new();
    }
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut python = Command::new("python3")
        .args(["-B".as_ref(), tests.join("canaries/derive.py").as_os_str(), log.as_os_str()])
        .env("PYTHONPATH", tests)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = python.stdin.take().unwrap();
    for byte in outer {
        write!(input, "{byte:02x}").unwrap();
    }
    drop(input);
    let output = python.wait_with_output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let key = |line: &str| {
        let (name, hex) = line.split_once(' ').unwrap();
        let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        (name.to_owned(), (0..hex.len()).step_by(2).map(byte).collect())
    };
    let keys: Vec<_> = lines.lines().map(key).collect();
    assert_eq!(keys.len(), 4, "{lines}");
    keys
}

#[test]
fn no_secret_is_left_in_memory_in_files_or_in_what_was_said() {
    let needles: Vec<_> = KINDS.iter().map(|kind| (*kind, masked(secret(kind).as_bytes()))).collect();
    let directory = tempfile::tempdir().unwrap();
    let mut said = Said::default();
    let plain = directory.path().join("plain");
    fs::create_dir(&plain).unwrap();
    use_everything(&Options::new().background(false), &plain, &mut said);

    let sealed = directory.path().join("sealed");
    fs::create_dir(&sealed).unwrap();
    let mut bytes = Zeroizing::new([0_u8; 32]);
    getrandom::fill(bytes.as_mut_slice()).unwrap();
    let key_needle = masked(bytes.as_slice());
    let key = EncryptionKey::from_bytes(&bytes).unwrap();
    bytes.zeroize();
    use_everything(&Options::encrypted(&key).background(false), &sealed, &mut said);
    let derived = derived(&sealed.join("tokens/store.log"), &key_needle);
    let store = LogStore::open_encrypted(sealed.join("tokens"), &key).unwrap();
    store.save_token(&token("ana")).unwrap();
    if !derived.is_empty() {
        let derived: Vec<_> = derived.iter().map(|(name, needle)| (name.as_str(), needle.clone())).collect();
        assert_eq!(in_memory(&derived), ["contents", "tags"], "an open store has these two");
    }
    store.copy_decrypted(directory.path().join("decrypted")).unwrap();
    store.copy_encrypted(directory.path().join("copied"), EncryptionKey::generate().unwrap()).unwrap();
    said.hear((&key, store.rekey(EncryptionKey::generate().unwrap())));
    drop((store, key));

    for (kind, needle) in &needles {
        assert!(!contains(said.0.as_bytes(), needle), "the {kind} secret was said");
    }
    let mut files = 0;
    for folder in ["tokens", "backup", "salvaged"] {
        for file in fs::read_dir(sealed.join(folder)).unwrap() {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            assert!(needles.iter().all(|(_, needle)| !contains(&bytes, needle)) && !contains(&bytes, &key_needle));
            files += 1;
        }
    }
    assert!(files >= 6, "{files}");
    drop(said);

    let derived = derived.iter().map(|(name, needle)| (name.as_str(), needle.clone()));
    let all: Vec<_> = needles.into_iter().chain([("key", key_needle)]).chain(derived).collect();
    assert_eq!(in_memory(&all), [""; 0], "secrets are left in memory");
    // The search finds what is there.
    let left = secret("refresh").to_string();
    assert_eq!(in_memory(&all), ["refresh"]);
    drop(left);
}
