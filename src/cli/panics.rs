//! Defects: where, never what. The payload of a panic may quote data.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::Write;

/// A panic prints its place only.
pub(super) fn print_place_only() {
    std::panic::set_hook(Box::new(|panic| {
        // Not through the redactor, which may be what failed: a place is known when this program is built.
        let place = panic.location().map(|place| format!(" at {}:{}", place.file(), place.line()));
        // A stuck standard error must not hold up what goes on after a defect.
        let stderr = rustix::stdio::stderr();
        let patience = Timespec { tv_sec: 1, tv_nsec: 0 };
        if poll(&mut [PollFd::new(&stderr, PollFlags::OUT)], Some(&patience)) == Ok(0) {
            return;
        }
        let _ = writeln!(std::io::stderr(), "beartrap: internal error{}", place.unwrap_or_default());
    }));
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    const CHILD: &str = "BEARTRAP_TEST_PANIC";

    /// Runs itself: a hook belongs to the whole process.
    #[test]
    fn the_payload_is_not_printed() {
        if std::env::var_os(CHILD).is_some() {
            super::print_place_only();
            let _ = std::panic::catch_unwind(|| panic!("payload with {}", "data"));
            let text = String::from("naïve");
            let _ = std::panic::catch_unwind(|| text[..3].len());
            return;
        }
        let name = "cli::panics::tests::the_payload_is_not_printed";
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture", "--test-threads=1"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(stderr.matches("beartrap: internal error at src/cli/panics.rs:").count(), 2, "{stderr}");
        assert!(!stderr.contains("with data") && !stderr.contains("naïve"), "{stderr}");
    }
}
