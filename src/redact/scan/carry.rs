//! What stays open over the end of a record.

use crate::redact::Kind;

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
    /// A line ended behind the name of an authorization header; its value may stand in the next line.
    Authorization,
    /// A line ended behind a name whose value is always a credential.
    Credential,
    /// The same, and said that its value follows, as YAML's `|` and `>` do.
    Block,
    /// A line ended behind the name of a token that may be something else.
    Token,
    /// A record ended inside a token; its rest may begin the next one, or surely does: an encoder broke the line.
    Cut {
        /// What the token is.
        kind: Kind,
        /// Whether the rest surely follows.
        sure: bool,
    },
    /// A PEM block has begun and not ended.
    PemBlock,
}

/// The code of the first kind of [`Carry::Cut`].
const CUT: u8 = 16;
/// A code apart from those that count up.
const PEM_BLOCK: u8 = 64;

impl Carry {
    /// A number for a checkpoint; [`from_code`](Self::from_code) reads it.
    pub fn code(self) -> u8 {
        match self {
            Carry::None => 0,
            Carry::Cookies => 1,
            Carry::Bearer => 2,
            Carry::PemBlock => PEM_BLOCK,
            // No header's credential is a rule's, nor is a token that is cut.
            Carry::Header(kind) => 3 + kind.index() as u8,
            Carry::Authorization => 240,
            Carry::Credential => 241,
            Carry::Token => 242,
            Carry::Block => 243,
            Carry::Cut { kind, sure } => CUT + 2 * kind.index() as u8 + u8::from(sure),
        }
    }

    /// The state that a number stands for; `None` if a newer version wrote it.
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Carry::None),
            1 => Some(Carry::Cookies),
            2 => Some(Carry::Bearer),
            PEM_BLOCK => Some(Carry::PemBlock),
            240 => Some(Carry::Authorization),
            241 => Some(Carry::Credential),
            242 => Some(Carry::Token),
            243 => Some(Carry::Block),
            CUT.. => {
                let sure = (code - CUT) % 2 == 1;
                Kind::ALL.get(usize::from((code - CUT) / 2)).map(|&kind| Carry::Cut { kind, sure })
            }
            code => Kind::ALL.get(usize::from(code) - 3).map(|&kind| Carry::Header(kind)),
        }
    }
}
