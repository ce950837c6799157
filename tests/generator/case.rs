//! One case: a credential, encoded, in a carrier, encoded again.

use super::carriers::{CARRIERS, Carrier, between, neighbours};
use super::encodings::{ENCODINGS, Encoding, Marked, Reach};
use super::mint::{Credential, FORMS, Form, Keys, Recognised};
use super::random::Random;

/// As many encodings as FORMS promises to look through.
pub const DEPTH_MAX: usize = 3;

/// What a case is made of.
#[derive(Clone)]
pub struct Recipe {
    pub form: &'static Form,
    pub carrier: &'static Carrier,
    /// Around the credential alone, from the inside out.
    pub inner: Vec<&'static (&'static str, Encoding)>,
    /// Around the carrier with it.
    pub outer: Vec<&'static (&'static str, Encoding)>,
}

impl Recipe {
    pub fn random(random: &mut Random) -> Self {
        loop {
            let (form, carrier) = (random.pick(FORMS), random.pick(CARRIERS));
            let depth = random.below(DEPTH_MAX + 1);
            let inner = random.below(depth + 1);
            let mut encodings = (0..depth).map(|_| random.pick(ENCODINGS));
            let inner: Vec<_> = encodings.by_ref().take(inner).collect();
            let recipe = Self { form, carrier, inner, outer: encodings.collect() };
            if recipe.not_covered().is_none() {
                return recipe;
            }
        }
    }

    pub fn encodings(&self) -> impl Iterator<Item = &'static (&'static str, Encoding)> {
        self.inner.iter().chain(&self.outer).copied()
    }

    pub fn name(&self) -> String {
        let inner: String = self.inner.iter().map(|(name, _)| format!(" in {name}")).collect();
        let outer: String = self.outer.iter().map(|(name, _)| format!(" in {name}")).collect();
        format!("{}{inner} in {}{outer}", self.form.name, self.carrier.name)
    }

    /// Why no row of FORMS promises this combination.
    pub fn not_covered(&self) -> Option<&'static str> {
        NOT_COVERED.iter().find(|(_, is_so)| is_so(self)).map(|(why, _)| *why)
    }

    fn all(&self) -> Vec<Encoding> {
        self.encodings().map(|(_, encoding)| *encoding).collect()
    }

    fn is_opaque(&self) -> bool {
        self.form.recognised != Recognised::ByForm
    }
}

type Condition = fn(&Recipe) -> bool;

