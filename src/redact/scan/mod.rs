//! The scan: from anchor to anchor, confirming, consuming, releasing.

mod active;
mod carry;
mod cookies;
mod decide;
mod object;
mod spans;
mod trace;
mod value;
mod view;

pub use carry::{Carry, Rest};

use self::view::{DEPTH_MAX, Explored};
use super::anchors::{Ahead, Anchor};
use super::carrier::Carrier;
use super::claims::Parts;
use super::cursor::{Cursor, More};
use super::finding::{Counts, Finding, Kind};
use super::grammar::Grammar;
use super::jose::Memo;
use super::names::{self, Class};
use super::redaction::Shared;
use super::trace::Step;
use super::view::STRETCH_BACK_MAX;
use active::Active;
use cookies::Cookies;
use decide::Decision;
use spans::Pending;
use std::ops::Range;

/// How far back a decision may look. So many released bytes are kept.
pub(super) const LOOKBACK_LEN: usize = STRETCH_BACK_MAX;

/// The bytes at hand: `bytes[0]` is at `base` in the stream. Before the stream's start a buffer may have room.
#[derive(Clone, Copy)]
pub(super) struct Window<'a> {
    pub bytes: &'a [u8],
    pub base: i64,
    /// Whether the record ends with them.
    pub end: bool,
}

impl<'a> Window<'a> {
    pub fn index(&self, position: u64) -> usize {
        (position as i64 - self.base) as usize
    }

    pub fn position(&self, index: usize) -> u64 {
        (self.base + index as i64) as u64
    }
}

/// Where output goes. As long as nothing is replaced nothing is copied: what is released is a stretch of the window.
#[derive(Default)]
pub(super) struct Output {
    /// Index in the window at which the run began.
    from: usize,
    pub replaced: bool,
    /// The released bytes with replacements; only used once something is replaced.
    pub bytes: Vec<u8>,
    pub findings: Vec<Finding>,
    /// What was decided, if somebody asks.
    pub trace: Option<Vec<Step>>,
    pub counts: Counts,
}

/// The state of one stream between two windows. Positions count from the start of the stream.
pub(super) struct Scan {
    /// All before is released or replaced.
    cursor: u64,
    /// Where the search for anchors goes on.
    search: u64,
    /// No decision looks at bytes before this.
    floor: u64,
    /// The credential that is being consumed.
    active: Option<Box<Active>>,
    /// Behind a token or marker in a value: what follows directly is part of the credential.
    rest: Option<(Grammar, Kind)>,
    /// Behind a token that may not be whole, and how likely it goes on in the next line.
    cut: Option<(Kind, Rest)>,
    /// The next line continues a header if it begins with a blank.
    fold: Option<(u64, Carry)>,
    cookies: Option<Cookies>,
    /// Credentials that are known and not replaced yet, in order and apart.
    pending: Vec<Pending>,
    /// Up to this position no cookie ends, with this quote and bracket around the header.
    no_cookie_end: (u64, (u8, u8)),
    /// The text is the value of a member of this class, and nothing of it is decided yet.
    member: Option<(Class, bool)>,
    /// Up to this position no member of a JOSE object begins.
    no_object_until: u64,
    /// Nothing but JOSE objects is looked for.
    objects_only: bool,
    memo: Memo,
    /// For what the next token says of itself.
    spare: Option<Box<Parts>>,
    /// What carries the credential of the last decision.
    carrier: Carrier,
    ahead: Ahead,
    /// The text comes out of a string or another encoding.
    is_decoded: bool,
    /// How many more encodings are looked into.
    depth: u8,
    explored: Explored,
}

impl Scan {
    pub fn new(position: u64) -> Self {
        Self {
            cursor: position,
            search: position,
            floor: position,
            active: None,
            rest: None,
            cut: None,
            fold: None,
            cookies: None,
            pending: Vec::new(),
            no_cookie_end: (0, (0, 0)),
            member: None,
            no_object_until: 0,
            objects_only: false,
            memo: Memo::default(),
            spare: None,
            carrier: Carrier::None,
            ahead: Ahead::default(),
            is_decoded: false,
            depth: DEPTH_MAX,
            explored: Explored::default(),
        }
    }

    /// Where a text is scanned that comes out of a string.
    pub fn of_string() -> Self {
        Self { is_decoded: true, ..Self::new(0) }
    }

