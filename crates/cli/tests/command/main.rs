//! The command, driven as a process: what it prints, how it ends, what it leaves behind.
//!
//! Each module has its own goal and method; `run` starts the program, `fixture` makes stores.

mod beside;
mod commands;
mod damaged;
mod exit_codes;
mod expiry;
mod fixture;
mod import_export;
mod keys;
mod killed;
mod people;
mod run;
mod secrets;
mod terminal;
