//! JOSE compact tokens: the header that proves one, and the parts behind it.

mod body;
mod serialization;

pub(super) use body::Body;
pub(super) use serialization::{Reading, from_name, from_protected};

use super::characters::{Characters, base64_len, is_base64};
use super::cursor::{Cursor, More};
use super::fingerprint::MARKER_PREFIX;
use super::header::{Header, Text, read_header, read_object};
use super::scan::Rest;

/// No real header is longer: one still undecided after this many characters is decided by what is known of it.
pub(super) const HEADER_LEN_MAX: usize = 64 << 10;

/// What is remembered between candidates so that a text full of them costs linear time.
#[derive(Clone, Debug, Default)]
pub(super) struct Memo {
    /// Indexes of the last run of base64 characters that was measured.
    run: std::ops::Range<usize>,
    /// Whether the run may go on in the bytes to come.
    open: bool,
    /// The same of encoded characters.
    encoded_run: std::ops::Range<usize>,
    /// The last header that was read, and what it says: services send the same header again and again.
    last: Option<(Vec<u8>, Header)>,
}

impl Memo {
    /// Indexes are about to change.
    pub fn forget_indexes(&mut self) {
        self.run = 0..0;
        self.encoded_run = 0..0;
    }

    /// How many base64 characters follow, up to the limit.
    pub fn run_len(&mut self, at: &Cursor<'_>) -> Result<usize, More> {
        if !self.run.contains(&at.at) {
            let rest = at.rest();
            let len = base64_len(rest);
            self.run = at.at..at.at + len;
            self.open = len == rest.len() && !at.rest_is_all();
        }
        match self.run.end - at.at {
            HEADER_LEN_MAX.. => Ok(HEADER_LEN_MAX),
            _ if self.open => Err(More),
            len => Ok(len),
        }
    }

    /// Where the run of characters ends, encoded ones among them, up to the limit.
    fn encoded_end(&mut self, first: Characters<'_>) -> Result<usize, More> {
        let at = first.cursor();
        if first.column() > 0 {
            return short_end(first);
        }
        let limit = at.at + HEADER_LEN_MAX;
        if !self.encoded_run.contains(&at.at) {
            let mut characters = first;
            // Twice the limit, so that candidates up to the limit behind this one find it measured.
            while characters.at() < limit + HEADER_LEN_MAX {
                let before = characters.at();
                match characters.next() {
                    Ok(Some(byte)) if is_base64(byte) => {}
                    Err(More) if before < limit => return Err(More),
                    _ => {
                        self.encoded_run = at.at..before;
                        return Ok(before.min(limit));
                    }
                }
            }
            self.encoded_run = at.at..characters.at();
        }
        Ok(self.encoded_run.end.min(limit))
    }

    fn read(&mut self, text: &[u8]) -> Result<Option<Header>, More> {
        const REMEMBERED_LEN_MAX: usize = 512;
        if let Some((last, header)) = &self.last
            && last == text
        {
            return Ok(Some(*header));
        }
        let header = read_header(Text::Plain(text), false)?;
        if let Some(header) = header
            && text.len() <= REMEMBERED_LEN_MAX
        {
            self.last = Some((text.to_vec(), header));
        }
        Ok(header)
    }
}

/// Where a short run of characters ends, encoded ones among them.
fn short_end(first: Characters<'_>) -> Result<usize, More> {
    const LEN_MAX: usize = 4096;
    let mut characters = first;
    loop {
        let before = characters.at();
        match characters.next()? {
            Some(byte) if is_base64(byte) && before - first.at() < LEN_MAX => {}
            _ => return Ok(before),
        }
    }
}

/// Decides whether a JOSE token with something secret in it begins here: a header (RFC 7515 §4, RFC 7516 §4), a dot, and
/// at least one character behind. A lone header is no secret.
pub(super) fn head(at: &Cursor<'_>, memo: &mut Memo) -> Result<Option<Header>, More> {
    head_in_line(Characters::new(*at, 0), memo)
}

