//! Log lines, on standard error: standard output belongs to results.

use tracing_subscriber::EnvFilter;

use crate::args::LogFormat;
use crate::output::takes_colour;

/// What guests can have logged as often as they like; their attempts' own logs tell them of it.
const QUIET: &str = "wasmtime_wasi_http=error";

/// Starts logging. `RUST_LOG` says what, else `default`.
pub fn to_stderr(format: LogFormat, default: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("{default},{QUIET}")));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // Somebody else's logging in the same process would be no reason not to start.
    let _ = match format {
        LogFormat::Text => lines.with_ansi(takes_colour(&std::io::stderr())).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}
