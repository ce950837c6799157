//! Redaction with rules: what the engine and the rules found on the same bytes, made into one output.
//!
//! Neither sees what the other found. Where findings overlap, all that they cover goes, and the longest gives its name.
//! A rule needs its line as a whole, so output leaves line by line.

use super::carrier::Carrier;
use super::finding::{Counts, Finding, Kind};
use super::fingerprint::Fingerprint;
use super::redaction::Shared;
use super::rules::{Block, Found, LOOKBEHIND_LEN, Pem, Progress};
use super::scan::Window;
use super::whole::Replacement;
use super::{Carry, RuleKind};
use std::ops::Range;

/// The state of one stream between two windows. Positions count from the start of the stream.
#[derive(Default)]
pub(super) struct Ruled {
    progress: Progress,
    /// All matches that begin before are known.
    searched: u64,
    pem: Pem,
    /// First lines of PEM blocks that have not been read yet: where they end.
    pem_starts: Vec<(u64, RuleKind)>,
    /// All blocks that begin before are known.
    pem_read: u64,
    /// What is found and has not left yet.
    items: Vec<Item>,
    /// All before has left.
    released: u64,
    /// The released bytes; only used if something in them was replaced.
    pub bytes: Vec<u8>,
    pub replaced: bool,
    pub findings: Vec<Finding>,
    pub counts: Counts,
}

/// Something to be replaced. Its range is one of positions.
#[derive(Clone, Debug)]
struct Item {
    replacement: Replacement,
    /// What is reported of it; nothing of the further lines of a block.
    finding: Option<Finding>,
    /// Where findings are joined: which one gives its name. The longest does; of equal ones the one whose kind says most.
    rank: (usize, u8),
}

impl Item {
    fn new(finding: Finding) -> Self {
        let rank = (finding.len as usize, telling(finding.fingerprint.kind));
        Self { replacement: Replacement::new(&finding), finding: Some(finding), rank }
    }
}

impl Ruled {
    /// The first position that has not left.
    pub fn released(&self) -> u64 {
        self.released
    }

    /// The first position that has neither left nor is replaced in any case; `consumed` is what the engine has taken of a credential in progress.
    pub fn undecided_from(&self, consumed: Range<u64>) -> u64 {
        let covered = match self.items.first() {
            Some(item) if item.replacement.range.start as u64 <= self.released => item.replacement.range.end as u64,
            _ => self.released,
        };
        if consumed.contains(&covered) { consumed.end } else { covered }
    }

    /// The first position that must stay at hand.
    pub fn keep_from(&self, consumed: Range<u64>) -> u64 {
        let lookbehind = self.searched.saturating_sub(LOOKBEHIND_LEN as u64);
        lookbehind.min(self.pem_read).min(self.undecided_from(consumed))
    }

    /// The state that a record's end left open, `scan` being the engine's.
    pub fn carry(&self, scan: Carry) -> Carry {
        if self.pem.is_open() { Carry::PemBlock } else { scan }
    }

    /// Goes on where a checkpoint stopped; what is returned is for the engine.
    pub fn resume(&mut self, shared: &Shared, carry: Carry) -> Carry {
        match (carry, shared.rules.pem_kind()) {
            (Carry::PemBlock, Some(kind)) => {
                self.pem.resume(kind);
                Carry::None
            }
            (Carry::PemBlock, None) => Carry::None,
            (carry, _) => {
                self.pem.close();
                carry
            }
        }
    }

    /// Takes what the engine found in a window, searches it, and releases what is known: the engine's findings are
    /// known up to `scanned`.
    pub fn run(&mut self, shared: &Shared, window: Window<'_>, scanned: u64, found: &[Finding]) {
        let known = self.find(shared, window, scanned, found);
        self.release(shared, window, known);
    }

    /// What is found in a text that is at hand as a whole, in order and apart, and what stays open behind it.
    pub fn into_items(
        mut self,
        shared: &Shared,
        text: &[u8],
        found: &[Finding],
        scan: Carry,
    ) -> (impl Iterator<Item = Replacement> + use<>, Carry) {
        let window = Window { bytes: text, base: 0, end: true };
        self.find(shared, window, text.len() as u64, found);
        let carry = self.carry(scan);
        (self.items.into_iter().map(|item| item.replacement), carry)
    }

    /// What the rules alone find in a text, joined or not, in order.
    pub fn matches(mut self, shared: &Shared, text: &[u8]) -> Vec<Finding> {
        self.search(shared, Window { bytes: text, base: 0, end: true });
        let mut findings: Vec<_> = self.items.into_iter().filter_map(|item| item.finding).collect();
        findings.sort_by_key(|finding| (finding.offset, finding.len, finding.fingerprint.kind));
        findings
    }

    fn find(&mut self, shared: &Shared, window: Window<'_>, scanned: u64, found: &[Finding]) -> u64 {
        let before = self.items.len();
        self.items.extend(found.iter().copied().map(Item::new));
        let searched = self.search(shared, window);
        if self.items.len() > before {
            join(&mut self.items);
        }
        scanned.min(searched)
    }