/// The same behind characters of a line that an encoder may have broken.
fn head_in_line(first: Characters<'_>, memo: &mut Memo) -> Result<Option<Header>, More> {
    let at = &first.cursor();
    let len = memo.run_len(at)?;
    let text = &at.rest()[..len];
    if len == HEADER_LEN_MAX {
        return read_header(Text::Plain(text), true);
    }
    let mut after = at.advanced(len);
    match after.peek()? {
        Some(b'.' | b'=') => {}
        Some(b'%' | b'\\' | b'&' | 0x1b) => return encoded_head(first, memo),
        Some(b'\r' | b'\n') if at.is_decoded => return encoded_head(first, memo),
        _ => return Ok(None),
    }
    for _ in 0..2 {
        if after.peek()? == Some(b'=') {
            after.at += 1;
        }
    }
    if after.peek()? != Some(b'.') {
        return if at.peek_at(len)? == Some(b'=') { encoded_head(first, memo) } else { Ok(None) };
    }
    let column = first.column() + (after.at - at.at) as u64;
    if !is_secret(Characters::new(after, column))? {
        return Ok(None);
    }
    memo.read(text)
}

/// The same where the header, or what follows it, is encoded or wrapped.
fn encoded_head(characters: Characters<'_>, memo: &mut Memo) -> Result<Option<Header>, More> {
    let at = characters.cursor();
    // Candidates that are none are not measured first.
    let text = Text::Encoded { characters, end: at.at + HEADER_LEN_MAX };
    if !super::header::begins_object(text)? {
        return Ok(None);
    }
    let end = memo.encoded_end(characters)?;
    let cut = end >= at.at + HEADER_LEN_MAX;
    let text = Text::Encoded { characters, end };
    let Some(header) = read_header(text, cut)? else { return Ok(None) };
    if cut {
        return Ok(Some(header));
    }
    let mut after = characters;
    while after.at() < end {
        after.next()?;
    }
    for _ in 0..2 {
        let mut padding = after;
        if padding.next()? == Some(b'=') {
            after = padding;
        }
    }
    Ok(is_secret(after)?.then_some(header))
}

/// Whether a dot comes next, and behind it at least one character of a payload or signature.
fn is_secret(mut characters: Characters<'_>) -> Result<bool, More> {
    if characters.next()? != Some(b'.') {
        return Ok(false);
    }
    Ok(match characters.next()? {
        // A detached payload (RFC 7515 appendix F) or no encrypted key (RFC 7516 §4.5).
        Some(b'.') => characters.next()?.is_some_and(is_base64),
        next => next.is_some_and(is_base64),
    })
}

/// Where the next line begins if this one ends inside what may become a header, or behind one: the rest of the token may
/// follow there, and how likely it does.
pub(super) fn cut_header_end(at: &Cursor<'_>, memo: &mut Memo) -> Result<Option<(usize, Rest)>, More> {
    let len = memo.run_len(at)?;
    if len == HEADER_LEN_MAX {
        return Ok(None);
    }
    let mut end = len;
    // Padding in quoted-printable (RFC 2045 §6.7).
    while end < len + 6 && at.advanced(end).starts_with(b"=3D")? {
        end += 3;
    }
    // The dot behind a header may be the last that fits in a line.
    let dot = at.peek_at(end)? == Some(b'.');
    end += usize::from(dot);
    // A soft line break.
    let soft = at.peek_at(end)? == Some(b'=');
    end += usize::from(soft);
    let next_line = match at.peek_at(end)? {
        None => end,
        Some(b'\n') => end + 1,
        Some(b'\r') if at.peek_at(end + 1)? == Some(b'\n') => end + 2,
        _ => return Ok(None),
    };
    let text = &at.rest()[..len];
    // A marker is written in the same alphabet.
    if memchr::memmem::find(text, MARKER_PREFIX).is_some() {
        return Ok(None);
    }
    let object = read_object(Text::Plain(text))?;
    // Behind a whole header the dot may follow, unless the sign is the padding of something else.
    let header = object.whole && object.seen.header().is_some();
    let is_cut = object.is_open && !dot || soft && object.whole && len % 4 != 3 || header && (soft || dot);
    let rest = if is_cut { Rest::Likely } else { Rest::Indented };
    Ok((is_cut || header).then_some((at.at + next_line, rest)))
}
