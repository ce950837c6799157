//! The scan: from anchor to anchor, confirming, consuming, releasing.

use super::anchors::Anchor;
use super::context::{self, Lead, Place};
use super::cursor::{Cursor, More};
use super::finding::{Counts, Finding, Kind};
use super::header::Header;
use super::jose::{self, Memo};
use super::marker::marker_len;
use super::names::{self, Class};
use super::redaction::Shared;
use super::value::{self, Grammar, Quote, Sample, Trust};
use std::ops::Range;

/// How far back a decision may look. So many released bytes are kept.
pub(super) const LOOKBACK_LEN: usize = 128;

/// What the last record's end left open for the next record. It holds no bytes of the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Carry {
    /// Nothing.
    #[default]
    None,
    /// An authorization header's line ended behind the scheme; its credential may be folded into the next line.
    Header(Kind),
    /// A line ended behind `Bearer` that belongs to no header.
    Bearer,
    /// A cookie header's line ended behind a `;`.
    Cookies,
}

impl Carry {
    /// A number for a checkpoint; [`from_code`](Self::from_code) reads it.
    pub fn code(self) -> u8 {
        match self {
            Carry::None => 0,
            Carry::Cookies => 1,
            Carry::Bearer => 2,
            Carry::Header(kind) => 3 + kind as u8,
        }
    }

    /// The state that a number stands for; `None` if a newer version wrote it.
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Carry::None),
            1 => Some(Carry::Cookies),
            2 => Some(Carry::Bearer),
            code => Kind::ALL.get(usize::from(code) - 3).map(|&kind| Carry::Header(kind)),
        }
    }
}

/// The bytes at hand: `bytes[0]` is at `base` in the stream. Before the stream's start a buffer may have room.
#[derive(Clone, Copy)]
pub(super) struct Window<'a> {
    pub bytes: &'a [u8],
    pub base: i64,
    /// Whether the record ends with them.
    pub end: bool,
}

impl<'a> Window<'a> {
    fn index(&self, position: u64) -> usize {
        (position as i64 - self.base) as usize
    }

    fn position(&self, index: usize) -> u64 {
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
    active: Option<Active>,
    /// Behind a token or marker in a value: what follows directly is part of the credential.
    rest: Option<(Grammar, Kind)>,
    /// The next line continues a header if it begins with a blank.
    fold: Option<(u64, Carry)>,
    cookies: Option<Cookies>,
    /// The text is the value of a member of this class, and nothing of it is decided yet.
    member: Option<(Class, bool)>,
    memo: Memo,
}

struct Active {
    start: u64,
    body: Body,
    /// The value that it stands in.
    grammar: Option<Grammar>,
    kind: Kind,
    requote: Option<Quote>,
    /// The input so far, only where `allow_fingerprints` may want it back.
    kept: Option<Vec<u8>>,
}

enum Body {
    Jose(jose::Body),
    Value(value::Body),
}

/// Inside a cookie header.
#[derive(Clone, Copy)]
struct Cookies {
    /// Where the next member begins, or where to look for the `;` before it.
    at: u64,
    seeking: bool,
    quote: Option<Quote>,
}

/// What a decision comes to.
#[allow(clippy::large_enum_variant, reason = "it lives for one call")]
enum Decision {
    Nothing,
    Start {
        at: usize,
        active: Active,
    },
    /// A marker of an earlier run.
    Marker {
        end: usize,
        grammar: Grammar,
        kind: Kind,
    },
    Folded {
        next_line: usize,
        carry: Carry,
    },
    Cookies {
        at: usize,
        quote: Option<Quote>,
    },
}

impl Scan {
    pub fn new(position: u64) -> Self {
        Self {
            cursor: position,
            search: position,
            floor: position,
            active: None,
            rest: None,
            fold: None,
            cookies: None,
            member: None,
            memo: Memo::default(),
        }
    }

    /// Where a whole text is scanned as one value.
    pub fn of_value(grammar: Grammar, kind: Kind) -> Self {
        Self { rest: Some((grammar, kind)), ..Self::new(0) }
    }

    /// Where a whole text is the value of a member, or only stands beside its name.
    pub fn of_member(class: Class, beside: bool) -> Self {
        Self { member: Some((class, beside)), ..Self::new(0) }
    }

