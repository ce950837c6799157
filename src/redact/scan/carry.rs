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
        /// How likely the rest follows.
        rest: Rest,
    },
    /// A PEM block has begun and not ended.
    PemBlock,
}

/// How likely the next record begins with the rest of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// An encoder broke the line: whatever begins the next one is the rest.
    Sure,
    /// The token is not whole.
    Likely,
    /// The token is as long as a whole one can be, but could also be longer: with a larger key, or an unknown algorithm.
    Doubtful,
    /// What form it has says nothing of its length: only a line that is indented goes on with it.
    Indented,
}

impl Rest {
    const ALL: [Rest; 4] = [Rest::Sure, Rest::Likely, Rest::Doubtful, Rest::Indented];

    /// A shorter text is no rest.
    pub(super) fn len_min(self) -> usize {
        match self {
            Rest::Sure => 1,
            Rest::Likely | Rest::Indented => 8,
            Rest::Doubtful => 128,
        }
    }
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
            Carry::Cut { kind, rest } => CUT + Rest::ALL.len() as u8 * kind.index() as u8 + rest as u8,
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
                let (index, rests) = (usize::from(code - CUT), Rest::ALL.len());
                let kind = Kind::ALL.get(index / rests)?;
                Some(Carry::Cut { kind: *kind, rest: Rest::ALL[index % rests] })
            }
            code => Kind::ALL.get(usize::from(code) - 3).map(|&kind| Carry::Header(kind)),
        }
    }
}