    /// Searches on and says up to where all matches are known.
    fn search(&mut self, shared: &Shared, window: Window<'_>) -> u64 {
        let mut found = Vec::new();
        let from = window.index(self.searched);
        let at = shared.rules.search(window.bytes, from, window.end, &shared.template, &mut self.progress, &mut found);
        let went_on = self.searched != window.position(at);
        self.searched = window.position(at);
        for found in found {
            if found.pem {
                self.pem_starts.push((window.position(found.range.end), found.kind));
            } else if let Some(item) = item(shared, window, &found) {
                self.items.push(item);
            }
        }
        if !self.pem.is_open() && self.pem_starts.is_empty() {
            self.pem_read = self.searched;
            return self.searched;
        }
        if !went_on && !window.end {
            return self.pem_read;
        }
        self.pem_starts.sort_by_key(|(start, _)| *start);
        let starts: Vec<_> = self.pem_starts.iter().map(|&(start, kind)| (window.index(start), kind)).collect();
        let mut blocks = Vec::new();
        let span = window.index(self.pem_read)..at;
        let read = self.pem.read(window.bytes, span, window.end, &starts, &shared.template, &mut blocks);
        self.pem_read = window.position(read);
        self.pem_starts.retain(|(start, _)| *start > self.pem_read);
        blocks.iter().for_each(|block| self.items.extend(block_items(shared, window, block)));
        self.pem_read
    }

    /// Releases all before `known`, less what is found there and goes on behind it.
    fn release(&mut self, shared: &Shared, window: Window<'_>, known: u64) {
        self.findings.clear();
        self.bytes.clear();
        self.replaced = false;
        let mut from = self.released;
        let mut to = known;
        let mut done = 0;
        for item in &self.items {
            let (start, end) = (item.replacement.range.start as u64, item.replacement.range.end as u64);
            if end > known {
                to = known.min(start);
                break;
            }
            self.replaced = true;
            if start > from {
                self.bytes.extend_from_slice(&window.bytes[window.index(from)..window.index(start)]);
            }
            item.replacement.write(&shared.template, &mut self.bytes);
            if let Some(finding) = item.finding {
                self.counts.count(finding.fingerprint.kind, finding.carrier);
                self.findings.push(finding);
            }
            from = end;
            done += 1;
        }
        self.items.drain(..done);
        if self.replaced && to > from {
            self.bytes.extend_from_slice(&window.bytes[window.index(from)..window.index(to)]);
        }
        self.released = to.max(self.released);
    }
}

/// What a rule found, if it is not allowed.
fn item(shared: &Shared, window: Window<'_>, found: &Found) -> Option<Item> {
    let fingerprint = shared.fingerprint(&window.bytes[found.range.clone()], Kind::Rule(found.kind));
    if shared.is_allowed(&fingerprint) {
        return None;
    }
    Some(Item::new(Finding {
        offset: window.position(found.range.start),
        len: found.range.len() as u64,
        fingerprint,
        complete: true,
        carrier: Carrier::Rule,
        requote: found.requote,
    }))
}

/// The lines of a block, if it is not allowed.
fn block_items(shared: &Shared, window: Window<'_>, block: &Block) -> Vec<Item> {
    let mut digester = shared.digester();
    block.pieces.iter().for_each(|piece| digester.update(&window.bytes[piece.clone()]));
    let fingerprint: Fingerprint = digester.finish(Kind::Rule(block.kind));
    let (Some(first), Some(last)) = (block.pieces.first(), block.pieces.last()) else { return Vec::new() };
    if shared.is_allowed(&fingerprint) {
        return Vec::new();
    }
    let (offset, len) = (window.position(first.start), (last.end - first.start) as u64);
    let finding = Finding { offset, len, fingerprint, complete: block.complete, carrier: Carrier::Rule, requote: None };
    let item = |(index, piece): (usize, &Range<usize>)| {
        let range = window.position(piece.start) as usize..window.position(piece.end) as usize;
        let is_first = index == 0;
        Item {
            replacement: Replacement::of_block(range, is_first.then_some(fingerprint)),
            finding: is_first.then_some(finding),
            rank: (piece.len(), telling(Kind::Rule(block.kind))),
        }
    };
    block.pieces.iter().enumerate().map(item).collect()
}

/// A token has the same name whether its context shows it or a rule does.
fn telling(kind: Kind) -> u8 {
    match kind {
        Kind::Jwt | Kind::Jwe => 2,
        Kind::Rule(_) => 1,
        Kind::Basic | Kind::Token => 0,
    }
}

/// Puts findings in order and joins those that overlap.
fn join(items: &mut Vec<Item>) {
    items.sort_by_key(|item| item.replacement.range.start);
    let mut joined: Vec<Item> = Vec::with_capacity(items.len());
    for mut next in items.drain(..) {
        match joined.last_mut() {
            Some(last) if next.replacement.range.start < last.replacement.range.end => {
                let union = last.replacement.range.start..last.replacement.range.end.max(next.replacement.range.end);
                if next.rank > last.rank {
                    std::mem::swap(last, &mut next);
                }
                last.cover(union);
            }
            _ => joined.push(next),
        }
    }
    *items = joined;
}

impl Item {
    fn cover(&mut self, union: Range<usize>) {
        if self.replacement.range == union {
            return;
        }
        if let Some(finding) = &mut self.finding {
            let end = (finding.offset + finding.len).max(union.end as u64);
            finding.offset = finding.offset.min(union.start as u64);
            finding.len = end - finding.offset;
        }
        self.replacement.range = union;
    }
}
