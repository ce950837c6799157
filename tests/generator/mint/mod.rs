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
    /// Its row and what it is.
    pub form: &'static str,
    pub recognised: Recognised,
    pub kind: Kind,
    pub text: String,
    /// What nothing must survive of.
    pub secrets: Vec<Vec<u8>>,
    /// Its digest is that of `fingerprint` of this text; `None` where no digest is promised.
    pub fingerprinted: Option<String>,
}

impl Credential {
    fn new(form: &'static str, recognised: Recognised, kind: Kind, text: String, secrets: &[&str]) -> Self {
        let secrets = secrets.iter().map(|secret| secret.as_bytes().to_vec()).collect();
        Self { form, recognised, kind, fingerprinted: Some(text.clone()), text, secrets }
    }

    /// A compact token, whose parts behind the header are secret.
    fn compact(form: &'static str, kind: Kind, text: String) -> Self {
        let parts: Vec<&str> = text.split(['.', '~']).skip(1).collect();
        Self::new(form, Recognised::ByForm, kind, text.clone(), &parts)
    }
}

/// A form and how one is made.
pub struct Form {
    pub name: &'static str,
    pub recognised: Recognised,
    make: fn(&'static str, &Keys, &mut Random) -> Credential,
}

impl Form {
    pub fn mint(&self, keys: &Keys, random: &mut Random) -> Credential {
        (self.make)(self.name, keys, random)
    }
}

macro_rules! forms {
    ($($name:literal $recognised:ident $make:expr;)*) => {
        &[$(Form { name: $name, recognised: Recognised::$recognised, make: $make },)*]
    };
}

/// All forms.
pub const FORMS: &[Form] = forms! {
    "A1 HS256" ByForm |form, keys, random| jws::token(form, "HS256", keys, random);
    "A1 HS384" ByForm |form, keys, random| jws::token(form, "HS384", keys, random);
    "A1 HS512" ByForm |form, keys, random| jws::token(form, "HS512", keys, random);
    "A1 RS256" ByForm |form, keys, random| jws::token(form, "RS256", keys, random);
    "A1 RS384" ByForm |form, keys, random| jws::token(form, "RS384", keys, random);
    "A1 RS512" ByForm |form, keys, random| jws::token(form, "RS512", keys, random);
    "A1 PS256" ByForm |form, keys, random| jws::token(form, "PS256", keys, random);
    "A1 PS384" ByForm |form, keys, random| jws::token(form, "PS384", keys, random);
    "A1 PS512" ByForm |form, keys, random| jws::token(form, "PS512", keys, random);
    "A1 ES256" ByForm |form, keys, random| jws::token(form, "ES256", keys, random);
    "A1 ES256K" ByForm |form, keys, random| jws::token(form, "ES256K", keys, random);
    "A1 ES384" ByForm |form, keys, random| jws::token(form, "ES384", keys, random);
    "A1 ES512" ByForm |form, keys, random| jws::token(form, "ES512", keys, random);
    "A1 EdDSA" ByForm |form, keys, random| jws::token(form, "EdDSA", keys, random);
    "A2 none" ByForm |form, keys, random| jws::token(form, "none", keys, random);
    "A3 dir" ByForm |form, keys, random| jwe::token(form, "dir", keys, random);
    "A3 RSA-OAEP" ByForm |form, keys, random| jwe::token(form, "RSA-OAEP", keys, random);
    "A3 RSA-OAEP-256" ByForm |form, keys, random| jwe::token(form, "RSA-OAEP-256", keys, random);
    "A3 A128KW" ByForm |form, keys, random| jwe::token(form, "A128KW", keys, random);
    "A3 A256KW" ByForm |form, keys, random| jwe::token(form, "A256KW", keys, random);
    "A3 ECDH-ES" ByForm |form, keys, random| jwe::token(form, "ECDH-ES", keys, random);
    "A3 ECDH-ES+A256KW" ByForm |form, keys, random| jwe::token(form, "ECDH-ES+A256KW", keys, random);
    "A3 PBES2-HS256+A128KW" ByForm |form, keys, random| jwe::token(form, "PBES2-HS256+A128KW", keys, random);
    "A6 SD-JWT" ByForm jws::sd_jwt;
    "A7 padded" ByForm |form, keys, random| respelled(form, keys, random, &BASE64_URL_SAFE);
    "A7 standard alphabet" ByForm |form, keys, random| respelled(form, keys, random, &BASE64_STANDARD);
    "A8 cut" ByForm jws::cut;
    "A11 long" ByForm jws::long;
    "A12 PASETO public" ByForm jws::paseto_public;
    "A12 PASETO local" ByForm |form, _, random| opaque::paseto_local(form, random);
    "A15 Flask" ByForm |form, _, random| opaque::flask(form, random);
    "A15 Django" ByForm |form, _, random| opaque::django(form, random);
    "A15 Laravel" ByForm |form, _, random| opaque::laravel(form, random);
    "A15 Docker" ByForm |form, _, random| opaque::docker(form, random);
    "A15 Grafana" ByForm |form, _, random| opaque::grafana(form, random);
    "B11 hex" ByContext |form, _, random| opaque::token(form, random, opaque::hex);
    "B11 UUID" ByContext |form, _, random| opaque::token(form, random, opaque::uuid);
    "B11 base64" ByContext |form, _, random| opaque::token(form, random, opaque::base64);
    "B11 base64url" ByContext |form, _, random| opaque::token(form, random, opaque::base64url);
    "B11 token68" ByContext |form, _, random| opaque::token(form, random, opaque::token68);
    "B11 prefix" ByContext |form, _, random| opaque::token(form, random, opaque::prefixed);
    "B5 basic" AsBasic |form, _, random| opaque::basic(form, random);
};

/// A token of another form's making, its parts written in another base64.
fn respelled(form: &'static str, keys: &Keys, random: &mut Random, base64: &impl Engine) -> Credential {
    let alg = *random.pick(&["HS256", "ES256", "EdDSA"]);
    let canonical = jws::token(form, alg, keys, random);
    let parts = canonical.text.split('.').map(|part| {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).expect("it was encoded so");
        base64.encode(bytes)
    });
    let text = parts.collect::<Vec<_>>().join(".");
    let respelled = Credential::compact(form, Kind::Jwt, text);
    Credential { fingerprinted: canonical.fingerprinted, ..respelled }
}

fn base64url(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
