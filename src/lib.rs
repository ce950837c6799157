//! Streaming log redaction: finds JWTs and bearer credentials, replaces each by a keyed fingerprint.

pub mod agent;
pub mod cli;
pub mod codec;
pub mod filter;
pub mod key_file;
pub mod redact;
