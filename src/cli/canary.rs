//! What the start-up checks of the engine are minted from, and how their failure is told.

use super::exit::{Exit, Failure};
use crate::codec::CanarySeed;

/// Runs a check with fresh randomness. No configuration can let such a credential pass, so a failure is a defect here.
pub(super) fn check<E: std::fmt::Display>(check: impl FnOnce(&CanarySeed) -> Result<(), E>) -> Result<(), Failure> {
    let mut seed: CanarySeed = [0; 64];
    getrandom::fill(&mut seed).map_err(|error| Failure::new(Exit::Io, format_args!("no random numbers: {error}")))?;
    check(&seed).map_err(|error| {
        Failure::new(Exit::Engine, format_args!("the start-up check failed: {error}; nothing was opened"))
    })
}