    /// The first position that is not released yet.
    pub fn cursor(&self) -> u64 {
        self.cursor
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
        if let Some((grammar, kind)) = self.rest {
            return match self.rest_of_value(shared, window, grammar, kind) {
                Ok(Decision::Nothing) => {
                    self.rest = None;
                    true
                }
                Ok(decision) => self.follow(decision, window, out),
                Err(More) => false,
            };
        }
        if let Some((class, beside)) = self.member.take() {
            let decision =
                context::member(&self.at(window, 0), class, beside).and_then(|lead| self.lead(shared, window, lead));
            return self.settle(decision, window, out, 0, 0);
        }
        let from = window.index(self.search);
        let (anchor, event) = self.next_event(shared, window, from);
        if let Some(at) = event {
            let decision = self.event(shared, window, at);
            return self.settle(decision, window, out, at, at);
        }
        let Some((range, anchor)) = anchor else {
            let undecided = if window.end { 0 } else { shared.anchors.partial_len(&window.bytes[from..]) };
            self.release(window, out, window.bytes.len() - undecided);
            self.search = self.cursor;
            return false;
        };
        let start = range.start;
        let decision = self.confirm(shared, window, range, anchor);
        self.settle(decision, window, out, start, start + 1)
    }

    /// Goes on behind a decision at `at`, or waits there.
    fn settle(
        &mut self,
        decision: Result<Decision, More>,
        window: Window<'_>,
        out: &mut Output,
        at: usize,
        next: usize,
    ) -> bool {
        match decision {
            Ok(Decision::Nothing) => {
                self.search = self.search.max(window.position(next));
                true
            }
            Ok(decision) => self.follow(decision, window, out),
            Err(More) => {
                self.release(window, out, at);
                self.search = self.search.max(window.position(at));
                false
            }
        }
    }

