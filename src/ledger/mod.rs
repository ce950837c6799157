//! The account of exposures: which credential was seen in which log, where, since when, and until when it can be replayed.
//!
//! A credential itself is never in here, only its keyed fingerprint, what carried it, and what a JWT says of itself. Whoever
//! can cause a log line can make up a row: nothing is verified.

mod error;
mod exposure;
mod filter;
mod json_time;
pub mod page;
mod policy;
mod record_time;
mod recorder;
mod store;
mod tally;
mod writer;

pub use error::LedgerError;
pub use exposure::{Claims, Exposure, Location, PolicyFinding, Severity, Status, TimeOf};
pub use filter::{Filter, Sort};
pub use policy::{Context, POLICIES, Policy, PolicyLimits};
pub use recorder::{FlushTicket, Flusher, LEDGER_BYTES_MAX, Ledger, Recorder, Settings};
pub use store::{
    Account, AlertKey, Batch, BatchEntry, Changed, ClaimName, Forgotten, Identity, Interrupter, Joined, Limits,
    Manifest, Mark, Merged, Page, Portable, PortableCount, Portables, Pruned, Seen, Snapshot, Store, Summary,
    is_cursor,
};
pub use tally::{Place, Text};
pub use writer::LedgerCounters;

#[cfg(test)]
mod tests;
