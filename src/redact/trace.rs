//! What was decided on a text, and why: for people who ask. Nothing of the text is kept here, only where it stands.

use super::anchors::Anchor;
use super::ruled::Ruled;
use super::scan::{Output, Scan, Window};
use super::view::Encoding;
use super::{Finding, Redaction};

/// One decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Where what drew attention stands in the text.
    pub offset: u64,
    /// Its length; for an anchor that of the literal.
    pub len: u64,
    /// What it may be part of.
    pub clue: Clue,
    /// What was decided.
    pub verdict: Verdict,
}

/// What drew attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clue {
    /// Base64 of the beginning of an object.
    Object,
    /// The scheme `Bearer`.
    Scheme,
    /// The name of an authorization header.
    Authorization,
    /// The name of a parameter or member.
    Name,
    /// The name of a cookie header.
    CookieHeader,
    /// A member of a cookie header.
    Cookie,
    /// A line that may continue the one before.
    NextLine,
    /// Something of a credential in base64.
    Base64,
    /// Something of a credential in hexadecimal digits.
    Hex,
    /// Something of a credential in escapes.
    Escaped,
    /// Something of a credential in UTF-16.
    Utf16,
    /// A payload whose header may be gone.
    Tail,
    /// The end of a URL's scheme.
    Authority,
    /// The name of a member of a JOSE object.
    JoseMember,
    /// An option of curl that a password follows.
    User,
    /// A line of a file of cookies.
    CookieJar,
    /// The purpose of a PASETO.
    Paseto,
    /// A compressed session.
    Compressed,
}

impl From<Anchor> for Clue {
    fn from(anchor: Anchor) -> Self {
        match anchor {
            Anchor::Jose => Self::Object,
            Anchor::Scheme => Self::Scheme,
            Anchor::Authorization => Self::Authorization,
            Anchor::Name | Anchor::Value => Self::Name,
            Anchor::Cookie => Self::CookieHeader,
            Anchor::Encoded(Encoding::Base64 { .. }) => Self::Base64,
            Anchor::Encoded(Encoding::Hex | Encoding::SpacedHex) => Self::Hex,
            Anchor::Encoded(Encoding::Escaped | Encoding::Wrapped) => Self::Escaped,
            Anchor::Encoded(Encoding::Utf16) => Self::Utf16,
            Anchor::Tail { .. } => Self::Tail,
            Anchor::Authority { .. } => Self::Authority,
            Anchor::User => Self::User,
            Anchor::CookieJar => Self::CookieJar,
            Anchor::Member | Anchor::Signature { .. } => Self::JoseMember,
            Anchor::Paseto => Self::Paseto,
            Anchor::Compressed => Self::Compressed,
        }
    }
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A credential begins at this offset.
    Found(u64),
    /// A marker stands where a credential would.
    Marker,
    /// It may go on in the next line.
    NextLine,
    /// The members of a cookie header come next.
    Cookies,
    /// It is nothing, and why.
    Rejected(Rejection),
}

/// Why something is no credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// What looked like base64 of an object is none.
    NoObject,
    /// The object has neither `alg` nor `enc`.
    NoJoseMember,
    /// Nothing stands behind a JOSE header.
    LoneHeader,
    /// Nothing is found in what an encoding hides.
    NothingInside,
    /// It is not as the rest of a cut token is.
    NoRest,
    /// It is no session.
    NoSession,
    /// No password stands in the URL.
    NoPassword,
    /// The member stands in no JOSE object.
    NoJoseObject,
    /// It is not as a PASETO is.
    NoPaseto,
    /// The letters are part of another word.
    OtherWord,
    /// The name is none whose values are credentials.
    OtherName,
    /// Nothing separates a name from a value, or a scheme from a credential.
    NothingSeparates,
    /// A server asks for a credential.
    Challenge,
    /// A parameter of a scheme stands there.
    Parameter,
    /// What is around it could be prose or source code.
    WeakContext,
    /// There is no value.
    Empty,
    /// The value stands for another one.
    Placeholder,
    /// The value looks like a word, a name or a path.
    Word,
    /// The value looks like a number.
    Number,
    /// The value is too short.
    TooShort,
    /// The value is a sentence.
    Sentence,
    /// The value is itself a name with a value.
    InnerName,
    /// Something in the value was replaced already.
    Replaced,
}

impl Rejection {
    /// The reason in words.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NoObject => "does not decode to the beginning of a JSON object",
            Self::NoJoseMember => "decodes to JSON without alg or enc",
            Self::LoneHeader => "a JOSE header with nothing behind it is no secret",
            Self::NothingInside => "nothing is found in what it decodes to",
            Self::NoRest => "not the rest of a token that was cut",
            Self::NoSession => "no session",
            Self::NoPassword => "no password in the URL",
            Self::NoJoseObject => "not a member of a JOSE object",
            Self::NoPaseto => "no PASETO",
            Self::OtherWord => "part of another word",
            Self::OtherName => "not a name whose value is a credential",
            Self::NothingSeparates => "nothing separates the name from a value",
            Self::Challenge => "a challenge asks for a credential and holds none",
            Self::Parameter => "a parameter of a challenge or another scheme follows",
            Self::WeakContext => "what is around it may be prose or source code",
            Self::Empty => "the value is empty",
            Self::Placeholder => "the value is a placeholder",
            Self::Word => "the value looks like a word",
            Self::Number => "the value looks like a number",
            Self::TooShort => "the value is too short",
            Self::Sentence => "the value is a sentence",
            Self::InnerName => "the value is itself a name with a value",
            Self::Replaced => "part of the value was replaced already",
        }
    }
}

