//! What a handle says its indexes take is what the allocator gave for them, within a quarter.
//!
//! Method: an allocator that counts; a log is opened, and what lives on afterwards is compared with `index_bytes`.

#![expect(unsafe_code, reason = "a global allocator is unsafe to write")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use tokcask::{Options, Token};

static LIVE: AtomicU64 = AtomicU64::new(0);

struct Counting;

// SAFETY: every call goes to the system's allocator as it came; counting touches no memory of the caller's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: the caller keeps the promises of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: it came from `alloc` above with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Saves the rows, opens the store anew, and returns what its indexes are said to take, and what they take.
fn told_and_taken(path: &Path, row: impl Fn(u32) -> Token) -> (u64, u64) {
    const ROWS: u32 = 40_000;
    let options = Options::new().background(false);
    let store = options.open(path).unwrap();
    for start in (0..ROWS).step_by(10_000) {
        store.save_tokens(&(start..start + 10_000).map(&row).collect::<Vec<_>>()).unwrap();
    }
    store.close().unwrap();
    drop(store);
    let before = LIVE.load(Ordering::Relaxed);
    let store = options.open(path).unwrap();
    let taken = LIVE.load(Ordering::Relaxed) - before;
    (store.stats().unwrap().index_bytes, taken)
}

/// One test, for the allocator counts for all threads.
#[test]
fn what_the_indexes_are_said_to_take_is_what_they_take() {
    let directory = tempfile::tempdir().unwrap();
    let many_keys = |number: u32| {
        let key = |name: &str| format!("fake-{name}-{number}");
        Token::builder().user_name(key("user")).access_token(key("access")).refresh_token(key("refresh")).build()
    };
    let (told, taken) = told_and_taken(&directory.path().join("keys"), many_keys);
    assert!(told.abs_diff(taken) < taken / 4, "different keys: told {told}, taken {taken}");

    let shared = |number: u32| {
        let access = format!("fake-{}", number % 2);
        Token::builder().id(number.to_string()).access_token(access).grant_token("fake-shared").build()
    };
    let (told, taken) = told_and_taken(&directory.path().join("shared"), shared);
    assert!(told.abs_diff(taken) < taken / 4, "shared keys: told {told}, taken {taken}");
}
