//! From findings to rows.

mod alerts;
mod recorder;

use super::*;
use crate::redact::{KeyRing, Options, Redaction};

pub(super) fn redaction() -> Redaction {
    let options = Options { claims: true, ..Options::default() };
    Redaction::new(KeyRing::parse(&[b'a'; 64]).unwrap(), options).unwrap()
}