    /// Where only JOSE objects are looked for: their members prove each other, one by one they say nothing.
    pub fn of_objects() -> Self {
        Self { objects_only: true, ..Self::new(0) }
    }

    /// Where a whole text is scanned as one value.
    pub fn of_value(grammar: Grammar, kind: Kind) -> Self {
        Self { rest: Some((grammar, kind)), ..Self::new(0) }
    }

    /// Where a whole text is the value of a member, or only stands beside its name.
    pub fn of_member(class: Class, beside: bool) -> Self {
        Self { member: Some((class, beside)), ..Self::of_string() }
    }

    /// The first position that is not released yet.
    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// All findings that begin before are known.
    pub fn decided(&self) -> u64 {
        self.active.as_ref().map_or(self.cursor, |active| active.start)
    }

    /// What is taken of the credential in progress and need not be kept.
    pub fn consumed(&self) -> Range<u64> {
        match &self.active {
            Some(active) if !active.may_be_allowed() => active.start..self.cursor,
            _ => self.cursor..self.cursor,
        }
    }

    /// The first position that must stay at hand.
    pub fn keep_from(&self) -> u64 {
        self.floor.max(self.cursor.saturating_sub(LOOKBACK_LEN as u64))
    }

    /// The state that a record's end left open.
    pub fn carry(&self) -> Carry {
        self.fold.map_or(Carry::None, |(_, carry)| carry)
    }

    pub fn resume(&mut self, carry: Carry) {
        self.fold = (carry != Carry::None).then_some((self.cursor, carry));
    }

    /// A record ended without a byte that says so: what comes is not beside what was.
    pub fn end_record(&mut self) {
        self.floor = self.cursor;
        self.search = self.cursor;
        self.end_line(self.cursor);
    }

    fn end_line(&mut self, next_line: u64) {
        self.cookies = None;
        self.rest = None;
        if self.fold.is_some_and(|(position, _)| position < next_line) {
            self.fold = None;
        }
    }

    /// Decides all that can be decided.
    pub fn run(&mut self, shared: &Shared, window: Window<'_>, out: &mut Output) {
        self.memo.forget_indexes();
        self.ahead.forget(out.trace.is_some());
        out.from = window.index(self.cursor);
        out.replaced = false;
        out.findings.clear();
        while self.step(shared, window, out) {}
    }

    /// One decision; false when nothing more can be decided.
    fn step(&mut self, shared: &Shared, window: Window<'_>, out: &mut Output) -> bool {
        if self.active.is_some() {
            return self.consume(shared, window, out);
        }
        if let Some((kind, rest)) = self.cut {
            if self.end_cut(window, kind, rest).is_err() {
                return false;
            }
            self.cut = None;
        }
        if let Some((grammar, kind)) = self.rest {
            return match self.rest_of_value(shared, window, grammar, kind) {
                Ok(Decision::Nothing) => {
                    self.rest = None;
                    true
                }
                Ok(decision) => self.follow(shared, decision, window, out),
                Err(More) => false,
            };
        }
        if let Some((class, beside)) = self.member.take() {
            let decision = self.member(shared, window, class, beside);
            return self.settle(shared, decision, window, out, 0, 0);
        }
        let from = window.index(self.search);
        let (anchor, event) = self.next_event(shared, window, from);
        if let Some(at) = event {
            let known = self.next_pending(window) == Some(at);
            let decision = self.event(shared, window, at);
            if out.trace.is_some() && !known {
                self.note_event(shared, window, at, &decision, out);
            }
            if let Ok(Decision::Nothing) = decision {
                return self.pass_over(window, at);
            }
            return self.settle(shared, decision, window, out, at, at);
        }
        let Some((range, anchor)) = anchor else {
            let len = window.bytes.len();
            let undecided = if window.end { 0 } else { shared.anchors.partial_len(&window.bytes[from..]) };
            self.release(window, out, self.held_from(window, len - undecided));
            self.search = self.cursor;
            return false;
        };
        let start = range.start;
        let decision = self.confirm(shared, window, range.clone(), anchor);
        if out.trace.is_some() {
            self.note(shared, window, (range, anchor), &decision, out);
        }
        if let Ok(Decision::Nothing) = decision {
            return self.pass_over(window, start + 1);
        }
        self.settle(shared, decision, window, out, start, start + 1)
    }

