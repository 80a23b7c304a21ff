//! The proof: damage, crashes and failing calls, far more of them than anybody meets.
//!
//! Each part is a test that prints its seed and its counts, short when it is run with the others; the environment makes
//! it long. README, "The proof", has the commands; `crates/mutations` shows that each part can fail.

#[path = "../sim/mod.rs"]
mod sim;

mod crash;
mod damage;
mod failing;
mod history;
mod images;
mod lies;
mod model;
mod settings;
mod verdict;
