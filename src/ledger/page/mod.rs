//! The page for people who would rather look than read: served by the API, or one file with the data inside.
//!
//! It is one HTML text without a foreign host and without a build step. Its policy allows the one script and the one style
//! that are in it, by their hashes, and forbids every way to make markup of a text (trusted types). Whatever comes from a
//! log is shown by `textContent` alone.

mod report;

pub use report::{REPORT_ROWS_MAX, ReportWriter, Written};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

const MARKUP: &str = include_str!("index.html");
const STYLE: &str = include_str!("page.css");
/// One script in the order of its parts; the first makes all of it strict.
const SCRIPT: &str = concat!(
    include_str!("base.js"),
    include_str!("rows.js"),
    include_str!("cards.js"),
    include_str!("timeline.js"),
    include_str!("table.js"),
    include_str!("details.js"),
    include_str!("data.js"),
    include_str!("main.js"),
);

/// The page as the API serves it.
#[derive(Debug)]
pub struct Page {
    /// The whole page.
    pub html: String,
    /// The value of the header `Content-Security-Policy` that it must be served with.
    pub content_security_policy: String,
}

/// The page that asks the API of its own origin, by `api/v1/…` relative to where it is.
pub fn served() -> &'static Page {
    static PAGE: LazyLock<Page> = LazyLock::new(|| {
        let (before, after) = around_data("");
        Page {
            html: before + &after,
            // Who may frame a page can only be said in the header.
            content_security_policy: format!("{}; frame-ancestors 'none'", policy("'self'")),
        }
    });
    &PAGE
}

fn policy(connect: &str) -> String {
    format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; connect-src {connect}; img-src data:; base-uri 'none'; \
         form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
        hash(SCRIPT),
        hash(STYLE)
    )
}

fn hash(inline: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(inline)))
}

/// What stands before and behind the data; `head` goes to the top of the head.
fn around_data(head: &str) -> (String, String) {
    let fill =
        |text: &str| text.replace("<!--head-->", head).replace("<!--style-->", &format!("<style>{STYLE}</style>"));
    let (before, after) = MARKUP.split_once("<!--data-->").expect("the markup names the place of the data");
    (fill(before), after.replace("<!--script-->", &format!("<script>{SCRIPT}</script>")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_names_what_is_inline() {
        let page = served();
        let between = |from: &str, to: &str| {
            let (_, rest) = page.html.split_once(from).unwrap();
            rest.split_once(to).unwrap().0.to_owned()
        };
        for (inline, directive) in
            [(between("<style>", "</style>"), "style-src"), (between("<script>", "</script>"), "script-src")]
        {
            let allowed = format!("{directive} '{}'", hash(&inline));
            assert!(page.content_security_policy.contains(&allowed), "{directive}");
        }
        assert!(!page.content_security_policy.contains("unsafe"));
        assert!(!page.html.contains("<!--"), "every place is filled");
    }

    #[test]
    fn nothing_is_fetched_from_elsewhere() {
        for text in [MARKUP, STYLE, SCRIPT] {
            for foreign in
                ["http://", "https://", "//www", "@import", "url(", "innerHTML", "eval(", " style=", " onclick="]
            {
                assert!(!text.contains(foreign), "{foreign}");
            }
        }
    }
}
