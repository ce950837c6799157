//! Walking over a JSON text string by string, without asking it to be valid.

use super::{find, has_hiding_escape, merge};
use crate::redact::{Carrier, Carry, Member, Redaction, Replacement};
use memchr::memchr3;
use std::ops::Range;

/// What the members and elements before a value say of it.
#[derive(Clone, Copy, Default)]
struct Context {
    /// The next value belongs to this name.
    member: Option<Member>,
    /// The string before was a name; it speaks of what stands beside it.
    name: Option<Member>,
    /// The name holds for all elements of the array that is open.
    array: bool,
    /// The next value belongs to a key that does not say that it is a name.
    value: bool,
    /// The next value belongs to a name that may stand behind it.
    before_name: bool,
    /// Such a value: where its string begins and ends.
    given: Option<(usize, usize)>,
    /// An object or list that follows holds cookies.
    opens_cookies: bool,
    /// It is a member of such an object: names are those of cookies.
    cookies: bool,
}

/// Appends the credentials in the strings and named numbers of `text`, in order. Quotes and brackets in what is `gone` do
/// not count: they won't be in the output, whose strings would be others than these.
pub(super) fn walk(redaction: &Redaction, text: &[u8], depth: u8, gone: &[Range<usize>], found: &mut Vec<Replacement>) {
    let mut context = Context::default();
    // How deep the object or list of cookies lies that is open.
    let (mut depth_now, mut cookies): (i64, Option<i64>) = (0, None);
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'"' | b'{' | b'}' | b'[' | b']' if let Some(end) = end_of_gone(gone, at) => {
                context = after_value(context);
                at = end;
                continue;
            }
            b'"' => {
                let content = string_around(text, at + 1, gone);
                at = (content.end + 1).min(text.len());
                let is_key = text[at..].trim_ascii_start().first() == Some(&b':');
                context.cookies = cookies.is_some();
                context = on_string(redaction, text, content, is_key, context, depth, found);
                continue;
            }
            b'{' | b'[' if context.opens_cookies && cookies.is_none() => {
                cookies = Some(depth_now);
                depth_now += 1;
                context = Context::default();
            }
            b'{' | b'[' => {
                depth_now += 1;
                match text[at] {
                    b'[' if context.member.is_some() && !context.array => context.array = true,
                    _ => context = Context::default(),
                }
            }
            b'}' | b']' => {
                depth_now -= 1;
                cookies = cookies.filter(|&depth| depth < depth_now);
                context = Context::default();
            }
            b',' if !context.array => {}
            b'-' | b'0'..=b'9' => {
                let len = text[at..].iter().take_while(|byte| b"+-.0123456789eE".contains(byte)).count();
                // Digits of a text that is no JSON are no number.
                let begins = matches!(text[..at].trim_ascii_end().last(), Some(b':' | b'[' | b','));
                let ends =
                    matches!(text[at + len..].first(), None | Some(b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n'));
                if let Some(member) = context.member.filter(|_| begins && ends) {
                    let before = found.len();
                    redaction.scan_number(member, &text[at..at + len], found);
                    shift(&mut found[before..], at);
                }
                context = after_value(context);
                at += len;
                continue;
            }
            b't' | b'f' | b'n' => context = after_value(context),
            _ => {}
        }
        at += 1;
    }
}

fn after_value(context: Context) -> Context {
    if context.array { context } else { Context::default() }
}

fn shift(found: &mut [Replacement], by: usize) {
    for replacement in found {
        replacement.range = replacement.range.start + by..replacement.range.end + by;
    }
}

/// Where the string that begins at `start` (behind its quote) ends: at the closing quote, or where its line does.
pub(in crate::codec) fn string(text: &[u8], start: usize) -> Range<usize> {
    let mut at = start;
    while let Some(offset) = memchr3(b'"', b'\\', b'\n', text.get(at..).unwrap_or_default()) {
        at += offset;
        if text[at] != b'\\' {
            return start..at;
        }
        at += 2;
    }
    start..text.len()
}

/// The same where a quote in what is gone ends nothing.
fn string_around(text: &[u8], start: usize, gone: &[Range<usize>]) -> Range<usize> {
    let mut end = string(text, start).end;
    while let Some(after) = end_of_gone(gone, end) {
        end = string(text, after).end;
    }
    start..end
}

fn end_of_gone(gone: &[Range<usize>], at: usize) -> Option<usize> {
    let next = gone.get(gone.partition_point(|range| range.end <= at))?;
    next.contains(&at).then_some(next.end)
}

