//! The command line of the benches that are plain programs. Flags that Cargo and criterion know are passed over.

use std::error::Error;

/// What [`Args::parse`] understands.
pub(crate) struct Args {
    pub(crate) tokens: Option<u64>,
    pub(crate) quick: bool,
}

impl Args {
    /// Reads `--tokens N` and `--quick` among whatever else `cargo bench` hands to all benches alike.
    ///
    /// # Errors
    /// If `--tokens` is not followed by a number over 0.
    pub(crate) fn parse() -> Result<Self, Box<dyn Error>> {
        let mut parsed = Self { tokens: None, quick: false };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--tokens" => {
                    let value = args.next().unwrap_or_default();
                    let tokens = value.parse().ok().filter(|tokens| *tokens > 0);
                    parsed.tokens = Some(tokens.ok_or(format!("--tokens takes a number over 0, not {value:?}"))?);
                }
                "--quick" => parsed.quick = true,
                _ => {}
            }
        }
        Ok(parsed)
    }
}

/// Whether `cargo bench` runs this, which says so. `cargo test --benches` only wants to know that it starts.
pub(crate) fn is_bench() -> bool {
    let has = |flag| std::env::args().any(|arg| arg == flag);
    has("--bench") && !has("--test") && !has("--list")
}
