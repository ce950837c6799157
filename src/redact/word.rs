//! Telling credentials from the words, numbers and placeholders that stand in their places.
//!
//! The decision rule, in one place. A credential is random: it mixes letters and digits within one unbroken segment, or
//! its letters follow each other as they never do in words and names, or it has the padding of base64, or it is longer
//! than any word. A text whose segments (between `- _ . / + ~ = :`) are all words or numbers is prose, a name, a path, a
//! version or a status.

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
/// Fewer pairs of letters than this say nothing.
const PAIRS_JUDGED: usize = 7;

pub(super) fn shape(text: &[u8]) -> Shape {
    if is_date(text) {
        return Shape::Word;
    }
    if is_padded_base64(text) {
        return Shape::Random;
    }
    let mut words = 0;
    let mut digits = 0;
    let mut letters = Pairs::default();
    for segment in text.split(|byte| b"-_./+~=:".contains(byte)) {
        if segment.is_empty() {
            continue;
        }
        if segment.iter().all(u8::is_ascii_digit) {
            digits += segment.len();
        } else if is_word(segment) {
            words += 1;
            letters.add(segment);
        } else {
            return Shape::Random;
        }
    }
    match (words, digits) {
        _ if letters.are_random() => Shape::Random,
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
    let humps = 1 + letters.windows(2).filter(|pair| is_hump(pair)).count();
    let mut pairs = Pairs::default();
    pairs.add(letters);
    letters.len() <= WORD_LEN_MAX * humps && !pairs.are_random()
}

/// `2024-01-31`, with or without a time.
fn is_date(text: &[u8]) -> bool {
    let digits =
        |range: std::ops::Range<usize>| text.get(range).is_some_and(|part| part.iter().all(u8::is_ascii_digit));
    text.len() <= 35 && digits(0..4) && digits(5..7) && digits(8..10) && text[4] == b'-' && text[7] == b'-'
}

/// `aB` of `camelBack`.
fn is_hump(pair: &[u8]) -> bool {
    pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase()
}

/// `dGVzdA==`: padding makes a multiple of four, and words have none.
fn is_padded_base64(text: &[u8]) -> bool {
    const LEN_MIN: usize = 16;
    let body = &text[..text.iter().rposition(|&byte| byte != b'=').map_or(0, |last| last + 1)];
    text.len() >= LEN_MIN
        && text.len().is_multiple_of(4)
        && (1..=2).contains(&(text.len() - body.len()))
        && !body.contains(&b'=')
}

/// How likely letters follow each other as they do.
#[derive(Default)]
struct Pairs {
    count: usize,
    likelihood: usize,
}

impl Pairs {
    /// Of words and identifiers 1.3 % lie below this mean, of 16 random letters 99.8 % (both measured on the texts that
    /// the table is from).
    const MEAN_OF_WORDS: f32 = 4.5;
    /// A change from lower to upper case within a segment.
    const HUMP: usize = 2;

    fn add(&mut self, segment: &[u8]) {
        for pair in segment.windows(2).filter(|pair| pair.iter().all(u8::is_ascii_alphabetic)) {
            let [first, second] = [pair[0], pair[1]].map(|letter| usize::from(letter.to_ascii_lowercase() - b'a'));
            self.count += 1;
            self.likelihood += if is_hump(pair) { Self::HUMP } else { usize::from(LIKELIHOOD[first][second] - b'0') };
        }
    }

    fn are_random(&self) -> bool {
        self.count >= PAIRS_JUDGED && (self.likelihood as f32) < self.count as f32 * Self::MEAN_OF_WORDS
    }
}

/// For each letter (row) how likely each other (column) follows it: 5 + log₂ of the ratio to chance, from 0 to 9. Counted
/// in 11 million pairs of letters in the documentation and source text of public software.
#[rustfmt::skip]
const LIKELIHOOD: [&[u8; 26]; 26] = [
    b"05650340503767050767432240",
    b"62437110650721620552710060",
    b"60327407506631720647510020",
    b"62258321711422610453510130",
    b"52564530200657143776033540",
    b"61226650800535710644500030",
    b"41218145700546510664611011",
    b"70009000700231600436400020",
    b"44554540002658640467040304",
    b"60329100404012732161713000",
    b"61239340600415320363414010",
    b"61158710700601620155511050",
    b"75138010600451670053500020",
    b"60677470503313620067441030",
    b"34552530314567450756645100",
    b"70237103502610650756600050",
    b"31020200100522111442932000",
    b"61448250603445620566521050",
    b"40418125602322551268512040",
    b"60437307700320640655502150",
    b"45446440500667360777000100",
    b"81309130600022430121000000",
    b"70026007801205700651004000",
    b"62727202600242370138110430",
    b"33315251500556780477016021",
    b"60029201600241400342200044",
];

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

/// Whether a whole value only stands where a credential would, or says something of one: `null`, `***`, `xxxx`,
/// `**REDACTED**`, `expired` and their like.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    /// By their length.
    const WORDS: [&[&[u8]]; 13] = [
        &[],
        &[],
        &[b"na", b"no", b"ok", b"on"],
        &[b"nil", b"nan", b"n/a", b"yes", b"off", b"set"],
        &[b"null", b"none", b"true", b"deny"],
        &[b"false", b"empty", b"token", b"unset", b"found", b"valid", b"allow", b"basic"],
        &[
            b"string", b"masked", b"hidden", b"secure", b"header", b"scheme", b"prefix", b"absent", b"opaque",
            b"denied", b"bearer",
        ],
        &[
            b"removed", b"omitted", b"deleted", b"present", b"missing", b"invalid", b"expired", b"enabled", b"allowed",
            b"revoked", b"unknown",
        ],
        &[b"redacted", b"filtered", b"disabled", b"required", b"optional"],
        &[b"undefined", b"protected", b"sensitive"],
        &[],
        &[b"accesstoken"],
        &[b"access_token"],
    ];
    let mut text = value;
    while let [first, rest @ ..] = text
        && !first.is_ascii_alphanumeric()
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && !last.is_ascii_alphanumeric()
    {
        text = rest;
    }
    if WORDS.get(text.len()).is_some_and(|words| words.iter().any(|word| text.eq_ignore_ascii_case(word))) {
        return true;
    }
    match value {
        [] => true,
        [first @ (b'x' | b'X' | b'*' | b'.' | b'-' | b'_' | b'#'), rest @ ..] => rest.iter().all(|byte| byte == first),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_names_and_statuses_are_words() {
        for text in [
            "authentication",
            "BearerTokenAuthenticationFilter",
            "org.springframework.security.oauth2.server",
            "RFC6750",
            "MODULE_NOT_FOUND",
            "ECONNREFUSED",
            "ENOTFOUND",
            "ERR_HTTP_HEADERS_SENT",
            "EAI_AGAIN",
            "SQLITE_BUSY",
            "invalid_grant",
            "XMLHttpRequest",
            "standard-bearer",
            "UNAUTHENTICATED",
            "sha256",
            "ETIMEDOUT",
            "DEPTH_ZERO_SELF_SIGNED_CERT",
            "PERMISSION_DENIED",
            "tokenProvider",
            "KubernetesServiceAccount",
            "application/x-www-form-urlencoded",
        ] {
            assert_eq!(shape(text.as_bytes()), Shape::Word, "{text}");
        }
    }

    #[test]
    fn random_letters_are_random() {
        for text in [
            "lNsJUcdSXDtBbSlsrYOCvw==",
            "HYIKITYHXKWWKJXW",
            "UJJolXfLeUQeZjIKNUYi",
            "QRDVOHHcSkIzvXIVWlXAuusLqzhpQQjM",
            "sAgOngBPrsdbWCpSMjdOHvsedhXeMpoTClKnvxTIseM",
            "kjhgtyubnmqwertyplmk",
            "9f86d081884c7d65",
            "mF_9.B5f-4.1JqM",
        ] {
            assert_eq!(shape(text.as_bytes()), Shape::Random, "{text}");
        }
    }
}