    fn follow(&mut self, decision: Decision, window: Window<'_>, out: &mut Output) -> bool {
        match decision {
            Decision::Nothing => {}
            Decision::Start { at, mut active } => {
                self.release(window, out, at);
                self.search = self.cursor;
                active.start = self.cursor;
                self.active = Some(active);
                self.rest = None;
            }
            Decision::Marker { end, grammar, kind } => {
                self.release(window, out, end);
                self.search = self.cursor;
                self.rest = Some((grammar, kind));
            }
            Decision::Folded { next_line, carry } => {
                self.search = window.position(next_line);
                self.fold = Some((self.search, carry));
            }
            Decision::Cookies { at, quote } => {
                self.search = window.position(at);
                self.cookies = Some(Cookies { at: self.search, seeking: false, quote });
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
        let floor = (self.floor as i64 - window.base).max(0) as usize;
        Cursor::new(window.bytes, index, floor, window.end)
    }

    /// The next anchor, or the place of a line's or cookie's beginning if that comes first.
    fn next_event(
        &mut self,
        shared: &Shared,
        window: Window<'_>,
        from: usize,
    ) -> (Option<(Range<usize>, Anchor)>, Option<usize>) {
        let fold = self.fold.map(|(position, _)| window.index(position.max(self.search)));
        let cookie = self.next_cookie(window);
        let event = match (fold, cookie) {
            (Some(fold), Some(cookie)) => Some(fold.min(cookie)),
            (fold, cookie) => fold.or(cookie),
        };
        let anchor = shared.anchors.find(window.bytes, from..window.bytes.len());
        match (&anchor, event) {
            (Some((range, _)), Some(event)) if range.start < event => (anchor, None),
            (_, event) => (anchor, event),
        }
    }

    /// Where the next cookie of the header begins, if that is at hand.
    fn next_cookie(&mut self, window: Window<'_>) -> Option<usize> {
        let cookies = self.cookies.as_mut()?;
        if !cookies.seeking {
            return Some(window.index(cookies.at.max(self.search)));
        }
        let from = window.index(cookies.at.max(self.search));
        let quote = cookies.quote.map_or(b'\n', |quote| quote.byte);
        match memchr::memchr3(b';', b'\n', quote, &window.bytes[from..]) {
            Some(offset) if window.bytes[from + offset] == b';' => {
                cookies.seeking = false;
                cookies.at = window.position(from + offset + 1);
                Some(from + offset + 1)
            }
            Some(_) => {
                self.cookies = None;
                None
            }
            None => {
                cookies.at = window.position(window.bytes.len());
                None
            }
        }
    }

    /// Decides at the beginning of a folded line or of a cookie.
    fn event(&mut self, shared: &Shared, window: Window<'_>, at: usize) -> Result<Decision, More> {
        let mut cursor = self.at(window, at);
        if let Some((position, carry)) = self.fold
            && window.index(position.max(self.search)) == at
        {
            // RFC 9112 §5.2: a line that begins with a blank continues the header.
            let folded = position >= self.search && cursor.skip_blanks(LOOKBACK_LEN)? > 0;
            self.fold = None;
            let (kind, trust) = match carry {
                Carry::Header(kind) => (kind, Trust::Named),
                _ => (Kind::Token, Trust::Scheme),
            };
            match carry {
                Carry::Header(_) | Carry::Bearer if folded => {
                    context::quote(&mut cursor).inspect_err(|_| self.fold = Some((position, carry)))?;
                    let place = Place { at: cursor.at, grammar: Grammar::Token, trust, kind, requote: None };
                    return self.decide(shared, window, place).inspect_err(|_| self.fold = Some((position, carry)));
                }
                Carry::Cookies if folded => {
                    self.cookies = Some(Cookies { at: window.position(cursor.at), seeking: false, quote: None });
                }
                _ => {}
            }
            return Ok(Decision::Nothing);
        }
        self.cookie(shared, window, cursor)
    }

    /// Decides on one `name=value` of a cookie header.
    fn cookie(&mut self, shared: &Shared, window: Window<'_>, mut cursor: Cursor<'_>) -> Result<Decision, More> {
        const NAME_LEN_MAX: usize = 128;
        let Some(cookies) = self.cookies else { return Ok(Decision::Nothing) };
        cursor.skip_blanks(LOOKBACK_LEN)?;
        if cursor.peek()? == Some(b'\r') {
            cursor.at += 1;
        }
        if matches!(cursor.peek()?, Some(b'\n') | None) {
            // Nothing behind the `;`: the header may go on in the next line.
            let next_line = window.position(cursor.at + usize::from(cursor.peek()?.is_some()));
            self.cookies = None;
            self.fold = Some((next_line, Carry::Cookies));
            return Ok(Decision::Nothing);
        }
        let mut len = 0;
        while len < NAME_LEN_MAX
            && cursor.peek_at(len)?.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"!#$%&*+-.^_|~".contains(&byte))
        {
            len += 1;
        }
        let named = cursor.peek_at(len)? == Some(b'=') && names::is_credential_cookie(&cursor.rest()[..len]);
        let decision = if named {
            let mut value = cursor.advanced(len + 1);
            if value.peek()? == Some(b'"') {
                value.at += 1;
            }
            let kind = Kind::Token;
            let place = Place { at: value.at, grammar: Grammar::Cookie, trust: Trust::Named, kind, requote: None };
            self.decide(shared, window, place)?
        } else {
            Decision::Nothing
        };
        self.cookies = Some(Cookies { at: window.position(cursor.at), seeking: true, ..cookies });
        Ok(decision)
    }

    /// Decides at an anchor.
    fn confirm(
        &mut self,
        shared: &Shared,
        window: Window<'_>,
        range: Range<usize>,
        anchor: Anchor,
    ) -> Result<Decision, More> {
        let cursor = self.at(window, range.start);
        let lead = match anchor {
            Anchor::Jose => {
                return Ok(match jose::head(&cursor, &mut self.memo)? {
                    Some(header) => Decision::Start { at: range.start, active: jose_token(shared, header, None) },
                    None => Decision::Nothing,
                });
            }
            Anchor::Scheme => match cursor.before(1) {
                [b'b' | b'B'] => context::after_bearer(&cursor.advanced(range.len()))?,
                _ => Lead::Nothing,
            },
            Anchor::Authorization => {
                let begins = cursor.before(5).eq_ignore_ascii_case(b"autho");
                let end = cursor.advanced(b"rization".len());
                if !begins
                    || !cursor.starts_with_ignore_case(b"rization")?
                    || end.peek()?.is_some_and(names::is_name_byte)
                {
                    return Ok(Decision::Nothing);
                }
                context::after_name(&end, Class::Authorization)?
            }
            Anchor::Name | Anchor::Cookie => match names::classify(&cursor, range.len(), &shared.extra_names)? {
                Some((class, end)) => context::after_name(&self.at(window, end), class)?,
                None => Lead::Nothing,
            },
        };
        self.lead(shared, window, lead)
    }

    fn lead(&mut self, shared: &Shared, window: Window<'_>, lead: Lead) -> Result<Decision, More> {
        match lead {
            Lead::Nothing => Ok(Decision::Nothing),
            Lead::Value(place) => self.decide(shared, window, place),
            Lead::Folded { next_line, carry } => Ok(Decision::Folded { next_line, carry }),
            Lead::Cookies { at, quote } => Ok(Decision::Cookies { at, quote }),
        }
    }

    /// Decides whether what stands where a credential may stand is one.
    fn decide(&mut self, shared: &Shared, window: Window<'_>, place: Place) -> Result<Decision, More> {
        let Place { at, grammar, trust, kind, requote } = place;
        let cursor = self.at(window, at);
        if let Some(len) = marker_len(&cursor, &shared.template)? {
            return Ok(Decision::Marker { end: at + len, grammar: grammar.rest(), kind });
        }
        if let Some(b'e') = cursor.peek()?
            && let Some(header) = jose::head(&cursor, &mut self.memo)?
        {
            return Ok(Decision::Start { at, active: jose_token(shared, header, Some(grammar.rest())) });
        }
        if !Sample::read(&cursor, grammar, &shared.template)?.is_credential(trust) {
            return Ok(Decision::Nothing);
        }
        Ok(Decision::Start { at, active: opaque(shared, grammar, kind, requote) })
    }

    /// Decides on what directly follows a token or marker inside a value.
    fn rest_of_value(
        &mut self,
        shared: &Shared,
        window: Window<'_>,
        grammar: Grammar,
        kind: Kind,
    ) -> Result<Decision, More> {
        let at = window.index(self.cursor);
        let cursor = self.at(window, at);
        if let Some(len) = marker_len(&cursor, &shared.template)? {
            return Ok(Decision::Marker { end: at + len, grammar, kind });
        }
        if let Some(b'e') = cursor.peek()?
            && let Some(header) = jose::head(&cursor, &mut self.memo)?
        {
            return Ok(Decision::Start { at, active: jose_token(shared, header, Some(grammar)) });
        }
        if Sample::read(&cursor, grammar, &shared.template)?.is_empty() {
            return Ok(Decision::Nothing);
        }
        Ok(Decision::Start { at, active: opaque(shared, grammar, kind, None) })
    }

    /// Takes more of the credential in progress; puts the marker when it ends.
    fn consume(&mut self, shared: &Shared, window: Window<'_>, out: &mut Output) -> bool {
        let Some(mut active) = self.active.take() else { return true };
        let index = window.index(self.cursor);
        let cursor = self.at(window, index);
        let (taken, ended, complete) = match &mut active.body {
            Body::Jose(body) => match body.advance(&cursor, &mut self.memo) {
                (taken, Some(ending)) => {
                    active.kind = ending.kind;
                    (taken, true, ending.complete)
                }
                (taken, None) => (taken, false, false),
            },
            Body::Value(body) => {
                let (taken, ended) = body.advance(&cursor, &shared.template);
                (taken, ended, true)
            }
        };
        out.replace(&window, index);
        active.keep(&window.bytes[index..index + taken]);
        self.cursor += taken as u64;
        self.search = self.cursor;
        if ended {
            self.rest = active.grammar.map(|grammar| (grammar, Kind::Token));
            active.finish(shared, self.cursor, complete, out);
        } else {
            self.active = Some(active);
        }
        ended
    }
}

impl Output {
    /// Says that the bytes from `index` on do not leave as they are.
    fn replace(&mut self, window: &Window<'_>, index: usize) {
        if !self.replaced {
            self.replaced = true;
            self.bytes.clear();
            self.bytes.extend_from_slice(&window.bytes[self.from..index]);
        }
    }
}

impl Active {
    /// Longer credentials are redacted whether allowed or not: nothing of this size is a public test token.
    const KEPT_LEN_MAX: usize = 16 << 10;

