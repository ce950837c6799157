//! Input bytes to records, piece by piece: nothing of a record is kept here, however long it is said to be.

use super::{Framing, FramingError};
use memchr::memchr;

/// RFC 6587 puts no limit on MSG-LEN; ten digits are more than any message and can't overflow.
const LENGTH_DIGITS_MAX: u8 = 10;

/// What the next bytes of the input are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event<'a> {
    /// A piece of the current record, never empty.
    Content(&'a [u8]),
    /// The current record is complete. What framed it has been taken from the input too.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Between two records, or in a record whose length nobody announced.
    Unannounced,
    /// In the length before a record.
    Length { bytes_seen: u8, value: u64 },
    /// In a record of which this much is still to come.
    Announced { remaining: u64 },
}

/// Finds where records begin and end.
#[derive(Clone, Debug)]
pub(super) struct Framer {
    framing: Framing,
    state: State,
}

impl Framer {
    pub fn new(framing: Framing) -> Self {
        Self { framing, state: State::Unannounced }
    }

    /// Takes the next event from the front of `input`; `None` means that the input is used up.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Event<'a>>, FramingError> {
        match self.framing {
            Framing::NewlineDelimited => Ok(next_delimited(b'\n', input)),
            Framing::CharacterDelimited(delimiter) => Ok(next_delimited(delimiter, input)),
            Framing::LengthDelimited | Framing::OctetCounting => self.next_announced(input),
            Framing::Bytes => Ok(content(input, input.len())),
        }
    }

    /// Ends the stream.
    ///
    /// # Errors
    /// When it ends inside a frame of announced length.
    pub fn finish(&mut self) -> Result<(), FramingError> {
        match std::mem::replace(&mut self.state, State::Unannounced) {
            State::Unannounced => Ok(()),
            State::Length { .. } | State::Announced { .. } => Err(FramingError::Truncated),
        }
    }

    fn next_announced<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Event<'a>>, FramingError> {
        loop {
            let (bytes_seen, value) = match self.state {
                State::Announced { remaining: 0 } => {
                    self.state = State::Unannounced;
                    return Ok(Some(Event::End));
                }
                State::Announced { remaining } => {
                    let len = usize::try_from(remaining).unwrap_or(usize::MAX).min(input.len());
                    self.state = State::Announced { remaining: remaining - len as u64 };
                    return Ok(content(input, len));
                }
                State::Unannounced => (0, 0),
                State::Length { bytes_seen, value } => (bytes_seen, value),
            };
            let Some(&byte) = input.split_off_first() else { return Ok(None) };
            self.state = if self.framing == Framing::OctetCounting {
                after_digit(byte, bytes_seen, value)?
            } else {
                after_length_byte(byte, bytes_seen, value)
            };
        }
    }
}

fn next_delimited<'a>(delimiter: u8, input: &mut &'a [u8]) -> Option<Event<'a>> {
    match memchr(delimiter, input) {
        Some(0) => {
            *input = &input[1..];
            Some(Event::End)
        }
        Some(len) => content(input, len),
        None => content(input, input.len()),
    }
}

fn content<'a>(input: &mut &'a [u8], len: usize) -> Option<Event<'a>> {
    let (piece, rest) = input.split_at(len);
    *input = rest;
    (!piece.is_empty()).then_some(Event::Content(piece))
}

fn after_length_byte(byte: u8, bytes_seen: u8, value: u64) -> State {
    let value = value << 8 | u64::from(byte);
    if bytes_seen == 3 {
        State::Announced { remaining: value }
    } else {
        State::Length { bytes_seen: bytes_seen + 1, value }
    }
}

