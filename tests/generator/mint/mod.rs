//! Fresh credentials of every form: signed, encrypted, and opaque.

mod header;
mod jwe;
mod jws;
mod opaque;
mod payload;

use crate::random::Random;
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD};
use beartrap::Kind;

pub use jws::Keys;

/// What recognises a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recognised {
    /// Its own form, wherever it stands.
    ByForm,
    /// A name or scheme before it.
    ByContext,
    /// `Basic` before it.
    AsBasic,
}

/// One credential.
#[derive(Clone, Debug)]
pub struct Credential {
    pub kind: Kind,
    pub text: String,
    /// What nothing must survive of.
    pub secrets: Vec<Vec<u8>>,
    /// Its digest is that of `fingerprint` of this text; `None` where no digest is promised.
    pub fingerprinted: Option<String>,
}

impl Credential {
    fn new(kind: Kind, text: String, secrets: &[&str]) -> Self {
        let secrets = secrets.iter().map(|secret| secret.as_bytes().to_vec()).collect();
        Self { kind, fingerprinted: Some(text.clone()), text, secrets }
    }

    /// The header of a JOSE token: no secret.
    pub fn header(&self) -> &[u8] {
        let first = self.text.split('.').next().unwrap_or_default();
        if matches!(self.kind, Kind::Jwt | Kind::Jwe) { first.as_bytes() } else { b"" }
    }

    /// A compact token, whose parts behind the header are secret.
    fn compact(kind: Kind, text: String) -> Self {
        let parts: Vec<&str> = text.split(['.', '~']).skip(1).collect();
        Self::new(kind, text.clone(), &parts)
    }
}

/// A form and how one is made.
pub struct Form {
    pub name: &'static str,
    pub recognised: Recognised,
    make: fn(&Keys, &mut Random) -> Credential,
}

impl Form {
    pub fn mint(&self, keys: &Keys, random: &mut Random) -> Credential {
        (self.make)(keys, random)
    }
}

macro_rules! forms {
    ($($name:literal $recognised:ident $make:expr;)*) => {
        &[$(Form { name: $name, recognised: Recognised::$recognised, make: $make },)*]
    };
}

/// All forms.
pub const FORMS: &[Form] = forms! {
    "A1 HS256" ByForm |keys, random| jws::token("HS256", keys, random);
    "A1 HS384" ByForm |keys, random| jws::token("HS384", keys, random);
    "A1 HS512" ByForm |keys, random| jws::token("HS512", keys, random);
    "A1 RS256" ByForm |keys, random| jws::token("RS256", keys, random);
    "A1 RS384" ByForm |keys, random| jws::token("RS384", keys, random);
    "A1 RS512" ByForm |keys, random| jws::token("RS512", keys, random);
    "A1 PS256" ByForm |keys, random| jws::token("PS256", keys, random);
    "A1 PS384" ByForm |keys, random| jws::token("PS384", keys, random);
    "A1 PS512" ByForm |keys, random| jws::token("PS512", keys, random);
    "A1 ES256" ByForm |keys, random| jws::token("ES256", keys, random);
    "A1 ES256K" ByForm |keys, random| jws::token("ES256K", keys, random);
    "A1 ES384" ByForm |keys, random| jws::token("ES384", keys, random);
    "A1 ES512" ByForm |keys, random| jws::token("ES512", keys, random);
    "A1 EdDSA" ByForm |keys, random| jws::token("EdDSA", keys, random);
    "A2 none" ByForm |keys, random| jws::token("none", keys, random);
    "A3 dir" ByForm |keys, random| jwe::token("dir", keys, random);
    "A3 RSA-OAEP" ByForm |keys, random| jwe::token("RSA-OAEP", keys, random);
    "A3 RSA-OAEP-256" ByForm |keys, random| jwe::token("RSA-OAEP-256", keys, random);
    "A3 A128KW" ByForm |keys, random| jwe::token("A128KW", keys, random);
    "A3 A256KW" ByForm |keys, random| jwe::token("A256KW", keys, random);
    "A3 ECDH-ES" ByForm |keys, random| jwe::token("ECDH-ES", keys, random);
    "A3 ECDH-ES+A256KW" ByForm |keys, random| jwe::token("ECDH-ES+A256KW", keys, random);
    "A3 PBES2-HS256+A128KW" ByForm |keys, random| jwe::token("PBES2-HS256+A128KW", keys, random);
    "A6 SD-JWT" ByForm jws::sd_jwt;
    "A7 padded" ByForm |keys, random| respelled(keys, random, &BASE64_URL_SAFE);
    "A7 standard alphabet" ByForm |keys, random| respelled(keys, random, &BASE64_STANDARD);
    "A8 cut" ByForm jws::cut;
    "A11 long" ByForm jws::long;
    "A12 PASETO public" ByForm jws::paseto_public;
    "A12 PASETO local" ByForm |_, random| opaque::paseto_local(random);
    "A15 Flask" ByForm |_, random| opaque::flask(random);
    "A15 Django" ByForm |_, random| opaque::django(random);
    "A15 Laravel" ByForm |_, random| opaque::laravel(random);
    "A15 Docker" ByForm |_, random| opaque::docker(random);
    "A15 Grafana" ByForm |_, random| opaque::grafana(random);
    "B11 hex" ByContext |_, random| opaque::token(random, opaque::hex);
    "B11 UUID" ByContext |_, random| opaque::token(random, opaque::uuid);
    "B11 base64" ByContext |_, random| opaque::token(random, opaque::base64);
    "B11 base64url" ByContext |_, random| opaque::token(random, opaque::base64url);
    "B11 token68" ByContext |_, random| opaque::token(random, opaque::token68);
    "B11 prefix" ByContext |_, random| opaque::token(random, opaque::prefixed);
    "B5 basic" AsBasic |_, random| opaque::basic(random);
};

/// A token of another form's making, its parts written in another base64.
fn respelled(keys: &Keys, random: &mut Random, base64: &impl Engine) -> Credential {
    let alg = *random.pick(&["HS256", "ES256", "EdDSA"]);
    let canonical = jws::token(alg, keys, random);
    let parts = canonical.text.split('.').map(|part| {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).expect("it was encoded so");
        base64.encode(bytes)
    });
    let text = parts.collect::<Vec<_>>().join(".");
    let respelled = Credential::compact(Kind::Jwt, text);
    Credential { fingerprinted: canonical.fingerprinted, ..respelled }
}

fn base64url(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