/// What no row promises, and why.
const NOT_COVERED: &[(&str, Condition)] = &[
    ("the carrier says nothing of such a credential", |recipe| !recipe.carrier.can_hold(recipe.form.recognised)),
    ("encodings are followed to a depth of three", |recipe| recipe.inner.len() + recipe.outer.len() > DEPTH_MAX),
    ("an opaque token has no form: one in base64 or hexadecimal digits is another opaque token", |recipe| {
        recipe.is_opaque() && recipe.inner.iter().any(|(_, encoding)| encoding.is_blob())
    }),
    ("C6 is the hex dump of a token: names and schemes in one are not looked for", |recipe| {
        recipe.is_opaque() && recipe.outer.iter().any(|(_, encoding)| matches!(encoding, Encoding::Hex { .. }))
    }),
    ("C4 holds opaque tokens as `Bearer X` or in JSON", |recipe| {
        let is_base64 = |(_, encoding): &(&str, Encoding)| matches!(encoding, Encoding::Base64 { .. });
        recipe.is_opaque() && recipe.outer.iter().any(|outer| is_base64(outer)) && !recipe.carrier.is_for_base64()
    }),
    ("a user part of a URL holds neither slashes nor colons of its own (RFC 3986 §3.2.1)", |recipe| {
        let may_have_one = ["A15 Django", "B11 base64", "B11 token68"].contains(&recipe.form.name);
        let has_lines = recipe.is_opaque() && recipe.encodings().any(|(_, encoding)| encoding.is_wrapping());
        recipe.carrier.name.starts_with("B13") && (may_have_one || has_lines)
    }),
    ("a line is as long as an encoder's only where the text is all that it has encoded", |recipe| {
        let wrapped = recipe.encodings().any(|(_, encoding)| encoding.is_wrapping());
        recipe.carrier.name == "B12 connect.sid" && recipe.is_opaque() && wrapped
    }),
    ("a line break in a string of a string is escaped twice", |recipe| {
        let wrapped = recipe.inner.iter().any(|(_, encoding)| encoding.is_wrapping());
        recipe.carrier.name == "B2 json in json" && wrapped
    }),
    ("C1 and C2 encode the dots of a token, not those of a name", |recipe| {
        let of_dots = |encoding: &Encoding| {
            matches!(encoding, Encoding::Percent { reach: Reach::Dots, .. } | Encoding::Json { reach: Reach::Dots, .. })
        };
        recipe.carrier.name == "B12 connect.sid" && recipe.outer.iter().any(|(_, encoding)| of_dots(encoding))
    }),
    ("names in base64 are known as programs write them", |recipe| {
        let in_blob = recipe.outer.iter().any(|(_, encoding)| encoding.is_blob());
        recipe.is_opaque() && recipe.carrier.name == "B1 odd case" && in_blob
    }),
    ("C5 wraps tokens: a name or scheme that is cut in two is none", |recipe| {
        recipe.outer.iter().enumerate().any(|(at, (_, encoding))| {
            // Base64 is wrapped at 64 or 76 characters by those who write it (RFC 1421, RFC 2045).
            encoding.is_wrapping() && !recipe.outer[..at].last().is_some_and(|(_, below)| below.is_blob())
        })
    }),
    ("a line that ends within an encoded character leaves none", |recipe| {
        let all = recipe.all();
        all.iter()
            .enumerate()
            .any(|(at, encoding)| encoding.is_wrapping() && all[..at].iter().any(|below| !below.is_blob()))
    }),
    ("line ends that end a record end what is encoded around them", |recipe| {
        let all = recipe.all();
        all.iter().take(all.len().saturating_sub(1)).any(|encoding| encoding.is_of_lines())
            || (all.last().is_some_and(|last| last.is_of_lines()) && recipe.is_opaque())
    }),
    ("a carrier of several lines is none within a line", |recipe| {
        recipe.carrier.is_of_lines() && recipe.inner.iter().any(|(_, encoding)| encoding.is_of_lines())
    }),
];

/// A case made ready.
pub struct Case {
    pub recipe: Recipe,
    pub credential: Credential,
    pub text: Marked,
}

impl Case {
    pub fn new(recipe: Recipe, keys: &Keys, random: &mut Random) -> Self {
        let credential = recipe.form.mint(keys, random);
        let len = credential.text.len();
        let mut text = Marked { bytes: credential.text.clone().into_bytes(), span: 0..len };
        for (_, encoding) in &recipe.inner {
            text = encoding.encode(&text);
        }
        text = recipe.carrier.fill(&text);
        for (_, encoding) in &recipe.outer {
            text = encoding.encode(&text);
        }
        // A text by itself begins and ends with what is written to a log; a blob has something around it.
        if recipe.outer.iter().any(|(_, encoding)| encoding.is_blob()) {
            text = between(&text, &neighbours_of_blob(random));
        } else if recipe.carrier.name.starts_with("A9") && recipe.outer.is_empty() && random.once_in(2) {
            let neighbours = neighbours(random);
            text = between(&encoded(&credential, &recipe), &neighbours);
        }
        Self { recipe, credential, text }
    }
}

/// The encoded credential without a carrier.
fn encoded(credential: &Credential, recipe: &Recipe) -> Marked {
    let bytes = credential.text.clone().into_bytes();
    let text = Marked { span: 0..bytes.len(), bytes };
    recipe.inner.iter().fold(text, |text, (_, encoding)| encoding.encode(&text))
}

/// What base64 stands in: a header, a member, a Kubernetes secret.
fn neighbours_of_blob(random: &mut Random) -> Marked {
    let around =
        [("hdr=", " y"), (r#"{"data":""#, r#""}"#), ("X-User-Context: ", "\r\n"), ("  value: ", "\n"), ("", "")];
    let (before, after) = *random.pick(&around);
    Marked { bytes: format!("{before}{after}").into_bytes(), span: before.len()..before.len() }
}