/// RFC 6587 §3.4.1: `MSG-LEN = NONZERO-DIGIT *DIGIT`, then one blank.
fn after_digit(byte: u8, bytes_seen: u8, value: u64) -> Result<State, FramingError> {
    match byte {
        b'0' if bytes_seen == 0 => Err(FramingError::Length),
        b'0'..=b'9' if bytes_seen < LENGTH_DIGITS_MAX => {
            Ok(State::Length { bytes_seen: bytes_seen + 1, value: value * 10 + u64::from(byte - b'0') })
        }
        b' ' if bytes_seen > 0 => Ok(State::Announced { remaining: value }),
        _ => Err(FramingError::Length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records and the rest that has no end, as text; `|` marks an end.
    fn events(framing: Framing, input: &[u8], piece_len: usize) -> (String, Option<FramingError>) {
        let mut framer = Framer::new(framing);
        let mut seen = String::new();
        for mut piece in input.chunks(piece_len) {
            loop {
                match framer.next(&mut piece) {
                    Ok(Some(Event::Content(text))) => seen.push_str(&String::from_utf8_lossy(text)),
                    Ok(Some(Event::End)) => seen.push('|'),
                    Ok(None) => break,
                    Err(error) => return (seen, Some(error)),
                }
            }
            assert!(piece.is_empty(), "input was left over");
        }
        (seen, framer.finish().err())
    }

    #[test]
    fn records_are_told_apart_at_every_piece_length() {
        use Framing::*;
        use FramingError::{Length, Truncated};
        let cases: &[(Framing, &[u8], &str, Option<FramingError>)] = &[
            (NewlineDelimited, b"", "", None),
            (NewlineDelimited, b"\n\n", "||", None),
            (NewlineDelimited, b"a\r\nbc\nd", "a\r|bc|d", None),
            (CharacterDelimited(0), b"a\nb\0\0c", "a\nb||c", None),
            (LengthDelimited, b"", "", None),
            (LengthDelimited, b"\0\0\0\x02ab\0\0\0\0\0\0\0\x01c", "ab||c|", None),
            (LengthDelimited, b"\0\0\x01\0abc", "abc", Some(Truncated)),
            (LengthDelimited, b"\0\0\0\x01a\0\0", "a|", Some(Truncated)),
            (LengthDelimited, b"\0\0\0\x01", "", Some(Truncated)),
            (OctetCounting, b"", "", None),
            (OctetCounting, b"2 ab12 cdefghijklmn", "ab|cdefghijklmn|", None),
            (OctetCounting, b"3 1 23 x y", "1 2|x y|", None),
            (OctetCounting, b"9 abc", "abc", Some(Truncated)),
            (OctetCounting, b"2 ab1", "ab|", Some(Truncated)),
            (OctetCounting, b"9999999999 a", "a", Some(Truncated)),
            (OctetCounting, b"2 ab10000000000 a", "ab|", Some(Length)),
            (OctetCounting, b"2 ab0 ", "ab|", Some(Length)),
            (OctetCounting, b"2 ab01 a", "ab|", Some(Length)),
            (OctetCounting, b"2 ab\n2 ab", "ab|", Some(Length)),
            (OctetCounting, b"2 ab a", "ab|", Some(Length)),
            (OctetCounting, b"2 ab-1 a", "ab|", Some(Length)),
            (OctetCounting, b"<34>1 text", "", Some(Length)),
            (Bytes, b"a\nb", "a\nb", None),
        ];
        for &(framing, input, expected, error) in cases {
            for piece_len in 1..=input.len().max(1) {
                let seen = events(framing, input, piece_len);
                assert_eq!(seen, (expected.to_owned(), error), "{framing:?} {input:?} by {piece_len}");
            }
        }
    }

    #[test]
    fn the_longest_announced_frame_passes_in_pieces() {
        let mut framer = Framer::new(Framing::LengthDelimited);
        assert_eq!(framer.next(&mut &b"\xff\xff\xff\xff"[..]), Ok(None));
        let piece = vec![b'x'; 1 << 20];
        let mut left = u64::from(u32::MAX);
        while left > 0 {
            let mut input = &piece[..];
            let Ok(Some(Event::Content(content))) = framer.next(&mut input) else { panic!("no content") };
            left -= content.len() as u64;
            assert!(input.is_empty() || left == 0);
        }
        assert_eq!(framer.next(&mut &b""[..]), Ok(Some(Event::End)));
        assert_eq!(framer.finish(), Ok(()));
    }
}
