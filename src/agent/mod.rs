//! The agent: sources, sinks, and the pipeline between them.
pub mod config;
mod outlet;
