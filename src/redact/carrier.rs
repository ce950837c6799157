//! What carried a credential.

use super::context;
use super::cursor::{Cursor, More};
use super::names::{self, Class, NAME_LEN_MAX, is_name_byte};
use super::option;
use super::separator::BLANKS_MAX;
use super::view::Encoding;

/// What carried a credential, as far as the decision that found it knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Carrier {
    /// Nothing that is known: it stood in the text by itself.
    #[default]
    None,
    /// An authorization header, in whatever notation.
    Authorization,
    /// Another header, such as `X-Api-Key`.
    Header,
    /// A query, a form body, or another `name=value`.
    Query,
    /// A member of a cookie header.
    Cookie,
    /// A member of JSON, of a map or of XML.
    Member,
    /// A scheme such as `Bearer` without a header's name.
    Scheme,
    /// An option of a command line.
    Option,
    /// The user part of a URL.
    Userinfo,
    /// Base64 of a text that holds it.
    Base64,
    /// Hexadecimal digits of a text that holds it.
    Hex,
    /// A rule found it.
    Rule,
}

impl Carrier {
    /// All carriers, in the order of their declaration.
    pub const ALL: [Carrier; 12] = [
        Carrier::None,
        Carrier::Authorization,
        Carrier::Header,
        Carrier::Query,
        Carrier::Cookie,
        Carrier::Member,
        Carrier::Scheme,
        Carrier::Option,
        Carrier::Userinfo,
        Carrier::Base64,
        Carrier::Hex,
        Carrier::Rule,
    ];