/// What was found in a text, and all that was decided on the way.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// In order.
    pub findings: Vec<Finding>,
    /// In order.
    pub steps: Vec<Step>,
}

impl Redaction {
    /// Scans a complete text and says what was decided where.
    pub fn explain(&self, text: &[u8]) -> Explanation {
        let shared = self.shared();
        let window = Window { bytes: text, base: 0, end: true };
        let mut out = Output::traced();
        Scan::new(0).run(&shared, window, &mut out);
        let mut findings = out.findings;
        if !shared.rules.is_empty() {
            let mut ruled = Ruled::default();
            ruled.run(&shared, window, text.len() as u64, &findings);
            findings = ruled.findings;
        }
        Explanation { findings, steps: out.trace.unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::{KeyRing, Options};

    fn verdicts(text: &str) -> Vec<(u64, Clue, Verdict)> {
        let redaction = Redaction::new(KeyRing::parse(&[b'a'; 64]).unwrap(), Options::default()).unwrap();
        redaction.explain(text.as_bytes()).steps.iter().map(|step| (step.offset, step.clue, step.verdict)).collect()
    }

    #[test]
    fn each_rejection_has_its_reason() {
        use Rejection::*;
        for (text, clue, reason) in [
            ("eyJhIjoiYiIsImMiOiJkIn0.x", Clue::Object, NoJoseMember),
            ("a eyJhbGciOiJIUzI1NiJ9 b", Clue::Object, LoneHeader),
            ("keyJackAndEyesAlone", Clue::Object, NoObject),
            ("the token was lost", Clue::Name, NothingSeparates),
            ("token_type=x", Clue::Name, OtherWord),
            ("a nothingtoken=abc", Clue::Name, OtherName),
            ("access_token=null", Clue::Name, Placeholder),
            ("access_token=&a=b", Clue::Name, Empty),
            ("token=admin", Clue::Name, Word),
            ("token=12345", Clue::Name, Number),
            ("Bearer authentication", Clue::Scheme, Word),
            ("forbearer and", Clue::Scheme, Word),
            ("Bearer realm=\"x\"", Clue::Scheme, Parameter),
            ("WWW-Authenticate: Bearer abc", Clue::Scheme, Challenge),
            ("a prizes b", Clue::Authorization, OtherWord),
            ("Authorization is needed", Clue::Authorization, NothingSeparates),
            ("Cookie: theme=dark", Clue::Cookie, OtherName),
            ("see https://ada@example.com/", Clue::Authority, NoPassword),
            ("v9.public.x", Clue::Paseto, NoPaseto),
        ] {
            let steps = verdicts(text);
            let is_expected = |step: &&(u64, Clue, Verdict)| (step.1, step.2) == (clue, Verdict::Rejected(reason));
            assert!(steps.iter().any(|step| is_expected(&step)), "{text}: {steps:?}");
        }
    }

    #[test]
    fn what_is_found_is_found_by_a_step() {
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.eUeApzM_gcYBF0PRFiRmlgpkBUxNoTsVlfWH2sAnqOQ";
        for (text, clue) in [
            (format!("got {jwt}"), Clue::Object),
            (format!("Bearer {jwt}"), Clue::Scheme),
            ("access_token=mF_9.B5f-4.1JqM".to_owned(), Clue::Name),
            ("Authorization: Bearer mF_9.B5f-4.1JqM".to_owned(), Clue::Authorization),
            ("Authorization: Bearer\r\n mF_9.B5f-4.1JqM".to_owned(), Clue::NextLine),
            ("Cookie: session=mF_9.B5f-4.1JqM".to_owned(), Clue::Cookie),
            ("https://ada:hunter2x@example.com/".to_owned(), Clue::Authority),
        ] {
            let redaction = Redaction::new(KeyRing::parse(&[b'a'; 64]).unwrap(), Options::default()).unwrap();
            let Explanation { findings, steps } = redaction.explain(text.as_bytes());
            let [finding] = findings[..] else { panic!("{text}: {findings:?}") };
            let found = steps.iter().find(|step| step.verdict == Verdict::Found(finding.offset));
            assert_eq!(found.map(|step| step.clue), Some(clue), "{text}: {steps:?}");
        }
    }

    #[test]
    fn a_trace_changes_nothing() {
        let text = "Bearer mF_9.B5f-4.1JqM token=x access_token=mF_9.B5f-4.1JqM".as_bytes();
        let redaction = Redaction::new(KeyRing::parse(&[b'a'; 64]).unwrap(), Options::default()).unwrap();
        let plain = crate::redact::Redactor::new(&redaction).redact(text).findings;
        assert_eq!(redaction.explain(text).findings, plain);
    }
}
