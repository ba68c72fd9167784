//! Character positions, which the parser counts, to byte offsets, which spans use.

use saphyr_parser::Marker;

/// One remembered byte offset per this many characters: a lookup walks less than this.
const STEP: usize = 256;

/// The table for one text.
pub(crate) struct Offsets<'a> {
    text: &'a str,
    /// Bytes that stand before the text in its source.
    base: usize,
    /// Byte offset of every `STEP`th character; empty when the text is ASCII.
    steps: Vec<u32>,
    /// The last answer as (character, byte); most questions go on from there.
    last: (usize, usize),
}

impl<'a> Offsets<'a> {
    pub(crate) fn new(text: &'a str, base: usize) -> Self {
        let steps = if text.is_ascii() {
            Vec::new()
        } else {
            text.char_indices().step_by(STEP).map(|(at, _)| at as u32).collect()
        };
        Self { text, base, steps, last: (0, 0) }
    }

    /// Bytes that stand before the text in its source.
    pub(crate) fn base(&self) -> usize {
        self.base
    }

    /// The byte offset in the source of a place in the text.
    pub(crate) fn byte(&mut self, marker: &Marker) -> usize {
        self.base + self.inside(marker.index())
    }

    fn inside(&mut self, character: usize) -> usize {
        if self.steps.is_empty() {
            return character.min(self.text.len());
        }
        let (mut at_character, mut at_byte) = self.last;
        if character < at_character || character - at_character > STEP {
            let step = (character / STEP).min(self.steps.len() - 1);
            (at_character, at_byte) = (step * STEP, self.steps[step] as usize);
        }
        let rest = &self.text[at_byte..];
        let more = character - at_character;
        at_byte += rest.char_indices().nth(more).map_or(rest.len(), |(at, _)| at);
        if at_byte < self.text.len() {
            self.last = (character, at_byte);
        }
        at_byte
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_order_of_questions_gives_the_same_bytes() {
        let text = "aé漢🙂\n".repeat(500);
        let wanted: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let mut offsets = Offsets::new(&text, 3);
        let count = wanted.len();
        for question in (0..count).chain((0..count).rev()).chain((0..count).map(|at| at * 977 % count)) {
            assert_eq!(
                offsets.byte(&Marker::new(question, 1, 0)),
                wanted[question] + 3,
                "character {question}"
            );
        }
        assert_eq!(offsets.byte(&Marker::new(count + 1000, 1, 0)), text.len() + 3);
    }
}