    /// Goes on at `next`: nothing begins before. Nearly every decision ends here.
    #[inline]
    fn pass_over(&mut self, window: Window<'_>, next: usize) -> bool {
        self.search = self.search.max(window.position(next));
        true
    }

    /// Goes on behind a decision at `at`, or waits there.
    fn settle(
        &mut self,
        shared: &Shared,
        decision: Result<Decision, More>,
        window: Window<'_>,
        out: &mut Output,
        at: usize,
        next: usize,
    ) -> bool {
        match decision {
            Ok(Decision::Nothing) => self.pass_over(window, next),
            Ok(decision) => {
                if let Decision::Spans(spans) = &decision {
                    // One of them may begin here.
                    let first = spans.first().map_or(next, |first| first.range.start.min(next));
                    self.search = self.search.max(window.position(first));
                }
                self.follow(shared, decision, window, out)
            }
            Err(More) => {
                self.release(window, out, self.held_from(window, at));
                self.search = self.search.max(window.position(at));
                false
            }
        }
    }

    fn follow(&mut self, shared: &Shared, decision: Decision, window: Window<'_>, out: &mut Output) -> bool {
        match decision {
            Decision::Nothing => {}
            Decision::Start { at, mut active } => {
                self.release(window, out, at);
                self.search = self.cursor;
                active.start = self.cursor;
                self.active = Some(active);
                self.rest = None;
            }
            Decision::Replace { replaced, rest } => {
                self.replace(shared, window, out, &replaced);
                self.rest = rest;
            }
            Decision::Marker { end, grammar, kind } => {
                self.release(window, out, end);
                self.search = self.cursor;
                self.floor = self.cursor;
                self.rest = Some((grammar, kind));
            }
            Decision::Spans(spans) => self.expect(window, spans),
            Decision::Folded { next_line, carry } => {
                self.search = window.position(next_line);
                self.fold = Some((self.search, carry));
            }
            Decision::Cookies { at, quote } => {
                self.search = window.position(at);
                self.cookies = Some(Cookies::begin(self.search, quote));
            }
        }
        true
    }

    /// Lets bytes go as they are.
    fn release(&mut self, window: Window<'_>, out: &mut Output, end: usize) {
        let start = window.index(self.cursor);
        if end > start {
            if out.replaced {
                out.bytes.extend_from_slice(&window.bytes[start..end]);
            }
            self.cursor = window.position(end);
        }
    }

    fn at<'a>(&self, window: Window<'a>, index: usize) -> Cursor<'a> {
        let mut cursor = Cursor::new(window.bytes, index, self.floor_in(window), window.end);
        cursor.is_decoded = self.is_decoded;
        cursor
    }

    fn floor_in(&self, window: Window<'_>) -> usize {
        (self.floor as i64 - window.base).max(0) as usize
    }

    /// The next anchor, or the place of a line's, a cookie's or a known credential's beginning if that comes first.
    fn next_event(
        &mut self,
        shared: &Shared,
        window: Window<'_>,
        from: usize,
    ) -> (Option<(Range<usize>, Anchor)>, Option<usize>) {
        let mut event = self.fold.map(|(position, _)| window.index(position.max(self.search)));
        for other in [self.next_cookie(window), self.next_pending(window)] {
            event = match (event, other) {
                (Some(event), Some(other)) => Some(event.min(other)),
                (event, other) => event.or(other),
            };
        }
        // Beyond the event nothing is looked for: it would be looked for again.
        let len = window.bytes.len();
        let end = event.map_or(len, |event| len.min(event + names::NAME_LEN_MAX));
        let anchor = shared.anchors.find(window.bytes, self.floor_in(window), from..end, &mut self.ahead);
        match (&anchor, event) {
            (Some((range, _)), Some(event)) if range.start < event => (anchor, None),
            (_, event) => (anchor, event),
        }
    }
}

impl Output {
    /// One that notes what is decided.
    pub fn traced() -> Self {
        Self { trace: Some(Vec::new()), ..Self::default() }
    }

    /// Says that the bytes from `index` on do not leave as they are.
    fn replace(&mut self, window: &Window<'_>, index: usize) {
        if !self.replaced {
            self.replaced = true;
            self.bytes.clear();
            self.bytes.extend_from_slice(&window.bytes[self.from..index]);
        }
    }
}