fn on_string(
    redaction: &Redaction,
    text: &[u8],
    content: Range<usize>,
    is_key: bool,
    context: Context,
    depth: u8,
    found: &mut Vec<Replacement>,
) -> Context {
    let raw = &text[content.clone()];
    let decoded = Decoded::new(raw);
    let before = found.len();
    if is_key {
        redaction.scan_text(&decoded.text, found);
    } else {
        let beside = context.name.and_then(Member::beside);
        value(redaction, &decoded.text, context.member.or(beside), depth, found);
    }
    if !is_key {
        let is_whole = |replacement: &&mut Replacement| replacement.range == (0..decoded.text.len());
        for replacement in found[before..].iter_mut().filter(is_whole) {
            replacement.carrier = replacement.carrier.or(Carrier::Member);
        }
    }
    decoded.move_outside(&mut found[before..], content.start);
    let name_of = |text: &[u8]| redaction.member(text).or_else(|| redaction.cookie(text).filter(|_| context.cookies));
    if is_key {
        // `"name": "Authorization", "value": "…"`: the value belongs to the name before it.
        let is_value = decoded.text.eq_ignore_ascii_case(b"value");
        let member = context.name.filter(|_| is_value).or_else(|| name_of(&decoded.text));
        let names: [&[u8]; 6] = [b"name", b"key", b"header", b"headername", b"field", b"k"];
        let is_name = names.iter().any(|name| decoded.text.eq_ignore_ascii_case(name));
        let opens_cookies = decoded.text.eq_ignore_ascii_case(b"cookies");
        let given = context.given.filter(|_| is_name);
        return Context { member, value: !is_name, before_name: is_value, given, opens_cookies, ..Context::default() };
    }
    if context.array {
        return context;
    }
    let name = name_of(&decoded.text).filter(|_| !context.value);
    // `"value": "…", "name": "Authorization"`
    if let Some((start, end)) = context.given
        && name.is_some()
    {
        let given = Decoded::new(&text[start..end]);
        let before = found.len();
        value(redaction, &given.text, name, depth, found);
        given.move_outside(&mut found[before..], start);
    }
    let given = context.before_name.then_some((content.start, content.end));
    Context { name, given, ..Context::default() }
}

fn value(redaction: &Redaction, text: &[u8], member: Option<Member>, depth: u8, found: &mut Vec<Replacement>) {
    let nested = matches!(text.trim_ascii_start().first(), Some(b'{' | b'[' | b'"')) || has_hiding_escape(text);
    let before = found.len();
    match member {
        Some(member) => redaction.scan_member(member, text, found),
        None if depth > 1 && nested => {
            let mut inner = Vec::new();
            find(redaction, text, depth - 1, Carry::None, &mut Carry::None, &mut inner);
            found.extend(inner);
        }
        None => redaction.scan_text(text, found),
    }
    if member.is_some() && found.len() == before && depth > 1 && nested {
        find(redaction, text, depth - 1, Carry::None, &mut Carry::None, found);
    }
    let mut mine = found.split_off(before);
    merge(&mut mine);
    found.append(&mut mine);
}

/// The characters of a JSON string (RFC 8259 §7), and where each came from.
pub(super) struct Decoded {
    pub text: Vec<u8>,
    /// For each byte of `text` where its character begins in the raw string, and at last the raw length; empty if
    /// nothing was escaped.
    origin: Vec<usize>,
}

impl Decoded {
    pub fn new(raw: &[u8]) -> Self {
        if memchr::memchr(b'\\', raw).is_none() {
            return Self { text: raw.to_vec(), origin: Vec::new() };
        }
        let mut decoded = Self { text: Vec::with_capacity(raw.len()), origin: Vec::with_capacity(raw.len() + 1) };
        let mut at = 0;
        while at < raw.len() {
            let (len, character) = unescape(&raw[at..]);
            match character {
                Character::Byte(byte) => decoded.text.push(byte),
                Character::Unicode(character) => {
                    decoded.text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
            decoded.origin.resize(decoded.text.len(), at);
            at += len;
        }
        decoded.origin.push(raw.len());
        decoded
    }

    /// What was found in the decoded text of a string whose content begins at `start`, seen from outside the string.
    pub fn move_outside(&self, found: &mut [Replacement], start: usize) {
        for replacement in found {
            let range = self.raw_range(&replacement.range);
            *replacement = replacement.clone().inside_string(start + range.start..start + range.end);
        }
    }

    fn raw_range(&self, range: &Range<usize>) -> Range<usize> {
        if self.origin.is_empty() { range.clone() } else { self.origin[range.start]..self.origin[range.end] }
    }
}

enum Character {
    Byte(u8),
    Unicode(char),
}

/// The first character of `raw`, and how many bytes stand for it. What is no escape stands for itself.
fn unescape(raw: &[u8]) -> (usize, Character) {
    let &[b'\\', escape, ..] = raw else { return (1, Character::Byte(raw[0])) };
    let byte = match escape {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'f' => 0x0c,
        b'u' => return unicode(raw),
        b'"' | b'\\' | b'/' => escape,
        _ => return (1, Character::Byte(b'\\')),
    };
    (2, Character::Byte(byte))
}

fn unicode(raw: &[u8]) -> (usize, Character) {
    let Some(first) = code_unit(raw) else { return (1, Character::Byte(b'\\')) };
    if let 0xd800..=0xdbff = first
        && let Some(second @ 0xdc00..=0xdfff) = raw.get(6..).and_then(code_unit)
    {
        let scalar = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return (12, Character::Unicode(char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER)));
    }
    (6, Character::Unicode(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER)))
}

fn code_unit(raw: &[u8]) -> Option<u32> {
    let digits = raw.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |unit, &digit| Some(unit << 4 | char::from(digit).to_digit(16)?))
}
