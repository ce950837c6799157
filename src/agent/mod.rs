//! The agent: sources, sinks, and the pipeline between them.
mod checkpoint;
pub mod config;
mod data_dir;
mod file_source;
mod identity;
mod outlet;
mod stop;
