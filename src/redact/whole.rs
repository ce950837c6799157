//! Scanning texts that are at hand as a whole, for formats that take records apart or put them together.

use super::finding::Finding;
use super::grammar::{Grammar, Quote};
use super::marker::Template;
use super::names::{self, Class};
use super::ruled::Ruled;
use super::scan::{Output, Scan, Window};
use super::{Carrier, Carry, CleanBlock, Counts, Fingerprint, Kind, Redaction};
use std::ops::Range;

/// The name of a member whose value is, or may be, a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    class: Class,
    /// The name stands beside the value, not before it: the value must look like a credential.
    beside: bool,
}

impl Member {
    /// The name as the element before its value, as headers are written too: `["Authorization", "…"]`.
    pub fn beside(self) -> Option<Self> {
        matches!(self.class, Class::Authorization | Class::Cookie | Class::Credential)
            .then_some(Self { beside: true, ..self })
    }
}

/// One credential in a text, and what it becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Replacement {
    pub range: Range<usize>,
    /// Whose marker it becomes; the further lines of a block become nothing.
    fingerprint: Option<Fingerprint>,
    complete: bool,
    pub carrier: Carrier,
    /// What goes before and behind the marker.
    quote: Vec<u8>,
}

impl Replacement {
    pub(super) fn new(finding: &Finding) -> Self {
        let start = finding.offset as usize;
        let mut quote = Vec::new();
        if let Some(Quote { byte, backslashes }) = finding.requote {
            quote.resize(backslashes, b'\\');
            quote.push(byte);
        }
        let Finding { fingerprint, complete, carrier, .. } = *finding;
        let range = start..start + finding.len as usize;
        Self { range, fingerprint: Some(fingerprint), complete, carrier, quote }
    }

    /// A line of a block.
    pub(super) fn of_block(range: Range<usize>, fingerprint: Option<Fingerprint>) -> Self {
        Self { range, fingerprint, complete: true, carrier: Carrier::Rule, quote: Vec::new() }
    }

    /// Appends what takes the credential's place.
    pub(super) fn write(&self, template: &Template, out: &mut Vec<u8>) {
        if let Some(fingerprint) = &self.fingerprint {
            out.extend_from_slice(&self.quote);
            template.write(fingerprint, out);
            out.extend_from_slice(&self.quote);
        }
    }

    /// The finding in a stream in which the text begins at `base`; `None` for the further lines of a block.
    pub fn finding(&self, base: u64) -> Option<Finding> {
        Some(Finding {
            offset: base + self.range.start as u64,
            len: self.range.len() as u64,
            fingerprint: self.fingerprint?,
            complete: self.complete,
            carrier: self.carrier,
            requote: None,
        })
    }

    /// The same replacement seen from outside a JSON string: at another place, its quotes escaped.
    pub fn inside_string(mut self, range: Range<usize>) -> Self {
        self.range = range;
        self.quote = self.quote.iter().flat_map(|&byte| [b'\\', byte]).collect();
        self
    }
}

impl Redaction {
    /// Whether there is anything in `text` that a decision could begin at.
    pub(crate) fn may_hold(&self, text: &[u8]) -> bool {
        let shared = self.shared();
        shared.anchors.any(text) || shared.rules.may_match(text)
    }

    /// Where the first thing in `text` is that a decision could begin at: before it there is nothing. With rules nobody knows.
    pub(crate) fn first_place(&self, text: &[u8]) -> usize {
        let shared = self.shared();
        if shared.rules.is_empty() { shared.anchors.first(text).unwrap_or(text.len()) } else { 0 }
    }

    /// What a member's name says of its value.
    pub(crate) fn member(&self, name: &[u8]) -> Option<Member> {
        names::classify_text(name, &self.shared().extra_names).map(|class| Member { class, beside: false })
    }

    /// What a cookie's name says of its value.
    pub(crate) fn cookie(&self, name: &[u8]) -> Option<Member> {
        names::is_credential_cookie(name).then_some(Member { class: Class::Credential, beside: false })
    }

