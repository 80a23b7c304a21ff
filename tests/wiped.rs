//! Memory that the store gives back holds no token text: neither after what succeeds nor after what is refused.
//!
//! Method: an allocator looks through every block that is freed. The disk is a real one, for the simulated machine keeps
//! what is written in memory of its own; a refused save is on the simulated one, which never gets to see it.

#![expect(unsafe_code, reason = "a global allocator is unsafe to write")]

mod sim;

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use sim::Sim;
use tokcask::{ErrorKind, Key, LogStore, Options, ReadMode, Token, TokenStore, open_on};

const SECRET: &str = "fake-canary-in-memory";

static LOOKING: AtomicBool = AtomicBool::new(false);
static FOUND: AtomicUsize = AtomicUsize::new(0);

struct Looking;

// SAFETY: every call goes to the system's allocator; a block is only read, by whoever frees it, and was zeros at first.
unsafe impl GlobalAlloc for Looking {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the promises of `alloc`, which are the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if LOOKING.load(Ordering::Relaxed) {
            // SAFETY: the block is the caller's until it is freed below.
            let block = unsafe { std::slice::from_raw_parts(pointer, layout.size()) };
            if block.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()) {
                FOUND.fetch_add(1, Ordering::Relaxed);
            }
        }
        // SAFETY: it came from `alloc` above with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Looking = Looking;

/// In how many blocks that `work` frees the secret is left.
fn left_by<R>(work: impl FnOnce() -> R) -> usize {
    FOUND.store(0, Ordering::Relaxed);
    LOOKING.store(true, Ordering::Relaxed);
    drop(work());
    LOOKING.store(false, Ordering::Relaxed);
    FOUND.load(Ordering::Relaxed)
}

fn token(user: &str) -> Token {
    Token::builder().user_name(user).refresh_token(SECRET).access_token("fake").extra("scope", SECRET).build()
}

/// Something that a store does with secrets.
type Step<'a> = &'a dyn Fn(&LogStore);

/// One test, for the allocator looks at all threads.
#[test]
fn what_the_store_frees_holds_no_secret() {
    let mut seen = vec![0; SECRET.len()];
    seen.copy_from_slice(SECRET.as_bytes());
    assert_eq!(left_by(|| seen), 1, "it would be seen");

    let directory = tempfile::tempdir().unwrap();
    for (read_mode, name) in [(ReadMode::Map, "mapped"), (ReadMode::Copy, "copied")] {
        let path = directory.path().join(name);
        let (copy, saved) =
            (directory.path().join(format!("{name}.backup")), directory.path().join(format!("{name}.new")));
        let open = || Options::new().background(false).read_mode(read_mode).open(&path).unwrap();
        let steps: [(&str, Step<'_>); 9] = [
            ("save", &|store| drop(store.save_token(&token("ann")).unwrap())),
            ("save again", &|store| drop(store.save_token(&token("ann")).unwrap())),
            ("batch", &|store| drop(store.save_tokens(&[token("bob"), token("cid"), token("bob")]).unwrap())),
            ("find", &|store| assert!(store.get(Key::RefreshToken(SECRET)).unwrap().is_some())),
            ("list", &|store| assert_eq!(store.get_tokens().unwrap().len(), 3)),
            ("delete", &|store| assert!(store.delete("2").unwrap())),
            ("backup", &|store| store.backup(&copy).unwrap()),
            ("compact", &|store| assert!(store.compact().unwrap().log_bytes_after > 0)),
            ("clear", &|store| store.delete_tokens().unwrap()),
        ];
        for (step, act) in steps {
            let mut store = None;
            assert_eq!(left_by(|| store = Some(open())), 0, "{name}, opening before {step}");
            assert_eq!(left_by(|| act(store.as_ref().unwrap())), 0, "{name}, {step}");
            assert_eq!(left_by(|| drop(store)), 0, "{name}, dropping after {step}");
        }
        assert_eq!(left_by(|| Options::new().salvage(&copy, &saved).unwrap()), 0, "{name}, salvage");
    }

    let cut = left_by(|| {
        let mut text = String::from("fake-") + SECRET;
        text.truncate(5);
        Token::builder().access_token(text).build()
    });
    assert_eq!(cut, 0, "what was cut off from text that a builder got");

    let sim = Sim::new();
    let options = Options::new().background(false).read_mode(ReadMode::Copy);
    let store = open_on(&options, Arc::new(sim.clone()), Path::new("/store")).unwrap();
    store.save_token(&Token::builder().access_token("fake").build()).unwrap();
    sim.set_quota(Some(sim.used()));
    let large = "x".repeat(200_000);
    let refused = left_by(|| {
        let row = token("ann").to_builder().extra("large", &large).build();
        assert_eq!(store.save_token(&row).unwrap_err().kind(), ErrorKind::NoSpace);
    });
    assert_eq!(refused, 0, "a save for which there is no room");
}
