//! What a row promises and the engine does not do: known gaps, which docs/coverage.md names too. An entry that no case confirms
//! fails the run, so that the list gets shorter with the engine's progress.

use crate::case::Recipe;
use crate::check::Check::{self, Codec, Digest, Leak, Span, Twice};

/// Cases that break a promise. What is empty stands for all.
pub struct NotYet {
    /// How the form's name begins.
    pub form: &'static str,
    /// How the carrier's name begins.
    pub carrier: &'static str,
    /// How the name of one of the encodings begins.
    pub encoding: &'static str,
    /// Only where encodings lie in each other.
    pub stacked: bool,
    /// The promises that may be broken.
    pub checks: &'static [Check],
}

impl NotYet {
    pub fn covers(&self, recipe: &Recipe) -> bool {
        recipe.form.name.starts_with(self.form)
            && recipe.carrier.name.starts_with(self.carrier)
            && (self.encoding.is_empty() || recipe.encodings().any(|(name, _)| name.starts_with(self.encoding)))
            && (!self.stacked || recipe.encodings().count() > 1)
    }
}

const ANY: NotYet = NotYet { form: "", carrier: "", encoding: "", stacked: false, checks: &[] };

pub const NOT_YET: &[NotYet] = &[
    // Encodings in each other: the inner one must give itself away by a fragment of its own. What is decoded at once is bounded.
    NotYet { encoding: "C", stacked: true, checks: &[Leak, Span, Digest, Codec, Twice], ..ANY },
    // What a session holds says that it is one, and a line that ends in it does not say so yet.
    NotYet { form: "A15", encoding: "C5", checks: &[Leak, Codec], ..ANY },
    // Over real lines each line is judged by itself: a short last one can look like a word, a slash at the end like a path's.
    NotYet { encoding: "C5 folded", checks: &[Leak, Codec], ..ANY },
    // A blob's neighbours can belong to it as far as its alphabet goes.
    NotYet { encoding: "C4", checks: &[Span, Digest], ..ANY },
    // A cut token takes what of its alphabet stands behind it: the next segment of a path, which is among the neighbours too.
    NotYet { form: "A8", carrier: "A9", checks: &[Span], ..ANY },
];
