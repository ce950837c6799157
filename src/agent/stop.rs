//! What sources are told about the end.

/// How far the agent's end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Not at all.
    Running,
    /// Nothing new is begun; what is open is read to its end, for the grace time at most.
    Draining,
    /// What is not done by now is not done.
    Now,
}
