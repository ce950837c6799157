//! Reading what a token says of itself.

use super::principal::Signs;
use super::value::{AnyValue, Value};
use super::{AUDIENCES_MAX, CLAIM_BYTES_MAX, Claims, UnreadClaims};
use crate::redact::header;
use crate::redact::key::Key;
use crate::redact::redaction::Shared;
use crate::redact::ruled::Ruled;
use crate::redact::scan::{Output, Scan, Window};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::cell::OnceCell;
use zeroize::{Zeroize, Zeroizing};

/// So many words of `scp` or audiences are read of an array.
const TEXTS_MAX: usize = 64;

pub(super) fn read(shared: &Shared, unread: &UnreadClaims) -> Claims {
    let mut claims = Claims::default();
    let clean = Cleaner { shared, without_claims: OnceCell::new() };
    if let Some(json) = decode(unread.header()) {
        // Of a header that is cut or broken what came before that is taken, as where its token was found.
        read_members(&json, |name, value| header_member(&mut claims, &clean, name, value));
    }
    if let Some(json) = decode(unread.payload()) {
        let key = shared.key_of(unread.key_id);
        let mut payload = Payload::default();
        if read_members(&json, |name, value| payload.member(&clean, key, name, value)) {
            payload.into_claims(&mut claims);
        }
    }
    claims
}

/// The text that characters of base64url without padding stand for.
fn decode(characters: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    // A lone last character holds only six bits of a byte.
    let whole = characters.len() - usize::from(characters.len() % 4 == 1);
    let mut decoded = Zeroizing::new(vec![0; whole.div_ceil(4) * 3]);
    let len = header::decode_into(&characters[..whole], &mut decoded)?;
    decoded.truncate(len);
    Some(decoded)
}

fn header_member(claims: &mut Claims, clean: &Cleaner<'_>, name: Name, value: Value<'_>) {
    let text = |value: Value<'_>| value.text().map(|text| clean.text(&text));
    match name {
        Name::Alg => claims.alg = text(value),
        Name::Kid => claims.kid = text(value),
        Name::Typ => claims.typ = text(value),
        Name::Key(key) if !value.is_null() => {
            // The first of them in the order of the alphabet, wherever it stands.
            claims.key_in_header = Some(claims.key_in_header.map_or(key, |other| other.min(key)));
        }
        _ => {}
    }
}

/// What a payload says, until its end shows that it is one.
#[derive(Default)]
struct Payload {
    claims: Claims,
    scp: Option<String>,
    signs: Signs,
}

impl Payload {
    fn member(&mut self, clean: &Cleaner<'_>, key: Option<&Key>, name: Name, value: Value<'_>) {
        self.signs.member(name, &value);
        let claims = &mut self.claims;
        let text = |value: Value<'_>| value.text().map(|text| clean.text(&text));
        let digest = |name: &str, value: Value<'_>| {
            let value = value.name()?;
            Some(key?.claim_digest(name, value.as_bytes()))
        };
        match name {
            Name::Iss => claims.iss = text(value),
            Name::Sub => claims.sub = digest("sub", value),
            Name::Jti => claims.jti = digest("jti", value),
            Name::Aud => {
                claims.aud = value.texts().iter().take(AUDIENCES_MAX).map(|text| clean.text(text)).collect();
            }
            Name::Azp => claims.azp = text(value),
            Name::ClientId => claims.client_id = text(value),
            Name::Scope => claims.scope = words(clean, value),
            Name::Scp => self.scp = words(clean, value),
            Name::Iat => claims.iat = value.seconds(),
            Name::Nbf => claims.nbf = value.seconds(),
            Name::Exp => {
                claims.exp = value.seconds();
                claims.exp_unreadable = claims.exp.is_none() && !value.is_null();
            }
            Name::Cnf => claims.cnf = matches!(value, Value::Object { is_empty: false }),
            _ => {}
        }
    }

    fn into_claims(self, claims: &mut Claims) {
        let Claims { alg, kid, typ, key_in_header, .. } = std::mem::take(claims);
        let scope = self.claims.scope.or(self.scp);
        let principal = self.signs.principal();
        *claims = Claims { alg, kid, typ, key_in_header, scope, principal, has_payload: true, ..self.claims };
    }
}

/// Words with blanks between, from a text or an array.
fn words(clean: &Cleaner<'_>, value: Value<'_>) -> Option<String> {
    let words = value.texts();
    (!words.is_empty()).then(|| clean.text(&words.join(" ")))
}

/// Takes credentials out of what is kept.
struct Cleaner<'a> {
    shared: &'a Shared,
    /// Of a token in a claim no claims are kept.
    without_claims: OnceCell<Shared>,
}

