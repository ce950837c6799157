//! The agent: sources, sinks, and the pipeline between them.
//!
//! ```text
//! source ─ Stream (records, redaction) ─ Outlet ═╦═ queue ─ sink
//!    ▲                                           ╚═ queue ─ sink
//!    └──────────────── Receipt ◀──────────────── Delivery::acknowledge
//! ```
//!
//! Sources and sinks are tasks. A block goes from a source to all its sinks, in order; each sink acknowledges it when
//! it is durable there. All queues are bounded in bytes, and a source reads no further while one is full.

mod alert;
mod api;
mod append_file;
mod attempts;
mod backoff;
mod batch;
mod canary;
mod cgroup;
mod checkpoint;
pub mod config;
mod connections;
mod control;
mod counters;
mod data_dir;
mod emitter;
mod exposures;
mod failure;
mod file_sink;
mod file_source;
mod identity;
mod inlet;
mod key_reload;
mod limits;
mod link;
mod outlet;
mod pipeline;
mod queue;
mod recording;
mod sampled;
mod sandbox;
mod seldom;
mod sink;
mod source;
mod status;
mod stdin_source;
mod stdout_sink;
mod stop;
mod sys;
mod tcp_sink;
mod tcp_source;
#[cfg(test)]
mod tests;
mod tls;
mod udp_source;
mod unix_source;
mod window;

pub use alert::AlertStatus;
pub use canary::{UntrustedSource, check_engine};
pub use control::{Control, Controller};
pub use emitter::EmitStatus;
pub use failure::Failure;
pub use limits::{Limit, Limits, MemoryShort, worker_threads};
pub use pipeline::{Agent, Outcome};
pub use sandbox::{SandboxError, confine, reload_problems};
pub use status::{Health, KeyStatus, Reading, SinkState, SinkStatus, SourceStatus, Status};
