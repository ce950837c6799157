//! The encodings that a credential can be wrapped in (rows C1 to C6), and where it stands in what they write.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD};
use std::ops::Range;

/// A text and the stretch of it that holds the credential.
#[derive(Clone, Debug)]
pub struct Marked {
    pub bytes: Vec<u8>,
    pub span: Range<usize>,
}

/// How much of a text is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    Dots,
    /// What the encoding's own syntax asks for.
    Needed,
    Everything,
}

/// How characters are named in HTML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    Decimal,
    Hex,
    Named,
}

/// One encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Percent {
        reach: Reach,
        upper: bool,
    },
    Json {
        reach: Reach,
        upper: bool,
    },
    Html(Reference),
    /// `shift` bytes of other text stand before, so that the credential is met at every alignment.
    Base64 {
        url: bool,
        padded: bool,
        shift: usize,
    },
    /// `line_end` after every `width` characters.
    Wrapped {
        width: usize,
        line_end: &'static str,
    },
    QuotedPrintable {
        line_end: &'static str,
    },
    Hex {
        upper: bool,
    },
}

/// All encodings, with the row that promises them.
#[rustfmt::skip] // a table is read by columns
pub const ENCODINGS: &[(&str, Encoding)] = &[
    ("C1 percent dots", Encoding::Percent { reach: Reach::Dots, upper: false }),
    ("C1 percent dots, upper", Encoding::Percent { reach: Reach::Dots, upper: true }),
    ("C1 percent", Encoding::Percent { reach: Reach::Needed, upper: true }),
    ("C1 percent, lower", Encoding::Percent { reach: Reach::Needed, upper: false }),
    ("C1 percent everything", Encoding::Percent { reach: Reach::Everything, upper: true }),
    ("C1 percent everything, lower", Encoding::Percent { reach: Reach::Everything, upper: false }),
    ("C2 json dots", Encoding::Json { reach: Reach::Dots, upper: false }),
    ("C2 json string", Encoding::Json { reach: Reach::Needed, upper: false }),
    ("C2 json everything", Encoding::Json { reach: Reach::Everything, upper: false }),
    ("C2 json everything, upper", Encoding::Json { reach: Reach::Everything, upper: true }),
    ("C3 html decimal", Encoding::Html(Reference::Decimal)),
    ("C3 html hex", Encoding::Html(Reference::Hex)),
    ("C3 html named", Encoding::Html(Reference::Named)),
    ("C4 base64", Encoding::Base64 { url: false, padded: true, shift: 0 }),
    ("C4 base64, shift 1", Encoding::Base64 { url: false, padded: true, shift: 1 }),
    ("C4 base64, shift 2", Encoding::Base64 { url: false, padded: true, shift: 2 }),
    ("C4 base64 unpadded", Encoding::Base64 { url: false, padded: false, shift: 0 }),
    ("C4 base64 unpadded, shift 1", Encoding::Base64 { url: false, padded: false, shift: 1 }),
    ("C4 base64 unpadded, shift 2", Encoding::Base64 { url: false, padded: false, shift: 2 }),
    ("C4 base64url", Encoding::Base64 { url: true, padded: true, shift: 0 }),
    ("C4 base64url, shift 1", Encoding::Base64 { url: true, padded: true, shift: 1 }),
    ("C4 base64url, shift 2", Encoding::Base64 { url: true, padded: true, shift: 2 }),
    ("C4 base64url unpadded", Encoding::Base64 { url: true, padded: false, shift: 0 }),
    ("C4 base64url unpadded, shift 1", Encoding::Base64 { url: true, padded: false, shift: 1 }),
    ("C4 base64url unpadded, shift 2", Encoding::Base64 { url: true, padded: false, shift: 2 }),
    ("C5 wrapped 64", Encoding::Wrapped { width: 64, line_end: "\\n" }),
    ("C5 wrapped 76", Encoding::Wrapped { width: 76, line_end: "\\n" }),
    ("C5 wrapped 64, crlf", Encoding::Wrapped { width: 64, line_end: "\\r\\n" }),
    ("C5 wrapped 76, crlf", Encoding::Wrapped { width: 76, line_end: "\\r\\n" }),
    ("C5 folded", Encoding::Wrapped { width: 60, line_end: "\n    " }),
    ("C5 quoted-printable", Encoding::QuotedPrintable { line_end: "\n" }),
    ("C5 quoted-printable, crlf", Encoding::QuotedPrintable { line_end: "\r\n" }),
    ("C6 hex", Encoding::Hex { upper: false }),
    ("C6 hex, upper", Encoding::Hex { upper: true }),
];

impl Encoding {
    /// What it encodes character by character, so that a span of characters stays one.
    pub fn is_by_character(self) -> bool {
        matches!(self, Self::Percent { .. } | Self::Json { .. } | Self::Html(_))
    }

    /// It puts line ends into the text.
    pub fn is_wrapping(self) -> bool {
        matches!(self, Self::Wrapped { .. } | Self::QuotedPrintable { .. })
    }

    /// It writes line ends that end a record.
    pub fn is_of_lines(self) -> bool {
        match self {
            Self::Wrapped { line_end, .. } | Self::QuotedPrintable { line_end } => line_end.contains('\n'),
            _ => false,
        }
    }

    /// It writes one run of an alphabet that shows nothing of what is inside.
    pub fn is_blob(self) -> bool {
        matches!(self, Self::Base64 { .. } | Self::Hex { .. })
    }