impl Cleaner<'_> {
    /// A text as it may be kept.
    fn text(&self, text: &str) -> String {
        if !self.shared.anchors.any(text.as_bytes()) && !self.shared.rules.may_match(text.as_bytes()) {
            return cut(text).to_owned();
        }
        let shared = self.without_claims.get_or_init(|| self.shared.without_claims());
        let mut out = Output::default();
        let window = Window { bytes: text.as_bytes(), base: 0, end: true };
        Scan::of_string().run(shared, window, &mut out);
        let mut ruled = Ruled::default();
        if !shared.rules.is_empty() {
            ruled.run(shared, window, text.len() as u64, &out.findings);
            (out.replaced, out.bytes) = (ruled.replaced, ruled.bytes);
        }
        if !out.replaced {
            return cut(text).to_owned();
        }
        // What is replaced may end inside a character.
        let mut clean = String::with_capacity(out.bytes.len());
        for chunk in out.bytes.utf8_chunks() {
            clean.push_str(chunk.valid());
            if !chunk.invalid().is_empty() {
                clean.push(char::REPLACEMENT_CHARACTER);
            }
        }
        let short = cut(&clean).to_owned();
        clean.zeroize();
        short
    }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(CLAIM_BYTES_MAX)]
}

/// A member that matters, in the header or the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Alg,
    Kid,
    Typ,
    Key(&'static str),
    Iss,
    Sub,
    Aud,
    Azp,
    ClientId,
    Scope,
    Scp,
    Iat,
    Nbf,
    Exp,
    Jti,
    Cnf,
    /// The client by another name.
    OtherClient,
    /// The object of the subject in the issuer's directory.
    Oid,
    Email,
    PreferredUsername,
    /// How the token was asked for.
    Grant,
    IdType,
    /// Only a person has it.
    Personal,
    /// Only a job of a build service has it.
    Job,
}

fn name_of(name: &str) -> Option<Name> {
    Some(match name {
        "alg" => Name::Alg,
        "kid" => Name::Kid,
        "typ" => Name::Typ,
        "jwk" => Name::Key("jwk"),
        "jku" => Name::Key("jku"),
        "x5c" => Name::Key("x5c"),
        "x5u" => Name::Key("x5u"),
        "iss" => Name::Iss,
        "sub" => Name::Sub,
        "aud" => Name::Aud,
        "azp" => Name::Azp,
        "client_id" => Name::ClientId,
        "scope" => Name::Scope,
        "scp" => Name::Scp,
        "iat" => Name::Iat,
        "nbf" => Name::Nbf,
        "exp" => Name::Exp,
        "jti" => Name::Jti,
        "cnf" => Name::Cnf,
        // Okta, Microsoft Entra, Keycloak.
        "cid" | "appid" | "clientId" => Name::OtherClient,
        "oid" => Name::Oid,
        "email" => Name::Email,
        "preferred_username" => Name::PreferredUsername,
        "gty" | "grant_type" => Name::Grant,
        "idtyp" => Name::IdType,
        // OpenID Connect Core 1.0 §2 and §5.1; the last ones are those of Microsoft Entra and Firebase.
        "name" | "given_name" | "family_name" | "middle_name" | "nickname" | "picture" | "gender" | "birthdate"
        | "phone_number" | "email_verified" | "auth_time" | "nonce" | "amr" | "upn" | "unique_name" | "firebase" => {
            Name::Personal
        }
        // GitHub Actions, GitLab, CircleCI, Buildkite.
        "job_workflow_ref" | "pipeline_id" | "oidc.circleci.com/project-id" | "pipeline_slug" => Name::Job,
        _ => return None,
    })
}

/// Reads the members of the object that a text is, and says whether it is one and nothing else.
fn read_members(json: &[u8], each: impl FnMut(Name, Value<'_>)) -> bool {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    Members(each).deserialize(&mut deserializer).is_ok() && deserializer.end().is_ok()
}

struct Members<F>(F);

impl<'de, F: FnMut(Name, Value<'_>)> DeserializeSeed<'de> for Members<F> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, F: FnMut(Name, Value<'_>)> Visitor<'de> for Members<F> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key_seed(NameOf)? {
            match name {
                Some(name) => (self.0)(name, map.next_value_seed(AnyValue { texts_max: TEXTS_MAX })?),
                None => map.next_value::<IgnoredAny>().map(|_| ())?,
            }
        }
        Ok(())
    }
}

struct NameOf;

impl<'de> DeserializeSeed<'de> for NameOf {
    type Value = Option<Name>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Name>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for NameOf {
    type Value = Option<Name>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Option<Name>, E> {
        Ok(name_of(name))
    }
}
