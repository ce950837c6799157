//! What other processes of the same user may see of this one's memory: nothing.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Forbids core dumps, and the reading of this process's memory by others of the same user.
///
/// Where the system refuses, the process is as open as any other, which is no reason to let logs pass unredacted.
pub(super) fn close_memory() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    set_core_limit(Some(0));
}

/// Runs `start` under the limit on core dumps that this process was started with: a command is not ours to close.
/// (The other setting ends with its start by itself.)
pub(super) fn with_core_limit<T>(limit: Option<u64>, start: impl FnOnce() -> T) -> T {
    set_core_limit(limit);
    let started = start();
    set_core_limit(Some(0));
    started
}

/// The current limit on core dumps; `None` is unlimited.
pub(super) fn core_limit() -> Option<u64> {
    getrlimit(Resource::Core).current
}

/// Only the soft limit is changed: a hard one could not be raised again.
fn set_core_limit(current: Option<u64>) {
    let maximum = getrlimit(Resource::Core).maximum;
    let _ = setrlimit(Resource::Core, Rlimit { current, maximum });
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    const CHILD: &str = "BEARTRAP_TEST_HARDEN";

    /// Runs itself: both belong to the whole process.
    #[test]
    fn memory_is_closed() {
        if std::env::var_os(CHILD).is_some() {
            super::close_memory();
            assert_eq!(super::core_limit(), Some(0));
            #[cfg(target_os = "linux")]
            {
                use rustix::process::{DumpableBehavior, dumpable_behavior};
                assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
            }
            return;
        }
        let name = "cli::harden::tests::memory_is_closed";
        let mut command = Command::new(std::env::current_exe().unwrap());
        let output = command.args(["--exact", name, "--test-threads=1"]).env(CHILD, "1").output().unwrap();
        assert!(output.status.success(), "{}", output.stdout.escape_ascii());
        assert!(memchr::memmem::find(&output.stdout, b"1 passed").is_some());
    }
}