    /// The text in this encoding. A blob is replaced as a whole, so the span is all of it.
    pub fn encode(self, text: &Marked) -> Marked {
        match self {
            Self::Percent { reach, upper } => by_character(text, |byte, out| percent(byte, reach, upper, out)),
            Self::Json { reach, upper } => by_character(text, |byte, out| json(byte, reach, upper, out)),
            Self::Html(reference) => by_character(text, |byte, out| html(byte, reference, out)),
            Self::Base64 { url, padded, shift } => {
                let shifted = [&b"x:"[2 - shift..], &text.bytes].concat();
                let engine = match (url, padded) {
                    (false, true) => &BASE64_STANDARD,
                    (false, false) => &BASE64_STANDARD_NO_PAD,
                    (true, true) => &BASE64_URL_SAFE,
                    (true, false) => &BASE64_URL_SAFE_NO_PAD,
                };
                whole(engine.encode(shifted))
            }
            Self::Hex { upper: false } => whole(text.bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
            Self::Hex { upper: true } => whole(text.bytes.iter().map(|byte| format!("{byte:02X}")).collect()),
            Self::Wrapped { width, line_end } => wrapped(text, width, line_end),
            Self::QuotedPrintable { line_end } => quoted_printable(text, line_end),
        }
    }
}

fn whole(text: String) -> Marked {
    let span = 0..text.len();
    Marked { bytes: text.into_bytes(), span }
}

fn by_character(text: &Marked, mut encode: impl FnMut(u8, &mut Vec<u8>)) -> Marked {
    let mut bytes = Vec::new();
    let mut starts = Vec::new();
    for &byte in &text.bytes {
        starts.push(bytes.len());
        encode(byte, &mut bytes);
    }
    starts.push(bytes.len());
    Marked { bytes, span: starts[text.span.start]..starts[text.span.end] }
}

fn percent(byte: u8, reach: Reach, upper: bool, out: &mut Vec<u8>) {
    let is_encoded = match reach {
        Reach::Dots => byte == b'.',
        // RFC 3986 §2.3.
        Reach::Needed => !byte.is_ascii_alphanumeric() && !b"-._~".contains(&byte),
        Reach::Everything => true,
    };
    match (is_encoded, upper) {
        (false, _) => out.push(byte),
        (true, true) => out.extend(format!("%{byte:02X}").bytes()),
        (true, false) => out.extend(format!("%{byte:02x}").bytes()),
    }
}

fn json(byte: u8, reach: Reach, upper: bool, out: &mut Vec<u8>) {
    match (byte, reach) {
        (0x80.., _) => out.push(byte),
        (b'.', Reach::Dots) => out.extend(b"\\u002e"),
        (_, Reach::Everything) if upper => out.extend(format!("\\u{byte:04X}").bytes()),
        (_, Reach::Everything) => out.extend(format!("\\u{byte:04x}").bytes()),
        // What must be escaped in a string is so, whatever else is (RFC 8259 §7).
        (b'"' | b'\\', _) => out.extend([b'\\', byte]),
        (b'/', Reach::Needed) => out.extend(b"\\/"),
        (b'\n', _) => out.extend(b"\\n"),
        (b'\r', _) => out.extend(b"\\r"),
        (b'\t', _) => out.extend(b"\\t"),
        (0..b' ', _) => out.extend(format!("\\u{byte:04x}").bytes()),
        _ => out.push(byte),
    }
}

fn html(byte: u8, reference: Reference, out: &mut Vec<u8>) {
    let name = match byte {
        b'.' => "period",
        b'"' => "quot",
        b'\'' => "apos",
        b'&' => "amp",
        b'<' => "lt",
        b'>' => "gt",
        _ => return out.push(byte),
    };
    out.extend(match reference {
        Reference::Decimal => format!("&#{byte};").into_bytes(),
        Reference::Hex => format!("&#x{byte:x};").into_bytes(),
        Reference::Named => format!("&{name};").into_bytes(),
    });
}

/// Wraps the credential alone.
fn wrapped(text: &Marked, width: usize, line_end: &str) -> Marked {
    let lines: Vec<&[u8]> = text.bytes[text.span.clone()].chunks(width).collect();
    let inside = lines.join(line_end.as_bytes());
    let bytes = [&text.bytes[..text.span.start], &inside, &text.bytes[text.span.end..]].concat();
    Marked { bytes, span: text.span.start..text.span.start + inside.len() }
}

/// RFC 2045 §6.7, with lines of 76 characters counted from the beginning of the credential.
fn quoted_printable(text: &Marked, line_end: &str) -> Marked {
    const LINE_LEN_MAX: usize = 75;
    let mut bytes = Vec::new();
    let mut starts = Vec::new();
    let mut line_len = 0;
    for (index, &byte) in text.bytes.iter().enumerate() {
        let unit = match byte {
            b'\t' | b'\r' | b'\n' | b' '..=b'<' | b'>'..=b'~' => vec![byte],
            _ => format!("={byte:02X}").into_bytes(),
        };
        if line_len + unit.len() > LINE_LEN_MAX && text.span.contains(&index) {
            bytes.extend_from_slice(format!("={line_end}").as_bytes());
            line_len = 0;
        }
        line_len = if byte == b'\n' { 0 } else { line_len + unit.len() };
        starts.push(bytes.len());
        bytes.extend_from_slice(&unit);
    }
    starts.push(bytes.len());
    // A soft line break before the first character is not part of it, nor is one behind the last.
    let last = starts[text.span.end - 1];
    let last_len = if bytes[last] == b'=' { 3 } else { 1 };
    Marked { span: starts[text.span.start]..last + last_len, bytes }
}
