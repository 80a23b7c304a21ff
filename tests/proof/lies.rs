//! The proof can fail: on a machine that lies about what is durable, it has to notice every lie.

use super::crash;
use super::sim::Lie;

/// So many images are enough for any of them.
const IMAGES: u64 = 20_000;

fn violations(lie: Lie) -> Vec<String> {
    let tally = crash::campaign(IMAGES, Some(lie));
    println!("{lie:?}: {tally}");
    tally.violations
}

#[test]
fn crashes_tell_a_sync_that_does_nothing() {
    assert_ne!(violations(Lie::SyncDoesNothing), [""; 0]);
}

#[test]
fn crashes_tell_a_directory_that_is_not_synced() {
    assert_ne!(violations(Lie::DirectoriesAreNotSynced), [""; 0]);
}

#[test]
fn crashes_tell_a_rename_that_is_not_durable() {
    assert_ne!(violations(Lie::RenamesAreNotDurable), [""; 0]);
}

#[test]
fn crashes_tell_reads_that_are_stale() {
    assert_ne!(violations(Lie::StaleReads), [""; 0]);
}
