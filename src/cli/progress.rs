//! A line on the terminal that says how far a long run is.

use super::args::{ColorWhen, Global, LogFormat};
use super::stderr;
use std::cell::Cell;
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

/// Carriage return, erase to the end of the line.
const CLEAR: &str = "\r\x1b[K";

/// A line on standard error, if that is a terminal.
pub(super) struct Progress {
    is_shown: bool,
    is_drawn: Cell<bool>,
    bytes: Cell<u64>,
    started_at: Instant,
    drawn_at: Cell<Instant>,
}

impl Progress {
    const EVERY: Duration = Duration::from_millis(200);

    pub fn new(global: &Global) -> Self {
        let is_shown =
            global.color != ColorWhen::Never && global.log_format == LogFormat::Text && io::stderr().is_terminal();
        let now = Instant::now();
        Self { is_shown, is_drawn: Cell::default(), bytes: Cell::default(), started_at: now, drawn_at: Cell::new(now) }
    }

    /// Never shows anything.
    pub fn hidden(self) -> Self {
        Self { is_shown: false, ..self }
    }

    /// Counts so many bytes more. Now and then the line says how many there are, how fast they come, and `of_what`.
    pub fn add(&self, len: u64, of_what: impl FnOnce() -> String) {
        self.bytes.set(self.bytes.get() + len);
        if self.is_shown && self.drawn_at.get().elapsed() >= Self::EVERY {
            self.drawn_at.set(Instant::now());
            self.is_drawn.set(true);
            let bytes = self.bytes.get() as f64;
            let speed = bytes / 1e9 / self.started_at.elapsed().as_secs_f64();
            stderr::print(&format!("{CLEAR}{:.0} MB{}, {speed:.3} GB/s", bytes / 1e6, of_what()));
        }
    }

    /// Takes the line away before something else is written.
    pub fn clear(&self) {
        if self.is_drawn.take() {
            stderr::print(CLEAR);
        }
    }
}
