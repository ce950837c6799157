//! What a row promises and the engine does not do yet. It must be empty in the end.

use crate::case::Recipe;
use crate::check::Check;

/// A combination that breaks a promise. What is empty stands for all.
pub struct NotYet {
    /// How the form's name begins.
    pub form: &'static str,
    /// How the carrier's name begins.
    pub carrier: &'static str,
    /// How the name of one of the encodings begins.
    pub encoding: &'static str,
    /// The promises that may be broken.
    pub checks: &'static [Check],
}

impl NotYet {
    pub fn covers(&self, recipe: &Recipe) -> bool {
        recipe.form.name.starts_with(self.form)
            && recipe.carrier.name.starts_with(self.carrier)
            && (self.encoding.is_empty() || recipe.encodings().any(|(name, _)| name.starts_with(self.encoding)))
    }
}

pub const NOT_YET: &[NotYet] = &[];