    /// Finds the credentials of a complete text that comes out of a string.
    pub(crate) fn scan_text(&self, text: &[u8], found: &mut Vec<Replacement>) {
        self.scan(Scan::of_string(), text, Carry::None, found);
    }

    /// Finds the secret members of JOSE objects in a JSON text.
    pub(crate) fn scan_objects(&self, text: &[u8], found: &mut Vec<Replacement>) {
        if memchr::memmem::find(text, b"protected").is_some() {
            self.scan(Scan::of_objects(), text, Carry::None, found);
        }
    }

    /// Finds the credentials of a line behind a line that left something open, and gives what this one leaves open.
    pub(crate) fn scan_line(&self, text: &[u8], before: Carry, found: &mut Vec<Replacement>) -> Carry {
        self.scan(Scan::new(0), text, before, found)
    }

    /// Adds what rules find in a text, whatever it is; false if that is nothing.
    pub(crate) fn scan_rules(&self, text: &[u8], found: &mut Vec<Replacement>) -> bool {
        let shared = self.shared();
        let before = found.len();
        if !shared.rules.is_empty() {
            found.extend(Ruled::default().into_items(&shared, text, &[], Carry::None).0);
        }
        found.len() > before
    }

    /// Finds the credentials of a text that is the value of a member.
    pub(crate) fn scan_member(&self, member: Member, text: &[u8], found: &mut Vec<Replacement>) {
        self.scan(Scan::of_member(member.class, member.beside), text, Carry::None, found);
    }

    /// Decides whether a JSON number that is the value of a member must go; a string takes its place.
    pub(crate) fn scan_number(&self, member: Member, number: &[u8], found: &mut Vec<Replacement>) {
        if matches!(member.class, Class::Authorization | Class::Credential) {
            let before = found.len();
            self.scan(Scan::of_value(Grammar::Number, Kind::Token), number, Carry::None, found);
            for replacement in &mut found[before..] {
                replacement.quote = b"\"".to_vec();
                replacement.carrier = Carrier::of_member(member.class);
            }
        }
    }

    fn scan(&self, mut scan: Scan, text: &[u8], before: Carry, found: &mut Vec<Replacement>) -> Carry {
        let shared = self.shared();
        let mut ruled = Ruled::default();
        scan.resume(ruled.resume(&shared, before));
        let mut out = Output::default();
        scan.run(&shared, Window { bytes: text, base: 0, end: true }, &mut out);
        scan.end_record();
        if shared.rules.is_empty() {
            found.extend(out.findings.iter().map(Replacement::new));
            return scan.carry();
        }
        let (items, carry) = ruled.into_items(&shared, text, &out.findings, scan.carry());
        found.extend(items);
        carry
    }

    /// Appends `text` with its replacements, which are in order and apart, and counts them.
    pub(crate) fn replace(&self, text: &[u8], found: &[Replacement], out: &mut CleanBlock, counts: &mut Counts) {
        self.replace_part(text, 0..text.len(), found, out, counts);
    }

    /// Appends the part `range` of `text`, whose replacements are in order and apart. A marker stands where its credential
    /// begins, whole; what the credential has in later parts is left out there.
    pub(crate) fn replace_part(
        &self,
        text: &[u8],
        range: Range<usize>,
        found: &[Replacement],
        out: &mut CleanBlock,
        counts: &mut Counts,
    ) {
        let shared = self.shared();
        let mut clean = Vec::with_capacity(range.len());
        let mut start = range.start;
        let first = found.partition_point(|replacement| replacement.range.end <= range.start);
        for replacement in found[first..].iter().take_while(|replacement| replacement.range.start < range.end) {
            if replacement.range.start >= range.start {
                clean.extend_from_slice(&text[start..replacement.range.start]);
                replacement.write(&shared.template, &mut clean);
                if let Some(fingerprint) = &replacement.fingerprint {
                    counts.count(fingerprint.kind, replacement.carrier);
                }
            }
            start = replacement.range.end.min(range.end);
        }
        clean.extend_from_slice(&text[start..range.end]);
        out.push(super::Clean::new(&clean));
    }
}
