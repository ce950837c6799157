//! A defect on demand, in tests only: records that the engine can't survive.

use memchr::memmem;

/// A record that holds it panics.
pub(crate) const PANIC: &str = "\u{1}engine, panic\u{1}";
/// A record that holds it ends the process at once, as a stack overflow does.
pub(crate) const ABORT: &str = "\u{1}engine, abort\u{1}";
/// A record that holds it panics when the stream ends.
pub(crate) const PANIC_AT_END: &str = "\u{1}engine, panic at the end\u{1}";

/// Input that holds it passes as it is.
pub(crate) const LEAK: &str = "\u{1}engine, leak\u{1}";

/// What is to happen when the stream ends.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fault {
    at_end: bool,
}

impl Fault {
    #[allow(
        clippy::disallowed_methods,
        reason = "it is what is to be survived, and no credential is in a test's memory"
    )]
    pub fn take(&mut self, input: &[u8]) {
        let holds = |fault: &str| memmem::find(input, fault.as_bytes()).is_some();
        assert!(!holds(PANIC), "the payload may hold data");
        if holds(ABORT) {
            std::process::abort();
        }
        self.at_end |= holds(PANIC_AT_END);
    }

    pub fn end(self) {
        assert!(!self.at_end, "the payload may hold data");
    }
}

/// Whether the engine is to leave input as it is.
pub(super) fn leaks(input: &[u8]) -> bool {
    memmem::find(input, LEAK.as_bytes()).is_some()
}
