//! The program as a user sees it: real processes, pipes, files and signals.

mod exec;
mod explain;
mod exposures;
mod filter;
mod keys;
mod limits;
mod pages;
mod pressure;
mod recording;
mod redaction;
mod rules;
mod run;
mod sandbox;
mod scan;
mod signals;
mod stats_file;
mod support;
