//! The program as a user sees it: real processes, pipes, files and signals.

mod exec;
mod filter;
mod keys;
mod pages;
mod redaction;
mod run;
mod scan;
mod signals;
mod support;
