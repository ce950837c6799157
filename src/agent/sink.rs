//! What all sinks share.

/// How a sink ended without a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SinkEnd {
    /// All sources have ended, and all that they sent is delivered.
    Drained,
    /// Nobody reads its output any more.
    ReaderGone,
}
