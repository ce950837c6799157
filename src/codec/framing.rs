//! How records lie in a byte stream.

/// How records are told apart in a stream, for reading and for writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Records end with `\n`; a `\r` before it belongs to the record.
    NewlineDelimited,
    /// Records end with this byte.
    CharacterDelimited(u8),
    /// A 32-bit big-endian length before each record.
    LengthDelimited,
    /// A decimal length and a blank before each record (RFC 6587 §3.4.1). The length is at most ten digits.
    OctetCounting,
    /// The whole stream is one record.
    Bytes,
}

impl Framing {
    /// The byte that ends each record, where one does.
    pub fn delimiter(self) -> Option<u8> {
        match self {
            Framing::NewlineDelimited => Some(b'\n'),
            Framing::CharacterDelimited(delimiter) => Some(delimiter),
            Framing::LengthDelimited | Framing::OctetCounting | Framing::Bytes => None,
        }
    }
}

/// Why a stream can't be cut into records any more. It names no data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FramingError {
    /// `octet_counting`: something else than a length stands where a record's length belongs.
    Length,
    /// The stream ended inside a length or a record of announced length.
    Truncated,
}

impl std::fmt::Display for FramingError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            FramingError::Length => "no decimal length where a record begins",
            FramingError::Truncated => "the stream ended inside a record",
        })
    }
}

impl std::error::Error for FramingError {}
