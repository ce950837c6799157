//! Where records end, for who must not look into them.

use super::framer::{Event, Framer};
use super::runtime::{OpenTexts, RUNTIME_LINE_BYTES, Runtime};
use super::{Decoding, FramingError};

/// Tells the records of a stream apart without the engine.
pub(crate) struct RecordEnds {
    framer: Framer,
    /// Lines of a container runtime may belong together.
    texts: Option<(Runtime, OpenTexts)>,
    line: Vec<u8>,
}

impl RecordEnds {
    /// At the start of a record, with no text of a runtime open.
    pub fn new(decoding: &Decoding) -> Self {
        let texts = Runtime::of(decoding.codec).map(|runtime| (runtime, OpenTexts::default()));
        Self { framer: Framer::new(decoding.framing), texts, line: Vec::new() }
    }

    /// The length of what belongs to the current record at the front of `input`, and whether it ends there.
    ///
    /// # Errors
    /// When the framing is broken.
    pub fn take(&mut self, input: &[u8]) -> Result<(usize, bool), FramingError> {
        let mut rest = input;
        while let Some(event) = self.framer.next(&mut rest)? {
            match event {
                Event::Content(content) if self.texts.is_some() => {
                    let room = RUNTIME_LINE_BYTES.saturating_sub(self.line.len()).min(content.len());
                    self.line.extend_from_slice(&content[..room]);
                }
                Event::Content(_) => {}
                Event::End => {
                    if let Some((runtime, texts)) = &mut self.texts {
                        texts.line(*runtime, &self.line);
                        self.line.clear();
                    }
                    return Ok((input.len() - rest.len(), true));
                }
            }
        }
        Ok((input.len(), false))
    }

    /// Whether a text goes on in later records.
    pub fn is_text_open(&self) -> bool {
        self.texts.as_ref().is_some_and(|(_, texts)| texts.is_open())
    }
}
