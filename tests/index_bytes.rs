//! What a handle says its indexes take is what the allocator gave for them; and no save waits for all of them to move.
//!
//! Method: an allocator that counts, and knows the largest piece that anybody asked for.

#![expect(unsafe_code, reason = "a global allocator is unsafe to write")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use tokcask::{Options, Token};

static LIVE: AtomicU64 = AtomicU64::new(0);
static LARGEST: AtomicU64 = AtomicU64::new(0);

struct Counting;

// SAFETY: every call goes to the system's allocator as it came; counting touches no memory of the caller's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as u64, Ordering::Relaxed);
        LARGEST.fetch_max(layout.size() as u64, Ordering::Relaxed);
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

const ROWS: u32 = 60_000;

/// Saves the rows, opens the store anew, and returns what its indexes are said to take, and what they take.
fn told_and_taken(path: &Path, row: impl Fn(u32) -> Token) -> (u64, u64) {
    let options = Options::new().background(false);
    let store = options.open(path).unwrap();
    LARGEST.store(0, Ordering::Relaxed);
    for start in (0..ROWS).step_by(100) {
        store.save_tokens(&(start..start + 100).map(&row).collect::<Vec<_>>()).unwrap();
    }
    // A piece of the rows' places. A table of all keys, or a map of all that is shared, would take a mebibyte.
    let largest = LARGEST.load(Ordering::Relaxed);
    assert!(largest <= 256 << 10, "a save moved {largest} bytes");
    store.close().unwrap();
    drop(store);
    let before = LIVE.load(Ordering::Relaxed);
    let store = options.open(path).unwrap();
    let taken = LIVE.load(Ordering::Relaxed) - before;
    (store.stats().unwrap().index_bytes, taken)
}

/// One test, for the allocator counts for all threads.
#[test]
fn what_the_indexes_are_said_to_take_is_what_they_take_and_no_save_moves_much_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let key = |name: &str, number: u32| format!("fake-{name}-{number}");
    let no_key_shared = |number: u32| {
        let with_user = Token::builder().user_name(key("user", number)).access_token(key("access", number));
        with_user.refresh_token(key("refresh", number)).build()
    };
    let (told, taken) = told_and_taken(&directory.path().join("keys"), no_key_shared);
    assert!(told.abs_diff(taken) < taken / 50, "different keys: told {told}, taken {taken}");
    let store = Options::new().background(false).open(directory.path().join("keys")).unwrap();
    let opened = store.stats().unwrap().index_bytes;
    store.save_tokens(&(ROWS..ROWS + 100).map(no_key_shared).collect::<Vec<_>>()).unwrap();
    let grown = store.stats().unwrap().index_bytes - opened;
    assert!(grown < opened / 20, "the first batch after opening made the indexes grow by {grown} of {opened} bytes");
    drop(store);

    let shared_by_all = |number: u32| {
        let with_id = Token::builder().id(number.to_string()).access_token("fake").refresh_token("fake");
        with_id.grant_token("fake").build()
    };
    let (told, taken) = told_and_taken(&directory.path().join("all"), shared_by_all);
    assert!(told.abs_diff(taken) < taken / 8, "shared by all: told {told}, taken {taken}");

    let shared_by_two =
        |number: u32| Token::builder().id(number.to_string()).grant_token(key("grant", number / 2)).build();
    let (told, taken) = told_and_taken(&directory.path().join("two"), shared_by_two);
    assert!(told.abs_diff(taken) < taken / 2, "shared by two: told {told}, taken {taken}");
}