    fn keep(&mut self, bytes: &[u8]) {
        match &mut self.kept {
            Some(kept) if kept.len() + bytes.len() <= Self::KEPT_LEN_MAX => kept.extend_from_slice(bytes),
            kept => *kept = None,
        }
    }

    /// The credential ended before `end`: its marker goes out.
    fn finish(self, shared: &Shared, end: u64, complete: bool, out: &mut Output) {
        let digester = match self.body {
            Body::Jose(body) => body.into_digester(),
            Body::Value(body) => body.into_digester(),
        };
        let fingerprint = digester.finish(self.kind);
        if let Some(kept) = self.kept
            && shared.is_allowed(&fingerprint)
        {
            out.bytes.extend_from_slice(&kept);
            return;
        }
        write_quote(self.requote, &mut out.bytes);
        shared.template.write(&fingerprint, &mut out.bytes);
        write_quote(self.requote, &mut out.bytes);
        out.counts.count(self.kind);
        let (offset, len) = (self.start, end - self.start);
        out.findings.push(Finding { offset, len, fingerprint, complete, requote: self.requote });
    }
}

fn jose_token(shared: &Shared, header: Header, grammar: Option<Grammar>) -> Active {
    let body = Body::Jose(jose::Body::new(header, shared.digester()));
    Active { start: 0, body, grammar, kind: Kind::Jwt, requote: None, kept: shared.allow.then(Vec::new) }
}

fn opaque(shared: &Shared, grammar: Grammar, kind: Kind, requote: Option<Quote>) -> Active {
    let body = Body::Value(value::Body::new(grammar, shared.digester()));
    let rest = (grammar != Grammar::Number).then_some(grammar);
    Active { start: 0, body, grammar: rest, kind, requote, kept: shared.allow.then(Vec::new) }
}

/// A number that is replaced becomes a string, also inside a string.
fn write_quote(quote: Option<Quote>, out: &mut Vec<u8>) {
    if let Some(Quote { byte, backslashes }) = quote {
        out.resize(out.len() + backslashes, b'\\');
        out.push(byte);
    }
}
