//! How far a stop has come.

/// What the agent tells its sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Go on.
    Running,
    /// Take nothing new; deliver what has been read.
    Draining,
    /// End at once.
    Now,
}
