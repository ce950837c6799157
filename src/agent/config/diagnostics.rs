//! What is wrong with a configuration: every problem at its place.

use super::snippet::{Mask, Snippet};
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer};
use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::path::Path;

/// A file with more problems is probably no configuration at all.
const RENDERED_MAX: usize = 100;

/// All problems of one configuration, in the order of the file.
///
/// It holds no text of the file except keys and the words of the vocabulary: a value may be a secret in the wrong place.
#[derive(Clone, Debug)]
pub struct Diagnostics {
    path: String,
    problems: Vec<Located>,
}

#[derive(Clone, Debug)]
struct Located {
    problem: Problem,
    snippet: Option<Snippet>,
}

impl Diagnostics {
    /// One problem of the file as a whole.
    pub(super) fn of_file(path: &Path, message: impl Into<String>) -> Self {
        let problem = Problem::new(message);
        Self { path: path.display().to_string(), problems: vec![Located { problem, snippet: None }] }
    }

    /// The number of problems, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "there is no empty one")]
    pub fn len(&self) -> usize {
        self.problems.len()
    }

    /// The text for a person: each problem with its line, column and a hint.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let shown = self.problems.iter().take(RENDERED_MAX);
        let mut reports: Vec<String> = shown.map(|located| renderer.render(&[self.group(located)])).collect();
        if self.problems.len() > RENDERED_MAX {
            reports.push(format!("and {} more", self.problems.len() - RENDERED_MAX));
        }
        reports.join("\n\n")
    }

    fn group<'a>(&'a self, located: &'a Located) -> Group<'a> {
        let title = Level::ERROR.primary_title(&located.problem.message);
        let group = match &located.snippet {
            None => title.element(Origin::path(&self.path)),
            Some(snippet) => title.element(
                annotate_snippets::Snippet::source(&snippet.line)
                    .path(&self.path)
                    .line_start(snippet.line_number)
                    .annotation(AnnotationKind::Primary.span(snippet.mark.clone())),
            ),
        };
        match &located.problem.help {
            None => group,
            Some(help) => group.element(Level::HELP.message(help)),
        }
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}

/// One problem. Neither message nor help may hold a value that could be a secret.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    message: String,
    help: Option<String>,
    span: Option<Range<usize>>,
    /// It is there because something else is not, so a syntax error may be its only cause.
    absence: bool,
}

impl Problem {
    /// A problem of the file as a whole.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, span: None, absence: false }
    }

    /// A problem at a place.
    pub fn at(span: &Range<usize>, message: impl Into<String>) -> Self {
        Self { span: Some(span.clone()), ..Self::new(message) }
    }

    /// Adds the way out.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says that the problem is what is missing.
    pub fn absence(mut self) -> Self {
        self.absence = true;
        self
    }
}

/// Collects problems while the file is read.
#[derive(Debug, Default)]
pub(super) struct Report {
    problems: RefCell<Vec<Problem>>,
    /// Values that may be shown: words of the vocabulary, names and numbers where they are expected.
    shown: RefCell<Vec<Range<usize>>>,
}

impl Report {
    pub fn add(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// Allows the value at this place to be shown in a snippet.
    pub fn show(&self, span: &Range<usize>) {
        self.shown.borrow_mut().push(span.clone());
    }

    /// Ends the collection: nothing, or all problems in the order of the file.
    pub fn finish(
        self,
        text: &str,
        path: &Path,
        table: &toml::de::DeTable<'_>,
        syntax: Vec<Problem>,
    ) -> Option<Diagnostics> {
        let broken = !syntax.is_empty();
        let lines = Lines::new(text);
        let mut problems = first_of_each_line(syntax, &lines);
        let broken_lines: Vec<usize> = problems.iter().filter_map(|p| lines.of(p)).collect();
        problems.extend(self.problems.into_inner().into_iter().filter(|problem| {
            !broken || !problem.absence && lines.of(problem).is_some_and(|line| !broken_lines.contains(&line))
        }));
        if problems.is_empty() {
            return None;
        }
        problems.sort_by_key(|problem| problem.span.as_ref().map(|span| span.start));
        let mask = Mask::new(text, table, self.shown.into_inner(), broken);
        let locate = |problem: Problem| {
            let snippet = problem.span.as_ref().map(|span| mask.snippet(span, lines.number(span.start)));
            Located { problem, snippet }
        };
        let problems = problems.into_iter().map(locate).collect();
        Some(Diagnostics { path: path.display().to_string(), problems })
    }
}

/// A parser that goes on after an error often reports what follows from it on the same line.
fn first_of_each_line(mut syntax: Vec<Problem>, lines: &Lines) -> Vec<Problem> {
    syntax.sort_by_key(|problem| problem.span.as_ref().map(|span| span.start));
    syntax.dedup_by_key(|problem| lines.of(problem));
    syntax
}

/// Offsets to line numbers.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Self {
        Self(memchr::memchr_iter(b'\n', text.as_bytes()).collect())
    }

    /// The line of an offset, from 1.
    fn number(&self, offset: usize) -> usize {
        self.0.partition_point(|newline| *newline < offset) + 1
    }

    fn of(&self, problem: &Problem) -> Option<usize> {
        problem.span.as_ref().map(|span| self.number(span.start))
    }
}