    /// The word for it in reports.
    pub fn name(self) -> &'static str {
        match self {
            Carrier::None => "none",
            Carrier::Authorization => "authorization",
            Carrier::Header => "header",
            Carrier::Query => "query",
            Carrier::Cookie => "cookie",
            Carrier::Member => "member",
            Carrier::Scheme => "scheme",
            Carrier::Option => "option",
            Carrier::Userinfo => "userinfo",
            Carrier::Base64 => "base64",
            Carrier::Hex => "hex",
            Carrier::Rule => "rule",
        }
    }

    /// This carrier, or the other where this is none.
    pub(crate) fn or(self, other: Self) -> Self {
        if self == Self::None { other } else { self }
    }

    /// What the name that ends at `name_end` makes of the value that it leads to.
    pub(super) fn after_name(name_end: &Cursor<'_>, extra: &[Vec<u8>]) -> Result<Self, More> {
        let before = name_end.before(NAME_LEN_MAX);
        match names::classify_text(before, extra) {
            Some(Class::Authorization) => return Ok(Self::Authorization),
            Some(Class::Cookie) => return Ok(Self::Cookie),
            _ => {}
        }
        if option::is_option(name_end) {
            return Ok(Self::Option);
        }
        if context::is_header_name(name_end) {
            return Ok(Self::Header);
        }
        let mut cursor = *name_end;
        cursor.skip_blanks(BLANKS_MAX)?;
        Ok(match cursor.unit()? {
            // `?user[access_token]=X`
            Some(unit) if matches!(unit.byte, b'=' | b']') => Self::Query,
            _ => Self::Member,
        })
    }

    /// What the scheme that ends at `end` stands in.
    pub(super) fn of_scheme(end: &Cursor<'_>) -> Self {
        if option::is_option(end) { Self::Option } else { Self::Scheme }
    }

    /// A member's name as it stands for its value in JSON.
    pub(super) fn of_member(class: Class) -> Self {
        match class {
            Class::Authorization => Self::Authorization,
            Class::Cookie => Self::Cookie,
            Class::Credential | Class::Token | Class::Code | Class::Signature => Self::Member,
        }
    }

    /// What is seen before a credential that is found by itself.
    pub(super) fn before(credential: &Cursor<'_>) -> Self {
        let before = credential.before(NAME_LEN_MAX);
        if let Some(name) = before.strip_suffix(b"=") {
            let others = name.iter().rposition(|&byte| !is_name_byte(byte)).map(|index| name[index]);
            return if matches!(others, Some(b'?' | b'&' | b'#')) { Self::Query } else { Self::None };
        }
        let opened = before.strip_suffix(b"\"").map(|before| before.trim_ascii_end());
        if opened.is_some_and(|before| before.ends_with(b"\":")) { Self::Member } else { Self::None }
    }

    /// The encoding itself where nothing else is known; what the decoded text says where that keeps its characters.
    pub(super) fn within(self, encoding: Encoding, inner: Self) -> Self {
        match (self, encoding) {
            (Self::None, Encoding::Base64 { .. }) => Self::Base64,
            (Self::None, Encoding::Hex | Encoding::SpacedHex) => Self::Hex,
            (Self::None, Encoding::Escaped | Encoding::Utf16 | Encoding::Wrapped) => inner,
            (carrier, _) => carrier,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::redact::{KeyRing, Options, Redaction, Redactor};

    const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.eUeApzM_gcYBF0PRFiRmlgpkBUxNoTsVlfWH2sAnqOQ";

    fn carriers(text: &str) -> Vec<&'static str> {
        let redaction = Redaction::new(KeyRing::parse(&[b'a'; 64]).unwrap(), Options::default()).unwrap();
        let whole = Redactor::new(&redaction).redact(text.as_bytes()).findings;
        let mut redactor = Redactor::new(&redaction);
        let (mut pieces, mut out) = (Vec::new(), crate::redact::CleanBlock::new());
        for byte in text.as_bytes() {
            redactor.push(&[*byte], &mut out);
            pieces.extend_from_slice(redactor.findings());
        }
        redactor.end_record(&mut out);
        pieces.extend_from_slice(redactor.findings());
        assert_eq!(whole, pieces, "{text}");
        whole.iter().map(|finding| finding.carrier.name()).collect()
    }

    #[test]
    fn what_carries_a_credential_is_known_however_the_input_is_cut() {
        let base64 = "eyJhY2Nlc3NfdG9rZW4iOiJtRl85LkI1Zi00LjFKcU0ifQ==";
        for (text, expected) in [
            (format!("got {JWT} back"), "none"),
            (format!("id={JWT} ok"), "none"),
            (format!("GET /?t={JWT} ok"), "query"),
            (format!("{{\"id\": \"{JWT}\"}}"), "member"),
            ("Authorization: Bearer mF_9.B5f-4.1JqM".to_owned(), "authorization"),
            (format!("\"authorization\":\"Bearer {JWT}\""), "authorization"),
            ("Authorization: Bearer\r\n mF_9.B5f-4.1JqM\r\n".to_owned(), "authorization"),
            ("got Bearer mF_9.B5f-4.1JqM".to_owned(), "scheme"),
            ("X-Api-Key: mF_9.B5f-4.1JqM".to_owned(), "header"),
            ("GET /?access_token=mF_9.B5f-4.1JqM HTTP".to_owned(), "query"),
            ("{\"access_token\":\"mF_9.B5f-4.1JqM\"}".to_owned(), "member"),
            ("<access_token>mF_9.B5f-4.1JqM</access_token>".to_owned(), "member"),
            ("Cookie: a=b; session=mF_9.B5f-4.1JqMx; c=d".to_owned(), "cookie"),
            (format!("Cookie: a=b; sid={JWT}"), "cookie"),
            ("app --access-token=mF_9.B5f-4.1JqM".to_owned(), "option"),
            (format!("context {base64} end"), "base64"),
            ("curl --oauth2-bearer mF_9.B5f-4.1JqM x".to_owned(), "option"),
            ("git clone https://ada:hunter2x@example.com/r".to_owned(), "userinfo"),
        ] {
            assert_eq!(carriers(&text), [expected], "{text}");
        }
    }
}
