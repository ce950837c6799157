//! Streaming log redaction: finds JWTs and bearer credentials and replaces each by a keyed fingerprint. Every other byte
//! stays as it is.
//!
//! ```text
//!  bytes in any pieces ──▶ Redactor ──▶ clean bytes, released as soon as they are decided
//!                             │
//!                             └──▶ findings: kind, position, fingerprint; never the credential
//! ```
//!
//! A credential becomes `redacted-<kind>-<key id>-<digest>`. The digest is the same wherever the same credential appears
//! under the same key, so a responder can follow it through all logs, and whoever reads them can't use it.
//!
//! Programs that write their own logs put a [`RedactingWriter`] or, with `tracing`, a [`RedactingMakeWriter`] in front of
//! their output:
//!
//! ```
//! use beartrap::{KeyRing, Options, Redaction, Redactor};
//!
//! let keys = KeyRing::parse(b"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff")?;
//! let redaction = Redaction::new(keys, Options::default())?;
//! let redacted = Redactor::new(&redaction).redact(b"GET /health 200");
//! assert_eq!(redacted.clean, b"GET /health 200");
//! assert!(redacted.findings.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A key is 32 secret bytes; the example's is known to everybody. The modules below are those of the `beartrap` program
//! and may change with every version.

// Tests unwrap and print; the product does neither.
#![cfg_attr(
    not(any(test, fuzzing)),
    warn(clippy::unwrap_used, reason = "what can't fail says why in `expect`, and everything else is handled"),
    warn(
        clippy::print_stdout,
        clippy::print_stderr,
        reason = "they panic on a closed pipe and pass the redactor by: print through `cli::stdout` and `cli::stderr`"
    )
)]

#[doc(hidden)]
pub mod agent;
#[doc(hidden)]
pub mod cli;
#[doc(hidden)]
pub mod codec;
#[doc(hidden)]
pub mod filter;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
#[doc(hidden)]
pub mod key_file;
#[doc(hidden)]
pub mod ledger;
mod metrics;
#[doc(hidden)]
pub mod redact;
#[doc(hidden)]
pub mod rule_file;
pub mod scan;
#[doc(hidden)]
pub mod second_look;
mod writer;

pub use redact::{
    Carrier, Clean, CleanBlock, Counts, Finding, Fingerprint, Key, KeyError, KeyRing, Kind, Options, Redacted,
    Redaction, Redactor,
};
pub use writer::{RedactingMakeWriter, RedactingWriter};
