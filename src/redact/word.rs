//! Telling credentials from the words, numbers and placeholders that stand in their places.
//!
//! The decision rule, in one place. A credential is random, so it mixes letters and digits within one unbroken segment,
//! or its letters change case more often than names do, or it is longer than any word. A text whose segments (between
//! `- _ . / + ~ = :`) are all words or numbers is prose, a name, a path, a version or a status.

/// What a text looks like by its characters alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Words, names, paths.
    Word,
    /// Digits with separators.
    Number,
    /// Neither: a credential, as far as looks go.
    Random,
}

/// No word of a human language and no identifier's hump is this long.
const WORD_LEN_MAX: usize = 24;
/// A longer plain number than this is a credential where one is expected: counters and timestamps are shorter.
const NUMBER_LEN_MAX: usize = 20;
/// `BearerTokenAuthenticationFilter` has 7.75 letters a hump; random letters have 2.
const LETTERS_PER_HUMP_MIN: usize = 3;
/// Under this length too few humps stand to judge by.
const HUMPS_JUDGED_LEN: usize = 12;

pub(super) fn shape(text: &[u8]) -> Shape {
    let mut words = 0;
    let mut digits = 0;
    for segment in text.split(|byte| b"-_./+~=:".contains(byte)) {
        if segment.is_empty() {
            continue;
        }
        if segment.iter().all(u8::is_ascii_digit) {
            digits += segment.len();
        } else if is_word(segment) {
            words += 1;
        } else {
            return Shape::Random;
        }
    }
    match (words, digits) {
        (0, 1..=NUMBER_LEN_MAX) => Shape::Number,
        (0, 1..) => Shape::Random,
        _ => Shape::Word,
    }
}

fn is_word(segment: &[u8]) -> bool {
    if !segment.is_ascii() {
        return true;
    }
    let letters = segment.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    if letters == segment.len() {
        return is_plain_word(segment);
    }
    is_numbered_word(&segment[..letters], &segment[letters..])
}

fn is_plain_word(letters: &[u8]) -> bool {
    let humps =
        1 + letters.windows(2).filter(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase()).count();
    if letters.len() >= HUMPS_JUDGED_LEN && letters.len() < humps * LETTERS_PER_HUMP_MIN {
        return false;
    }
    letters.len() <= WORD_LEN_MAX * humps
}

/// `oauth2`, `v2`, `sha256`, `rfc6750`: a short word with a number behind it.
fn is_numbered_word(letters: &[u8], digits: &[u8]) -> bool {
    const NUMBERED: [&[u8]; 14] = [
        b"aes", b"base", b"err", b"error", b"es", b"hs", b"iso", b"latin", b"md", b"ps", b"rfc", b"rs", b"sha", b"utf",
    ];
    if !digits.iter().all(u8::is_ascii_digit) || letters.is_empty() || digits.len() > 4 {
        return false;
    }
    let common = NUMBERED.iter().any(|word| letters.eq_ignore_ascii_case(word));
    common || (digits.len() <= 2 && letters.len() <= WORD_LEN_MAX && is_plain_word(letters))
}

/// Whether a whole value only stands where a credential would: `null`, `***`, `xxxx`, `REDACTED` and their like.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    const WORDS: [&[u8]; 16] = [
        b"null",
        b"none",
        b"nil",
        b"undefined",
        b"true",
        b"false",
        b"redacted",
        b"masked",
        b"hidden",
        b"filtered",
        b"removed",
        b"token",
        b"string",
        b"secret-redacted",
        b"nan",
        b"empty",
    ];
    if WORDS.iter().any(|word| value.eq_ignore_ascii_case(word)) {
        return true;
    }
    match value {
        [] => true,
        [first @ (b'x' | b'X' | b'*' | b'.' | b'-' | b'_' | b'#'), rest @ ..] => rest.iter().all(|byte| byte == first),
        _ => false,
    }
}
