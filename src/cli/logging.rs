//! The log of this program: on standard error, redacted, and only of its own code.

use super::args::{ColorWhen, Global, LogFormat};
use super::stderr;
use std::io::IsTerminal;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;

/// Sets up messages and log as the user wants them.
pub(super) fn set_up(global: &Global, default: Level) {
    let level = global.log_level.map_or(default, Level::from);
    stderr::set_format(level, global.log_format == LogFormat::Json);
    // Other crates may log what they handle.
    let own = Targets::new().with_target(env!("CARGO_CRATE_NAME"), level);
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(in_color(global.color))
        // Its own complaints would go to standard error past the redactor.
        .log_internal_errors(false)
        .with_writer(|| stderr::Log);
    let registry = tracing_subscriber::registry().with(own);
    // A second one can't be set, and one process sets up only once.
    let _ = match global.log_format {
        LogFormat::Text => tracing::subscriber::set_global_default(registry.with(layer)),
        LogFormat::Json => tracing::subscriber::set_global_default(registry.with(layer.json())),
    };
}

/// Whether text on standard error is coloured (<https://no-color.org>).
pub(super) fn in_color(when: ColorWhen) -> bool {
    match when {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto => {
            std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && std::io::stderr().is_terminal()
        }
    }
}
